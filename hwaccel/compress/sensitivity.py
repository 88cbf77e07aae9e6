"""Which layers pay for pruning: loss against sparsity of one layer, and an allocation by it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from hwaccel.api import Design
from hwaccel.compress.checkpoint import Checkpoint
from hwaccel.compress.cost import Cost
from hwaccel.compress.data import Samples
from hwaccel.compress.training import Loss, Progress, evaluate
from hwaccel.compress.units import Units, without
from hwaccel.report.text import percent
from hwaccel.schedule.estimate import block_area

LEVELS = (0.25, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98)
# In place of a rise that is infinite or no number.
_DEAD = 1e9


@dataclass(frozen=True, slots=True)
class Curve:
    """Rise of the loss when ``shares`` of the layer at ``path`` alone are gone."""

    path: str
    shares: tuple[float, ...]
    rises: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """One more part of a layer, up to ``share`` of it; worth what it saves over what it costs."""

    path: str
    share: float


def sensitivity(
    start: Checkpoint,
    units: Sequence[Units],
    samples: Samples,
    loss: Loss,
    levels: Sequence[float] = LEVELS,
    *,
    progress: Progress | None = None,
) -> tuple[Curve, ...]:
    """Return the curve of every layer, measured without training."""
    base = evaluate(start.model, samples, loss=loss).loss
    curves = []
    for u in units:
        shares, rises = [0.0], [0.0]
        for level in levels:
            amount = u.amount(level)
            share = (u.gone + amount) / u.total
            if share > shares[-1]:
                less = without(start, (u,), {u.path: amount})
                shares.append(share)
                rise = evaluate(less.model, samples, loss=loss).loss - base
                rises.append(rise if rise < _DEAD else _DEAD)
        curves.append(Curve(u.path, tuple(shares), tuple(rises)))
        if progress is not None:
            progress(f"sensitivity: {u.path}, loss +{rises[-1]:.3f} at {percent(shares[-1], 0)}")
    return tuple(curves)


def steps(curves: Sequence[Curve], costs: Mapping[str, float]) -> tuple[Step, ...]:
    """Return the steps in the order in which they pay: hardware saved for each loss, greedily.

    ``costs`` is what a layer costs in hardware, all of which a share of 1 would save. Of each
    curve the lower convex hull counts, so that a cheap step behind a dear one is not missed.
    """
    priced: list[tuple[float, int, Step]] = []
    for curve in curves:
        corners = _hull([*zip(curve.shares, curve.rises, strict=True)])
        for (share, rise), (more, higher) in pairwise(corners):
            saved = (more - share) * max(costs[curve.path], 1e-9)
            priced.append((max(0.0, higher - rise) / saved, len(priced), Step(curve.path, more)))
    return tuple(step for _, _, step in sorted(priced, key=lambda item: item[:2]))


def by_steps(units: Sequence[Units], share: float, order: Sequence[Step]) -> dict[str, int]:
    """Return the amounts that follow the steps until ``share`` of the whole is gone."""
    of = {u.path: u for u in units}
    left = share * sum(u.size * u.total for u in units)
    shares = dict.fromkeys(of, 0.0)
    last = [Step(path, 1.0) for path in of]
    for step in (*order, *last):
        u, have = of[step.path], shares[step.path]
        whole = u.size * u.total
        more = min(step.share - have, left / whole)
        if more > 0:
            shares[step.path] += more
            left -= more * whole
    return {path: u.amount(shares[path]) for path, u in of.items()}


def layer_areas(design: Design, weights: Mapping[str, int]) -> dict[str, float]:
    """Return the predicted area of layers; those that became one circuit share by ``weights``."""
    paths = {node.name: node.path for node in design.graph.nodes}
    areas = dict.fromkeys(weights, 0.0)
    for segment in design.plan.segments:
        held = sorted({paths[name] for name in segment.nodes} & weights.keys())
        area = block_area(segment, design.plan)
        for path in held:
            part = weights[path] / sum(weights[other] for other in held)
            areas[path] += part * Cost(area.luts, area.ffs, area.dsps, area.rams, 0, 0).area
    return areas


def _hull(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the corners of the lower convex hull of points in order of their first number."""
    corners: list[tuple[float, float]] = []
    for x, y in points:
        while len(corners) > 1:
            (x0, y0), (x1, y1) = corners[-2:]
            if (y1 - y0) * (x - x0) < (y - y0) * (x1 - x0):
                break
            corners.pop()
        corners.append((x, y))
    return corners
