"""The results of a suite as JUnit XML, which every CI server reads."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from itertools import groupby
from typing import TYPE_CHECKING

from hwaccel.regress.plan import Run
from hwaccel.regress.result import Result
from hwaccel.report.text import clean

if TYPE_CHECKING:
    from hwaccel.regress.run import Found

_LONGEST = 4000


def junit(found: Found) -> str:
    """Return a test suite for each design, with a test case for each run.

    A run that failed is a failure; one that has no verdict (hung, lost, cannot be made) an error;
    one that was not made is skipped.
    """
    root = ElementTree.Element("testsuites", name=clean(found.suite.name))
    runs = sorted(found.plan.runs, key=lambda run: run.source.name)
    for name, group in groupby(runs, key=lambda run: run.source.name):
        suite = ElementTree.SubElement(root, "testsuite", name=name)
        for run in group:
            _case(suite, f"{clean(found.suite.name)}.{name}", run, found.results.get(run))
        _count(suite)
    _count(root)
    ElementTree.indent(root)
    text = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _case(suite: ElementTree.Element, group: str, run: Run, result: Result | None) -> None:
    seconds = result.answer.seconds if result else 0.0
    case = ElementTree.SubElement(
        suite, "testcase", classname=group, name=run.how, time=f"{seconds:.3f}"
    )
    if result is None:
        ElementTree.SubElement(case, "skipped", message="not run")
        return
    answer = result.answer
    if answer.status == "passed":
        return
    kind = "failure" if answer.status == "failed" else "error"
    said = ElementTree.SubElement(
        case, kind, type=answer.status, message=clean(answer.message, _LONGEST)
    )
    if answer.waves:
        said.text = "\n".join(filter(None, (f"waves: {clean(answer.waves)}", clean(answer.origin))))
    elif answer.left:
        said.text = f"log: {clean(answer.left)}"


def _count(element: ElementTree.Element) -> None:
    cases = list(element.iter("testcase"))
    element.set("tests", str(len(cases)))
    for kind, name in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
        element.set(name, str(sum(case.find(kind) is not None for case in cases)))
    element.set("time", f"{sum(float(case.get('time', '0')) for case in cases):.3f}")
