"""The mismatch browser: what a simulation got wrong, and where in the design that begins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hwaccel.report.evidence import MismatchRecord, WrongTensor
from hwaccel.report.heatmap import Image, heat_maps
from hwaccel.report.svg import Picture
from hwaccel.report.tables import Cell, Head, Table
from hwaccel.report.text import clean, count, percent, plural
from hwaccel.report.waveform import draw_excerpt

# Rows of the table of a tensor; the record has more.
_ROWS = 40
# Mismatches that are shown; each is one run.
MOST_SHOWN = 4


@dataclass(frozen=True, slots=True)
class WrongView:
    """A tensor with wrong elements; ``begins`` marks the one where the error does."""

    title: str
    begins: bool
    text: str
    images: tuple[Image, ...]
    table: Table


@dataclass(frozen=True, slots=True)
class MismatchView:
    """One run that went wrong."""

    title: str
    message: str
    where: str
    tensors: tuple[WrongView, ...]
    waves: tuple[Picture, ...]


def mismatch_views(records: Sequence[MismatchRecord]) -> tuple[MismatchView, ...]:
    """Return what the page shows of them, as many as it shows."""
    return tuple(_view(record, number) for number, record in enumerate(records[:MOST_SHOWN]))


def _view(record: MismatchRecord, number: int) -> MismatchView:
    stalls = f"idle {clean(record.idle)}, back pressure {clean(record.backpressure)}"
    return MismatchView(
        f"{clean(record.simulator)}, {plural(record.frames, 'frame')}, {stalls}, "
        f"seed {record.seed}",
        clean(record.message, 3000),
        where_it_begins(record),
        tuple(
            _tensor(tensor, record.located and not place)
            for place, tensor in enumerate(record.tensors)
        ),
        tuple(draw_excerpt(e, f"wrong-{number}-{k}") for k, e in enumerate(record.excerpts)),
    )


def where_it_begins(record: MismatchRecord) -> str:
    """Say which layer is the first that is wrong, as far as that is known."""
    if not record.tensors:
        return "No tensor was kept."
    first = record.tensors[0]
    if not record.located:
        return f"Only the outputs were looked at; {clean(first.name)} is wrong."
    when = "" if first.cycle is None else f", from cycle {count(first.cycle)} on"
    path = f" ({clean(first.path)})" if first.path else ""
    others = len(record.tensors) - 1
    after = f"; {plural(others, 'tensor')} after it follow{'s' if others == 1 else ''}"
    return (
        f"The first layer that is wrong is {clean(first.name)}{path}{when}"
        f"{after if others else ''}.{' What it reads is right.' if record.fed else ''}"
    )


def _tensor(tensor: WrongTensor, begins: bool) -> WrongView:
    shape = "×".join(str(n) for n in tensor.shape)
    share = percent(tensor.count / max(1, tensor.size))
    text = (
        f"{shape} {clean(tensor.format)}: {count(tensor.count)} of "
        f"{plural(tensor.size, 'element')} wrong, {share}"
    )
    if tensor.expected:
        text += f"; the pictures show frame {tensor.frame}"
    else:
        text += "; too large for a picture"
    path = f" ({clean(tensor.path)})" if tensor.path else ""
    return WrongView(
        f"{clean(tensor.name)}{path}",
        begins,
        f"{text}.",
        heat_maps(tensor.shape, tensor.expected, tensor.found),
        _wrong_table(tensor),
    )


def _wrong_table(tensor: WrongTensor) -> Table:
    heads = [Head("Element")]
    heads += [Head(text, "number") for text in ("Frame", "Expected", "Found", "Difference")]
    rows = []
    for wrong in tensor.wrong[:_ROWS]:
        place = np.unravel_index(wrong.at, tensor.shape)
        index = ", ".join(str(int(i)) for i in place)
        numbers = (wrong.frame, wrong.expected, wrong.found, wrong.found - wrong.expected)
        rows.append(
            (Cell(f"[{index}]"), *(Cell(count(number), css="number") for number in numbers))
        )
    left = tensor.count - len(rows)
    more = f"; {count(left)} more are not shown" if left else ""
    return Table(f"Wrong elements, in order{more}", tuple(heads), (tuple(rows),))
