"""Pause patterns: reproducible, independent, and as busy as their names say."""

from __future__ import annotations

import random
from itertools import groupby, islice

import pytest
from stalls import BURST, HEAVY, PATTERNS, RARE, SOME, START, pauses

from hwaccel.verify import jobs

COUNT = 20_000


def _take(pattern: str, seed: int = 1, stream: str = "s_axis") -> list[bool]:
    generator = pauses(pattern, seed, stream)
    assert generator is not None
    return list(islice(generator, COUNT))


def test_names_are_those_that_the_package_accepts():
    assert tuple(PATTERNS) == jobs.PATTERNS


def test_none_needs_no_generator():
    assert pauses("none", 1, "s_axis") is None
    assert not any(islice(PATTERNS["none"](random.Random(1)), 100))


@pytest.mark.parametrize(
    ("pattern", "share"),
    [("rare", RARE), ("some", SOME), ("heavy", HEAVY), ("bursts", 0.5), ("alternate", 0.5)],
)
def test_share_of_pauses(pattern, share):
    assert abs(sum(_take(pattern)) / COUNT - share) < 0.03


def test_bursts_are_long():
    lengths = [len(list(run)) for _, run in groupby(_take("bursts"))]
    assert 0.9 * BURST < sum(lengths) / len(lengths) < 1.1 * BURST
    assert max(lengths) <= 2 * BURST - 1


def test_start_is_one_long_pause():
    (pause, length), (rest, _) = [(key, len(list(run))) for key, run in groupby(_take("start"))]
    assert pause
    assert START <= length <= 2 * START
    assert not rest


@pytest.mark.parametrize("pattern", ["rare", "some", "heavy", "bursts", "start"])
def test_seed_and_stream_decide(pattern):
    first = _take(pattern)
    assert _take(pattern) == first
    assert _take(pattern, seed=2) != first
    assert _take(pattern, stream="m_axis") != first
