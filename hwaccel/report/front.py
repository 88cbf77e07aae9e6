"""The page of a search: what was found, as a plot of accuracy against hardware and as a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, log10

from hwaccel.emit.env import render
from hwaccel.report.svg import Circle, Group, Path, Picture, Text, line
from hwaccel.report.tables import Cell, Head, Table
from hwaccel.report.text import clean

_LEFT, _TOP, _WIDTH, _HEIGHT = 64.0, 16.0, 560.0, 300.0


@dataclass(frozen=True, slots=True)
class Tried:
    """A point of the plot: ``price`` on the x axis, in a unit of ``Front``; accuracy in percent.

    ``cells`` are its resources, in the order of ``Front.columns``.
    """

    name: str
    price: float
    accuracy: float
    cells: tuple[str, ...]
    on_front: bool
    chosen: bool


@dataclass(frozen=True, slots=True)
class Front:
    """All points of a search, what the x axis counts, and where its limit is."""

    title: str
    lead: tuple[str, ...]
    axis: str
    limit: float | None
    columns: tuple[str, ...]
    points: tuple[Tried, ...]


def front_page(front: Front) -> str:
    """Return one self-contained HTML page: no script, nothing loaded from anywhere."""
    return render(
        "report/front.html.j2", front=front, picture=draw_front(front), table=front_table(front)
    )


def front_table(front: Front) -> Table:
    """Return the points, cheapest first."""
    rows = tuple(
        (
            Cell(
                clean(p.name, 200), "chosen" if p.chosen else "on the front" if p.on_front else ""
            ),
            Cell(f"{p.accuracy:.2f} %", css="number"),
            *(Cell(text, css="number") for text in p.cells),
        )
        for p in sorted(front.points, key=lambda p: p.price)
    )
    heads = Head("Point"), Head("Accuracy", "number"), *(Head(c, "number") for c in front.columns)
    return Table("Points that were trained in full", heads, (rows,))


def _note(point: Tried) -> str:
    if point.chosen:
        return "chosen"
    return "on the front" if point.on_front else ""


def draw_front(front: Front) -> Picture:
    """Return the scatter plot, hardware to the right on a scale of powers of ten."""
    prices = [max(p.price, 1e-9) for p in front.points]
    prices += [front.limit] if front.limit else []
    low, high = floor(log10(min(prices)) * 4) / 4, ceil(log10(max(prices)) * 4) / 4
    high = max(high, low + 0.25)
    bottom, top = _range([p.accuracy for p in front.points])

    def x(price: float) -> float:
        return _LEFT + (log10(max(price, 1e-9)) - low) / (high - low) * _WIDTH

    def y(accuracy: float) -> float:
        return _TOP + (top - accuracy) / (top - bottom) * _HEIGHT

    groups = [_axes(front, low, high, bottom, top)]
    if front.limit:
        at = x(front.limit)
        groups.append(
            Group("limit", paths=(Path(line((at, _TOP), (at, _TOP + _HEIGHT)), "limit"),),
                  texts=(Text(at - 4, _TOP + 12, "limit", "quiet", "end"),))
        )  # fmt: skip
    best = sorted((p for p in front.points if p.on_front), key=lambda p: p.price)
    if len(best) > 1:
        corners = [(x(p.price), y(p.accuracy)) for p in best]
        groups.append(Group("front", paths=(Path(line(*corners), "front"),)))
    for p in front.points:
        css = "dot chosen" if p.chosen else "dot best" if p.on_front else "dot"
        title = f"{clean(p.name, 200)}: {p.accuracy:.2f} %, {', '.join(p.cells)}"
        dot = Circle(x(p.price), y(p.accuracy), 6 if p.chosen else 4, css)
        groups.append(Group(title, circles=(dot,)))
    return Picture(
        "front",
        f"Accuracy against {front.axis}",
        f"{len(front.points)} points, {len(best)} of them on the front.",
        _LEFT + _WIDTH + 40,
        _TOP + _HEIGHT + 44,
        tuple(groups),
    )


def _range(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    room = max(0.1, (high - low) * 0.15)
    return low - room, min(100.0, high + room) if high < 100 else 100.0 + room / 4


def _axes(front: Front, low: float, high: float, bottom: float, top: float) -> Group:
    floor_y = _TOP + _HEIGHT
    frame = line((_LEFT, _TOP), (_LEFT, floor_y), (_LEFT + _WIDTH, floor_y))
    texts = []
    for i in range(5):
        accuracy = bottom + (top - bottom) * i / 4
        at = _TOP + _HEIGHT * (1 - i / 4)
        texts.append(Text(_LEFT - 8, at + 4, f"{accuracy:.1f} %", "quiet number", "end"))
        price = 10 ** (low + (high - low) * i / 4)
        across = _LEFT + _WIDTH * i / 4
        texts.append(Text(across, _TOP + _HEIGHT + 18, f"{price:,.0f}", "quiet number", "middle"))
    texts.append(Text(_LEFT + _WIDTH / 2, _TOP + _HEIGHT + 38, front.axis, "", "middle"))
    return Group("axes", paths=(Path(frame, "axis"),), texts=tuple(texts))
