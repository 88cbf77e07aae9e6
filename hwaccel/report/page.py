"""What the HTML page shows, ready to be placed: text, tables and pictures."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass

from hwaccel.emit.env import render
from hwaccel.report import tables
from hwaccel.report.cell_tables import cells_table
from hwaccel.report.charts import draw_area, draw_cycles, draw_timeline
from hwaccel.report.cycle_tables import queue_table, trace_table, waiting_table
from hwaccel.report.dataflow import STYLES, draw_dataflow
from hwaccel.report.details import Detail
from hwaccel.report.gantt import draw_pipeline
from hwaccel.report.limits import contradictions
from hwaccel.report.mismatches import MismatchView, mismatch_views, where_it_begins
from hwaccel.report.model import Port, Report
from hwaccel.report.origin_tables import run_table, setting_table, training_table
from hwaccel.report.summary import Basis, Figure, figures
from hwaccel.report.svg import Picture
from hwaccel.report.tables import Table
from hwaccel.report.text import clean, count, percent, plural
from hwaccel.report.waveform import draw_excerpt

# The one script of a page; what it does is shown without it as well, but less handily.
SCRIPT = "report/_script.js.j2"

BASES = {
    Basis.MEASURED: "a tool ran on the emitted files",
    Basis.PREDICTED: "exact, from the schedule; simulation must agree to the cycle",
    Basis.ESTIMATED: "from a cost model, before synthesis",
}


@dataclass(frozen=True, slots=True)
class Tile:
    """A headline number; ``css`` names its basis and whether it is bad."""

    label: str
    value: str
    unit: str
    basis: str
    how: str
    css: str


@dataclass(frozen=True, slots=True)
class Legend:
    """A colour or mark and what it stands for."""

    css: str
    name: str
    meaning: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """The whole page. Tables that would be empty are left out of their tuple."""

    title: str
    lead: tuple[str, ...]
    alerts: tuple[str, ...]
    tiles: tuple[Tile, ...]
    bases: tuple[Legend, ...]
    equality: tuple[Table, ...]
    timing: tuple[Table, ...]
    timeline: Picture
    pipeline: tuple[Picture, ...]
    waiting: tuple[Table, ...]
    traces: tuple[Table, ...]
    waves: tuple[Picture, ...]
    mismatches: tuple[MismatchView, ...]
    dataflow: Picture
    details: tuple[Detail, ...]
    kinds: tuple[Legend, ...]
    charts: tuple[Picture, ...]
    layers: Table
    profile: tuple[Table, ...]
    bottlenecks: tuple[str, ...]
    resources: tuple[Table, ...]
    buffers: Table
    buffers_summary: str
    origins: tuple[Table, ...]
    settings: Table
    limits: tuple[str, ...]
    footer: str
    policy: str


def page_of(report: Report) -> Page:
    """Return everything the template places."""
    shown = {stage.kind for stage in report.stages}
    kinds = tuple(Legend(css, kind.value) for kind, css in STYLES.items() if kind in shown)
    return Page(
        report.name,
        lead(report),
        alerts(report),
        tuple(_tile(figure) for figure in figures(report)),
        tuple(Legend(_css(basis), basis.value, text) for basis, text in BASES.items()),
        _filled(tables.accuracy_table(report), tables.equality_table(report)),
        _filled(tables.timing_table(report)),
        draw_timeline(report),
        tuple(filter(None, [draw_pipeline(report.pipeline)])),
        _filled(waiting_table(report), queue_table(report)),
        _filled(trace_table(report)),
        _excerpts(report),
        mismatch_views(report.mismatches),
        draw_dataflow(report),
        report.details,
        kinds,
        (draw_cycles(report), draw_area(report)),
        tables.layer_table(report),
        _filled(tables.profile_table(report)),
        tuple(f"By {by}: {text}." for by, text in report.profile.bottlenecks()),
        _filled(tables.resource_table(report), cells_table(report), tables.logic_table(report)),
        tables.buffer_table(report),
        buffers_summary(report),
        _filled(run_table(report), training_table(report)),
        setting_table(report),
        report.limits,
        footer(report),
        policy(),
    )


def policy() -> str:
    """Return what a browser may do with the page: run its one script, and load nothing."""
    digest = hashlib.sha256(render(SCRIPT).encode()).digest()
    script = base64.b64encode(digest).decode()
    return (
        f"default-src 'none'; script-src 'sha256-{script}'; style-src 'unsafe-inline'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def alerts(report: Report) -> tuple[str, ...]:
    """Return what was found and should not be so."""
    wrong = [
        f"{clean(m.simulator)}, seed {m.seed}: {where_it_begins(m)}" for m in report.mismatches
    ]
    odd = [f"{clean(t.simulator)}, traced: {clean(t.odd[0])}." for t in report.traces if t.odd]
    return (*wrong, *odd, *contradictions(report.measured))


def _excerpts(report: Report) -> tuple[Picture, ...]:
    """Return the waves of the first trace that has any."""
    kept = next((trace.excerpts for trace in report.traces if trace.excerpts), ())
    return tuple(draw_excerpt(excerpt, f"waves-{k}") for k, excerpt in enumerate(kept))


def lead(report: Report) -> tuple[str, ...]:
    """Say in two sentences what the design is and what bounds it."""
    totals = report.totals
    zeros = f", {percent(totals.zeros / totals.weights)} of them zero" if totals.zeros else ""
    return (
        f"{_ports(report.inputs)} in, {_ports(report.outputs)} out: "
        f"{plural(totals.layers, 'layer')} with {plural(totals.weights, 'weight')}{zeros}, and "
        f"{plural(totals.multiplications, 'multiplication')} per frame.",
        bottleneck(report),
    )


def bottleneck(report: Report) -> str:
    """Name what sets the interval."""
    names, predicted = report.bottlenecks, report.predicted
    if not names:
        return "Nothing computes: the design is wires."
    cycles = plural(predicted.slowest_cycles, "cycle")
    more = predicted.interval - predicted.slowest_cycles
    extra = f" The interval is {plural(more, 'cycle')} longer, as stages wait for each other."
    tail = extra if more > 0 else ""
    if len(names) == 1:
        return f"The bottleneck is {names[0]}, which needs {cycles} per frame.{tail}"
    if len(names) > 3:
        names = (*names[:2], f"{len(names) - 2} more")
    who = f"{', '.join(names[:-1])} and {names[-1]}"
    return f"The bottlenecks are {who}, which need {cycles} per frame.{tail}"


def buffers_summary(report: Report) -> str:
    """Say how much the streams hold."""
    bits = sum(buffer.total_bits for buffer in report.buffers)
    return f"{count(len(report.buffers))} rings and FIFOs with {plural(bits, 'bit')} in all"


def footer(report: Report) -> str:
    """Say which design and release the page is about."""
    version = dict(report.versions).get("hwaccel", "")
    by = f"hwaccel {version}".rstrip()
    return f"Design {report.design_hash}, reported by {by}. The same results give the same page."


def _ports(ports: tuple[Port, ...]) -> str:
    return " and ".join(f"{port.shape} {port.format}" for port in ports)


def _tile(figure: Figure) -> Tile:
    css = _css(figure.basis) + (" bad" if figure.bad else "")
    return Tile(figure.label, figure.value, figure.unit, figure.basis.value, figure.how, css)


def _css(basis: Basis) -> str:
    return basis.name.lower()


def _filled(*candidates: Table) -> tuple[Table, ...]:
    return tuple(table for table in candidates if any(table.groups))
