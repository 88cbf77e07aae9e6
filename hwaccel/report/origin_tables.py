"""Tables of where a report comes from: commands, training, settings."""

from __future__ import annotations

from hwaccel.report.model import Report
from hwaccel.report.tables import Table, cells_of, table_of
from hwaccel.report.text import NONE, count, duration, listed, percent


def run_table(report: Report) -> Table:
    """Return how every number was made."""
    head = "Numbers | Basis | Command | Tools | Time#"
    rows = [
        cells_of(
            head,
            "Latency, interval, cycles, timeline",
            "predicted, exact",
            "hwaccel convert",
            "schedule of hwaccel",
            NONE,
        ),
        cells_of(
            head,
            "Area of stages",
            "estimated",
            "hwaccel convert",
            "cost model of hwaccel",
            NONE,
        ),
    ]
    for run in report.runs:
        time = duration(run.seconds) if run.seconds else NONE
        tools = listed(run.tools)
        rows.append(cells_of(head, run.what, "measured", run.command or NONE, tools, time))
    return table_of("What was run, and what was worked out", head, rows)


def setting_table(report: Report) -> Table:
    """Return configuration and versions."""
    head = "Setting | Value"
    rows = [cells_of(head, name, value) for name, value in (*report.config, *report.versions)]
    return table_of("Configuration and versions", head, rows)


def training_table(report: Report) -> Table:
    """Return the steps that made the model."""
    head = "Step | Epochs# | Zero weights after it# | Device | Time#"
    rows = [
        cells_of(
            head,
            step.what,
            count(step.epochs),
            NONE if step.sparsity is None else percent(step.sparsity),
            step.device or NONE,
            duration(step.seconds) if step.seconds else NONE,
        )
        for step in report.measured.training
    ]
    return table_of("How the model was trained, measured", head, rows)
