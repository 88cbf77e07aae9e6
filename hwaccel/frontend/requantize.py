"""What quantizers of any scale become: an integer multiplier and offset, a shift, a clip.

A rounded and clipped line ``y = x / scale + offset`` is a staircase: integer ``x`` gives ``n + 1``
or more from some threshold on. Another line, of a multiplier with few bits, is the same staircase
if it is on the right side of ``n + 1`` at each threshold and at the integer below it. That is one
interval for the offset, found from all thresholds, so the result is that of the exact quotient
wherever a multiplier of ``MULTIPLIER_BITS`` bits can be. (T. Granlund, P. Montgomery, *Division by
Invariant Integers using Multiplication*, PLDI 1994, is the case of a division without rounding
modes.)
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import torch

from hwaccel import ops
from hwaccel.errors import VerifyError
from hwaccel.frontend.floatgraph import FloatNode, FloatOp, Floats, Role
from hwaccel.frontend.formats import Ints
from hwaccel.frontend.lower import MAX_PRODUCT, Lower, Lowering
from hwaccel.frontend.quantizers import Mode, Quantize, is_power, spread
from hwaccel.fxp import IntArray, Rounding
from hwaccel.ir import TensorType

MULTIPLIER_BITS = 24
# Quotients that are this close to a threshold lie on it: factors are products of float32 numbers.
_TIE = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Rescale(FloatOp):
    """``x[c] * ratio[c]``, where one factor takes the place of another; not rounded."""

    kind: ClassVar[str] = "rescale"
    role: ClassVar[Role] = Role.SUM
    activates: ClassVar[bool] = True
    wide: ClassVar[bool] = True

    ratio: Floats
    bits: int

    def run(self, *xs: torch.Tensor) -> torch.Tensor:
        """Multiply along axis 1."""
        (x,) = xs
        ratio = torch.tensor(self.ratio, dtype=x.dtype)
        return x * ratio.reshape(-1, *[1] * (x.ndim - 2))


def _rescale(low: Lowering, node: FloatNode, op: Rescale, x: str) -> str:
    """Multiply by integers of ``bits`` bits, which share one fraction."""
    type = low.type(x)
    ratio = np.broadcast_to(op.ratio, (type.channels,))
    _, exponent = np.frexp(ratio.max())
    bits = min(op.bits, MAX_PRODUCT - type.fixed.width)
    frac = bits - int(exponent)
    mult = np.rint(np.ldexp(ratio, frac)).astype(np.int64)
    spare = int(np.bitwise_or.reduce(mult))
    spare = (spare & -spare).bit_length() - 1
    zeros = IntArray(np.zeros(type.channels, np.int64))
    return low.add(node, ops.Scale(IntArray(mult >> spare), zeros, frac - spare), x)


def _quantize(low: Lowering, node: FloatNode, op: Quantize, x: str) -> str:
    """Multiply, add, shift, clip; then subtract what a zero point leaves."""
    op = spread(op, low.type(x).channels)
    last = "steps" if op.back.any() else ""
    if op.mode not in _SIDES:
        return _back(low, node, op, _clipped(low, node, op, x, last))
    inner, outer = _SIDES[op.mode]
    above = replace(op, mode=inner, lo=max(op.lo, 0), hi=max(op.hi, 0))
    below = replace(op, mode=outer, lo=min(op.lo, 0), hi=min(op.hi, 0))
    if op.lo >= 0 or op.hi <= 0:
        part = above if op.lo >= 0 else below
        return _back(low, node, op, _clipped(low, node, part, x, last))
    if op.mode not in (Mode.TO_ZERO, Mode.AWAY) and not op.dyadic:
        # Ties are rare, and a line may have them all.
        return _back(low, node, op, _clipped(low, node, op, x, last))
    parts = [_clipped(low, node, above, x, "above"), _clipped(low, node, below, x, "below")]
    add = ops.Add.of(*map(low.type, parts))
    return _back(low, node, op, low.add(node, add, *parts, suffix=last))


# How positive and negative numbers are rounded, where that differs.
_SIDES = {
    Mode.TO_ZERO: (Mode.FLOOR, Mode.CEIL),
    Mode.AWAY: (Mode.CEIL, Mode.FLOOR),
    Mode.HALF_AWAY: (Mode.HALF_UP, Mode.HALF_DOWN),
    Mode.HALF_ZERO: (Mode.HALF_DOWN, Mode.HALF_UP),
    Mode.HALF_EVEN_UP: (Mode.HALF_EVEN, Mode.HALF_UP),
}


def _back(low: Lowering, node: FloatNode, op: Quantize, x: str) -> str:
    """Subtract ``back``, which may count in halves."""
    if not op.back.any():
        return x
    finer = int((op.back % 1).any())
    add = np.rint(-op.back * 2**finer).astype(np.int64)
    mult = np.full(len(add), 1 << finer)
    return low.add(node, ops.Scale(IntArray(mult), IntArray(add), finer), x)


def _clipped(low: Lowering, node: FloatNode, op: Quantize, x: str, suffix: str) -> str:
    """Return ``clip(round(x / scale + offset), lo, hi)``, counted in steps of ``step``."""
    type = low.type(x)
    line = line_of(op, type)
    frac = round(float(-np.log2(op.step[0]))) - type.frac + line.shift
    if (line.mult != 1).any() or line.add.any() or frac:
        made = ops.Scale(IntArray(line.mult), IntArray(line.add), frac)
        x = low.add(node, made, x, suffix="line")
    rounded = ops.Requant(line.shift, op.lo + line.more, op.hi + line.more, line.rounding)
    x = low.add(node, rounded, x, suffix="odd" if line.more else suffix)
    if not line.more:
        return x
    less = IntArray(np.full(type.channels, -line.more))
    return low.add(
        node, ops.Scale(IntArray(np.ones(type.channels, np.int64)), less), x, suffix=suffix
    )


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """``round((x * mult[c] + add[c]) * 2^-shift) - more`` is what rounds like a quantizer.

    ``exact`` tells whether it is the same for every ``x``.
    """

    mult: Ints
    add: Ints
    shift: int
    rounding: Rounding
    more: int = 0
    exact: bool = True


def line_of(op: Quantize, type: TensorType) -> Line:
    """Return the line of least multipliers that rounds integers of ``type`` as ``op`` does.

    Where no multiplier of ``MULTIPLIER_BITS`` bits does, the nearest one of these bits: the result
    differs by one at most, and only next to a threshold.
    """
    unit = np.ldexp(op.scale, type.frac)
    found = _native(op, unit)
    return _searched(op, unit, type) if found is None else found


def _native(op: Quantize, unit: Floats) -> Line | None:
    """Return the line where all factors are powers of two."""
    exponent = np.frexp(unit)[1] - 1
    uniform = len(np.unique(exponent)) == 1 and not op.offset.any()
    shift = int(exponent.max()) if uniform else max(int(exponent.max()), 0)
    mult = np.ldexp(1.0, shift - exponent)
    if not is_power(unit).all() or mult.max() >= 2.0**MULTIPLIER_BITS or (op.offset % 1).any():
        return None
    if shift <= 0:  # nothing is rounded
        return Line(_ints(mult), _ints(op.offset), shift, Rounding.HALF_EVEN)
    one = 1 << shift
    ways = {
        Mode.FLOOR: (Rounding.FLOOR, 0, 0),
        Mode.CEIL: (Rounding.FLOOR, one - 1, 0),
        Mode.HALF_UP: (Rounding.HALF_UP, 0, 0),
        Mode.HALF_DOWN: (Rounding.HALF_UP, -1, 0),
        Mode.HALF_EVEN: (Rounding.HALF_EVEN, 0, 0),
        Mode.HALF_ODD: (Rounding.HALF_EVEN, one, 1),
    }
    if op.mode not in ways:
        return None
    rounding, extra, more = ways[op.mode]
    return Line(_ints(mult), _ints(op.offset) * one + extra, shift, rounding, more)


def _searched(op: Quantize, unit: Floats, type: TensorType) -> Line:
    """Try finer and finer multipliers until all channels have one that is exact."""
    slope = 1.0 / unit
    first = max(0, int(np.ceil(-np.log2(slope.min()))))
    most = int(np.floor(np.log2((2.0**MULTIPLIER_BITS - 1) / slope.max())))
    widest = MAX_PRODUCT - 1 - max(type.magnitude, 1).bit_length() - int(np.log2(slope.max()))
    last = max(min(most, widest), first)
    stairs = [_stair(op, unit, c, type) for c in range(len(unit))]
    found: list[tuple[int, int] | None] = []
    shift = first
    for shift in range(first, last + 1):
        found = []
        for stair, line in zip(stairs, slope, strict=True):
            found.append(stair.line(float(line), shift))
            if found[-1] is None and shift < last:
                break
        if None not in found:
            break
    nearest = np.rint(np.ldexp(slope, shift))
    start = np.rint(np.ldexp(op.offset + _START[op.mode], shift))
    made = [
        (int(m), int(a)) if pair is None else pair
        for pair, m, a in zip(found, nearest, start, strict=True)
    ]
    mult, add = np.array(made, np.int64).T
    return Line(mult, add, shift, Rounding.FLOOR, exact=None not in found)


# What is added in front of rounding down where ties do not matter.
_START = dict.fromkeys(Mode, 0.5) | {Mode.FLOOR: 0.0, Mode.CEIL: 1.0}


@dataclass(frozen=True, slots=True, eq=False)
class _Stair:
    """Where a channel reaches each step, and the last integers where it does not yet."""

    reached: Ints
    step: Ints
    before: Ints
    next: Ints

    def line(self, slope: float, shift: int) -> tuple[int, int] | None:
        """Return a multiplier and an offset, in few bits, that rounds down to the stair."""
        scaled = float(np.ldexp(slope, shift))
        for mult in dict.fromkeys((round(scaled), int(scaled) + 1, int(np.ceil(scaled)) - 1)):
            least = ((self.step << shift) - self.reached * mult).max(initial=_FAR[0])
            most = ((self.next << shift) - self.before * mult).min(initial=_FAR[1]) - 1
            if mult and least <= most:
                return mult, _roundest(int(least), int(most))
        return None


_MOST_STEPS = 1 << 20
_FAR = (-(1 << 61), 1 << 61)


def _stair(op: Quantize, unit: Floats, c: int, type: TensorType) -> _Stair:
    """Return the stair of a channel within reach of ``type``.

    Raises:
        VerifyError: it has too many steps.
    """
    ends = np.array([type.lo, type.hi]) / unit[c] + op.offset[c]
    # The next steps that are out of reach count: they must not be reached.
    lo = min(max(op.lo, int(ends[0]) - 2), op.hi - 1)
    hi = max(min(op.hi, int(ends[1]) + 2), op.lo + 1)
    if hi - lo > _MOST_STEPS:
        raise VerifyError(
            f"rounds to {hi - lo + 1} integers by a scale that is no power of two, expected at "
            f"most {_MOST_STEPS}; use 16 bits or fewer"
        )
    n = np.arange(lo, hi, dtype=np.float64)
    place, inclusive = op.mode.thresholds(n)
    exact = np.clip((place - op.offset[c]) * unit[c], type.lo - 2.0, type.hi + 2.0)
    whole = np.rint(exact)
    tie = np.abs(exact - whole) <= _TIE * np.maximum(1.0, np.abs(exact))
    first, step = _ints(np.where(tie, whole + ~inclusive, np.ceil(exact))), _ints(n) + 1
    above, below = first <= type.hi, first > type.lo
    reached, before = np.maximum(first, type.lo)[above], np.minimum(first - 1, type.hi)[below]
    return _Stair(reached, step[above], before, step[below])


def _roundest(least: int, most: int) -> int:
    """Return the number from ``least`` to ``most`` with most zeros at the end."""
    if least <= 0 <= most:
        return 0
    for k in range(61, -1, -1):
        number = -(-least >> k) << k
        if number <= most:
            return number
    return least


def _ints(values: Floats) -> Ints:
    return np.rint(values).astype(np.int64)


LOWER: dict[type[FloatOp], Lower] = {Quantize: _quantize, Rescale: _rescale}
