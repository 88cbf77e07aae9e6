"""The arithmetic of ``docs/reference/numbers.md`` and ``ir.md`` once more, in integers of Python.

Nothing of hwaccel is used here: what these functions give is what every executor is compared with.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import cache
from math import floor

Format = tuple[bool, int]  # with a sign, and how many bits


def ends(format: Format) -> tuple[int, int]:
    """Smallest and largest integer of a format."""
    signed, width = format
    return (-(2 ** (width - 1)), 2 ** (width - 1) - 1) if signed else (0, 2**width - 1)


def integers(format: Format) -> list[int]:
    """Every integer of a format, in the order of their bit patterns as unsigned numbers."""
    lo, hi = ends(format)
    return [*range(hi + 1), *range(lo, 0)]


FORMATS: list[Format] = [(signed, width) for width in range(1, 9) for signed in (False, True)]


@cache
def rounded(x: int, shift: int, mode: str) -> int:
    """``x * 2^-shift`` rounded: down, to the nearest with halves up, or with halves to even."""
    exact = Fraction(x) / Fraction(2) ** shift
    if mode == "floor":
        return floor(exact)
    if mode == "half_up":
        return floor(exact + Fraction(1, 2))
    assert mode == "half_even"
    below = floor(exact)
    over = exact - below
    if over == Fraction(1, 2):
        return below if below % 2 == 0 else below + 1
    return below if over < Fraction(1, 2) else below + 1


def limited(value: int, lo: int, hi: int, overflow: str) -> int:
    """Out of range: the nearest end, or the integer with the same low bits."""
    if overflow == "saturate":
        return lo if value < lo else hi if value > hi else value
    assert overflow == "wrap"
    while value < lo:
        value += hi - lo + 1
    while value > hi:
        value -= hi - lo + 1
    return value


def requant(
    xs: Sequence[int], shift: int, lo: int, hi: int, rounding: str, overflow: str
) -> list[int]:
    return [limited(rounded(x, shift, rounding), lo, hi, overflow) for x in xs]


def pairs(a: Format, b: Format) -> tuple[list[int], list[int]]:
    """Every pair of integers of two formats, side by side; the first one runs fastest."""
    left, right = integers(a), integers(b)
    return left * len(right), [y for y in right for _ in left]


def add(a: Sequence[int], b: Sequence[int], a_shift: int, b_shift: int, minus: bool) -> list[int]:
    p, q = 2**a_shift, 2**b_shift
    if minus:
        q = -q
    return [x * p + y * q for x, y in zip(a, b, strict=True)]


def multiply(a: Sequence[int], b: Sequence[int]) -> list[int]:
    return [x * y for x, y in zip(a, b, strict=True)]


def minmax(
    a: Sequence[int], b: Sequence[int], a_shift: int, b_shift: int, largest: bool
) -> list[int]:
    p, q = 2**a_shift, 2**b_shift
    aligned = [(x * p, y * q) for x, y in zip(a, b, strict=True)]
    if largest:
        return [x if x > y else y for x, y in aligned]
    return [x if x < y else y for x, y in aligned]


def relu(xs: Sequence[int]) -> list[int]:
    return [x if x > 0 else 0 for x in xs]


def scale(xs: Sequence[int], mult: Sequence[int], add: Sequence[int]) -> list[list[int]]:
    """One row for each operand, one column for each channel."""
    constants = list(zip(mult, add, strict=True))
    return [[x * m + a for m, a in constants] for x in xs]


def table(xs: Sequence[int], entries: Callable[[int], int]) -> list[int]:
    return [entries(x) for x in xs]


def quantized(x: Fraction, frac: int, lo: int, hi: int) -> int:
    """``clip(round_half_even(x * 2^frac), lo, hi)``."""
    value = x * Fraction(2) ** frac
    below = floor(value)
    over = value - below
    up = over > Fraction(1, 2) or (over == Fraction(1, 2) and below % 2 == 1)
    return limited(below + up, lo, hi, "saturate")


def narrowest(lo: int, hi: int) -> Format:
    """The format of fewest bits that holds both: with a sign only where that is needed."""
    width = 1
    while True:
        for signed in (False, True):
            least, most = ends((signed, width))
            if signed == (lo < 0) and least <= lo and hi <= most:
                return signed, width
        width += 1
