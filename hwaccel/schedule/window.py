"""How ``hwa_window`` and ``hwa_window_list`` spend time."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hwaccel.ir.hardware import Window
from hwaccel.schedule.pauses import Pauses

if TYPE_CHECKING:
    from hwaccel.schedule.blocks import Link, Process

# Cycles from the step that completes a reduction to out_valid.
WINDOW_LATENCY = 2

Ints = NDArray[np.int64]
# Waits, output beats, reads of each, and what is free after them; see ``read_order``.
Waits = tuple[tuple[int, int], ...]
Reads = tuple[Waits, int, int, int]


def window_process(
    window: Window,
    source: Link,
    out: Link,
    depth: int,
    latency: int,
    frames: int,
    pauses: Pauses | None = None,
) -> Process:
    """Step through ``frames`` frames.

    ``depth`` is the number of credits, ``latency`` the cycles from a step that completes a
    reduction to the valid output of the segment. ``pauses`` is told when no step is made.
    """
    order = read_order(window.with_depth(0))
    moved_in, moved_out = source.moved, out.moved
    source.accept_all(0, min(window.depth, window.beats_in * frames))
    allowed, fire, produced = window.depth, before_first(window), 0
    pauses = pauses or Pauses()
    pauses.starve(0, fire)
    for frame in range(frames):
        base = frame * window.beats_in
        for waits, repeat, reads, freed in order:
            at = 0
            for offset, beat in waits:
                fire += offset - at
                at = offset
                while len(moved_in) <= base + beat:
                    yield source
                pauses.starve(fire + 1, moved_in[base + beat])
                fire = max(fire, moved_in[base + beat])
            for _ in range(repeat):
                fire += reads - at
                at = 0
                if produced >= depth:
                    while len(moved_out) <= produced - depth:
                        yield out
                    pauses.block(fire, moved_out[produced - depth])
                    fire = max(fire, moved_out[produced - depth] + 1)
                out.offer(fire + latency)
                produced += 1
            if freed >= 0:
                target = base + freed + window.depth
                source.accept_all(fire + 1, max(0, min(target, window.beats_in * frames) - allowed))
                allowed = max(allowed, target)


def before_first(window: Window) -> int:
    """Return the cycle before the first step; ``hwa_window_list`` has its own in cycle 3."""
    return -1 if window.kept is None else 2


@lru_cache(maxsize=64)
def read_order(window: Window) -> list[Reads]:
    """Return what the reads of a frame wait for and free.

    Each entry lists ``(offset in the reduction, input beat)`` where a read reaches a beat that no
    earlier read of the frame did; the number of output beats that read the same; the number of
    reads of each; and the number of input beats of the frame that are free after them, or -1
    where the window stays.
    """
    order: list[Reads] = []
    reached, read = -1, [np.array(beats) for beats in window.read()]
    for oy in range(window.out_height):
        for ox in range(window.out_width):
            taps = np.array(list(window.taps(oy, ox)), dtype=np.int64)
            for group in range(window.groups):
                first = group * window.group_beats
                beats = taps[:, None] * window.beats + first + np.arange(window.group_beats)
                beats[taps < 0] = -1
                flat, top = beats.ravel(), int(beats.max())
                # All repeats read the same, unless there is a list for each.
                listed = read[group * window.repeat :][: window.repeat] if read else [None]
                for number, places in enumerate(listed, 1):
                    some = flat if places is None else flat[places]
                    waits: Waits = ()
                    if reached < top:
                        waits, reached = _new_beats(some, reached)
                    if not order and some[0] < 0:
                        # Padding waits for the first beat of its frame.
                        waits = ((0, 0), *waits)
                    done = group == window.groups - 1 and number == len(listed)
                    freed = window.freed_after(oy, ox) if done else -1
                    order.append((waits, window.repeat // len(listed), some.size, freed))
    return order


@lru_cache(maxsize=64)
def flat_order(window: Window) -> tuple[Ints, int]:
    """Return the read order as ``native/timing.cpp`` takes it, and the number of its entries."""
    order = read_order(window)
    flat: list[int] = []
    for waits, *numbers in order:
        flat.append(len(waits))
        for wait in waits:
            flat += wait
        flat += numbers
    return np.array(flat, dtype=np.int64), len(order)


def _new_beats(
    beats: np.ndarray[tuple[int], np.dtype[np.int64]], reached: int
) -> tuple[Waits, int]:
    before = np.maximum.accumulate(np.concatenate(([reached], beats)))
    new = np.flatnonzero(beats > before[:-1])
    return tuple((int(i), int(beats[i])) for i in new), int(before[-1])
