"""What the Markdown report shows: the tables of the page, with every text made harmless."""

from __future__ import annotations

import re
from dataclasses import dataclass

from hwaccel.report import tables
from hwaccel.report.cell_tables import cells_table
from hwaccel.report.model import Report
from hwaccel.report.origin_tables import run_table, setting_table, training_table
from hwaccel.report.page import BASES, footer, lead
from hwaccel.report.summary import table_rows
from hwaccel.report.tables import Row, Table

_ACTIVE = re.compile(r"([\\`*\[\]<>&|#~!])")


@dataclass(frozen=True, slots=True)
class PlainTable:
    """Escaped cells, every row as long as the heading. ``rules`` sets the alignment."""

    title: str
    caption: str
    head: tuple[str, ...]
    rules: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Document:
    """The whole document."""

    title: str
    lead: tuple[str, ...]
    summary: PlainTable
    bases: tuple[str, ...]
    tables: tuple[PlainTable, ...]
    limits: tuple[str, ...]
    footer: str


def escape(text: str) -> str:
    """Return ``text`` so that Markdown shows it letter by letter."""
    return _ACTIVE.sub(r"\\\1", text)


def document_of(report: Report) -> Document:
    """Return everything the template places."""
    shown = (
        ("Accuracy", tables.accuracy_table(report)),
        ("Equality", tables.equality_table(report)),
        ("Timing", tables.timing_table(report)),
        ("Layers", tables.layer_table(report)),
        ("Work and memory", tables.profile_table(report)),
        ("Resources", tables.resource_table(report)),
        ("Standard cells", cells_table(report)),
        ("Laid-out logic", tables.logic_table(report)),
        ("Buffers", tables.buffer_table(report)),
        ("How each number was made", run_table(report)),
        ("Training", training_table(report)),
        ("Configuration", setting_table(report)),
    )
    return Document(
        escape(report.name),
        tuple(escape(text) for text in lead(report)),
        _summary(report),
        tuple(f"{basis.value}: {text}" for basis, text in BASES.items()),
        tuple(_plain(title, table) for title, table in shown if any(table.groups)),
        tuple(escape(text) for text in report.limits),
        escape(footer(report)),
    )


def _summary(report: Report) -> PlainTable:
    rows = tuple(tuple(escape(text) for text in row) for row in table_rows(report))
    return PlainTable("Summary", "", ("", "Value", "How"), ("---", "---:", "---"), rows)


def _plain(title: str, table: Table) -> PlainTable:
    return PlainTable(
        title,
        escape(table.caption),
        tuple(escape(head.text) for head in table.head),
        tuple("---:" if head.css else "---" for head in table.head),
        tuple(_row(row, len(table.head)) for group in table.groups for row in group),
    )


def _row(row: Row, columns: int) -> tuple[str, ...]:
    """Return the cells as text; those a cell above covers are empty."""
    texts = [escape(f"{cell.text} ({cell.note})" if cell.note else cell.text) for cell in row]
    return (*texts, *[""] * (columns - len(texts)))
