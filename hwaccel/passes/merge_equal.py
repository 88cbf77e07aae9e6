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
        """Walk forward, so that merged operands make their readers equal too."""
        edit = Edit(graph)
        seen: dict[tuple[Op, tuple[str, ...]], str] = {}
        for name in [node.name for node in graph.nodes]:
            node = edit.node(name)
            if node is None:
                continue
            key = node.op.canonical(node.inputs)
            first = seen.setdefault(key, name)
            if first != name and edit.merge(first, name):
                kept = name if edit.is_output(name) else first
                seen = {k: kept if v == first else v for k, v in seen.items()}
        return edit.graph()
