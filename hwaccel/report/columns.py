"""Where a tall picture may continue in the next column."""

from __future__ import annotations

from collections.abc import Sequence

ROWS = 4  # layers per column before another column is worth it
COLUMNS = 4


def split_columns(ranks: Sequence[object], crossings: Sequence[int]) -> list[range]:
    """Split the layers into columns of about equal height.

    A column ends only where one edge alone leads on (``crossings[k]`` counts those between
    layers ``k`` and ``k + 1``); without such a place the picture stays in one column.
    """
    count = len(ranks)
    cuts = [k + 1 for k, edges in enumerate(crossings) if edges == 1]
    columns = min(COLUMNS, -(-count // ROWS))
    ends = [0]
    for number in range(1, columns):
        ideal = number * count / columns
        later = [cut for cut in cuts if cut > ends[-1]]
        nearest = min(later, key=lambda cut: (abs(cut - ideal), cut), default=None)
        if nearest is not None:
            ends.append(nearest)
    return [range(a, b) for a, b in zip(ends, [*ends[1:], count], strict=True)]
