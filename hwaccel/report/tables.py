"""The tables of a report as text, ready for HTML and Markdown alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from hwaccel.report.facts import EqualityLine, Synthesis, TimingLine
from hwaccel.report.model import Report
from hwaccel.report.profile import Part
from hwaccel.report.results import PartRow
from hwaccel.report.stages import Layer, Stage
from hwaccel.report.text import NONE, count, duration, megahertz, percent, plural


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell; ``note`` stands small below the text, ``span`` rows are covered downwards.

    ``bar`` is a CSS width that shows the number once more, or empty. ``key`` names the row that
    the cell begins, for a picture that leads to it.
    """

    text: str
    note: str = ""
    css: str = ""
    span: int = 1
    bar: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True)
class Head:
    """A column heading; ``css`` applies to the whole column."""

    text: str
    css: str = ""


Row = tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows in groups that belong together; the first cell of a row names it."""

    caption: str
    head: tuple[Head, ...]
    groups: tuple[tuple[Row, ...], ...]


def table_of(caption: str, head: str, rows: Sequence[Row]) -> Table:
    """Make a table of one group. ``head`` lists the columns; those with ``#`` hold numbers."""
    names = [name.strip() for name in head.split("|")]
    heads = tuple(Head(n.rstrip("#"), "number" if n.endswith("#") else "") for n in names)
    return Table(caption, heads, (tuple(rows),))


def cells_of(heads: str, *texts: str) -> Row:
    """Make a row of such a table."""
    numbers = [name.strip().endswith("#") for name in heads.split("|")]
    return tuple(
        Cell(text, css="number" if number else "")
        for text, number in zip(texts, numbers, strict=True)
    )


def accuracy_table(report: Report) -> Table:
    """Return how often each executor is right."""
    head = "Executor | Correct# | Frames# | Accuracy# | 95 % interval#"
    rows = [
        cells_of(
            head,
            line.label,
            count(line.correct),
            count(line.frames),
            percent(line.share, 2),
            f"{100 * line.low:.1f} to {percent(line.high)}",
        )
        for line in report.measured.accuracy
    ]
    return table_of("Accuracy on labelled frames, measured", head, rows)


def equality_table(report: Report) -> Table:
    """Return who was compared with the golden model."""
    head = "Executor | Verdict | Frames# | Values that differ# | Time#"
    rows = [
        (
            Cell(line.executor, line.note),
            _verdict(line),
            Cell(count(line.frames), css="number"),
            Cell(count(line.mismatches), css="number"),
            Cell(duration(line.seconds) if line.seconds else NONE, css="number"),
        )
        for line in report.measured.equality
    ]
    return table_of("Every bit compared with the golden model, measured", head, rows)


def _verdict(line: EqualityLine) -> Cell:
    if line.mismatches:
        return Cell("differs", css="bad")
    return Cell("equal in every bit", css="good") if line.frames else Cell("nothing compared")


def timing_table(report: Report) -> Table:
    """Return the schedule's times and those of every simulation."""
    head = (
        "Source | Basis | Frames# | Latency# | Interval# | Latency predicted# | "
        "Interval predicted# | Verdict"
    )
    predicted = report.predicted
    rows = [
        cells_of(
            head,
            "Schedule, source and sink never wait",
            "predicted, exact",
            count(predicted.frames),
            count(predicted.latency),
            count(predicted.interval),
            NONE,
            NONE,
            NONE,
        )
    ]
    rows += [
        (
            Cell(line.simulator, line.stalls),
            Cell("measured"),
            *(
                Cell(count(value), css="number")
                for value in (
                    line.frames,
                    line.latency,
                    line.interval,
                    line.predicted_latency,
                    line.predicted_interval,
                )
            ),
            _agreement(line),
        )
        for line in report.measured.timing
    ]
    return table_of(
        "Clock cycles from the first input to the last output, and per frame", head, rows
    )


def _agreement(line: TimingLine) -> Cell:
    if line.agrees is None:
        return Cell("no promise under stalls")
    return Cell("equal to the cycle", css="good") if line.agrees else Cell("differs", css="bad")


_LAYERS = (
    "Layer | Op | Output | Weights# | Zeros# | Multiplications# | Fold# | Cycles# | Busy# | "
    "≈ LUT# | ≈ FF# | ≈ DSP# | ≈ RAM# | ≈ MHz#"
)
_AREAS = 9  # columns in front of the areas
_LOSS = 3  # columns in front of what quantization costs


def layer_table(report: Report) -> Table:
    """Return every layer, those of one stage in one group.

    What quantization costs stands behind the format, where that is known.
    """
    found = report.measured.parts
    groups = [_stage_rows(stage, found) for stage in report.stages]
    groups.append((_total_row(report),))
    heads = table_of("", _LAYERS, []).head
    caption = "Layers by stage; cycles are exact, ≈ marks estimates"
    if found:
        caption += f", below them what {report.measured.synthesis[0].target} takes after synthesis"
    if report.losses:
        frames = plural(next(iter(report.losses.values())).frames, "frame")
        heads = (*heads[:_LOSS], Head("SNR", "number"), *heads[_LOSS:])
        caption += f"; SNR is signal to noise against the float model on {frames}, measured"
        groups = [tuple(_with_loss(row, report) for row in group) for group in groups]
    return Table(caption, heads, tuple(groups))


def _with_loss(row: Row, report: Report) -> Row:
    loss = report.losses.get(row[0].text)
    note = f"off by ≤ {loss.largest:.3g}" if loss and loss.largest else ""
    cell = Cell(loss.ratio if loss else "", note, "number")
    return (*row[:_LOSS], cell, *row[_LOSS:])


def _stage_rows(stage: Stage, found: Mapping[str, PartRow]) -> tuple[Row, ...]:
    span, area = len(stage.layers), stage.estimated_area
    busy = Cell(NONE, css="number", span=span)
    if stage.cycles:
        width = f"{100 * min(1.0, stage.busy):.1f}%"
        busy = Cell(percent(stage.busy, 0), css="number", span=span, bar=width)
    hot = "number hot" if stage.bottleneck else "number"
    amounts = (area.luts, area.ffs, area.dsps, area.rams) if area else (None,) * 4
    notes = tuple(map(count, found[stage.name])) if stage.name in found else ("",) * 4
    speed = stage.estimated_speed
    shared = (
        Cell(count(stage.cycles) if stage.cycles else NONE, css=hot, span=span),
        busy,
        *(
            Cell(count(amount), note, "number", span=span)
            for amount, note in zip(amounts, notes, strict=True)
        ),
        Cell(megahertz(speed.fmax_mhz) if speed else NONE, css="number", span=span),
    )
    head, *riders = stage.layers
    return ((*_layer_cells(head, None), *shared), *(_layer_cells(r, head) for r in riders))


def _layer_cells(layer: Layer, above: Layer | None) -> Row:
    """Return the cells of one layer; ``above`` is the one whose stage it shares."""
    path = "" if above and above.path == layer.path else layer.path
    zeros = percent(layer.zeros / layer.weights) if layer.weights else ""
    return (
        Cell(layer.name, path, "rider" if above else ""),
        Cell(layer.op),
        Cell(f"{layer.shape} {layer.format}", css="type"),
        Cell(count(layer.weights) if layer.weights else "", css="number"),
        Cell(zeros, css="number"),
        Cell(count(layer.multiplications) if layer.multiplications else "", css="number"),
        Cell(layer.fold or "wires", css="number"),
    )


def _total_row(report: Report) -> Row:
    totals, area, slowest = report.totals, report.estimated.total, report.predicted.slowest_cycles
    fmax = report.estimated.fmax_mhz
    texts = (
        f"Total of {count(totals.layers)} layers",
        "",
        "",
        count(totals.weights),
        percent(totals.zeros / totals.weights) if totals.weights else NONE,
        count(totals.multiplications),
        "",
        count(slowest),
        "",
        *(count(amount) for amount in (area.luts, area.ffs, area.dsps, area.rams)),
        megahertz(fmax) if fmax else NONE,
    )
    notes = {0: "areas with all that stands between the stages", 7: "slowest stage"}
    found = report.measured.parts.values()
    if found:
        sums = [sum(column) for column in zip(*found, strict=True)]
        notes |= dict(enumerate(map(count, sums), _AREAS))
    return tuple(
        Cell(cell.text, notes.get(k, ""), f"{cell.css} total".strip())
        for k, cell in enumerate(cells_of(_LAYERS, *texts))
    )


def profile_table(report: Report) -> Table:
    """Return what every module moves, holds and takes of the device."""
    head = (
        "Module | Additions# | Activations held, bits# | Moved per frame, bits# | ≈ Area, LUT# | "
        "Work# | What its cycles are spent on"
    )
    rows = [_profile_row(head, part, report.profile.work or 1) for part in report.profile.parts]
    caption = (
        "Modules; area counts a multiplier as 536 LUT and a block RAM as 402, work is area times "
        "cycles"
    )
    return table_of(caption, head, rows)


def _profile_row(head: str, part: Part, work: int) -> Row:
    share = part.work / work
    numbers = (part.additions, part.memory_bits, part.moved_bits, part.area.equivalent)
    texts = (part.path or "(itself)", *map(count, numbers), percent(share), part.limit)
    name, *cells = cells_of(head, *texts)
    cells[4] = replace(cells[4], bar=f"{100 * share:.1f}%")
    return (replace(name, note=", ".join(part.others)), *cells)


def resource_table(report: Report) -> Table:
    """Return the estimate beside every synthesis result, with shares of the device."""
    made, area = report.measured.synthesis, report.estimated.total
    heads = [Head("Resource"), Head("Estimated", "number")]
    heads += [
        Head(f"{m.target}, {'routed' if m.routed else 'synthesized'}", "number") for m in made
    ]
    rows = [
        ("LUT", area.luts, lambda m: (m.lut4_equivalents or m.luts, m.device and m.device.lut4)),
        ("· carry cells, made of LUT", None, lambda m: (m.carries, None)),
        ("· distributed RAM, made of LUT", None, lambda m: (m.distributed_rams, None)),
        ("Registers (FF)", area.ffs, lambda m: (m.ffs, m.device and m.device.ffs)),
        ("Multipliers (DSP)", area.dsps, lambda m: (m.dsps, m.device and m.device.dsps)),
        ("Block RAM", area.rams, lambda m: (m.block_rams, m.device and m.device.block_rams)),
    ]
    kept = [row for row in rows if made or row[1] is not None]
    body = [_resource_row(label, value, of, made) for label, value, of in kept]
    fmax = report.estimated.fmax_mhz
    body += [_clock_row("Fmax", made, lambda m: m.fmax_mhz, fmax)] if made or fmax else []
    body += [_clock_row("Clock asked for", made, lambda m: m.clock_mhz)] if made else []
    caption = "Estimated before synthesis" + (", and measured by it" if made else "")
    return Table(caption, tuple(heads), (tuple(body),))


def _resource_row(
    label: str,
    estimate: int | None,
    of: Callable[[Synthesis], tuple[int, int | None]],
    made: tuple[Synthesis, ...],
) -> Row:
    cells = [Cell(label), Cell("" if estimate is None else f"≈ {count(estimate)}", css="number")]
    for result in made:
        value, whole = of(result)
        note = f"{percent(value / whole)} of {count(whole)}" if whole else ""
        width = f"{100 * min(1.0, value / whole):.1f}%" if whole else ""
        css = "number bad" if whole and value > whole else "number"
        cells.append(Cell(count(value), note, css, bar=width))
    return tuple(cells)


def _clock_row(
    label: str,
    made: tuple[Synthesis, ...],
    of: Callable[[Synthesis], float | None],
    estimate: float | None = None,
) -> Row:
    values = [of(m) for m in made]
    texts = [NONE if value is None else f"{megahertz(value)} MHz" for value in values]
    said = "" if estimate is None else f"≈ {megahertz(estimate)} MHz"
    return (Cell(label), Cell(said, css="number"), *(Cell(t, css="number") for t in texts))


def logic_table(report: Report) -> Table:
    """Return the LUTs of laid-out stages by kind of node, one group per stage."""
    head = "Kind of node | Nodes# | ≈ LUT# | Share of LUT# | ≈ FF#"
    groups = []
    for stage, found in groupby(report.logic, key=lambda part: part.stage):
        parts = tuple(found)
        total = sum(part.luts for part in parts) or 1
        rows: list[Row] = []
        for part in parts:
            share = part.luts / total
            numbers = (count(part.nodes), count(part.luts), percent(share), count(part.ffs))
            name, *others = cells_of(head, part.kind, *numbers)
            others[2] = replace(others[2], bar=f"{100 * share:.1f}%")
            rows.append((replace(name, note="" if rows else f"in {stage}"), *others))
        groups.append(tuple(rows))
    caption = "Where the LUTs of laid-out stages go, estimated before synthesis"
    heads = table_of("", head, []).head
    return Table(caption, heads, tuple(groups))


def buffer_table(report: Report) -> Table:
    """Return every memory between the stages."""
    head = "Stage or stream | Role | Depth in beats# | Beat in bits# | Bits#"
    rows = [
        cells_of(head, b.name, b.role, count(b.depth), count(b.bits), count(b.total_bits))
        for b in report.buffers
    ]
    total = sum(b.total_bits for b in report.buffers)
    last = cells_of(head, "Total", "", "", "", count(total))
    heads = table_of("", head, []).head
    totals = tuple(Cell(c.text, css=f"{c.css} total".strip()) for c in last)
    return Table("Rings and FIFOs", heads, (tuple(rows), (totals,)))
