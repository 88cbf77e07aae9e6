"""What an adder costs on a device with carry chains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

Interval = tuple[int, int]


@dataclass(frozen=True, slots=True)
class CostModel:
    """``fixed + bit * length`` LUTs for a carry chain, its length a multiple of ``granule``.

    Where ``ternary``, a chain adds three numbers as well as two.
    """

    name: str
    bit: float = 1.0
    fixed: float = 0.0
    granule: int = 1
    ternary: bool = False

    def chain(self, bits: int) -> float:
        """Return the cost of a carry chain of ``bits`` positions."""
        if bits <= 0:
            return 0.0
        return self.fixed + self.bit * (-(-bits // self.granule) * self.granule)


LUT6 = CostModel("lut6")
"""UltraScale+: one LUT per carry position."""

LUT6_THREE = CostModel("lut6-three", ternary=True)
"""UltraScale+ where a carry chain adds three numbers."""

LUT4 = CostModel("lut4", granule=2)
"""ECP5: a CCU2C holds two carry positions and takes two LUTs."""


def width(interval: Interval) -> int:
    """Return the bits of the code of an interval: two's complement if it holds a negative value."""
    lo, hi = interval
    if lo >= 0:
        return hi.bit_length()
    return max((-lo - 1).bit_length(), max(hi, 0).bit_length()) + 1


def chain_bits(a: Interval, b: Interval, shift: int, subtract: bool, result: Interval) -> int:
    """Return the carry positions of ``(a << max(0, -shift)) +/- (b << max(0, shift))``.

    The bits of the unshifted operand below the other one pass through, unless that operand is the
    one subtracted. A sum whose operands do not overlap is a concatenation, without a carry chain:
    the lower operand must not be negative, whereas the upper one keeps its sign.
    """
    if result[0] == result[1]:
        return 0
    low = a if shift >= 0 else b
    if shift < 0 and subtract:
        return width(result)
    if not subtract and low[0] >= 0 and width(low) <= abs(shift):
        return 0
    return max(0, width(result) - abs(shift))


def adder_cost(
    model: CostModel, a: Interval, b: Interval, shift: int, subtract: bool, result: Interval
) -> float:
    """Return the cost of one adder; ``result`` is the interval of its value."""
    return model.chain(chain_bits(a, b, shift, subtract, result))


def ternary_cost(model: CostModel, terms: Sequence[tuple[int, bool]], result: Interval) -> float:
    """Return the cost of a chain that adds three ``terms``: shift up, subtracted or not.

    Below the second lowest term the lowest one passes, unless it is subtracted.
    """
    (lowest, negated), (second, _), _ = sorted(terms)
    if result[0] == result[1]:
        return 0.0
    return model.chain(width(result) - (lowest if negated else second))


def negation_cost(model: CostModel, value: Interval) -> float:
    """Return the cost of negating a value of this interval."""
    lo, hi = value
    return 0.0 if lo == hi else model.chain(width((-hi, -lo)))
