"""The page of a suite: what passed for each design and simulator, and everything that did not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwaccel.emit.env import render
from hwaccel.regress.plan import Run
from hwaccel.report.tables import Cell, Head, Row, Table
from hwaccel.report.text import NONE, clean, count, duration, listed, plural

if TYPE_CHECKING:
    from hwaccel.regress.run import Found

# Rows of what did not pass; the file junit.xml has all.
_MOST = 1000
_LONGEST = 1000


def page(found: Found) -> str:
    """Return one self-contained HTML page: no script, nothing loaded from anywhere."""
    bad = [run for run in found.plan.runs if not _good(found, run)]
    tables = [matrix_table(found), stall_table(found)]
    if bad:
        tables.append(trouble_table(found, bad[:_MOST]))
    return render(
        "report/regress.html.j2",
        title=clean(found.suite.name),
        lead=_lead(found, len(bad)),
        tables=tables,
    )


def _lead(found: Found, bad: int) -> tuple[str, ...]:
    made = {f"hwaccel {result.version}" for result in found.results.values()}
    told = {clean(r.answer.tool) for r in found.results.values() if r.answer.tool}
    cut = f" The first {count(_MOST)} are listed; junit.xml has all." if bad > _MOST else ""
    return (
        f"{found.plan.line}: {found.line}.{cut}",
        f"Tools: {listed([*sorted(made), *sorted(told)])}.",
    )


def _good(found: Found, run: Run) -> bool:
    result = found.results.get(run)
    return result is not None and result.answer.status == "passed"


def matrix_table(found: Found) -> Table:
    """Return how many runs passed, for each design on each simulator."""
    simulators = found.suite.simulators
    rows = []
    for source in found.plan.sources:
        cells = []
        for simulator in simulators:
            runs = [r for r in found.plan.runs if (r.source, r.simulator) == (source, simulator)]
            cells.append(_share(found, runs))
        style = source.style or ("project" if source.model.is_project else "")
        named = Cell(source.model.name, clean(source.model.source))
        rows.append((named, Cell(style), *cells))
    heads = Head("Design"), Head("Style"), *(Head(name, "number") for name in simulators)
    return Table("Runs that passed, by design and simulator", heads, (tuple(rows),))


def stall_table(found: Found) -> Table:
    """Return how many runs passed, for each pattern of stalls and number of frames."""
    rows: list[Row] = []
    for stall in found.suite.stalls:
        idle, _, backpressure = stall.partition("/")
        cells = []
        for frames in found.suite.frames:
            runs = [r for r in found.plan.runs if (r.stall, r.frames) == (stall, frames)]
            cells.append(_share(found, runs))
        rows.append((Cell(f"source {idle}"), Cell(f"sink {backpressure}"), *cells))
    heads = [Head(plural(frames, "frame"), "number") for frames in found.suite.frames]
    caption = "Runs that passed, by who pauses and by the frames of a run"
    return Table(caption, (Head("Idle"), Head("Back pressure"), *heads), (tuple(rows),))


def _share(found: Found, runs: list[Run]) -> Cell:
    if not runs:
        return Cell(NONE, css="number")
    good = sum(_good(found, run) for run in runs)
    seconds = sum(found.results[run].answer.seconds for run in runs if run in found.results)
    text = f"{count(good)} of {count(len(runs))}"
    return Cell(text, duration(seconds), "number" if good == len(runs) else "number bad")


def trouble_table(found: Found, runs: list[Run]) -> Table:
    """Return what did not pass, and where its waves or its log are."""
    rows: list[Row] = []
    for run in runs:
        result = found.results.get(run)
        status = result.answer.status if result else "not run"
        told = [result.answer.origin, result.answer.message] if result else []
        said = clean("; ".join(filter(None, told)), _LONGEST)
        left = clean(result.answer.waves or result.answer.left) if result else ""
        css = "bad" if result else ""
        rows.append((Cell(run.source.name, run.how), Cell(status, css=css), Cell(said), Cell(left)))
    heads = Head("Run"), Head("Result"), Head("Message"), Head("Waves or log")
    return Table("Runs that did not pass", heads, (tuple(rows),))
