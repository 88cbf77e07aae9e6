"""Ask hls4ml for its opinion of a graph: another process converts, compiles and traces it."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from hwaccel import tools
from hwaccel.arrays import read_stored
from hwaccel.emit.project import pretty_json
from hwaccel.errors import ConfigError, HwaccelError, ToolError
from hwaccel.ir import Graph, Interpreter
from hwaccel.opinions.differences import compared
from hwaccel.opinions.layers import Layer, Layers, Source, ap_type, layers_of
from hwaccel.opinions.record import NotConverted, Opinion
from hwaccel.untrusted import decode_json, read_file

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SCRIPT = Path(__file__).with_name("_hls4ml_run.py")
_MAX_ANSWER = 1 << 24
_TIME_S = 3600.0
Text = Annotated[str, msgspec.Meta(max_length=2000)]


class _Theirs(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What hls4ml made of a layer."""

    class_: Text = msgspec.field(name="class")
    types: dict[str, Text] = {}


class _Answer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the other process leaves behind."""

    version: Text = ""
    layers: dict[str, _Theirs] = {}
    error: Text = ""


@dataclass(frozen=True, slots=True)
class Settings:
    """How hls4ml is asked.

    ``python`` is an interpreter that has hls4ml and torch. With ``types``, every layer is given the
    types of the graph; without, hls4ml chooses its own.
    """

    python: Path = Path(sys.executable)
    types: bool = True
    backend: str = "Vitis"


@dataclass(frozen=True, slots=True)
class Asked:
    """An opinion, and the files it was formed on, by relative path."""

    opinion: Opinion
    files: Mapping[str, bytes]


def ask(
    graph: Graph,
    design: str,
    xs: Sequence[Ints],
    settings: Settings | None = None,
    *,
    progress: Callable[[str], None] | None = None,
) -> Asked:
    """Return what hls4ml says of ``graph`` on integer frames, compared with the golden model.

    ``design`` is the hash that the record has.

    Raises:
        ConfigError: hls4ml has no layer for anything in the graph.
        ToolError: g++, the interpreter or hls4ml is missing, or hls4ml fails.
    """
    settings, say = settings or Settings(), progress or (lambda _: None)
    tools.require("g++")
    layers = layers_of(graph)
    if not layers.layers:
        why = "; ".join(f"{r.node.where}: {r.why}" for r in layers.refused[:3]) or "it has no nodes"
        raise ConfigError(f"compare: hls4ml computes nothing of {graph.name} ({why})")
    golden = Interpreter(graph).trace(*xs)
    with tempfile.TemporaryDirectory(prefix="hwaccel-opinion-") as name:
        folder = Path(name)
        _write(folder, layers, golden, settings)
        say("hls4ml: converting and compiling")
        answer = _run(folder, settings)
        traces = _traces(folder, layers)
        say("comparing layer by layer")
        found = {name: theirs.types for name, theirs in answer.layers.items()}
        files = _files(folder)
    opinion = Opinion(
        design=design,
        tool="hls4ml",
        version=answer.version,
        frames=len(xs[0]),
        asked=settings.types,
        layers=compared(layers, golden, traces, found),
        not_converted=tuple(
            NotConverted(r.node.name, r.node.path, r.node.op.name, r.why) for r in layers.refused
        ),
        unseen=tuple(layer.path for layer in layers.layers if layer.name not in traces),
    )
    text = pretty_json(opinion).encode()
    return Asked(opinion, {**files, "comparison.json": text})


def _write(folder: Path, layers: Layers, golden: Mapping[str, Ints], settings: Settings) -> None:
    def source(one: Source) -> dict[str, Any]:
        return {"name": one.name, "shape": one.type.shape, "type": ap_type(one.type.fixed)}

    def layer(one: Layer) -> dict[str, Any]:
        made = {"name": one.name, "kind": one.kind, "inputs": one.inputs}
        types = one.types if settings.types else {}
        shapes = {name: array.shape for name, array in one.arrays.items()}
        return made | {"arguments": one.arguments, "arrays": shapes, "types": types}

    request = {
        "backend": settings.backend,
        "io_type": "io_parallel",
        "inputs": [source(one) for one in layers.sources],
        "layers": [layer(one) for one in layers.layers],
    }
    (folder / "request.json").write_bytes(msgspec.json.encode(request))
    arrays = {f"{o.name}.{what}": a for o in layers.layers for what, a in o.arrays.items()}
    for one in layers.sources:
        arrays[one.name] = np.ldexp(golden[one.value].astype(np.float64), -one.type.frac)
    for name, array in arrays.items():
        np.ascontiguousarray(array, np.float64).tofile(folder / f"{name}.bin")


def _run(folder: Path, settings: Settings) -> _Answer:
    """Run the other process; every failure is one line."""
    done = tools.run(
        [settings.python, "-I", SCRIPT, folder],
        cwd=folder,
        timeout_s=_TIME_S,
        env={"OMP_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"},
        check=False,
    )
    try:
        answer = decode_json(read_file(folder / "answer.json", _MAX_ANSWER), _Answer)
    except FileNotFoundError:
        raise ToolError(tools.failure("hls4ml", done)) from None
    except HwaccelError as error:
        raise ToolError(f"hls4ml: answers with something else ({error})") from None
    if not answer.error:
        return answer
    if "ModuleNotFoundError" in answer.error:
        raise ToolError(
            f"hls4ml: {answer.error} in {settings.python}; pip install 'hwaccel[hls,torch]' there, "
            "or name another Python with --python"
        )
    said = answer.error
    if "compil" in said.lower():
        said += f": {tools.meaningful_line(done.output)}"
    raise ToolError(f"hls4ml: {said}")


def _traces(folder: Path, layers: Layers) -> dict[str, Floats]:
    """Return what every layer gave, channels first, as the graph has it."""
    shapes = {layer.name: layer.nodes[-1].output.type.shape for layer in layers.layers}
    found = {}
    try:
        stored = read_stored(folder / "traces.npz")
    except HwaccelError as error:
        raise ToolError(f"hls4ml: {error}") from None
    for name, trace in stored:
        shape = shapes.get(name, ())
        if name not in shapes or trace.ndim == 0 or trace[:1].size != prod(shape):
            raise ToolError(
                f"hls4ml: {name}: traced values of shape {trace.shape}, expected {shape}"
            )
        values = np.asarray(trace, np.float64)
        if len(shape) == 3:
            channels, height, width = shape
            values = np.moveaxis(values.reshape(len(values), height, width, channels), -1, 1)
        found[name] = np.ascontiguousarray(values.reshape(len(values), *shape))
    return found


def _files(folder: Path) -> dict[str, bytes]:
    """Return the sources that hls4ml wrote."""
    kept = {".cpp", ".h", ".json", ".yml", ".tcl", ".txt", ".sh"}
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix in kept and "ap_types" not in path.parts
    }
