"""Functions of a wide number with a wide dynamic range, such as the root of a variance, by tables.

A table of ``2^16`` entries cannot hold a function of 30 bits. But a smooth power needs its operand
only to a relative precision, as floating point has it. So the range is cut into segments, each
with a step of its own and a table of at most some thousand entries. The operand, clipped to a
segment, looks up by how much the function changes from the segment's first point; the sum of all
tables is the function, for a segment that lies above the operand adds nothing, and one below adds
all of its change, exactly.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hwaccel import ops
from hwaccel.frontend.floatgraph import FloatNode, Floats
from hwaccel.frontend.lower import Lowering
from hwaccel.fxp import IntArray, Rounding


@dataclass(frozen=True, slots=True)
class Segment:
    """Operands from ``first`` to ``last``, both multiples of ``2^shift``, in steps of that."""

    first: int
    last: int
    shift: int

    @property
    def ends(self) -> tuple[int, int]:
        """Index of the first and of the last entry."""
        return self.first >> self.shift, self.last >> self.shift


def segments(bottom: int, top: int, offset: float, bits: int) -> tuple[Segment, ...]:
    """Cut ``[bottom, top]`` so that half a step is at most ``2^-bits`` of operand plus ``offset``.

    A segment has at most ``2^(bits + 3)`` entries, at least 4096 and at most 65536.
    """
    entries = 1 << min(max(bits + 3, 12), 16)
    made: list[Segment] = []
    shift = _shift(bottom, offset, bits)
    first = bottom >> shift << shift
    while True:
        last = first + ((entries - 1) << shift)
        if last >= top:
            last = -(-max(top, first) >> shift) << shift
            return (*made, Segment(first, last, shift))
        coarser = max(shift, _shift(last, offset, bits))
        last = last >> coarser << coarser
        made.append(Segment(first, last, shift))
        first, shift = last, coarser


def _shift(value: int, offset: float, bits: int) -> int:
    _, exponent = np.frexp(value + offset)
    return max(0, int(exponent) - bits)


def staged(
    low: Lowering,
    node: FloatNode,
    x: str,
    function: Callable[[Floats], Floats],
    cut: tuple[Segment, ...],
    frac: int,
) -> str:
    """Add the sum of tables of ``function`` of the integers of ``x``, in steps of ``2^-frac``."""
    total = ""
    for number, segment in enumerate(cut):
        lo, hi = segment.ends
        index = x
        if segment.shift or low.type(x).lo < lo or hi < low.type(x).hi:
            index = low.add(
                node, ops.Requant(segment.shift, lo, hi, Rounding.HALF_UP), x, suffix="part"
            )
        grid = np.arange(lo, hi + 1, dtype=np.float64) * 2.0**segment.shift
        values = np.rint(np.ldexp(function(grid), frac)).astype(np.int64)
        if number:
            values -= values[0]
        table = ops.Tabulate(IntArray(values), lo, frac)
        change = low.add(node, table, index, suffix="root")
        if total:
            kinds = low.type(total), low.type(change)
            change = low.add(node, ops.Add.of(*kinds), total, change, suffix="root")
        total = change
    return total
