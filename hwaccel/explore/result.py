"""What is kept of a point, and what a whole search found."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from hwaccel._version import __version__
from hwaccel.config import Config
from hwaccel.emit.project import pretty_json
from hwaccel.explore.goal import Facts, Goal
from hwaccel.explore.space import Point, Space
from hwaccel.explore.work import Answer, Built
from hwaccel.pareto import LEAST, gain, nondominated


class Result(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A finished request: ``what`` was asked of a graph in a configuration, and the answer."""

    what: str
    content: str
    config: Config
    version: str
    answer: Answer

    @property
    def key(self) -> str:
        """The name of its file: a hash of all but the answer."""
        facts = (self.what, self.content, msgspec.json.encode(self.config).decode(), self.version)
        return hashlib.sha256("\0".join(facts).encode()).hexdigest()[:32]


def result_of(what: str, content: str, config: Config, answer: Answer) -> Result:
    """Return what is kept of an answer."""
    return Result(what=what, content=content, config=config, version=__version__, answer=answer)


@dataclass(frozen=True, slots=True)
class Tried:
    """A point that was tried; ``facts`` are missing where ``message`` says why."""

    name: str
    point: Point
    content: str
    config: Config
    answer: Answer
    facts: Facts | None = None
    built: Built | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class Explored:
    """All points in the order in which they were tried.

    ``taken`` answers were known from an earlier run, ``made`` ones are new; ``damaged`` says which
    results could not be read and were made again.
    """

    space: Space
    goal: Goal
    tried: tuple[Tried, ...]
    taken: int = 0
    made: int = 0
    damaged: tuple[str, ...] = ()

    @property
    def front(self) -> tuple[Tried, ...]:
        """The points within the limits that no other such point beats, by the first objective."""
        allowed = [t for t in self.tried if t.facts is not None and self.goal.allows(t.facts)]
        costs = [self.costs(t) for t in allowed]
        return tuple(sorted((allowed[at] for at in nondominated(costs)), key=self.costs))

    @property
    def nearest(self) -> Tried | None:
        """The point that breaks the limits least."""
        known = [t for t in self.tried if t.facts is not None]
        return min(known, key=lambda t: self.goal.excess(t.facts) if t.facts else 0, default=None)

    def costs(self, tried: Tried) -> tuple[float, ...]:
        """Return the objectives of a point that has facts."""
        assert tried.facts is not None
        return self.goal.costs(tried.facts)

    def spread(self, count: int) -> tuple[Tried, ...]:
        """Return so many points of the front: the one of least product, then the most different."""
        left, picked = list(self.front), list[Tried]()
        while left and len(picked) < count:
            best = max(left, key=lambda t: (self._worth(t, picked), t.name))
            picked.append(best)
            left.remove(best)
        return tuple(picked)

    def _worth(self, tried: Tried, picked: Sequence[Tried]) -> float:
        costs = self.costs(tried)
        if not picked:
            return -float(np.sum(np.log(np.maximum(costs, LEAST))))
        return gain(costs, [self.costs(p) for p in picked])


class PointRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A point as ``front.json`` has it."""

    name: str
    on_front: bool
    choices: dict[str, str]
    latency_us: float | None = None
    interval_us: float | None = None
    predicted: Facts | None = None
    built: Built | None = None
    message: str = ""
    config: Config = Config()


class FrontRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What ``front.json`` holds; predicted cycles are exact, predicted area is an estimate."""

    format: str = "hwaccel-front"
    version: int = 1
    hwaccel: str = __version__
    goal: str = ""
    choices: int = 0
    front: list[str] = []
    points: list[PointRecord] = []


def front_json(explored: Explored) -> bytes:
    """Return all points as JSON."""
    front = {t.name for t in explored.front}
    points = [
        PointRecord(
            name=t.name,
            on_front=t.name in front,
            choices=explored.space.describe(t.point),
            latency_us=t.facts.latency_us if t.facts else None,
            interval_us=t.facts.interval_us if t.facts else None,
            predicted=t.facts,
            built=t.built,
            message=t.message,
            config=t.config,
        )
        for t in explored.tried
    ]
    record = FrontRecord(
        goal=str(explored.goal),
        choices=explored.space.size,
        front=[t.name for t in explored.front],
        points=points,
    )
    return pretty_json(record).encode()
