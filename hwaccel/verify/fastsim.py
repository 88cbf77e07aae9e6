"""The fast path: a Verilated model driven from compiled code, thousands of frames at a time."""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import numpy as np

from hwaccel import tools
from hwaccel.emit.env import render
from hwaccel.emit.netlist import Edge, Netlist
from hwaccel.errors import StreamError, ToolError
from hwaccel.tools.cache import drop_oldest, locked
from hwaccel.verify.beats import Bytes, Ints, from_beats, to_beats
from hwaccel.verify.jobs import Stalls
from hwaccel.verify.models import KEPT
from hwaccel.verify.result import SimResult
from hwaccel.verify.verilating import BUILD_TIMEOUT_S, Recipe

RECIPE = Recipe(
    ("--cc", "--exe", "-O3", "--x-initial", "unique", "--x-assign", "unique", "--quiet"),
    fast="-O2",
    slow="",
    library="-O1",
)
# Cycles without a handshake after which the design counts as deadlocked, times its beats.
_QUIET_FLOOR = 200_000
# Exit code of the driver where the design breaks a rule of its streams.
_BROKEN = 3


@dataclass(frozen=True, slots=True)
class FastRun:
    """A reset and what follows: the first ``frames`` frames are sent, with pauses on both sides.

    A run starts from what the one before has left, or, if ``fresh``, from registers that hold
    random values. With ``cut`` it ends after so many cycles, wherever it is, and has no result.
    """

    frames: int
    stalls: Stalls
    cut: int = 0
    reset_cycles: int = 4
    fresh: bool = True

    @property
    def line(self) -> str:
        """The run as the driver reads it."""
        words = [self.frames, self.stalls.idle, self.stalls.backpressure, self.stalls.seed]
        return " ".join(str(w) for w in [*words, self.cut, self.reset_cycles, int(self.fresh)])


@dataclass(frozen=True, slots=True)
class FastModel:
    """A compiled model: the program and the edges it drives."""

    program: Path
    netlist: Netlist

    def run(
        self,
        xs: Sequence[Ints],
        *,
        idle: str = "none",
        backpressure: str = "none",
        seed: int = 1,
        timeout_s: float | None = None,
    ) -> SimResult:
        """Send the frames ``xs`` (one array ``(N, *shape)`` per input) and collect the outputs.

        ``idle`` and ``backpressure`` name the patterns in which source and sink pause. The same
        seed gives the same stalls.

        Raises:
            ToolError: the design deadlocked, sent too many beats, misplaced ``tlast``, or changed
                a beat that was not taken yet.
        """
        one = FastRun(xs[0].shape[0], Stalls(idle, backpressure, seed))
        return next(self.run_all(xs, [one], timeout_s=timeout_s))

    def run_all(
        self, xs: Sequence[Ints], runs: Sequence[FastRun], *, timeout_s: float | None = None
    ) -> Iterator[SimResult]:
        """Make ``runs`` one after another, in one process; yield the results of those not cut.

        Raises:
            ToolError: as for ``run``; the message says which run it was, counted from 0.
        """
        started = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="hwaccel-") as folder:
            work = Path(folder)
            files = [work / f"in{i}.bin" for i in range(len(xs))]
            for x, edge, file in zip(xs, self.netlist.inputs, files, strict=True):
                file.write_bytes(_to_words(to_beats(x, edge), edge))
            outs = [work / f"out{i}.bin" for i in range(len(self.netlist.outputs))]
            (work / "runs.txt").write_text("".join(f"{run.line}\n" for run in runs))
            done = tools.run(
                [
                    self.program,
                    work / "runs.txt",
                    str(_QUIET_FLOOR),
                    work / "times.txt",
                    *files,
                    *outs,
                ],
                cwd=self.program.parent.parent,
                timeout_s=timeout_s,
                check=False,
            )
            if done.returncode != 0:
                said = tools.failure(self.program.name, done)
                raise StreamError(said) if done.returncode == _BROKEN else ToolError(said)
            seconds = time.monotonic() - started
            with (work / "times.txt").open(encoding="ascii") as times, ExitStack() as stack:
                opened = [stack.enter_context(out.open("rb")) for out in outs]
                for run in (run for run in runs if not run.cut):
                    outputs = tuple(
                        from_beats(_read(out, edge, run.frames), edge)
                        for out, edge in zip(opened, self.netlist.outputs, strict=True)
                    )
                    yield self._result(times, outputs, seconds)

    def _result(self, times: Iterator[str], outputs: tuple[Ints, ...], seconds: float) -> SimResult:
        count = len(self.netlist.inputs)
        lines = islice(times, 1 + 2 * count + len(outputs))
        rows = [tuple(int(t) for t in line.split()) for line in lines]
        cycles, error = rows[0]
        offered = tuple(rows[1 + 2 * i] for i in range(count))
        firsts = [rows[2 + 2 * i][0] for i in range(count)]
        finished = [max(ends) for ends in zip(*rows[1 + 2 * count :], strict=True)]
        return SimResult(
            simulator="verilator-fast",
            outputs=outputs,
            cycles=cycles,
            seconds=seconds,
            offered=offered,
            started=min(firsts),
            finished=tuple(finished),
            frame_error=bool(error),
        )


def _to_words(beats: Bytes, edge: Edge) -> bytes:
    padded = np.zeros((*beats.shape[:2], 4 * edge.words), dtype=np.uint8)
    padded[..., : beats.shape[2]] = beats
    return padded.tobytes()


def _read(file: BinaryIO, edge: Edge, frames: int) -> Bytes:
    data = np.frombuffer(file.read(4 * frames * edge.beats * edge.words), dtype=np.uint8)
    return data.reshape(frames, edge.beats, 4 * edge.words)[..., : edge.axis_bits // 8]


def build_fast(files: Mapping[str, str], netlist: Netlist, workdir: Path) -> FastModel:
    """Compile the Verilog ``files`` (name to text) into a program under ``workdir``.

    A program built from the same text is found again and run, so ``workdir`` must be a folder
    where nobody else puts programs. The ones used last are kept. Safe under parallel use: the first
    one builds, the others wait for it.

    Raises:
        ToolError: Verilator, make or the C++ compiler is missing or fails.
    """
    driver = render("verify/driver.cpp.j2", net=netlist, lines=("hwaccel simulation driver",))
    workdir = workdir.resolve()
    texts = {**files, "driver.cpp": driver}
    digest = hashlib.sha256(repr(sorted(texts.items())).encode()).hexdigest()[:16]
    folder = workdir / f"fast-{digest}"
    program = folder / "obj" / f"V{netlist.name}"
    if not program.exists():
        for tool in ("verilator", "make", "g++"):
            tools.require(tool)
        with locked(workdir / f".fast-{digest}.lock"):
            if not program.exists():
                _build(texts, netlist, folder)
                drop_oldest(workdir.glob("fast-*"), KEPT)
    with suppress(OSError):
        os.utime(folder)
    return FastModel(program, netlist)


def _build(texts: Mapping[str, str], netlist: Netlist, folder: Path) -> None:
    """Compile in a scratch folder, then move everything to ``folder`` in one step."""
    scratch = Path(tempfile.mkdtemp(prefix=".fast-", dir=folder.parent))
    for name, text in texts.items():
        (scratch / name).write_text(text, encoding="ascii")
    _compile(scratch, netlist)
    try:
        scratch.rename(folder)
    except OSError:
        raise ToolError(f"{folder}: cannot be written; remove it and try again") from None


def _compile(folder: Path, netlist: Netlist) -> None:
    verilator = tools.require("verilator")
    sources = sorted(path.name for path in folder.glob("*.v"))
    # Laid-out networks are single large modules: in parts they compile in a third of the time.
    split = ["--output-split", "5000", "--output-split-cfuncs", "500"]
    names = ["--top-module", netlist.name, "--prefix", f"V{netlist.name}", "-Mdir", "obj"]
    tools.run(
        [*verilator.argv, *RECIPE.options, *split, *names, "driver.cpp", *sources],
        cwd=folder,
        env=tools.verilator_env(),
        log=folder / "build.log",
        timeout_s=BUILD_TIMEOUT_S,
    )
    log = folder / "make.log"
    made = RECIPE.make(folder / "obj", f"V{netlist.name}", log)
    if made.returncode != 0:
        raise ToolError(tools.failure("make", made, log))
