"""Timing without simulation: it ends, is monotonic, and chains run at the speed they should."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwaccel.config import Config
from hwaccel.errors import ScheduleError
from hwaccel.fxp import IntArray
from hwaccel.ir import Graph, GraphBuilder, TensorType
from hwaccel.ir.hardware import Order
from hwaccel.ops import Add, Gather, Multiply, Requant
from hwaccel.schedule import buffers
from hwaccel.schedule.blocks import Fork, Pack, Reorder, Segment, Unpack
from hwaccel.schedule.choices import schedule
from hwaccel.schedule.plan import Plan
from hwaccel.schedule.timing import run_timing
from tests.schedule.graphs import chains, cnn, mlp, optimized, residual

FRAMES = 3
Times = dict[str, list[int]]


def arrivals(plan: Plan, seed: int, frames: int = FRAMES) -> Times:
    """Random times at which input beats are offered: rushes, trickles and long pauses."""
    rng = np.random.default_rng(seed)
    times = {}
    for name in plan.inputs:
        beats = plan.streams[name].beats * frames
        gaps = rng.choice([0, 0, 1, 1, 2, 7, 60], beats) if seed % 5 else np.zeros(beats, int)
        times[name] = np.cumsum(gaps).tolist()
    return times


def delayed(times: Times, seed: int) -> Times:
    """The same, with some beats later; beats stay in order."""
    rng = np.random.default_rng(seed)
    later = {}
    for name, cycles in times.items():
        delays = rng.choice([0, 0, 0, 1, 30], len(cycles))
        later[name] = np.maximum.accumulate(np.array(cycles) + delays).tolist()
    return later


# --- any graph -----------------------------------------------------------------------------------


@settings(max_examples=150, deadline=None)
@given(optimized(), st.integers(0, 1 << 30))
def test_every_beat_comes_out(graph: Graph, seed: int) -> None:
    plan = schedule(graph, Config())
    offered = arrivals(plan, seed)
    timing = plan.timing(FRAMES, offered)
    for names, streams in ((plan.inputs, timing.inputs), (plan.outputs, timing.outputs)):
        for name, times in zip(names, streams, strict=True):
            assert len(times) == plan.streams[name].beats * FRAMES
            assert all(b > a for a, b in pairwise(times))
    for name, times in zip(plan.inputs, timing.inputs, strict=True):
        assert all(taken >= at for taken, at in zip(times, offered[name], strict=True))
    assert list(timing.finished()) == sorted(timing.finished())
    assert timing.latency >= 0


@settings(max_examples=150, deadline=None)
@given(optimized(), st.integers(0, 1 << 30), st.integers(0, 1 << 30))
def test_nothing_is_earlier_for_an_input_that_is_later(graph: Graph, seed: int, by: int) -> None:
    plan = schedule(graph, Config())
    early = arrivals(plan, seed)
    before, after = (plan.timing(FRAMES, times) for times in (early, delayed(early, by)))
    for one, other in ((before.inputs, after.inputs), (before.outputs, after.outputs)):
        for sooner, later in zip(one, other, strict=True):
            assert all(a <= b for a, b in zip(sooner, later, strict=True))


@settings(max_examples=60, deadline=None)
@given(optimized(), st.integers(0, 1 << 30), st.integers(0, 1 << 30))
def test_a_delay_never_grows(graph: Graph, seed: int, by: int) -> None:
    """Every time is a maximum of sums, so no output is later by more than the latest input is.

    It may be later by less, where something else was waited for.
    """
    plan = schedule(graph, Config())
    early = arrivals(plan, seed)
    late = delayed(early, by)
    most = max(b - a for name in early for a, b in zip(early[name], late[name], strict=True))
    before, after = plan.timing(FRAMES, early), plan.timing(FRAMES, late)
    for sooner, later in zip(before.outputs, after.outputs, strict=True):
        assert all(b - a <= most for a, b in zip(sooner, later, strict=True))


@settings(max_examples=30, deadline=None)
@given(optimized(), st.integers(2, 5))
def test_later_frames_do_not_change_earlier_ones(graph: Graph, frames: int) -> None:
    plan = schedule(graph, Config())
    few, many = plan.timing(frames), plan.timing(frames + 2)
    assert many.finished()[:frames] == few.finished()


# --- chains --------------------------------------------------------------------------------------


@settings(max_examples=150, deadline=None)
@given(chains(), st.sampled_from([None, 8, 1000]))
def test_a_chain_runs_at_the_speed_of_its_slowest_part(graph: Graph, budget: int | None) -> None:
    """That is a segment, or a stream whose beats cannot be wider."""
    try:
        plan = schedule(graph, Config(multipliers=budget))
    except ScheduleError:  # the budget is too small
        return
    if not plan.segments:
        return
    widest = max(stream.beats for stream in plan.streams.values())
    assert plan.timing(8).interval == max(plan.bottleneck.cycles, widest)


@pytest.mark.parametrize("make", [mlp, cnn, residual])
@pytest.mark.parametrize("budget", [4, 16, 1000])
def test_small_networks_run_at_the_speed_of_their_bottleneck(make, budget: int) -> None:
    plan = schedule(make(), Config(multipliers=budget))
    assert plan.timing(8).interval == plan.bottleneck.cycles


@pytest.mark.parametrize("make", [mlp, cnn, residual])
def test_large_designs_are_sized_by_bisection_and_run_no_slower(make, monkeypatch) -> None:
    config = Config(multipliers=16)
    one_by_one = schedule(make(), config)
    monkeypatch.setattr(buffers, "_LARGE", 0)
    found = schedule(make(), config)
    assert found.timing().interval <= one_by_one.timing().interval


@pytest.mark.parametrize("good", range(9))
def test_the_most_that_is_good(good: int) -> None:
    asked: list[int] = []

    def is_good(count: int) -> bool:
        asked.append(count)
        return count <= good

    assert buffers._most(8, is_good) == good
    assert len(asked) <= 5


def test_latency_and_interval_of_one_dense_layer() -> None:
    """Counted by hand from the headers of the modules."""
    plan = schedule(mlp(), Config(multipliers=4))
    first = plan.segments[0]
    # hwa_window 2, hwa_mac 5 + clog2(SIMD), hwa_requant 2, hwa_fifo 1.
    simd = plan.folds["one"].simd
    assert first.latency == 2 + 5 + (simd - 1).bit_length() + 2 + 1
    pe = plan.folds["one"].pe
    assert first.cycles == (6 // pe) * (8 // simd)
    assert plan.timing().interval == max(s.cycles for s in plan.segments)


# --- deadlock ------------------------------------------------------------------------------------


def test_a_deadlock_names_those_that_wait() -> None:
    """A fork whose copies meet again; one is packed in pairs, and the other cannot wait for it."""
    blocks = [
        Fork("split", ("x",), ("a", "b"), 4),
        Pack("pair", ("a",), ("wide",), 2, 2),
        Unpack("apart", ("wide",), ("narrow",), 2, 4),
        Segment("join", ("narrow", "b"), ("y",), ("n",), None, (), 4, 4),
    ]
    with pytest.raises(ScheduleError) as caught:
        run_timing(blocks, {"x": 4}, ["y"], 1)
    assert str(caught.value) == (
        "the design deadlocks; waiting for each other: split, pair, apart, join"
    )


def test_a_loop_deadlocks() -> None:
    block = Segment("again", ("x", "y"), ("y",), ("n",), None, (), 2, 2)
    with pytest.raises(ScheduleError) as caught:
        run_timing([block], {"x": 2}, [], 1)
    assert str(caught.value) == "the design deadlocks; waiting for each other: again"


def test_a_reordering_waits_for_its_frame() -> None:
    timing = run_timing([Reorder("swap", ("x",), ("y",), Order((1, 0), 2))], {"x": 2}, ["y"], 4)
    assert timing.outputs[0][0] == 1 + 2  # after the last beat of the frame: 2 cycles
    assert timing.interval == 2
    assert timing.latency == 4


def test_moves_do_not_let_a_residual_wait_for_frames() -> None:
    """Each of four moves waits for a whole frame; the copy that skips them holds as many."""
    flip = IntArray(np.arange(24).reshape(4, 6)[:, ::-1].ravel())
    b = GraphBuilder("moves")
    x = y = b.input("x", TensorType((4, 6), 4, -8, 7))
    for number in range(4):
        y = b.add(f"move_{number}", Gather(flip, (4, 6)), y)
        y = b.add(f"square_{number}", Multiply(), y, y)
        y = b.add(f"less_{number}", Requant(4, -8, 7), y)
    graph = b.build(b.add("sum", Add.of(*(b.type(name) for name in (x, y))), x, y))
    plan = schedule(graph, Config(multipliers=4))
    assert plan.timing(20).latency > 4 * plan.bottleneck.cycles
    assert plan.timing(20).interval == plan.bottleneck.cycles
