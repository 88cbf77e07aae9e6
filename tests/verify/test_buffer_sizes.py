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
from hwaccel.ops import Add, Concat, Conv2d, MaxPool2d, Requant
from hwaccel.schedule.plan import Plan
from hwaccel.tools import find
from hwaccel.verify.jobs import Outcome, Stalls
from tests.verify.packing import Design, design, run_packed

pytestmark = [
    pytest.mark.rtl,
    pytest.mark.xdist_group("buffer_sizes"),
    pytest.mark.skipif(find("iverilog") is None, reason="iverilog is not installed"),
]
FRAMES = 4


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


@cache
def sized() -> Design:
    """The design, folded unevenly, so that some parts wait for others."""
    chosen = {"c1": (4, 2), "c2": (2, 4), "c3": (4, 2), "y": (1, 1), "total": (1, 1)}
    chosen |= {"joined": (8, 8), "pooled": (8, 8)}
    graph = branches()
    every = {node.name: Fold(*chosen.get(node.name, (4, 1))) for node in graph.nodes}
    return design(graph, every, frames=FRAMES)


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


def finished(plan: Plan) -> tuple[int, ...] | None:
    try:
        return plan.timing(FRAMES).finished()
    except ScheduleError:
        return None


def renamed(plan: Plan, number: int) -> Design:
    """The plan as a design of its own, with the frames of the first."""
    graph = replace(plan.graph, name=f"smaller_{number}")
    plan = replace(plan, graph=graph)
    netlist = build_netlist(plan)
    xs = sized().xs
    return Design(plan, netlist, xs, tuple(interpret(graph, *xs)), emit_verilog(netlist, ("test",)))


@cache
def simulated() -> list[tuple[str, Design, Outcome]]:
    made = [(name, renamed(plan, i)) for i, (name, plan) in enumerate(smaller(sized().plan))]
    designs = [sized(), *(design for _, design in made)]
    outcomes = [runs[0] for runs in run_packed(designs, (Stalls(),), "icarus")]
    return list(zip(["as it is", *(n for n, _ in made)], designs, outcomes, strict=True))


def test_the_design_itself_is_exact_and_on_time():
    _, made, outcome = simulated()[0]
    assert outcome.get().finished == finished(made.plan)


def test_every_buffer_is_tried():
    assert len(simulated()) > 5
    kinds = {name.split()[0] for name, _, _ in simulated()}
    assert kinds == {"as", "fifo", "ring"}


def test_one_place_less_stalls_or_deadlocks_as_predicted():
    goal = finished(sized().plan)
    assert goal is not None
    fates = set()
    for name, made, outcome in simulated()[1:]:
        predicted = finished(made.plan)
        if predicted is None:
            with pytest.raises(ToolError, match="cycles"):
                outcome.get()
            fates.add("deadlock")
            continue
        assert outcome.get().finished == predicted, name
        assert any(late > early for late, early in zip(predicted, goal, strict=True)), name
        fates.add("later")
    assert "later" in fates
