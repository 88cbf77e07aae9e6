"""What every form of a circuit shares: names of nodes, their order on the page, their formulas."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from hwaccel.circuit.node import (
    Choose,
    Clip,
    Constant,
    Even,
    Input,
    Max,
    Node,
    Shift,
    Sum,
    Sum3,
    Table,
    Times,
    Wrap,
)
from hwaccel.circuit.unit import Unit
from hwaccel.emit.literals import comment
from hwaccel.emit.names import Namer, identifier

# Of the name of an origin that goes into the names of its nodes.
_STEM = 20


@dataclass(frozen=True, slots=True)
class Part:
    """The nodes of one origin, in order, under a heading."""

    title: str
    nodes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Named:
    """A unit whose nodes have names: ``x3`` an input, ``fc_y3`` an element, ``fc_t7`` the rest."""

    unit: Unit
    names: tuple[str, ...]
    parts: tuple[Part, ...]

    @classmethod
    def of(cls, unit: Unit, namer: Namer) -> Named:
        """Name the nodes of ``unit`` with ``namer``."""
        return cls(unit, tuple(_names(unit, namer)), tuple(_parts(unit)))

    def formula(self, number: int) -> str:
        """Return what node ``number`` computes, short enough for a comment."""
        nodes = self.unit.piped.circuit.nodes
        node = nodes[number]
        return _formula(node, [self.operand(i) for i in node.operands])

    def operand(self, number: int) -> str:
        """Return the name of a node, or the value of a constant."""
        node = self.unit.piped.circuit.nodes[number]
        return str(node.lo) if isinstance(node, Constant) else self.names[number]


def _names(unit: Unit, namer: Namer) -> Iterable[str]:
    circuit = unit.piped.circuit
    shapes = dict(unit.shapes)
    ins = [_element(lanes.name, i) for lanes in unit.ins for i in range(lanes.count)]
    inner: dict[str, int] = defaultdict(int)
    stems: dict[str, str] = {}
    for node, origin, element in zip(circuit.nodes, circuit.origins, circuit.elements, strict=True):
        if isinstance(node, Constant):
            yield ""
            continue
        if isinstance(node, Input):
            yield namer.name(ins[node.index])
            continue
        if origin not in stems:
            stems[origin] = namer.name(identifier(origin)[:_STEM])
        if element >= 0:
            yield namer.name(f"{stems[origin]}_y{_place(element, shapes.get(origin, ()))}")
        else:
            yield namer.name(f"{stems[origin]}_t{inner[origin]}")
            inner[origin] += 1


def _element(name: str, index: int) -> str:
    return f"{name}_{index}" if name[-1:].isdigit() else f"{name}{index}"


def _place(element: int, shape: tuple[int, ...]) -> str:
    """Return the element's index, or its coordinates ``2_0_3`` in a tensor of more dimensions."""
    if len(shape) < 2 or element >= np.prod(shape):
        return str(element)
    return "_".join(str(i) for i in np.unravel_index(element, shape))


def _parts(unit: Unit) -> Iterable[Part]:
    """Group nodes by origin, in the order in which origins appear.

    A node that reads one of a later group moves there, so that no group reads a later one.
    """
    circuit = unit.piped.circuit
    place = {origin: i for i, origin in enumerate(dict.fromkeys(circuit.origins))}
    groups: list[list[int]] = [[] for _ in place]
    at: list[int] = []
    for number, (node, origin) in enumerate(zip(circuit.nodes, circuit.origins, strict=True)):
        at.append(max((place[origin], *(at[i] for i in node.operands))))
        if not isinstance(node, Input | Constant):
            groups[at[-1]].append(number)
    paths = dict(unit.paths)
    for origin, group in zip(place, groups, strict=True):
        if group:
            path = paths.get(origin, "")
            yield Part(comment(f"{origin}, from {path}" if path else origin, 92), tuple(group))


def _formula(node: Node, of: list[str]) -> str:
    if isinstance(node, Sum | Sum3):
        terms = [_times(name, up) for name, up in zip(of, node.ups, strict=True)]
        return terms[0] + "".join(map(_added, terms[1:], node.negative[1:]))
    if isinstance(node, Shift):
        up = node.amount >= 0
        return f"{1 << node.amount}*{of[0]}" if up else f"floor({of[0]} / {1 << -node.amount})"
    if isinstance(node, Even):
        return f"floor({of[0]} / {1 << node.shift}), even at a tie"
    if isinstance(node, Clip):
        return f"{of[0]} clipped to {node.floor}..{node.ceiling}"
    if isinstance(node, Wrap):
        return f"{of[0]} modulo {1 << node.bits}"
    if isinstance(node, Max):
        return f"max({of[0]}, {of[1]})"
    if isinstance(node, Times):
        return f"{of[0]} * {of[1]}"
    if isinstance(node, Choose):
        return f"{of[1]} where {of[0]} < 0, else {of[2]}"
    assert isinstance(node, Table)
    return f"table[{of[0]}]"


def _added(term: str, subtract: bool) -> str:
    if not subtract and term.startswith("-"):
        return f" - {term[1:]}"
    return f" {'-' if subtract else '+'} {term}"


def _times(name: str, shift: int) -> str:
    if shift <= 0:
        return name
    factor = 1 << shift
    return str(int(name) * factor) if name.lstrip("-").isdigit() else f"{factor}*{name}"
