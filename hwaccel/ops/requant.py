"""The one op that loses precision: shift, round, clip."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from hwaccel.circuit import Builder
from hwaccel.errors import VerifyError
from hwaccel.fxp import FixedType, Overflow, Rounding
from hwaccel.fxp.arith import Array, round_shift, saturate, wrap
from hwaccel.ir.hardware import Area, Fold, Hardware, Kernel, Pipe
from hwaccel.ir.op import Example, Interval, Op
from hwaccel.ir.types import TensorType
from hwaccel.ops.family import Ints

_ROUNDING_CODE = {Rounding.FLOOR: 0, Rounding.HALF_UP: 1, Rounding.HALF_EVEN: 2}


@dataclass(frozen=True, slots=True)
class Requant(Op):
    """``y = clip(round(x * 2^-shift), lo, hi)``.

    With ``Overflow.WRAP`` the rounded integer is reduced modulo ``hi - lo + 1`` into ``[lo, hi]``
    instead of clipped. The ``frac`` of the result is ``x.frac - shift``; a negative ``shift``
    rounds nothing. An integer multiplier per channel is a ``scale`` in front.
    """

    name: ClassVar[str] = "requant"
    elementwise: ClassVar[bool] = True

    shift: int
    lo: int
    hi: int
    rounding: Rounding = Rounding.HALF_EVEN
    overflow: Overflow = Overflow.SATURATE

    def verify(self, *ins: TensorType) -> None:
        """Check the range, and that the shifted operand still fits."""
        Op.verify(self, *ins)
        if self.lo > self.hi:
            raise VerifyError(f"empty output range [{self.lo}, {self.hi}]")
        if not -62 <= self.shift <= 62:
            raise VerifyError(f"shift {self.shift} is not between -62 and 62")
        full = FixedType.of_range(self.lo, self.hi, 0)
        if self.overflow is Overflow.WRAP and (full.lo, full.hi) != (self.lo, self.hi):
            raise VerifyError(
                f"wrapping needs the whole range of a format, found [{self.lo}, {self.hi}]"
            )
        FixedType.of_range(*self._rounded(ins[0]), 0)

    def _rounded(self, x: TensorType) -> tuple[int, int]:
        if self.shift <= 0:
            return x.lo << -self.shift, x.hi << -self.shift
        ends = round_shift(np.array([x.lo, x.hi], dtype=np.int64), self.shift, self.rounding)
        return int(ends[0]), int(ends[1])

    def fits(self, x: TensorType) -> bool:
        """Tell whether no value of ``x`` is clipped or wrapped."""
        lo, hi = self._rounded(x)
        return self.lo <= lo and hi <= self.hi

    def infer(self, *ins: TensorType) -> TensorType:
        """Return what the operand's interval rounds and clips to."""
        (x,) = ins
        lo, hi = self._rounded(x)
        if self.overflow is Overflow.WRAP and (lo < self.lo or hi > self.hi):
            lo, hi = self.lo, self.hi
        clipped = (min(max(v, self.lo), self.hi) for v in (lo, hi))
        return TensorType(x.shape, x.frac - self.shift, *clipped)

    def intervals(self, ins: tuple[TensorType, ...], *operands: Interval) -> Interval:
        """Round and clip the ends; a channel that wraps may take any value."""
        lo, hi = (round_shift(end, self.shift, self.rounding) for end in operands[0])
        if self.overflow is Overflow.WRAP:
            wraps = (lo < self.lo) | (hi > self.hi)
            return np.where(wraps, self.lo, lo), np.where(wraps, self.hi, hi)
        return np.clip(lo, self.lo, self.hi), np.clip(hi, self.lo, self.hi)

    def golden(self, *xs: Array) -> Array:
        """Shift, round, clip or wrap."""
        rounded = round_shift(xs[0], self.shift, self.rounding)
        if self.overflow is Overflow.WRAP:
            return wrap(rounded, self.lo, self.hi)
        return saturate(rounded, self.lo, self.hi)

    def bound(self, *ins: TensorType) -> int:
        """Leave one bit for the rounding offset; the clip limits must be exact as well."""
        lo, hi = self._rounded(ins[0])
        return 2 * max(ins[0].magnitude, abs(lo), abs(hi), abs(self.lo), abs(self.hi))

    @property
    def channelwise(self) -> bool:
        """Always."""
        return True

    def keep(self, operand: Ints, result: Ints) -> Requant:
        """Return the op itself: it treats all channels alike."""
        return self

    def hardware(self, ins: tuple[TensorType, ...], fold: Fold) -> Hardware:
        """Rounding adder, then clip; truncation where the interval never overflows."""
        (x,) = ins
        out = self.infer(x)
        params = {
            "LANES": fold.pe,
            "IN_W": x.fixed.width,
            "IN_SIGNED": int(x.fixed.signed),
            "OUT_W": out.fixed.width,
            "OUT_SIGNED": int(out.fixed.signed),
            "SHIFT": self.shift,
            "ROUNDING": _ROUNDING_CODE[self.rounding],
            "WRAP": int(self.fits(x) or self.overflow is Overflow.WRAP),
            "LO": out.lo,
            "HI": out.hi,
        }
        width = x.fixed.width + out.fixed.width
        area = Area(luts=2 * width * fold.pe, ffs=width * fold.pe)
        pipe = Pipe("hwa_requant", tuple(params.items()), 2, fold.pe, out.fixed.width, area=area)
        return Hardware((fold.pe,), fold.pe, (pipe,))

    def unroll(self, build: Builder, *xs: Ints) -> Ints:
        """Half of the last place goes into the sum in front; what is left are wires and a clip."""
        y = [self._element(build, int(i)) for i in xs[0].ravel()]
        return np.array(y, dtype=np.int64).reshape(xs[0].shape)

    def _element(self, build: Builder, x: int) -> int:
        if self.shift > 0 and self.rounding is not Rounding.FLOOR:
            x = build.offset(x, 1 << (self.shift - 1))
        if self.shift > 0 and self.rounding is Rounding.HALF_EVEN:
            x = build.even(x, self.shift)
        else:
            x = build.shift(x, -self.shift)
        if self.overflow is Overflow.WRAP:
            return build.wrap(x, self.lo, self.hi)
        return build.clip(x, self.lo, self.hi)

    def kernel(self, *ins: TensorType) -> Kernel:
        """Call ``requant``."""
        params = {
            "size": ins[0].size,
            "shift": self.shift,
            "rounding": _ROUNDING_CODE[self.rounding],
            "wrap": int(self.overflow is Overflow.WRAP),
            "lo": self.lo,
            "hi": self.hi,
        }
        return Kernel("requant", tuple(params.items()))

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        """Every rounding and overflow mode; left, zero and overlong shifts."""

        def make(label: str, x: str, shift: int, out: str, r: Rounding, o: Overflow) -> Example:
            target = FixedType.parse(out)
            op = cls(shift, target.lo, target.hi, r, o)
            return Example(label, op, (TensorType.full((2, 3, 2), FixedType.parse(x)),))

        modes = tuple(
            make(f"{r.value}-{o.value}", "s12.6", 4, "s6.2", r, o)
            for r in Rounding
            for o in Overflow
        )
        half_even, saturating = Rounding.HALF_EVEN, Overflow.SATURATE
        return (
            *modes,
            make("to-unsigned", "s12.6", 3, "u6.3", half_even, saturating),
            make("left", "s6.0", -3, "s8.3", half_even, saturating),
            make("no-shift", "u8.4", 0, "u5.4", half_even, saturating),
            make("by-one", "s5.2", 1, "s4.1", half_even, saturating),
            make("overlong", "s6.2", 9, "s4.-7", Rounding.HALF_UP, saturating),
            make("never-clips", "s8.4", 4, "s8.0", half_even, saturating),
            make("wide", "s40.20", 24, "s12.-4", half_even, saturating),
            Example("odd-clip", cls(2, -5, 9), (TensorType.full((7,), FixedType.parse("s9.3")),)),
        )
