"""The page of a search: what was found, as a plot of accuracy against hardware and as a table."""

from __future__ import annotations

from dataclasses import dataclass

from hwaccel.emit.env import render
from hwaccel.report.page import policy
from hwaccel.report.scatter import Axis, Point, Scatter, draw_scatter
from hwaccel.report.svg import Picture
from hwaccel.report.tables import Cell, Head, Table
from hwaccel.report.text import clean


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
    """Return one self-contained HTML page: nothing is loaded from anywhere."""
    return render(
        "report/front.html.j2",
        front=front,
        picture=draw_front(front),
        table=front_table(front),
        policy=policy(),
    )


def front_table(front: Front) -> Table:
    """Return the points, cheapest first."""
    rows = tuple(
        (
            Cell(clean(p.name, 200), _note(p), key=_key(number)),
            Cell(f"{p.accuracy:.2f} %", css="number"),
            *(Cell(text, css="number") for text in p.cells),
        )
        for number, p in sorted(enumerate(front.points), key=lambda item: item[1].price)
    )
    heads = Head("Point"), Head("Accuracy", "number"), *(Head(c, "number") for c in front.columns)
    return Table("Points that were trained in full", heads, (rows,))


def _note(point: Tried) -> str:
    if point.chosen:
        return "chosen"
    return "on the front" if point.on_front else ""


def draw_front(front: Front) -> Picture:
    """Return the scatter plot, hardware to the right on a scale of powers of ten."""
    points = tuple(
        Point(
            _key(number),
            f"{clean(p.name, 200)}: {p.accuracy:.2f} %, {', '.join(p.cells)}",
            p.price,
            p.accuracy,
            "chosen" if p.chosen else "best" if p.on_front else "",
        )
        for number, p in enumerate(front.points)
    )
    return draw_scatter(
        Scatter(
            "front",
            f"Accuracy against {front.axis}",
            Axis(front.axis, lambda x: f"{x:,.0f}", powers=True),
            Axis("accuracy", lambda y: f"{y:.1f} %"),
            points,
            front.limit,
            100.0,
        )
    )


def _key(number: int) -> str:
    """Return the key of a point, which its row in the table has too."""
    return f"point-{number}"
