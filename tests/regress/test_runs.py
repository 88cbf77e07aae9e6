"""Whatever happens to workers, disks and users, no finished result is lost."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from hwaccel.errors import EmitError
from hwaccel.farm import store as stores
from hwaccel.regress.run import Found
from tests.regress.fake_worker import latency

Go = Callable[..., Found]
Asked = Callable[[], list[str]]
ALL = 12


def stored(place: Path) -> int:
    return len(list((place / "out" / "results").glob("*.json")))


def check(found: Found, *others: int) -> None:
    """See that every run has the right result; seeds in ``others`` did not pass."""
    assert set(found.results) == set(found.plan.runs)
    for run, result in found.results.items():
        if run.seed not in others:
            assert result.answer.status == "passed"
            assert result.answer.latency == latency(run.seed, run.frames)


def test_all_pass_and_nothing_is_run_twice(place: Path, go: Go, asked: Asked) -> None:
    said: list[str] = []
    found = go(progress=said.append)
    check(found)
    assert (found.passed, found.line) == (True, "12 passed; 0 of them known from before")
    assert len(asked()) == stored(place) == ALL
    assert said[2] == "0 results known from before, 12 runs to go"
    assert said[3].startswith("1 of 12: ")
    assert said[3].endswith(", icarus, 2 frames, seed 1, none/none: passed")
    again = go()
    check(again)
    assert (again.line, asked()) == ("12 passed; 12 of them known from before", [])


def test_again_runs_all_anew(go: Go, asked: Asked) -> None:
    go()
    asked()
    assert go(again=True).taken == 0
    assert len(asked()) == ALL


def test_more_seeds_run_only_what_is_new(place: Path, go: Go, asked: Asked) -> None:
    go()
    asked()
    text = (place / "suite.toml").read_text()
    (place / "suite.toml").write_text(text.replace("last = 6", "last = 8"))
    found = go()
    check(found)
    assert sorted(line.split()[1] for line in asked()) == ["7", "7", "8", "8"]


def test_another_design_is_run_again(place: Path, go: Go, asked: Asked) -> None:
    go()
    asked()
    (place / "version").write_text("changed weights")
    assert go().taken == 0
    assert len(asked()) == ALL


def test_a_worker_that_is_killed_is_replaced(place: Path, go: Go, asked: Asked) -> None:
    (place / "die-3").touch()
    found = go()
    check(found)
    assert sorted(r.answer.attempts for r in found.results.values()) == [1] * 11 + [2]
    assert len(asked()) == ALL + 1


def test_every_worker_is_killed_at_once(place: Path, go: Go) -> None:
    for seed in range(1, 7):
        (place / f"die-{seed}").touch()
    found = go(workers=4)
    check(found)
    assert sum(r.answer.attempts for r in found.results.values()) == ALL + 6


def test_a_run_that_kills_its_worker_twice_is_lost(place: Path, go: Go, asked: Asked) -> None:
    (place / "doom-2").touch()
    found = go()
    check(found, 2)
    assert found.counts == {"passed": 10, "lost": 2}
    lost = [r.answer for run, r in found.results.items() if run.seed == 2]
    assert {answer.message for answer in lost} == {
        "worker: ended without an answer (killed by SIGKILL), 2 times"
    }
    asked()
    (place / "doom-2").unlink()
    found = go()  # what has no verdict is run again
    check(found)
    assert len(asked()) == 2


def test_a_run_that_hangs_is_ended_with_all_it_started(place: Path, go: Go, asked: Asked) -> None:
    text = (place / "suite.toml").read_text().replace("time_limit = 30", "time_limit = 2")
    (place / "suite.toml").write_text(text + '[[exclude]]\nmodels = ["b"]\n')
    (place / "hang-4").touch()
    started = time.monotonic()
    found = go()
    assert time.monotonic() - started < 30
    check(found, 4)
    (hung,) = [r.answer for run, r in found.results.items() if run.seed == 4]
    assert (hung.status, hung.attempts) == ("hung", 1)
    assert hung.message == "stopped after 2 s, the time a run is given"
    child = Path("/proc", (place / "hang-4").read_text(), "stat")
    assert not child.exists() or child.read_text().split()[2] == "Z"


def test_what_fails_is_run_once_more_with_waves(place: Path, go: Go, asked: Asked) -> None:
    (place / "fail-5").write_text("y: frame 0, index (1): expected 3, found 4")
    found = go(waves=1)
    check(found, 5)
    assert found.line == "10 passed, 2 failed; 0 of them known from before"
    assert len([line for line in asked() if line.endswith(" 5 True")]) == 1
    found = go(waves=10)  # of the other one, too; verdicts are known
    assert (found.taken, len(asked())) == (ALL, 1)
    bad = [r.answer for run, r in found.results.items() if run.seed == 5]
    assert all((place / "out" / answer.waves).read_text() == "waves" for answer in bad)
    assert len({answer.waves for answer in bad}) == 2
    go(waves=10)
    assert asked() == []


def test_what_does_not_fail_again_is_told_once(place: Path, go: Go) -> None:
    (place / "fail-5").write_text("y: expected 3, found 4")
    (place / "flaky-5").touch()
    for _ in range(2):
        found = go()
        bad = {r.answer.message for run, r in found.results.items() if run.seed == 5}
        assert bad == {"y: expected 3, found 4; with waves on icarus: passed"}
        assert found.counts == {"passed": 10, "failed": 2}


def test_a_model_that_cannot_be_made_fails_only_its_own_runs(place: Path, go: Go) -> None:
    (place / "broken-b").write_text("conv1: kernel 3x3 is larger than input 2x2")
    found = go()
    assert found.counts == {"passed": 6, "error": 6}
    assert stored(place) == 6
    (place / "broken-b").unlink()
    check(go())


def test_a_damaged_result_is_made_again(place: Path, go: Go, asked: Asked) -> None:
    go()
    asked()
    first, second, third, fourth, *_ = sorted((place / "out" / "results").glob("*.json"))
    first.write_bytes(first.read_bytes()[:40])
    second.write_bytes(third.read_bytes())
    fourth.write_bytes(fourth.read_bytes().replace(b'"passed"', b'"made"'))
    check(go())
    assert len(asked()) == 3


class FullDisk:
    """Has room for so many files, and for a few more once the reserve is given back."""

    def __init__(self, place: Path, room: int, reserve: int) -> None:
        self.place, self.room, self.reserve = place, room, reserve
        self.real = stores.replace_file

    def __call__(self, path: Path, data: bytes) -> None:
        if self.room == 0 and not (self.place / "out" / ".reserve").exists():
            self.room, self.reserve = self.reserve, 0
        if self.room == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        self.room -= 1
        self.real(path, data)


def test_a_full_disk_loses_nothing(
    place: Path, go: Go, asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stores, "replace_file", FullDisk(place, 5, 99))
    with pytest.raises(EmitError) as caught:
        go()
    begun = len(asked())
    assert 6 <= begun <= 8
    assert str(caught.value) == (
        f"{place / 'out'}: the disk is full; {begun} results kept; make room; give the same "
        "command again, it goes on from there"
    )
    assert stored(place) == begun
    monkeypatch.undo()


def test_without_any_room_what_is_lost_is_told(
    place: Path, go: Go, asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(stores, "replace_file", FullDisk(place, 5, 0))
        with pytest.raises(EmitError) as caught:
            go(workers=1)
    lost = len(asked()) - 5
    assert str(caught.value) == (
        f"{place / 'out'}: the disk is full; {lost} result could not be written (No space left on "
        "device); 5 results kept; make room; give the same command again, it goes on from there"
    )
    found = go()
    check(found)
    assert (found.taken, len(asked())) == (5, 7)


def test_a_file_that_may_not_grow(place: Path, go: Go, monkeypatch: pytest.MonkeyPatch) -> None:
    def too_large(path: Path, data: bytes) -> None:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), str(path))

    monkeypatch.setattr(stores, "replace_file", too_large)
    with pytest.raises(EmitError) as caught:
        go(workers=1)
    assert str(caught.value) == (
        f"{place / 'out'}: 1 result could not be written (File too large); 0 results kept; give "
        "the same command again, it goes on from there"
    )


def test_two_at_once_are_refused(place: Path, go: Go) -> None:
    refusals = []

    def second(text: str) -> None:
        if not refusals:
            with pytest.raises(EmitError) as caught:
                go()
            refusals.append(str(caught.value))

    check(go(progress=second))
    assert refusals == [f"{place / 'out'}: another hwaccel regress works there; wait"]


def test_a_folder_of_somebody_else_is_refused(place: Path, go: Go) -> None:
    (place / "out").mkdir()
    (place / "out" / "thesis.txt").touch()
    with pytest.raises(EmitError) as caught:
        go()
    assert str(caught.value) == (
        f"{place / 'out'}: holds files that hwaccel regress did not write; choose an empty or new "
        "folder"
    )
    assert [path.name for path in (place / "out").iterdir()] == ["thesis.txt"]


STARTED = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from hwaccel.cli import main
from hwaccel.farm import pool
from hwaccel.regress import run
pool.argv = lambda module: [sys.executable, "-S", FAKE]
run.need_tools = lambda suite: None
sys.argv = ["hwaccel", "regress", "suite.toml", "-o", "out", "--workers", "1"]
main()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_whoever_is_interrupted_goes_on_later(
    place: Path, go: Go, asked: Asked, number: signal.Signals
) -> None:
    from tests.regress.conftest import FAKE

    (place / "hang-4").touch()
    code = STARTED.replace("FAKE", repr(str(FAKE)))
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=place,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while not (place / "hang-4").read_text() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert stored(place) == 6  # seeds 1 to 3 of two designs
    if number == signal.SIGINT:
        assert process.returncode == 130
        assert err.splitlines()[-2:] == [
            "finished results are kept; the same command goes on from there",
            "hwaccel: interrupted; earlier output is untouched",
        ]
        assert "skipped" in (place / "out" / "junit.xml").read_text()
        child = Path("/proc", (place / "hang-4").read_text(), "stat")
        assert not child.exists() or child.read_text().split()[2] == "Z"
    asked()
    (place / "hang-4").unlink()
    found = go()
    check(found)
    assert (found.taken, len(asked())) == (6, 6)


def test_a_result_says_what_was_run(place: Path, go: Go) -> None:
    go()
    read = [json.loads(p.read_text()) for p in (place / "out" / "results").glob("*.json")]
    assert {(r["design"], r["seed"]) for r in read} == {(d, s) for d in "ab" for s in range(1, 7)}
    assert all(r["simulator"] == "icarus" and r["stall"] == "none/none" for r in read)
