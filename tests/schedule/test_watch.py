"""Where an issuer stands still, and for what: every cycle is a step, or a wait of one kind."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwaccel.config import Config
from hwaccel.ir import Graph
from hwaccel.ir.lines import Lines
from hwaccel.ops import OPS
from hwaccel.schedule.blocks import Segment
from hwaccel.schedule.buffers import size_buffers
from hwaccel.schedule.choices import schedule
from hwaccel.schedule.pauses import Span
from hwaccel.schedule.plan import Plan, build_plan
from hwaccel.schedule.watch import Ints, Issue, Watch, watch
from tests.schedule.graphs import cnn, optimized
from tests.schedule.test_timing import arrivals
from tests.verify.packing import one_op

FRAMES = 3


def covered(spans: tuple[Span, ...], cycles: int) -> Ints:
    """Return how often each of the first cycles lies in one of the spans."""
    count = np.zeros(cycles, dtype=np.int64)
    for first, last in spans:
        count[first : last + 1] += 1
    return count


def steps_until_the_last_result(segment: Segment) -> int:
    """Return the steps of a frame, without those behind its last result."""
    if segment.issuer is None:
        return segment.beats
    if isinstance(segment.issuer, Lines):
        fires = [fires for _, fires, _ in segment.issuer.steps()]
        return len(fires) - fires[::-1].index(True)
    return segment.issuer.cycles


def steps(segment: Segment) -> int:
    """Return the steps of a frame."""
    lines = segment.issuer
    return (
        len(list(lines.steps()))
        if isinstance(lines, Lines)
        else steps_until_the_last_result(segment)
    )


def check(plan: Plan, seen: Watch) -> None:
    for traffic in seen.streams.values():
        assert (traffic.valid <= traffic.moved).all()
        assert (traffic.valid[1:] > traffic.moved[:-1]).all()  # one behind the other
    for segment in plan.segments:
        issue = seen.segments[segment.name]
        last = int(issue.taken[-1])
        starved, blocked = (covered(s, last + 1) for s in (issue.starved, issue.blocked))
        assert (starved + blocked).max() <= 1
        made = (seen.frames - 1) * steps(segment) + steps_until_the_last_result(segment)
        assert last + 1 - (starved + blocked).sum() == made, segment.name
        check_reasons(segment, issue, seen, np.flatnonzero(starved), np.flatnonzero(blocked))


def check_reasons(
    segment: Segment, issue: Issue, seen: Watch, starved: Ints, blocked: Ints
) -> None:
    """A wait for a place is one in which all are taken; without it, something has not come."""
    assert (issue.reserved(blocked) == segment.depth).all()
    inputs = [seen.streams[name] for name in segment.inputs]
    if segment.issuer is None:
        beat = np.searchsorted(issue.taken, starved)  # the one that is waited for
        assert (np.max([traffic.valid[beat] for traffic in inputs], axis=0) > starved).all()
        beat = np.searchsorted(issue.taken, blocked)
        assert (np.max([traffic.valid[beat] for traffic in inputs], axis=0) <= blocked).all()
    else:
        assert not np.isin(issue.taken, np.concatenate([starved, blocked])).any()
        assert (starved <= max(inputs[0].moved[-1], 2)).all()


@settings(max_examples=40, deadline=None)
@given(optimized(), st.integers(0, 1 << 30), st.sampled_from(["stream", "pixel"]))
def test_every_cycle_until_the_last_step_is_one_or_a_wait(
    graph: Graph, seed: int, style: str
) -> None:
    plan = schedule(graph, Config(style=style, clock_mhz=25))  # type: ignore[arg-type]
    check(plan, watch(plan, FRAMES, arrivals(plan, seed, FRAMES)))


SKIPPING = [
    pytest.param(example, fold, id=f"{op.name}-{example.label}-{fold}")
    for op in OPS
    for example in op.examples()
    for fold in example.op.folds(*example.ins)
    if fold.skip
]


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize(("example", "fold"), SKIPPING)
def test_also_where_zeros_are_skipped(example, fold, seed: int) -> None:
    """The list of what is read takes three cycles before the first step."""
    plan = size_buffers(build_plan(one_op("skip", example.op, example.ins), {"y": fold}))
    seen = watch(plan, FRAMES, arrivals(plan, seed, FRAMES))
    check(plan, seen)
    (segment,) = (s for s in plan.segments if s.window)
    assert covered(seen.segments[segment.name].starved, 3).tolist() == [1, 1, 1]


def test_a_source_of_which_nothing_is_said_never_waits() -> None:
    plan = schedule(cnn(), Config())
    beats = {name: [0] * plan.streams[name].beats * FRAMES for name in plan.inputs}
    one, other = watch(plan, FRAMES), watch(plan, FRAMES, beats)
    for name, traffic in one.streams.items():
        assert traffic.valid.size == traffic.moved.size == plan.streams[name].beats * FRAMES
        assert np.array_equal(traffic.valid, other.streams[name].valid)
        assert np.array_equal(traffic.moved, other.streams[name].moved)
