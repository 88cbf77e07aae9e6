"""Read an ``.onnx`` file as plain data; nothing in it is trusted.

Files stay bounded in memory and time: protobuf makes an object of every field, so fields are
counted before it sees them; no tensor is read from another file; sizes are compared with the bytes
that are there before anything is allocated.
"""

from __future__ import annotations

import importlib
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch

from hwaccel.errors import FrontendError
from hwaccel.frontend.program import reason, shown
from hwaccel.untrusted import MAX_MODEL_BYTES, MAX_WEIGHTS, Damaged
from hwaccel.untrusted import read_file as read_bytes

_MAX_FIELDS = 1 << 18
# Elements of a frame, and frames of a batch.
_MAX_FRAME = 1 << 22
_MAX_BATCH = 1 << 10
_MAX_RANK = 8
_MAX_SCOPES = 4096
_SCOPES = "pkg.torch.onnx.name_scopes"
AGAIN = "export the model again"
OLDEST, NEWEST = 9, 28
# The batch of inputs that leave it open; one frame alone does not show which calls touch it.
_BATCH = 7

# onnx.TensorProto.DataType: name, bits of an element, and the field of those not stored raw.
_KINDS = {
    1: ("float32", 32, "float_data"),
    2: ("uint8", 8, "int32_data"),
    3: ("int8", 8, "int32_data"),
    4: ("uint16", 16, "int32_data"),
    5: ("int16", 16, "int32_data"),
    6: ("int32", 32, "int32_data"),
    7: ("int64", 64, "int64_data"),
    9: ("bool", 8, "int32_data"),
    10: ("float16", 16, "int32_data"),
    11: ("float64", 64, "double_data"),
    12: ("uint32", 32, "uint64_data"),
    16: ("bfloat16", 16, "int32_data"),
    21: ("uint4", 4, "int32_data"),
    22: ("int4", 4, "int32_data"),
}
# Types that torch lacks, or computes little with, become wider ones.
_HELD = {"uint16": "int32", "uint32": "int64", "uint4": "uint8", "int4": "int8"}


@dataclass(frozen=True, slots=True)
class Stored:
    """A tensor of the file; ``kind`` is its element type there, such as ``int4``."""

    tensor: torch.Tensor
    kind: str


Attribute: TypeAlias = "int | float | str | tuple[int | float | str, ...] | Stored | None"


@dataclass(frozen=True, slots=True)
class OnnxNode:
    """A node; an absent input or output has the name ``""``, an odd attribute the value ``None``.

    ``path`` is the module it belongs to, ``label`` how messages call it.
    """

    op: str
    domain: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Attribute]
    path: str
    label: str


@dataclass(frozen=True, slots=True)
class OnnxModel:
    """What a file holds. ``inputs`` are shapes, beginning with the batch, and element types."""

    inputs: Mapping[str, tuple[tuple[int, ...], torch.dtype]]
    tensors: Mapping[str, Stored]
    nodes: tuple[OnnxNode, ...]
    outputs: tuple[str, ...]
    opsets: Mapping[str, int]


def dtype(number: int) -> torch.dtype | None:
    """Return the torch type for an ONNX element type; ``None`` where there is none."""
    name = kind(number)
    found = getattr(torch, _HELD.get(name, name), None) if name else None
    return found if isinstance(found, torch.dtype) else None


def kind(number: int) -> str:
    """Return the name of an ONNX element type, such as ``int4``; empty for those not supported."""
    return _KINDS[number][0] if number in _KINDS else ""


def read_file(path: Path) -> OnnxModel:
    """Read ``path``.

    Raises:
        FrontendError: it is missing, too large, damaged, or refers to other files.
    """
    try:
        package = importlib.import_module("onnx")
    except ImportError:
        raise FrontendError(f"{path}: needs the package onnx; pip install 'hwaccel[qat]'") from None
    data = _bytes(path)
    _count(path, data, package.ModelProto.DESCRIPTOR)
    try:
        return _Reader(path, package).model(package.ModelProto.FromString(data))
    except FrontendError:
        raise
    except Exception as error:  # the parser's own, and what names that are no text raise
        raise FrontendError(
            f"{path}: is damaged or no ONNX model ({reason(error)}); {AGAIN}"
        ) from None


def _bytes(path: Path) -> bytes:
    try:
        return read_bytes(path, MAX_MODEL_BYTES)
    except FileNotFoundError:
        raise FrontendError(f"{path}: no such file") from None
    except OSError as error:
        raise FrontendError(f"{path}: cannot be read ({error.strerror or error})") from None
    except Damaged as error:
        raise FrontendError(f"{path}: {error}; give a model of a network") from None


def _count(path: Path, data: bytes, root: Any) -> None:
    """Refuse a file of too many fields; what is damaged is left to the parser to say."""
    inside: dict[str, dict[int, Any]] = {}
    fields, stack = 0, [(root, 0, len(data))]
    while stack:
        message, at, end = stack.pop()
        below = inside.get(message.full_name)
        if below is None:
            below = {f.number: f.message_type for f in message.fields if f.message_type}
            inside[message.full_name] = below
        while at < end:
            fields += 1
            if fields > _MAX_FIELDS:
                raise FrontendError(
                    f"{path}: has more than {_MAX_FIELDS} fields, expected a network; {AGAIN}"
                )
            key, at = _varint(data, at, end)
            wire = key & 7
            if wire == 2:
                size, at = _varint(data, at, end)
                if size and at + size <= end and key >> 3 in below:
                    stack.append((below[key >> 3], at, at + size))
                at += size
            elif wire == 0:
                _, at = _varint(data, at, end)
            else:
                # Fixed sizes; what is neither is damaged, and the parser stops there as well.
                at += {1: 8, 5: 4}.get(wire, end)


def _varint(data: bytes, at: int, end: int) -> tuple[int, int]:
    """Return a number and where it ends; ``end`` where it is damaged."""
    value = data[at] if at < end else 128
    if value < 128:
        return value, at + 1
    value = 0
    for place, byte in enumerate(data[at : min(end, at + 10)]):
        value |= (byte & 127) << 7 * place
        if byte < 128:
            return value, at + place + 1
    return 0, end


def _text(name: str | bytes) -> str:
    """Return a name; protobuf gives bytes where they are no text."""
    if not isinstance(name, str):
        raise ValueError("a name is no text")
    return name


def _domain(name: str | bytes) -> str:
    return "" if _text(name) == "ai.onnx" else _text(name)


class _Reader:
    def __init__(self, path: Path, package: Any) -> None:
        self._path = path
        self._onnx = package
        self._numbers = 0

    def fail(self, text: str) -> FrontendError:
        return FrontendError(f"{self._path}: {text}")

    def model(self, proto: Any) -> OnnxModel:
        graph = proto.graph
        if not proto.HasField("graph") or not graph.node:
            raise self.fail(f"holds no graph, so it is no ONNX model; {AGAIN}")
        if graph.sparse_initializer:
            raise self.fail("holds sparse tensors; store plain dense ones")
        opsets = self._opsets(proto.opset_import)
        tensors: dict[str, Stored] = {}
        for tensor in graph.initializer:
            name = _text(tensor.name)
            if name in tensors or not name:
                raise self.fail(f"names two tensors {shown(name)!r}; {AGAIN}")
            tensors[name] = self._tensor(tensor, f"tensor {shown(name)}")
        inputs = self._inputs([v for v in graph.input if v.name not in tensors])
        nodes = tuple(self._node(place, node) for place, node in enumerate(graph.node))
        return OnnxModel(inputs, tensors, nodes, tuple(_text(v.name) for v in graph.output), opsets)

    def _opsets(self, imports: Sequence[Any]) -> dict[str, int]:
        opsets = {_domain(i.domain): int(i.version) for i in imports}
        version = opsets.get("", OLDEST)
        if not OLDEST <= version <= NEWEST:
            raise self.fail(
                f"has opset {version}, expected {OLDEST} to {NEWEST}; "
                "use onnx.version_converter.convert_version"
            )
        return opsets

    # --- inputs -----------------------------------------------------------------------------

    def _inputs(self, values: Sequence[Any]) -> dict[str, tuple[tuple[int, ...], torch.dtype]]:
        shapes = [self._shape(value) for value in values]
        # What leaves its batch open takes that of the others.
        batch = next((s[0] for s in shapes if s[0]), _BATCH)
        found: dict[str, tuple[tuple[int, ...], torch.dtype]] = {}
        for value, shape in zip(values, shapes, strict=True):
            if value.name in found or not value.name:
                raise self.fail(f"names two inputs {shown(value.name)!r}; {AGAIN}")
            number = value.type.tensor_type.elem_type
            held = dtype(number)
            if held is None:
                raise self.fail(
                    f"input {shown(value.name)} has element type {number}, which is not "
                    "supported; use float"
                )
            found[value.name] = ((shape[0] or batch, *shape[1:]), held)
        return found

    def _shape(self, value: Any) -> tuple[int, ...]:
        """Return the shape of an input; an open batch is 0."""
        name, type = shown(_text(value.name)), value.type.tensor_type
        if value.type.WhichOneof("value") != "tensor_type" or not type.HasField("shape"):
            raise self.fail(
                f"input {name} has no shape, or is no tensor; export it with fixed shapes"
            )
        sizes: list[int] = []
        for axis, dim in enumerate(type.shape.dim):
            size = dim.dim_value if dim.WhichOneof("value") == "dim_value" else 0
            if size <= 0 and axis:
                open_axis = f" ({shown(_text(dim.dim_param))})" if dim.dim_param else ""
                raise self.fail(
                    f"input {name}: axis {axis} has no fixed length{open_axis}; only the batch, "
                    "axis 0, may be left open"
                )
            sizes.append(max(0, int(size)))
        if not 1 <= len(sizes) <= _MAX_RANK:
            raise self.fail(
                f"input {name} has {len(sizes)} axes, expected the batch and 1 to 3 more; {AGAIN}"
            )
        if math.prod(sizes[1:]) > _MAX_FRAME or sizes[0] > _MAX_BATCH:
            raise self.fail(
                f"input {name} has the shape {tuple(sizes)}, expected at most {_MAX_BATCH} frames "
                f"of {_MAX_FRAME} elements; make it smaller"
            )
        return tuple(sizes)

    # --- nodes ------------------------------------------------------------------------------

    def _node(self, place: int, node: Any) -> OnnxNode:
        op = _text(node.op_type)
        name = _text(node.name) or f"{op}_{place}"
        label = f"{shown(name)} ({shown(op)})"
        attributes: dict[str, Attribute] = {}
        for attribute in node.attribute:
            key = _text(attribute.name)
            if key in attributes:
                raise FrontendError(f"{label}: has {shown(key)} twice; {AGAIN}")
            attributes[key] = self._attribute(attribute, f"{label}: {shown(key)}")
        scopes = next((p.value for p in node.metadata_props if p.key == _SCOPES), "")
        path = module_path(name, op, _text(scopes))
        inputs, outputs = tuple(map(_text, node.input)), tuple(map(_text, node.output))
        return OnnxNode(op, _domain(node.domain), inputs, outputs, attributes, path, label)

    def _attribute(self, a: Any, label: str) -> Attribute:
        kinds = self._onnx.AttributeProto
        if a.type == kinds.INT:
            return int(a.i)
        if a.type == kinds.FLOAT:
            return float(a.f)
        if a.type == kinds.STRING:
            return str(a.s.decode("utf-8", "replace"))
        if a.type == kinds.TENSOR:
            return self._tensor(a.t, label)
        if a.type == kinds.INTS:
            return tuple(a.ints)
        if a.type == kinds.FLOATS:
            return tuple(a.floats)
        if a.type == kinds.STRINGS:
            return tuple(s.decode("utf-8", "replace") for s in a.strings)
        return None

    # --- tensors ----------------------------------------------------------------------------

    def _tensor(self, proto: Any, name: str) -> Stored:
        """Return a tensor of the file after a look at its sizes."""
        if proto.data_location == proto.EXTERNAL or proto.external_data:
            raise self.fail(
                f"{name} is stored in another file, which is not read; save the model with "
                "save_as_external_data=False"
            )
        if proto.data_type not in _KINDS or proto.HasField("segment"):
            raise self.fail(
                f"{name} has element type {proto.data_type}, which is not supported; use float"
            )
        kind, bits, field = _KINDS[proto.data_type]
        sizes = list(proto.dims)
        if len(sizes) > _MAX_RANK or any(size < 0 for size in sizes):
            raise self.fail(f"{name} has the shape {shown(str(sizes))}; {AGAIN}")
        count = math.prod(sizes)
        if proto.HasField("raw_data"):
            stored, needed = len(proto.raw_data), -(-count * bits // 8)
        else:
            per_entry = 2 if bits == 4 else 1
            stored, needed = len(getattr(proto, field)), -(-count // per_entry)
        if stored != needed:
            raise self.fail(
                f"{name} has the shape {tuple(sizes)}, but {stored} entries or bytes, expected "
                f"{needed}; {AGAIN}"
            )
        self._numbers += count
        if self._numbers > MAX_WEIGHTS:
            raise self.fail(f"holds more than {MAX_WEIGHTS} numbers; give a model of a network")
        array = np.asarray(self._onnx.numpy_helper.to_array(proto))
        if kind == "bfloat16":
            return Stored(torch.from_numpy(array.astype(np.float32)).to(torch.bfloat16), kind)
        # A copy: what is stored is read-only, and torch may write to it.
        return Stored(torch.from_numpy(array.astype(_HELD.get(kind, kind))), kind)


def module_path(name: str, op: str, scopes: str = "") -> str:
    """Return the module that a node belongs to.

    PyTorch states it, as text of a list that ends with the module and the call in it. Its older
    exporter names nodes ``/module/submodule/Op_1``, where children of a sequence repeat its name:
    ``/layer1/layer1.0/conv/Conv``. Any other name stands for a module of its own.
    """
    stated = re.findall(r"'([^']*)'", scopes[:_MAX_SCOPES])
    if len(stated) > 1:
        return str(stated[-2])
    parts = [part for part in name.split("/") if part]
    if name.startswith("/") and parts and parts[-1].split("_")[0] == op:
        parts = parts[:-1]
    kept: list[str] = []
    for part in parts:
        if kept and part.startswith(f"{kept[-1]}."):
            kept.pop()
        kept.append(part)
    return ".".join(kept)
