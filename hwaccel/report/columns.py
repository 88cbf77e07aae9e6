"""Where a tall picture continues at the top of the next column."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations

ROWS = 4  # layers per column before another column is worth it
COLUMNS = 4
WORTH = 0.85  # what is left of the height when it is
LIMIT = 1330.0  # widest picture that a page shows well


def split_columns(
    heights: Sequence[float], breaks: Sequence[int], width: Callable[[range], float]
) -> tuple[range, ...]:
    """Split the layers into columns of about equal height that fit the page side by side.

    A column may begin with each layer of ``breaks``; ``width`` is that of a column. A further
    column must be worth it; one column is the answer to everything that does not fit.
    """
    count = len(heights)
    most = min(COLUMNS, -(-count // ROWS))
    best: tuple[range, ...] = (range(count),)
    tallest = sum(heights)
    for number in range(2, most + 1):
        found = _balanced(number, heights, breaks, width)
        if found and found[0] < WORTH * tallest:
            tallest, best = found
    return best


def _balanced(
    number: int, heights: Sequence[float], breaks: Sequence[int], width: Callable[[range], float]
) -> tuple[float, tuple[range, ...]] | None:
    """Return the height of the best ``number`` columns, and these; ``None`` where none fit."""
    options = []
    for starts in combinations(breaks, number - 1):
        pairs = zip((0, *starts), (*starts, len(heights)), strict=True)
        columns = tuple(range(a, b) for a, b in pairs)
        if sum(width(column) for column in columns) <= LIMIT:
            tall = [sum(heights[rank] for rank in column) for column in columns]
            options.append((max(tall), sum(t * t for t in tall), columns))
    best = min(options, key=lambda option: option[:2], default=None)
    return (best[0], best[2]) if best else None
