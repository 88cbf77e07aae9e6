"""Sum or difference of two tensors, the merge of a residual connection."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, TypeVar

import numpy as np

from hwaccel.circuit import Builder
from hwaccel.errors import VerifyError
from hwaccel.fxp import FixedType
from hwaccel.fxp.arith import Array, shift_left
from hwaccel.ir.hardware import Area, Fold, Hardware, Kernel, Pipe
from hwaccel.ir.op import Example, Interval, Op
from hwaccel.ir.types import TensorType
from hwaccel.ops.family import Ints, alignment, check_alignment, divisors

_Ends = TypeVar("_Ends", int, Ints)


@dataclass(frozen=True, slots=True)
class Add(Op):
    """``y = (a << a_shift) + (b << b_shift)``; with ``subtract``, minus.

    The shifts line up the binary points: ``a.frac + a_shift = b.frac + b_shift``, and that is
    the ``frac`` of the result. The smallest such shifts lose nothing; larger ones are legal.
    """

    name: ClassVar[str] = "add"
    arity: ClassVar[int] = 2

    a_shift: int = 0
    b_shift: int = 0
    subtract: bool = False

    @classmethod
    def of(cls, a: TensorType, b: TensorType, *, subtract: bool = False) -> Add:
        """Return the op that aligns these two operands."""
        return cls(*alignment(a, b), subtract)

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
        """Add or subtract the intervals."""
        a, b = ins
        ends = self._combined((a.lo, a.hi), (b.lo, b.hi))
        return TensorType(a.shape, a.frac + self.a_shift, *ends)

    def intervals(self, ins: tuple[TensorType, ...], *operands: Interval) -> Interval:
        """Add or subtract the intervals channel by channel."""
        return self._combined(*operands)

    def _combined(self, a: tuple[_Ends, _Ends], b: tuple[_Ends, _Ends]) -> tuple[_Ends, _Ends]:
        (a_lo, a_hi), (b_lo, b_hi) = a, b
        low, high = b_lo << self.b_shift, b_hi << self.b_shift
        if self.subtract:
            low, high = -high, -low
        return (a_lo << self.a_shift) + low, (a_hi << self.a_shift) + high

    def golden(self, *xs: Array) -> Array:
        """Align, then add or subtract."""
        a, b = shift_left(xs[0], self.a_shift), shift_left(xs[1], self.b_shift)
        return a - b if self.subtract else a + b

    def bound(self, *ins: TensorType) -> int:
        """Bound the aligned operands, their sum and their difference."""
        return (ins[0].magnitude << self.a_shift) + (ins[1].magnitude << self.b_shift)

    def additions(self, *ins: TensorType) -> int:
        """One per element."""
        return ins[0].size

    def folds(self, *ins: TensorType) -> tuple[Fold, ...]:
        """Any number of lanes that divides the channels."""
        return tuple(Fold(n, n) for n in divisors(ins[0].channels))

    def canonical(self, inputs: tuple[str, ...]) -> tuple[Op, tuple[str, ...]]:
        """Sort the operands of a sum: addition commutes."""
        if self.subtract:
            return self, inputs
        (a, a_shift), (b, b_shift) = sorted(zip(inputs, (self.a_shift, self.b_shift), strict=True))
        return Add(a_shift, b_shift), (a, b)

    @property
    def channelwise(self) -> bool:
        """Always."""
        return True

    def keep(self, operand: Ints, result: Ints) -> Add:
        """Return the op itself: it treats all channels alike."""
        return self

    def factor(self) -> int:
        """Both operands are shifted at least that far."""
        return min(self.a_shift, self.b_shift)

    def divided(self, k: int) -> Add:
        """Shift less."""
        return replace(self, a_shift=self.a_shift - k, b_shift=self.b_shift - k)

    def hardware(self, ins: tuple[TensorType, ...], fold: Fold) -> Hardware:
        """Join both streams, align and add or subtract in one cycle."""
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
            **({"SUBTRACT": 1} if self.subtract else {}),
        }
        pipe = Pipe(
            "hwa_add",
            tuple(params.items()),
            1,
            lanes,
            out,
            operands=("in_a_data", "in_b_data"),
            area=Area(luts=out * lanes, ffs=out * lanes),
        )
        return Hardware((lanes, lanes), lanes, (pipe,))

    def unroll(self, build: Builder, *xs: Ints) -> Ints:
        """One adder per element."""
        shift = self.b_shift - self.a_shift
        sums = [
            build.shift(
                build.sum(int(a), int(b), shift, self.subtract), min(self.a_shift, self.b_shift)
            )
            for a, b in zip(xs[0].ravel(), xs[1].ravel(), strict=True)
        ]
        return np.array(sums, dtype=np.int64).reshape(xs[0].shape)

    def kernel(self, *ins: TensorType) -> Kernel:
        """Call ``add``."""
        params = (
            ("size", ins[0].size),
            ("a_shift", self.a_shift),
            ("b_shift", self.b_shift),
            ("subtract", int(self.subtract)),
        )
        return Kernel("add", params)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        """Equal and unequal formats, every rank, both signs between the operands."""

        def make(
            label: str, shape: tuple[int, ...], a: str, b: str, subtract: bool = False
        ) -> Example:
            ins = tuple(TensorType.full(shape, FixedType.parse(text)) for text in (a, b))
            return Example(label, cls.of(*ins, subtract=subtract), ins)

        odd = TensorType((4,), 0, 3, 9), TensorType((4,), 0, -20, -7)
        return (
            make("same", (4, 2, 3), "s8.4", "s8.4"),
            make("unsigned", (4, 2, 2), "u8.4", "u8.4"),
            make("mixed-sign", (6,), "u8.4", "s8.4"),
            make("align-left", (4, 3, 1), "s8.2", "s8.6"),
            make("align-right", (2, 5), "u4.7", "s6.1"),
            make("one-bit", (3,), "u1.0", "s1.0"),
            make("one-element", (1,), "s8.0", "u8.-3"),
            make("wide", (2, 2, 2), "s30.10", "s24.14"),
            Example("intervals", cls(), odd),
            make("minus", (4, 2, 3), "s8.4", "s8.4", True),
            make("minus-unsigned", (2, 5), "u8.4", "u8.4", True),
            make("minus-mixed", (6,), "u8.2", "s8.6", True),
            make("minus-left", (4, 3, 1), "s8.6", "u4.1", True),
            make("minus-one-bit", (3,), "s1.0", "u1.0", True),
            make("minus-wide", (2, 2, 2), "s30.10", "u24.14", True),
            Example("minus-intervals", cls(subtract=True), odd),
        )
