"""The page of a search: what was found, as a plot of one figure against another and as a table."""

from __future__ import annotations

from dataclasses import dataclass

from hwaccel.emit.env import render
from hwaccel.report.page import policy
from hwaccel.report.scatter import Axis, Point, Scatter, draw_scatter
from hwaccel.report.svg import Picture
from hwaccel.report.tables import Cell, Head, Table
from hwaccel.report.text import NONE, clean

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
    """Return one self-contained HTML page: nothing is loaded from anywhere."""
    return render(
        "report/front.html.j2",
        front=front,
        picture=draw_front(front),
        table=front_table(front),
        policy=policy(),
    )


def front_table(front: Front) -> Table:
    """Return the points, cheapest first, with the columns in which any point has a figure.

    A y axis that is spread counts something that has a column of its own.
    """
    kept = [k for k in range(len(front.columns)) if any(p.cells[k] != NONE for p in front.points)]
    rows = tuple(
        (
            Cell(clean(p.name, 200), _note(p), key=_key(number)),
            *(() if front.spread else (Cell(front.said(p.value, 2), css="number"),)),
            *(Cell(p.cells[k], css="number") for k in kept),
        )
        for number, p in sorted(enumerate(front.points), key=lambda item: item[1].price)
    )
    columns = (() if front.spread else (front.rising,)) + tuple(front.columns[k] for k in kept)
    heads = (Head("Point"), *(Head(c, "number") for c in columns))
    return Table(front.caption, heads, (rows,))


def _note(point: Tried) -> str:
    if point.chosen:
        return "chosen"
    return "on the front" if point.on_front else ""


def draw_front(front: Front) -> Picture:
    """Return the scatter plot; axes that are spread out have a scale of powers of ten."""
    points = tuple(
        Point(
            _key(number),
            f"{clean(p.name, _LONGEST)}: {front.said(p.value, 2)}, {', '.join(p.cells)}",
            p.price,
            p.value,
            "chosen" if p.chosen else "best" if p.on_front else "",
        )
        for number, p in enumerate(front.points)
    )
    return draw_scatter(
        Scatter(
            "front",
            f"{front.rising} against {front.axis}",
            Axis(front.axis, _number, powers=True),
            Axis(front.rising, lambda y: front.said(y, 1), powers=front.spread),
            points,
            front.limit,
            None if front.spread else 100.0,
        )
    )


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _key(number: int) -> str:
    """Return the key of a point, which its row in the table has too."""
    return f"point-{number}"
