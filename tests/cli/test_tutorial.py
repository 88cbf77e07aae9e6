"""The tutorial is run as it is written: its files, its commands, and what they say.

``--update-golden`` writes what the commands say now into the page.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from hwaccel import tools
from tests.cli.tools import ROOT

PAGE = ROOT / "docs" / "tutorial.md"
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SAVE_AS = re.compile(r"[Ss]ave this as `([\w./-]+)`:\n\n$")
# What differs from one machine or release to the next.
VOLATILE = (
    (re.compile(r"[\d,.]+ cycles/s"), "# cycles/s"),
    (re.compile(r"design [0-9a-f]{16}"), "design #"),
    (re.compile(r"\d+ LUT, \d+ FF, \d+ DSP, \d+ block RAM"), "#"),
    (re.compile(r"Fmax [\d.]+ MHz"), "Fmax #"),
)


def stable(text: str) -> str:
    for pattern, mark in VOLATILE:
        text = pattern.sub(mark, text)
    return text


def test_the_page_has_five_commands() -> None:
    text = PAGE.read_text(encoding="utf-8")
    commands = re.findall(r"^\$ (.*)$", text, re.MULTILINE)
    assert [words.split()[:2] for words in commands if "check.py" not in words] == [
        ["python", "train.py"],
        ["hwaccel", "convert"],
        ["hwaccel", "sim"],
        ["hwaccel", "synth"],
        ["hwaccel", "report"],
    ]


@pytest.mark.skipif(
    any(tools.find(name) is None for name in ("iverilog", "verilator", "nextpnr-ecp5")),
    reason="iverilog, verilator or nextpnr is not installed",
)
@pytest.mark.slow
@pytest.mark.rtl
@pytest.mark.synth
def test_the_tutorial(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    pytest.importorskip("sklearn")
    update = request.config.getoption("--update-golden")
    page = PAGE.read_text(encoding="utf-8")
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "COLUMNS": "120"}
    # Backwards would be simpler for the offsets, but the commands need their order.
    made, at = "", 0
    for block in BLOCK.finditer(page):
        kind, body = block.groups()
        made += page[at : block.start(2)]
        at = block.end(2)
        name = SAVE_AS.search(page[: block.start()])
        if name:
            (tmp_path / name[1]).write_text(body, encoding="utf-8")
        if kind == "console":
            said = _run(body, tmp_path, environment)
            assert update or stable(said) == stable(body)
            body = said
        made += body
    if update:
        PAGE.write_text(made + page[at:], encoding="utf-8")
    assert (tmp_path / "build" / "report.html").is_file()


def _run(block: str, folder: Path, environment: dict[str, str]) -> str:
    """Run the commands of a block; return it with what they say now."""
    lines = []
    for command in re.findall(r"^\$ (.*)$", block, re.MULTILINE):
        done = subprocess.run(
            shlex.split(command),
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command}: {done.stderr}"
        lines += [f"$ {command}", *(line.rstrip() for line in done.stdout.splitlines())]
    return "\n".join(lines) + "\n"
