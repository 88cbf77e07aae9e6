"""Remove channels that say nothing, and channels that nobody hears."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from hwaccel.ir import Graph, Node, Value
from hwaccel.ir.op import Interval
from hwaccel.passes.base import Fact, Pass
from hwaccel.passes.drop_dead import NO_DEAD_NODES
from hwaccel.passes.intervals import channel_intervals

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class PruneChannels(Pass):
    """Remove channels from producer to consumer, through everything in between.

    A channel may go where every ``dense`` or ``conv2d`` at its end either has no weight on it,
    or finds a constant there that its bias can take up. Between producer and consumer stand ops
    that treat channel by channel, flattens, and sums; there a channel goes from all values or
    from none. Graph inputs, graph outputs and grouped convolutions keep theirs; depthwise
    convolutions let go.

    Exact: ``sum_c w_c x_c`` loses terms that are zero, or moves constant terms to the bias. A
    constant is what the interval of a channel says is one: no weights, or clipped for ever.

    Every value keeps at least one channel, and, where it can, a multiple of ``multiple``: a
    channel count with few divisors leaves the scheduler little choice.

    ``%d = dense(%x) {weight=[[1, 2], [0, 0]], bias=[0, 5]}; %y = dense(%d) {weight=[[3, 4]]}``
    becomes ``%d = dense(%x) {weight=[[1, 2]]}; %y = dense(%d) {weight=[[3]], bias=[20]}``.
    """

    name: ClassVar[str] = "prune_channels"
    # A reader that is dead would keep its channels alive.
    requires: ClassVar[tuple[Fact, ...]] = (NO_DEAD_NODES,)

    multiple: int = 1

    def run(self, graph: Graph) -> Graph:
        """Find the channels that may go, then rebuild every node without them."""
        intervals = channel_intervals(graph)
        kept = _Classes(graph, intervals).kept(self.multiple)
        if all(mask.all() for mask in kept.values()):
            return graph
        return _rebuild(graph, kept, intervals)


class _Classes:
    """All channels of all values, joined into classes that stay or go together."""

    def __init__(self, graph: Graph, intervals: dict[str, Interval]) -> None:
        self._first: dict[str, int] = {}
        self._types = graph.types()
        count = 0
        for name, type in self._types.items():
            self._first[name] = count
            count += type.channels
        self._parent = list(range(count))
        self._pinned: list[int] = []
        for value in graph.inputs:
            self._pin(value.name)
        for name in graph.outputs:
            self._pin(name)
        for node in graph.nodes:
            self._add(node, intervals)

    def kept(self, multiple: int) -> dict[str, Mask]:
        """Return for every value which channels stay."""
        classes = {
            name: np.array([self._root(first + c) for c in range(self._types[name].channels)])
            for name, first in self._first.items()
        }
        stay = {self._root(channel) for channel in self._pinned}
        short = True
        while short:
            short = False
            for roots in classes.values():
                number = sum(root in stay for root in roots)
                gone = [int(root) for root in roots if root not in stay]
                if gone and (number == 0 or number % multiple):
                    stay.add(gone[0])
                    short = True
        return {name: np.isin(roots, list(stay)) for name, roots in classes.items()}

    def _add(self, node: Node, intervals: dict[str, Interval]) -> None:
        ties = node.op.ties(*(self._types[name] for name in node.inputs))
        if ties is None:
            self._pin(node.name)
        for name in node.inputs:
            if ties is None:
                self._pin(name)
                continue
            for operand, result in ties:
                self._join(self._first[name] + int(operand), self._first[node.name] + int(result))
            needs = node.op.needs(self._types[name], *_constants(intervals[name]))
            self._pinned += [self._first[name] + int(c) for c in np.flatnonzero(needs)]

    def _pin(self, name: str) -> None:
        self._pinned += range(self._first[name], self._first[name] + self._types[name].channels)

    def _join(self, a: int, b: int) -> None:
        self._parent[self._root(a)] = self._root(b)

    def _root(self, channel: int) -> int:
        while self._parent[channel] != channel:
            self._parent[channel] = self._parent[self._parent[channel]]
            channel = self._parent[channel]
        return channel


def _constants(interval: Interval) -> tuple[Ints, Mask]:
    lo, hi = interval
    return lo, lo == hi


def _rebuild(graph: Graph, kept: dict[str, Mask], intervals: dict[str, Interval]) -> Graph:
    types = {value.name: value.type for value in graph.inputs}
    nodes: list[Node] = []
    for node in graph.nodes:
        op = node.op
        for name in node.inputs:
            constant, known = _constants(intervals[name])
            op = op.absorb(np.where(known & ~kept[name], constant, 0))
        if not all(kept[name].all() for name in (*node.inputs, node.name)):
            operand = np.flatnonzero(kept[node.inputs[0]])
            shorter = op.keep(operand, np.flatnonzero(kept[node.name]))
            op = op if shorter is None else shorter
        types[node.name] = op.infer(*(types[name] for name in node.inputs))
        nodes.append(replace(node, op=op, output=Value(node.name, types[node.name])))
    return replace(graph, nodes=tuple(nodes))
