"""A design keeps the interval that is said, however many frames come: buffers hold enough."""

from __future__ import annotations

import numpy as np
import pytest

from hwaccel.config import Config
from hwaccel.fxp import IntArray
from hwaccel.ir import Graph, GraphBuilder, TensorType
from hwaccel.ops import Add, Dense, Requant
from hwaccel.schedule.choices import schedule
from hwaccel.schedule.plan import Plan

MANY = 300


def dense(outputs: int, inputs: int, seed: int) -> Dense:
    weight = np.random.default_rng(seed).integers(-3, 4, (outputs, inputs))
    return Dense(IntArray(weight), IntArray([0] * outputs), IntArray([0] * outputs), 0)


def layers(count: int, *, skip: bool) -> Graph:
    """So many small layers one after another; ``skip`` adds what came in to what they make."""
    b = GraphBuilder("layers")
    x = value = b.input("x", TensorType((6,), 0, -8, 7))
    for i in range(count):
        value = b.add(f"d{i}", dense(6, 6, i), value)
        value = b.add(f"r{i}", Requant(3, -8, 7), value)
    if skip:
        value = b.add("sum", Add.of(b.type(value), b.type(x)), value, x)
    return b.build(value)


def keeps_pace(plan: Plan) -> None:
    finished = np.array(plan.timing(MANY).finished())
    assert set(np.diff(finished).tolist()) == {plan.timing().interval}
    assert plan.timing().interval == plan.bottleneck.cycles


@pytest.mark.parametrize("interval", [1, 2, 3, 6])
@pytest.mark.parametrize("skip", [False, True])
@pytest.mark.parametrize("count", [1, 4])
def test_frames_shorter_than_the_pipes(count: int, skip: bool, interval: int) -> None:
    """More than four of them are under way, and each FIFO has to hold its share of them."""
    plan = schedule(layers(count, skip=skip), Config(target_interval=interval))
    assert plan.bottleneck.cycles == interval
    keeps_pace(plan)


@pytest.mark.parametrize("latency", [2, 9])
def test_a_frame_per_clock_in_logic(latency: int) -> None:
    config = Config(style="spatial", effort="fast", latency=latency)
    keeps_pace(schedule(layers(2, skip=True), config))


def test_a_chain_in_which_many_frames_are_under_way() -> None:
    plan = schedule(layers(12, skip=True), Config(target_interval=1))
    assert plan.timing().latency > 100
    keeps_pace(plan)
