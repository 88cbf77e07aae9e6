"""The page of a search: what was found, as a plot of one figure against another and as a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, log10

from hwaccel.emit.env import render
from hwaccel.report.svg import Circle, Group, Path, Picture, Text, line
from hwaccel.report.tables import Cell, Head, Table
from hwaccel.report.text import clean

_LEFT, _TOP, _WIDTH, _HEIGHT = 64.0, 16.0, 560.0, 300.0
_LEAST = 1e-9
# Of what a point says of itself where the mouse is on it.
_LONGEST = 2000


@dataclass(frozen=True, slots=True)
class Tried:
    """A point of the plot: ``price`` on the x axis, ``value`` on the y axis of ``Front``.

    ``cells`` are further figures, in the order of ``Front.columns``.
    """

    name: str
    price: float
    value: float
    cells: tuple[str, ...]
    on_front: bool
    chosen: bool


@dataclass(frozen=True, slots=True)
class Front:
    """All points of a search, what the axes count, and where the limit of the x axis is.

    The y axis is in percent, or ``spread`` over powers of ten as the x axis is.
    """

    title: str
    lead: tuple[str, ...]
    axis: str
    limit: float | None
    columns: tuple[str, ...]
    points: tuple[Tried, ...]
    rising: str = "Accuracy"
    spread: bool = False
    caption: str = "Points that were trained in full"

    def said(self, value: float, digits: int) -> str:
        """Return a figure of the y axis in words."""
        return _number(value) if self.spread else f"{value:.{digits}f} %"


def front_page(front: Front) -> str:
    """Return one self-contained HTML page: no script, nothing loaded from anywhere."""
    return render(
        "report/front.html.j2", front=front, picture=draw_front(front), table=front_table(front)
    )


def front_table(front: Front) -> Table:
    """Return the points, cheapest first."""
    rows = tuple(
        (
            Cell(clean(p.name, 200), _note(p)),
            Cell(front.said(p.value, 2), css="number"),
            *(Cell(text, css="number") for text in p.cells),
        )
        for p in sorted(front.points, key=lambda p: p.price)
    )
    columns = (front.rising, *front.columns)
    heads = (Head("Point"), *(Head(c, "number") for c in columns))
    return Table(front.caption, heads, (rows,))


def _note(point: Tried) -> str:
    if point.chosen:
        return "chosen"
    return "on the front" if point.on_front else ""


def draw_front(front: Front) -> Picture:
    """Return the scatter plot; axes that are spread out have a scale of powers of ten."""
    prices = [p.price for p in front.points] + ([front.limit] if front.limit else [])
    across = _spread(prices)
    values = [p.value for p in front.points]
    up = _spread(values) if front.spread else _percent(values)

    def x(price: float) -> float:
        return _LEFT + across.share(price) * _WIDTH

    def y(value: float) -> float:
        return _TOP + (1 - up.share(value)) * _HEIGHT

    groups = [_axes(front, across, up)]
    if front.limit:
        at = x(front.limit)
        groups.append(
            Group("limit", paths=(Path(line((at, _TOP), (at, _TOP + _HEIGHT)), "limit"),),
                  texts=(Text(at - 4, _TOP + 12, "limit", "quiet", "end"),))
        )  # fmt: skip
    best = sorted((p for p in front.points if p.on_front), key=lambda p: p.price)
    if len(best) > 1:
        corners = [(x(p.price), y(p.value)) for p in best]
        groups.append(Group("front", paths=(Path(line(*corners), "front"),)))
    for p in front.points:
        css = "dot chosen" if p.chosen else "dot best" if p.on_front else "dot"
        title = f"{clean(p.name, _LONGEST)}: {front.said(p.value, 2)}, {', '.join(p.cells)}"
        dot = Circle(x(p.price), y(p.value), 6 if p.chosen else 4, css)
        groups.append(Group(title, circles=(dot,)))
    return Picture(
        "front",
        f"{front.rising} against {front.axis}",
        f"{len(front.points)} points, {len(best)} of them on the front.",
        _LEFT + _WIDTH + 40,
        _TOP + _HEIGHT + 44,
        tuple(groups),
    )


@dataclass(frozen=True, slots=True)
class _Scale:
    """An axis from ``low`` to ``high``, or from 10 to the ``low`` to 10 to the ``high``."""

    low: float
    high: float
    powers: bool

    def share(self, value: float) -> float:
        at = log10(max(value, _LEAST)) if self.powers else value
        return (at - self.low) / (self.high - self.low)

    def at(self, share: float) -> float:
        value = self.low + (self.high - self.low) * share
        return 10.0**value if self.powers else value


def _spread(values: Sequence[float]) -> _Scale:
    least = [max(value, _LEAST) for value in values]
    low, high = floor(log10(min(least)) * 4) / 4, ceil(log10(max(least)) * 4) / 4
    return _Scale(low, max(high, low + 0.25), powers=True)


def _percent(values: Sequence[float]) -> _Scale:
    low, high = min(values), max(values)
    room = max(0.1, (high - low) * 0.15)
    top = min(100.0, high + room) if high < 100 else 100.0 + room / 4
    return _Scale(low - room, top, powers=False)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _axes(front: Front, across: _Scale, up: _Scale) -> Group:
    floor_y = _TOP + _HEIGHT
    frame = line((_LEFT, _TOP), (_LEFT, floor_y), (_LEFT + _WIDTH, floor_y))
    texts = []
    for i in range(5):
        height, share = front.said(up.at(i / 4), 1), i / 4
        texts.append(
            Text(_LEFT - 8, _TOP + _HEIGHT * (1 - share) + 4, height, "quiet number", "end")
        )
        price = _number(across.at(share))
        texts.append(Text(_LEFT + _WIDTH * share, floor_y + 18, price, "quiet number", "middle"))
    texts.append(Text(_LEFT + _WIDTH / 2, floor_y + 38, front.axis, "", "middle"))
    return Group("axes", paths=(Path(frame, "axis"),), texts=tuple(texts))
