"""Bench of whole designs: AXI-Stream in, AXI-Stream out, everything checked and timed.

The job is a JSON file named by ``HWACCEL_JOB``::

    {"result": "result.json",
     "benches": [{"prefix": "",            # of clk, rst, frame_error and all stream ports
                  "frames": 4,
                  "inputs":  [{"port": "s_axis", "beats": 64, "bits": 8, "data": "in0.bin"}],
                  "outputs": [{"port": "m_axis", "beats": 10, "bits": 24, "data": "out0.bin",
                               "expected": "expected0.bin"}],        # or null: do not compare
                  "runs":    [{"idle": "none", "backpressure": "some", "seed": 1,
                               "finished": [80, 144],    # cycle of each frame's end, if known
                               "hold": 900}],            # cycles in which no sink is ready at first
                  "thorough": true}],                    # or absent
     "patience": 200000}

Every bench is a design of its own under the top; every run sends the same frames with other
stalls, after a reset. The files of a run's outputs get the run's number before their suffix. A
thorough bench also resets in the middle of frames before each run, and first of all sees that
``frame_error`` rises where a ``tlast`` is early or late.
"""

from __future__ import annotations

import json
import os
import time
from itertools import chain, repeat
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
# Cycles after which a thorough bench breaks off what it has begun.
BROKEN_OFF = 97


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
        wrong = await self.misplace() if self._spec.get("thorough") else ""
        for number, stalls in enumerate(self._spec["runs"]):
            run = await self.run(stalls)
            run["failure"] = wrong or run["failure"]
            for edge, frames in zip(self._spec["outputs"], run.pop("frames"), strict=True):
                file = Path(edge["data"])
                numbered = file.with_suffix(f".{number}{file.suffix}")
                write_beats(numbered, frames, edge["bits"] // 8)
            runs.append(run)
        self._clock.stop()
        return runs

    async def run(self, stalls: dict[str, Any]) -> dict[str, Any]:
        """Reset, send all frames, wait for all results; return the times."""
        if self._spec.get("thorough"):
            await self._break_off(stalls)
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
        times = self._times(boards, origin)
        due = stalls.get("finished")
        if due and not failure and not any(board.difference for board in boards):
            failure = _too_late(due, times["finished"])
        return times | {
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
            rest = pauses(stalls["backpressure"], stalls["seed"], sink.port)
            hold = stalls.get("hold", 0)
            sink.start(chain(repeat(True, hold), rest or repeat(False)) if hold else rest)
        await ClockCycles(self._clk, 1)
        self._rst.value = 0
        return cycle() + 1

    async def _break_off(self, stalls: dict[str, Any]) -> None:
        """Begin to send while nothing is taken, and stop: of that nothing may stay."""
        await self._reset(stalls)
        for sink in self._sinks:
            sink.hold()
        await ClockCycles(self._clk, BROKEN_OFF)

    async def misplace(self) -> str:
        """Send every stream a frame that ends early or late; return what is wrong then."""
        quiet = {"idle": "none", "backpressure": "none", "seed": 1}
        for number, (source, frames) in enumerate(zip(self._sources, self._frames, strict=True)):
            for beats in (len(frames[0]) - 1, 2 * len(frames[0])):
                if beats == 0:
                    continue
                self._frames[number] = [(frames[0] * 2)[:beats], *frames]
                await self._reset(quiet)
                self._frames[number] = frames
                if not await self._rises():
                    where = "early" if beats < len(frames[0]) else "late"
                    return f"{source.port}: frame_error stays low though tlast is {where}"
        return ""

    async def _rises(self) -> bool:
        """Say whether ``frame_error`` goes high after a reset, and stays."""
        if int(self._frame_error.value):
            return False
        for _ in range(self._patience // 16):
            await ClockCycles(self._clk, 16)
            if int(self._frame_error.value):
                await ClockCycles(self._clk, 16)
                return bool(int(self._frame_error.value))
        return False

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


def _too_late(due: list[int], found: list[int]) -> str:
    """Say which frame did not end in the cycle in which it should; nothing if all did."""
    for frame, (want, have) in enumerate(zip(due, found, strict=True)):
        if want != have:
            return f"frame {frame} ended in cycle {have}, expected {want}"
    return ""


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
