"""Folds are legal, meet their target or say what can be met, and follow the configuration."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwaccel.config import Config, LayerConfig
from hwaccel.errors import ScheduleError
from hwaccel.fxp import FixedType, IntArray
from hwaccel.ir import Graph, GraphBuilder, Op, TensorType
from hwaccel.ir.hardware import Fold, Style
from hwaccel.ops import OPS, Conv2d, Dense, Requant
from hwaccel.schedule.choices import schedule
from hwaccel.schedule.fold import choices, choose_folds, frame_cycles, multiplier_of
from tests.schedule.graphs import cnn, mlp, optimized, residual

# That of the default target.
ECP5 = multiplier_of("ecp5")
EXAMPLES = [(op, example) for op in OPS for example in op.examples()]


def picked(graph: Graph, config: Config) -> dict[str, tuple[int, int]]:
    """Return cycles per frame and multipliers of each node."""
    types, folds = graph.types(), choose_folds(graph, config)
    found = {}
    for node in graph.nodes:
        choice = next(c for c in choices(node, types, ECP5) if c.fold == folds[node.name])
        found[node.name] = choice.cycles, choice.multipliers
    return found


def multipliers(graph: Graph, config: Config) -> int:
    return sum(count for _, count in picked(graph, config).values())


def slowest(graph: Graph, config: Config) -> int:
    return max(cycles for cycles, _ in picked(graph, config).values())


def refusal(graph: Graph, config: Config) -> str:
    with pytest.raises(ScheduleError) as caught:
        choose_folds(graph, config)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("op", "example"), EXAMPLES, ids=[f"{op.name}-{example.label}" for op, example in EXAMPLES]
)
def test_every_fold_divides_its_tensors(op: type[Op], example) -> None:
    out = example.op.infer(*example.ins)
    folds = example.op.folds(*example.ins)
    assert len(set(folds)) == len(folds) >= 1
    for fold in folds:
        hardware = example.op.hardware(example.ins, fold)
        for tensor, lanes in zip(example.ins, hardware.in_lanes, strict=True):
            assert tensor.size % lanes == 0
        assert out.size % hardware.out_lanes == 0
        assert frame_cycles(hardware, example.ins, out) >= 1


@settings(max_examples=150, deadline=None)
@given(optimized(), st.integers(1, 400))
def test_a_target_is_met_or_refused(graph: Graph, target: int) -> None:
    try:
        made = picked(graph, Config(target_interval=target))
    except ScheduleError:
        types = graph.types()
        nearest = [min(c.cycles for c in choices(node, types, ECP5)) for node in graph.nodes]
        assert max(nearest) > target
    else:
        assert all(cycles <= target for cycles, _ in made.values())


@settings(max_examples=40, deadline=None)
@given(optimized(), st.integers(1, 300), st.integers(0, 300))
def test_more_time_never_takes_more_multipliers(graph: Graph, target: int, more: int) -> None:
    try:
        tight = multipliers(graph, Config(target_interval=target))
    except ScheduleError:
        return
    assert multipliers(graph, Config(target_interval=target + more)) <= tight


@settings(max_examples=40, deadline=None)
@given(optimized(), st.integers(1, 100), st.integers(0, 100))
def test_a_budget_is_kept_and_more_never_hurts(graph: Graph, budget: int, more: int) -> None:
    every = [choices(node, graph.types(), ECP5) for node in graph.nodes]
    least = sum(min(choice.multipliers for choice in options) for options in every)
    if least > budget:
        assert refusal(graph, Config(multipliers=budget)) == (
            f"multipliers={budget} is not enough: this network needs at least {least}, one for "
            "each layer that multiplies"
        )
        return
    assert multipliers(graph, Config(multipliers=budget)) <= budget
    rich = Config(multipliers=budget + more)
    assert slowest(graph, rich) <= slowest(graph, Config(multipliers=budget))


@settings(max_examples=30, deadline=None)
@given(optimized())
def test_the_whole_budget_is_64_when_nothing_is_said(graph: Graph) -> None:
    assert choose_folds(graph, Config()) == choose_folds(graph, Config(multipliers=64))


def dense(outputs: int, inputs: int) -> Graph:
    """One dense layer, whose weights are never zero."""
    b = GraphBuilder("dense")
    x = b.input("x", TensorType.full((inputs,), FixedType.parse("s6.3")))
    zeros = IntArray([0] * outputs)
    return b.build(b.add("fc", Dense(IntArray(np.ones((outputs, inputs))), zeros, zeros), x))


def test_a_layer_of_64_multipliers_is_parallel_when_nothing_is_said_and_one_of_65_is_not() -> None:
    assert choose_folds(dense(8, 8), Config(target="none"))["fc"] == Fold(8, 8)
    assert choose_folds(dense(13, 5), Config(target="none"))["fc"].multipliers < 65


def test_the_interval_of_the_plan_meets_the_target() -> None:
    for graph in (mlp(), cnn(), residual()):
        fastest = slowest(graph, Config(multipliers=10_000))
        for target in (fastest, fastest + 1, 2 * fastest, 10 * fastest):
            plan = schedule(graph, Config(target_interval=target))
            assert plan.timing(6).interval <= target


def test_a_target_out_of_reach_names_the_nearest() -> None:
    assert refusal(residual(), Config(target_interval=10)) == (
        "conv (body): cannot take a frame every 10 cycles; the nearest it can reach in the "
        "streaming style is 324"
    )
    assert slowest(residual(), Config(target_interval=324)) == 324
    assert refusal(residual(), Config(target_interval=323)).endswith(" is 324")


def test_a_budget_that_is_too_small() -> None:
    assert refusal(mlp(), Config(multipliers=1)) == (
        "multipliers=1 is not enough: this network needs at least 2, one for each layer that "
        "multiplies"
    )
    assert multipliers(mlp(), Config(multipliers=2)) == 2


def test_a_layer_may_choose_for_itself() -> None:
    def folds(**layer: int) -> dict[str, Fold]:
        config = Config(layers={"net.0": LayerConfig(**layer)})
        return choose_folds(mlp(), config)

    assert folds(pe=3, simd=4)["one"] == Fold(3, 4, pack=2)
    assert folds(pe=2)["one"].pe == 2
    assert folds(simd=1)["one"].simd == 1
    others = {name: fold for name, fold in folds(pe=3, simd=4).items() if name != "one"}
    assert all(fold.pe >= 1 for fold in others.values())
    plan = schedule(mlp(), Config(layers={"net.0": LayerConfig(pe=3, simd=4)}))
    assert plan.folds["one"] == Fold(3, 4, pack=2)
    assert plan.folds["one_q"] == Fold(3, 1)  # follows the layer in front


def test_a_layer_wins_over_the_target() -> None:
    config = Config(target_interval=1000, layers={"net.2": LayerConfig(pe=4, simd=6)})
    assert choose_folds(mlp(), config)["two"] == Fold(4, 6, pack=2)
    config = Config(target_interval=4, layers={"net.2": LayerConfig(pe=1, simd=1)})
    assert refusal(mlp(), config) == (
        "two (net.2): cannot take a frame every 4 cycles; the nearest it can reach in the "
        "streaming style is 24"
    )


@pytest.mark.parametrize(
    ("layer", "asked"),
    [(LayerConfig(pe=5), "pe=5"), (LayerConfig(pe=3, simd=3), "pe=3, simd=3")],
)
def test_a_fold_that_is_not_legal_names_those_that_are(layer: LayerConfig, asked: str) -> None:
    line = refusal(mlp(), Config(layers={"net.0": layer}))
    head = f"one (net.0): {asked} is not a legal folding; legal ones (pe x simd): "
    assert line.startswith(head)
    legal = {str(fold) for fold in mlp().node("one").op.folds(mlp().inputs[0].type)}
    named = line.removeprefix(head).split(", ")
    assert set(named) <= legal
    assert len(named) == min(12, len(legal))


def test_auto_takes_a_pixel_per_clock_where_padding_costs_a_cycle():
    b = GraphBuilder("padded")
    x = b.input("x", TensorType.full((1, 8, 8), FixedType.parse("u8.8")))
    zeros = IntArray(np.zeros(4, dtype=np.int64))
    conv = Conv2d(IntArray(np.ones((4, 1, 3, 3), np.int64)), zeros, zeros, padding=(1, 1, 1, 1))
    graph = b.build(b.add("conv", conv, x))
    assert choose_folds(graph, Config(style="auto"))["conv"].style is Style.PIXEL
    exact = Config(style="auto", target_interval=64)
    assert choose_folds(graph, exact)["conv"].style is Style.SPATIAL


def test_auto_streams_no_frame_of_fewer_than_8_cycles() -> None:
    for target, style in ((8, Style.STREAM), (7, Style.SPATIAL)):
        folds = choose_folds(dense(4, 4), Config(style="auto", target_interval=target))
        assert folds["fc"].style is style


def test_a_layer_of_one_pixel_is_laid_out_whole_in_pixel_style() -> None:
    folds = choose_folds(mlp(), Config(style="pixel"))
    assert {fold.style for fold in folds.values()} == {Style.SPATIAL}


def test_an_elementwise_node_at_the_input_chooses_its_own_lanes() -> None:
    """It has no layer in front to ride on, and what follows is adapted to its lanes."""
    b = GraphBuilder("first")
    x = b.input("x", TensorType.full((4,), FixedType.parse("s6.0")))
    graph = b.build(b.add("less", Requant(2, -8, 7), x))
    assert choose_folds(graph, Config(target_interval=1))["less"] == Fold(4, 1)
    assert choose_folds(graph, Config(target_interval=4))["less"] == Fold(1, 1)


def test_a_graph_without_nodes_is_refused_in_words() -> None:
    b = GraphBuilder("wire")
    graph = b.build(b.input("x", TensorType.full((2,), FixedType.parse("s4.0"))))
    for config in (Config(), Config(target_interval=4), Config(style="spatial")):
        assert refusal(graph, config) == (
            "wire: computes nothing; a design needs at least one node"
        )
