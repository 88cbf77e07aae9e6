"""A process that answers: what it says, how it ends, and that nothing of it is left."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hwaccel.tools import Died, TimedOut, Worker

ECHO = """
import os, signal, subprocess, sys, time
print("ready", flush=True)
for line in sys.stdin:
    word = line.strip()
    if word == "end":
        sys.exit("out of ideas")
    if word == "half":
        print("no newline", end="", flush=True); os._exit(4)
    if word in ("start", "wait"):
        child = subprocess.Popen(["sleep", "300"], start_new_session=True)
        print(child.pid, flush=True)
        if word == "wait":
            time.sleep(300)
        continue
    print(word.upper() * 3, flush=True)
"""


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[], Worker]]:
    made: list[Worker] = []

    def make(code: str = ECHO) -> Worker:
        argv = [sys.executable, "-S", "-c", code]
        made.append(Worker(argv, cwd=tmp_path, log=tmp_path / "log" / "worker.log"))
        return made[-1]

    yield make
    for worker in made:
        worker.kill()


def alive(pid: int) -> bool:
    for _ in range(40):
        try:
            if Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z":
                return False
        except OSError:
            return False
        time.sleep(0.05)
    return True


def test_a_line_for_a_line(start) -> None:
    worker = start()
    assert worker.ask(b"a", 30) == b"AAA"
    assert worker.ask(b"x" * 200_000, 30) == b"X" * 600_000


def test_the_time_to_start_does_not_count(start) -> None:
    assert start(f"import time; time.sleep(1.5)\n{ECHO}").ask(b"a", 0.9) == b"AAA"


def test_an_end_without_an_answer(start) -> None:
    with pytest.raises(Died) as caught:
        start().ask(b"end", 30)
    assert str(caught.value) == "worker: ended without an answer (exit code 1: out of ideas)"


def test_half_an_answer_is_none(start) -> None:
    with pytest.raises(Died, match=r"^worker: ended without an answer \(exit code 4\)$"):
        start().ask(b"half", 30)


def test_one_that_does_not_start(start) -> None:
    with pytest.raises(Died) as caught:
        start("raise ImportError('no such module')").ask(b"a", 30)
    assert str(caught.value) == (
        "worker: ended without an answer (exit code 1: ImportError: no such module)"
    )
    with pytest.raises(Died) as caught:
        start("print('hello')").ask(b"a", 30)
    assert str(caught.value) == "worker: said something else before it was ready"


def test_out_of_time(start) -> None:
    worker = start()
    child = int(worker.ask(b"wait", 30))
    with pytest.raises(TimedOut) as caught:
        worker.ask(b"a", 0.5)
    assert str(caught.value) == "stopped after 0.5 s, the time a run is given"
    assert Path(f"/proc/{child}").exists()
    worker.kill()
    assert not alive(child)
    assert not alive(worker.pid)


def test_what_a_killed_worker_had_started_goes_too(start) -> None:
    worker, other = start(), start()
    orphan, stranger = int(worker.ask(b"start", 30)), int(other.ask(b"start", 30))
    os.kill(worker.pid, signal.SIGKILL)
    with pytest.raises(Died) as caught:
        worker.ask(b"a", 30)
    assert str(caught.value) == "worker: ended without an answer (killed by SIGKILL)"
    assert Path(f"/proc/{orphan}").exists()
    worker.kill()
    assert not alive(orphan)
    assert Path(f"/proc/{stranger}").exists()
