"""Which points to try next: NSGA-II on guesses, then those that would move the front most.

The first points are balanced: for a ladder of intervals, each layer takes the cheapest way that
keeps up. Then a population evolves on what ``guess`` says (K. Deb et al., *A Fast and Elitist
Multiobjective Genetic Algorithm: NSGA-II*, IEEE TEVC 6(2), 2002, with its constrained domination),
and of its first front those are tried that beat the points known so far by the largest factor.
What comes next depends on the seed and on what was seen, and on nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from hwaccel.explore.goal import Goal
from hwaccel.explore.guess import Guess, Seen
from hwaccel.explore.space import Point, Space, Way
from hwaccel.ir.hardware import Area
from hwaccel.pareto import LEAST, dominates, gain, nondominated

Vector = tuple[float, ...]
_POPULATION, _GENERATIONS = 48, 24
_LADDER = 24


@dataclass(frozen=True, slots=True)
class _Rated:
    """A point with its guess: the costs, and by how much limits are broken."""

    point: Point
    costs: Vector
    excess: float


@dataclass(slots=True)
class Search:
    """The state of a search; ``propose`` is asked again and again."""

    space: Space
    goal: Goal
    seed: int = 0
    _round: int = field(default=0)

    def propose(self, seen: Sequence[Seen], count: int) -> list[Point]:
        """Return up to ``count`` points that were not tried yet, the most promising first."""
        rng = np.random.default_rng((self.seed, self._round))
        self._round += 1
        guess, tried = Guess(self.space, seen), {s.point for s in seen}
        rated: dict[Point, _Rated] = {}

        def rate(point: Point) -> _Rated:
            if point not in rated:
                facts = guess.facts(point)
                rated[point] = _Rated(point, self.goal.costs(facts), self.goal.excess(facts))
            return rated[point]

        known = _best([s for s in seen if s.facts is not None], self.goal)
        start = [*(s.point for s in known), *self.balanced(guess)]
        people = _survivors([rate(p) for p in dict.fromkeys(start)], _POPULATION)
        for _ in range(_GENERATIONS):
            children = [rate(self._child(people, rng)) for _ in range(_POPULATION)]
            people = _survivors([*people, *children], _POPULATION)
        fresh = [one for one in rated.values() if one.point not in tried]
        costs = [self.goal.costs(s.facts) for s in known if s.facts is not None]
        return self._chosen(fresh, costs, count)

    def balanced(self, guess: Guess) -> list[Point]:
        """Return points all of whose layers just keep up with an interval, for many of them."""
        layers = [(at, k) for at, k in enumerate(self.space.knobs) if k.field == "hardware"]
        every = sorted({way.cycles for _, knob in layers for way in knob.values})
        rungs = sorted({every[round(i)] for i in np.linspace(0, len(every) - 1, _LADDER)})
        widest = [len(knob.values) - 1 for knob in self.space.knobs]
        points = []
        for target in rungs:
            for styles in (("stream",), ("stream", "pixel"), ("stream", "pixel", "spatial")):
                point = list(widest)
                for at, knob in layers:
                    point[at] = _cheapest(knob.values, target, styles)
                points.append(tuple(point))
        return list(dict.fromkeys(points))

    def _child(self, people: Sequence[_Rated], rng: np.random.Generator) -> Point:
        """Return a mix of two parents with some knobs moved, mostly to a neighbour."""
        mother, father = (self._parent(people, rng) for _ in range(2))
        point = [a if rng.random() < 0.7 else b for a, b in zip(mother, father, strict=True)]
        for at, knob in enumerate(self.space.knobs):
            if rng.random() < 1.0 / len(self.space.knobs):
                if rng.random() < 0.6:
                    step = int(rng.choice((-2, -1, 1, 2)))
                    point[at] = min(max(point[at] + step, 0), len(knob.values) - 1)
                else:
                    point[at] = int(rng.integers(len(knob.values)))
        return tuple(point)

    @staticmethod
    def _parent(people: Sequence[_Rated], rng: np.random.Generator) -> Point:
        """Return the winner of two: people are in the order in which they survive."""
        return people[int(min(rng.integers(len(people), size=2)))].point

    def _chosen(self, fresh: list[_Rated], costs: list[Vector], count: int) -> list[Point]:
        """Take those that beat what is known, and one another, by the largest factor."""
        worth = [one for one in fresh if one.excess <= 0] or sorted(fresh, key=lambda r: r.excess)
        worth = worth[: 8 * count] if worth and worth[0].excess > 0 else worth
        front = [worth[at] for at in nondominated([one.costs for one in worth])]
        taken: list[Point] = []
        for pool in (front, worth, fresh):
            while len(taken) < count and (left := [r for r in pool if r.point not in taken]):
                best = max(left, key=lambda r: (self._promise(r, costs), r.point))
                taken.append(best.point)
                costs = [*costs, best.costs]
        return taken

    @staticmethod
    def _promise(one: _Rated, costs: Sequence[Vector]) -> float:
        """Return the factor by which a point beats the known ones, or leads if there are none."""
        if not costs:
            return -float(np.sum(np.log(np.maximum(one.costs, LEAST))))
        return gain(one.costs, costs)


def _best(seen: Sequence[Seen], goal: Goal) -> list[Seen]:
    """Return the front of what is within the limits, or whatever is nearest to them."""
    allowed = [s for s in seen if s.facts is not None and goal.allows(s.facts)]
    if not allowed:
        return sorted(seen, key=lambda s: goal.excess(s.facts) if s.facts else 0.0)[:4]
    costs = [goal.costs(s.facts) for s in allowed if s.facts is not None]
    return [allowed[at] for at in nondominated(costs)]


def _cheapest(ways: Sequence[Way], target: int, styles: Sequence[str]) -> int:
    """Return the way of least area that takes a frame every ``target`` cycles, or the fastest."""
    usable = [at for at, way in enumerate(ways) if way.style in styles] or [*range(len(ways))]
    fitting = [at for at in usable if ways[at].cycles <= target]
    if not fitting:
        return min(usable, key=lambda at: (ways[at].cycles, ways[at].luts))
    return min(fitting, key=lambda at: (_area(ways[at]), at))


def _area(way: Way) -> int:
    return Area(way.luts, way.ffs, way.dsps, way.rams).equivalent


# --- NSGA-II -------------------------------------------------------------------------------------


def _survivors(people: Sequence[_Rated], most: int) -> list[_Rated]:
    """Return the best, front by front; the last front gives those that are least crowded."""
    left = list({one.point: one for one in people}.values())
    kept: list[_Rated] = []
    while left and len(kept) < most:
        front = _front(left)
        gone = {one.point for one in front}
        left = [one for one in left if one.point not in gone]
        kept += _spread(front)[: most - len(kept)]
    return kept


def _front(people: Sequence[_Rated]) -> list[_Rated]:
    """Return whom nobody beats, where limits come before costs."""
    least = min(one.excess for one in people)
    if least > 0:
        return [one for one in people if one.excess == least]
    legal = [one for one in people if one.excess <= 0]
    return [one for one in legal if not any(dominates(other.costs, one.costs) for other in legal)]


def _spread(front: Sequence[_Rated]) -> list[_Rated]:
    """Return a front, those first that have most room around them."""
    room = {one.point: 0.0 for one in front}
    for axis in range(len(front[0].costs)):
        ranked = sorted(front, key=lambda one: (one.costs[axis], one.point))
        ends = np.log([max(one.costs[axis], LEAST) for one in ranked])
        width = max(float(ends[-1] - ends[0]), LEAST)
        for at, one in enumerate(ranked):
            if at in (0, len(ranked) - 1):
                room[one.point] = float("inf")
            else:
                room[one.point] += float(ends[at + 1] - ends[at - 1]) / width
    return sorted(front, key=lambda one: (-room[one.point], one.point))
