"""What a point would be found to cost, guessed from the points that were predicted before.

The area of a design is taken to be the sum of its layers, as they were in other points or, where a
layer was never seen that way, as its op says; the interval is that of the slowest layer. Latency
and the accuracy lost are fitted as sums over the layers. A guess only ranks what is tried next.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import nnls

from hwaccel.compress.cost import Cost
from hwaccel.explore.goal import Facts
from hwaccel.explore.space import Point, Space, Way

_AREAS = ("luts", "ffs", "dsps", "rams")
# How much the belief before any point counts, in points.
_BELIEF = 0.3
# Cycles that a frame takes beyond those of its layers, before any was seen.
_PIPES = 10.0


@dataclass(frozen=True, slots=True)
class Seen:
    """A point that was tried; without ``facts`` there is no such hardware."""

    point: Point
    facts: Facts | None = None
    layers: Mapping[str, Cost] = field(default_factory=dict)


class Guess:
    """What the points seen so far tell of the others."""

    def __init__(self, space: Space, seen: Sequence[Seen]) -> None:
        self._space = space
        self._places = [at for at, knob in enumerate(space.knobs) if knob.field == "hardware"]
        fields = [knob.field for knob in space.knobs]
        self._clock = fields.index("clock_mhz") if "clock_mhz" in fields else None
        self._known: dict[tuple[object, ...], Cost] = {}
        good = [s for s in seen if s.facts is not None]
        for one in good:
            for at, knob in enumerate(space.knobs):
                if knob.field == "hardware" and knob.path in one.layers:
                    for key in self._keys(one.point, at):
                        self._known[key] = one.layers[knob.path]
        self._rest = self._missing(good)
        # A model's designs have much the same longest paths: control, or one multiplier.
        speeds = [s.facts.fmax_mhz for s in good if s.facts is not None and s.facts.fmax_mhz]
        self._fmax = float(np.median(speeds)) if speeds else None
        costs = [s.facts.cost for s in good if s.facts is not None]
        ways = [self._cycles(s.point) for s in good]
        self._latency = _fitted(
            len(self._places) + 1,
            [[*row, _PIPES] for row in ways],
            [c.latency for c in costs],
            lambda row: 1 / sum(row),
        )
        rated = [s for s in good if s.facts is not None and s.facts.accuracy is not None]
        accuracies = [s.facts.accuracy or 0.0 for s in rated if s.facts is not None]
        self._best = max(accuracies, default=100.0)
        losses = [self._best - a for a in accuracies]
        width = sum(knob.field.endswith("_bits") for knob in space.knobs)
        self._loss = _fitted(width, [self._steps(s.point) for s in rated], losses, lambda row: 1.0)
        self._rated = bool(rated)

    def facts(self, point: Point) -> Facts:
        """Return the guess for a point."""
        parts = [self._part(point, at) for at in self._places]
        cycles = [float(part.interval) for part in parts]
        areas = {name: self._rest[name] for name in _AREAS}
        active, interval = 0.0, max([*cycles, 1.0])
        for part in parts:
            for name in _AREAS:
                areas[name] += getattr(part, name)
            active += part.area * min(1.0, part.interval / interval)
        sizes = {name: max(0, round(value)) for name, value in areas.items()}
        latency = float(np.dot(self._latency, [*cycles, _PIPES]))
        clock = self._space.base.clock_mhz
        if self._clock is not None:
            clock = self._space.knobs[self._clock].values[point[self._clock]]
        loss = float(np.dot(self._loss, self._steps(point))) if self._rated else 0.0
        return Facts(
            cost=Cost(**sizes, latency=round(max(latency, 1)), interval=round(interval)),
            clock_mhz=clock,
            power=(active + sizes["ffs"]) * clock / 1000.0,
            accuracy=max(0.0, self._best - loss) if self._rated else None,
            fmax_mhz=self._fmax,
        )

    def _keys(self, point: Point, at: int) -> list[tuple[object, ...]]:
        """Return the names of a layer's state: with all that may matter to it, and with less."""
        knob = self._space.knobs[at]
        bits = tuple(
            value
            for other, value in zip(self._space.knobs, point, strict=True)
            if other.path == knob.path and other.field != "hardware"
        )
        design = tuple(v for k, v in zip(self._space.knobs, point, strict=True) if not k.path)
        return [(at, point[at], bits, design), (at, point[at], bits), (at, point[at])]

    def _part(self, point: Point, at: int) -> Cost:
        for key in self._keys(point, at):
            if key in self._known:
                return self._known[key]
        way = self._space.knobs[at].values[point[at]]
        assert isinstance(way, Way)
        return Cost(way.luts, way.ffs, way.dsps, way.rams, way.cycles, way.cycles)

    def _missing(self, good: Sequence[Seen]) -> dict[str, float]:
        """Return what whole designs have on average beyond their layers."""
        rest = dict.fromkeys(_AREAS, 0.0)
        for one in good:
            assert one.facts is not None
            parts = [self._part(one.point, at) for at in self._places]
            for name in _AREAS:
                whole = getattr(one.facts.cost, name)
                rest[name] += (whole - sum(getattr(p, name) for p in parts)) / len(good)
        return rest

    def _cycles(self, point: Point) -> list[float]:
        return [float(self._part(point, at).interval) for at in self._places]

    def _steps(self, point: Point) -> list[float]:
        """Return the variance of rounding at every knob of widths, which is 4 to the -bits."""
        pairs = zip(self._space.knobs, point, strict=True)
        chosen = [k.values[at] for k, at in pairs if k.field.endswith("_bits")]
        return [100.0 * 4.0**-bits for bits in chosen]


def _fitted(
    width: int,
    rows: Sequence[Sequence[float]],
    values: Sequence[float],
    weigh: Callable[[Sequence[float]], float],
) -> np.ndarray:
    """Return weights of 0 or more with which rows add up to values; 1 each, as far as unknown.

    Every row counts ``weigh(row)``, so that errors of large values are no larger ones.
    """
    if not rows or not width:
        return np.ones(width)
    scale = np.mean([[weigh(row) * x for x in row] for row in rows], axis=0) + 1e-12
    a = np.array([[weigh(row) * x for x in row] for row in rows])
    b = np.array([weigh(row) * value for row, value in zip(rows, values, strict=True)])
    a = np.vstack([a, _BELIEF * np.diag(scale)])
    b = np.concatenate([b, _BELIEF * scale])
    weights: np.ndarray = nnls(a, b)[0]
    return weights if weights.any() else np.ones(width)
