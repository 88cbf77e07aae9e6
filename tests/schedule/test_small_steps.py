"""Small steps of the schedule, each on its own."""

from __future__ import annotations

from hwaccel.fxp import FixedType
from hwaccel.ir import Graph, GraphBuilder, TensorType
from hwaccel.ir.hardware import Fold
from hwaccel.ops import Add, Relu
from hwaccel.schedule.buffers import _least
from hwaccel.schedule.plan import build_plan


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
