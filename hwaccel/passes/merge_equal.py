"""Compute equal things once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hwaccel.ir import Graph, Op
from hwaccel.passes.base import Pass
from hwaccel.passes.edit import Edit


@dataclass(frozen=True, slots=True)
class MergeEqual(Pass):
    """Merge nodes of equal op and equal operands; the first one stays.

    Exact: an op has no state. The operands of a commutative op may stand in any order. Two graph
    outputs stay two nodes, so that each keeps its name.

    ``%a = relu(%x); %b = relu(%x); %s = add(%a, %b)`` becomes
    ``%a = relu(%x); %s = add(%a, %a)``.
    """

    name: ClassVar[str] = "merge_equal"

    def run(self, graph: Graph) -> Graph:
        """Merge one pair after the other: merged operands make their readers equal too."""
        edit = Edit(graph)
        while _merge_one(edit):
            pass
        return edit.graph()


def _merge_one(edit: Edit) -> bool:
    seen: dict[tuple[Op, tuple[str, ...]], str] = {}
    for node in edit.nodes:
        first = seen.setdefault(node.op.canonical(node.inputs), node.name)
        if first != node.name and edit.merge(first, node.name):
            return True
    return False
