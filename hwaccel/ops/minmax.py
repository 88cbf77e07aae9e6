"""Larger or smaller of two tensors, element by element."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from hwaccel.circuit import Builder
from hwaccel.errors import VerifyError
from hwaccel.fxp import FixedType
from hwaccel.fxp.arith import Array, namespace, shift_left
from hwaccel.ir.hardware import Area, Fold, Hardware, Kernel, Pipe
from hwaccel.ir.op import Example, Interval, Op
from hwaccel.ir.types import TensorType
from hwaccel.ops.family import Ints, alignment, check_alignment, divisors


@dataclass(frozen=True, slots=True)
class MinMax(Op):
    """``y = max(a << a_shift, b << b_shift)`` with ``largest``, else ``min``.

    The shifts line up the binary points, as those of ``add`` do.
    """

    name: ClassVar[str] = "minmax"
    arity: ClassVar[int] = 2

    a_shift: int
    b_shift: int
    largest: bool

    @classmethod
    def of(cls, a: TensorType, b: TensorType, largest: bool) -> MinMax:
        """Return the op that aligns these two operands."""
        return cls(*alignment(a, b), largest)

    def verify(self, *ins: TensorType) -> None:
        """Check shapes and alignment."""
        Op.verify(self, *ins)
        a, b = ins
        if a.shape != b.shape:
            raise VerifyError(f"operands have shapes {a.shape} and {b.shape}, expected equal ones")
        check_alignment(a, b, self.a_shift, self.b_shift)
        for x, shift in ((a, self.a_shift), (b, self.b_shift)):
            FixedType.of_range(x.lo << shift, x.hi << shift, 0)

    def infer(self, *ins: TensorType) -> TensorType:
        """Take the larger, or smaller, of both ends."""
        a, b = ins
        choose = max if self.largest else min
        lo = choose(a.lo << self.a_shift, b.lo << self.b_shift)
        hi = choose(a.hi << self.a_shift, b.hi << self.b_shift)
        return TensorType(a.shape, a.frac + self.a_shift, lo, hi)

    def intervals(self, ins: tuple[TensorType, ...], *operands: Interval) -> Interval:
        """Take the larger, or smaller, of both ends channel by channel."""
        (a_lo, a_hi), (b_lo, b_hi) = operands
        choose = np.maximum if self.largest else np.minimum
        return (
            choose(a_lo << self.a_shift, b_lo << self.b_shift),
            choose(a_hi << self.a_shift, b_hi << self.b_shift),
        )

    def golden(self, *xs: Array) -> Array:
        """Align and compare."""
        xp = namespace(xs[0])
        a, b = shift_left(xs[0], self.a_shift), shift_left(xs[1], self.b_shift)
        return xp.maximum(a, b) if self.largest else xp.minimum(a, b)

    def bound(self, *ins: TensorType) -> int:
        """Bound the aligned operands."""
        return max(ins[0].magnitude << self.a_shift, ins[1].magnitude << self.b_shift)

    def folds(self, *ins: TensorType) -> tuple[Fold, ...]:
        """Any number of lanes that divides the channels."""
        return tuple(Fold(n, n) for n in divisors(ins[0].channels))

    def canonical(self, inputs: tuple[str, ...]) -> tuple[Op, tuple[str, ...]]:
        """Sort the operands: their order does not matter."""
        (a, a_shift), (b, b_shift) = sorted(zip(inputs, (self.a_shift, self.b_shift), strict=True))
        return replace(self, a_shift=a_shift, b_shift=b_shift), (a, b)

    @property
    def channelwise(self) -> bool:
        """Always."""
        return True

    def keep(self, operand: Ints, result: Ints) -> MinMax:
        """Return the op itself: it treats all channels alike."""
        return self

    def factor(self) -> int:
        """Both operands are shifted at least that far."""
        return min(self.a_shift, self.b_shift)

    def divided(self, k: int) -> MinMax:
        """Shift less."""
        return replace(self, a_shift=self.a_shift - k, b_shift=self.b_shift - k)

    def hardware(self, ins: tuple[TensorType, ...], fold: Fold) -> Hardware:
        """Join both streams, align, compare and choose in one cycle."""
        a, b = ins
        out, lanes = self.infer(a, b).fixed.width, fold.pe
        params = {
            "LANES": lanes,
            "A_W": a.fixed.width,
            "A_SIGNED": int(a.fixed.signed),
            "A_SHIFT": self.a_shift,
            "B_W": b.fixed.width,
            "B_SIGNED": int(b.fixed.signed),
            "B_SHIFT": self.b_shift,
            "OUT_W": out,
            "LARGEST": int(self.largest),
        }
        compared = max(a.fixed.width + self.a_shift, b.fixed.width + self.b_shift) + 1
        pipe = Pipe(
            "hwa_minmax",
            tuple(params.items()),
            1,
            lanes,
            out,
            operands=("in_a_data", "in_b_data"),
            area=Area(luts=(compared + out) * lanes, ffs=out * lanes),
        )
        return Hardware((lanes, lanes), lanes, (pipe,))

    def unroll(self, build: Builder, *xs: Ints) -> Ints:
        """One comparison and one choice per element."""
        common = self.factor()
        a_shift, b_shift = self.a_shift - common, self.b_shift - common
        choose = build.maximum if self.largest else build.minimum
        y = [
            build.shift(choose(build.shift(int(a), a_shift), build.shift(int(b), b_shift)), common)
            for a, b in zip(xs[0].ravel(), xs[1].ravel(), strict=True)
        ]
        return np.array(y, dtype=np.int64).reshape(xs[0].shape)

    def kernel(self, *ins: TensorType) -> Kernel:
        """Call ``minmax``."""
        params = (
            ("size", ins[0].size),
            ("a_shift", self.a_shift),
            ("b_shift", self.b_shift),
            ("largest", int(self.largest)),
        )
        return Kernel("minmax", params)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        """Maxima and minima: equal and unequal formats, every rank, operands that never meet."""

        def make(label: str, shape: tuple[int, ...], a: str, b: str, largest: bool) -> Example:
            ins = tuple(TensorType.full(shape, FixedType.parse(text)) for text in (a, b))
            return Example(label, cls.of(ins[0], ins[1], largest), ins)

        low, high = TensorType((4,), 0, -20, -7), TensorType((4,), 0, 3, 9)
        over = TensorType((3, 2), 1, -100, 5), TensorType((3, 2), 1, 1, 17)
        return (
            make("max-same", (4, 2, 3), "s8.4", "s8.4", True),
            make("min-same", (4, 2, 3), "s8.4", "s8.4", False),
            make("max-unsigned", (4, 2, 2), "u8.4", "u8.4", True),
            make("min-unsigned", (2, 5), "u8.4", "u6.4", False),
            make("max-mixed", (6,), "u8.4", "s8.4", True),
            make("min-mixed", (6,), "s8.4", "u8.4", False),
            make("max-align", (4, 3, 1), "s8.2", "s8.6", True),
            make("min-align", (2, 5), "u4.7", "s6.1", False),
            make("max-one-bit", (3,), "u1.0", "s1.0", True),
            make("min-one-bit", (3,), "u1.0", "s1.0", False),
            make("one-element", (1,), "s8.0", "u8.-3", True),
            make("wide", (2, 2, 2), "s30.10", "s24.14", False),
            Example("max-apart", cls(0, 0, True), (high, low)),
            Example("min-apart", cls(0, 0, False), (high, low)),
            Example("max-intervals", cls(0, 0, True), over),
            Example("min-shifted", cls(2, 2, False), over),
        )
