"""Product of two tensors, element by element."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from hwaccel.circuit import Builder
from hwaccel.errors import ConfigError, VerifyError
from hwaccel.fxp import MAX_WIDTH, FixedType
from hwaccel.fxp.arith import Array
from hwaccel.ir.hardware import Area, Fold, Hardware, Kernel, Pipe
from hwaccel.ir.op import Example, Interval, Op
from hwaccel.ir.types import TensorType
from hwaccel.ops.family import Ints, divisors


@dataclass(frozen=True, slots=True)
class Multiply(Op):
    """``y = a * b``; the ``frac`` of the result is ``a.frac + b.frac``."""

    name: ClassVar[str] = "multiply"
    arity: ClassVar[int] = 2

    def verify(self, *ins: TensorType) -> None:
        """Check shapes, and that every product fits."""
        Op.verify(self, *ins)
        a, b = ins
        if a.shape != b.shape:
            raise VerifyError(f"operands have shapes {a.shape} and {b.shape}, expected equal ones")
        corners = _corners(a, b)
        try:
            FixedType.of_range(min(corners), max(corners), 0)
        except ConfigError:
            raise VerifyError(
                f"products of {a.fixed} and {b.fixed} need more than {MAX_WIDTH} bits; "
                "requantize an operand"
            ) from None

    def infer(self, *ins: TensorType) -> TensorType:
        """Take the ends of the products of the ends."""
        a, b = ins
        corners = _corners(a, b)
        return TensorType(a.shape, a.frac + b.frac, min(corners), max(corners))

    def intervals(self, ins: tuple[TensorType, ...], *operands: Interval) -> Interval:
        """Take the ends of the products of the ends channel by channel."""
        corners = np.stack([m * n for m in operands[0] for n in operands[1]])
        return corners.min(axis=0), corners.max(axis=0)

    def golden(self, *xs: Array) -> Array:
        """Multiply."""
        return xs[0] * xs[1]

    def multiplications(self, *ins: TensorType) -> int:
        """One per element."""
        return ins[0].size

    def folds(self, *ins: TensorType) -> tuple[Fold, ...]:
        """Any number of lanes that divides the channels."""
        return tuple(Fold(n, 1) for n in divisors(ins[0].channels))

    def canonical(self, inputs: tuple[str, ...]) -> tuple[Op, tuple[str, ...]]:
        """Sort the operands: multiplication commutes."""
        return self, tuple(sorted(inputs))

    @property
    def channelwise(self) -> bool:
        """Always."""
        return True

    def keep(self, operand: Ints, result: Ints) -> Multiply:
        """Return the op itself: it treats all channels alike."""
        return self

    def hardware(self, ins: tuple[TensorType, ...], fold: Fold) -> Hardware:
        """Join both streams; one multiplier per lane, with registers on all of its sides."""
        a, b = ins
        out, lanes = self.infer(a, b).fixed.width, fold.pe
        params = {
            "LANES": lanes,
            "A_W": a.fixed.width,
            "A_SIGNED": int(a.fixed.signed),
            "B_W": b.fixed.width,
            "B_SIGNED": int(b.fixed.signed),
            "OUT_W": out,
        }
        pipe = Pipe(
            "hwa_multiply",
            tuple(params.items()),
            3,
            lanes,
            out,
            operands=("in_a_data", "in_b_data"),
            area=_area(a.fixed, b.fixed, out, lanes),
        )
        return Hardware((lanes, lanes), lanes, (pipe,))

    def unroll(self, build: Builder, *xs: Ints) -> Ints:
        """One product of two signals per element."""
        y = [
            build.product(int(a), int(b)) for a, b in zip(xs[0].ravel(), xs[1].ravel(), strict=True)
        ]
        return np.array(y, dtype=np.int64).reshape(xs[0].shape)

    def kernel(self, *ins: TensorType) -> Kernel:
        """Call ``multiply``."""
        return Kernel("multiply", (("size", ins[0].size),))

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        """Every pair of signs, every rank, one bit, more bits than a DSP block has, odd ends."""

        def make(label: str, shape: tuple[int, ...], a: str, b: str) -> Example:
            ins = tuple(TensorType.full(shape, FixedType.parse(text)) for text in (a, b))
            return Example(label, cls(), ins)

        def between(label: str, a: tuple[int, int], b: tuple[int, int]) -> Example:
            return Example(label, cls(), (TensorType((3, 2), 1, *a), TensorType((3, 2), 4, *b)))

        return (
            make("image", (4, 2, 3), "s8.4", "s8.4"),
            make("vector", (6,), "u8.4", "u8.8"),
            make("mixed-sign", (2, 5), "u8.4", "s8.2"),
            make("sign-mixed", (4, 2, 2), "s5.4", "u7.9"),
            make("one-bit", (3,), "u1.0", "u1.0"),
            make("one-bit-signs", (3,), "s1.0", "s1.0"),
            make("gate", (4, 3, 1), "u1.0", "s9.3"),
            make("one-element", (1,), "s8.0", "u8.-3"),
            make("a-block", (2, 2), "s18.10", "u17.14"),
            make("blocks", (2, 2, 2), "s30.10", "s24.14"),
            make("widest", (2,), "u31.0", "u31.0"),
            between("apart", (3, 9), (-20, -7)),
            between("negative", (-9, -1), (-5, 0)),
            between("odd", (-7, 100), (-3, 12)),
            between("constant", (5, 5), (-3, 12)),
        )


def _corners(a: TensorType, b: TensorType) -> list[int]:
    return [m * n for m in (a.lo, a.hi) for n in (b.lo, b.hi)]


def _area(a: FixedType, b: FixedType, out: int, lanes: int) -> Area:
    """Estimate DSP blocks of 18x18 bits, LUTs where a product has few bits, and the registers."""
    product = a.width + b.width
    small = product < 9 or min(a.width, b.width) < 2
    blocks = 0 if small else -(-a.width // 18) * -(-b.width // 18)
    luts = a.width * b.width if small else (blocks - 1) * product
    return Area(luts=luts * lanes, ffs=(2 * product + out) * lanes, dsps=blocks * lanes)
