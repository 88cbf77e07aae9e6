"""A report as one HTML file, as Markdown, and as JSON."""

from __future__ import annotations

import re

from hwaccel.emit.env import render
from hwaccel.emit.project import pretty_json
from hwaccel.report.markdown import document_of
from hwaccel.report.model import Report
from hwaccel.report.page import page_of


def render_html(report: Report) -> str:
    """Return one self-contained page: nothing is loaded from anywhere."""
    return render("report/report.html.j2", page=page_of(report))


def render_markdown(report: Report) -> str:
    """Return the same tables as GitHub-flavoured Markdown."""
    text = render("report/report.md.j2", doc=document_of(report))
    return re.sub(r"\n{3,}", "\n\n", text)


def render_json(report: Report) -> str:
    """Return every number of the report, unrounded, by how it was obtained."""
    return pretty_json(report)
