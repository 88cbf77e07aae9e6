"""A suite of 500 runs in which workers are killed: ``python -m benchmarks.regress_scale``.

Two projects, two patterns of stalls, 125 seeds. Each time a quarter is done a worker is killed
with SIGKILL, in the middle of a run. Every run must have a result that is right: outputs are
compared with the golden model in the run; latency and interval, without stalls, with the schedule's
here. Then the same suite is called again and may run nothing.
"""

from __future__ import annotations

import argparse
import os
import signal
import tempfile
import time
from collections import Counter
from pathlib import Path

from benchmarks.trust.line import print_line
from hwaccel.api import Design, design_from
from hwaccel.config import Config
from hwaccel.farm import pool
from hwaccel.regress.plan import Plan, plan_of
from hwaccel.regress.run import Found, regress
from hwaccel.regress.suite import Suite, read_suite
from hwaccel.tools import Worker
from tests.report.designs import cnn, mlp

STALLS = ("none", "some/bursts")
FRAMES = 4


class Recorded(Worker):
    """Workers that can be found again."""

    alive: tuple[Worker, ...] = ()

    def __init__(self, *args, **options) -> None:
        super().__init__(*args, **options)
        Recorded.alive = (*Recorded.alive, self)

    def kill(self) -> None:
        Recorded.alive = tuple(w for w in Recorded.alive if w is not self)
        super().kill()


class Killer:
    """Kill the oldest worker whenever another quarter of the runs is done."""

    def __init__(self, runs: int) -> None:
        self.left = [runs // 4, runs // 2, runs * 3 // 4]
        self.killed = 0

    def __call__(self, text: str) -> None:
        number, _, rest = text.partition(" of ")
        if self.left and rest and number.isdigit() and int(number) >= self.left[0]:
            self.left.pop(0)
            # The oldest: one that was just started may still have the run of the last kill.
            os.kill(Recorded.alive[0].pid, signal.SIGKILL)
            self.killed += 1


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--runs", type=int, default=500)
    options.add_argument("--simulator", default="fast")
    options.add_argument("--workers", type=int, default=2)
    chosen = options.parse_args()
    pool.Worker = Recorded  # type: ignore[misc]
    with tempfile.TemporaryDirectory(prefix="hwaccel-") as folder:
        measure(Path(folder), chosen.runs, chosen.simulator, chosen.workers)


def measure(folder: Path, runs: int, simulator: str, workers: int) -> None:
    designs = {"mlp": design_from(mlp(), Config(multipliers=32)), "cnn": design_from(cnn())}
    suite, plan = prepared(folder, designs, runs, simulator)
    killer = Killer(len(plan.runs))
    started = time.monotonic()
    found = regress(suite, plan, folder / "out", workers=workers, progress=killer)
    seconds = time.monotonic() - started
    check(found, designs)
    assert found.taken == 0
    again = regress(suite, plan, folder / "out", workers=1)
    assert again.taken == len(plan.runs)
    assert again.results == found.results
    attempts = Counter(result.answer.attempts for result in found.results.values())
    print_line(
        "regress",
        f"{len(found.results)} runs on {simulator} with {workers} workers, {killer.killed} of them "
        f"killed; {found.counts['passed']} passed, {attempts[2]} at the second attempt, "
        f"{len(plan.runs) - len(found.results)} lost; {seconds:.0f} s",
        using=("verilator",) if simulator != "icarus" else ("iverilog",),
    )


def prepared(
    folder: Path, designs: dict[str, Design], runs: int, simulator: str
) -> tuple[Suite, Plan]:
    seeds = runs // (len(designs) * len(STALLS))
    lines = [
        f'simulators = ["{simulator}"]',
        f"seeds = {{ first = 1, last = {seeds} }}",
        f"stalls = {list(STALLS)}",
        f"frames = {FRAMES}",
    ]
    for name, design in designs.items():
        design.write(folder / name)
        lines += [f"[models.{name}]", f'source = "{name}"']
    (folder / "suite.toml").write_text("\n".join(lines))
    suite = read_suite(folder / "suite.toml")
    return suite, plan_of(suite)


def check(found: Found, designs: dict[str, Design]) -> None:
    assert found.passed, found.line
    times = {name: design.plan.timing(FRAMES) for name, design in designs.items()}
    for run, result in found.results.items():
        want = times[run.source.name]
        if run.stall == "none/none":
            found_times = result.answer.latency, result.answer.interval
            assert found_times == (want.latency, want.interval), run


if __name__ == "__main__":
    main()
