"""The documentation is about this program: names, files, numbers, links and commands."""

from __future__ import annotations

import doctest
import importlib.util
import os
import re
import subprocess
import sys
import types
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

import hwaccel
from hwaccel import tools
from hwaccel.synth.target import TARGETS
from tests.cli.tools import ROOT, content

DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
OTHERS = [ROOT / "rtl" / "README.md"]


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


# --- every page ----------------------------------------------------------------------------------


@pytest.mark.parametrize("page", [*PAGES, *OTHERS], ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith("https://"):
            continue
        path, _, heading = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), target
        if heading:
            titles = re.findall(r"^#+ (.*)$", there.read_text("utf-8"), re.MULTILINE)
            assert heading in {re.sub(r"[^\w -]", "", t).lower().replace(" ", "-") for t in titles}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_pages_are_plain(page: Path) -> None:
    text = page.read_text("utf-8")
    assert text.endswith("\n")
    assert not re.search(r"[ \t]+$", text, re.MULTILINE)
    assert text.startswith("# ")
    assert not re.search(r"(?<![\w.$])/(home|tmp|work|root|usr)/", text), "an absolute path"


def test_the_index_names_every_page() -> None:
    index = (DOCS / "README.md").read_text("utf-8")
    linked = {(DOCS / target).resolve() for target in re.findall(r"\]\(([\w/.-]+)\)", index)}
    assert linked >= {page for page in PAGES if page.name != "README.md"}


# --- reference -----------------------------------------------------------------------------------


def made_by(script: str) -> types.ModuleType:
    spec = importlib.util.spec_from_file_location("maker", DOCS / script)
    assert spec is not None
    assert spec.loader is not None
    maker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(maker)
    return maker


@pytest.mark.parametrize("what", ["cli", "api"])
def test_the_reference_is_current(what: str) -> None:
    page = (DOCS / "reference" / f"{what}.md").read_text("utf-8")
    maker = made_by(f"make_{what}_reference.py")
    assert page == maker.reference(), f"run: python docs/make_{what}_reference.py"


def test_the_reference_of_the_api_has_everything_public() -> None:
    page = (DOCS / "reference" / "api.md").read_text("utf-8")
    for public in set(hwaccel.__all__) - {"__version__"}:
        error = public.endswith("Error")
        assert f"\n| `{public}` | " in page if error else f"\n### {public}\n" in page
    for method in ("convert", "Design.simulate", "Design.golden", "SimResult.latency"):
        owner, _, part = method.rpartition(".")
        section = page.split(f"\n### {owner or part}\n")[1].split("\n### ")[0]
        assert not owner or f"#### {method}\n" in section or f"| `{part}` | " in section


def test_what_has_no_docstring_is_no_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    maker = made_by("make_api_reference.py")
    monkeypatch.setattr(hwaccel.convert, "__doc__", None)
    with pytest.raises(ValueError, match=r"hwaccel\.api\.convert: has no docstring"):
        maker.reference()


def test_numbers_are_right() -> None:
    page = DOCS / "reference" / "numbers.md"
    # The closing fence would be taken for output.
    text = page.read_text("utf-8").replace("\n```\n", "\n\n")
    examples = doctest.DocTestParser().get_doctest(text, {}, page.name, str(page), 0)
    assert len(examples.examples) > 15
    said: list[str] = []
    doctest.DocTestRunner(verbose=False).run(examples, out=said.append)
    assert not said, "".join(said)


def test_every_file_of_a_project_is_described(cnn_project: Path) -> None:
    text = (DOCS / "reference" / "project.md").read_text("utf-8")
    first, second = re.findall(r"\| file \| what it is \|\n\|---\|---\|\n((?:\|.*\n)+)", text)
    rows = re.findall(r"^\| `([^`]+)` \|", first, re.MULTILINE)
    patterns = [row.replace("NAME", "sequential") for row in rows]
    files = [file for file in content(cnn_project) if not fnmatchcase(file, "results/*.json")]
    for file in files:
        assert any(fnmatchcase(file, pattern) for pattern in patterns), file
    for pattern in patterns:
        assert any(fnmatchcase(file, pattern) for file in files), pattern
    assert re.findall(r"^\| `([^`]+)` \|", second, re.MULTILINE) == [
        "results/*.json",
        "report.html",
        "work/",
    ]


def test_targets_are_named() -> None:
    text = (DOCS / "how-to" / "synthesize.md").read_text("utf-8")
    rows = re.findall(r"^\| `(\w[\w-]*)` \| (\S+) \| (.*) \|$", text, re.MULTILINE)
    assert rows == [
        (t.name, t.part, "Yosys, nextpnr" if t.flow else "Yosys: cell counts") for t in TARGETS
    ]


# --- a project -----------------------------------------------------------------------------------


@pytest.mark.skipif(tools.find("iverilog") is None, reason="iverilog is not installed")
@pytest.mark.slow
@pytest.mark.rtl
def test_the_shipped_bench_sees_a_wrong_bit(cnn_project: Path) -> None:
    (memory,) = (cnn_project / "rtl").glob("*_n_4_dense_*weights.mem")
    first, *rest = memory.read_text().splitlines()
    memory.write_text("\n".join([f"{int(first, 16) ^ 1:0{len(first)}x}", *rest]) + "\n")
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        ["make", "-C", str(cnn_project / "sim")],
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert re.search(
        r"m_axis: frame \d, beat \d+, cycle \d+: expected 0x\w+, found 0x\w+", done.stdout
    )
