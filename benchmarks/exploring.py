"""``hwaccel explore`` on LeNet-5 against random configurations, and two workers against one.

python -m benchmarks.exploring                         # 20 points against 200, three seeds
python -m benchmarks.exploring --only throughput       # two workers against one, on an idle machine
python -m benchmarks.exploring --only together         # the same side by side, on a busy one

Both draw from the same space (styles, foldings, clocks, depths; widths held) and are predicted by
the same workers, so a run is one prediction. Random configurations choose the value of each knob
with equal chances; those whose layers together are guessed to need more than the device holds are
drawn again, and cost nothing. A search is *at least as good* as the random ones if it has found

1. a point of a product of the objectives that is no larger than the smallest of the random ones,
2. a front that dominates no smaller volume on logarithmic axes (up to twice the worst of each
   objective on either front).

The line also has the part of the random front that some point found by the search matches or beats
in every objective. Weights are drawn at random, with one seed. The cache of adder graphs of each
throughput run is its own and begins empty.
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
import os
import resource
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from benchmarks.trust.line import print_line
from hwaccel.config import Config
from hwaccel.explore.goal import Goal, goal_of
from hwaccel.explore.guess import Guess, Seen
from hwaccel.explore.result import Explored
from hwaccel.explore.run import Settings, explore
from hwaccel.explore.search import Search
from hwaccel.explore.space import Point, Space, Wishes
from hwaccel.explore.work import Source
from hwaccel.pareto import hypervolume
from hwaccel.report.facts import device_of

LENET = Source(model="benchmarks.networks:lenet5", example=("1x1x28x28",))
CONFIG = Config(effort="fast")


@dataclass
class Random:
    """Points whose every knob is drawn with equal chances, as long as they can fit the device."""

    space: Space
    goal: Goal
    seed: int
    _drawn: set[Point] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._rng = np.random.default_rng(self.seed)
        self._guess = Guess(self.space, ())

    def propose(self, seen: Sequence[Seen], count: int) -> list[Point]:
        points: list[Point] = []
        while len(points) < count:
            point = tuple(int(self._rng.integers(len(k.values))) for k in self.space.knobs)
            if point not in self._drawn and self.goal.allows(self._guess.facts(point)):
                self._drawn.add(point)
                points.append(point)
        return points


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--objectives", default="latency,lut")
    parser.add_argument("--random", type=int, default=200, help="random configurations")
    parser.add_argument("--runs", type=int, default=20, help="points of the search")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--points", type=int, default=200, help="points of a throughput run")
    parser.add_argument("--only", choices=("front", "throughput", "together"))
    parser.add_argument("--folder", type=Path, help="where results are kept (default: nowhere)")
    asked = parser.parse_args()
    goal = goal_of(asked.objectives.split(","), {}, device_of(CONFIG.target), measured=False)
    with tempfile.TemporaryDirectory(prefix="hwaccel-") as scratch:
        folder = asked.folder or Path(scratch)
        if asked.only in (None, "front"):
            for seed in range(asked.seeds):
                front(folder, goal, seed, asked)
        if asked.only in (None, "throughput"):
            throughput(Path(scratch), goal, asked.points)
        if asked.only == "together":
            together(Path(scratch), goal, asked.points)


def front(folder: Path, goal: Goal, seed: int, asked: argparse.Namespace) -> None:
    """Compare one search with random configurations, both of one seed."""
    wishes, name = Wishes(most=goal.limits), "-".join(goal.objectives)
    folder.mkdir(parents=True, exist_ok=True)
    found = []
    for kind, strategy, budget in (
        ("random", Random, asked.random),
        ("search", Search, asked.runs),
    ):
        settings = Settings(budget=budget, seed=seed, workers=asked.workers, strategy=strategy)
        place = folder / f"{name}-{kind}-{seed}"
        found.append(explore(LENET, place, goal, wishes, CONFIG, settings))
    drawn, searched = found
    ends = np.array([e.costs(t) for e in found for t in e.front]).max(axis=0)
    volumes = [hypervolume([e.costs(t) for t in e.front], 2 * ends) for e in found]
    products = [math.prod(e.costs(e.spread(1)[0])) for e in found]
    beaten = [any(_no_worse(searched, t, drawn, r) for t in searched.front) for r in drawn.front]
    good = products[1] <= products[0] and volumes[1] >= volumes[0]
    print_line(
        f"exploring, {' and '.join(goal.objectives)}",
        f"{len(searched.tried)} points at least as good as {len(drawn.tried)} random ones: "
        f"{'yes' if good else 'NO'}; least product {products[1]:.4g} against {products[0]:.4g} "
        f"({products[1] / products[0]:.3f} x); volume {volumes[1]:.3f} against {volumes[0]:.3f}; "
        f"{sum(beaten)} of {len(beaten)} points of the random front matched or beaten; within the "
        f"device {_allowed(searched)} of {len(searched.tried)}, {_allowed(drawn)} of "
        f"{len(drawn.tried)}; {searched.space.size} configurations",
        seed=seed,
    )


def _no_worse(a: Explored, one: object, b: Explored, other: object) -> bool:
    return all(x <= y for x, y in zip(a.costs(one), b.costs(other), strict=True))  # type: ignore[arg-type]


def _allowed(explored: Explored) -> int:
    return sum(t.facts is not None and explored.goal.allows(t.facts) for t in explored.tried)


@dataclass
class Clock:
    """When a search began to predict."""

    at: float = 0.0

    def __call__(self, text: str) -> None:
        if text.endswith("configurations to choose from"):
            self.at = time.monotonic()


def throughput(folder: Path, goal: Goal, points: int) -> None:
    """Predict the same points with one worker and with two, from a cold start each."""
    whole, predicting, facts = [], [], []
    for workers in (1, 2):
        os.environ["XDG_CACHE_HOME"] = str(folder / f"cache-{workers}")
        settings = Settings(budget=points, batch=points, workers=workers, strategy=Random)
        wishes, place, clock = Wishes(most=goal.limits), folder / f"workers-{workers}", Clock()
        started, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
        found = explore(LENET, place, goal, wishes, CONFIG, settings, progress=clock)
        ended, after = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        whole.append(ended - started)
        predicting.append(ended - clock.at)
        work = sum(t.answer.cpu_seconds for t in found.tried)
        facts.append(
            f"{workers}: {whole[-1]:.1f} s, {predicting[-1]:.1f} s of it predicting; {cpu:.1f} s "
            f"of CPU, {work:.1f} s of it predicting"
        )
    print_line(
        "exploring, two workers against one",
        f"{predicting[0] / predicting[1]:.2f} x the points per second while predicting, "
        f"{whole[0] / whole[1]:.2f} x with the start ({points} random points of LeNet-5; workers "
        f"{'; '.join(facts)}; load {os.getloadavg()[0]:.2f} at the end)",
    )


def together(folder: Path, goal: Goal, points: int) -> None:
    """Let a search with one worker and one with two go on at the same time, and count points.

    On a busy machine every process has the same share of it, whatever others do meanwhile; what is
    compared is the points that each search finished while both were predicting.
    """
    context = multiprocessing.get_context("spawn")
    said = context.Queue()
    for workers in (1, 2):
        context.Process(target=_alone, args=(folder, goal, points, workers, said)).start()
    moments = dict(said.get() for _ in (1, 2))
    start, end = max(m[0] for m in moments.values()), min(m[-1] for m in moments.values())
    done = {n: sum(start < at <= end for at in moments[n][1:]) for n in (1, 2)}
    print_line(
        "exploring, two workers against one, side by side",
        f"{done[2] / done[1]:.2f} x the points ({done[2]} against {done[1]} in {end - start:.0f} s "
        f"in which both were predicting random points of LeNet-5; load {os.getloadavg()[0]:.2f})",
    )


def _alone(
    folder: Path, goal: Goal, points: int, workers: int, said: multiprocessing.Queue
) -> None:
    """Explore, and tell when predicting began and when each point was done."""
    os.environ["XDG_CACHE_HOME"] = str(folder / f"cache-{workers}")
    moments: list[float] = []

    def note(text: str) -> None:
        if text.endswith("configurations to choose from") or f" of {points}: " in text:
            moments.append(time.monotonic())

    settings = Settings(budget=points, batch=points, workers=workers, strategy=Random)
    wishes, place = Wishes(most=goal.limits), folder / f"workers-{workers}"
    explore(LENET, place, goal, wishes, CONFIG, settings, progress=note)
    said.put((workers, moments))


if __name__ == "__main__":
    main()
