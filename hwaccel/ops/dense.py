"""Matrix times vector, plus bias."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from hwaccel.circuit import Builder
from hwaccel.errors import VerifyError
from hwaccel.fxp import FixedType, IntArray
from hwaccel.fxp.arith import Array
from hwaccel.ir.hardware import Fold, Hardware, Kernel, Multiplier, Window
from hwaccel.ir.op import Example, Interval, Op, uniform
from hwaccel.ir.types import TensorType
from hwaccel.ops.family import (
    Ints,
    affine,
    check_channels,
    check_reach,
    common_factor,
    contributions,
    divisors,
    mac_pipe,
    signed_width,
    without_factor,
)
from hwaccel.ops.mac import borrowed, packing, skip_zeros, skipping


@dataclass(frozen=True, slots=True)
class Dense(Op):
    """``y[o] = ((sum_i weight[o, i] * x[i]) << shift[o]) + bias[o]``.

    ``weight`` is ``(outputs, inputs)``. ``shift`` aligns per-channel power-of-two weight scales
    to the common ``weight_frac``; the ``frac`` of the result is ``x.frac + weight_frac``.
    """

    name: ClassVar[str] = "dense"

    weight: IntArray
    shift: IntArray
    bias: IntArray
    weight_frac: int = 0

    def verify(self, *ins: TensorType) -> None:
        """Check shapes against the operand."""
        Op.verify(self, *ins)
        if len(self.weight.shape) != 2 or 0 in self.weight.shape:
            raise VerifyError(f"weight has shape {self.weight.shape}, expected (outputs, inputs)")
        if ins[0].shape != (self.weight.shape[1],):
            raise VerifyError(
                f"weight takes {self.weight.shape[1]} features, found shape {ins[0].shape}; "
                "flatten the input to one axis of that size"
            )
        check_channels(self.shift, self.bias, self.weight.shape[0])
        check_reach(self.weight.a, self.shift.a, self.bias.a, ins[0])

    def infer(self, *ins: TensorType) -> TensorType:
        """Return the exact interval over the actual weights."""
        lo, hi = self.intervals(ins, uniform(ins[0]))
        frac = ins[0].frac + self.weight_frac
        return TensorType((self.weight.shape[0],), frac, int(lo.min()), int(hi.max()))

    def intervals(self, ins: tuple[TensorType, ...], *operands: Interval) -> Interval:
        """Add the ends of every term."""
        lo, hi = (c.sum(axis=1) for c in contributions(self.weight.a, *operands[0]))
        return (lo << self.shift.a) + self.bias.a, (hi << self.shift.a) + self.bias.a

    def golden(self, *xs: Array) -> Array:
        """Multiply and add; ``(N, inputs)`` to ``(N, outputs)``."""
        return affine(xs[0], self.weight, self.shift, self.bias)

    def bound(self, *ins: TensorType) -> int:
        """Bound any partial sum, in any order of addition."""
        reach = np.abs(self.weight.a).sum(axis=1) * ins[0].magnitude
        return int(((reach << self.shift.a) + np.abs(self.bias.a)).max())

    def additions(self, *ins: TensorType) -> int:
        """One per product: the sum starts at the bias."""
        return self.multiplications(*ins)

    def multiplications(self, *ins: TensorType) -> int:
        """One per weight."""
        return self.weight.a.size

    def folds(self, *ins: TensorType) -> tuple[Fold, ...]:
        """Any divisor of the outputs by any divisor of the inputs, zeros skipped where it pays."""
        outputs, inputs = self.weight.shape
        pairs = [Fold(p, s) for p in divisors(outputs) for s in divisors(inputs)]
        pairs += skipping(pairs, self.weight.a, self._words)
        return tuple(sorted(pairs, key=lambda f: (f.pe * f.simd, f.pe)))

    def ties(self, *ins: TensorType) -> Ints | None:
        """Return none: rows and columns are free."""
        return np.empty((0, 2), dtype=np.int64)

    def needs(self, x: TensorType, constant: Ints, known: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return the columns that hold a weight and no constant."""
        return ~known & self.weight.a.any(axis=0)

    def absorb(self, constant: Ints) -> Dense:
        """Add what the constants contribute to the bias."""
        constant_sum = self.weight.a @ constant
        return replace(self, bias=IntArray(self.bias.a + (constant_sum << self.shift.a)))

    def keep(self, operand: Ints, result: Ints) -> Dense:
        """Take these rows and columns."""
        weight = IntArray(self.weight.a[np.ix_(result, operand)])
        shift, bias = IntArray(self.shift.a[result]), IntArray(self.bias.a[result])
        return replace(self, weight=weight, shift=shift, bias=bias)

    def factor(self) -> int:
        """Return ``k`` of the largest ``2^k`` that divides every result."""
        return common_factor(self.weight, self.shift, self.bias)

    def divided(self, k: int) -> Dense:
        """Return the op that gives the same values in integers ``2^k`` times smaller."""
        weight, shift = without_factor(self.weight, self.shift, k)
        frac = self.weight_frac - k
        return replace(
            self, weight=weight, shift=shift, bias=IntArray(self.bias.a >> k), weight_frac=frac
        )

    def _words(self, fold: Fold) -> Ints:
        """Arrange the weights in the order in which ``hwa_window`` presents their inputs."""
        (outputs, inputs), pe, simd = self.weight.shape, fold.pe, fold.simd
        blocks = self.weight.a.reshape(outputs // pe, pe, inputs // simd, simd)
        return blocks.transpose(0, 2, 1, 3).reshape(-1, pe * simd)

    def packing(self, ins: tuple[TensorType, ...], fold: Fold, multiplier: Multiplier) -> int:
        """As many as fit: the outputs of a beat share its inputs."""
        return packing(self.weight.a, self._words, fold, ins[0], multiplier)

    def hardware(self, ins: tuple[TensorType, ...], fold: Fold) -> Hardware:
        """Buffer the vector, replay it for every group of ``pe`` outputs."""
        outputs, inputs = self.weight.shape
        pe, simd = fold.pe, fold.simd
        words = self._words(fold)
        window = Window(1, 1, groups=1, group_beats=inputs // simd, repeat=outputs // pe)
        if fold.skip:
            window, words = skip_zeros(window, words)
        lo, hi = contributions(self.weight.a, ins[0].lo, ins[0].hi)
        acc = signed_width(
            int(np.minimum(lo, 0).sum(axis=1).min()), int(np.maximum(hi, 0).sum(axis=1).max())
        )
        pipe = mac_pipe(
            "hwa_mac",
            borrowed(words, pe, fold.pack),
            (self.shift.a, self.bias.a),
            ins[0],
            self.infer(*ins),
            acc,
            pe,
            simd,
            fold.pack,
        )
        return Hardware((simd,), pe, (pipe,), window)

    def unroll(self, build: Builder, *xs: Ints) -> Ints:
        """Return one matrix product."""
        ids = build.linear(self.weight.a << self.shift.a[:, None], xs[0].tolist(), self.bias.a)
        return np.array(ids, dtype=np.int64)

    def kernel(self, *ins: TensorType) -> Kernel:
        """Call ``dense``."""
        outputs, inputs = self.weight.shape
        arrays = (("weight", self.weight), ("shift", self.shift), ("bias", self.bias))
        return Kernel("dense", (("inputs", inputs), ("outputs", outputs)), arrays)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        """Small matrices of every sign, width and shape class."""
        rng = np.random.default_rng(7)

        def make(
            label: str, outputs: int, inputs: int, bits: int, x: str, shift: int = 0, bias: int = 0
        ) -> Example:
            half = 1 << (bits - 1)
            op = cls(
                IntArray(rng.integers(-half, half, (outputs, inputs))),
                IntArray(rng.integers(0, shift + 1, outputs)),
                IntArray(rng.integers(-bias, bias + 1, outputs)),
                weight_frac=bits - 1,
            )
            return Example(label, op, (TensorType.full((inputs,), FixedType.parse(x)),))

        zero = cls(IntArray(np.zeros((3, 4))), IntArray([0, 0, 0]), IntArray([5, 0, -5]))
        # Two of four words of 2 x 2 are zero.
        blocks = np.kron([[1, 0], [0, 1]], [[3, -8], [-1, 7]])
        halved = cls(IntArray(blocks), IntArray([0, 1, 0, 0]), IntArray([1, 0, 0, -9]))
        return (
            make("u8-6x8", 6, 8, 8, "u8.8"),
            make("s8-4x12", 4, 12, 6, "s8.4", shift=3, bias=1000),
            make("one-by-one", 1, 1, 4, "s4.0"),
            make("one-output", 1, 16, 8, "u4.0", bias=50),
            make("one-input", 8, 1, 3, "s5.9", shift=1),
            make("binary", 5, 6, 1, "u1.0"),
            make("primes", 7, 5, 5, "u3.-2", bias=3),
            make("wide", 4, 8, 16, "s16.8", bias=1 << 20),
            Example("zero-blocks", halved, (TensorType.full((4,), FixedType.parse("s5.1")),)),
            Example("zero-weights", zero, (TensorType.full((4,), FixedType.parse("u8.0")),)),
            Example(
                "offset-range",
                cls(IntArray([[3, -2], [1, 1]]), IntArray([0, 2]), IntArray([0, 0])),
                (TensorType((2,), 0, 5, 9),),
            ),
        )
