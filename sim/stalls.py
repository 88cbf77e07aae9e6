"""Seeded pause patterns for AXI-Stream sources and sinks: one boolean per clock cycle, for ever."""

from __future__ import annotations

import random
from collections.abc import Iterator

# Chance of a pause in any cycle.
RARE = 0.0625
SOME = 0.25
HEAVY = 0.8
# Mean length of a stretch of pauses and of a stretch without, in cycles.
BURST = 12
# Cycles of the one pause at the start, at least; at most twice as many.
START = 64


def none(rng: random.Random) -> Iterator[bool]:
    """Never pause."""
    while True:
        yield False


def rare(rng: random.Random) -> Iterator[bool]:
    """Pause once in a while."""
    while True:
        yield rng.random() < RARE


def some(rng: random.Random) -> Iterator[bool]:
    """Pause now and then."""
    while True:
        yield rng.random() < SOME


def heavy(rng: random.Random) -> Iterator[bool]:
    """Pause nearly always."""
    while True:
        yield rng.random() < HEAVY


def bursts(rng: random.Random) -> Iterator[bool]:
    """Pause for long stretches, then run for long stretches; most queues fill and drain."""
    while True:
        for pause in (False, True):
            for _ in range(rng.randint(1, 2 * BURST - 1)):
                yield pause


def alternate(rng: random.Random) -> Iterator[bool]:
    """Pause in every other cycle."""
    while True:
        yield False
        yield True


def start(rng: random.Random) -> Iterator[bool]:
    """Pause for long at the start, then never: all queues fill or run dry, then flow."""
    for _ in range(rng.randint(START, 2 * START)):
        yield True
    while True:
        yield False


PATTERNS = {
    "none": none,
    "rare": rare,
    "some": some,
    "heavy": heavy,
    "bursts": bursts,
    "alternate": alternate,
    "start": start,
}


def pauses(pattern: str, seed: int, stream: str) -> Iterator[bool] | None:
    """Return the pauses of one stream; ``None`` for a side that never waits.

    Streams of one run get independent patterns; the same seed always gives the same ones.
    """
    if pattern == "none":
        return None
    return PATTERNS[pattern](random.Random(f"{seed}/{stream}/{pattern}"))
