"""The page on quantization is run as it is written."""

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

pytest.importorskip("brevitas")

PAGE = ROOT / "docs" / "how-to" / "quantize.md"
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SAVE_AS = re.compile(r"[Ss]ave this as `([\w./-]+)`:\n\n$")


def _run(command: list[str], folder: Path) -> str:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PATH": path, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.stdout


@pytest.mark.skipif(tools.find("verilator") is None, reason="verilator is not installed")
@pytest.mark.slow
@pytest.mark.rtl
@pytest.mark.timeout(1500)
def test_the_page(tmp_path: Path) -> None:
    """Training differs in the last digits from one machine to another; who is asked does not."""
    page = PAGE.read_text(encoding="utf-8")
    count = 0
    for block in BLOCK.finditer(page):
        kind, body = block.groups()
        name = SAVE_AS.search(page[: block.start()])
        if name:
            (tmp_path / name[1]).write_text(body, encoding="utf-8")
        elif kind == "python":
            (tmp_path / "block.py").write_text(body, encoding="utf-8")
            _run(["python", "block.py"], tmp_path)
        elif kind == "console":
            for command in re.findall(r"^\$ (.*)$", body, re.MULTILINE):
                said = _run(shlex.split(command), tmp_path)
                count += 1
                for number in re.findall(r"test samples: .*? ([\d.]+) % of 360", said):
                    assert float(number) > 90
    assert count == 6
