"""Give back the bits that the channels' own intervals show to be unused."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from hwaccel.fxp import Overflow, Rounding
from hwaccel.ir import Graph, Node, Op
from hwaccel.ir.op import Interval
from hwaccel.ops import Add, Conv2d, Dense, Requant, Scale
from hwaccel.passes.base import Pass
from hwaccel.passes.edit import Edit
from hwaccel.passes.intervals import channel_intervals

# The largest shift a requant may have.
MAX_SHIFT = 62


@dataclass(frozen=True, slots=True)
class NarrowTypes(Pass):
    """Tighten clips, drop trailing zeros, round down where rounding never matters.

    - A type is one interval for all channels; following each channel by itself shows more. The
      clip of a ``requant`` shrinks to what its channels reach, which makes its wire narrower.
      Exact: the clip only loses what never comes.
    - Where every result of ``dense``, ``conv2d`` or ``scale`` is a multiple of ``2^k``, the
      factor goes, and every reader behind makes up for it: a ``requant`` by its shift, an
      ``add`` by its alignment. Exact: ``round(2^k x * 2^-s) = round(x * 2^-(s-k))``. Not done
      where such a value is a graph output or reaches another op.
    - A ``requant`` that does not shift right rounds nothing: ``floor`` is the cheapest mode.

    ``%d = dense(%x) {weight=[[4, 8]], bias=[12]}; %q = requant(%d) {shift=3}`` becomes
    ``%d = dense(%x) {weight=[[1, 2]], bias=[3]}; %q = requant(%d) {shift=1}``.
    """

    name: ClassVar[str] = "narrow_types"

    def run(self, graph: Graph) -> Graph:
        """Visit every node once; intervals are those of the graph as given."""
        edit = Edit(graph)
        intervals = channel_intervals(graph)
        for node in graph.nodes:
            match node.op:
                case Requant():
                    _tighten(edit, node, intervals)
                case Dense() | Conv2d() | Scale():
                    _drop_factor(edit, node)
        return edit.graph()


def _tighten(edit: Edit, node: Node, intervals: dict[str, Interval]) -> None:
    current = edit.node(node.name)
    if current is None or not isinstance(current.op, Requant):
        return
    op, reached = current.op, intervals[node.name]
    lo, hi = int(reached[0].min()), int(reached[1].max())
    stated = edit.type(node.name)
    if lo > stated.lo or hi < stated.hi:
        # Had any channel wrapped, it would reach the whole range, and so the type would not shrink.
        op = replace(op, lo=lo, hi=hi, overflow=Overflow.SATURATE)
    if op.shift <= 0:
        op = replace(op, rounding=Rounding.FLOOR)
    if op != current.op:
        edit.set(node.name, op)


def _drop_factor(edit: Edit, node: Node) -> None:
    current = edit.node(node.name)
    if current is None or not isinstance(current.op, Dense | Conv2d | Scale):
        return
    k = current.op.factor()
    absorbed: dict[str, Op] = {}
    if k == 0 or not _absorb(edit, node.name, k, absorbed):
        return
    edit.set(node.name, current.op.divided(k))
    for name, op in absorbed.items():
        edit.set(name, op)


def _absorb(edit: Edit, name: str, k: int, absorbed: dict[str, Op]) -> bool:
    """Collect the ops that give the same results when ``name`` is ``2^k`` times smaller."""
    if edit.is_output(name):
        return False
    for reader in edit.readers(name):
        op = absorbed.get(reader.name, reader.op)
        match op:
            case Requant() if op.shift - k >= -MAX_SHIFT:
                absorbed[reader.name] = replace(op, shift=op.shift - k)
            case Add():
                a, b = (k if operand == name else 0 for operand in reader.inputs)
                absorbed[reader.name] = Add(op.a_shift + a, op.b_shift + b)
            case _ if op.homogeneous and _absorb(edit, reader.name, k, absorbed):
                pass
            case _:
                return False
    return True
