"""What every stream and every issuer of a design does in every cycle, exactly.

The engine of ``timing.py`` leaves when each beat moves. Here every block is run once more on
links that know all of this already, so nothing waits, and what the processes say on the way is
kept: from when each beat is valid, when results are issued, when an issuer stands still and why.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwaccel.schedule.blocks import FIFO_LATENCY, Link, Segment
from hwaccel.schedule.pauses import Pauses, Span
from hwaccel.schedule.plan import Plan

Ints = NDArray[np.int64]


class _Known(Link):
    """A link all of whose beats have moved. It keeps what its producer offers."""

    __slots__ = ()

    def __init__(self, moved: Sequence[int]) -> None:
        super().__init__()
        self.moved = list(moved)

    @property
    def offered(self) -> list[int]:
        """The earliest cycle of each beat, as its producer states it."""
        return self._valid

    def valid_at(self, beat: int) -> int | None:
        """Return when beat ``beat`` becomes valid."""
        before = self.moved[beat - 1] + 1 if beat else 0
        return max(self._valid[beat], before)

    def _advance(self) -> None:
        """All beats have moved."""


@dataclass(frozen=True, slots=True, eq=False)
class Traffic:
    """A stream: beat ``i`` is valid from cycle ``valid[i]`` to ``moved[i]``, when it moves."""

    valid: Ints
    moved: Ints


@dataclass(frozen=True, slots=True, eq=False)
class Issue:
    """A segment: the cycles in which results are issued, and spans in which nothing is done.

    ``starved`` are those in which an operand is missing, ``blocked`` those in which only a place
    in the FIFO is; see ``Pauses``. ``depth`` is that of the FIFO, ``pipe`` the cycles from an
    issue to the push.
    """

    taken: Ints
    moved: Ints
    starved: tuple[Span, ...]
    blocked: tuple[Span, ...]
    depth: int
    pipe: int

    def held(self, cycles: Ints) -> Ints:
        """Return how many beats lie in the FIFO in each of ``cycles``."""
        return _before(self.taken + self.pipe, cycles) - _before(self.moved, cycles)

    def reserved(self, cycles: Ints) -> Ints:
        """Return how many places are taken, by beats and by results still on their way."""
        return _before(self.taken, cycles) - _before(self.moved, cycles)


@dataclass(frozen=True, slots=True, eq=False)
class Watch:
    """All streams and segments of a design by name, over ``frames`` frames."""

    frames: int
    streams: Mapping[str, Traffic]
    segments: Mapping[str, Issue]


def watch(plan: Plan, frames: int, arrivals: Mapping[str, Sequence[int]] | None = None) -> Watch:
    """Return what happens in every cycle, for a sink that never waits.

    ``arrivals`` says from when each input beat is offered; by default the source never waits.

    Raises:
        ScheduleError: the design deadlocks.
    """
    given = None if arrivals is None else {name: list(times) for name, times in arrivals.items()}
    run = plan.run(frames, given)
    links = {name: _Known(np.asarray(run.moved(name)).tolist()) for name in plan.streams}
    for name in plan.inputs:
        beats = plan.streams[name].beats * frames
        for cycle in [0] * beats if given is None else given[name]:
            links[name].offer(cycle)
    segments = {}
    for block in plan.blocks:
        ins, outs = ([links[n] for n in names] for names in (block.inputs, block.outputs))
        if isinstance(block, Segment):
            pauses = Pauses()
            _finish(block.process(ins, outs, frames, pauses))
            segments[block.name] = _issue(block, outs[0], pauses)
        else:
            _finish(block.process(ins, outs, frames))
    return Watch(frames, {name: _traffic(link) for name, link in links.items()}, segments)


def _finish(process: Iterator[Link]) -> None:
    waited = next(process, None)
    assert waited is None, "everything has moved"


def _issue(segment: Segment, out: _Known, pauses: Pauses) -> Issue:
    taken = np.array(out.offered, dtype=np.int64) - segment.latency
    return Issue(
        taken,
        np.array(out.moved, dtype=np.int64),
        tuple(pauses.starved),
        tuple(pauses.blocked),
        segment.depth,
        segment.latency - FIFO_LATENCY,
    )


def _traffic(link: _Known) -> Traffic:
    moved = np.array(link.moved, dtype=np.int64)
    ready = np.concatenate(([0], moved[:-1] + 1)) if moved.size else moved
    return Traffic(np.maximum(np.array(link.offered, dtype=np.int64), ready), moved)


def _before(events: Ints, cycles: Ints) -> Ints:
    """Count the events in cycles before each of ``cycles``."""
    return np.searchsorted(events, cycles, side="left")
