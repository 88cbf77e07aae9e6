"""What the elements of a value can be: narrower inputs for the circuits that read it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from hwaccel.ir import Graph, Node
from hwaccel.ir.op import Interval, Ints, uniform


@dataclass
class Ranges:
    """Smallest and largest integer of every element; never wider than the type.

    A type is one interval for a whole tensor. Channel by channel, ``Op.intervals`` shows more, and
    the circuit that makes a value knows each of its elements: ``learn`` takes in what it found,
    and everything asked for afterwards follows from it. So ask about a value only when the
    circuits in front of it have been made.
    """

    graph: Graph
    _elements: dict[str, Interval] = field(default_factory=dict)
    _channels: dict[str, Interval] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._types = self.graph.types()
        self._nodes = {node.name: node for node in self.graph.nodes}

    def learn(self, name: str, lo: Ints, hi: Ints) -> None:
        """Take in the ends of every element, shape ``(C, ...)``, or of every channel, ``(C,)``."""
        shape = self._types[name].shape
        self._elements[name] = (_spread(lo, shape), _spread(hi, shape))

    def elements(self, name: str) -> Interval:
        """Return the ends of every element, in the shape of the tensor."""
        shape = self._types[name].shape
        lo, hi = (_spread(end, shape) for end in self.channels(name))
        if name in self._elements:
            known = self._elements[name]
            lo, hi = np.maximum(lo, known[0]), np.minimum(hi, known[1])
        return lo, hi

    def channels(self, name: str) -> Interval:
        """Return the ends of every channel, ``(C,)``."""
        found = self._channels.get(name)
        if found is None:
            found = self._channels[name] = self._found(name)
        return found

    def _found(self, name: str) -> Interval:
        type = self._types[name]
        lo, hi = uniform(type)
        node = self._nodes.get(name)
        if node is not None:
            lo, hi = _within((lo, hi), self._made(node))
        if name in self._elements:
            below, above = (end.reshape(type.channels, -1) for end in self._elements[name])
            lo, hi = _within((lo, hi), (below.min(axis=1), above.max(axis=1)))
        return lo, hi

    def _made(self, node: Node) -> Interval:
        ins = tuple(self._types[name] for name in node.inputs)
        return node.op.intervals(ins, *(self.channels(name) for name in node.inputs))


def _within(a: Interval, b: Interval) -> Interval:
    return np.maximum(a[0], b[0]), np.minimum(a[1], b[1])


def _spread(ends: Ints, shape: tuple[int, ...]) -> Ints:
    """Return the ends of channels or elements as those of elements."""
    return np.broadcast_to(ends.reshape(ends.shape + (1,) * (len(shape) - ends.ndim)), shape)
