"""How numbers and names are written in a report."""

from __future__ import annotations

from collections.abc import Sequence

from hwaccel.ir import TensorType

NONE = "–"
_STEPS = (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6), ("ns", 1e-9))


def clean(text: str, limit: int = 200) -> str:
    """Return an untrusted name on one line, without characters that cannot be seen."""
    shown = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def count(value: int | None) -> str:
    """Write an integer with thousands separators."""
    return NONE if value is None else f"{value:,}"


def percent(share: float, digits: int = 1) -> str:
    """Write a share of one."""
    return f"{100 * share:.{digits}f} %"


def duration(seconds: float) -> str:
    """Write a time with three digits and a fitting unit; minutes from two of them on."""
    if seconds >= 120:
        minutes, rest = divmod(round(seconds), 60)
        return f"{minutes} min {rest} s"
    for unit, step in _STEPS:
        if seconds >= step or unit == "ns":
            return f"{_three(seconds / step)} {unit}"
    raise AssertionError("unreachable")


def rate(per_second: float) -> str:
    """Write frames per second with three digits, or as a whole number below ten million."""
    if per_second >= 1e7:
        return f"{_three(per_second / 1e6)} M"
    return count(round(per_second)) if per_second >= 100 else _three(per_second)


def megahertz(value: float) -> str:
    """Write a frequency with at most one decimal."""
    return f"{value:,.1f}".removesuffix(".0")


def shape_of(type: TensorType) -> str:
    """Write the shape of a tensor: ``16×8×8``."""
    return "×".join(str(n) for n in type.shape)


def plural(value: int, noun: str) -> str:
    """Write a count and its noun."""
    return f"{count(value)} {noun}{'' if value == 1 else 's'}"


def every(cycles: int) -> str:
    """Write how often something happens."""
    return "every cycle" if cycles == 1 else f"every {cycles:,} cycles"


def shorten(text: str, limit: int) -> str:
    """Cut the middle out of a text that is too long for its place."""
    if len(text) <= limit:
        return text
    head = (limit - 1) * 2 // 3
    return f"{text[:head]}…{text[len(text) - (limit - 1 - head) :]}"


def short_names(names: Sequence[str], limit: int) -> dict[str, str]:
    """Return a text of at most ``limit`` characters for each name.

    What all the long names begin with is cut first, so that they stay apart.
    """
    long = sorted({name for name in names if len(name) > limit})
    cut = _shared(long[0], long[-1]) if len(long) > 1 else 0
    short = {name: f"…{name[cut:]}" if cut > 3 and name in long else name for name in names}
    return {name: shorten(text, limit) for name, text in short.items()}


def _shared(first: str, last: str) -> int:
    """Count the characters that two texts begin with, and so all that sort between them."""
    pairs = zip(first, last, strict=False)
    return next((k for k, (a, b) in enumerate(pairs) if a != b), min(len(first), len(last)))


def listed(words: Sequence[str]) -> str:
    """Join words by commas, or write a dash."""
    return ", ".join(words) or NONE


def _three(value: float) -> str:
    digits = 2 if value < 10 else 1 if value < 100 else 0
    return f"{value:,.{digits}f}"
