"""Domination, gains and volumes against their definitions."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwaccel.pareto import dominates, gain, hypervolume, nondominated

Points = list[tuple[int, ...]]


def points(axes: int) -> st.SearchStrategy[Points]:
    return st.lists(st.tuples(*[st.integers(1, 6)] * axes), max_size=8)


@given(st.integers(1, 4).flatmap(points))
def test_the_front_is_what_nothing_dominates(found: Points) -> None:
    front = nondominated(found)
    best = {p for p in found if not any(dominates(q, p) for q in found)}
    assert {found[at] for at in front} == best
    assert len(front) == len(best)
    assert all(found.index(found[at]) == at for at in front)


@given(st.integers(1, 3).flatmap(points))
def test_the_volume_is_the_number_of_boxes(found: Points) -> None:
    axes = len(found[0]) if found else 1
    powers = [tuple(2.0**x for x in p) for p in found]
    grid = itertools.product(range(1, 5), repeat=axes)
    boxes = sum(
        any(all(x <= g for x, g in zip(p, box, strict=True)) for p in found) for box in grid
    )
    volume = hypervolume(powers, [2.0**5] * axes)
    assert volume == pytest.approx(boxes * math.log(2) ** axes)


@given(points(3).filter(bool), st.tuples(*[st.integers(1, 6)] * 3))
def test_a_gain_says_whether_somebody_is_as_good(found: Points, point: tuple[int, ...]) -> None:
    value = gain(point, found)
    beaten = any(all(x <= y for x, y in zip(p, point, strict=True)) for p in found)
    assert (value <= 0) == beaten
    scaled = [tuple(x * math.exp(-value) for x in p) for p in found]
    assert gain(point, [tuple(x * math.exp(value) for x in p) for p in scaled]) == pytest.approx(
        value
    )


def test_nothing_is_known() -> None:
    assert nondominated([]) == []
    assert gain((1.0,), []) == np.inf
    assert hypervolume([], (2.0, 2.0)) == 0
    assert hypervolume([(3.0, 1.0)], (2.0, 2.0)) == 0
