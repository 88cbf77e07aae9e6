"""Bench of whole designs: AXI-Stream in, AXI-Stream out, everything checked and timed.

The job is a JSON file named by ``HWACCEL_JOB``::

    {"result": "result.json",
     "benches": [{"prefix": "",            # of clk, rst, frame_error and all stream ports
                  "frames": 4,
                  "inputs":  [{"port": "s_axis", "beats": 64, "bits": 8, "data": "in0.bin"}],
                  "outputs": [{"port": "m_axis", "beats": 10, "bits": 24, "data": "out0.bin",
                               "expected": "expected0.bin"}],        # or null: do not compare
                  "runs":    [{"idle": "none", "backpressure": "some", "seed": 1}]}],
     "patience": 200000}

Every bench is a design of its own under the top; every run sends the same frames with other
stalls, after a reset. The files of a run's outputs get the run's number before their suffix.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, First, Timer
from scoreboard import BenchError, Scoreboard
from stalls import pauses
from streams import PERIOD_NS, PERIOD_STEPS, Sink, Source, cycle, read_beats, write_beats

RESET_CYCLES = 4
# Cycles between two looks at the progress.
GLANCE = 2000
# Cycles for which nothing more may come after the last beat.
TAIL = 256


class Bench:
    """Wires sources, sinks and scoreboards to one design; ``run`` sends all frames once."""

    def __init__(self, dut: Any, spec: dict[str, Any], patience: int) -> None:
        prefix = spec["prefix"]
        self._spec = spec
        self._patience = patience
        self._clk = getattr(dut, f"{prefix}clk")
        self._clock = Clock(self._clk, PERIOD_NS, "ns")
        self._rst = getattr(dut, f"{prefix}rst")
        self._frame_error = getattr(dut, f"{prefix}frame_error")
        self._sources = [Source(dut, prefix + i["port"], self._clk) for i in spec["inputs"]]
        self._sinks = [Sink(dut, prefix + o["port"], self._clk) for o in spec["outputs"]]
        self._frames = [self._read(edge, "data") for edge in spec["inputs"]]
        self._expected = [
            self._read(edge, "expected") if edge["expected"] else None for edge in spec["outputs"]
        ]

    @staticmethod
    def _read(edge: dict[str, Any], what: str) -> list[list[int]]:
        return read_beats(Path(edge[what]), edge["beats"], edge["bits"] // 8)

    async def run_all(self) -> list[dict[str, Any]]:
        """Do all runs of the job, one after the other, and write their outputs."""
        self._clock.start()
        runs = []
        for number, stalls in enumerate(self._spec["runs"]):
            run = await self._run(stalls)
            for edge, frames in zip(self._spec["outputs"], run.pop("frames"), strict=True):
                file = Path(edge["data"])
                numbered = file.with_suffix(f".{number}{file.suffix}")
                write_beats(numbered, frames, edge["bits"] // 8)
            runs.append(run)
        self._clock.stop()
        return runs

    async def _run(self, stalls: dict[str, Any]) -> dict[str, Any]:
        """Reset, send all frames, wait for all results; return the times."""
        boards = [
            Scoreboard(edge["port"], edge["beats"], self._spec["frames"], expected)
            for edge, expected in zip(self._spec["outputs"], self._expected, strict=True)
        ]
        origin = await self._reset(stalls)
        started = time.perf_counter()
        failure = ""
        try:
            await self._wait(boards)
            if not any(board.difference for board in boards):
                await self._stay_quiet(boards)
        except BenchError as error:
            failure = str(error)
        return self._times(boards, origin) | {
            "seconds": time.perf_counter() - started,
            "failure": failure,
            "differences": [str(board.difference) for board in boards if board.difference],
            "frames": [board.frames for board in boards],
        }

    async def _reset(self, stalls: dict[str, Any]) -> int:
        """Reset; return the edge of cycle 0, the first one without.

        The ends start one edge before the design, so that what they do shows from cycle 0 on.
        """
        for end in (*self._sources, *self._sinks):
            end.hold()
        self._rst.value = 1
        await ClockCycles(self._clk, RESET_CYCLES)
        for source, frames in zip(self._sources, self._frames, strict=True):
            source.start(frames, pauses(stalls["idle"], stalls["seed"], source.port))
        for sink in self._sinks:
            sink.start(pauses(stalls["backpressure"], stalls["seed"], sink.port))
        await ClockCycles(self._clk, 1)
        self._rst.value = 0
        return cycle() + 1

    async def _wait(self, boards: list[Scoreboard]) -> None:
        """Collect every frame; look now and then whether anything still moves."""
        tasks = [
            cocotb.start_soon(self._collect(sink, board))
            for sink, board in zip(self._sinks, boards, strict=True)
        ]
        moved, since = -1, cycle()
        try:
            while any(not task.done() for task in tasks):
                running = [task.complete for task in tasks if not task.done()]
                await First(*running, Timer(GLANCE * PERIOD_STEPS, "step"))
                for task in tasks:
                    if task.done() and task.result() is not None:
                        raise task.result()
                if any(board.difference for board in boards):
                    return
                count = sum(len(end.taken) for end in (*self._sources, *self._sinks))
                if count != moved:
                    moved, since = count, cycle()
                elif cycle() - since > self._patience:
                    raise self._stuck(boards, cycle() - since)
        finally:
            for task in tasks:
                task.cancel()

    @staticmethod
    async def _collect(sink: Sink, board: Scoreboard) -> BenchError | None:
        """Fill the scoreboard; stop at the first wrong beat."""
        while not board.complete and board.difference is None:
            frame = await sink.receive()
            at = len(board.frames) * len(frame)
            if sink.unknown is not None:
                beat, bits = sink.unknown
                return BenchError(f"{board.port}: beat {beat} has unknown bits: {bits}")
            try:
                board.add(frame, sink.taken[at : at + len(frame)])
            except BenchError as error:
                return error
        return None

    async def _stay_quiet(self, boards: list[Scoreboard]) -> None:
        """Check that no beat comes after the last frame, and that no frame was out of place."""
        before = [len(sink.taken) for sink in self._sinks]
        for sink in self._sinks:
            sink.stop_pausing()
        await ClockCycles(self._clk, TAIL)
        for sink, board, count in zip(self._sinks, boards, before, strict=True):
            if len(sink.taken) != count:
                raise BenchError(f"{board.port}: a beat came after the last frame")
        if int(self._frame_error.value):
            raise BenchError("frame_error is high, though tlast was on the last beat of each frame")

    def _stuck(self, boards: list[Scoreboard], cycles: int) -> BenchError:
        """Say what each stream has done when nothing moves any more."""
        outputs = self._spec["outputs"]
        for sink, board, edge in zip(self._sinks, boards, outputs, strict=True):
            frame, beats = len(board.frames), edge["beats"]
            if len(sink.taken) >= (frame + 1) * beats:
                return BenchError(f"{board.port}: no tlast with beat {beats} of frame {frame}")
        ends = [*self._sources, *self._sinks]
        places = ", ".join(
            f"{edge['port']} at beat {len(end.taken)} of {self._spec['frames'] * edge['beats']}"
            for end, edge in zip(ends, [*self._spec["inputs"], *outputs], strict=True)
        )
        return BenchError(f"stuck: nothing moved for {cycles} cycles, {places}")

    def _times(self, boards: list[Scoreboard], origin: int) -> dict[str, Any]:
        """Return cycles counted from the first one after reset."""
        ends = [
            [sink.taken[(f + 1) * edge["beats"] - 1] - origin for f in range(len(board.frames))]
            for sink, board, edge in zip(self._sinks, boards, self._spec["outputs"], strict=True)
        ]
        return {
            "offered": [[t - origin for t in source.offered] for source in self._sources],
            "taken": [[t - origin for t in source.taken] for source in self._sources],
            "sent": [[t - origin for t in sink.taken] for sink in self._sinks],
            "finished": [max(frame) for frame in zip(*ends, strict=False)],
        }


@cocotb.test(timeout_time=100, timeout_unit="sec")
async def send_all_frames(dut: Any) -> None:
    """Run every bench of the job, with every set of stalls; fail after the answers are written."""
    job = json.loads(Path(os.environ["HWACCEL_JOB"]).read_text(encoding="utf-8"))
    results = [await Bench(dut, spec, job["patience"]).run_all() for spec in job["benches"]]
    Path(job["result"]).write_text(json.dumps(results), encoding="utf-8")
    for run in (run for runs in results for run in runs):
        for text in (*run["differences"], run["failure"]):
            if text:
                raise BenchError(text)
