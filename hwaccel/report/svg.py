"""The few shapes that pictures are made of, with every coordinate ready for the template."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from hwaccel.report.layout import Point


@dataclass(frozen=True, slots=True)
class Rect:
    """A rectangle; ``css`` names its classes."""

    x: float
    y: float
    width: float
    height: float
    css: str
    rx: float = 0.0


@dataclass(frozen=True, slots=True)
class Path:
    """A line or outline in SVG path syntax."""

    d: str
    css: str


@dataclass(frozen=True, slots=True)
class Circle:
    """A dot."""

    cx: float
    cy: float
    r: float
    css: str


@dataclass(frozen=True, slots=True)
class Text:
    """A line of text; ``anchor`` is ``start``, ``middle`` or ``end``."""

    x: float
    y: float
    text: str
    css: str = ""
    anchor: str = "start"


@dataclass(frozen=True, slots=True)
class Group:
    """Shapes that belong together; ``title`` is what a reader hears or sees on hover.

    ``target`` is the key of what choosing the group shows, or empty; ``link`` what it is then: a
    ``node`` of the dataflow graph, which has a ``Detail``, or a ``point``, which has a row.
    """

    title: str
    rects: tuple[Rect, ...] = ()
    paths: tuple[Path, ...] = ()
    circles: tuple[Circle, ...] = ()
    texts: tuple[Text, ...] = ()
    target: str = ""
    link: str = "node"


@dataclass(frozen=True, slots=True)
class Plot:
    """A part of a picture with a scale of its own: ``first`` and ``cycles`` from left to right.

    The paths in it are in cycles and in the picture's own heights. A script may change what
    part of the cycles is seen.
    """

    x: float
    y: float
    width: float
    height: float
    first: int
    cycles: int
    groups: tuple[Group, ...]


@dataclass(frozen=True, slots=True)
class Picture:
    """A drawing with a title and a description in words.

    With a ``plot`` the picture can be zoomed; with a ``target`` in a group it can be clicked.
    """

    key: str
    title: str
    description: str
    width: float
    height: float
    groups: tuple[Group, ...]
    plot: Plot | None = None

    @property
    def active(self) -> bool:
        """Tell whether something in it can be chosen."""
        return any(group.target for group in self.groups)


def line(*points: Point) -> str:
    """Return a path through ``points`` with sharp corners."""
    return "M" + " L".join(f"{_n(x)} {_n(y)}" for x, y in points)


def rounded(points: Sequence[Point], radius: float = 6.0) -> str:
    """Return a path through ``points``, all of its legs level or upright, with round corners."""
    points = _without_repeats(points)
    parts = [f"M{_n(points[0][0])} {_n(points[0][1])}"]
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        r = min(radius, _distance(before, corner) / 2, _distance(corner, after) / 2)
        start, end = _towards(corner, before, r), _towards(corner, after, r)
        parts.append(f"L{_n(start[0])} {_n(start[1])}")
        parts.append(f"Q{_n(corner[0])} {_n(corner[1])} {_n(end[0])} {_n(end[1])}")
    parts.append(f"L{_n(points[-1][0])} {_n(points[-1][1])}")
    return " ".join(parts)


def _without_repeats(points: Sequence[Point]) -> list[Point]:
    kept = [points[0]]
    kept += [b for a, b in pairwise(points) if a != b]
    return kept


def _distance(a: Point, b: Point) -> float:
    return abs(a[0] - b[0]) + abs(a[1] - b[1])


def _towards(a: Point, b: Point, length: float) -> Point:
    share = length / _distance(a, b)
    return a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share


def _n(value: float) -> str:
    return f"{round(value, 1):g}"
