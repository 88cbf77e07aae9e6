"""Circuits read no more of a value than it can be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwaccel.circuit import Circuit
from hwaccel.fxp import FixedType, IntArray, Rounding
from hwaccel.ir import Graph, GraphBuilder, Interpreter, TensorType
from hwaccel.ir.hardware import Fold, Style
from hwaccel.ir.op import uniform
from hwaccel.ops import Add, Conv2d, Dense, Requant, Reshape
from hwaccel.passes.intervals import channel_intervals
from hwaccel.schedule.ranges import Ranges
from tests.emit.networks import BRANCHES, branch_folds, branches, laid_out
from tests.graphs import batches, graphs

STREAM, PIXEL, SPATIAL = (Fold(style=style) for style in Style)


def two_layers() -> Graph:
    """Channels of very different reach, one of which never changes, then a dense layer."""
    rng = np.random.default_rng(4)
    b = GraphBuilder("two")
    x = b.input("x", TensorType.full((6,), FixedType.parse("s6.0")))
    weight = rng.integers(-7, 8, (8, 6))
    weight[1], weight[2, 1:], weight[5] = 0, 0, np.abs(weight[5]) > 3
    bias = np.array([0, 9, 3, -4, 90, 0, 200, -7])
    x = b.add("fc0", Dense(IntArray(weight), IntArray([0] * 8), IntArray(bias)), x)
    x = b.add("act", Requant(2, -32, 63), x)
    second = IntArray(rng.integers(-7, 8, (4, 8)))
    return b.build(b.add("fc1", Dense(second, IntArray([0] * 4), IntArray([1] * 4)), x))


def small_image() -> Graph:
    """Two convolutions with padding and a dense layer; channels reach unequally far."""
    rng = np.random.default_rng(8)
    b = GraphBuilder("image")
    x = b.input("x", TensorType.full((1, 4, 4), FixedType.parse("u4.0")))
    for i, inputs in enumerate((1, 3)):
        weight = rng.integers(-3, 4, (3, inputs, 3, 3))
        weight[0, :, 1:] = 0
        op = Conv2d(IntArray(weight), IntArray([0] * 3), IntArray([5, 0, -9]), padding=(1,) * 4)
        x = b.add(f"act{i}", Requant(3, -40, 90), b.add(f"conv{i}", op, x))
    x = b.add("flat", Reshape((48,)), x)
    head = Dense(IntArray(rng.integers(-3, 4, (2, 48))), IntArray([0] * 2), IntArray([0] * 2))
    return b.build(b.add("head", head, x))


def residual() -> Graph:
    """A convolution with padding, and the sum of its result with another's of it."""
    b = GraphBuilder("residual")
    x = b.input("x", TensorType.full((1, 4, 4), FixedType.parse("s4.0")))
    ones, zeros = IntArray(np.ones((3, 1, 3, 3))), IntArray([0] * 3)
    stem = b.add("conv0", Conv2d(ones, zeros, zeros, padding=(1,) * 4), x)
    stem = b.add("act0", Requant(1, -64, 63, Rounding.FLOOR), stem)
    inner = Conv2d(IntArray(np.ones((3, 3, 1, 1))), zeros, zeros)
    y = b.add("act1", Requant(2, -64, 63), b.add("conv1", inner, stem))
    return b.build(b.add("sum", Add.of(b.type(stem), b.type(y)), stem, y))


def circuits(graph: Graph, styles: dict[str, Fold]) -> dict[str, Circuit]:
    made = laid_out(graph, {n.name: styles.get(n.name, STREAM) for n in graph.nodes})
    return {name: item.unit.piped.circuit for name, item in made.items()}


@settings(max_examples=100, deadline=None)
@given(graph=graphs(), seed=st.integers(0, 1000))
def test_without_circuits_they_are_those_of_the_channels(graph: Graph, seed: int) -> None:
    ranges, channels = Ranges(graph), channel_intervals(graph)
    values = Interpreter(graph).trace(*batches(graph, seed))
    for name, type in graph.types().items():
        lo, hi = ranges.elements(name)
        assert lo.shape == hi.shape == type.shape
        np.testing.assert_array_equal(lo.reshape(type.channels, -1).min(axis=1), channels[name][0])
        assert (lo <= values[name]).all()
        assert (values[name] <= hi).all()


def test_behind_a_streaming_layer_every_lane_is_as_narrow_as_its_channel() -> None:
    graph = two_layers()
    found = circuits(graph, {"fc1": SPATIAL})["fc1"].inputs
    lo, hi = channel_intervals(graph)["act"]
    assert found == tuple(zip(lo.tolist(), hi.tolist(), strict=True))
    whole = graph.types()["act"]
    assert sum((whole.lo, whole.hi) != ends for ends in found) >= 3


def test_narrow_lanes_cost_less(monkeypatch: pytest.MonkeyPatch) -> None:
    graph, styles = two_layers(), {"fc1": SPATIAL}
    luts = _luts(graph, styles)
    types = graph.types()
    monkeypatch.setattr(Ranges, "channels", lambda self, name: uniform(types[name]))
    assert luts < 0.95 * _luts(graph, styles)


def _luts(graph: Graph, folds: dict[str, Fold]) -> int:
    return sum(item.area.luts for item in laid_out(graph, folds).values())


def test_what_never_changes_is_not_read() -> None:
    graph = two_layers()
    circuit = circuits(graph, {"fc1": SPATIAL})["fc1"]
    lo, hi = circuit.inputs[1]
    assert lo == hi == 2
    assert 1 not in [node.index for node in circuit.nodes if node.kind == "input"]


def test_behind_a_circuit_every_element_is_known_by_itself() -> None:
    """A residual around a streaming layer: its ends are circuits that cannot be one."""
    graph = residual()
    found = circuits(graph, dict.fromkeys(("conv0", "act0", "sum"), SPATIAL))
    corner, middle = (found["sum"].inputs[3 * i] for i in (0, 5))
    assert middle[0] < corner[0]
    assert corner[1] < middle[1]
    channels = circuits(graph, {"sum": SPATIAL})["sum"].inputs
    assert channels[0] == channels[15] == middle


@pytest.mark.parametrize(
    "styles",
    [
        {"conv0": SPATIAL, "act0": SPATIAL, "flat": SPATIAL, "head": SPATIAL},
        {"conv0": PIXEL, "act0": PIXEL, "conv1": PIXEL, "act1": PIXEL, "head": SPATIAL},
        {"conv0": PIXEL, "act0": PIXEL, "conv1": SPATIAL, "act1": SPATIAL},
        {"conv1": PIXEL, "act1": PIXEL, "head": SPATIAL},
    ],
)
def test_values_lie_in_the_intervals_of_every_circuit(styles: dict[str, Fold]) -> None:
    _check_values(small_image(), styles)


def test_values_around_a_streaming_layer_lie_in_them() -> None:
    _check_values(residual(), dict.fromkeys(("conv0", "act0", "sum"), SPATIAL))


@pytest.mark.parametrize("case", BRANCHES)
def test_values_of_branches_lie_in_them(case: str) -> None:
    _check_values(branches(), branch_folds(case))


def _check_values(graph: Graph, folds: dict[str, Fold]) -> None:
    """Run frames through golden and every circuit's inputs through its intervals."""
    made = laid_out(graph, folds)
    rng = np.random.default_rng(3)
    xs = [rng.integers(v.type.lo, v.type.hi + 1, (40, *v.type.shape)) for v in graph.inputs]
    for x, v in zip(xs, graph.inputs, strict=True):
        x[0], x[1] = v.type.lo, v.type.hi
        x[2:20] = rng.choice([v.type.lo, v.type.hi], x[2:20].shape)
    values = Interpreter(graph).trace(*xs)
    for item in made.values():
        at = 0
        for name, lanes in zip(item.region.inputs, item.unit.ins, strict=True):
            type = graph.types()[name]
            ends = np.array(item.unit.piped.circuit.inputs[at : at + lanes.count])
            at += lanes.count
            pixels = values[name].reshape(len(values[name]), type.channels, -1)
            if lanes.count == type.size:  # the whole frame, pixel by pixel
                flat = pixels.transpose(0, 2, 1).reshape(len(pixels), -1)
                assert (ends[:, 0] <= flat).all()
                assert (flat <= ends[:, 1]).all()
            else:  # taps, each with all channels
                for tap in ends.reshape(-1, type.channels, 2):
                    assert (tap[:, 0] <= pixels.min(axis=(0, 2))).all()
                    assert (pixels.max(axis=(0, 2)) <= tap[:, 1]).all()
