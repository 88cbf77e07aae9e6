"""Any function of one integer of few bits, element by element: activations by table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from hwaccel.circuit import Builder
from hwaccel.errors import ScheduleError, VerifyError
from hwaccel.fxp import FixedType, IntArray
from hwaccel.fxp.arith import Array, constant, namespace
from hwaccel.ir.hardware import Area, Fold, Hardware, Kernel, Pipe, Rom
from hwaccel.ir.op import Example, Interval, Op
from hwaccel.ir.types import TensorType
from hwaccel.ops.family import Ints, clog2, rom_area

_MOST = 1 << 16
# Beyond so many bits a table in logic is larger than anything it could replace.
_UNROLLED = 12


@dataclass(frozen=True, slots=True)
class Tabulate(Op):
    """``y = values[x - lo]``; the result counts in units of ``2^-frac``."""

    name: ClassVar[str] = "table"
    elementwise: ClassVar[bool] = True

    values: IntArray
    lo: int
    frac: int

    def verify(self, *ins: TensorType) -> None:
        """Check that there is a value for every integer of the operand."""
        Op.verify(self, *ins)
        if len(self.values.shape) != 1 or not 1 <= self.values.a.size <= _MOST:
            raise VerifyError(
                f"values have shape {self.values.shape}, expected one axis of 1 to {_MOST}; "
                "requantize the operand to fewer bits"
            )
        (x,) = ins
        hi = self.lo + self.values.a.size - 1
        if x.lo < self.lo or hi < x.hi:
            raise VerifyError(
                f"the table runs from {self.lo} to {hi}, the operand from {x.lo} to {x.hi}; "
                "requantize the operand, or give more entries"
            )

    def _part(self, lo: int, hi: int) -> Ints:
        """Return the values for operands in ``[lo, hi]``."""
        return self.values.a[lo - self.lo : hi - self.lo + 1]

    def infer(self, *ins: TensorType) -> TensorType:
        """Take the values that can occur."""
        (x,) = ins
        part = self._part(x.lo, x.hi)
        return TensorType(x.shape, self.frac, int(part.min()), int(part.max()))

    def intervals(self, ins: tuple[TensorType, ...], *operands: Interval) -> Interval:
        """Look at what can occur in every channel."""
        parts = [self._part(int(a), int(b)) for a, b in zip(*operands[0], strict=True)]
        return np.array([p.min() for p in parts]), np.array([p.max() for p in parts])

    def golden(self, *xs: Array) -> Array:
        """Look up."""
        (x,) = xs
        table = constant(self.values.a, x)
        if isinstance(x, np.ndarray):
            return table[x.astype(np.int64) - self.lo]
        xp = namespace(x)
        index = xp.astype(x, xp.int64) - self.lo
        return table[index]

    def bound(self, *ins: TensorType) -> int:
        """Bound operand and values."""
        lo, hi = self.values.range()
        return max(ins[0].magnitude, abs(lo), abs(hi), abs(self.lo))

    @property
    def channelwise(self) -> bool:
        """Always."""
        return True

    def keep(self, operand: Ints, result: Ints) -> Tabulate:
        """Return the op itself: it treats all channels alike."""
        return self

    def hardware(self, ins: tuple[TensorType, ...], fold: Fold) -> Hardware:
        """One ROM per lane, of the values that can occur."""
        (x,) = ins
        out, lanes = self.infer(x), fold.pe
        part = self._part(x.lo, x.hi)
        rom = Rom("TABLE", IntArray(part[:, None]), (out.fixed.width,))
        params = {
            "LANES": lanes,
            "IN_W": x.fixed.width,
            "LO": x.lo,
            "WORDS": part.size,
            "OUT_W": out.fixed.width,
        }
        one, index = rom_area(rom), clog2(part.size)
        area = Area(index * lanes, index * lanes)
        area += Area(one.luts * lanes, one.ffs * lanes, 0, one.rams * lanes)
        pipe = Pipe(
            "hwa_table", tuple(params.items()), 3, lanes, out.fixed.width, roms=(rom,), area=area
        )
        return Hardware((lanes,), lanes, (pipe,))

    def unroll(self, build: Builder, *xs: Ints) -> Ints:
        """One table per element."""
        y = []
        for number in xs[0].ravel():
            node = build.nodes[int(number)]
            if node.hi - node.lo >= 1 << _UNROLLED:
                raise ScheduleError(
                    f"{build.origin}: a table of {node.hi - node.lo + 1} entries in logic; "
                    f"use at most {_UNROLLED} bits in front of it, or style stream"
                )
            values = tuple(self._part(node.lo, node.hi).tolist())
            y.append(build.table(int(number), values))
        return np.array(y, dtype=np.int64).reshape(xs[0].shape)

    def kernel(self, *ins: TensorType) -> Kernel:
        """Call ``table`` with the values that can occur."""
        (x,) = ins
        part = IntArray(self._part(x.lo, x.hi))
        params = (("size", x.size), ("lo", x.lo), ("entries", part.a.size))
        return Kernel("table", params, (("values", part),))

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        """Signs, widths, ranks, tables longer than the operand, one entry."""

        def make(label: str, shape: tuple[int, ...], x: str, frac: int, bits: int) -> Example:
            type = TensorType.full(shape, FixedType.parse(x))
            grid = np.arange(type.lo, type.hi + 1) / 2.0**type.frac
            half = 1 << (bits - 1)
            values = np.clip(np.rint(np.tanh(grid) * half), -half, half - 1)
            return Example(label, cls(IntArray(values.astype(np.int64)), type.lo, frac), (type,))

        rng = np.random.default_rng(5)
        return (
            make("tanh", (4, 2, 3), "s8.5", 7, 8),
            make("vector", (6,), "s6.3", 5, 6),
            make("unsigned", (2, 5), "u7.4", 7, 8),
            make("fine", (2, 2), "s10.7", 15, 16),
            make("one-bit", (3,), "u1.0", 3, 4),
            make("sign-bit", (3,), "s1.0", 3, 4),
            Example("one-value", cls(IntArray([9]), 3, 0), (TensorType((2,), 0, 3, 3),)),
            Example(
                "part",
                cls(IntArray(rng.integers(-50, 500, 64)), -20, 2),
                (TensorType((3, 2), 1, -7, 12),),
            ),
            Example(
                "far",
                cls(IntArray([5, -1, 0, 7, 2]), 1 << 40, -3),
                (TensorType((2, 1, 2), 0, 1 << 40, (1 << 40) + 4),),
            ),
        )
