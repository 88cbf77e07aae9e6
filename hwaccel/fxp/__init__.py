"""Fixed point: the ground everything stands on."""

from hwaccel.fxp.arith import Overflow, Rounding
from hwaccel.fxp.array import IntArray
from hwaccel.fxp.types import MAX_WIDTH, FixedType

__all__ = ["MAX_WIDTH", "FixedType", "IntArray", "Overflow", "Rounding"]
