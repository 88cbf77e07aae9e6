"""The search is repeatable, never tries a point twice, and finds what an exhaustive one finds."""

from __future__ import annotations

import itertools
import math

import msgspec
import numpy as np
import pytest

from hwaccel.compress.cost import Cost
from hwaccel.config import Config
from hwaccel.explore.goal import Facts, Goal
from hwaccel.explore.guess import Guess, Seen
from hwaccel.explore.search import Search
from hwaccel.explore.space import Point, Space, Wishes, space_of
from hwaccel.pareto import hypervolume
from tests.explore.fake_worker import predicted
from tests.report.designs import mlp

GOAL = Goal(("latency", "lut"))


def streams(**wishes) -> Space:
    return space_of(mlp(), Config(), Wishes(styles=("stream",), **wishes))


def tried(space: Space, point: Point) -> Seen:
    facts, layers = predicted(msgspec.to_builtins(space.config(point)))
    return Seen(point, msgspec.convert(facts, Facts), msgspec.convert(layers, dict[str, Cost]))


def searched(space: Space, budget: int, seed: int = 0, goal: Goal = GOAL) -> list[Seen]:
    search, seen = Search(space, goal, seed), list[Seen]()
    while len(seen) < budget:
        points = search.propose(seen, min(6, budget - len(seen)))
        assert len(set(points) | {s.point for s in seen}) == len(points) + len(seen)
        if not points:
            break
        seen += [tried(space, point) for point in points]
    return seen


def costs(seen: list[Seen], goal: Goal = GOAL) -> list[tuple[float, ...]]:
    return [goal.costs(s.facts) for s in seen if s.facts is not None and goal.allows(s.facts)]


def everything(space: Space) -> list[Seen]:
    every = itertools.product(*(range(len(knob.values)) for knob in space.knobs))
    return [tried(space, point) for point in every]


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2))]
)
def test_a_tenth_of_the_space_is_enough(seed: int) -> None:
    space = streams()
    whole = everything(space)
    best = min(math.prod(c) for c in costs(whole))
    corner = np.array(costs(whole)).max(axis=0) * 2
    volume = hypervolume(costs(whole), corner)
    seen = searched(space, len(whole) // 10, seed)
    assert min(math.prod(c) for c in costs(seen)) == best
    assert hypervolume(costs(seen), corner) > 0.97 * volume


def test_the_same_seed_gives_the_same_points() -> None:
    space = streams()
    first, second = (searched(space, 12, 5) for _ in range(2))
    assert [s.point for s in first] == [s.point for s in second]


def test_a_small_space_is_tried_whole() -> None:
    space = streams(clocks=(100.0,), most={"dsp": 2})
    assert space.size < 20
    seen = searched(space, 100)
    assert {s.point for s in seen} == {s.point for s in everything(space)}


def test_limits_come_first() -> None:
    goal = Goal(("latency", "lut"), {"lut": 300.0, "interval": 1.0})
    seen = searched(streams(), 24, goal=goal)
    allowed = [s for s in seen if s.facts is not None and goal.allows(s.facts)]
    whole = costs(everything(streams()), goal)
    assert len(allowed) >= 6
    assert min(math.prod(c) for c in costs(seen, goal)) == min(math.prod(c) for c in whole)


def test_points_that_cannot_be_made_are_left_behind() -> None:
    search = Search(streams(), GOAL)
    seen = [Seen(point) for point in search.propose([], 6)]
    assert len(search.propose(seen, 6)) == 6


@pytest.mark.parametrize(
    "objectives", [("lut",), ("latency", "interval", "lut", "ff", "dsp", "power")]
)
def test_any_number_of_objectives(objectives: tuple[str, ...]) -> None:
    goal = Goal(objectives)
    seen = searched(streams(), 12, goal=goal)
    whole = costs(everything(streams()), goal)
    if len(objectives) == 1:
        assert min(costs(seen, goal)) == min(whole)
    assert len(seen) == 12


def test_a_guess_of_what_was_seen_is_right() -> None:
    space = streams()
    seen = searched(space, 18)
    guess = Guess(space, seen)
    for one in seen:
        assert one.facts is not None
        facts = guess.facts(one.point)
        assert facts.cost.interval == one.facts.cost.interval
        assert facts.cost.luts == pytest.approx(one.facts.cost.luts, rel=0.02)
        assert facts.cost.latency == pytest.approx(one.facts.cost.latency, rel=0.35)
