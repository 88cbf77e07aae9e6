"""Two tensors one after the other along the channels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from hwaccel.circuit import Builder
from hwaccel.errors import VerifyError
from hwaccel.fxp import FixedType
from hwaccel.fxp.arith import Array, namespace, shift_left
from hwaccel.ir.hardware import Area, Fold, Hardware, Kernel, Pipe
from hwaccel.ir.op import Example, Interval, Op
from hwaccel.ir.types import TensorType
from hwaccel.ops.family import Ints, alignment, check_alignment


@dataclass(frozen=True, slots=True)
class Concat(Op):
    """The channels of ``a << a_shift``, then those of ``b << b_shift``.

    The shifts line up the binary points, as those of ``add`` do. Features of vectors are
    channels, too.
    """

    name: ClassVar[str] = "concat"
    arity: ClassVar[int] = 2

    a_shift: int = 0
    b_shift: int = 0

    @classmethod
    def of(cls, a: TensorType, b: TensorType) -> Concat:
        """Return the op that aligns these two operands."""
        return cls(*alignment(a, b))

    def verify(self, *ins: TensorType) -> None:
        """Check shapes and alignment."""
        Op.verify(self, *ins)
        a, b = ins
        if len(a.shape) != len(b.shape) or a.shape[1:] != b.shape[1:]:
            raise VerifyError(
                f"operands have shapes {a.shape} and {b.shape}, expected equal ones but for the "
                "channels"
            )
        check_alignment(a, b, self.a_shift, self.b_shift)
        FixedType.of_range(*self._hull(a, b), 0)

    def infer(self, *ins: TensorType) -> TensorType:
        """Take the interval that holds both."""
        a, b = ins
        shape = (a.channels + b.channels, *a.shape[1:])
        return TensorType(shape, a.frac + self.a_shift, *self._hull(a, b))

    def _hull(self, a: TensorType, b: TensorType) -> tuple[int, int]:
        lo = min(a.lo << self.a_shift, b.lo << self.b_shift)
        return lo, max(a.hi << self.a_shift, b.hi << self.b_shift)

    def intervals(self, ins: tuple[TensorType, ...], *operands: Interval) -> Interval:
        """Give every channel the interval that it had."""
        (a_lo, a_hi), (b_lo, b_hi) = operands
        return (
            np.concatenate([a_lo << self.a_shift, b_lo << self.b_shift]),
            np.concatenate([a_hi << self.a_shift, b_hi << self.b_shift]),
        )

    def golden(self, *xs: Array) -> Array:
        """Align and concatenate along axis 1."""
        parts = [shift_left(xs[0], self.a_shift), shift_left(xs[1], self.b_shift)]
        xp = namespace(parts[0])
        return np.concatenate(parts, axis=1) if xp is np else xp.concat(parts, axis=1)

    def folds(self, *ins: TensorType) -> tuple[Fold, ...]:
        """All channels of one pixel: no other beat holds whole lanes of both operands in order."""
        channels = ins[0].channels + ins[1].channels
        return (Fold(channels, channels),)

    def factor(self) -> int:
        """Both operands are shifted at least that far."""
        return min(self.a_shift, self.b_shift)

    def divided(self, k: int) -> Concat:
        """Shift less."""
        return Concat(self.a_shift - k, self.b_shift - k)

    def hardware(self, ins: tuple[TensorType, ...], fold: Fold) -> Hardware:
        """Join both streams, align and put side by side; the shifts and signs are wires."""
        a, b = ins
        lanes, out = a.channels + b.channels, self.infer(a, b).fixed.width
        params = {
            "LANES_A": a.channels,
            "LANES_B": b.channels,
            "A_W": a.fixed.width,
            "B_W": b.fixed.width,
            "A_SIGNED": int(a.fixed.signed),
            "B_SIGNED": int(b.fixed.signed),
            "A_SHIFT": self.a_shift,
            "B_SHIFT": self.b_shift,
            "OUT_W": out,
        }
        pipe = Pipe(
            "hwa_concat",
            tuple(params.items()),
            1,
            lanes,
            out,
            operands=("in_a_data", "in_b_data"),
            area=Area(ffs=out * lanes),
        )
        return Hardware((a.channels, b.channels), lanes, (pipe,))

    def unroll(self, build: Builder, *xs: Ints) -> Ints:
        """Wires only."""
        parts = [
            np.array([build.shift(int(i), shift) for i in x.ravel()], np.int64).reshape(x.shape)
            for x, shift in zip(xs, (self.a_shift, self.b_shift), strict=True)
        ]
        return np.concatenate(parts)

    def kernel(self, *ins: TensorType) -> Kernel:
        """Call ``concat``."""
        a = ins[0]
        params = (
            ("a_size", a.size),
            ("pixels", a.size // a.channels),
            ("a_shift", self.a_shift),
            ("b_shift", self.b_shift),
        )
        return Kernel("concat", params)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        """Equal and unequal formats and channels, every rank."""

        def make(
            label: str, channels: tuple[int, int], rest: tuple[int, ...], a: str, b: str
        ) -> Example:
            ins = tuple(
                TensorType.full((c, *rest), FixedType.parse(text))
                for c, text in zip(channels, (a, b), strict=True)
            )
            return Example(label, cls.of(*ins), ins)

        return (
            make("same", (2, 2), (2, 3), "s8.4", "s8.4"),
            make("unsigned", (3, 2), (2, 2), "u8.4", "u8.4"),
            make("mixed-sign", (2, 4), (), "u8.4", "s8.4"),
            make("align-left", (1, 3), (3, 1), "s8.2", "s8.6"),
            make("align-right", (3, 1), (5,), "u4.7", "s6.1"),
            make("one-bit", (1, 2), (), "u1.0", "s1.0"),
            make("one-element", (1, 1), (), "s8.0", "u8.-3"),
            make("wide", (1, 2), (2, 2), "s30.10", "s24.14"),
            Example("intervals", cls(), (TensorType((4,), 0, 3, 9), TensorType((2,), 0, -20, -7))),
            Example(
                "shifted", cls(2, 1), (TensorType((2, 2), 3, -5, 9), TensorType((1, 2), 4, 0, 6))
            ),
        )
