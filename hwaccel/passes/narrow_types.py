"""Give back the bits that the channels' own intervals show to be unused."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from hwaccel.fxp import Overflow, Rounding
from hwaccel.ir import Graph, Op
from hwaccel.ir.op import Interval
from hwaccel.ops import Add, Concat, MinMax, Multiply, Requant
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
    - Where every result of ``dense``, ``conv2d``, ``scale``, ``add``, ``minmax`` or ``concat`` is a
      multiple of ``2^k``, the factor goes, and every reader behind makes up for it: a ``requant``
      by its shift, the last three by their alignment. Exact: ``round(2^k x * 2^-s) = round(x *
      2^-(s-k))``. Not done where such a value is a graph output or reaches another op.
    - A ``requant`` that does not shift right rounds nothing: ``floor`` is the cheapest mode.

    ``%d = dense(%x) {weight=[[4, 8]], bias=[12]}; %q = requant(%d) {shift=3}`` becomes
    ``%d = dense(%x) {weight=[[1, 2]], bias=[3]}; %q = requant(%d) {shift=1}``.
    """

    name: ClassVar[str] = "narrow_types"

    def run(self, graph: Graph) -> Graph:
        """Visit every node once; intervals are those of the graph as given."""
        edit = Edit(graph)
        intervals = channel_intervals(graph)
        for node in edit.nodes:
            _drop_factor(edit, node.name)
            _tighten(edit, node.name, intervals)
        return edit.graph()


def _tighten(edit: Edit, name: str, intervals: dict[str, Interval]) -> None:
    op = edit[name].op
    if not isinstance(op, Requant):
        return
    lo, hi = int(intervals[name][0].min()), int(intervals[name][1].max())
    stated = edit.type(name)
    if lo > stated.lo or hi < stated.hi:
        # Had any channel wrapped, it would reach the whole range, and so the type would not shrink.
        op = replace(op, lo=lo, hi=hi, overflow=Overflow.SATURATE)
    if op.shift <= 0:
        op = replace(op, rounding=Rounding.FLOOR)
    if op != edit[name].op:
        edit.set(name, op)


def _drop_factor(edit: Edit, name: str) -> None:
    k = edit[name].op.factor()
    absorbed: dict[str, Op] = {}
    if k == 0 or not _absorb(edit, name, k, absorbed):
        return
    edit.set(name, edit[name].op.divided(k))
    for reader, op in absorbed.items():
        edit.set(reader, op)


def _absorb(edit: Edit, name: str, k: int, absorbed: dict[str, Op]) -> bool:
    """Collect the ops that give the same results when ``name`` is ``2^k`` times smaller."""
    if edit.is_output(name):
        return False
    for reader in edit.readers(name):
        op = absorbed.get(reader.name, reader.op)
        match op:
            case Requant() if op.shift - k >= -MAX_SHIFT:
                absorbed[reader.name] = replace(op, shift=op.shift - k)
            case Add() | Concat() | MinMax():
                a, b = (k if operand == name else 0 for operand in reader.inputs)
                absorbed[reader.name] = replace(op, a_shift=op.a_shift + a, b_shift=op.b_shift + b)
            case Multiply() if _absorb(edit, reader.name, k * reader.inputs.count(name), absorbed):
                pass
            case _ if op.homogeneous and _absorb(edit, reader.name, k, absorbed):
                pass
            case _:
                return False
    return True
