"""What the bench in ``sim/bench_design.py`` is asked to do, and what it answers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hwaccel.emit.netlist import Edge, Netlist
from hwaccel.errors import ConfigError, HwaccelError, MismatchError, StreamError
from hwaccel.verify.beats import Ints, from_beats, to_beats
from hwaccel.verify.compare import require_equal
from hwaccel.verify.result import SimResult

PATTERNS = ("none", "rare", "some", "heavy", "bursts", "alternate", "start")


@dataclass(frozen=True, slots=True)
class Stalls:
    """How often the two sides of a design wait: one of ``PATTERNS`` each."""

    idle: str = "none"
    backpressure: str = "none"
    seed: int = 1

    def __post_init__(self) -> None:
        for side, pattern in (("idle", self.idle), ("backpressure", self.backpressure)):
            if pattern not in PATTERNS:
                raise ConfigError(f"{side}: {pattern!r} is not one of {', '.join(PATTERNS)}")


@dataclass(frozen=True, slots=True, eq=False)
class Bench:
    """Frames for one design: one array ``(N, *shape)`` per input, and per output if known.

    ``prefix`` stands before the names of its ports where a top holds several designs.

    Raises:
        ConfigError: the frames do not fit the inputs.
    """

    netlist: Netlist
    xs: Sequence[Ints]
    expected: Sequence[Ints] = ()
    prefix: str = ""

    def __post_init__(self) -> None:
        edges = self.netlist.inputs
        if len(self.xs) != len(edges):
            names = ", ".join(edge.value for edge in edges)
            raise ConfigError(f"expected frames for {names}, found {len(self.xs)} arrays")
        for x, edge in zip(self.xs, edges, strict=True):
            _check_frames(x, self.xs[0].shape[0], edge)


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """A result, or the reason why there is none."""

    result: SimResult | None
    error: HwaccelError | None = None

    def get(self) -> SimResult:
        """Return the result.

        Raises:
            MismatchError, ToolError: there is none.
        """
        if self.error is not None:
            raise self.error
        assert self.result is not None
        return self.result


def _check_frames(x: Ints, frames: int, edge: Edge) -> None:
    if x.shape != (frames, *edge.type.shape) or frames == 0:
        wanted = ", ".join(str(n) for n in edge.type.shape)
        raise ConfigError(f"{edge.value}: expected frames of shape (N, {wanted}), found {x.shape}")
    if x.min() < edge.type.lo or x.max() > edge.type.hi:
        raise ConfigError(
            f"{edge.value}: expected integers from {edge.type.lo} to {edge.type.hi}, found "
            f"{x.min()} to {x.max()}; quantize them to {edge.type.fixed}"
        )


def write_job(
    folder: Path, benches: Sequence[Bench], stalls: Sequence[Stalls], patience_cycles: int
) -> Path:
    """Write the frames and the job that names them into ``folder``; return the job's file."""
    job = {
        "result": str(folder / "result.json"),
        "patience": patience_cycles,
        "benches": [
            {
                "prefix": bench.prefix,
                "frames": bench.xs[0].shape[0],
                "inputs": _edges(folder, bench, bench.netlist.inputs, bench.xs, "data"),
                "outputs": _edges(folder, bench, bench.netlist.outputs, bench.expected, "expected"),
                "runs": [asdict(stall) for stall in stalls],
            }
            for bench in benches
        ],
    }
    file = folder / "job.json"
    file.write_text(json.dumps(job, indent=1), encoding="utf-8")
    (folder / "result.json").unlink(missing_ok=True)
    return file


def _edges(
    folder: Path, bench: Bench, edges: Sequence[Edge], batches: Sequence[Ints], role: str
) -> list[dict[str, Any]]:
    """Describe the streams of one side; write the frames that are known."""
    specs = []
    for number, edge in enumerate(edges):
        stem = f"{bench.prefix}{edge.prefix}"
        spec = {
            "port": edge.prefix,
            "beats": edge.beats,
            "bits": edge.axis_bits,
            "data": str(folder / f"{stem}.bin"),
            "expected": None,
        }
        if batches:
            file = folder / (f"{stem}.bin" if role == "data" else f"{stem}.{role}.bin")
            file.write_bytes(to_beats(batches[number], edge).tobytes())
            spec[role] = str(file)
        specs.append(spec)
    return specs


def read_outcomes(
    job_file: Path, benches: Sequence[Bench], simulator: str, repeat: str
) -> list[list[Outcome]]:
    """Return one list per bench, with one outcome per set of stalls."""
    job = json.loads(job_file.read_text(encoding="utf-8"))
    answers = json.loads(Path(job["result"]).read_text(encoding="utf-8"))
    return [
        [
            _outcome(bench, _outputs(bench, spec, number), run, stall["seed"], simulator, repeat)
            for number, (run, stall) in enumerate(zip(runs, spec["runs"], strict=True))
        ]
        for bench, spec, runs in zip(benches, job["benches"], answers, strict=True)
    ]


def _outputs(bench: Bench, spec: Mapping[str, Any], number: int) -> list[Ints]:
    """Read what came out in run ``number``, whole frames only."""
    batches = []
    for edge, output in zip(bench.netlist.outputs, spec["outputs"], strict=True):
        file = Path(output["data"])
        data = np.fromfile(file.with_suffix(f".{number}{file.suffix}"), dtype=np.uint8)
        batches.append(from_beats(data.reshape(-1, edge.beats, edge.axis_bits // 8), edge))
    return batches


def _outcome(
    bench: Bench,
    outputs: Sequence[Ints],
    run: Mapping[str, Any],
    seed: int,
    simulator: str,
    repeat: str,
) -> Outcome:
    """Judge one run: a wrong number first, a broken rule next."""
    try:
        for at, expected in enumerate(bench.expected):
            edge, found = bench.netlist.outputs[at], outputs[at]
            frames = found.shape[0]
            cycles = np.array(run["sent"][at][: frames * edge.beats], dtype=np.int64)
            require_equal(
                expected[:frames],
                found,
                edge.type,
                edge.value,
                what=simulator,
                lanes=edge.lanes,
                cycles=cycles.reshape(frames, edge.beats),
                seed=seed,
                repeat=repeat,
            )
    except MismatchError as error:
        return Outcome(None, error)
    if run["failure"]:
        again = f"; repeat with: {repeat}" if repeat else ""
        text = f"{bench.netlist.name}: {run['failure']}; seed {seed}{again}"
        return Outcome(None, StreamError(text))
    return Outcome(
        SimResult(
            simulator=simulator,
            outputs=tuple(outputs),
            cycles=run["finished"][-1] + 1,
            seconds=run["seconds"],
            offered=tuple(tuple(times) for times in run["offered"]),
            started=min(times[0] for times in run["taken"]),
            finished=tuple(run["finished"]),
            frame_error=False,
        )
    )
