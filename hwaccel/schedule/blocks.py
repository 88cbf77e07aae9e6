"""The parts a streaming design is made of, and how each of them spends time.

A block's ``process`` is a coroutine over the transfer times of its links. It yields the link on
which it needs a time that is not known yet; the engine in ``timing.py`` resumes it. Every rule
here is the contract of the Verilog module of the same name, to the cycle
(``docs/explanation/streaming-hardware.md``).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from hwaccel.ir.hardware import Order, Pipe, Window
from hwaccel.ir.lines import Lines
from hwaccel.schedule.lines import LINES_LATENCY, lines_process, lines_steps
from hwaccel.schedule.pauses import Pauses
from hwaccel.schedule.window import WINDOW_LATENCY, before_first, flat_order, window_process

# Cycles from a FIFO push to m_axis_tvalid.
FIFO_LATENCY = 1

# Yields the link it waits for.
Process = Iterator["Link"]
Ints = NDArray[np.int64]


class Kind(IntEnum):
    """The processes, numbered as in ``native/timing.cpp``."""

    BEATWISE = 0
    WINDOWED = 1
    LINES = 2
    FORK = 3
    PACK = 4
    UNPACK = 5
    REORDER = 6
    CHANNEL = 7
    SCATTER = 8
    GATHER = 9


class Link:
    """Handshake times of one stream: beat ``i`` moves when both sides are there.

    ``offer`` and ``accept`` state the earliest cycle of each side for the next beat. A side
    that waits for the beat before may be stated early: the maximum takes care of order.
    ``waiting`` holds the processes to resume when anything new is known; ``wake`` takes them.
    """

    __slots__ = ("_ready", "_valid", "drained", "moved", "waiting", "wake")

    def __init__(self, wake: Callable[[Process], None] | None = None) -> None:
        self.moved: list[int] = []
        self.drained = False
        self.waiting: list[Process] = []
        self.wake = wake
        self._valid: list[int] = []
        self._ready: list[int] = []

    def drain(self) -> None:
        """Attach a consumer that is always ready."""
        self.drained = True

    def offer(self, cycle: int) -> None:
        """State when the next beat is valid."""
        self._valid.append(cycle)
        if self.drained:
            self._ready.append(0)
        self._advance()

    def accept(self, cycle: int) -> None:
        """State when the consumer is ready for the next beat."""
        self._ready.append(cycle)
        self._advance()

    def offer_all(self, cycle: int, beats: int) -> None:
        """State that ``beats`` more are valid from ``cycle`` on, one behind the other."""
        self._valid += [cycle] * beats
        if self.drained:
            self._ready += [0] * beats
        self._advance()

    def accept_all(self, cycle: int, beats: int) -> None:
        """State that the consumer is ready for ``beats`` more from ``cycle`` on."""
        self._ready += [cycle] * beats
        self._advance()

    def valid_at(self, beat: int) -> int | None:
        """Return when beat ``beat`` becomes valid; ``None`` when not known yet."""
        if beat >= len(self._valid) or beat > len(self.moved):
            return None
        after = self.moved[beat - 1] + 1 if beat else 0
        return max(self._valid[beat], after)

    def _advance(self) -> None:
        moved, valid, ready = self.moved, self._valid, self._ready
        i, known = len(moved), min(len(valid), len(ready))
        last = moved[-1] if i else -1
        while i < known:
            last = max(valid[i], ready[i], last + 1)
            moved.append(last)
            i += 1
        if self.waiting and self.wake is not None:
            woken, self.waiting = self.waiting, []
            for process in woken:
                self.wake(process)


@dataclass(frozen=True, slots=True)
class Block(ABC):
    """A module or a group of modules with named stream inputs and outputs."""

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    @abstractmethod
    def process(self, ins: Sequence[Link], outs: Sequence[Link], frames: int) -> Process:
        """Work through ``frames`` frames."""

    @abstractmethod
    def code(self) -> tuple[Kind, Ints]:
        """Return which process this is in ``native/timing.cpp``, and its parameters."""


@dataclass(frozen=True, slots=True)
class Segment(Block):
    """Issuer, pipes and credit FIFO. ``nodes`` are the graph nodes computed here.

    With a window it reads one stream; without, it takes one beat of every input at a time.
    ``beats`` is the number of output beats per frame.
    """

    nodes: tuple[str, ...]
    issuer: Window | Lines | None
    pipes: tuple[Pipe, ...]
    beats: int
    depth: int

    @property
    def latency(self) -> int:
        """Cycles from the fire that completes a result to its valid output."""
        issue = 0
        if self.issuer is not None:
            issue = WINDOW_LATENCY if isinstance(self.issuer, Window) else LINES_LATENCY
        return issue + sum(pipe.latency for pipe in self.pipes) + FIFO_LATENCY

    @property
    def cycles(self) -> int:
        """Cycles per frame when nothing waits."""
        return max(self.issuer.cycles, self.issuer.beats_in) if self.issuer else self.beats

    def with_depth(self, depth: int) -> Segment:
        """Return the segment with another FIFO depth."""
        return replace(self, depth=depth)

    @property
    def window(self) -> Window | None:
        """The issuer where it is a window with a ring."""
        return self.issuer if isinstance(self.issuer, Window) else None

    def with_ring(self, depth: int) -> Segment:
        """Return the segment with another window ring."""
        assert self.window is not None
        return replace(self, issuer=self.window.with_depth(depth))

    def process(
        self,
        ins: Sequence[Link],
        outs: Sequence[Link],
        frames: int,
        pauses: Pauses | None = None,
    ) -> Process:
        """Issue as the issuer's contract says, and tell ``pauses`` when it does not."""
        source, out, depth, latency = ins[0], outs[0], self.depth, self.latency
        if isinstance(self.issuer, Lines):
            return lines_process(self.issuer, source, out, depth, latency, frames, pauses)
        if self.issuer is not None:
            return window_process(self.issuer, source, out, depth, latency, frames, pauses)
        return self._beatwise(ins, out, frames, pauses or Pauses())

    def code(self) -> tuple[Kind, Ints]:
        """Return the parameters of the issuer."""
        issuer, depth, latency = self.issuer, self.depth, self.latency
        if isinstance(issuer, Lines):
            steps = lines_steps(issuer)
            places = issuer.rows * issuer.width
            head = [depth, latency, places, issuer.beats_in, steps.size // 3]
            return Kind.LINES, np.append(head, steps)
        if issuer is not None:
            order, groups = flat_order(issuer.with_depth(0))
            head = [depth, latency, issuer.depth, before_first(issuer), issuer.beats_in]
            return Kind.WINDOWED, np.concatenate((head, [groups, order.size], order))
        return Kind.BEATWISE, np.array([self.beats, depth, latency])

    def _beatwise(self, ins: Sequence[Link], out: Link, frames: int, pauses: Pauses) -> Process:
        before = -1
        for beat in range(self.beats * frames):
            if beat >= self.depth:
                while len(out.moved) <= beat - self.depth:
                    yield out
                fire = out.moved[beat - self.depth] + 1
            else:
                fire = 0
            if len(ins) > 1:  # hwa_join: every input waits for the others
                for link in ins:
                    while (valid := link.valid_at(beat)) is None:
                        yield link
                    fire = max(fire, valid)
            for link in ins:
                link.accept(fire)
            while len(ins[0].moved) <= beat:
                yield ins[0]
            taken = ins[0].moved[beat]
            pauses.before_take(before, ins, beat, taken)
            out.offer(taken + self.latency)
            before = taken


@dataclass(frozen=True, slots=True)
class Fork(Block):
    """Copies every beat to each output; with ``parts``, each takes the bits from there on."""

    beats: int
    parts: tuple[int, ...] = ()

    def code(self) -> tuple[Kind, Ints]:
        """Return the beats of a frame."""
        return Kind.FORK, np.array([self.beats])

    def process(self, ins: Sequence[Link], outs: Sequence[Link], frames: int) -> Process:
        """Offer at once, take the input with the last output."""
        (source,) = ins
        for beat in range(self.beats * frames):
            while (valid := source.valid_at(beat)) is None:
                yield source
            for link in outs:
                link.offer(valid)
            for link in outs:
                while len(link.moved) <= beat:
                    yield link
            source.accept(max(link.moved[beat] for link in outs))


@dataclass(frozen=True, slots=True)
class Pack(Block):
    """Joins ``ratio`` beats into one."""

    ratio: int
    beats: int

    def code(self) -> tuple[Kind, Ints]:
        """Return the ratio and the joined beats of a frame."""
        return Kind.PACK, np.array([self.ratio, self.beats])

    def process(self, ins: Sequence[Link], outs: Sequence[Link], frames: int) -> Process:
        """Take the next part in the cycle in which the full beat leaves."""
        (source,), (out,) = ins, outs
        for beat in range(self.beats * frames):
            if beat:
                while len(out.moved) < beat:
                    yield out
                source.accept(out.moved[beat - 1])
            else:
                source.accept(0)
            for _ in range(self.ratio - 1):
                source.accept(0)
            last = (beat + 1) * self.ratio - 1
            while len(source.moved) <= last:
                yield source
            out.offer(source.moved[last] + 1)


@dataclass(frozen=True, slots=True)
class Unpack(Block):
    """Splits a beat into ``ratio`` parts; ``beats`` counts the parts of a frame."""

    ratio: int
    beats: int

    def code(self) -> tuple[Kind, Ints]:
        """Return the ratio and the beats of a frame that are split."""
        return Kind.UNPACK, np.array([self.ratio, self.beats // self.ratio])

    def process(self, ins: Sequence[Link], outs: Sequence[Link], frames: int) -> Process:
        """Take the next beat in the cycle in which the last part leaves."""
        (source,), (out,) = ins, outs
        for beat in range(self.beats // self.ratio * frames):
            if beat:
                while len(out.moved) < beat * self.ratio:
                    yield out
                source.accept(out.moved[beat * self.ratio - 1])
            else:
                source.accept(0)
            while len(source.moved) <= beat:
                yield source
            out.offer_all(source.moved[beat] + 1, self.ratio)


@dataclass(frozen=True, slots=True)
class Reorder(Block):
    """Puts out each frame in another order."""

    order: Order

    def code(self) -> tuple[Kind, Ints]:
        """Return the beats of a frame that come in, and those that go out."""
        return Kind.REORDER, np.array([self.order.length, len(self.order.beats)])

    def process(self, ins: Sequence[Link], outs: Sequence[Link], frames: int) -> Process:
        """Fill one bank while the other is read."""
        (source,), (out,) = ins, outs
        taken, left = self.order.length, len(self.order.beats)
        source.accept_all(0, min(2, frames) * taken)
        for frame in range(frames):
            last = (frame + 1) * taken - 1
            while len(source.moved) <= last:
                yield source
            # The link itself puts each beat behind the one before.
            filled = source.moved[last] + 1
            out.offer_all(filled + 1, left)
            if frame + 2 < frames:
                # The bank is free when its last beat is read: when the one before that has left.
                before = (frame + 1) * left - 2
                while len(out.moved) <= before:
                    yield out
                read = max(filled, out.moved[before]) if before >= 0 else filled
                source.accept_all(read + 1, taken)
