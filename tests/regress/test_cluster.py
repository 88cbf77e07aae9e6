"""Runs on a Dask cluster: the same results, whatever happens to its workers."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import distributed
import pytest

from hwaccel import tools
from hwaccel.api import design_from
from hwaccel.config import Config
from hwaccel.errors import ToolError
from hwaccel.farm import cluster
from hwaccel.farm.cluster import Cluster
from hwaccel.regress import work
from hwaccel.regress.plan import plan_of
from hwaccel.regress.run import Found, regress
from hwaccel.regress.suite import read_suite
from hwaccel.regress.work import TRADE
from tests.regress.test_runs import check
from tests.report.designs import mlp

Go = Callable[..., Found]


@pytest.fixture
def scheduler(place: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Return the address of a scheduler with two workers that are threads of this process."""
    monkeypatch.setattr(work, "_bundle", lambda project, content: {"graph.json": b"{}"})
    monkeypatch.setattr(cluster, "_root", lambda: place)
    cluster._idle.cache_clear()
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None
    ) as local:
        yield local.scheduler_address
    while not cluster._idle(TRADE.module).empty():
        cluster._idle(TRADE.module).get().close()


def test_results_are_those_of_the_cluster(place: Path, go: Go, asked, scheduler: str) -> None:
    (place / "die-3").touch()
    (place / "fail-5").write_text("y: expected 1, found 2")
    found = go(connect=lambda: Cluster(TRADE, scheduler, 30))
    check(found, 5)
    assert found.counts == {"passed": 10, "failed": 2}
    waves = [r.answer.waves for run, r in found.results.items() if run.seed == 5]
    assert all((place / "out" / name).is_file() for name in waves)
    asked()
    again = go(connect=lambda: Cluster(TRADE, scheduler, 30))
    assert (again.taken, asked()) == (12, [])


def test_a_run_that_hangs_there(place: Path, go: Go, scheduler: str) -> None:
    (place / "hang-4").touch()
    found = go(connect=lambda: Cluster(TRADE, scheduler, 2))
    check(found, 4)
    assert found.counts == {"passed": 10, "hung": 2}
    assert not (place / "out" / "runs").exists()


def test_what_was_done_when_an_interrupt_came_is_kept(place: Path, go: Go, scheduler: str) -> None:
    def interrupt(text: str) -> None:
        if text.startswith("2 of 12"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        go(connect=lambda: Cluster(TRADE, scheduler, 30), progress=interrupt)
    kept = len(list((place / "out" / "results").glob("*.json")))
    assert 2 <= kept <= 12
    found = go(connect=lambda: Cluster(TRADE, scheduler, 30))
    check(found)
    assert found.taken == kept


def test_no_scheduler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "_CONNECT_S", 0.2)
    with pytest.raises(ToolError) as caught:
        Cluster(TRADE, "tcp://127.0.0.1:9", 30)
    assert str(caught.value) == (
        "tcp://127.0.0.1:9: no Dask scheduler answers (OSError); start one with: dask scheduler"
    )


def test_without_distributed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ToolError) as caught:
        Cluster(TRADE, "tcp://127.0.0.1:9", 30)
    assert str(caught.value) == (
        "distributed: is not installed; a cluster needs it: pip install 'hwaccel[cluster]'"
    )


@pytest.mark.slow
@pytest.mark.rtl
@pytest.mark.skipif(tools.find("iverilog") is None, reason="iverilog is not installed")
def test_a_worker_of_the_cluster_is_killed(tmp_path: Path) -> None:
    design_from(mlp(), Config(multipliers=32)).write(tmp_path / "build")
    (tmp_path / "suite.toml").write_text(
        'seeds = { first = 1, last = 6 }\nframes = 2\n[models.mlp]\nsource = "build"\n'
    )
    suite = read_suite(tmp_path / "suite.toml")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    ) as local:

        def kill_one(text: str) -> None:
            if text.startswith("1 of 6"):
                os.kill(next(iter(local.workers.values())).pid, signal.SIGKILL)

        found = regress(
            suite, plan_of(suite), tmp_path / "out", workers=1, progress=kill_one,
            connect=lambda: Cluster(TRADE, local.scheduler_address, 300),
        )  # fmt: skip
    assert found.line == "6 passed; 0 of them known from before"
