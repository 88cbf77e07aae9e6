"""The fast path: a Verilated model driven from compiled code, thousands of frames at a time."""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hwaccel import tools
from hwaccel.emit.env import render
from hwaccel.emit.netlist import Edge, Netlist
from hwaccel.errors import ToolError
from hwaccel.tools.cache import drop_oldest
from hwaccel.verify.beats import Bytes, Ints, from_beats, to_beats
from hwaccel.verify.models import KEPT
from hwaccel.verify.result import SimResult

_BUILD_TIMEOUT_S = 900.0
# Cycles without a handshake after which the design counts as deadlocked, times its beats.
_QUIET_FLOOR = 200_000


@dataclass(frozen=True, slots=True)
class FastModel:
    """A compiled model: the program and the edges it drives."""

    program: Path
    netlist: Netlist

    def run(
        self,
        xs: Sequence[Ints],
        *,
        idle: float = 0.0,
        backpressure: float = 0.0,
        seed: int = 1,
        timeout_s: float | None = None,
    ) -> SimResult:
        """Send the frames ``xs`` (one array ``(N, *shape)`` per input) and collect the outputs.

        ``idle`` and ``backpressure`` are the chances, 0 to 1, that source and sink pause in a
        cycle. The same seed gives the same stalls.

        Raises:
            ToolError: the design deadlocked, sent too many beats, or misplaced ``tlast``.
        """
        frames = xs[0].shape[0]
        started = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="hwaccel-") as folder:
            work = Path(folder)
            files = [work / f"in{i}.bin" for i in range(len(xs))]
            for x, edge, file in zip(xs, self.netlist.inputs, files, strict=True):
                file.write_bytes(_to_words(to_beats(x, edge), edge))
            outs = [work / f"out{i}.bin" for i in range(len(self.netlist.outputs))]
            chances = [str(round(65536 * c)) for c in (idle, backpressure)]
            numbers = [str(frames), *chances, str(seed), str(_QUIET_FLOOR)]
            tools.run(
                [self.program, *numbers, work / "times.txt", *files, *outs],
                cwd=self.program.parent.parent,
                timeout_s=timeout_s,
            )
            outputs = tuple(
                from_beats(_from_words(out.read_bytes(), edge, frames), edge)
                for out, edge in zip(outs, self.netlist.outputs, strict=True)
            )
            lines = (work / "times.txt").read_text(encoding="ascii").splitlines()
        return self._result(lines, outputs, time.monotonic() - started)

    def _result(self, lines: list[str], outputs: tuple[Ints, ...], seconds: float) -> SimResult:
        rows = [tuple(int(t) for t in line.split()) for line in lines]
        cycles, error = rows[0]
        count = len(self.netlist.inputs)
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


def _from_words(data: bytes, edge: Edge, frames: int) -> Bytes:
    beats = np.frombuffer(data, dtype=np.uint8).reshape(frames, edge.beats, 4 * edge.words)
    return beats[..., : edge.axis_bits // 8]


def build_fast(files: Mapping[str, str], netlist: Netlist, workdir: Path) -> FastModel:
    """Compile the Verilog ``files`` (name to text) into a program under ``workdir``.

    A program built from the same text is found again and run, so ``workdir`` must be a folder
    where nobody else puts programs. The ones used last are kept.

    Raises:
        ToolError: Verilator, make or the C++ compiler is missing or fails.
    """
    driver = render("verify/driver.cpp.j2", net=netlist, lines=("hwaccel simulation driver",))
    workdir = workdir.resolve()
    texts = {**files, "driver.cpp": driver}
    digest = hashlib.sha256(repr(sorted(texts.items())).encode()).hexdigest()[:16]
    folder = workdir / f"fast-{digest}"
    program = folder / "obj" / f"V{netlist.name}"
    if program.exists():
        with suppress(OSError):
            os.utime(folder)
        return FastModel(program, netlist)
    for tool in ("verilator", "make", "g++"):
        tools.require(tool)
    workdir.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=".fast-", dir=workdir))
    for name, text in texts.items():
        (scratch / name).write_text(text, encoding="ascii")
    _compile(scratch, netlist)
    try:
        scratch.rename(folder)
    except OSError:  # somebody else built the same thing in the meantime
        if not program.exists():
            raise ToolError(f"{folder}: cannot be written; remove it and try again") from None
    drop_oldest(workdir.glob("fast-*"), KEPT)
    return FastModel(program, netlist)


def _compile(folder: Path, netlist: Netlist) -> None:
    verilator = tools.require("verilator")
    sources = sorted(path.name for path in folder.glob("*.v"))
    # Laid-out networks are single large modules: in parts they compile in a third of the time.
    flags = ["--cc", "--exe", "-O3", "--x-initial", "unique", "--x-assign", "unique", "--quiet"]
    flags += ["--output-split", "5000", "--output-split-cfuncs", "500"]
    names = ["--top-module", netlist.name, "--prefix", f"V{netlist.name}", "-Mdir", "obj"]
    log = folder / "build.log"
    env = tools.verilator_env()
    tools.run(
        [*verilator.argv, *flags, *names, "driver.cpp", *sources],
        cwd=folder,
        env=env,
        log=log,
        timeout_s=_BUILD_TIMEOUT_S,
    )
    jobs = str(os.cpu_count() or 1)
    tools.run(
        [
            *tools.require("make").argv,
            "-C",
            "obj",
            "-f",
            f"V{netlist.name}.mk",
            "-j",
            jobs,
            "OPT_FAST=-O2",
            "OPT_GLOBAL=-O1",
        ],
        cwd=folder,
        env=env,
        log=folder / "make.log",
        timeout_s=_BUILD_TIMEOUT_S,
    )
