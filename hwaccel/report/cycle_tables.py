"""Tables of single cycles: what stages do in the steady state, and what simulations confirm."""

from __future__ import annotations

from hwaccel.report.evidence import TraceRecord
from hwaccel.report.model import Report
from hwaccel.report.pipeline import Row as Waiting
from hwaccel.report.tables import Cell, Head, Row, Table
from hwaccel.report.text import NONE, clean, count, percent, plural


def _heads(*texts: str) -> tuple[Head, ...]:
    """Return headings; those that end in ``#`` are of numbers."""
    return tuple(Head(t.rstrip("#"), "number" if t.endswith("#") else "") for t in texts)


def waiting_table(report: Report) -> Table:
    """Return what every stage does with its cycles in the steady state."""
    pipeline = report.pipeline
    heads = _heads(
        "Stage", "Works#", "Waits for input#", "Missing", "Waits for room#", "Made by",
    )  # fmt: skip
    rows = tuple(_waiting(row, pipeline.cycles) for row in pipeline.rows)
    caption = (
        f"Share of the {plural(pipeline.cycles, 'cycle')} shown, exact; inputs may be "
        "missing together"
    )
    return Table(caption, heads, (rows,))


def _waiting(row: Waiting, cycles: int) -> Row:
    def share(part: int) -> Cell:
        return Cell(percent(part / cycles) if part else NONE, count(part) if part else "", "number")

    missing = [f"{name} {percent(n / cycles)}" for name, n in row.missing if n]
    return (
        Cell(row.name),
        share(row.works),
        share(row.starved),
        Cell("; ".join(missing)),
        share(row.blocked),
        Cell(", ".join(row.readers) if row.blocked else ""),
    )


def queue_table(report: Report) -> Table:
    """Return how full the FIFOs are in the steady state."""
    heads = _heads("FIFO behind", "Depth#", "Held at most#", "Held on average#", "Places taken#")
    rows = tuple(
        (
            Cell(queue.name),
            Cell(count(queue.depth), css="number"),
            Cell(count(queue.most), css="number", bar=f"{100 * queue.most / queue.depth:.0f}%"),
            Cell(f"{queue.mean:.2f}", css="number"),
            Cell(count(queue.reserved), css="number"),
        )
        for queue in report.pipeline.queues
    )
    caption = "FIFOs in beats, exact; a place is taken from the issue of a result on"
    return Table(caption, heads, (rows,))


def trace_table(report: Report) -> Table:
    """Return which simulations confirm all of this, signal by signal."""
    heads = _heads(
        "Simulation", "Frames#", "Cycles#", "Streams#", "Issuers#", "Signal values compared#",
        "Beats compared#", "Verdict",
    )  # fmt: skip
    rows = tuple(_traced(trace) for trace in report.traces)
    caption = (
        "Waves compared with schedule and golden model: valid, transfer, issue, push, step, wait "
        "in every cycle, and every beat's data, measured"
    )
    return Table(caption, heads, (rows,))


def _traced(trace: TraceRecord) -> Row:
    stalls = f"idle {clean(trace.idle)}, back pressure {clean(trace.backpressure)}"
    numbers = (
        trace.frames, trace.cycles, trace.streams, trace.issuers, trace.bits, trace.beats
    )  # fmt: skip
    verdict = Cell("equal in every cycle", css="good")
    if trace.odd:
        verdict = Cell("differs", clean(trace.odd[0]), "bad")
    elif not trace.timed:
        verdict = Cell("data equal", "no promise of times under back pressure", "good")
    name = Cell(clean(trace.simulator), f"{stalls}; seed {trace.seed}")
    return (name, *(Cell(count(n) if n else NONE, css="number") for n in numbers), verdict)
