"""Small steps of the schedule, each on its own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hwaccel.errors import ScheduleError
from hwaccel.fxp import FixedType
from hwaccel.ir import Graph, GraphBuilder, TensorType
from hwaccel.ir.hardware import Area, Fold, Pipe, Style, Window
from hwaccel.ops import Add, Multiply, Relu, Requant
from hwaccel.schedule import spatial
from hwaccel.schedule.blocks import Fork, Segment
from hwaccel.schedule.buffers import _least
from hwaccel.schedule.choices import choices_of
from hwaccel.schedule.fold import Choice, _cheapest, _cost
from hwaccel.schedule.plan import _full_rate_depth, build_plan, lane_steps
from hwaccel.schedule.spatial import unrolled
from hwaccel.schedule.timing import Timing
from tests.emit.networks import BRANCHES, branch_folds, branches, laid_out
from tests.schedule.graphs import residual


def test_the_smallest_good_depth_is_found_from_any_start() -> None:
    for least in range(4):
        for best in range(least, 20):
            for enough in range(best, 40):
                assert _least(least, enough, lambda depth, best=best: depth >= best) == best


def wires(identity: bool) -> Graph:
    """A rectifier of what is never negative, or a sum, of whole streams."""
    b = GraphBuilder("wires")
    x = b.input("x", TensorType.full((4,), FixedType.parse("u4.0")))
    y = b.input("y", TensorType.full((4,), FixedType.parse("u4.0")))
    outputs = [b.add("same", Relu(), x)] if identity else []
    return b.build(*outputs, b.add("sum", Add.of(b.type(x), b.type(y)), x, y))


def test_what_is_only_wires_makes_no_segment() -> None:
    for identity in (False, True):
        graph = wires(identity)
        plan = build_plan(graph, {node.name: Fold(1, 1) for node in graph.nodes})
        assert [segment.nodes for segment in plan.segments] == [("sum",)]


def choice(fold: Fold, multipliers: int, luts: int, lanes: int, cycles: int = 9) -> Choice:
    return Choice(fold, cycles, multipliers, Area(luts), (lanes,), lanes)


def test_an_adapter_costs_a_wide_beat_twice_and_a_narrow_one_once() -> None:
    """It holds one beat of its wider side, and has a multiplexer for the narrower one."""
    one = choice(Fold(4, 4), 0, 100, 4)
    assert _cost(one, [(2, 8)]) == 100 + (2 * 4 + 2) * 8
    assert _cost(one, [(6, 8)]) == 100 + (2 * 6 + 4) * 8
    assert _cost(one, [(4, 8)]) == _cost(one, [(0, 8)]) == 100  # nothing to adapt, or not known
    both = Choice(Fold(), 9, 0, Area(10, 5), (4, 2), 4)
    assert _cost(both, [(1, 3), (1, 5)]) == 15 + (2 * 4 + 1) * 3 + (2 * 2 + 1) * 5


def test_the_fewest_multipliers_count_first_then_area_then_cycles() -> None:
    have = [(1, 8)]
    some = [
        choice(Fold(1, 1), 2, 10, 1), choice(Fold(1, 2), 1, 90, 1), choice(Fold(2, 1), 1, 50, 1),
        choice(Fold(2, 2), 1, 50, 1, 4), choice(Fold(4, 1), 1, 40, 8),
    ]  # fmt: skip
    assert _cheapest(some, have).fold == Fold(2, 2)


def test_streams_of_one_name_are_numbered_from_2() -> None:
    """A join whose operands both change their lanes."""
    b = GraphBuilder("join")
    x, y = (b.input(name, TensorType.full((8,), FixedType.parse("u4.0"))) for name in "xy")
    product = b.add("product", Multiply(), x, y)
    first, second = (b.add(f"less_{name}", Requant(1, 0, 7), name) for name in (x, y))
    graph = b.build(b.add("both", Multiply(), first, second), product)
    folds = dict.fromkeys(("product", "both"), Fold(2, 2))
    plan = build_plan(graph, {node.name: folds.get(node.name, Fold(1, 1)) for node in graph.nodes})
    assert [name for name in plan.streams if name.startswith("both")] == [
        "both_in", "both_in_2", "both",
    ]  # fmt: skip


def test_pixels_share_the_multiplications_of_a_layer() -> None:
    graph = residual()
    (conv,) = (node for node in graph.nodes if node.name == "conv")
    taps = 2 * 2 * 3 * 3
    assert unrolled(conv, graph.types(), Style.PIXEL) == taps
    assert unrolled(conv, graph.types(), Style.SPATIAL) == taps * 6 * 6


@pytest.mark.parametrize(
    ("style", "count", "luts", "other"),
    [(Style.PIXEL, "36", "518", "stream"), (Style.SPATIAL, "1,296", "18,662", "pixel or stream")],
)
def test_a_layer_too_large_to_unroll_is_told_what_style_to_take(
    style: Style, count: str, luts: str, other: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folds = {"conv": Fold(style=style)}
    if style is Style.PIXEL:
        monkeypatch.setattr(spatial, "MOST_WEIGHTS", 36)
        laid_out(residual(), folds)
    monkeypatch.setattr(spatial, "MOST_WEIGHTS", 35)
    with pytest.raises(ScheduleError) as caught:
        laid_out(residual(), folds)
    assert str(caught.value) == (
        f"conv (body): {count} multiplications laid out in logic need about {luts} LUTs, too many "
        f"to unroll (the limit is 35 multiplications); choose style {other} for it"
    )


def test_an_output_of_two_names_is_two_copies_in_order() -> None:
    b = GraphBuilder("twice")
    y = b.add("y", Requant(1, 0, 7), b.input("x", TensorType.full((4,), FixedType.parse("u4.0"))))
    plan = build_plan(b.build(y, y), {"y": Fold(2, 1)})
    assert plan.outputs == ("y_to_0", "y_to_1")


def test_one_frame_has_no_interval() -> None:
    timing = Timing(1, ((3,),), ((9,),))
    assert (timing.finished(), timing.latency, timing.interval) == ((9,), 6, 0)
    two = Timing(2, ((3, 4), (1, 2)), ((9, 12), (8, 15)))
    assert (two.finished(), two.latency, two.interval) == ((9, 15), 8, 6)
    three = Timing(3, ((0, 1, 2),), ((5, 9, 20),))
    assert (three.finished(), three.interval) == ((5, 9, 20), 11)


@pytest.mark.parametrize(
    ("have", "want", "size", "steps"),
    [
        (4, 4, 12, (4, 4)), (2, 8, 16, (2, 8)), (8, 2, 16, (2, 2)), (4, 6, 24, (12, 6)),
        (6, 4, 24, (12, 4)), (4, 6, 12, (12, 6)), (3, 4, 12, (12, 4)), (1, 5, 5, (1, 5)),
    ],
)  # fmt: skip
def test_lanes_change_by_whole_beats(
    have: int, want: int, size: int, steps: tuple[int, int]
) -> None:
    """At once where one divides the other, else over what both divide."""
    assert lane_steps(have, want, size) == steps


def test_credits_that_never_slow_an_issuer_down() -> None:
    pipe = Pipe("p", (), 4, 1, 8)
    plain = Segment("s", ("x",), ("y",), ("n",), None, (pipe,), 6, 1)
    assert plain.latency == 4 + 1
    assert _full_rate_depth(plain) == 5 + 1 + 1  # a result each cycle, and one place more
    window = Window(4, 4, 1, 1, 1, (2, 2), out_height=3, out_width=3, depth=9)
    slid = replace(plain, issuer=window)
    assert slid.latency == 2 + 4 + 1
    assert _full_rate_depth(slid) == 2 + 1  # of 8 cycles a result every 4
    few = replace(plain, issuer=window.skipping(np.array([True, False, True, True])))
    assert _full_rate_depth(few) == 3 + 1  # a result every 3


@pytest.mark.parametrize("case", BRANCHES)
def test_every_stream_is_as_wide_as_what_makes_it(case: str) -> None:
    """Results of a circuit that leave side by side are parts of one stream, the first lowest."""
    graph, folds = branches(), branch_folds(case)
    every = {node.name: folds.get(node.name, Fold()) for node in graph.nodes}
    plan = build_plan(graph, every, laid_out(graph, every))
    types = graph.types()
    for stream in plan.streams.values():
        if stream.value in types and not stream.name.endswith("_all"):
            assert stream.bits == stream.lanes * types[stream.value].fixed.width
            assert stream.beats * stream.lanes == types[stream.value].size
    for segment in plan.segments:
        out = plan.streams[segment.outputs[0]]
        assert segment.beats == out.beats
        if segment.pipes:
            assert segment.pipes[-1].lanes * segment.pipes[-1].width == out.bits
    made = {name: block for block in plan.blocks for name in block.outputs}
    for block in plan.blocks:
        assert all(name in made or name in plan.inputs for name in block.inputs)
        if isinstance(block, Fork):
            bits = [plan.streams[name].bits for name in block.outputs]
            whole = plan.streams[block.inputs[0]].bits
            if block.parts:
                assert block.parts == tuple(sum(bits[:i]) for i in range(len(bits)))
                assert sum(bits) == whole
                assert len(bits) > 1  # one result needs no splitting
            else:
                assert set(bits) == {whole}


def test_only_nodes_that_share_a_multiplier_are_said_to() -> None:
    graph = residual()
    plan = build_plan(graph, {node.name: Fold(1, 1) for node in graph.nodes})
    assert choices_of(plan).packs == {}
