"""How passes run: order, observation, facts, coming to rest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import ClassVar

import pytest

from hwaccel.errors import VerifyError
from hwaccel.ir import Graph, Value
from hwaccel.ir.text import print_graph
from hwaccel.ops import Relu
from hwaccel.passes import PIPELINE, Chapter, Pass, Pipeline, optimize, run_passes
from hwaccel.passes.base import Fact
from tests.passes.checks import assert_same, parse

BEFORE = """
input %x : 1x4x4 u8.8
%stem = conv2d(%x) {weight=[[[[3]]], [[[0]]], [[[2]]]], shift=[0, 0, 0], bias=[8, 9, 1], weight_frac=2} : 3x4x4 u10.10 [1,773]  // stem.0
%bn = scale(%stem) {mult=[2, 4, 6], add=[16, -40, 2], mult_frac=2} : 3x4x4 s14.12 [-36,4640]  // stem.1
%act = relu(%bn) : 3x4x4 u13.12 [0,4640]  // stem.2
%q = requant(%act) {shift=6, lo=0, hi=255} : 3x4x4 u7.6 [0,72]  // stem.2
%same = relu(%q) : 3x4x4 u7.6 [0,72]
%pool = maxpool2d(%q) {kernel_size=(2, 2), stride=(2, 2)} : 3x2x2 u7.6 [0,72]  // pool
%clip = requant(%pool) {shift=2, lo=0, hi=15} : 3x2x2 u4.4  // pool
%dead = relu(%same) : 3x4x4 u7.6 [0,72]
%flat = reshape(%clip) {shape=(12,)} : 12 u4.4
%head = dense(%flat) {weight=#1, shift=[0], bias=[7], weight_frac=3} : 1 u11.7 [7,1177]  // head
output %head
constants
#1 : 1x12
  1 2 3 4 5 6 7 8 9 10 11 12
"""  # noqa: E501

# Folded; clipped before the pool; without the channel that is always zero; in stream order.
AFTER = """\
graph g
input %x : 1x4x4 u8.8
%stem = conv2d(%x) {weight=[[[[3]]], [[[6]]]], shift=[0, 0], bias=[16, 4], weight_frac=3} : 2x4x4 u11.11 [4,1534]  // stem.0
%q = requant(%stem) {shift=5, lo=0, hi=255} : 2x4x4 u6.6 [0,48]  // stem.2
%clip = requant(%q) {shift=2, lo=0, hi=15} : 2x4x4 u4.4 [0,12]  // pool
%pool = maxpool2d(%clip) {kernel_size=(2, 2), stride=(2, 2)} : 2x2x2 u4.4 [0,12]  // pool
%flat = reshape(%pool) {shape=(8,), channels_last=true} : 8 u4.4 [0,12]
%head = dense(%flat) {weight=[[1, 9, 2, 10, 3, 11, 4, 12]], shift=[0], bias=[7], weight_frac=3} : 1 u10.7 [7,631]  // head
output %head
"""  # noqa: E501


@dataclass(frozen=True, slots=True)
class Do(Pass):
    """A pass made of a function."""

    name: ClassVar[str] = "do"

    function: Callable[[Graph], Graph]

    def run(self, graph: Graph) -> Graph:
        return self.function(graph)


def rename(graph: Graph) -> Graph:
    return replace(graph, name=graph.name + "'")


def test_whole_pipeline() -> None:
    graph = parse(BEFORE)
    simple = optimize(graph)
    assert print_graph(simple) == AFTER
    assert_same(graph, simple)
    assert optimize(simple) is simple


def test_observer_sees_every_change() -> None:
    seen: list[tuple[int, str, Graph]] = []
    graph = parse(BEFORE)
    simple = optimize(graph, lambda *change: seen.append(change))
    assert [(number, name) for number, name, _ in seen] == [
        (0, "input"),
        (1, "drop_dead"),
        (2, "fold_batchnorm"),
        (3, "fuse_requant"),
        (4, "prune_channels"),
        (5, "narrow_types"),
        (6, "stream_flatten"),
    ]
    assert seen[0][2] is graph
    assert seen[-1][2] is simple


def test_passes_are_frozen_with_a_name_and_a_sentence() -> None:
    passes = [item for chapter in PIPELINE.chapters for item in chapter.passes]
    for item in passes:
        assert is_dataclass(item)
        assert item == type(item)()
        assert item.name == type(item).__module__.rpartition(".")[2]
        assert (type(item).__doc__ or "").split("\n")[0].endswith(".")
        assert "becomes" in (type(item).__doc__ or "")
        for option in fields(item):
            assert isinstance(getattr(item, option.name), int)
    assert [chapter.name for chapter in PIPELINE.chapters] == ["clean", "fuse", "narrow"]


def test_run_passes_runs_each_once() -> None:
    graph = run_passes(parse(BEFORE), [Do(rename), Do(rename)])
    assert graph.name == "g''"


def test_pipeline_ends_even_when_a_pass_never_does() -> None:
    pipeline = Pipeline((Chapter("a", (Do(rename),)), Chapter("b", (Do(rename),))), rounds=3)
    assert pipeline.run(parse(BEFORE)).name == "g" + "'" * 18


def test_illegal_input_is_refused() -> None:
    graph = parse(BEFORE)
    with pytest.raises(VerifyError) as caught:
        optimize(replace(graph, outputs=("y",)))
    assert str(caught.value) == "g: output 'y' is not a value of the graph"


def test_a_pass_that_breaks_the_graph_is_named() -> None:
    def wrong_type(graph: Graph) -> Graph:
        node = graph.nodes[-1]
        value = Value(node.name, replace(node.output.type, frac=3))
        return replace(graph, nodes=(*graph.nodes[:-1], replace(node, output=value)))

    with pytest.raises(VerifyError) as caught:
        run_passes(parse(BEFORE), [Do(wrong_type)])
    assert str(caught.value) == (
        "pass do broke the graph: head (head): type is 1 u11.3 [7,1177], "
        "expected 1 u11.7 [7,1177]; rebuild the graph; report this"
    )


def has_relu(graph: Graph) -> bool:
    return any(isinstance(node.op, Relu) for node in graph.nodes)


def test_facts_are_checked() -> None:
    @dataclass(frozen=True, slots=True)
    class Needs(Do):
        requires: ClassVar[tuple[Fact, ...]] = (Fact("has_relu", has_relu),)

    @dataclass(frozen=True, slots=True)
    class Makes(Do):
        ensures: ClassVar[tuple[Fact, ...]] = (Fact("no_relu", lambda g: not has_relu(g)),)

    graph = parse(BEFORE)
    assert run_passes(graph, [Needs(lambda g: g)]) is graph
    with pytest.raises(VerifyError) as caught:
        run_passes(optimize(graph), [Needs(lambda g: g)])
    assert str(caught.value) == (
        "pass do requires has_relu, which does not hold; run the passes in another order"
    )
    with pytest.raises(VerifyError) as caught:
        run_passes(graph, [Makes(lambda g: g)])
    assert str(caught.value) == "pass do ensures no_relu, which does not hold; report this"
