"""Bit vectors of Verilog text: slices, extensions, comparisons with constants.

Every text has exactly the width asked for, so that the signs of operands never matter: what is
extended is extended in braces.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(slots=True)
class Net:
    """A declared vector; its lowest ``zeros`` bits are known to be 0. ``read`` marks bits read."""

    name: str
    width: int
    signed: bool
    zeros: int = 0
    read: int = field(default=0, compare=False)

    def bits(self, low: int, width: int) -> str:
        """Return bits ``low`` to ``low + width - 1`` of the integer, extended where needed."""
        top = low + width
        pieces = []
        if top > self.width:
            pieces.append(self._extension(top - max(low, self.width)))
        if low < self.width:
            pieces.append(self._slice(min(top, self.width) - 1, low))
        return joined(pieces)

    @property
    def sign(self) -> str:
        """The sign bit."""
        return self._slice(self.width - 1, self.width - 1)

    def above(self, width: int) -> bool:
        """Tell whether bits from ``width`` on may differ from 0."""
        return self.signed or self.width > width

    def _extension(self, count: int) -> str:
        if not self.signed:
            return zeros(count)
        return self.sign if count == 1 else f"{{{count}{{{self.sign}}}}}"

    def _slice(self, high: int, low: int) -> str:
        self.read |= (1 << (high + 1)) - (1 << low)
        if self.width == high - low + 1:
            return self.name
        return f"{self.name}[{high}]" if high == low else f"{self.name}[{high}:{low}]"

    def unread(self) -> list[str]:
        """Return the bits that nothing reads."""
        found, low = [], 0
        while low < self.width:
            high = low
            while high < self.width and not self.read >> high & 1:
                high += 1
            if high > low:
                found.append(self._slice(high - 1, low))
            low = high + 1
        return found


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant in the place of a vector."""

    value: int

    @property
    def zeros(self) -> int:
        """Number of lowest bits that are 0."""
        return (self.value & -self.value).bit_length() - 1 if self.value else 64

    def bits(self, low: int, width: int) -> str:
        """Return bits ``low`` to ``low + width - 1``."""
        return literal(self.value >> low, width)

    def above(self, width: int) -> bool:
        """Tell whether bits from ``width`` on differ from 0."""
        return self.value >> width != 0


def literal(value: int, width: int) -> str:
    """Return the low ``width`` bits of ``value``, negative where the highest of them is set."""
    pattern = value & ((1 << width) - 1)
    if width > 1 and pattern >> (width - 1) and value < 0:
        return f"-{width}'d{(1 << width) - pattern}"
    return f"{width}'d{pattern}"


def zeros(count: int) -> str:
    """Return ``count`` zeros."""
    return f"{count}'d0"


def joined(pieces: Iterable[str]) -> str:
    """Concatenate, highest first."""
    found = list(pieces)
    return found[0] if len(found) == 1 else f"{{{', '.join(found)}}}"


def shifted(x: Net | Literal, up: int, low: int, width: int) -> str:
    """Return bits ``low`` to ``low + width - 1`` of ``x << up``."""
    if low >= up:
        return x.bits(low - up, width)
    empty = min(up - low, width)
    if empty == width:
        return zeros(width)
    return joined([x.bits(0, width - empty), zeros(empty)])


# Runs of equal bits in a bound, up to which a comparison is written in gates.
_RUNS = 9


def exceeds(x: Net, bound: int) -> str:
    """Return a condition for ``x > bound``, in gates where that is short: no carry chain."""
    width = x.width - x.signed
    below = bound < 0
    if len(_runs(bound, width)) > _RUNS:
        return _compared(x, ">", bound)
    magnitude = _over(x, width, bound + (1 << width) if below else bound)
    if not x.signed:
        return "1'b1" if below else magnitude
    if below:
        return _either(f"~{x.sign}", magnitude)
    return _both(f"~{x.sign}", magnitude)


def falls_below(x: Net, bound: int) -> str:
    """Return a condition for ``x < bound``."""
    if x.signed and bound == 0:
        return x.sign
    width = x.width - x.signed
    negative = bound < 0
    if len(_runs(bound, width)) > _RUNS:
        return _compared(x, "<", bound)
    magnitude = _under(x, width, bound)
    if not x.signed:
        return "1'b0" if negative else magnitude
    return _both(x.sign, magnitude) if negative else _either(x.sign, magnitude)


def _compared(x: Net, operator: str, bound: int) -> str:
    number = f"{x.width}'{'sd' if x.signed else 'd'}{abs(bound)}"
    return f"{x.bits(0, x.width)} {operator} {'-' if bound < 0 else ''}{number}"


def _over(x: Net, width: int, bound: int) -> str:
    """The low ``width`` bits of ``x``, unsigned, are more than ``bound``."""
    if bound < 0:
        return "1'b1"
    if bound >= (1 << width) - 1:
        return "1'b0"
    text = "1'b0"
    for high, low, one in _runs(bound, width):
        if one and text == "1'b0":
            continue
        bits = x.bits(low, high - low + 1)
        bits = bits if high == low else f"{'&' if one else '|'}{bits}"
        text = _both(bits, text) if one else _either(bits, text)
    return text


def _under(x: Net, width: int, bound: int) -> str:
    """The low ``width`` bits of ``x`` are less than ``bound``, or than those of a negative one."""
    if bound > (1 << width) - 1:
        return "1'b1"
    text = "1'b0"
    for high, low, one in _runs(bound, width):
        if not one and text == "1'b0":
            continue
        bits = x.bits(low, high - low + 1)
        bits = f"~{bits}" if high == low else f"~{'&' if one else '|'}{bits}"
        text = _either(bits, text) if one else _both(bits, text)
    return text


def _runs(value: int, width: int) -> list[tuple[int, int, bool]]:
    """Return the runs of equal bits as (high, low, whether ones), lowest first."""
    runs: list[tuple[int, int, bool]] = []
    for place in range(width):
        one = bool(value >> place & 1)
        if runs and runs[-1][2] == one:
            runs[-1] = (place, runs[-1][1], one)
        else:
            runs.append((place, place, one))
    return runs


def _both(a: str, b: str) -> str:
    if "1'b0" in (a, b):
        return "1'b0"
    return _join("&", a, b, "1'b1")


def _either(a: str, b: str) -> str:
    if "1'b1" in (a, b):
        return "1'b1"
    return _join("|", a, b, "1'b0")


def _join(operator: str, a: str, b: str, neutral: str) -> str:
    if neutral in (a, b):
        return a if b == neutral else b
    return f"{_grouped(a)} {operator} {_grouped(b)}"


def _grouped(text: str) -> str:
    simple = " " not in text and text[0] not in "&|" and not text.startswith(("~&", "~|"))
    return text if simple else f"({text})"
