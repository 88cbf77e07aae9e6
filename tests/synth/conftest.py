"""Stand-ins for the synthesis tools, and the small real design they work on."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from hwaccel import __version__

HERE = Path(__file__).parent
DESIGNS, REPORTS, GOLDEN, MOCKS = (HERE / n for n in ("designs", "reports", "golden", "mock_bin"))
MAC = DESIGNS / "mac.v"

Mock = Callable[..., None]


@pytest.fixture
def mocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the stand-ins in front, and hide the real tools of this Python's environment."""
    monkeypatch.setattr("hwaccel.tools.catalog._beside_python", lambda _: None)
    monkeypatch.setenv("PATH", f"{MOCKS}{os.pathsep}/usr/bin{os.pathsep}/bin")


@pytest.fixture
def no_tools(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hwaccel.tools.catalog._beside_python", lambda _: None)
    monkeypatch.setattr("hwaccel.tools.catalog._package_folder", lambda _: None)
    monkeypatch.setenv("PATH", "/nowhere")


def behave(folder: Path, **plan: object) -> None:
    """Say what the stand-in that will run in ``folder`` is to do."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "mock.json").write_text(json.dumps(plan))


def argv(folder: Path) -> list[str]:
    """Return the command line that the stand-in saw."""
    words: list[str] = json.loads((folder / "argv.json").read_text())
    return words


@pytest.fixture
def golden(same_as_file: Callable[[Path, str], None]) -> Callable[[str, str], None]:
    """Compare a text, of whatever version, with a file of ``golden/``."""

    def check(name: str, text: str) -> None:
        same_as_file(GOLDEN / name, text.replace(f"hwaccel {__version__}", "hwaccel VERSION"))

    return check
