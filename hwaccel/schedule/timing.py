"""Exact timing: run the blocks of a design on handshake times alone.

Every block is a deterministic process that only waits for links, so the time of each transfer is
the maximum of the times it depends on (a timed Kahn network; F. Baccelli et al., *Synchronization
and Linearity*, 1992, treats the algebra). No data moves and no cycle is stepped: an idle stretch
costs nothing, and the result equals the simulation of the Verilog cycle for cycle.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hwaccel.errors import ScheduleError
from hwaccel.schedule.blocks import Block, Link, Process


@dataclass(frozen=True, slots=True)
class Timing:
    """Handshake cycles at the edges of a design, counted from the first cycle after reset.

    ``inputs`` and ``outputs`` hold one tuple of cycles per stream, over all frames run.
    """

    frames: int
    inputs: tuple[tuple[int, ...], ...]
    outputs: tuple[tuple[int, ...], ...]

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


def run_timing(
    blocks: Sequence[Block],
    inputs: Mapping[str, int],
    outputs: Sequence[str],
    frames: int,
    arrivals: Mapping[str, Sequence[int]] | None = None,
    links: dict[str, Link] | None = None,
) -> Timing:
    """Return the handshake times of ``frames`` frames.

    ``inputs`` maps each input stream to its beats per frame. ``arrivals`` gives the cycle from
    which each input beat is offered (default: all at once, the source never waits). Output
    streams are always ready. ``links``, when given, is filled with the links of every stream.

    Raises:
        ScheduleError: the design deadlocks; the message names the blocks that wait.
    """
    links = {} if links is None else links
    runnable: deque[Process] = deque()
    # An input that is an output as well belongs to no block.
    every = dict.fromkeys([*inputs, *(n for b in blocks for n in (*b.inputs, *b.outputs))])
    links.update((name, Link(runnable.append)) for name in every)
    for name in outputs:
        links[name].drain()
    for name, beats in inputs.items():
        times = arrivals[name] if arrivals else [0] * (beats * frames)
        for cycle in times:
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
    if unfinished:
        names = ", ".join(unfinished.values())
        raise ScheduleError(f"the design deadlocks; waiting for each other: {names}")
    return Timing(
        frames,
        tuple(tuple(links[name].moved) for name in inputs),
        tuple(tuple(links[name].moved) for name in outputs),
    )
