"""``FixedType``: how an integer in a wire stands for a number."""

from __future__ import annotations

import re
from dataclasses import dataclass

from hwaccel.errors import ConfigError

# int64 carries every value of the golden model; one bit is left for rounding offsets.
MAX_WIDTH = 62

_TEXT = re.compile(r"([su])([0-9]{1,3})\.(-?[0-9]{1,4})")


@dataclass(frozen=True, slots=True)
class FixedType:
    """A fixed-point format: value = integer * 2^-frac. Written ``s8.4`` or ``u8.8``.

    ``frac`` may be negative or larger than ``width``.
    """

    signed: bool
    width: int
    frac: int

    def __post_init__(self) -> None:
        if not 1 <= self.width <= MAX_WIDTH:
            raise ConfigError(
                f"fixed-point width {self.width} is not between 1 and {MAX_WIDTH} bits; "
                "use fewer bits or a smaller range"
            )

    @property
    def lo(self) -> int:
        """Smallest integer of the format."""
        return -(1 << (self.width - 1)) if self.signed else 0

    @property
    def hi(self) -> int:
        """Largest integer of the format."""
        return (1 << (self.width - self.signed)) - 1

    @property
    def step(self) -> float:
        """Value of one least significant bit."""
        return 2.0**-self.frac

    def holds(self, lo: int, hi: int) -> bool:
        """Tell whether every integer of ``[lo, hi]`` fits."""
        return self.lo <= lo and hi <= self.hi

    @classmethod
    def of_range(cls, lo: int, hi: int, frac: int) -> FixedType:
        """Return the narrowest format that holds the integers ``lo`` to ``hi``.

        Raises:
            ConfigError: more than 62 bits would be needed.
        """
        signed = lo < 0
        width = max(hi, -lo - 1).bit_length() + 1 if signed else max(1, hi.bit_length())
        return cls(signed, width, frac)

    def union(self, other: FixedType) -> FixedType:
        """Return the narrowest format that holds every value of both."""
        frac = max(self.frac, other.frac)
        a, b = frac - self.frac, frac - other.frac
        return FixedType.of_range(
            min(self.lo << a, other.lo << b), max(self.hi << a, other.hi << b), frac
        )

    def product(self, other: FixedType) -> FixedType:
        """Return the narrowest format that holds every product."""
        corners = [x * y for x in (self.lo, self.hi) for y in (other.lo, other.hi)]
        return FixedType.of_range(min(corners), max(corners), self.frac + other.frac)

    def sum(self, other: FixedType) -> FixedType:
        """Return the narrowest format that holds every sum."""
        frac = max(self.frac, other.frac)
        a, b = frac - self.frac, frac - other.frac
        return FixedType.of_range(
            (self.lo << a) + (other.lo << b), (self.hi << a) + (other.hi << b), frac
        )

    @classmethod
    def parse(cls, text: str) -> FixedType:
        """Read ``s8.4``.

        Raises:
            ConfigError: the text is not a format.
        """
        match = _TEXT.fullmatch(text)
        if match is None:
            raise ConfigError(f"{text!r} is not a fixed-point format; write it like s8.4 or u8.8")
        return cls(match[1] == "s", int(match[2]), int(match[3]))

    def __str__(self) -> str:
        return f"{'s' if self.signed else 'u'}{self.width}.{self.frac}"
