"""Exact timing: run the blocks of a design on handshake times alone.

Every block is a deterministic process that only waits for links, so the time of each transfer is
the maximum of the times it depends on (a timed Kahn network; F. Baccelli et al., *Synchronization
and Linearity*, 1992, treats the algebra). No data moves and no cycle is stepped: an idle stretch
costs nothing, and the result equals the simulation of the Verilog cycle for cycle.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hwaccel import native
from hwaccel.errors import ScheduleError
from hwaccel.ir import Graph
from hwaccel.schedule.blocks import Block, Link, Process
from hwaccel.schedule.compiled import CompiledRun

Cycles = Sequence[int] | NDArray[np.int64]


class Run(Protocol):
    """Handshake times of every stream of a design."""

    def moved(self, stream: str) -> Cycles:
        """Return the cycle in which each beat of ``stream`` moved."""

    def waiting(self) -> list[str]:
        """Return the names of the blocks that have not finished."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Handshake cycles at the edges of a design, counted from the first cycle after reset.

    ``inputs`` and ``outputs`` hold one tuple of cycles per stream, over all frames run.
    """

    frames: int
    inputs: tuple[tuple[int, ...], ...]
    outputs: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, run: Run, inputs: Iterable[str], outputs: Iterable[str], frames: int) -> Timing:
        """Return what ``run`` says of the streams at the edges."""
        ins, outs = (
            tuple(tuple(np.asarray(run.moved(name)).tolist()) for name in names)
            for names in (inputs, outputs)
        )
        return cls(frames, ins, outs)

    def finished(self) -> tuple[int, ...]:
        """Return, for every frame, the cycle in which its last output beat moves."""
        return tuple(
            max(times[(f + 1) * (len(times) // self.frames) - 1] for times in self.outputs)
            for f in range(self.frames)
        )

    @property
    def latency(self) -> int:
        """Cycles from the first input handshake of the first frame to its last output handshake."""
        return self.finished()[0] - min(times[0] for times in self.inputs)

    @property
    def interval(self) -> int:
        """Cycles between the last output handshakes of the last two frames."""
        done = self.finished()
        return done[-1] - done[-2] if self.frames > 1 else 0


class Timed(Protocol):
    """What says when the frames of a graph come and go: a plan, or several together."""

    @property
    def graph(self) -> Graph:
        """What is computed."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """The streams that come in, by the names under which arrivals are given."""

    def timing(self, frames: int = 4, arrivals: Mapping[str, list[int]] | None = None) -> Timing:
        """Return exact handshake times at the edges; sources wait only as ``arrivals`` says."""


class InterpretedRun:
    """The engine in Python, which says what the compiled one must do."""

    def __init__(
        self,
        blocks: Sequence[Block],
        arrivals: Mapping[str, NDArray[np.int64]],
        outputs: Sequence[str],
        frames: int,
    ) -> None:
        runnable: deque[Process] = deque()
        # An input that is an output as well belongs to no block.
        every = dict.fromkeys([*arrivals, *(n for b in blocks for n in (*b.inputs, *b.outputs))])
        links = {name: Link(runnable.append) for name in every}
        for name in outputs:
            links[name].drain()
        for name, times in arrivals.items():
            for cycle in times.tolist():
                links[name].offer(cycle)
        unfinished: dict[Process, str] = {}
        for block in blocks:
            ins, outs = ([links[n] for n in names] for names in (block.inputs, block.outputs))
            process = block.process(ins, outs, frames)
            unfinished[process] = block.name
            runnable.append(process)
        while runnable:
            process = runnable.popleft()
            awaited = next(process, None)
            if awaited is None:
                del unfinished[process]
            else:
                awaited.waiting.append(process)
        self._links, self._unfinished = links, unfinished

    def moved(self, stream: str) -> list[int]:
        """Return the cycle in which each beat of ``stream`` moved."""
        return self._links[stream].moved

    def waiting(self) -> list[str]:
        """Return the names of the blocks that have not finished."""
        return list(self._unfinished.values())


def run(
    blocks: Sequence[Block],
    inputs: Mapping[str, int],
    outputs: Sequence[str],
    frames: int,
    arrivals: Mapping[str, Sequence[int]] | None = None,
) -> Run:
    """Return the handshake times of all streams over ``frames`` frames.

    ``inputs`` maps each input stream to its beats per frame. ``arrivals`` gives the cycle from
    which each input beat is offered (default: all at once, the source never waits). Output
    streams are always ready.

    Raises:
        ScheduleError: the design deadlocks; the message names the blocks that wait.
    """
    times = {
        name: np.zeros(beats * frames, np.int64) if arrivals is None else np.array(arrivals[name])
        for name, beats in inputs.items()
    }
    engine = InterpretedRun if native.available() is None else CompiledRun
    done = engine(blocks, times, outputs, frames)
    if waiting := done.waiting():
        raise ScheduleError(f"the design deadlocks; waiting for each other: {', '.join(waiting)}")
    return done


def run_timing(
    blocks: Sequence[Block],
    inputs: Mapping[str, int],
    outputs: Sequence[str],
    frames: int,
    arrivals: Mapping[str, Sequence[int]] | None = None,
) -> Timing:
    """Return the handshake times at the edges; see ``run``."""
    return Timing.of(run(blocks, inputs, outputs, frames, arrivals), inputs, outputs, frames)
