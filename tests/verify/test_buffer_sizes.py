"""No ring or FIFO is deeper than needed: with one place less, frames are later or never come."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from hwaccel.emit.design import build_netlist
from hwaccel.emit.verilog import emit_verilog
from hwaccel.errors import ScheduleError, ToolError
from hwaccel.fxp import IntArray
from hwaccel.ir import Graph, GraphBuilder, TensorType, interpret
from hwaccel.ir.hardware import Fold
from hwaccel.ops import Add, Concat, Conv2d, Gather, MaxPool2d, Requant
from hwaccel.schedule.buffers import frames_run
from hwaccel.schedule.plan import Plan
from hwaccel.tools import find
from hwaccel.verify.jobs import Outcome, Stalls
from tests.verify.packing import Design, design, run_packed

pytestmark = [
    pytest.mark.rtl,
    pytest.mark.xdist_group("buffer_sizes"),
    pytest.mark.skipif(find("iverilog") is None, reason="iverilog is not installed"),
]
# The frames over which the buffers are sized, which a test below checks.
FRAMES = {"branches": 4, "moves": 9}


def conv(outputs: int, inputs: int, kernel: int, seed: int, stride: int = 1) -> Conv2d:
    weight = np.random.default_rng(seed).integers(-3, 4, (outputs, inputs, kernel, kernel))
    pad = (kernel // 2,) * 4
    zeros = IntArray([0] * outputs)
    return Conv2d(IntArray(weight), zeros, zeros, 0, (stride, stride), pad)  # type: ignore[arg-type]


def branches() -> Graph:
    """A fork of three ways of different length that an addition and a concatenation join."""
    b = GraphBuilder("branches")
    x = b.input("x", TensorType((2, 5, 6), 0, -8, 7))
    first = b.add("first", Requant(3, -8, 7), b.add("c1", conv(4, 2, 3, 1), x))
    second = b.add("second", Requant(4, -8, 7), b.add("c2", conv(4, 4, 3, 2), first))
    third = b.add("third", Requant(4, -8, 7), b.add("c3", conv(4, 4, 3, 3), second))
    types = [b.type(n) for n in (first, third)]
    total = b.add("total", Add.of(*types), first, third)
    joined = b.add("joined", Concat.of(b.type(total), b.type(second)), total, second)
    pooled = b.add("pooled", MaxPool2d((2, 2), (1, 2)), joined)
    return b.build(b.add("y", conv(2, 8, 3, 4, stride=2), pooled))


def moves() -> Graph:
    """A fork whose ways wait for one, for two and for four whole frames, joined again."""
    b = GraphBuilder("moves")
    x = b.input("x", TensorType((2, 3, 4), 0, -8, 7))
    size = 24
    backwards = IntArray(np.arange(size)[::-1])

    def turned(name: str, value: str, times: int) -> str:
        # Something between two moves keeps them from becoming one.
        for i in range(times):
            moved = b.add(f"{name}{i}", Gather(backwards, (2, 3, 4)), value)
            value = b.add(f"{name}{i}_fit", Requant(0, -8, 7), moved)
        return value

    one, two, four = (turned(f"t{n}_", x, n) for n in (1, 2, 4))
    first = b.add("first", Add.of(b.type(one), b.type(two)), one, two)
    second = b.add("second", Add.of(b.type(first), b.type(four)), first, four)
    return b.build(b.add("y", conv(2, 2, 1, 5), second))


@cache
def sized(name: str) -> Design:
    """The design, folded unevenly, so that some parts wait for others."""
    chosen = {"c1": (4, 2), "c2": (2, 4), "c3": (4, 2), "y": (1, 1), "total": (1, 1)}
    chosen |= {"joined": (8, 8), "pooled": (8, 8)}
    graph, rest = (branches(), (4, 1)) if name == "branches" else (moves(), (1, 1))
    if name == "moves":
        chosen = {"y": (2, 2)}
    every = {node.name: Fold(*chosen.get(node.name, rest)) for node in graph.nodes}
    return design(graph, every, frames=FRAMES[name])


def smaller(plan: Plan) -> Iterator[tuple[str, Plan]]:
    """The plan with one place less, once for every FIFO and every ring that has one to spare."""
    for segment in plan.segments:
        if segment.depth > 1:
            fewer = segment.with_depth(segment.depth - 1)
            yield f"fifo of {segment.name}", plan.replaced(segment, fewer)
        window = segment.window
        if window is not None and window.depth > window.min_depth():
            yield (
                f"ring of {segment.name}",
                plan.replaced(segment, segment.with_ring(window.depth - 1)),
            )


def finished(plan: Plan, frames: int) -> tuple[int, ...] | None:
    try:
        return plan.timing(frames).finished()
    except ScheduleError:
        return None


def renamed(name: str, plan: Plan, number: int) -> Design:
    """The plan as a design of its own, with the frames of the first."""
    graph = replace(plan.graph, name=f"smaller_{number}")
    plan = replace(plan, graph=graph)
    netlist = build_netlist(plan)
    xs = sized(name).xs
    return Design(plan, netlist, xs, tuple(interpret(graph, *xs)), emit_verilog(netlist, ("test",)))


@cache
def simulated(name: str) -> list[tuple[str, Design, Outcome]]:
    plans = list(smaller(sized(name).plan))
    made = [(buffer, renamed(name, plan, i)) for i, (buffer, plan) in enumerate(plans)]
    designs = [sized(name), *(design for _, design in made)]
    outcomes = [runs[0] for runs in run_packed(designs, (Stalls(),), "icarus")]
    return list(zip(["as it is", *(n for n, _ in made)], designs, outcomes, strict=True))


@pytest.mark.parametrize("name", FRAMES)
def test_the_frames_are_those_that_sizing_runs(name):
    assert frames_run(sized(name).plan) == FRAMES[name]


@pytest.mark.parametrize("name", FRAMES)
def test_the_design_itself_is_exact_and_on_time(name):
    _, made, outcome = simulated(name)[0]
    assert outcome.get().finished == finished(made.plan, FRAMES[name])


@pytest.mark.parametrize("name", FRAMES)
def test_every_buffer_is_tried(name):
    assert len(simulated(name)) > 5
    kinds = {buffer.split()[0] for buffer, _, _ in simulated(name)}
    assert kinds == {"as", "fifo"} | ({"ring"} if name == "branches" else set())


@pytest.mark.parametrize("name", FRAMES)
def test_one_place_less_stalls_or_deadlocks_as_predicted(name):
    goal = finished(sized(name).plan, FRAMES[name])
    assert goal is not None
    fates = set()
    for buffer, made, outcome in simulated(name)[1:]:
        predicted = finished(made.plan, FRAMES[name])
        if predicted is None:
            with pytest.raises(ToolError, match="cycles"):
                outcome.get()
            fates.add("deadlock")
            continue
        assert outcome.get().finished == predicted, buffer
        assert any(late > early for late, early in zip(predicted, goal, strict=True)), buffer
        fates.add("later")
    assert "later" in fates
