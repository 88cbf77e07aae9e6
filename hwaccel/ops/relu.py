"""Rectifier."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from hwaccel.circuit import Builder
from hwaccel.fxp import FixedType
from hwaccel.fxp.arith import Array, namespace
from hwaccel.ir.hardware import Area, Fold, Hardware, Kernel, Pipe
from hwaccel.ir.op import Example, Interval, Op
from hwaccel.ir.types import TensorType
from hwaccel.ops.family import Ints


@dataclass(frozen=True, slots=True)
class Relu(Op):
    """``y = max(x, 0)``."""

    name: ClassVar[str] = "relu"
    elementwise: ClassVar[bool] = True
    homogeneous: ClassVar[bool] = True

    def infer(self, *ins: TensorType) -> TensorType:
        """Return the operand's interval cut at zero."""
        (x,) = ins
        return TensorType(x.shape, x.frac, max(x.lo, 0), max(x.hi, 0))

    def intervals(self, ins: tuple[TensorType, ...], *operands: Interval) -> Interval:
        """Cut every channel at zero."""
        lo, hi = operands[0]
        return np.maximum(lo, 0), np.maximum(hi, 0)

    def golden(self, *xs: Array) -> Array:
        """Replace negative integers by zero."""
        (x,) = xs
        return namespace(x).where(x > 0, x, x * 0)

    @property
    def channelwise(self) -> bool:
        """Always."""
        return True

    def keep(self, operand: Ints, result: Ints) -> Relu:
        """Return the op itself: it treats all channels alike."""
        return self

    def hardware(self, ins: tuple[TensorType, ...], fold: Fold) -> Hardware:
        """One register per lane; wires where the operand is never negative."""
        (x,) = ins
        if x.lo >= 0:
            return Hardware((fold.pe,), fold.pe)
        out = self.infer(*ins).fixed.width
        params = (("LANES", fold.pe), ("IN_W", x.fixed.width), ("OUT_W", out))
        area = Area(luts=out * fold.pe, ffs=out * fold.pe)
        pipe = Pipe("hwa_relu", params, 1, fold.pe, out, area=area)
        return Hardware((fold.pe,), fold.pe, (pipe,))

    def unroll(self, build: Builder, *xs: Ints) -> Ints:
        """Clip at zero."""
        y = [build.clip(int(i), 0, max(0, build.nodes[i].hi)) for i in xs[0].ravel()]
        return np.array(y, dtype=np.int64).reshape(xs[0].shape)

    def kernel(self, *ins: TensorType) -> Kernel:
        """Call ``relu``."""
        return Kernel("relu", (("size", ins[0].size),))

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        """Every sign, several widths and ranks."""
        shapes = {
            "s8-vector": ((6,), "s8.4"),
            "s8-image": ((4, 2, 3), "s8.0"),
            "s1": ((4,), "s1.0"),
            "s2-sequence": ((2, 5), "s2.7"),
            "u8-identity": ((4,), "u8.8"),
            "s24": ((3, 2, 2), "s24.12"),
        }
        full = tuple(
            Example(label, cls(), (TensorType.full(shape, FixedType.parse(fixed)),))
            for label, (shape, fixed) in shapes.items()
        )
        return (
            *full,
            Example("all-negative", cls(), (TensorType((4,), 2, -9, -1),)),
            Example("odd-interval", cls(), (TensorType((5,), 0, -3, 100),)),
        )
