"""The bench that travels with a project: cocotb sources, frames, expected results, a Makefile."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from hwaccel import resources
from hwaccel.emit.env import render
from hwaccel.emit.netlist import Netlist
from hwaccel.errors import ConfigError
from hwaccel.schedule.timing import Timed
from hwaccel.verify import stimulus
from hwaccel.verify.beats import Ints
from hwaccel.verify.jobs import Bench, Stalls, write_job

_SOURCES = ("bench_design.py", "scoreboard.py", "stalls.py", "streams.py")
# Cycles without a transfer after which the bench gives up.
_PATIENCE_CYCLES = 200_000


def project_bench(
    netlist: Netlist,
    plan: Timed,
    golden: Callable[..., tuple[Ints, ...]],
    banner: tuple[str, ...],
    frames: int | None,
    seed: int,
) -> dict[str, str | bytes]:
    """Return a bench with frames that are hard on the design, and what ``golden`` makes of them.

    ``frames`` is chosen by their length where it is ``None``: 256 short ones, at least 5.
    """
    if frames is not None and frames < 1:
        raise ConfigError(f"frames={frames}: a bench needs at least 1")
    types = [value.type for value in plan.graph.inputs]
    count = frames or stimulus.bench_frames(types, plan.timing().interval)
    xs = stimulus.frames(types, count, np.random.default_rng(seed))
    timing = plan.timing(count)
    hold = timing.latency + 4 * timing.interval
    return bench_files(netlist, xs, golden(*xs), banner, timing.finished(), hold)


def bench_files(
    netlist: Netlist,
    xs: Sequence[Ints],
    expected: Sequence[Ints],
    banner: tuple[str, ...],
    finished: Sequence[int] = (),
    hold: int = 0,
) -> dict[str, str | bytes]:
    """Return the files of the project's ``sim`` folder by name; ``make`` runs them there.

    ``finished`` are the cycles in which the frames end where neither side pauses; ``hold`` is how
    long nothing is taken in a third run, in which every buffer should fill.
    """
    files: dict[str, str | bytes] = {
        name: (resources.sim() / name).read_text(encoding="utf-8") for name in _SOURCES
    }
    runs = [Stalls("none", "none", 1), Stalls("some", "bursts", 2), Stalls("none", "none", 3)]
    with tempfile.TemporaryDirectory(prefix="hwaccel-") as folder:
        job = write_job(Path(folder), [Bench(netlist, xs, expected)], runs, _PATIENCE_CYCLES)
        # File names in the job are relative to the folder in which it is run.
        text = job.read_text(encoding="utf-8").replace(f"{folder}/", "")
        files["job.json"] = _thorough(text, finished, hold)
        files.update((path.name, path.read_bytes()) for path in Path(folder).glob("*.bin"))
    files["Makefile"] = render("verify/Makefile.j2", net=netlist, lines=banner)
    return dict(sorted(files.items()))


def _thorough(job: str, finished: Sequence[int], hold: int) -> str:
    """Return the job with everything checked that the bench knows how to."""
    changed = json.loads(job)
    (bench,) = changed["benches"]
    bench["thorough"] = True
    if finished:
        bench["runs"][0]["finished"] = [int(cycle) for cycle in finished]
    bench["runs"][2]["hold"] = hold
    return json.dumps(changed, indent=1)
