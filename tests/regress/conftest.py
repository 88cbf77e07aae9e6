"""A suite whose runs are made by a worker that simulates nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hwaccel.farm import pool
from hwaccel.regress.plan import plan_of
from hwaccel.regress.run import Found, regress
from hwaccel.regress.suite import read_suite

FAKE = Path(__file__).with_name("fake_worker.py")
SUITE = """\
simulators = ["icarus"]
seeds = { first = 1, last = 6 }
frames = [2]
time_limit = 30
[models.a]
source = "nets:a"
[models.b]
source = "nets:b"
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with ``suite.toml``; workers that start are the fake ones."""
    monkeypatch.setattr(pool, "argv", lambda module: [sys.executable, "-S", str(FAKE)])
    folder = tmp_path / "place"
    folder.mkdir()
    (folder / "suite.toml").write_text(SUITE)
    return folder


@pytest.fixture
def go(place: Path) -> Callable[..., Found]:
    """Return a function that runs the suite in ``place`` with results in ``place/out``."""

    def run(**options: Any) -> Found:
        suite = read_suite(place / "suite.toml")
        settings = {"workers": 2, **options}
        return regress(suite, plan_of(suite), place / "out", **settings)

    return run


@pytest.fixture
def asked(place: Path) -> Callable[[], list[str]]:
    """Return a function that says what workers were asked for since it was called last."""

    def take() -> list[str]:
        file = place / "asked.txt"
        lines = file.read_text().splitlines() if file.exists() else []
        file.unlink(missing_ok=True)
        return lines

    return take
