"""A scatter plot that a page can show: points to point at and choose, and their Pareto front.

``draw_scatter`` returns a ``Picture`` for ``picture_of`` of ``templates/report/_picture.html.j2``.
A point is a link to ``Point.key``; where the page has a table row of that key (``Cell.key`` of its
first cell) and the script of ``templates/report/_script.js.j2``, choosing the point marks the row.
Without the script the browser goes to the row. Nothing is loaded from anywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10

from hwaccel.pareto import nondominated
from hwaccel.report.svg import Circle, Group, Path, Picture, Text, line
from hwaccel.report.text import clean

_LEFT, _TOP, _WIDTH, _HEIGHT = 84.0, 16.0, 560.0, 300.0
_LEAST = 1e-9  # what a scale of powers of ten begins with


@dataclass(frozen=True, slots=True)
class Point:
    """A point. ``title`` is what is said on hover; ``css`` is ``best``, ``chosen`` or empty."""

    key: str
    title: str
    x: float
    y: float
    css: str = ""


@dataclass(frozen=True, slots=True)
class Axis:
    """What an axis counts. ``write`` makes text of a number; ``powers`` chooses a scale of them."""

    name: str
    write: Callable[[float], str]
    powers: bool = False


@dataclass(frozen=True, slots=True)
class Scatter:
    """Points, their axes, and the corners of their front from left to right.

    ``x_limit`` is drawn as an upright line. ``most_y`` is the largest that can be, if there is one.
    """

    key: str
    title: str
    x: Axis
    y: Axis
    points: tuple[Point, ...]
    x_limit: float | None = None
    most_y: float | None = None


def pareto(points: Sequence[tuple[float, float]]) -> tuple[int, ...]:
    """Return which points no other one beats: less x at no less y, or more y at no more x.

    They are in the order of x. Of points that are the same the first one is returned.
    """
    kept = nondominated([(x, -y) for x, y in points])
    return tuple(sorted(kept, key=lambda k: points[k][0]))


def draw_scatter(scatter: Scatter) -> Picture:
    """Return the plot; the front goes through the points that are ``best`` or ``chosen``."""
    xs = [p.x for p in scatter.points] + ([scatter.x_limit] if scatter.x_limit else [])
    across = _Scale(scatter.x, _ends(scatter.x, xs, None), _LEFT, _LEFT + _WIDTH)
    ends = _ends(scatter.y, [p.y for p in scatter.points], scatter.most_y)
    up = _Scale(scatter.y, ends, _TOP + _HEIGHT, _TOP)
    best = sorted((p for p in scatter.points if p.css), key=lambda p: p.x)
    groups = [_axes(across, up)]
    if scatter.x_limit:
        at = across.at(scatter.x_limit)
        rule = Path(line((at, _TOP), (at, _TOP + _HEIGHT)), "limit")
        groups.append(
            Group("limit", paths=(rule,), texts=(Text(at - 4, _TOP + 12, "limit", "quiet", "end"),))
        )
    if len(best) > 1:
        corners = [(across.at(p.x), up.at(p.y)) for p in best]
        groups.append(Group("front", paths=(Path(line(*corners), "front"),)))
    groups += [
        _dot(p, across, up) for p in sorted(scatter.points, key=lambda p: (p.css != "", p.css))
    ]
    return Picture(
        scatter.key,
        scatter.title,
        f"{len(scatter.points)} points, {len(best)} of them on the front.",
        _LEFT + _WIDTH + 40,
        _TOP + _HEIGHT + 44,
        tuple(groups),
    )


@dataclass(frozen=True, slots=True)
class _Scale:
    """An axis from one place of the picture to another."""

    axis: Axis
    ends: tuple[float, float]
    start: float
    stop: float

    def at(self, value: float) -> float:
        """Return the place of ``value``."""
        low, high = self.ends
        value = log10(max(value, _LEAST)) if self.axis.powers else value
        return round(self.start + (value - low) / (high - low) * (self.stop - self.start), 1)

    def ticks(self) -> list[tuple[float, str]]:
        """Return five places, and what is written there."""
        low, high = self.ends
        shares = [k / 4 for k in range(5)]
        values = [low + (high - low) * share for share in shares]
        places = [round(self.start + share * (self.stop - self.start), 1) for share in shares]
        return [
            (place, self.axis.write(10**value if self.axis.powers else value))
            for place, value in zip(places, values, strict=True)
        ]


def _ends(axis: Axis, values: Sequence[float], most: float | None) -> tuple[float, float]:
    if axis.powers:
        logs = [log10(max(value, _LEAST)) for value in values]
        low = floor(min(logs) * 4) / 4
        return low, max(ceil(max(logs) * 4) / 4, low + 0.25)
    low, high = min(values), max(values)
    room = max(0.1, (high - low) * 0.15)
    if most is not None and high >= most:
        return low - room, most + room / 4
    return low - room, high + room if most is None else min(most, high + room)


def _axes(across: _Scale, up: _Scale) -> Group:
    floor_y = _TOP + _HEIGHT
    frame = line((_LEFT, _TOP), (_LEFT, floor_y), (_LEFT + _WIDTH, floor_y))
    texts = [Text(_LEFT - 8, y + 4, text, "quiet number", "end") for y, text in up.ticks()]
    texts += [Text(x, floor_y + 18, text, "quiet number", "middle") for x, text in across.ticks()]
    texts.append(Text(_LEFT + _WIDTH / 2, floor_y + 38, across.axis.name, "", "middle"))
    return Group("axes", paths=(Path(frame, "axis"),), texts=tuple(texts))


def _dot(point: Point, across: _Scale, up: _Scale) -> Group:
    size = 6.0 if point.css == "chosen" else 4.0
    dot = Circle(across.at(point.x), up.at(point.y), size, f"dot {point.css}".strip())
    return Group(clean(point.title, 400), circles=(dot,), target=point.key, link="point")
