"""From cuts to graphs: what each device computes, and which links join them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hwaccel.devices.cut import Carried
from hwaccel.devices.pieces import Piece
from hwaccel.emit.names import identifier
from hwaccel.ir import Graph, Value, verify
from hwaccel.schedule.plan import Plan, Stream

# Names of parts have numbers behind them, and may be cut off elsewhere.
_NAME_LENGTH = 40


@dataclass(frozen=True, slots=True)
class Join:
    """A link: output ``output`` of device ``source`` is input ``input`` of device ``target``."""

    value: str
    source: int
    output: int
    target: int
    input: int


@dataclass(frozen=True, slots=True)
class Parts:
    """The graphs of all devices, and the links between them.

    ``inputs`` and ``outputs`` say at which device and port each one of the network is.
    """

    graphs: tuple[Graph, ...]
    joins: tuple[Join, ...]
    inputs: tuple[tuple[int, int], ...]
    outputs: tuple[tuple[int, int], ...]


def base_name(graph: Graph) -> str:
    """Return the name of the network as those of its parts begin with."""
    return identifier(graph.name, "design")[:_NAME_LENGTH].rstrip("_")


def parts_of(graph: Graph, pieces: Sequence[Piece], cuts: Sequence[int]) -> Parts:
    """Return the parts of ``graph`` that end before the pieces ``cuts``."""
    device: dict[str, int] = {}
    start = 0
    for number, stop in enumerate(cuts):
        device.update((name, number) for piece in pieces[start:stop] for name in piece.nodes)
        start = stop
    return _Splitter(graph, device, len(cuts)).parts()


class _Splitter:
    """Collects what crosses, then makes the graphs."""

    def __init__(self, graph: Graph, device: dict[str, int], count: int) -> None:
        self._graph, self._count = graph, count
        self._types = graph.types()
        self._at = dict(device)
        readers = {v.name: [device[n.name] for n in graph.consumers(v.name)] for v in graph.inputs}
        # An input goes to the first device that reads it; the others get it from there.
        self._at.update({name: min(found) for name, found in readers.items() if found})
        self._device = device

    def parts(self) -> Parts:
        """Return the graphs and what joins them."""
        graph = self._graph
        ins: list[list[str]] = [[] for _ in range(self._count)]
        outs: list[list[str]] = [[] for _ in range(self._count)]
        inputs, outputs, joins = [], [], []
        for value in graph.inputs:
            at = self._at[value.name]
            inputs.append((at, len(ins[at])))
            ins[at].append(value.name)
        for name in graph.outputs:
            at = self._at[name]
            outputs.append((at, len(outs[at])))
            outs[at].append(name)
        for name, target in self._crossings():
            source = self._at[name]
            joins.append(Join(name, source, len(outs[source]), target, len(ins[target])))
            outs[source].append(name)
            ins[target].append(name)
        graphs = tuple(self._part(i, ins[i], outs[i]) for i in range(self._count))
        return Parts(graphs, tuple(joins), tuple(inputs), tuple(outputs))

    def _crossings(self) -> list[tuple[str, int]]:
        """Return every value that a device needs from another one, in the order they are made."""
        found = []
        for name in self._types:
            readers = {self._device[node.name] for node in self._graph.consumers(name)}
            found += [(name, target) for target in sorted(readers - {self._at.get(name)})]
        return found

    def _part(self, number: int, ins: Sequence[str], outs: Sequence[str]) -> Graph:
        nodes = tuple(n for n in self._graph.nodes if self._device[n.name] == number)
        values = tuple(Value(name, self._types[name]) for name in ins)
        graph = Graph(f"{base_name(self._graph)}_d{number}", values, nodes, tuple(outs))
        verify(graph)
        return graph


def carried(plan: Plan) -> dict[str, Carried]:
    """Return how every value leaves what makes it; wires leave as what they carry does."""
    types = plan.graph.types()
    found: dict[str, Carried] = {}
    first: dict[str, Stream] = {}
    for stream in plan.streams.values():
        if stream.width == types[stream.value].fixed.width:
            first.setdefault(stream.value, stream)
    for name, type in types.items():
        node = plan.graph.node(name)
        lanes = first[name].lanes if name in first else 1
        if name not in first and node is not None:
            lanes = found[node.inputs[0]].lanes
        found[name] = Carried(type.size // lanes, lanes, type.fixed.width)
    return found
