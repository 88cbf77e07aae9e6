"""When each stage works: the exact schedule of a few frames, as spans of cycles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hwaccel.report.stages import nodes_in
from hwaccel.report.text import clean
from hwaccel.schedule.blocks import Block
from hwaccel.schedule.plan import Plan
from hwaccel.schedule.timing import Cycles, Run, Timing

FRAMES = 4
SHOWN = 2


@dataclass(frozen=True, slots=True)
class Span:
    """One frame in one stage: cycles of the first and last transfer on either side.

    Both cycles of a pair belong to the span.
    """

    frame: int
    first_in: int
    last_in: int
    first_out: int
    last_out: int


@dataclass(frozen=True, slots=True)
class Activity:
    """The first frames in one stage."""

    name: str
    spans: tuple[Span, ...]


def run_schedule(plan: Plan) -> tuple[Timing, tuple[Activity, ...]]:
    """Return the exact timing of a few frames and when every stage works on the first of them."""
    run = plan.run(FRAMES)
    timing = Timing.of(run, plan.inputs, plan.outputs, FRAMES)
    return timing, tuple(_activity(block, run) for block in plan.blocks if nodes_in(block))


def _activity(block: Block, run: Run) -> Activity:
    ins = [_frames(run.moved(name)) for name in block.inputs]
    (outs,) = (_frames(run.moved(name)) for name in block.outputs)
    spans = tuple(
        Span(
            frame,
            min(side[frame][0] for side in ins),
            max(side[frame][-1] for side in ins),
            outs[frame][0],
            outs[frame][-1],
        )
        for frame in range(SHOWN)
    )
    return Activity(clean(nodes_in(block)[0]), spans)


def _frames(cycles: Cycles) -> list[list[int]]:
    moved = np.asarray(cycles).tolist()
    beats = len(moved) // FRAMES
    return [moved[f * beats : (f + 1) * beats] for f in range(FRAMES)]
