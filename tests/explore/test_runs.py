"""Whatever happens to workers, files and users, no point is lost and the search goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import distributed
import pytest

from hwaccel.errors import ConfigError, EmitError, HwaccelError
from hwaccel.explore.goal import Goal
from hwaccel.explore.result import Explored
from hwaccel.explore.search import Search
from hwaccel.explore.work import TRADE
from hwaccel.farm import cluster
from hwaccel.farm.cluster import Cluster
from tests.report.test_render import walk

Go = Callable[..., Explored]
Asked = Callable[[], list[list]]


def stored(place: Path) -> int:
    return len(list((place / "out" / "results").glob("*.json")))


def same(a: Explored, b: Explored) -> None:
    assert [(t.point, t.facts, t.message) for t in a.tried] == [
        (t.point, t.facts, t.message) for t in b.tried
    ]


def test_nothing_is_predicted_twice(place: Path, go: Go, asked: Asked) -> None:
    found = go()
    assert len(found.tried) == len(asked()) == stored(place) == found.made == 20
    again = go(workers=1)
    same(found, again)
    assert (again.taken, again.made, asked()) == (20, 0, [])
    anew = go(again=True)
    same(found, anew)
    assert len(asked()) == 20


def test_a_larger_budget_goes_on(go: Go, asked: Asked) -> None:
    small = go(budget=10)
    asked()
    large = go()
    assert [t.point for t in large.tried[:10]] == [t.point for t in small.tried]
    assert len(asked()) == 10


def test_the_workers_do_not_matter(place: Path, go: Go) -> None:
    found = go(workers=3)
    (place / "out").rename(place / "other")
    same(found, go(workers=1))


def test_another_model_is_explored_anew(place: Path, go: Go, asked: Asked) -> None:
    go()
    asked()
    (place / "content").write_text("0" * 32)
    assert go().taken == 0
    assert len(asked()) == 20


def test_a_worker_that_is_killed_is_replaced(place: Path, go: Go, asked: Asked) -> None:
    (place / "die-3").touch()
    found = go()
    assert all(t.facts for t in found.tried)
    assert max(t.answer.attempts for t in found.tried) == 2
    assert len(asked()) == 21


def test_a_point_that_cannot_be_is_not_asked_for_again(place: Path, go: Go, asked: Asked) -> None:
    (place / "refuse-4").write_text("fc1: too large to unroll")
    found = go(workers=1)
    (bad,) = [t for t in found.tried if not t.facts]
    assert bad.message == "refused: fc1: too large to unroll"
    assert bad not in found.front
    asked()
    go()
    assert asked() == []


def test_a_point_that_hangs_is_tried_again_later(place: Path, go: Go, asked: Asked) -> None:
    (place / "hang-4").touch()
    found = go(workers=1, time_limit_s=1)
    (bad,) = [t for t in found.tried if not t.facts]
    assert bad.message == "hung: stopped after 1 s, the time a run is given"
    (place / "hang-4").unlink()
    asked()
    assert all(t.facts for t in go().tried)


def test_a_damaged_result_is_told_and_made_again(place: Path, go: Go, asked: Asked) -> None:
    found = go()
    asked()
    first, second, third, *_ = sorted((place / "out" / "results").glob("*.json"))
    first.write_bytes(first.read_bytes()[:40])
    second.write_bytes(third.read_bytes())
    again = go()
    same(found, again)
    assert (len(asked()), again.taken) == (2, 18)
    ours = place / "out" / "results"
    assert sorted(again.damaged) == sorted(
        [
            f"{ours / first.name}: cannot be read (Input data was truncated); it is made again",
            f"{ours / second.name}: is not the result of that name; it is made again",
        ]
    )
    assert go().damaged == ()


def test_survivors_are_built_once(go: Go, asked: Asked) -> None:
    found = go(survivors=2)
    built = [t for t in found.tried if t.built]
    assert len(built) == 2
    assert {t.name for t in built} <= {t.name for t in found.front}
    assert found.spread(1)[0].built is not None
    assert [kind for kind, _ in asked()].count("build") == 2
    assert go(survivors=2).made == 0


def test_a_model_that_cannot_be_read(place: Path, go: Go) -> None:
    (place / "broken").write_text("conv1: kernel 3x3 is larger than input 2x2")
    with pytest.raises(HwaccelError) as caught:
        go()
    assert str(caught.value) == "conv1: kernel 3x3 is larger than input 2x2"


def test_no_point_can_be_made(place: Path, go: Go) -> None:
    (place / "fail").write_text("no memory")
    with pytest.raises(HwaccelError) as caught:
        go()
    assert str(caught.value) == "explore: none of 20 points can be made: error: no memory"
    assert stored(place) == 0


def test_no_point_is_within_the_limits(place: Path, go: Go) -> None:
    with pytest.raises(ConfigError) as caught:
        go(goal=Goal(("latency", "lut"), {"latency": 0.001}))
    said = str(caught.value)
    assert said.startswith("explore: none of 20 points is within the limits; the nearest, p")
    assert said.endswith(" at 100 MHz; allow more, or a larger --budget")
    assert stored(place) == 20
    assert (place / "out" / "index.html").is_file()


def test_two_at_once_and_folders_of_others_are_refused(place: Path, go: Go) -> None:
    refusals = []

    def second(text: str) -> None:
        if not refusals:
            with pytest.raises(EmitError) as caught:
                go()
            refusals.append(str(caught.value))

    go(progress=second)
    assert refusals == [f"{place / 'out'}: another hwaccel explore works there; wait"]
    (place / "out" / "explore.json").unlink()
    with pytest.raises(EmitError) as caught:
        go()
    assert str(caught.value) == (
        f"{place / 'out'}: holds files that hwaccel explore did not write; choose an empty or new "
        "folder"
    )


def test_the_files_show_every_point(place: Path, go: Go) -> None:
    (place / "refuse-4").write_text("<b>no</b>")
    found = go(survivors=1)
    record = json.loads((place / "out" / "front.json").read_text())
    assert record["front"] == [t.name for t in found.front]
    assert [p["name"] for p in record["points"]] == [f"p{n}" for n in range(1, 21)]
    assert sum(p["built"] is not None for p in record["points"]) == 1
    text = (place / "out" / "index.html").read_text(encoding="utf-8")
    assert text.count("<circle") == 19
    walk(text)
    assert text.count("<script") == 1  # which its policy allows by its hash
    assert "http:" not in text.replace("http://www.w3.org/2000/svg", "")
    assert "https:" not in text
    assert " (too slow)" in text


STARTED = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from hwaccel.cli import main
from hwaccel.farm import pool
pool.argv = lambda module: [sys.executable, "-S", FAKE]
sys.argv = ["hwaccel", "explore", "nets:mlp", "-o", "out", "--styles", "stream", "--budget", "20",
            "--batch", "5", "--survivors", "0"]
main()
"""


@pytest.mark.parametrize(
    "number", [signal.SIGINT, pytest.param(signal.SIGKILL, marks=pytest.mark.slow)]
)
def test_whoever_is_interrupted_goes_on_later(
    place: Path, go: Go, asked: Asked, number: signal.Signals
) -> None:
    from tests.explore.conftest import FAKE

    (place / "hang-8").touch()
    process = subprocess.Popen(
        [sys.executable, "-c", STARTED.replace("FAKE", repr(str(FAKE)))],
        cwd=place,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while stored(place) < 7 and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.2)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert stored(place) == 7
    if number == signal.SIGINT:
        assert process.returncode == 130
        assert err.splitlines()[-2:] == [
            "finished points are kept; the same command goes on from there",
            "hwaccel: interrupted; earlier output is untouched",
        ]
        assert len(json.loads((place / "out" / "front.json").read_text())["points"]) == 5
    (place / "hang-8").unlink()
    asked()
    limits = Goal(("latency", "lut"), {"lut": 83640, "ff": 83640, "dsp": 156, "ram": 208})
    found = go(goal=limits, strategy=Search)
    assert (found.taken, len(asked()), len(found.tried)) == (7, 13, 20)


@pytest.fixture
def scheduler(place: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Return the address of a scheduler with two workers that are threads of this process."""
    monkeypatch.setattr(cluster, "_root", lambda: place)
    cluster._idle.cache_clear()
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None
    ) as local:
        yield local.scheduler_address
    while not cluster._idle(TRADE.module).empty():
        cluster._idle(TRADE.module).get().close()


def test_points_of_a_cluster_are_the_same(
    place: Path, go: Go, scheduler: str, asked: Asked
) -> None:
    (place / "die-3").touch()
    found = go(connect=lambda: Cluster(TRADE, scheduler, 30))
    assert len(asked()) == 21
    assert (place / f"{(place / 'content').read_text()}.json").is_file()
    (place / "out").rename(place / "other")
    same(found, go())
