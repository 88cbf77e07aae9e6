"""Read a ``.pt2`` archive as a ``Program`` without running anything it holds.

``torch.export.load`` unpickles weights, constants and sample inputs where the archive says so,
and evaluates symbolic expressions as Python; a model file is not trusted that far. What is
needed is a JSON graph and raw tensors, and these are read here. Layout: ``torch/export/
pt2_archive``; schema: ``torch/_export/serde/schema.py``.
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TypeVar

import torch

from hwaccel.errors import FrontendError
from hwaccel.frontend import pt2_schema as schema
from hwaccel.frontend.export import module_prefixes
from hwaccel.frontend.program import (
    Arg,
    Call,
    Constant,
    Placeholder,
    Program,
    Ref,
    overload,
    shown,
)
from hwaccel.untrusted import MAX_MODEL_BYTES, MAX_WEIGHTS, Damaged, decode_json, open_zip

_SCHEMA_MAJOR = 8
_SAVE_AGAIN = "save it again with torch.export.save of torch 2.10 or newer"
# torch._export.serde.schema.ScalarType
_DTYPES = {
    1: torch.uint8,
    2: torch.int8,
    3: torch.int16,
    4: torch.int32,
    5: torch.int64,
    6: torch.float16,
    7: torch.float32,
    8: torch.float64,
    12: torch.bool,
    13: torch.bfloat16,
}

T = TypeVar("T")


# --- the archive ------------------------------------------------------------------------------


class _Archive:
    """Members of the archive by name; only those asked for are opened."""

    def __init__(self, path: Path, zip: zipfile.ZipFile) -> None:
        self._path = path
        self._zip = zip
        self._root = zip.namelist()[0].split("/")[0] if zip.namelist() else ""
        self._names = set(zip.namelist())

    def fail(self, reason: str) -> FrontendError:
        return FrontendError(f"{self._path}: {reason}")

    def has(self, name: str) -> bool:
        return f"{self._root}/{name}" in self._names

    def read(self, name: str) -> bytes:
        if not self.has(name):
            raise self.fail(f"holds no {shown(name)}, so it is no .pt2 model; {_SAVE_AGAIN}")
        return self._zip.read(f"{self._root}/{name}")

    def json(self, name: str, type: type[T]) -> T:
        try:
            return decode_json(self.read(name), type)
        except Damaged as error:
            raise self.fail(f"{name} is not readable ({error}); {_SAVE_AGAIN}") from None


def read_pt2(path: Path) -> Program:
    """Read a model saved by ``torch.export.save``.

    Raises:
        FrontendError: the file is missing, damaged, of another version, or needs unpickling.
    """
    try:
        with open_zip(path, MAX_MODEL_BYTES) as file:
            return _program(_Archive(path, file))
    except FileNotFoundError:
        raise FrontendError(f"{path}: no such file") from None
    except OSError as error:
        raise FrontendError(f"{path}: cannot be read ({error.strerror or error})") from None
    except Damaged as error:
        raise FrontendError(
            f"{path}: is damaged or no .pt2 archive ({error}); {_SAVE_AGAIN}"
        ) from None


def _program(archive: _Archive) -> Program:
    if archive.read("archive_format") != b"pt2":
        raise archive.fail(f"is no .pt2 archive; {_SAVE_AGAIN}")
    if archive.has("byteorder") and archive.read("byteorder") != b"little":
        raise archive.fail(f"was saved on a big-endian machine; {_SAVE_AGAIN}")
    exported = archive.json("models/model.json", schema.Exported)
    version = exported.schema_version
    if version.major != _SCHEMA_MAJOR:
        raise archive.fail(
            f"has schema version {version.major}.{version.minor}, expected {_SCHEMA_MAJOR}; "
            f"{_SAVE_AGAIN}"
        )
    graph, signature = exported.graph_module.graph, exported.graph_module.signature
    tensors = {
        **_tensors(archive, "data/weights"),
        **_tensors(archive, "data/constants"),
    }
    inputs: list[Placeholder] = []
    constants: dict[str, Constant] = {}
    for spec in signature.input_specs:
        _input(archive, spec, graph, tensors, inputs, constants)
    calls = tuple(call for node in graph.nodes for call in _calls(archive, node, graph))
    outputs = tuple(_output(archive, spec) for spec in signature.output_specs)
    modules = module_prefixes(call.path for call in calls)
    return Program(archive._path.stem, tuple(inputs), constants, calls, outputs, modules)


# --- tensors ------------------------------------------------------------------------------------


def _tensors(archive: _Archive, folder: str) -> dict[str, torch.Tensor]:
    kind = folder.rsplit("/", 1)[1]
    if archive.has(f"{folder}/model.pt"):
        raise archive.fail(f"holds {kind} as a pickle, which is not read; {_SAVE_AGAIN}")
    payloads = archive.json(f"{folder}/model_{kind}_config.json", schema.Payloads)
    stored: dict[str, bytearray] = {}
    tensors: dict[str, torch.Tensor] = {}
    for name, payload in payloads.config.items():
        if payload.path_name not in stored and not payload.use_pickle:
            # A copy: the buffer is the reader's, and torch may write to it.
            stored[payload.path_name] = bytearray(archive.read(f"{folder}/{payload.path_name}"))
        tensors[name] = _tensor(archive, name, payload, stored.get(payload.path_name, bytearray()))
    # Those of one name share their bytes, until something is computed of each.
    count = sum(tensor.numel() for tensor in tensors.values())
    if count > MAX_WEIGHTS:
        raise archive.fail(f"holds {count} numbers, expected at most {MAX_WEIGHTS}")
    return tensors


def _tensor(archive: _Archive, name: str, payload: schema.Payload, data: bytearray) -> torch.Tensor:
    meta = payload.tensor_meta
    if payload.use_pickle or meta is None:
        raise archive.fail(
            f"{shown(name)} is stored as a pickle, which is not read; "
            "store plain dense tensors in the model"
        )
    dtype = _DTYPES.get(meta.dtype)
    if dtype is None:
        raise archive.fail(
            f"{shown(name)} has an element type that is not supported; use a float type"
        )
    sizes, strides = _sizes(archive, name, meta.sizes), _sizes(archive, name, meta.strides)
    (offset,) = _sizes(archive, name, [meta.storage_offset])
    stored = len(data) // dtype.itemsize
    last = offset + sum((n - 1) * s for n, s in zip(sizes, strides, strict=False))
    if (
        len(sizes) != len(strides)
        or math.prod(sizes) > stored
        or (0 not in sizes and last >= stored)
    ):
        raise archive.fail(
            f"{shown(name)} needs more than the {len(data)} bytes that are stored; {_SAVE_AGAIN}"
        )
    if 0 in sizes:
        return torch.zeros(sizes, dtype=dtype)
    return torch.frombuffer(data, dtype=dtype, count=stored).as_strided(sizes, strides, offset)


def _sizes(archive: _Archive, name: str, sizes: list[schema.Size]) -> tuple[int, ...]:
    """Return sizes as integers; a symbolic one as that of the example it was traced with."""
    values = []
    for size in sizes:
        hint = size.as_expr.hint if size.as_expr is not None else None
        value = size.as_int if size.as_int is not None else hint.as_int if hint else None
        if value is None or value < 0:
            raise archive.fail(
                f"{shown(name)} has a size that is not known; export it with fixed shapes"
            )
        values.append(value)
    return tuple(values)


# --- the graph ----------------------------------------------------------------------------------


def _input(
    archive: _Archive,
    spec: schema.InputSpec,
    graph: schema.Graph,
    tensors: Mapping[str, torch.Tensor],
    inputs: list[Placeholder],
    constants: dict[str, Constant],
) -> None:
    if spec.user_input is not None and spec.user_input.arg.as_tensor is not None:
        name = spec.user_input.arg.as_tensor.name
        inputs.append(Placeholder(name, _shape(archive, name, graph)))
        return
    if spec.parameter is not None:
        name, key = spec.parameter.arg.name, spec.parameter.parameter_name
    elif spec.buffer is not None:
        name, key = spec.buffer.arg.name, spec.buffer.buffer_name
    elif spec.tensor_constant is not None:
        name, key = spec.tensor_constant.arg.name, spec.tensor_constant.tensor_constant_name
    else:
        raise archive.fail("has an input that is no tensor; only tensors can be inputs")
    if key not in tensors:
        raise archive.fail(f"{shown(key)} is used but not stored; {_SAVE_AGAIN}")
    constants[name] = Constant(key, tensors[key])


def _output(archive: _Archive, spec: schema.OutputSpec) -> str:
    output = spec.user_output.arg.as_tensor if spec.user_output is not None else None
    if output is None:
        raise archive.fail(
            "returns something that is no tensor, or changes a buffer; "
            "return tensors only and keep no state between frames"
        )
    return output.name


def _shape(archive: _Archive, name: str, graph: schema.Graph) -> tuple[int, ...]:
    meta = graph.tensor_values.get(name)
    if meta is None:
        raise archive.fail(f"says no shape of {shown(name)}; {_SAVE_AGAIN}")
    return _sizes(archive, name, meta.sizes)


def _calls(archive: _Archive, node: schema.Node, graph: schema.Graph) -> Iterator[Call]:
    results = [named.name for output in node.outputs for named in _named(output)]
    if not results:
        # Checks and arithmetic on sizes; shapes are known without them.
        return
    target = node.target.removeprefix("torch.ops.")
    args: dict[str, Arg] = {}
    operator = overload(target)
    given = {argument.name: _argument(argument.arg) for argument in node.inputs}
    for parameter in operator._schema.arguments if operator is not None else ():
        default = parameter.default_value
        args[parameter.name] = tuple(default) if isinstance(default, list) else default
    args.update(given)
    shapes = tuple(_shape(archive, name, graph) if name else () for name in results)
    yield Call(target, args, tuple(results), shapes, _path(node.metadata))


def _named(argument: schema.Argument) -> list[schema.Named]:
    if argument.as_tensor is not None:
        return [argument.as_tensor]
    return argument.as_tensors or []


def _argument(a: schema.Argument) -> Arg:
    if a.as_scalar_type is not None:
        return str(_DTYPES.get(a.as_scalar_type, "an unsupported type"))
    if a.as_optional_tensor is not None:
        return _reference(a.as_optional_tensor.as_tensor)
    if a.as_optional_tensors is not None:
        return tuple(_reference(o.as_tensor) for o in a.as_optional_tensors)
    if a.as_sym_int is not None:
        return _symbol(a.as_sym_int)
    if a.as_sym_ints is not None:
        return tuple(map(_symbol, a.as_sym_ints))
    if a.as_tensor is not None:
        return Ref(a.as_tensor.name)
    if a.as_tensors is not None:
        return tuple(Ref(t.name) for t in a.as_tensors)
    for values in (a.as_ints, a.as_floats, a.as_bools):
        if values is not None:
            return tuple(values)
    if a.as_float is not None:
        return float(a.as_float)
    return next((v for v in (a.as_int, a.as_string, a.as_bool) if v is not None), None)


def _reference(named: schema.Named | None) -> Arg:
    return None if named is None else Ref(named.name)


def _symbol(symbol: schema.SymInt) -> Arg:
    return symbol.as_int if symbol.as_name is None else Ref(symbol.as_name)


def _path(metadata: Mapping[str, str]) -> str:
    # "key,path,type" for each module on the way, separated by semicolons.
    innermost = metadata.get("nn_module_stack", "").split(";")[-1]
    return innermost.partition(",")[2].rpartition(",")[0]
