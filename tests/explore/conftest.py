"""A search whose points are predicted by a worker that schedules nothing."""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hwaccel.config import Config
from hwaccel.explore.goal import Goal
from hwaccel.explore.guess import Seen
from hwaccel.explore.result import Explored
from hwaccel.explore.run import Settings, explore
from hwaccel.explore.space import Point, Space, Wishes
from hwaccel.explore.work import Source, content_of
from hwaccel.farm import pool
from hwaccel.ir.file import save_graph
from tests.report.designs import mlp

FAKE = Path(__file__).with_name("fake_worker.py")
GOAL = Goal(("latency", "lut"))


class Listed:
    """Propose points in the order of a list, some way apart; a search would take longer."""

    def __init__(self, space: Space, goal: Goal, seed: int) -> None:
        every = itertools.product(*(range(len(knob.values)) for knob in space.knobs))
        self._points = list(every)[:: max(1, space.size // 40)]

    def propose(self, seen: Sequence[Seen], count: int) -> list[Point]:
        return self._points[len(seen) : len(seen) + count]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the current folder, in which workers that start are the fake ones."""
    monkeypatch.setattr(pool, "argv", lambda module: [sys.executable, "-S", str(FAKE)])
    monkeypatch.chdir(tmp_path)
    text = save_graph(mlp())
    (tmp_path / "graph.json").write_bytes(text)
    (tmp_path / "content").write_text(content_of(text))
    return tmp_path


@pytest.fixture
def go(place: Path) -> Callable[..., Explored]:
    """Return a function that explores with results in ``place/out``."""

    def run(**options: Any) -> Explored:
        settings = Settings(budget=20, batch=5, workers=2, time_limit_s=30, strategy=Listed)
        chosen = {k: options.pop(k) for k in ("connect", "progress") if k in options}
        goal = options.pop("goal", GOAL)
        wishes = options.pop("wishes", Wishes(styles=("stream",)))
        return explore(
            Source(model="nets:mlp"), place / "out", goal, wishes, Config(),
            replace(settings, **options), **chosen,
        )  # fmt: skip

    return run


@pytest.fixture
def asked(place: Path) -> Callable[[], list[list[Any]]]:
    """Return a function that says what workers were asked for since it was called last."""

    def take() -> list[list[Any]]:
        file = place / "asked.txt"
        lines = file.read_text().splitlines() if file.exists() else []
        file.unlink(missing_ok=True)
        return [json.loads(line) for line in lines]

    return take
