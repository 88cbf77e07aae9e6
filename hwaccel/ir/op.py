"""The contract of an op: one file under ``hwaccel/ops`` answers every question about it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from hwaccel.circuit import Builder
from hwaccel.errors import VerifyError
from hwaccel.fxp.arith import Array
from hwaccel.ir.hardware import Fold, Hardware, Kernel, Multiplier
from hwaccel.ir.lines import Lines
from hwaccel.ir.types import TensorType

Ints = NDArray[np.int64]

# Smallest and largest integer of every channel, two arrays ``(C,)``.
Interval = tuple[Ints, Ints]


def uniform(x: TensorType) -> Interval:
    """Return the interval of ``x`` for every channel."""
    return np.full(x.channels, x.lo), np.full(x.channels, x.hi)


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
    # The result is made of the operand's elements, unchanged, in another shape.
    renames: ClassVar[bool] = False
    arity: ClassVar[int] = 1
    # ``f(2^k * x) = 2^k * f(x)``.
    homogeneous: ClassVar[bool] = False

    def verify(self, *ins: TensorType) -> None:
        """Raise ``VerifyError`` unless the op is legal for operands of these types."""
        if len(ins) != self.arity:
            raise VerifyError(f"{self.name} takes {self.arity} operands, found {len(ins)}")

    def holds(self, *ins: TensorType) -> bool:
        """Tell whether the operands' formats hold the constants that stand between elements.

        This is the one rule that narrower operands may break; passes see to it that they do not.
        """
        return True

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

    def additions(self, *ins: TensorType) -> int:
        """Return the additions and subtractions per frame; a sum of n numbers takes n - 1."""
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

    def packing(self, ins: tuple[TensorType, ...], fold: Fold, multiplier: Multiplier) -> int:
        """Return how many outputs of ``fold`` can share one ``multiplier``, 1 where none can."""
        return 1

    # --- algebra: what passes ask; the defaults promise nothing ----------------------------------

    def intervals(self, ins: tuple[TensorType, ...], *operands: Interval) -> Interval:
        """Return the interval of every result channel from those of the operand channels."""
        return uniform(self.infer(*ins))

    def canonical(self, inputs: tuple[str, ...]) -> tuple[Op, tuple[str, ...]]:
        """Return op and operands in the one order all equal computations share."""
        return self, inputs

    @property
    def channelwise(self) -> bool:
        """Tell whether each channel of the result depends on that channel of the operands only."""
        return False

    def ties(self, *ins: TensorType) -> Ints | None:
        """Return the pairs (operand channel, result channel) that only go together, ``(n, 2)``.

        A channel in no pair may go alone. ``None``: all channels must stay.
        """
        if not self.channelwise:
            return None
        return np.repeat(np.arange(ins[0].channels)[:, None], 2, axis=1)

    def needs(self, x: TensorType, constant: Ints, known: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Tell which operand channels must stay although they are in no pair.

        Channel ``c`` is always ``constant[c]`` where ``known[c]``; ``absorb`` can take it up.
        """
        return np.zeros(x.channels, dtype=np.bool_)

    def absorb(self, constant: Ints) -> Op:
        """Return the op whose operand is ``constant`` less: ``absorb(c)(x - c) = self(x)``."""
        return self

    def keep(self, operand: Ints, result: Ints) -> Op | None:
        """Return the op for ``x[:, operand]`` that gives ``y[:, result]``; ``None``: there is none.

        What is left out of the operand is zero, or belongs to what is left out of the result.
        """
        return None

    def factor(self) -> int:
        """Return a ``k`` for which ``2^k`` divides every result; 0 when none is known."""
        return 0

    def divided(self, k: int) -> Op:
        """Return the op of the same values in integers ``2^k`` times smaller; ``k <= factor()``."""
        return self

    @abstractmethod
    def hardware(self, ins: tuple[TensorType, ...], fold: Fold) -> Hardware:
        """Return the hardware at parallelism ``fold``."""

    @abstractmethod
    def unroll(self, build: Builder, *xs: Ints) -> Ints:
        """Describe every element of the result with logic of its own.

        Arrays hold numbers of circuit nodes and have the shape of the tensor.
        """

    def pixel(self, *ins: TensorType) -> tuple[Lines | None, Op]:
        """Return the line buffer, and the op that makes one pixel from what it presents.

        That is a tensor ``(C, KH, KW)`` for a line buffer with a kernel of that size, and one
        pixel ``(C, 1, 1)`` of every operand without one.
        """
        return None, self

    @abstractmethod
    def kernel(self, *ins: TensorType) -> Kernel:
        """Return the C++ library call that computes one frame."""

    @classmethod
    @abstractmethod
    def examples(cls) -> tuple[Example, ...]:
        """Return small instances, edge cases included."""
