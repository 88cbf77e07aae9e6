"""The commands of the pages about models and whole suites, as they are written."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

import pytest
import torch

from tests.cli.tools import ROOT, done

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SAVE_AS = re.compile(r"[Ss]ave this as `([\w.]+)`:\n\n$")


@pytest.mark.slow
@pytest.mark.timeout(3000)
@pytest.mark.parametrize(
    "page", ["profile", "distill", "shrink", "simplify", "fit", "regress", "explore"]
)
def test_the_commands_of(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text, ran = (ROOT / "docs" / "how-to" / f"{page}.md").read_text("utf-8"), 0
    torch.set_num_threads(1)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    for found in BLOCK.finditer(text):
        language, body = found.groups()
        if language in ("python", "toml"):
            name = SAVE_AS.search(text[: found.start()])
            assert name is not None
            sys.modules.pop(name[1].removesuffix(".py"), None)
            (tmp_path / name[1]).write_text(body)
        for command in re.findall(r"^\$ hwaccel (.*)$", body, re.MULTILINE):
            done(*shlex.split(command))
            ran += 1
    assert ran >= 2
