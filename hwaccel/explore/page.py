"""The page and the table of a search."""

from __future__ import annotations

from hwaccel.explore.goal import MEASURES
from hwaccel.explore.result import Explored
from hwaccel.explore.result import Tried as Point
from hwaccel.report.front import Front, Tried, front_page
from hwaccel.report.text import NONE, count, plural

COLUMNS = (
    "Cycles, first frame",
    "Cycles between frames",
    "Clock, MHz",
    "≈ Fmax, MHz",
    "LUT",
    "FF",
    "DSP",
    "RAM",
    "Power index",
    "Accuracy",
    "Built LUT",
    "Built DSP",
    "Built RAM",
    "Built Fmax, MHz",
)


def page(title: str, explored: Explored) -> str:
    """Return one self-contained HTML page of a search in which some point has facts.

    Nothing is loaded from anywhere. The plot shows the second objective over the first.
    """
    goal, front = explored.goal, explored.front
    names = {t.name for t in front}
    x, y = goal.objectives[0], goal.objectives[min(1, len(goal.objectives) - 1)]
    picked = {t.name for t in explored.spread(1)}
    points = []
    for tried in explored.tried:
        if tried.facts is None:
            continue
        spots = [MEASURES[name][1](tried.facts) for name in (x, y)]
        label = f"{tried.name}: {described(explored, tried)}"
        on_front, chosen = tried.name in names, tried.name in picked
        points.append(Tried(label, spots[0], spots[1], cells(tried), on_front, chosen))
    lead = (
        f"Wanted: {goal}.",
        f"{plural(len(explored.tried), 'point')} tried of {count(explored.space.size)}, "
        f"{len(front)} on the front. Cycles are exact; area and Fmax are predicted and power an "
        "uncalibrated index; columns that say built come from the tools.",
    )
    limit = goal.limits.get(x)
    shown = Front(
        title, lead, MEASURES[x][0], limit, COLUMNS, tuple(points),
        rising=MEASURES[y][0], spread=True, caption="Points that were tried",
    )  # fmt: skip
    return front_page(shown)


def described(explored: Explored, tried: Point) -> str:
    """Return the choices of a point in words."""
    return ", ".join(f"{k} {v}" for k, v in explored.space.describe(tried.point).items())


def cells(tried: Point) -> tuple[str, ...]:
    """Return the figures of a point, in the order of ``COLUMNS``."""
    facts, built = tried.facts, tried.built
    assert facts is not None
    cost = facts.cost
    predicted = (cost.latency, cost.interval)
    area = (cost.luts, cost.ffs, cost.dsps, cost.rams)
    accuracy = NONE if facts.accuracy is None else f"{facts.accuracy:.2f} %"
    fmax = NONE
    if built is not None and built.fmax_mhz is not None:
        short = " (too slow)" if built.fmax_mhz < facts.clock_mhz else ""
        fmax = f"{'at most ' if built.bounded else ''}{built.fmax_mhz:.1f}{short}"
    made = [count(n) for n in (built.luts, built.dsps, built.rams)] if built else [NONE] * 3
    return (
        *map(count, predicted), f"{facts.clock_mhz:g}",
        NONE if facts.fmax_mhz is None else f"{facts.fmax_mhz:.0f}",
        *map(count, area), f"{facts.power:,.0f}",
        accuracy, *made, fmax,
    )  # fmt: skip
