"""``TensorType``: shape and exact integer interval of a value."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from hwaccel.errors import VerifyError
from hwaccel.fxp import FixedType


@dataclass(frozen=True, slots=True)
class TensorType:
    """A tensor of fixed-point numbers, without the batch axis.

    ``shape`` is ``(C, H, W)``, ``(C, L)`` or ``(F,)``; every element is an integer in
    ``[lo, hi]`` standing for ``integer * 2^-frac``. The wire format follows from the interval.
    """

    shape: tuple[int, ...]
    frac: int
    lo: int
    hi: int

    def __post_init__(self) -> None:
        if not 1 <= len(self.shape) <= 3 or any(n < 1 for n in self.shape):
            raise VerifyError(
                f"shape {self.shape} is not (features,), (channels, length) or "
                "(channels, height, width) with positive sizes"
            )
        if self.lo > self.hi:
            raise VerifyError(f"empty interval [{self.lo}, {self.hi}]")

    @classmethod
    def full(cls, shape: tuple[int, ...], fixed: FixedType) -> TensorType:
        """Return the type whose elements use the whole range of ``fixed``."""
        return cls(shape, fixed.frac, fixed.lo, fixed.hi)

    @property
    def fixed(self) -> FixedType:
        """Narrowest format that holds the interval."""
        return FixedType.of_range(self.lo, self.hi, self.frac)

    @property
    def size(self) -> int:
        """Number of elements."""
        return prod(self.shape)

    @property
    def channels(self) -> int:
        """Size of the channel (or feature) axis."""
        return self.shape[0]

    @property
    def image(self) -> tuple[int, int]:
        """Height and width; a vector is one pixel, a sequence one row."""
        height, width = (1, 1, *self.shape[1:])[-2:]
        return height, width

    @property
    def magnitude(self) -> int:
        """Largest absolute integer."""
        return max(abs(self.lo), abs(self.hi))

    def reshaped(self, shape: tuple[int, ...]) -> TensorType:
        """Return the same numbers in another shape."""
        return TensorType(shape, self.frac, self.lo, self.hi)

    def __str__(self) -> str:
        size = "x".join(str(n) for n in self.shape)
        full = (self.lo, self.hi) == (self.fixed.lo, self.fixed.hi)
        return f"{size} {self.fixed}" + ("" if full else f" [{self.lo},{self.hi}]")
