"""A plan is its choices: saved, read back, edited."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hwaccel.config import Config
from hwaccel.errors import ScheduleError
from hwaccel.ir import Graph
from hwaccel.ir.hardware import Fold
from hwaccel.schedule.buffers import size_buffers
from hwaccel.schedule.choices import Choices, choices_of, plan_from, schedule
from hwaccel.schedule.plan import Plan, build_plan
from tests.schedule.graphs import cnn, mlp, optimized, residual


def edited(choices: Choices, **changes: object) -> Choices:
    return msgspec.structs.replace(choices, **changes)


def refusal(graph: Graph, choices: Choices) -> str:
    with pytest.raises(ScheduleError) as caught:
        plan_from(graph, choices)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@settings(max_examples=150, deadline=None)
@given(optimized(), st.sampled_from([None, 16, 1000]))
def test_a_plan_comes_back_from_its_choices(graph: Graph, multipliers: int | None) -> None:
    try:
        plan = schedule(graph, Config(multipliers=multipliers))
    except ScheduleError:
        assume(False)
    document = msgspec.json.encode(choices_of(plan))
    assert plan_from(graph, msgspec.json.decode(document, type=Choices)) == plan


@pytest.mark.parametrize("make", [mlp, cnn, residual])
def test_small_networks_come_back(make) -> None:
    plan = schedule(make(), Config())
    assert plan_from(make(), choices_of(plan)) == plan


@settings(max_examples=30, deadline=None)
@given(optimized())
def test_scheduling_twice_gives_the_same(graph: Graph) -> None:
    assert schedule(graph, Config()) == schedule(graph, Config())


@settings(max_examples=30, deadline=None)
@given(optimized(), st.integers(0, 1 << 30))
def test_larger_buffers_never_cost_time(graph: Graph, seed: int) -> None:
    plan = schedule(graph, Config())
    small = choices_of(plan)
    rng = np.random.default_rng(seed)
    large = edited(
        small,
        **{
            field: {name: depth + int(rng.integers(5)) for name, depth in depths.items()}
            for field, depths in msgspec.to_builtins(small).items()
            if field in ("rings", "fifos", "buffers")
        },
    )
    before, after = plan.timing(4), plan_from(graph, large).timing(4)
    for slow, fast in zip(before.outputs, after.outputs, strict=True):
        assert all(a >= b for a, b in zip(slow, fast, strict=True))


def laid_out() -> Plan:
    """The residual network with folds that need no width adapters."""
    folds = {"conv": Fold(2, 2), "conv_q": Fold(2, 1), "sum": Fold(2, 2)}
    return size_buffers(build_plan(residual(), folds))


def test_a_residual_network_without_its_buffers_deadlocks() -> None:
    choices = choices_of(laid_out())
    assert set(choices.buffers) == {"x_to_1"}
    assert refusal(residual(), edited(choices, buffers={})) == (
        "the design deadlocks; waiting for each other: x_fork, conv_q, sum"
    )
    assert refusal(residual(), edited(choices, buffers={"x_to_1": 1})) == (
        "the design deadlocks; waiting for each other: x_fork, x_to_1_buffer, conv_q, sum"
    )


def test_the_buffer_of_a_residual_network_is_the_least() -> None:
    plan = laid_out()
    choices = choices_of(plan)
    (depth,) = choices.buffers.values()
    less = plan_from(residual(), edited(choices, buffers={"x_to_1": depth - 1}))
    assert less.timing(6).interval > plan.timing(6).interval == plan.bottleneck.cycles


def test_rings_have_a_least_size() -> None:
    choices = choices_of(schedule(residual(), Config()))
    ((name, depth),) = choices.rings.items()
    window = next(s for s in schedule(residual(), Config()).segments if s.issuer).issuer
    least = window.min_depth()
    assert depth >= least
    plan_from(residual(), edited(choices, rings={name: 10 * depth}))
    assert refusal(residual(), edited(choices, rings={name: least - 1})) == (
        f"conv_q: ring of {least - 1} beats is too small, the window needs {least}"
    )
    assert refusal(residual(), edited(choices, rings={})) == (
        f"conv_q: ring of 0 beats is too small, the window needs {least}"
    )


@pytest.mark.parametrize(
    ("field", "what"),
    [
        ("folds", "a node"),
        ("fifos", "a segment"),
        ("rings", "a segment with a window"),
        ("buffers", "a forked stream"),
    ],
)
def test_unknown_names(field: str, what: str) -> None:
    choices = choices_of(schedule(residual(), Config()))
    value = (1, 1) if field == "folds" else 1
    changed = {field: {**getattr(choices, field), "nothing": value}}
    assert refusal(residual(), edited(choices, **changed)) == (
        f"nothing: is not {what} of this graph; convert again"
    )


def test_missing_names() -> None:
    choices = choices_of(schedule(mlp(), Config()))
    assert refusal(mlp(), edited(choices, folds={})) == (
        "one (net.0): has no folding in the plan; convert again"
    )
    assert refusal(mlp(), edited(choices, fifos={})) == (
        "one_q: has no FIFO depth in the plan; convert again"
    )


def test_folds_that_cannot_be() -> None:
    choices = choices_of(schedule(mlp(), Config(multipliers=9)))
    illegal = edited(choices, folds={**choices.folds, "one": (5, 1)})
    assert refusal(mlp(), illegal) == ("one (net.0): 5x1 is not a legal folding; convert again")
    pe = choices.folds["one"][0]
    other = next(n for n in (1, 2, 3, 6) if n != pe)
    apart = edited(choices, folds={**choices.folds, "one_q": (other, 1)})
    assert refusal(mlp(), apart) == (
        f"one_q (net.0): {other}x1 is not the folding {pe}x1 of the node in front, which it "
        "follows; convert again"
    )


def test_a_depth_is_at_most_16_million() -> None:
    document = b'{"folds":{},"rings":{},"fifos":{"a":%d},"buffers":{}}'
    assert msgspec.json.decode(document % (1 << 24), type=Choices).fifos == {"a": 1 << 24}
    for depth in (0, (1 << 24) + 1):
        with pytest.raises(msgspec.ValidationError):
            msgspec.json.decode(document % depth, type=Choices)
