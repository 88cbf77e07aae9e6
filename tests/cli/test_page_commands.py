"""Every command of the documentation is run as it is written, or listed with a reason why not.

``--update-golden`` writes what the commands say now into the pages.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch

from hwaccel import tools
from hwaccel.cli import app
from tests.cli import tools as command_line
from tests.cli.brought import BROUGHT
from tests.cli.not_run import NOT_RUN, reason
from tests.cli.pages import PROGRAMS, Command, Step, mentions, name, pages, steps
from tests.cli.tools import ROOT

PAGES = pages()
TO_DO = [
    page
    for page in PAGES
    if any(
        reason(text) is None
        for step in steps(page)
        if not step.saved
        for text in [*(c.text for c in step.commands), *step.body.splitlines()[:1]]
    )
]
# The width of a page, and Verilated models that are compiled fast rather than run fast.
SETTINGS = {"COLUMNS": "120", "MAKEFLAGS": "OPT_FAST=-O0 OPT_SLOW=-O0 OPT_GLOBAL=-O0"}
TRAINS = ("hwaccel train ", "python train.py", "hwaccel quantize ", "hwaccel prune ")
NEEDED = ("iverilog", "verilator", "yosys", "nextpnr-ecp5", "ap_types")
# What differs with the machine, its load, or the last digits of a training.
VOLATILE = (
    (re.compile(r"[\d,.]+ cycles/s"), "# cycles/s"),
    (re.compile(r"design [0-9a-f]{16}"), "design #"),
    (re.compile(r"Fmax (at most )?[\d.]+ MHz"), "Fmax #"),
    (re.compile(r"[\d.]+ %( of \d+)?"), "# %"),
    (re.compile(r"\b\d+\.\d{4}\b"), "#"),
    (re.compile(r" +"), " "),
    (re.compile(r"[━─]+"), "-"),
)


def stable(text: str) -> list[str]:
    """Return the lines of an output that have to be the same every time."""
    for pattern, mark in VOLATILE:
        text = pattern.sub(mark, text)
    return [line.rstrip() for line in text.splitlines()]


def agree(command: Command, said: str, trained: bool) -> bool:
    """Tell whether a command said what the page shows.

    Behind a training, which other processors round differently, numbers may be others, and a
    search may take other steps: the first and the last line have to be of the same form.
    """
    found, shown = stable(said), stable(command.said)
    if not trained:
        return found == shown
    ends = [
        [re.sub(r"[\d,.]*\d", "#", line) for line in [*one[:1], *one[-1:]]]
        for one in (found, shown)
    ]
    return ends[0] == ends[1]


# --- what is run ---------------------------------------------------------------------------------


@dataclass
class Reader:
    """Somebody who does what a page says, in a folder of their own."""

    folder: Path
    names: dict[str, Any] = field(default_factory=lambda: {"__name__": "__page__"})
    ran: int = 0
    trained: bool = False
    said: list[tuple[Command, str]] = field(default_factory=list)

    def do(self, step: Step) -> None:
        """Save a file, or run a script or commands that are not left out."""
        if step.saved:
            (self.folder / step.saved).write_text(step.body, encoding="utf-8")
        elif step.body and not reason(step.body.splitlines()[0]):
            exec(compile(step.body, "a page", "exec"), self.names)
            self.ran += 1
        # What a block changes (folder, variables) lasts until its end.
        state = self.folder / ".state"
        state.unlink(missing_ok=True)
        for command in step.commands:
            if reason(command.text) is None:
                self.trained |= command.text.startswith(TRAINS)
                self._command(command, state)
                self.ran += 1

    def compare(self) -> None:
        """See that all outputs are what the page says."""
        for command, said in self.said:
            if not agree(command, said, self.trained):
                assert stable(said) == stable(command.said), command.text

    def _command(self, command: Command, state: Path) -> None:
        words = shlex.split(command.text, comments=True)
        if words[0] == "hwaccel" and not command.said:
            # In this process, which has torch already.
            done = command_line.run(*words[1:])
            assert done.code == 0, (command.text, done.out[-2000:], done.err[-5:])
            return
        out = self._shell(command.text, state)
        if command.said:
            self.said.append((command, out))

    def _shell(self, text: str, state: Path) -> str:
        """Run a line of a shell, in the folder and with the variables the last one left."""
        for project in self.folder.glob("build/*.core"):
            text = re.sub(r"\bNAME\b", project.stem, text)
        keep = f'code=$?; {{ export -p; echo "cd $PWD"; }} > {state}; exit $code'
        done = subprocess.run(
            ["bash", "-c", f"[ ! -f {state} ] || . {state}\n{text}\n{keep}"],
            cwd=self.folder,
            env={**os.environ, **SETTINGS, "PATH": os.pathsep.join(_places(self.folder))},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{text}\n{done.stdout[-3000:]}{done.stderr[-2000:]}"
        return done.stdout


def _places(folder: Path) -> list[str]:
    """Return where programs are: pip's own ones first, under the names that others know."""
    bin = folder.parent / "bin"
    if not bin.exists():
        bin.mkdir()
        for tool in filter(None, map(tools.find, ("yosys", "verilator"))):
            variables = "".join(f"export {k}={shlex.quote(v)}\n" for k, v in tool.environ().items())
            script = f'#!/bin/sh\n{variables}exec {shlex.join(tool.argv)} "$@"\n'
            (bin / tool.name).write_text(script)
            (bin / tool.name).chmod(0o755)
    return [str(bin), str(Path(sys.executable).parent), os.environ["PATH"]]


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Reader]:
    """Return a reader in an empty folder, whose modules nobody else sees."""
    folder = tmp_path / "reader"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", [str(folder), *sys.path])
    before, threads = set(sys.modules), torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield Reader(folder)
    torch.set_num_threads(threads)
    for module in set(sys.modules) - before:
        file = getattr(sys.modules[module], "__file__", None)
        if file and Path(file).is_relative_to(folder):
            del sys.modules[module]


@pytest.mark.skipif(
    any(tools.find(tool) is None for tool in NEEDED), reason=f"needs {', '.join(NEEDED)}"
)
@pytest.mark.slow
@pytest.mark.rtl
@pytest.mark.hls
@pytest.mark.synth
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("page", TO_DO, ids=name)
def test_the_steps_of(page: Path, reader: Reader, request: pytest.FixtureRequest) -> None:
    exec(compile(BROUGHT.get(name(page), ""), "brought", "exec"), reader.names)
    for step in steps(page):
        reader.do(step)
    assert reader.ran
    if request.config.getoption("--update-golden"):
        text = page.read_text("utf-8")
        for command, said in reversed(reader.said):
            shown = "".join(f"{line.rstrip()}\n" for line in said.splitlines())
            if stable(shown) != stable(command.said):
                text = text[: command.at[0]] + shown + text[command.at[1] :]
        page.write_text(text, encoding="utf-8")
    else:
        reader.compare()


def test_a_page_that_is_wrong_is_seen(tmp_path: Path, reader: Reader) -> None:
    page = tmp_path / "page.md"

    def follow(text: str) -> Reader:
        page.write_text(text, encoding="utf-8")
        for step in steps(page):
            reader.do(step)
        return reader

    follow("Save this as `a.py`:\n\n```python\nprint(6 * 7)\n```\n")
    follow("```console\n$ python a.py\n42\n$ cd ..\n$ ls reader\na.py\n```\n").compare()
    follow("```console\n$ python a.py\n43\n```\n")
    with pytest.raises(AssertionError, match="42"):
        reader.compare()
    for text in ("$ python b.py", "$ hwaccel sim nothing", "$ cd nowhere"):
        with pytest.raises(AssertionError):
            follow(f"```console\n{text}\n```\n")
    with pytest.raises(AssertionError):
        follow("As `hwaccel sim nothing --frames 3` says.\n")
    with pytest.raises(ZeroDivisionError):
        follow("```python\n1 / 0\n```\n")
    with pytest.raises(ValueError, match="does not begin with a prompt"):
        follow("```console\npython a.py\n```\n")
    with pytest.raises(ValueError, match="commands and something else"):
        follow("```\nmake demo\nand more\n```\n")


# --- what is not ---------------------------------------------------------------------------------


def _left_out() -> set[str]:
    """Return first lines and commands that have an entry in the list."""
    texts = [command.text for page in PAGES for command in mentions(page)]
    for page in PAGES:
        for step in steps(page):
            texts += [command.text for command in step.commands]
            texts += [] if step.saved or not step.body else [step.body.splitlines()[0]]
    return {text for text in texts if reason(text)}


def test_nothing_is_listed_that_is_not_there() -> None:
    assert {reason(text) for text in _left_out()} == set(NOT_RUN)
    assert all(NOT_RUN.values())


def test_what_is_brought_is_for_a_page() -> None:
    assert set(BROUGHT) <= {name(page) for page in TO_DO}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_what_the_prose_names_is_there(page: Path) -> None:
    """A command in the prose is named, or listed; what it names is there."""
    for command in mentions(page):
        if command.words[0] == "hwaccel":
            _check_hwaccel(command.words[1:])
        else:
            assert reason(command.text), f"{command.text}: is neither run nor listed"


@pytest.mark.parametrize("text", sorted(_left_out()))
def test_what_is_left_out_could_be_run(text: str) -> None:
    command = Command(text)
    program, *words = shlex.split(text)[len(text.split()) - len(command.words) :]
    if program == "hwaccel":
        _check_hwaccel(words)
    elif program == "pytest":
        paths = [word for word in words if "/" in word]
        assert paths
        assert all((ROOT / path).exists() for path in paths)
    elif program == "pip":
        known = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        (extras,) = re.findall(r"\[([\w,]+)\]", text)
        assert set(extras.split(",")) <= set(known["optional-dependencies"])
    elif program == "make" and not words[0].startswith("-"):
        assert re.search(rf"^{words[0]}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
    elif program == "python" and words[0] == "-m" and words[1].startswith("benchmarks"):
        _check_script(ROOT / words[1].replace(".", "/"), words[2:])
    elif program == "python" and words[0] != "-m":
        _check_script(ROOT / words[0].removesuffix(".py"), words[1:])
    else:
        assert program in PROGRAMS or program.startswith("self.")


def _check_hwaccel(words: list[str]) -> None:
    """See that a command of ours and its options are there."""
    from typer.main import get_command

    known = get_command(app).commands  # type: ignore[attr-defined]
    assert words[0] in known, f"hwaccel {words[0]}: there is no such command"
    options = {o for item in known[words[0]].params for o in (*item.opts, *item.secondary_opts)}
    assert {word for word in words if word.startswith("-")} <= options | {"--help"}


def _check_script(script: Path, words: list[str]) -> None:
    """See that a script is there, and that the options stand in it or in what it shares."""
    if script.is_dir():
        return
    file = script.with_suffix(".py")
    assert file.is_file(), file
    texts = "".join(path.read_text("utf-8") for path in file.parent.glob("*.py"))
    for word in words:
        assert not word.startswith("--") or f'"{word}"' in texts, f"{file}: has no {word}"


def test_the_figures_of_the_promises_are_there() -> None:
    """The table of promises has commands without their beginning."""
    text = (ROOT / "docs" / "trust.md").read_text("utf-8")
    figures = re.search(r"^FIGURES := ((?:.*\\\n)*.*)$", (ROOT / "Makefile").read_text(), re.M)
    assert figures is not None
    listed = figures[1].replace("\\\n", " ").split()
    assert len(listed) > 10
    for figure in listed:
        assert re.search(rf"\| `{figure}( [^`]*)?` \|", text), figure
    for words in re.findall(r"^\| [^|]* \| `([^`]+)` \|", text, re.MULTILINE):
        program, *options = words.split()
        if program not in PROGRAMS:
            _check_script(ROOT / "benchmarks" / "trust" / program, options)
