"""The contract of an op: one file under ``hwaccel/ops`` answers every question about it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from hwaccel.errors import VerifyError
from hwaccel.fxp.arith import Array
from hwaccel.ir.hardware import Fold, Hardware, Kernel
from hwaccel.ir.types import TensorType


@dataclass(frozen=True, slots=True)
class Example:
    """A small instance of an op for the contract test."""

    label: str
    op: Op
    ins: tuple[TensorType, ...]


@dataclass(frozen=True, slots=True)
class Op(ABC):
    """Base of all ops. Subclasses are frozen dataclasses; their fields are static attributes."""

    name: ClassVar[str]
    # Works element by element on one operand: joins the segment of its producer.
    elementwise: ClassVar[bool] = False
    arity: ClassVar[int] = 1

    def verify(self, *ins: TensorType) -> None:
        """Raise ``VerifyError`` unless the op is legal for operands of these types."""
        if len(ins) != self.arity:
            raise VerifyError(f"{self.name} takes {self.arity} operands, found {len(ins)}")

    @abstractmethod
    def infer(self, *ins: TensorType) -> TensorType:
        """Return the exact type of the result."""

    @abstractmethod
    def golden(self, *xs: Array) -> Array:
        """Return the result for batches ``(N, *shape)`` of integers. This is what the op means."""

    def bound(self, *ins: TensorType) -> int:
        """Return a bound on every intermediate of ``golden``; it picks the carrier."""
        return max(t.magnitude for t in (*ins, self.infer(*ins)))

    def multiplications(self, *ins: TensorType) -> int:
        """Return the multiplications per frame."""
        return 0

    def folds(self, *ins: TensorType) -> tuple[Fold, ...]:
        """Return the legal parallelisms, slowest first.

        An elementwise op takes any number of lanes that divides the channels; inside a segment
        it follows its producer.
        """
        if not self.elementwise:
            return (Fold(),)
        channels = ins[0].channels
        return tuple(Fold(n, 1) for n in range(1, channels + 1) if channels % n == 0)

    # --- algebra, for passes; the defaults are right for any op, and promise nothing --------------

    @property
    def channelwise(self) -> bool:
        """Tell whether each channel of the result depends on that channel of the operands only."""
        return False

    def take(self, channels: NDArray[np.int64]) -> Op | None:
        """Return the channelwise op for these channels of operand and result, in this order."""
        return None

    def take_inputs(self, channels: NDArray[np.int64]) -> Op | None:
        """Return the op that reads these channels, in this order, and lacks the other terms."""
        return None

    @abstractmethod
    def hardware(self, ins: tuple[TensorType, ...], fold: Fold) -> Hardware:
        """Return the hardware at parallelism ``fold``."""

    @abstractmethod
    def kernel(self, *ins: TensorType) -> Kernel:
        """Return the C++ library call that computes one frame."""

    @classmethod
    @abstractmethod
    def examples(cls) -> tuple[Example, ...]:
        """Return small instances, edge cases included."""
