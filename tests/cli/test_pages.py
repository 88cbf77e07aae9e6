"""The documentation is about this program: names, files, numbers, links and commands."""

from __future__ import annotations

import doctest
import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np
import pytest

from hwaccel import tools
from hwaccel.synth.target import TARGETS
from tests.cli.tools import ROOT, content

DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
OTHERS = [ROOT / "rtl" / "README.md"]


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def blocks(page: Path, kind: str) -> list[str]:
    found = re.findall(r"^```(\w*)\n(.*?)^```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    return [body for language, body in found if language == kind]


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


def test_the_command_line_reference_is_current() -> None:
    spec = importlib.util.spec_from_file_location("maker", DOCS / "make_cli_reference.py")
    assert spec is not None
    assert spec.loader is not None
    maker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(maker)
    page = (DOCS / "reference" / "cli.md").read_text("utf-8")
    assert page == maker.reference(), "run: python docs/make_cli_reference.py"


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
    files = content(cnn_project)
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


# --- how-to --------------------------------------------------------------------------------------


def run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.skipif(
    any(tools.find(n) is None for n in ("iverilog", "verilator", "nextpnr-ecp5", "ap_types")),
    reason="iverilog, verilator, nextpnr or ap_types is not installed",
)
@pytest.mark.slow
@pytest.mark.rtl
@pytest.mark.hls
@pytest.mark.synth
@pytest.mark.parametrize("page", ["verify", "synthesize"])
def test_the_commands_of(page: str, cnn_project: Path, tmp_path: Path) -> None:
    follow(page, cnn_project, tmp_path)


@pytest.mark.skipif(
    any(tools.find(n) is None for n in ("iverilog", "yosys-native", "sta", "osu018")),
    reason="iverilog, a native yosys, OpenSTA or the OSU cells are not installed",
)
@pytest.mark.slow
@pytest.mark.synth
def test_the_commands_of_the_page_about_asics(cnn_project: Path, tmp_path: Path) -> None:
    follow("asic", cnn_project, tmp_path)


def follow(page: str, cnn_project: Path, tmp_path: Path) -> None:
    """Do what a page says to a project called ``build``."""
    shutil.move(cnn_project, tmp_path / "build")
    np.save(tmp_path / "frames.npy", np.random.default_rng(0).normal(size=(20, 1, 6, 6)))
    path = DOCS / "how-to" / f"{page}.md"
    commands = [
        command
        for block in blocks(path, "console")
        for command in re.findall(r"^\$ (.*)$", block, re.MULTILINE)
    ]
    assert len(commands) >= 2
    for command in commands:
        done = run(shlex.split(command), tmp_path)
        assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
    for number, block in enumerate(blocks(path, "python")):
        (tmp_path / f"{number}.py").write_text(block)
        done = run(["python", f"{number}.py"], tmp_path)
        assert done.returncode == 0, f"{block}\n{done.stderr[-2000:]}"


@pytest.mark.skipif(tools.find("iverilog") is None, reason="iverilog is not installed")
@pytest.mark.slow
@pytest.mark.rtl
def test_the_shipped_bench_sees_a_wrong_bit(cnn_project: Path) -> None:
    (memory,) = (cnn_project / "rtl").glob("*_n_4_dense_*weights.mem")
    first, *rest = memory.read_text().splitlines()
    memory.write_text("\n".join([f"{int(first, 16) ^ 1:0{len(first)}x}", *rest]) + "\n")
    done = run(["make", "-C", str(cnn_project / "sim")], cnn_project)
    assert done.returncode != 0
    assert re.search(
        r"m_axis: frame \d, beat \d+, cycle \d+: expected 0x\w+, found 0x\w+", done.stdout
    )


@pytest.mark.skipif(tools.find("verilator") is None, reason="verilator is not installed")
@pytest.mark.slow
@pytest.mark.rtl
def test_the_shipped_bench_on_verilator(project: Path) -> None:
    """As the page says for the pip package; with less optimization, to save time."""
    page = (DOCS / "how-to" / "verify.md").read_text("utf-8")
    (line,) = re.findall(r"^make -C build/(sim SIM=verilator VLT_MIN=.*)$", page, re.MULTILINE)
    tool = tools.require("verilator")
    path = os.pathsep.join([str(tool.path.parent), str(Path(sys.executable).parent)])
    quick = ["OPT_FAST=-O0", "OPT_SLOW=-O0", "OPT_GLOBAL=-O0"]
    done = subprocess.run(
        ["make", "-C", *shlex.split(line), *quick],
        cwd=project,
        env={**os.environ, **tool.environ(), "PATH": f"{path}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert "PASS=1 FAIL=0" in done.stdout
