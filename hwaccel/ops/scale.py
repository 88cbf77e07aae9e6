"""Integer multiplier and offset per channel: batch normalization, general scales."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from hwaccel.circuit import Builder
from hwaccel.errors import VerifyError
from hwaccel.fxp import FixedType, IntArray
from hwaccel.fxp.arith import Array, per_channel
from hwaccel.ir.hardware import Area, Fold, Hardware, Kernel, Pipe, Rom
from hwaccel.ir.op import Example, Interval, Op, uniform
from hwaccel.ir.types import TensorType
from hwaccel.ops.family import (
    Ints,
    check_reach,
    contributions,
    rom_area,
    signed_width,
    trailing_zeros,
)


@dataclass(frozen=True, slots=True)
class Scale(Op):
    """``y[c] = x[c] * mult[c] + add[c]`` for every channel ``c``.

    ``mult`` counts in units of ``2^-mult_frac``: the ``frac`` of the result is
    ``x.frac + mult_frac``.
    """

    name: ClassVar[str] = "scale"
    elementwise: ClassVar[bool] = True

    mult: IntArray
    add: IntArray
    mult_frac: int = 0

    def verify(self, *ins: TensorType) -> None:
        """Check that there is one multiplier and one offset per channel."""
        Op.verify(self, *ins)
        for label, array in (("mult", self.mult), ("add", self.add)):
            if array.shape != (ins[0].channels,):
                raise VerifyError(f"{label} has shape {array.shape}, expected ({ins[0].channels},)")
        check_reach(self.mult.a, 0, self.add.a, ins[0])

    def infer(self, *ins: TensorType) -> TensorType:
        """Return the exact interval over all channels."""
        (x,) = ins
        lo, hi = self.intervals(ins, uniform(x))
        return TensorType(x.shape, x.frac + self.mult_frac, int(lo.min()), int(hi.max()))

    def intervals(self, ins: tuple[TensorType, ...], *operands: Interval) -> Interval:
        """Scale the ends of every channel."""
        lo, hi = contributions(self.mult.a, *operands[0])
        return lo + self.add.a, hi + self.add.a

    def golden(self, *xs: Array) -> Array:
        """Multiply and add along axis 1."""
        (x,) = xs
        return x * per_channel(self.mult.a, x) + per_channel(self.add.a, x)

    def bound(self, *ins: TensorType) -> int:
        """Bound product and sum."""
        return int((np.abs(self.mult.a) * ins[0].magnitude + np.abs(self.add.a)).max())

    def additions(self, *ins: TensorType) -> int:
        """One per element."""
        return ins[0].size

    def multiplications(self, *ins: TensorType) -> int:
        """One per element."""
        return ins[0].size

    @property
    def channelwise(self) -> bool:
        """Always."""
        return True

    def keep(self, operand: Ints, result: Ints) -> Scale:
        """Take the constants of these channels."""
        mult, add = IntArray(self.mult.a[result]), IntArray(self.add.a[result])
        return replace(self, mult=mult, add=add)

    def factor(self) -> int:
        """Return ``k`` of the largest ``2^k`` that divides every result."""
        return trailing_zeros(np.concatenate([self.mult.a, self.add.a]))

    def divided(self, k: int) -> Scale:
        """Return the op that gives the same values in integers ``2^k`` times smaller."""
        return Scale(IntArray(self.mult.a >> k), IntArray(self.add.a >> k), self.mult_frac - k)

    def hardware(self, ins: tuple[TensorType, ...], fold: Fold) -> Hardware:
        """One multiplier per lane; constants from a ROM in channel order."""
        (x,) = ins
        out, lanes = self.infer(x), fold.pe
        mult_w, add_w = (signed_width(*array.range()) for array in (self.mult, self.add))
        table = np.stack([self.add.a, self.mult.a], axis=1).reshape(-1, 2 * lanes)
        rom = Rom("CHANNELS", IntArray(table), (add_w, mult_w))
        params = {
            "LANES": lanes,
            "IN_W": x.fixed.width,
            "IN_SIGNED": int(x.fixed.signed),
            "MULT_W": mult_w,
            "ADD_W": add_w,
            "OUT_W": out.fixed.width,
            "CHANNEL_WORDS": table.shape[0],
        }
        area = Area(luts=out.fixed.width * lanes, ffs=3 * out.fixed.width * lanes, dsps=lanes)
        pipe = Pipe(
            "hwa_scale",
            tuple(params.items()),
            4,
            lanes,
            out.fixed.width,
            roms=(rom,),
            area=area + rom_area(rom),
        )
        return Hardware((lanes,), lanes, (pipe,))

    def unroll(self, build: Builder, *xs: Ints) -> Ints:
        """Multiply every element by its constant."""
        flat = xs[0].reshape(xs[0].shape[0], -1)
        y = [
            build.linear(np.full((1, 1), m), [int(i)], np.full(1, a))[0]
            for row, m, a in zip(flat, self.mult.a, self.add.a, strict=True)
            for i in row
        ]
        return np.array(y, dtype=np.int64).reshape(xs[0].shape)

    def kernel(self, *ins: TensorType) -> Kernel:
        """Call ``scale``."""
        params = (("channels", ins[0].channels), ("pixels", ins[0].size // ins[0].channels))
        return Kernel("scale", params, (("mult", self.mult), ("add", self.add)))

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        """Signs, widths, ranks, zero and negative multipliers."""
        rng = np.random.default_rng(13)

        def make(label: str, shape: tuple[int, ...], x: str, bits: int, add: int) -> Example:
            half = 1 << (bits - 1)
            op = cls(
                IntArray(rng.integers(-half, half, shape[0])),
                IntArray(rng.integers(-add, add + 1, shape[0])),
                bits - 1,
            )
            return Example(label, op, (TensorType.full(shape, FixedType.parse(x)),))

        return (
            make("image", (4, 3, 2), "s8.4", 8, 1000),
            make("vector", (6,), "u8.8", 6, 50),
            make("sequence", (3, 4), "s4.0", 4, 0),
            make("one-channel", (1, 2, 2), "u4.4", 8, 9),
            make("one-bit", (4,), "u1.0", 1, 1),
            make("wide", (2, 2, 2), "s20.10", 18, 1 << 30),
            Example(
                "zero",
                cls(IntArray([0, 0]), IntArray([0, 7])),
                (TensorType.full((2,), FixedType.parse("s8.0")),),
            ),
            Example(
                "interval",
                cls(IntArray([3, -3]), IntArray([1, 1])),
                (TensorType((2, 1, 3), 0, 4, 11),),
            ),
        )
