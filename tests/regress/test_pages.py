"""What CI servers and browsers get: valid, complete, and harmless whatever names there are."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path

import pytest

from hwaccel.regress import run as runs
from hwaccel.regress.run import Found
from tests.cli.tools import run
from tests.report.test_render import walk

HOSTILE = "<script>alert('1')</script>&\"]]>`\x1b[31m\u202e\x00 {{ 7 * 7 }}"


@pytest.fixture
def found(place: Path, go: Callable[..., Found]) -> Found:
    text = (place / "suite.toml").read_text()
    name = HOSTILE.replace("\x1b", "\\u001b").replace("\x00", "\\u0000").replace('"', '\\"')
    (place / "suite.toml").write_text(f'name = "{name}"\n{text}')
    (place / "fail-1").write_text(f"{HOSTILE}: expected 3, found 4")
    (place / "broken-b").write_text(HOSTILE)
    (place / "doom-2").touch()
    return go(waves=1)


def test_junit(place: Path, found: Found) -> None:
    root = ElementTree.fromstring((place / "out" / "junit.xml").read_text(encoding="utf-8"))
    assert root.tag == "testsuites"
    assert [root.get(k) for k in ("tests", "failures", "errors", "skipped")] == [
        *("12", "1", "7", "0")
    ]
    suites = root.findall("testsuite")
    assert [suite.get("name") for suite in suites] == ["a", "b"]
    assert [suite.get("errors") for suite in suites] == ["1", "6"]
    cases = {
        (suite.get("name"), case.get("name")): case
        for suite in suites
        for case in suite.findall("testcase")
    }
    assert len(cases) == len(found.plan.runs)
    wrong = cases["a", "icarus, 2 frames, seed 1, none/none"]
    (failure,) = wrong
    assert failure.tag == "failure"
    assert "<script>" in failure.get("message", "")
    assert "found 4" in failure.get("message", "")
    assert re.fullmatch(r"waves: runs/\w{32}/waves\.fst", failure.text or "")
    right = cases["a", "icarus, 2 frames, seed 3, none/none"]
    assert (list(right), right.get("time")) == ([], "0.500")
    assert [error.get("type") for error in cases["a", "icarus, 2 frames, seed 2, none/none"]] == [
        "lost"
    ]


def test_the_page_is_whole_and_harmless(place: Path, found: Found) -> None:
    text = (place / "out" / "index.html").read_text(encoding="utf-8")
    walker = walk(text)
    assert not {"script", "link", "iframe", "img", "object"} & {tag for tag, _ in walker.tags}
    for tag, attributes in walker.tags:
        assert not {"src", "href", "srcset", "onload"} & attributes.keys(), tag
    assert not re.search("[\x00-\x08\x0b-\x1f\u202e]", text)
    shown = " ".join(" ".join(walker.text).split())
    assert "{{ 7 * 7 }}" in shown
    assert "12 runs of 2 designs: 4 passed, 1 failed, 6 error, 1 lost; 0 of them known" in shown
    assert "Runs that did not pass" in shown
    assert re.search(r"a icarus, 2 frames, seed 1, none/none failed <script>alert", shown)
    assert "4 of 6" in shown
    assert "0 of 6" in shown


def test_a_page_of_a_suite_without_trouble(place: Path, go: Callable[..., Found]) -> None:
    go()
    shown = " ".join(walk((place / "out" / "index.html").read_text()).text)
    assert "did not pass" not in shown
    assert "6 of 6" in shown


# --- the command ---------------------------------------------------------------------------------


@pytest.fixture
def _stubbed(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "need_tools", lambda suite: None)
    monkeypatch.chdir(place)


@pytest.mark.usefixtures("_stubbed")
def test_exit_codes(place: Path) -> None:
    words = ("regress", "suite.toml", "-o", "out", "--workers", "2")
    ran = run(*words)
    assert ran.code == 0
    assert ran.out.splitlines() == [
        "suite: 12 runs of 2 designs",
        "12 passed; 0 of them known from before",
        "written to out/: index.html shows all, junit.xml is for CI servers",
    ]
    (place / "fail-6").write_text("y: expected 1, found 2")
    ran = run(*words, "--again", "--waves", "0")
    assert ran.code == 1
    assert ran.out.splitlines()[1:-1] == [
        f"{name}, icarus, 2 frames, seed 6, none/none: failed: y: expected 1, found 2"
        for name in sorted(
            ("a", "b"), key=lambda n: ran.out.index(f"{n}, icarus, 2 frames, seed 6")
        )
    ] + ["10 passed, 2 failed; 0 of them known from before"]
    assert not any(line.startswith("hwaccel: ") for line in ran.err)
    (place / "suite.toml").write_text("seeds = 1\n")
    ran = run(*words)
    assert ran.code == 2
    assert ran.error == "suite.toml: seeds: expected `object | array`, got `int`"


@pytest.mark.usefixtures("_stubbed")
def test_a_missing_simulator_is_an_error_of_usage(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    monkeypatch.chdir(place)
    monkeypatch.setenv("PATH", str(place / "nowhere"))
    ran = run("regress", "suite.toml", "-o", "out")
    assert ran.error == (
        "iverilog: not found; it compiles Verilog for simulation; "
        "install it with: apt install iverilog"
    )
    assert not (place / "out").exists()
