"""How links between devices, and what deals frames to several engines, spend time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hwaccel.schedule.blocks import Block, Ints, Kind, Link, Process

# Cycles of a link beside those of its wire: a register at the sender, the FIFO of the receiver; and
# a register at the receiver and the count of credits at the sender, on the way back.
LINK_CYCLES = 2


@dataclass(frozen=True, slots=True)
class Channel(Block):
    """``hwa_link_tx``, a wire of ``wire`` cycles each way, ``hwa_link_rx``.

    ``beats`` are the words of a frame, ``credits`` how many may be under way or wait at the end.
    """

    beats: int
    credits: int
    wire: int

    @property
    def latency(self) -> int:
        """Cycles from a word taken to the same word offered, and from its end to its credit."""
        return self.wire + LINK_CYCLES

    @property
    def cycles(self) -> int:
        """Cycles per frame when nobody else waits: credits come round every two latencies."""
        return max(self.beats, -(-self.beats * 2 * self.latency // self.credits))

    def code(self) -> tuple[Kind, Ints]:
        """Return words per frame, credits and latency."""
        return Kind.CHANNEL, np.array([self.beats, self.credits, self.latency])

    def process(self, ins: Sequence[Link], outs: Sequence[Link], frames: int) -> Process:
        """Take a word when a credit is there."""
        (source,), (out,) = ins, outs
        for beat in range(self.beats * frames):
            ready = 0
            if beat >= self.credits:
                while len(out.moved) <= beat - self.credits:
                    yield out
                ready = out.moved[beat - self.credits] + self.latency
            source.accept(ready)
            while len(source.moved) <= beat:
                yield source
            out.offer(source.moved[beat] + self.latency)


@dataclass(frozen=True, slots=True)
class Deal(Block):
    """``hwa_scatter``: deals frames of ``beats`` beats to its outputs in turn.

    Its own frame is one for each of them.
    """

    beats: int

    def code(self) -> tuple[Kind, Ints]:
        """Return the beats of a frame of one output."""
        return Kind.SCATTER, np.array([self.beats])

    def process(self, ins: Sequence[Link], outs: Sequence[Link], frames: int) -> Process:
        """Be a wire to the output whose turn it is."""
        (source,), taken = ins, 0
        for frame in range(frames):
            for out in outs:
                for beat in range(frame * self.beats, (frame + 1) * self.beats):
                    while (valid := source.valid_at(taken)) is None:
                        yield source
                    out.offer(valid)
                    while len(out.moved) <= beat:
                        yield out
                    source.accept(out.moved[beat])
                    taken += 1


@dataclass(frozen=True, slots=True)
class Collect(Block):
    """``hwa_gather``: takes frames of ``beats`` beats from its inputs in turn.

    Its own frame is one from each of them.
    """

    beats: int

    def code(self) -> tuple[Kind, Ints]:
        """Return the beats of a frame of one input."""
        return Kind.GATHER, np.array([self.beats])

    def process(self, ins: Sequence[Link], outs: Sequence[Link], frames: int) -> Process:
        """Be a wire from the input whose turn it is."""
        (out,), given = outs, 0
        for frame in range(frames):
            for source in ins:
                for beat in range(frame * self.beats, (frame + 1) * self.beats):
                    while (valid := source.valid_at(beat)) is None:
                        yield source
                    out.offer(valid)
                    while len(out.moved) <= given:
                        yield out
                    source.accept(out.moved[given])
                    given += 1
