"""Who waits for whom: what every stage does, and how full every FIFO is, in the steady state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwaccel.report.stages import nodes_in
from hwaccel.report.text import clean, percent
from hwaccel.schedule.blocks import Block, Reorder, Segment
from hwaccel.schedule.pauses import Span
from hwaccel.schedule.plan import Plan
from hwaccel.schedule.timing import Timing
from hwaccel.schedule.watch import Issue, Traffic, Watch, watch

Ints = NDArray[np.int64]
# Beats of all streams and frames beyond which nothing is drawn: it takes seconds.
MOST_BEATS = 2_000_000
# Pieces of all rows together; beyond that, neighbouring cycles are drawn as one piece.
MOST_PIECES = 24_000
# Frames after which what is shown may be the same again.
MOST_PERIOD = 4
_LEAST_CYCLES = 64


@dataclass(frozen=True, slots=True)
class Piece:
    """Consecutive cycles that look the same.

    In ``works`` of each ``Pipeline.grain`` of them the stage makes a step, in ``starved`` an
    operand is missing, in ``blocked`` a place for the result. For a FIFO, ``works`` is the most it
    holds.
    """

    first: int
    cycles: int
    works: int
    starved: int
    blocked: int


@dataclass(frozen=True, slots=True)
class Row:
    """A stage over the cycles that are shown, and what it waits for in how many of them.

    ``missing`` counts them for each input on its own, so they may overlap.
    """

    name: str
    works: int
    starved: int
    blocked: int
    missing: tuple[tuple[str, int], ...]
    readers: tuple[str, ...]
    pieces: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Queue:
    """A FIFO over the same cycles: the beats that lie in it, and the places that are taken.

    A place is taken from the issue of a result on, which reaches the FIFO later.
    """

    name: str
    depth: int
    most: int
    mean: float
    reserved: int
    pieces: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Pipeline:
    """``cycles`` cycles from ``first`` on, exact; in those of ``starts`` a frame begins.

    What is shown is the same in every cycle and row as ``repeats`` frames before; 0 where it is not
    the same as up to ``MOST_PERIOD`` frames before. Nothing is known where there are no rows;
    ``beats`` says of how many per frame.
    """

    first: int
    cycles: int
    starts: tuple[int, ...]
    grain: int
    repeats: int
    beats: int
    rows: tuple[Row, ...] = ()
    queues: tuple[Queue, ...] = ()


def pipeline_of(plan: Plan, timing: Timing) -> Pipeline:
    """Return the steady state of ``plan``; ``timing`` is that of its first frames."""
    beats = sum(stream.beats for stream in plan.streams.values())
    interval = max(1, timing.interval)
    intervals = max(2, -(-_LEAST_CYCLES // interval))
    frames = -(-timing.latency // interval) + intervals + MOST_PERIOD + 2
    frames = min(frames, MOST_BEATS // max(1, beats))
    if frames < intervals + 2 or not plan.blocks:
        return Pipeline(0, 0, (), 1, 0, beats)
    return _Look(plan, watch(plan, frames), intervals).pipeline(beats)


class _Look:
    """The cycles before the source sends its last frame: from there on the design runs empty."""

    def __init__(self, plan: Plan, watched: Watch, intervals: int) -> None:
        self._plan, self._watched = plan, watched
        moved = ((watched.streams[n].moved, plan.streams[n].beats) for n in plan.inputs)
        # The first beat of each frame, of the input that gets it last.
        begins = np.max([cycles[::beats] for cycles, beats in moved], axis=0)
        self._shown = begins[-1 - intervals :]
        periods = range(1, min(MOST_PERIOD, len(begins) - 1 - intervals) + 1)
        self._shifts = [int(begins[-1] - begins[-1 - period]) for period in periods]
        # What comes before the cycles that are shown is looked at to see whether they repeat it.
        self._early = int(begins[-1 - intervals]) - max(self._shifts, default=0)
        self._first, self._last = int(begins[-1 - intervals]), int(begins[-1])
        self._cycles = np.arange(self._early, self._last, dtype=np.int64)

    def pipeline(self, beats: int) -> Pipeline:
        """Return all rows, drawn as finely as ``MOST_PIECES`` allows."""
        states = {b.name: self._states(b) for b in self._plan.blocks if nodes_in(b)}
        held = {n: issue.held(self._cycles) for n, issue in self._watched.segments.items()}
        repeats = self._period([*states.values(), *held.values()])
        skip = self._first - self._early
        self._cycles = self._cycles[skip:]
        states = {name: signal[:, skip:] for name, signal in states.items()}
        held = {name: signal[skip:] for name, signal in held.items()}
        self._early = self._first
        grain = self._grain([*states.values(), *(h[None] for h in held.values())])
        rows = tuple(
            self._row(block, states[block.name], grain)
            for block in self._plan.blocks
            if block.name in states
        )
        queues = tuple(
            self._queue(block, held[block.name], grain)
            for block in self._plan.blocks
            if isinstance(block, Segment)
        )
        starts = tuple(self._shown[:-1].tolist())
        return Pipeline(self._first, len(self._cycles), starts, grain, repeats, beats, rows, queues)

    def _period(self, signals: Sequence[Ints]) -> int:
        """Return after how many frames all signals are the same again; 0 where they are not."""
        size = self._last - self._first
        for period, shift in enumerate(self._shifts, 1):
            end = self._last - self._early - shift
            if all(
                np.array_equal(signal[..., end - size : end], signal[..., -size:])
                for signal in signals
            ):
                return period
        return 0

    def _states(self, block: Block) -> Ints:
        """Return works, starved and blocked of a stage, one row of 0 and 1 each."""
        if isinstance(block, Reorder):
            ins, outs = (
                self._watched.streams[n] for n in (*block.inputs, *block.outputs)
            )  # one of each
            works = self._moves(ins) | self._moves(outs)
            blocked = self._within(_spans(outs)) & (1 - works)
        else:
            issue: Issue = self._watched.segments[block.name]
            starved, blocked = self._within(issue.starved), self._within(issue.blocked)
            works = 1 - starved - blocked
        return np.stack([works, 1 - works - blocked, blocked])

    def _moves(self, traffic: Traffic) -> Ints:
        found = np.zeros(len(self._cycles), dtype=np.int64)
        moved = traffic.moved[(traffic.moved >= self._early) & (traffic.moved < self._last)]
        found[moved - self._early] = 1
        return found

    def _within(self, spans: Sequence[Span]) -> Ints:
        """Return 1 in the cycles of ``spans``."""
        edges = np.zeros(len(self._cycles) + 1, dtype=np.int64)
        if spans:
            ends = np.array(spans, dtype=np.int64) + np.array([0, 1]) - self._early
            np.add.at(edges, ends.clip(0, len(self._cycles)).T[0], 1)
            np.add.at(edges, ends.clip(0, len(self._cycles)).T[1], -1)
        found: Ints = edges.cumsum()[:-1]
        return found

    def _row(self, block: Block, states: Ints, grain: int) -> Row:
        works, starved, blocked = (int(n) for n in states.sum(axis=1))
        missing = tuple(
            (self._source(name), self._missing(name, states[1], starved, len(block.inputs)))
            for name in block.inputs
        )
        readers = tuple(dict.fromkeys(n for out in block.outputs for n in self._readers(out)))
        pieces = _pieces(_binned(states, grain, np.add), grain, self._first, len(self._cycles))
        title = clean(nodes_in(block)[0])
        return Row(title, works, starved, blocked, missing, readers, pieces)

    def _missing(self, stream: str, starved: Ints, total: int, inputs: int) -> int:
        """Count the cycles in which a stage waits and this input has nothing for it."""
        if inputs == 1:
            return total
        valid = self._within(_spans(self._watched.streams[stream]))
        return int((starved & (1 - valid)).sum())

    def _queue(self, block: Segment, held: Ints, grain: int) -> Queue:
        reserved = self._watched.segments[block.name].reserved(self._cycles)
        levels = _binned(held[None], grain, np.maximum)
        levels = np.concatenate([levels, np.zeros((2, levels.shape[1]), dtype=np.int64)])
        return Queue(
            self._queue_name(block),
            block.depth,
            int(held.max()),
            round(float(held.mean()), 3),
            int(reserved.max()),
            _pieces(levels, grain, self._first, len(self._cycles)),
        )

    def _queue_name(self, block: Segment) -> str:
        if block.nodes:
            return clean(block.nodes[0])
        source = self._source(block.inputs[0])
        return clean(f"{source} to {', '.join(self._readers(block.outputs[0]))}")

    def _grain(self, signals: list[Ints]) -> int:
        """Return how many cycles are drawn as one: as few as possible, a power of two."""
        grain = 1
        while True:
            pieces = sum(_changes(_binned(signal, grain, np.add)) for signal in signals)
            if pieces <= MOST_PIECES:
                return grain
            grain *= 2

    def _source(self, stream: str) -> str:
        """Return the stage or port that feeds a stream through what only passes beats on."""
        plan = self._plan
        made_by = {name: block for block in plan.blocks for name in block.outputs}
        while (block := made_by.get(stream)) is not None:
            if found := nodes_in(block):
                return clean(found[0])
            (stream,) = block.inputs
        return clean(stream)

    def _readers(self, stream: str) -> list[str]:
        found: list[str] = []
        for block in self._plan.blocks:
            if stream in block.inputs:
                if names := nodes_in(block):
                    found.append(clean(names[0]))
                else:
                    found += [n for out in block.outputs for n in self._readers(out)]
        return list(dict.fromkeys(found)) or ["the sink"]


def _spans(traffic: Traffic) -> list[Span]:
    return list(zip(traffic.valid.tolist(), traffic.moved.tolist(), strict=True))


def _binned(signal: Ints, grain: int, how: np.ufunc) -> Ints:
    """Return sums or maxima of ``grain`` cycles each, the last ones of what is left."""
    if grain == 1:
        return signal
    found: Ints = how.reduceat(signal, np.arange(0, signal.shape[1], grain), axis=1)
    return found


def _changes(signal: Ints) -> int:
    return int((signal[:, 1:] != signal[:, :-1]).any(axis=0).sum()) + 1


def _pieces(signal: Ints, grain: int, first: int, cycles: int) -> tuple[Piece, ...]:
    """Return runs of equal columns of ``signal``, three rows."""
    new = np.flatnonzero((signal[:, 1:] != signal[:, :-1]).any(axis=0)) + 1
    starts = [0, *new.tolist()]
    ends = [*(n * grain for n in starts[1:]), cycles]
    return tuple(
        Piece(first + start * grain, end - start * grain, *map(int, signal[:, start]))
        for start, end in zip(starts, ends, strict=True)
    )


def waits(row: Row, cycles: int) -> str:
    """Say what a stage does with its cycles."""
    said = [f"works in {percent(row.works / cycles)} of the cycles"]
    said += [
        f"waits for {name} in {percent(missing / cycles)}"
        for name, missing in row.missing
        if missing
    ]
    if row.blocked:
        verb = "makes" if len(row.readers) == 1 else "make"
        who = f"{' and '.join(row.readers)} {verb} room"
        said.append(f"waits until {who} in {percent(row.blocked / cycles)}")
    return ", ".join(said)
