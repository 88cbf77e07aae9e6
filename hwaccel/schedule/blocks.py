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
from functools import lru_cache

import numpy as np

from hwaccel.ir.hardware import Order, Pipe, Window
from hwaccel.ir.lines import Lines
from hwaccel.schedule.lines import LINES_LATENCY, lines_process

# Cycles from the fire of hwa_window to its out_valid, and from a FIFO push to m_axis_tvalid.
WINDOW_LATENCY = 2
FIFO_LATENCY = 1

# Yields the link it waits for.
Process = Iterator["Link"]


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

    def process(self, ins: Sequence[Link], outs: Sequence[Link], frames: int) -> Process:
        """Issue as the issuer's contract says."""
        if isinstance(self.issuer, Lines):
            return lines_process(self.issuer, ins[0], outs[0], self.depth, self.latency, frames)
        if self.issuer is not None:
            return self._windowed(self.issuer, ins[0], outs[0], frames)
        return self._beatwise(ins, outs[0], frames)

    def _beatwise(self, ins: Sequence[Link], out: Link, frames: int) -> Process:
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
            out.offer(ins[0].moved[beat] + self.latency)

    def _windowed(self, window: Window, source: Link, out: Link, frames: int) -> Process:
        order = _read_order(window.with_depth(0))
        depth, latency = self.depth, self.latency
        moved_in, moved_out = source.moved, out.moved
        for _ in range(min(window.depth, window.beats_in * frames)):
            source.accept(0)
        # hwa_window_list has its first step in cycle 3.
        allowed, fire, produced = window.depth, -1 if window.kept is None else 2, 0
        for frame in range(frames):
            base = frame * window.beats_in
            for waits, reads, freed in order:
                at = 0
                for offset, beat in waits:
                    fire += offset - at
                    at = offset
                    while len(moved_in) <= base + beat:
                        yield source
                    fire = max(fire, moved_in[base + beat])
                fire += reads - at
                if produced >= depth:
                    while len(moved_out) <= produced - depth:
                        yield out
                    fire = max(fire, moved_out[produced - depth] + 1)
                out.offer(fire + latency)
                produced += 1
                if freed >= 0:
                    target = base + freed + window.depth
                    for _ in range(allowed, min(target, window.beats_in * frames)):
                        source.accept(fire + 1)
                    allowed = max(allowed, target)


@lru_cache(maxsize=64)
def _read_order(window: Window) -> list[tuple[tuple[tuple[int, int], ...], int, int]]:
    """Return, for every output beat of a frame, what its reads wait for and what it frees.

    The first part lists ``(offset in the reduction, input beat)`` where a read reaches a beat
    that no earlier read of the frame did; the second counts the reads; the third is the number
    of input beats of the frame that are free after it, or -1 where the window stays.
    """
    order: list[tuple[tuple[tuple[int, int], ...], int, int]] = []
    reached, read = -1, [np.array(beats) for beats in window.read()]
    for oy in range(window.out_height):
        for ox in range(window.out_width):
            taps = np.array(list(window.taps(oy, ox)), dtype=np.int64)
            for group in range(window.groups):
                first = group * window.group_beats
                beats = taps[:, None] * window.beats + first + np.arange(window.group_beats)
                beats[taps < 0] = -1
                some, top = beats.ravel(), int(beats.max())
                last_group = group == window.groups - 1
                for repeat in range(window.repeat):
                    if read:
                        some = beats.flat[read[group * window.repeat + repeat]]
                    waits: tuple[tuple[int, int], ...] = ()
                    if reached < top:
                        waits, reached = _new_beats(some, reached)
                    if not order and some[0] < 0:
                        # Padding waits for the first beat of its frame.
                        waits = ((0, 0), *waits)
                    done = last_group and repeat == window.repeat - 1
                    freed = window.freed_after(oy, ox) if done else -1
                    order.append((waits, some.size, freed))
    return order


def _new_beats(
    beats: np.ndarray[tuple[int], np.dtype[np.int64]], reached: int
) -> tuple[tuple[tuple[int, int], ...], int]:
    before = np.maximum.accumulate(np.concatenate(([reached], beats)))
    new = np.flatnonzero(beats > before[:-1])
    return tuple((int(i), int(beats[i])) for i in new), int(before[-1])


@dataclass(frozen=True, slots=True)
class Fork(Block):
    """Copies every beat to each output; with ``parts``, each takes the bits from there on."""

    beats: int
    parts: tuple[int, ...] = ()

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
            for _ in range(self.ratio):
                out.offer(source.moved[beat] + 1)


@dataclass(frozen=True, slots=True)
class Reorder(Block):
    """Puts out each frame in another order."""

    order: Order

    def process(self, ins: Sequence[Link], outs: Sequence[Link], frames: int) -> Process:
        """Fill one bank while the other is read."""
        (source,), (out,) = ins, outs
        taken, left = self.order.length, len(self.order.beats)
        for _ in range(min(2, frames) * taken):
            source.accept(0)
        for frame in range(frames):
            last = (frame + 1) * taken - 1
            while len(source.moved) <= last:
                yield source
            filled = read = source.moved[last] + 1
            for beat in range(frame * left, (frame + 1) * left):
                if beat:
                    while len(out.moved) < beat:
                        yield out
                    read = max(filled, out.moved[beat - 1])
                out.offer(read + 1)
            if frame + 2 < frames:
                source.accept(read + 1)
                for _ in range(taken - 1):
                    source.accept(0)
