"""Sum over groups of channels: what is left of a matrix product once its factors are multiplied."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from hwaccel.circuit import Builder
from hwaccel.errors import ConfigError, VerifyError
from hwaccel.fxp import MAX_WIDTH, FixedType
from hwaccel.fxp.arith import Array, namespace
from hwaccel.ir.hardware import Area, Fold, Hardware, Kernel, Pipe, Window
from hwaccel.ir.op import Example, Interval, Op
from hwaccel.ir.types import TensorType
from hwaccel.ops.family import Ints, clog2, divisors


@dataclass(frozen=True, slots=True)
class ChannelSum(Op):
    """``y[g] = sum_k x[g * size + k]`` for ``k`` from 0 to ``size - 1``, in every pixel."""

    name: ClassVar[str] = "chansum"
    homogeneous: ClassVar[bool] = True

    size: int

    def verify(self, *ins: TensorType) -> None:
        """Check that the groups make up the channels, and that every sum fits."""
        Op.verify(self, *ins)
        (x,) = ins
        if self.size < 1 or x.channels % self.size:
            raise VerifyError(
                f"groups of {self.size} do not make up {x.channels} channels; the size must "
                "divide them"
            )
        try:
            FixedType.of_range(self.size * x.lo, self.size * x.hi, 0)
        except ConfigError:
            raise VerifyError(
                f"sums of {self.size} numbers of {x.fixed} need more than {MAX_WIDTH} bits; "
                "requantize the operand"
            ) from None

    def infer(self, *ins: TensorType) -> TensorType:
        """Add the ends ``size`` times."""
        (x,) = ins
        shape = (x.channels // self.size, *x.shape[1:])
        return TensorType(shape, x.frac, self.size * x.lo, self.size * x.hi)

    def intervals(self, ins: tuple[TensorType, ...], *operands: Interval) -> Interval:
        """Add the ends of every group."""
        lo, hi = (end.reshape(-1, self.size).sum(axis=1) for end in operands[0])
        return lo, hi

    def golden(self, *xs: Array) -> Array:
        """Add along the channels of each group."""
        (x,) = xs
        groups = namespace(x).reshape(x, (x.shape[0], -1, self.size, *x.shape[2:]))
        return groups.sum(2)

    def bound(self, *ins: TensorType) -> int:
        """Bound any partial sum, in any order of addition."""
        return self.size * ins[0].magnitude

    def additions(self, *ins: TensorType) -> int:
        """One less than the channels of a group, for every sum."""
        return (self.size - 1) * self.infer(*ins).size

    def folds(self, *ins: TensorType) -> tuple[Fold, ...]:
        """Some channels of a group per beat, or several whole groups."""
        groups = ins[0].channels // self.size
        parts = [Fold(1, s) for s in divisors(self.size)]
        return (*parts, *(Fold(p, self.size) for p in divisors(groups)[1:]))

    def hardware(self, ins: tuple[TensorType, ...], fold: Fold) -> Hardware:
        """Read the channels of a pixel in their order; add up the beats of every group."""
        (x,) = ins
        pe, simd, width = fold.pe, fold.simd, self.infer(x).fixed.width
        height, length = x.image
        window = Window(
            height,
            length,
            groups=x.channels // (self.size * pe),
            group_beats=self.size // simd,
            repeat=1,
            out_height=height,
            out_width=length,
        )
        params = {
            "PE": pe,
            "SIMD": simd,
            "IN_W": x.fixed.width,
            "IN_SIGNED": int(x.fixed.signed),
            "OUT_W": width,
        }
        adders = pe * simd * (x.fixed.width + clog2(simd))
        area = Area(luts=adders + pe * width, ffs=adders + pe * width)
        pipe = Pipe(
            "hwa_chansum",
            tuple(params.items()),
            1 + clog2(simd),
            pe,
            width,
            framed=True,
            area=area,
        )
        return Hardware((pe * simd,), pe, (pipe,), window)

    def unroll(self, build: Builder, *xs: Ints) -> Ints:
        """Add the channels of every group."""
        (x,) = xs
        shape = (x.shape[0] // self.size, *x.shape[1:])
        groups = np.moveaxis(x.reshape(shape[0], self.size, *shape[1:]), 1, -1)
        ones = np.ones((1, self.size), dtype=np.int64)
        flat = groups.reshape(-1, self.size)
        return build.windows(ones, flat, np.zeros(1, dtype=np.int64)).reshape(shape)

    def kernel(self, *ins: TensorType) -> Kernel:
        """Call ``chansum``."""
        (x,) = ins
        groups, pixels = x.channels // self.size, x.size // x.channels
        params = (("groups", groups), ("group_size", self.size), ("pixels", pixels))
        return Kernel("chansum", params)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        """One group and many, one channel and all, every rank and sign."""

        def make(label: str, size: int, shape: tuple[int, ...], fixed: str) -> Example:
            return Example(label, cls(size), (TensorType.full(shape, FixedType.parse(fixed)),))

        return (
            make("sequence", 4, (4, 6), "s8.4"),
            make("vector", 6, (6,), "s5.0"),
            make("groups", 3, (6, 2, 3), "u8.8"),
            make("groups-of-two", 2, (8, 3), "s6.2"),
            make("three", 3, (3, 5), "s8.3"),
            make("five", 5, (10, 2), "u3.-2"),
            make("one-channel-each", 1, (4, 2), "s4.0"),
            make("one-element", 1, (1,), "u4.0"),
            make("bits", 8, (8, 2, 2), "u1.0"),
            make("sign-bits", 7, (7, 2), "s1.0"),
            make("wide", 2, (4, 2), "s40.20"),
            Example("interval", cls(4), (TensorType((8, 3), 2, 3, 9),)),
            Example("negative", cls(3), (TensorType((3, 2), 0, -9, -2),)),
        )
