"""``Quantize``: any uniform quantizer, and how each rounding mode draws its thresholds.

A value is ``step * q'`` with integers ``q'`` in front of and behind it only where scales are powers
of two. ``scales`` rewrites a graph until that is so everywhere, and a quantizer is what remains of
all other scales: its ``scale`` and ``step`` differ then.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from hwaccel.frontend.floatgraph import FakeQuant, FloatOp, Floats, Role

Bools = NDArray[np.bool_]
# Bits that an input has beyond those of a quantizer which does not only round it.
_INPUT_GUARD = 8
_MAX_INPUT = 32


class Mode(Enum):
    """How a real number becomes an integer."""

    HALF_EVEN = "half_even"
    HALF_ODD = "half_odd"
    HALF_UP = "half_up"
    HALF_DOWN = "half_down"
    HALF_AWAY = "half_away"
    HALF_ZERO = "half_zero"
    # To even, but up where negative.
    HALF_EVEN_UP = "half_even_up"
    FLOOR = "floor"
    CEIL = "ceil"
    TO_ZERO = "to_zero"
    AWAY = "away"

    @property
    def shifts(self) -> bool:
        """Tell whether ``round(x + 2n) = round(x) + 2n`` for every integer ``n``."""
        return self not in _BENT

    def round(self, y: torch.Tensor) -> torch.Tensor:
        """Round a tensor."""
        return _ROUND[self](y)

    def thresholds(self, n: Floats) -> tuple[Floats, Bools]:
        """Return where ``round`` passes from ``n`` to ``n + 1``, and whether the place is above."""
        up, down = n >= 0, n < 0
        odd = n % 2 == 1
        none, every = np.zeros(n.shape, np.bool_), np.ones(n.shape, np.bool_)
        if self in (Mode.FLOOR, Mode.CEIL, Mode.TO_ZERO, Mode.AWAY):
            high = {Mode.FLOOR: every, Mode.CEIL: none, Mode.TO_ZERO: up, Mode.AWAY: down}[self]
            return n + high, high
        above = {
            Mode.HALF_EVEN: odd,
            Mode.HALF_ODD: ~odd,
            Mode.HALF_UP: every,
            Mode.HALF_DOWN: none,
            Mode.HALF_AWAY: up,
            Mode.HALF_ZERO: down,
            Mode.HALF_EVEN_UP: down | odd,
        }
        return n + 0.5, above[self]


def _away(y: torch.Tensor) -> torch.Tensor:
    return torch.sign(y) * torch.ceil(y.abs())


def _half_away(y: torch.Tensor) -> torch.Tensor:
    return torch.sign(y) * torch.floor(y.abs() + 0.5)


def _half_zero(y: torch.Tensor) -> torch.Tensor:
    return torch.sign(y) * torch.ceil(y.abs() - 0.5)


def _half_even_up(y: torch.Tensor) -> torch.Tensor:
    return torch.where(y < 0, torch.floor(y + 0.5), torch.round(y))


# What rounds positive and negative numbers in different ways.
_BENT = (Mode.HALF_AWAY, Mode.HALF_ZERO, Mode.HALF_EVEN_UP, Mode.TO_ZERO, Mode.AWAY)

_ROUND: dict[Mode, Callable[[torch.Tensor], torch.Tensor]] = {
    Mode.HALF_EVEN: torch.round,
    Mode.HALF_ODD: lambda y: torch.round(y + 1) - 1,
    Mode.HALF_UP: lambda y: torch.floor(y + 0.5),
    Mode.HALF_DOWN: lambda y: torch.ceil(y - 0.5),
    Mode.HALF_AWAY: _half_away,
    Mode.HALF_ZERO: _half_zero,
    Mode.HALF_EVEN_UP: _half_even_up,
    Mode.FLOOR: torch.floor,
    Mode.CEIL: torch.ceil,
    Mode.TO_ZERO: torch.trunc,
    Mode.AWAY: _away,
}


@dataclass(frozen=True, slots=True, eq=False)
class Quantize(FloatOp):
    """``(clip(round(x / scale + offset), lo, hi) - back) * step``.

    ``scale`` and ``step`` are positive; all arrays have one element, or one per channel. A zero
    point ``z`` is ``offset = back = z`` where the model adds it before it rounds. Values of one
    bit, -1 and 1, are ``clip(floor(x), -1, 0) + 1/2`` times two.
    """

    kind: ClassVar[str] = "quantize"
    role: ClassVar[Role] = Role.QUANTIZE

    scale: Floats
    step: Floats
    offset: Floats
    back: Floats
    lo: int
    hi: int
    mode: Mode

    def run(self, *xs: torch.Tensor) -> torch.Tensor:
        """Divide, round, clip, multiply."""
        (x,) = xs
        scale, step, offset, back = (
            torch.tensor(v, dtype=x.dtype).reshape(-1, *[1] * (x.ndim - 2)) for v in self.arrays
        )
        q = self.mode.round(x / scale + offset).clamp(self.lo, self.hi)
        return (q - back) * step

    @property
    def arrays(self) -> tuple[Floats, Floats, Floats, Floats]:
        """Scale, step, offset, back."""
        return self.scale, self.step, self.offset, self.back

    def of(self, arrays: Sequence[Floats]) -> Quantize:
        """Return the same with other ``arrays``."""
        scale, step, offset, back = arrays
        return Quantize(scale, step, offset, back, self.lo, self.hi, self.mode)

    @property
    def frac(self) -> int:
        """Fraction bits of an operand whose last bit is no coarser than any ``scale``."""
        return int(np.ceil(-np.log2(self.scale.min())))

    @property
    def dyadic(self) -> bool:
        """Tell whether results change at multiples of powers of two only."""
        return bool(is_power(self.scale).all()) and not (self.offset % 1).any()

    def plain(self) -> FakeQuant | None:
        """Return what this is if it only rounds half to even, by a power of two."""
        steps = np.unique(np.concatenate([self.scale, self.step]))
        moved = self.offset.any() or self.back.any()
        if self.mode is not Mode.HALF_EVEN or moved or len(steps) > 1 or not is_power(steps).all():
            return None
        return FakeQuant(round(float(-np.log2(steps[0]))), self.lo, self.hi)

    def stated(self) -> FakeQuant:
        """Return the format in which an input that is quantized like this comes.

        It holds one step more at either end, and steps finer by a fixed number of bits.
        """
        ends = np.array([[self.lo - 1.0], [self.hi + 1.0]])
        reach = (ends - self.offset) * self.scale
        lo, hi = float(reach.min()), float(reach.max())
        frac = self.frac + _INPUT_GUARD
        while max(-lo, hi) * 2.0**frac >= 2.0 ** (_MAX_INPUT - 1):
            frac -= 1
        low = min(int(np.floor(lo * 2.0**frac)), 0)
        return FakeQuant(frac, low, max(int(np.ceil(hi * 2.0**frac)), 1))


def is_power(values: Floats) -> Bools:
    """Tell of each number whether it is a power of two."""
    mantissa, _ = np.frexp(values)
    power: Bools = mantissa == 0.5
    return power


def narrowed(op: Quantize) -> Quantize:
    """Return ``op`` with one element in place of equal ones."""
    return op.of([a[:1] if (a == a[0]).all() else a for a in map(np.atleast_1d, op.arrays)])


def spread(op: Quantize, channels: int) -> Quantize:
    """Return ``op`` with an element for each channel."""
    return op.of([np.broadcast_to(a, (channels,)) for a in op.arrays])


def simplified(op: Quantize) -> Quantize:
    """Return ``op`` with one element in place of equal ones, and no zero point where one will do.

    ``round(x + z) - z`` is ``round(x)``, but that ties go to odd numbers where ``z`` is odd.
    """
    op = narrowed(op)
    zero = op.offset[0]
    if len(op.offset) > 1 or len(op.back) > 1 or zero != op.back[0] or zero % 1:
        return op
    if zero == 0 or not op.mode.shifts:
        return op
    mode = _SWAPPED.get(op.mode, op.mode) if zero % 2 else op.mode
    lo, hi, none = op.lo - int(zero), op.hi - int(zero), np.zeros(1)
    return replace(op, offset=none, back=none, lo=lo, hi=hi, mode=mode)


def added_behind(scale: Floats, zero: Floats, lo: int, hi: int) -> Quantize | None:
    """Return the quantizer that clips ``round(x / scale) + zero``, with ties to even.

    Nothing is returned where channels would have to round in different ways.
    """
    odd = np.unique(zero % 2)
    if len(odd) > 1:
        return None
    mode = Mode.HALF_ODD if odd[0] else Mode.HALF_EVEN
    return simplified(Quantize(scale, scale, zero, zero, lo, hi, mode))


_SWAPPED = {Mode.HALF_EVEN: Mode.HALF_ODD, Mode.HALF_ODD: Mode.HALF_EVEN}
