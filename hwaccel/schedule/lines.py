"""How ``hwa_lines`` spends time."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hwaccel.ir.lines import Lines
from hwaccel.schedule.pauses import Pauses

if TYPE_CHECKING:
    from hwaccel.schedule.blocks import Link, Process

# Cycles from the step of hwa_lines that completes a window to its out_valid.
LINES_LATENCY = 2


def lines_process(
    lines: Lines,
    source: Link,
    out: Link,
    depth: int,
    latency: int,
    frames: int,
    pauses: Pauses | None = None,
) -> Process:
    """Step through ``frames`` frames.

    ``depth`` is the number of credits, ``latency`` the cycles from a step that completes a
    window to the valid output of the segment. ``pauses`` is told when no step is made.
    """
    steps = list(lines.steps())
    moved_in, moved_out = source.moved, out.moved
    places, total = lines.rows * lines.width, lines.beats_in * frames
    for _ in range(min(places, total)):
        source.accept(0)
    allowed, now, produced = places, -1, 0
    pauses = pauses or Pauses()
    for base in range(0, total, lines.beats_in):
        for need, fires, freed in steps:
            while len(moved_in) <= base + need:
                yield source
            pauses.starve(now + 1, moved_in[base + need])
            now = max(now, moved_in[base + need]) + 1
            if fires:
                if produced >= depth:
                    while len(moved_out) <= produced - depth:
                        yield out
                    pauses.block(now, moved_out[produced - depth])
                    now = max(now, moved_out[produced - depth] + 1)
                out.offer(now + latency)
                produced += 1
            target = base + freed + places
            for _ in range(allowed, min(target, total)):
                source.accept(now + 1)
            allowed = max(allowed, target)


@lru_cache(maxsize=64)
def lines_steps(lines: Lines) -> NDArray[np.int64]:
    """Return need, fires and freed of every step of a frame, one step after the other."""
    return np.array(list(lines.steps()), dtype=np.int64).ravel()
