"""Read the folder of a system back; nothing in it is trusted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hwaccel.api import Design, load
from hwaccel.config import Config
from hwaccel.devices.document import Document, FarmDocument, SplitDocument
from hwaccel.devices.farm import Farm
from hwaccel.devices.parts import Join, Parts
from hwaccel.devices.split import Split
from hwaccel.devices.system import System
from hwaccel.emit.project import SYSTEM, is_kind, read_project
from hwaccel.errors import EmitError, HwaccelError
from hwaccel.ir import Graph, TensorType
from hwaccel.ir.file import load_graph
from hwaccel.ops import OP_BY_NAME
from hwaccel.untrusted import decode_json

_AGAIN = "write the system again"


def is_system(folder: Path) -> bool:
    """Tell whether a folder says that it holds a system."""
    return is_kind(folder, SYSTEM)


def load_system(folder: Path) -> System:
    """Read a system back; torch is not needed.

    Raises:
        EmitError: it is not the folder of a system, a file in it was changed, or what it says
            does not fit together.
    """
    _, files = read_project(folder, SYSTEM)
    for needed in ("system.json", "graph.json", "config.json"):
        if needed not in files:
            raise EmitError(f"{folder / needed}: is missing; {_AGAIN}")
    graph = load_graph(files["graph.json"], OP_BY_NAME, str(folder / "graph.json"))
    document: Document = _read(folder, files, "system.json", Document)
    config: Config = _read(folder, files, "config.json", Config)
    try:
        if isinstance(document, FarmDocument):
            return _farm(folder, files, graph, config, document)
        return _split(folder, files, graph, config, document)
    except _Wrong as error:
        raise EmitError(f"{folder / 'system.json'}: {error}; {_AGAIN}") from None


class _Wrong(HwaccelError):
    """What a document says does not fit; the message lacks the name of the file."""


def _read(folder: Path, files: dict[str, bytes], name: str, type: Any) -> Any:
    try:
        return decode_json(files[name], type)
    except HwaccelError as error:
        raise EmitError(f"{folder / name}: {error}; {_AGAIN}") from None


def _design(folder: Path, files: dict[str, bytes], name: str) -> Design:
    if f"{name}/manifest.json" not in files:
        raise _Wrong(f"{name!r} is not a design of this folder")
    return load(folder / name)


def _farm(
    folder: Path, files: dict[str, bytes], graph: Graph, config: Config, document: FarmDocument
) -> Farm:
    engine = _design(folder, files, document.engine)
    for role, depths, names in (
        ("inputs", document.inputs, engine.plan.inputs),
        ("outputs", document.outputs, engine.plan.outputs),
    ):
        if len(depths) != len(names):
            raise _Wrong(f"has {len(depths)} depths of {role}, expected {len(names)}")
    if engine.graph != graph:
        raise _Wrong("the engine computes another graph than the system")
    return Farm(
        graph,
        config,
        (engine,),
        document.count,
        tuple(document.inputs),
        tuple(document.outputs),
    )


def _split(
    folder: Path, files: dict[str, bytes], graph: Graph, config: Config, document: SplitDocument
) -> Split:
    if len(set(document.devices)) != len(document.devices):
        raise _Wrong("names a device twice")
    designs = tuple(_design(folder, files, name) for name in document.devices)
    graphs = tuple(design.graph for design in designs)
    joins = tuple(Join(j.value, j.source, j.output, j.target, j.input) for j in document.joins)
    parts = Parts(graphs, joins, tuple(document.inputs), tuple(document.outputs))
    _check_ports(graph, parts)
    return Split(graph, config, designs, parts, document.link)


def _check_ports(graph: Graph, parts: Parts) -> None:
    """Every port of every device is used once, and carries what its other side does."""
    ins = [[(v.name, v.type) for v in part.inputs] for part in parts.graphs]
    outs = [[(name, part.types()[name]) for name in part.outputs] for part in parts.graphs]
    types = graph.types()
    taken = [(j.target, j.input) for j in parts.joins] + list(parts.inputs)
    given = [(j.source, j.output) for j in parts.joins] + list(parts.outputs)
    _check_once("input", taken, ins)
    _check_once("output", given, outs)
    for j in parts.joins:
        ends = {outs[j.source][j.output], ins[j.target][j.input]}
        if len(ends) != 1 or next(iter(ends))[0] != j.value or j.source >= j.target:
            raise _Wrong(f"the link of {j.value} from {j.source} to {j.target} does not fit them")
    edges = [
        *zip([v.name for v in graph.inputs], parts.inputs, [ins] * len(parts.inputs), strict=False),
        *zip(graph.outputs, parts.outputs, [outs] * len(parts.outputs), strict=False),
    ]
    if len(edges) != len(graph.inputs) + len(graph.outputs):
        raise _Wrong("has other inputs or outputs than the network")
    for name, (device, port), side in edges:
        if side[device][port] != (name, types[name]):
            raise _Wrong(f"{name} is not at port {port} of device {device}")


def _check_once(
    what: str, used: Sequence[tuple[int, int]], ports: Sequence[Sequence[tuple[str, TensorType]]]
) -> None:
    every = {(device, port) for device, names in enumerate(ports) for port in range(len(names))}
    for place in used:
        if place not in every:
            raise _Wrong(f"device {place[0]} has no {what} {place[1]}")
    if len(set(used)) != len(used) or set(used) != every:
        raise _Wrong(f"an {what} of a device is used twice, or not at all")
