"""Real workers and real simulators: they die, they hang, and the results are right."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from hwaccel import __version__, stages, tools
from hwaccel.api import Design, design_from
from hwaccel.config import Config
from hwaccel.farm import pool, serve
from hwaccel.regress.plan import plan_of
from hwaccel.regress.run import regress
from hwaccel.regress.suite import read_suite
from hwaccel.regress.work import TRADE, Make, Try, perform
from hwaccel.schedule.timing import Timing
from hwaccel.verify.result import SimResult
from tests.report.designs import mlp

pytestmark = [
    pytest.mark.rtl,
    pytest.mark.skipif(tools.find("iverilog") is None, reason="iverilog is not installed"),
]
SUITE = """\
simulators = ["icarus"]
seeds = [1, 2]
stalls = ["none", "rare/none"]
frames = 2
time_limit = 300
[models.mlp]
source = "build"
"""


@pytest.fixture
def design(tmp_path: Path) -> Design:
    """Return a design whose project is ``build``, beside ``suite.toml``."""
    made = design_from(mlp(), Config(multipliers=32))
    made.write(tmp_path / "build")
    (tmp_path / "suite.toml").write_text(SUITE)
    return made


def test_workers_that_are_killed_in_the_middle(
    design: Design, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[tools.Worker] = []

    class Recorded(tools.Worker):
        def __init__(self, *args, **options) -> None:
            super().__init__(*args, **options)
            started.append(self)

    def kill_all(text: str) -> None:
        if text.startswith("1 of 4"):
            for worker in started:
                os.kill(worker.pid, signal.SIGKILL)

    monkeypatch.setattr(pool, "Worker", Recorded)
    suite = read_suite(tmp_path / "suite.toml")
    plan = plan_of(suite)
    found = regress(suite, plan, tmp_path / "out", workers=2, progress=kill_all)
    assert found.line == "4 passed; 0 of them known from before"
    assert len(started) > 2
    predicted = design.plan.timing(2)
    for run, result in found.results.items():
        answer = result.answer
        if run.idle == "none":
            assert (answer.latency, answer.interval) == (predicted.latency, predicted.interval)
        else:
            assert answer.cycles > predicted.latency
        assert answer.tool.startswith("iverilog ")
    assert not list((tmp_path / "out" / "runs").glob("*"))
    assert len(list((tmp_path / "out" / "results").glob("*.json"))) == 4


@pytest.fixture
def hanging(design: Design, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the file in which an ``iverilog`` that never ends will write its number."""
    stub = tmp_path / "bin" / "iverilog"
    stub.parent.mkdir()
    stub.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid\nexec sleep 300\n")
    stub.chmod(0o755)
    monkeypatch.setenv("PATH", f"{stub.parent}{os.pathsep}{os.environ['PATH']}")
    return tmp_path / "pid"


def gone(pid: Path) -> bool:
    stat = Path("/proc", pid.read_text().strip(), "stat")
    return not stat.exists() or stat.read_text().split()[2] == "Z"


def test_a_simulator_that_hangs(hanging: Path, tmp_path: Path) -> None:
    text = SUITE.replace("seeds = [1, 2]", "seeds = [1]").replace('"none", ', "")
    (tmp_path / "suite.toml").write_text(text.replace("300", "10"))
    suite = read_suite(tmp_path / "suite.toml")
    found = regress(suite, plan_of(suite), tmp_path / "out", workers=1)
    (result,) = found.results.values()
    assert (result.answer.status, found.passed) == ("hung", False)
    assert result.answer.message == "stopped after 10 s, the time a run is given"
    assert gone(hanging)
    assert (tmp_path / "out" / result.answer.left / "sim.log").is_file()
    assert not result.final  # so a second call would try again


def test_a_worker_that_nobody_asks_any_more_ends_its_simulator(
    hanging: Path, tmp_path: Path
) -> None:
    project = str(tmp_path / "build")
    made = perform(Make(folder=project))
    request = Try(
        project=project, named="build", content=made.content, simulator="icarus", frames=2,
        seed=3, idle="none", backpressure="none", folder=str(tmp_path / "run"),
    )  # fmt: skip
    process = subprocess.Popen(
        serve.argv(TRADE.module),
        cwd=tmp_path,
        env={**os.environ, **serve.environment()},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert process.stdin is not None
    process.stdin.write(TRADE.encode(request) + b"\n")
    process.stdin.flush()
    deadline = time.monotonic() + 60
    while not (hanging.exists() and hanging.read_text()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not gone(hanging)
    process.stdin.close()
    assert process.wait(30) == 0
    assert process.stdout is not None
    assert process.stdout.read() == b"ready\n"
    assert gone(hanging)


def test_wrong_hardware_fails_and_leaves_waves(
    design: Design, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Design.verilog

    def wrong(self: Design) -> dict[str, str]:
        files = real(self)
        memory = next(name for name in sorted(files) if name.endswith("weights.mem"))
        first, rest = files[memory].split("\n", 1)
        return files | {memory: f"{int(first, 16) ^ 1:0{len(first)}x}\n{rest}"}

    monkeypatch.setattr(Design, "verilog", wrong)
    project = str(tmp_path / "build")
    made = perform(Make(folder=project))
    assert made.status == "made"
    request = Try(
        project=project, named="build", content=made.content, simulator="icarus", frames=2,
        seed=3, idle="none", backpressure="none", folder=str(tmp_path / "run"), waves=True,
    )  # fmt: skip
    answer = perform(request)
    assert answer.status == "failed"
    assert "found" in answer.message
    assert answer.message.endswith(
        "repeat with: hwaccel sim build --simulator icarus --frames 2 --idle none "
        "--backpressure none --seed 3"
    )
    assert (tmp_path / "run" / answer.waves).stat().st_size > 0
    assert re.fullmatch(
        r"icarus: wrong numbers begin in [\w.]+, which is fed right ones; the first leaves it in "
        r"cycle \d+",
        answer.origin,
    )
    other = perform(msgspec.structs.replace(request, content="0" * 32))
    assert other.status == "error"
    assert other.message == f"{project}: was changed while the suite ran; start it again"
    older = perform(msgspec.structs.replace(request, version="0.0.1"))
    assert older.message == (
        f"the worker has hwaccel {__version__}, expected 0.0.1; install the same"
    )


def test_right_numbers_in_the_wrong_cycle_fail(
    design: Design, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = stages.predicted_for

    def later(design: Design, result: SimResult) -> Timing:
        timing = real(design, result)
        return replace(timing, outputs=tuple(tuple(c + 1 for c in out) for out in timing.outputs))

    monkeypatch.setattr(stages, "predicted_for", later)
    project = str(tmp_path / "build")
    made = perform(Make(folder=project))
    request = Try(
        project=project, named="build", content=made.content, simulator="icarus", frames=2,
        seed=3, idle="none", backpressure="none",
    )  # fmt: skip
    answer = perform(request)
    assert answer.status == "failed"
    assert re.fullmatch(
        r"icarus: latency is (\d+) cycles, predicted \d+; repeat with: hwaccel sim build "
        r"--simulator icarus --frames 2 --idle none --backpressure none --seed 3 --trace",
        answer.message,
    )
    free = perform(msgspec.structs.replace(request, backpressure="some"))
    assert free.status == "passed"  # of times under back pressure nothing is promised
