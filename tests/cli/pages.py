"""What the pages of the documentation tell their reader to do: files to save, commands, scripts.

A block follows the words "save this as `NAME`:", or is ``console`` with a prompt before each
command, or is Python that is run in the order of the page, in one process. A block without a
language is commands if each of its lines is one. A whole command of ``hwaccel`` in the prose counts
as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.cli.tools import ROOT

DOCS = ROOT / "docs"
# These are made of the program itself, and facts about tools are no steps of anything.
NO_STEPS = ("docs/reference/cli.md", "docs/reference/api.md", "docs/field-notes.md")
# Tests of their own follow these: in a copy of the repository, and as a doctest.
ELSEWHERE = ("docs/how-to/add-an-op.md", "docs/reference/numbers.md")
PROGRAMS = (
    *("hwaccel", "python", "python3", "pip", "pytest", "make", "git", "apt", "cd", "export"),
    *("iverilog", "verilator", "yosys", "nextpnr-ecp5", "openroad", "klayout", "fusesoc", "dask"),
    *("vivado", "vitis_hls", "quartus_sh", "nvcc", "g++", "ruff", "mypy", "docker", "ssh"),
)

BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`([^`\n]+)`")
SAVE_AS = re.compile(r"[Ss]ave this as\s+`([\w./-]+)`[^`]*:\n\n$")
_SET = re.compile(r"^(?:\w+=\S+ )+")
# A word in capitals stands for something that the reader knows, and so do dots.
_OPEN = re.compile(r"\b[A-Z]{2,}\b|\.\.\.|…")


@dataclass(frozen=True)
class Command:
    """A command, what the page says it prints (nothing: not said), and where that stands."""

    text: str
    said: str = ""
    at: tuple[int, int] = (0, 0)

    @property
    def words(self) -> list[str]:
        """The words, but for assignments in front."""
        return _SET.sub("", self.text.strip()).split()

    @property
    def known(self) -> bool:
        """Tell whether it begins with the name of a program and goes on."""
        return len(self.words) > 1 and self.words[0] in PROGRAMS


@dataclass(frozen=True)
class Step:
    """A file to save, a script to run, or commands."""

    saved: str = ""
    body: str = ""
    commands: tuple[Command, ...] = ()


def pages() -> list[Path]:
    """Return every page whose steps are taken here."""
    everything = {*DOCS.rglob("*.md"), ROOT / "README.md", ROOT / "rtl" / "README.md"}
    return sorted(everything - {ROOT / page for page in (*NO_STEPS, *ELSEWHERE)})


def name(page: Path) -> str:
    """Return the path of a page in the repository."""
    return page.relative_to(ROOT).as_posix()


def steps(page: Path) -> Iterator[Step]:
    """Return what there is to do on a page, in its order.

    Raises:
        ValueError: a block mixes commands with other things, or has commands without a prompt.
    """
    text, at = page.read_text("utf-8"), 0
    for found in BLOCK.finditer(text):
        yield from _inline(text[at : found.start()])
        kind, body = found.groups()
        saved, at = SAVE_AS.search(text[: found.start()]), found.end()
        if saved:
            yield Step(saved[1], body)
        elif kind == "python":
            yield Step(body=body)
        elif kind == "console":
            yield Step(commands=tuple(_console(body, found.start(2))))
        elif not kind and (commands := tuple(_bare(body))):
            yield Step(commands=commands)
    yield from _inline(text[at:])


def _inline(prose: str) -> Iterator[Step]:
    for command in map(Command, INLINE.findall(prose)):
        whole = command.known and len(command.words) > 2 and not _OPEN.search(command.text)
        if whole and command.words[0] == "hwaccel":
            yield Step(commands=(command,))


def _console(body: str, at: int) -> Iterator[Command]:
    starts = [*re.finditer(r"^\$ (.*)\n", body, re.MULTILINE)]
    if not starts or starts[0].start() != 0:
        raise ValueError(f"a console block does not begin with a prompt: {body!r}")
    ends = [start.start() for start in starts[1:]] + [len(body)]
    for start, end in zip(starts, ends, strict=True):
        said = (start.end(), end)
        yield Command(start[1], body[slice(*said)], (at + said[0], at + said[1]))


def _bare(body: str) -> Iterator[Command]:
    commands = [Command(re.sub(r"\s+# .*$", "", line)) for line in body.splitlines()]
    known = [command for command in commands if command.known]
    if known and known != commands:
        raise ValueError(f"a block of commands and something else: {body!r}")
    yield from known


def mentions(page: Path) -> Iterator[Command]:
    """Return the commands in the prose and the tables of a page that are not steps."""
    taken = {command.text for step in steps(page) for command in step.commands}
    for code in INLINE.findall(BLOCK.sub("", page.read_text("utf-8"))):
        command = Command(code.replace("\\|", "|"))
        if command.known and command.text not in taken:
            yield command
