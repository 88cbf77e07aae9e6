"""The compiled timing engine against the interpreted one: every beat of every stream."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwaccel import native
from hwaccel.config import Config
from hwaccel.errors import ScheduleError
from hwaccel.ir import Graph
from hwaccel.ir.lines import Lines
from hwaccel.schedule import compiled
from hwaccel.schedule.blocks import Fork, Segment
from hwaccel.schedule.choices import schedule
from hwaccel.schedule.compiled import CompiledRun
from hwaccel.schedule.plan import Plan
from hwaccel.schedule.timing import InterpretedRun, run, run_timing
from tests.schedule.graphs import optimized
from tests.schedule.test_timing import arrivals

FRAMES = 3


def both(plan: Plan, seed: int) -> tuple[InterpretedRun, CompiledRun]:
    offered = {n: np.array(t, np.int64) for n, t in arrivals(plan, seed, FRAMES).items()}
    made = (InterpretedRun, CompiledRun)
    one, other = (m(plan.blocks, offered, plan.outputs, FRAMES) for m in made)
    return one, other


@settings(max_examples=100, deadline=None)
@given(optimized(), st.integers(0, 1 << 30), st.sampled_from(["stream", "pixel", "auto"]))
def test_every_beat_moves_in_the_same_cycle(graph: Graph, seed: int, style: str) -> None:
    # So slow that the widest of products is made in one cycle.
    plan = schedule(graph, Config(style=style, clock_mhz=25))  # type: ignore[arg-type]
    one, other = both(plan, seed)
    assert one.waiting() == other.waiting() == []
    for name in plan.streams:
        assert np.array_equal(np.asarray(one.moved(name)), other.moved(name)), name


@pytest.mark.parametrize("kernel", [(1, 1), (3, 3), (2, 5)])
@pytest.mark.parametrize("stride", [(1, 1), (2, 1)])
def test_line_buffers_too(kernel: tuple[int, int], stride: tuple[int, int]) -> None:
    lines = Lines(7, 6, kernel, stride, padding=(1, 0), out_height=3, out_width=2)
    block = Segment("s", ("x",), ("y",), ("s",), lines, (), lines.beats_out, 3)
    times = {"x": np.arange(0, 84 * 3, 3, dtype=np.int64)}
    one, other = (m([block], times, ["y"], 2) for m in (InterpretedRun, CompiledRun))
    assert np.array_equal(np.asarray(one.moved("y")), other.moved("y"))
    assert len(one.moved("y")) == 12


def test_the_times_of_a_run_are_given_back_once() -> None:
    done = CompiledRun([], {"x": np.zeros(4, np.int64)}, ["x"], 1)
    freed: list[int] = []
    library = SimpleNamespace(timing_free=freed.append)
    lib, made = done._lib, done._run
    done._lib = library  # type: ignore[assignment]
    del done
    assert freed == [made]
    lib.timing_free(made)


def test_a_run_that_did_not_fit_has_nothing_to_give_back(monkeypatch: pytest.MonkeyPatch) -> None:
    def free(_: int) -> None:
        raise AssertionError("nothing was made")

    library = SimpleNamespace(timing_run=lambda *_: None, timing_free=free)
    monkeypatch.setattr(compiled, "_declared", lambda: library)
    with pytest.raises(MemoryError, match="does not fit into memory"):
        CompiledRun([], {"x": np.zeros(4, np.int64)}, ["x"], 1)
    CompiledRun.__new__(CompiledRun).__del__()  # nor one of which nothing was begun


def test_the_compiled_engine_runs_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "available", lambda: None)
    assert isinstance(run([], {"x": 4}, ["x"], 1), InterpretedRun)
    monkeypatch.undo()
    assert native.available() is not None
    assert isinstance(run([], {"x": 4}, ["x"], 1), CompiledRun)


def deadlock() -> list[Fork | Segment]:
    """A join whose second operand is behind a FIFO that waits for the whole frame of the first."""
    fork = Fork("fork", ("x",), ("a", "b"), 4)
    slow = Segment("slow", ("b",), ("c",), ("slow",), None, (), 4, 1)
    return [fork, slow, Segment("join", ("a", "d"), ("y",), ("join",), None, (), 4, 2)]


def test_a_design_that_deadlocks_is_named_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ScheduleError) as compiled:
        run_timing(deadlock(), {"x": 4}, ["y"], 1)
    monkeypatch.setattr(native, "available", lambda: None)
    with pytest.raises(ScheduleError) as interpreted:
        run_timing(deadlock(), {"x": 4}, ["y"], 1)
    assert str(compiled.value) == str(interpreted.value)
    assert str(compiled.value) == "the design deadlocks; waiting for each other: fork, slow, join"
