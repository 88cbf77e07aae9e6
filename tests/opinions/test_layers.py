"""A graph as layers: exact numbers, the types they need, and what has no layer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hwaccel.api import convert
from hwaccel.fxp import FixedType, IntArray, Overflow, Rounding
from hwaccel.ir import Graph, Interpreter
from hwaccel.ir.graph import GraphBuilder
from hwaccel.ir.types import TensorType
from hwaccel.opinions.arithmetic import ApType, emulated
from hwaccel.opinions.layers import Layers, ap_type, layers_of
from hwaccel.ops import Conv2d, Dense, MaxPool2d, Requant, Reshape, SumPool2d
from tests.opinions.nets import cnn, odd

RNG = np.random.default_rng(0)


def ints(*shape: int, most: int = 100) -> IntArray:
    return IntArray(RNG.integers(-most, most + 1, shape))


def made(op: Any, shape: tuple[int, ...], fixed: str = "s8.4", *behind: Any) -> Graph:
    build = GraphBuilder("g")
    value = build.input("x", TensorType.full(shape, FixedType.parse(fixed)))
    for number, one in enumerate((op, *behind)):
        value = build.add(f"v{number}", one, value)
    return build.build(value)


def frames(graph: Graph, count: int = 7) -> list[np.ndarray]:
    return [
        RNG.integers(value.type.lo, value.type.hi + 1, (count, *value.type.shape))
        for value in graph.inputs
    ]


# --- types ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["s8.4", "u8.8", "s4.-3", "u1.0", "s5.9"])
@pytest.mark.parametrize(
    ("rounding", "mode"),
    [
        (Rounding.FLOOR, "AP_TRN"),
        (Rounding.HALF_UP, "AP_RND"),
        (Rounding.HALF_EVEN, "AP_RND_CONV"),
    ],
)
@pytest.mark.parametrize(
    ("overflow", "name"), [(Overflow.SATURATE, "AP_SAT"), (Overflow.WRAP, "AP_WRAP")]
)
def test_a_cast_is_a_requant(text, rounding, mode, overflow, name):
    fixed = FixedType.parse(text)
    type = ApType.parse(ap_type(fixed, mode, name))
    shift = 3
    x = np.arange(-600, 600)
    want = Requant(shift, fixed.lo, fixed.hi, rounding, overflow).golden(x)
    found = type.cast(np.ldexp(x.astype(np.float64), -fixed.frac - shift))
    np.testing.assert_array_equal(np.ldexp(found, fixed.frac), want)


def test_names_of_types():
    assert str(ApType.parse("fixed<24,8,TRN,WRAP,0>")) == "ap_fixed<24,8>"
    assert str(ApType.parse("ufixed<8,1,RND_CONV,SAT,0>")) == "ap_ufixed<8,1,AP_RND_CONV,AP_SAT>"
    assert ApType.parse("uint<3>") == ApType(False, 3, 3)
    assert ApType.parse("ap_fixed<4,-2,AP_RND>") == ApType(True, 4, -2, "RND")
    for text in ("", "float", "fixed<8>x", "fixed<8,1,RND_INF,SAT,0>", "exponent_type<4>"):
        assert ApType.parse(text) is None or text == "fixed<8>"
    assert ap_type(FixedType.parse("u8.8")) == "ap_ufixed<8,0>"


# --- layers --------------------------------------------------------------------------------------


def values(graph: Graph) -> tuple[Layers, dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return layers, golden values, and what the layers give by their numbers and types."""
    layers = layers_of(graph)
    types = graph.types()
    golden = {
        name: np.ldexp(x.astype(np.float64), -types[name].frac)
        for name, x in Interpreter(graph).trace(*frames(graph)).items()
    }
    known = {one.name: golden[one.value] for one in layers.sources}
    for layer in layers.layers:
        asked = {use: ApType.parse(text) for use, text in layer.types.items()}
        known[layer.name] = emulated(layer, [known[name] for name in layer.inputs], asked)
    return layers, golden, known


@pytest.mark.parametrize(
    "graph",
    [
        made(Dense(ints(3, 5), ints(3, most=0), ints(3), 4), (5,)),
        made(
            Dense(ints(3, 5), IntArray([0, 2, 1]), ints(3), 4), (5,), "s8.4",
            Requant(5, -127, 127),
        ),
        made(
            Conv2d(
                ints(3, 2, 2, 3), IntArray([1, 0, 2]), ints(3), 6, (2, 1), (1, 2, 1, 2), (1, 2)
            ), (2, 6, 7), "u8.8", Requant(7, 0, 63),
        ),
        made(
            Conv2d(ints(3, 2, 1, 1), ints(3, most=0), ints(3), 0), (2, 3, 3), "s8.0",
            Requant(3, -16, 15, Rounding.FLOOR, Overflow.WRAP),
        ),
        made(SumPool2d((2, 2), (2, 2), gain=2), (3, 4, 4), "s8.4", Requant(2, -64, 63)),
        made(MaxPool2d((2, 3), (1, 2)), (3, 4, 5), "s8.4", Reshape((18,))),
    ],
    ids=["dense", "symmetric", "conv", "wrap", "average", "pool"],
)  # fmt: skip
def test_layers_with_their_types_are_the_graph(graph: Graph):
    layers, golden, known = values(graph)
    assert layers.refused == ()
    for layer in layers.layers:
        np.testing.assert_array_equal(known[layer.name], golden[layer.value])
    assert layers.layers[-1].value == graph.outputs[0]


def test_a_network():
    graph = convert(cnn(), RNG.random((32, 2, 8, 8), dtype=np.float32)).graph
    layers, golden, known = values(graph)
    assert layers.refused == ()
    kinds = [layer.kind for layer in layers.layers]
    assert layers.layers[-1].order == (0, 2, 4, 1, 3, 5)
    assert kinds == (
        "Conv2d ReLU MaxPool2d Conv2d add ReLU Conv2d ReLU AvgPool2d Flatten Linear".split()
    )
    for layer in layers.layers:
        # PyTorch flattens an image channel by channel, the graph pixel by pixel.
        found = known[layer.name]
        if layer.kind == "Flatten":
            found = found[:, list(layers.layers[-1].order)]
        np.testing.assert_array_equal(found, golden[layer.value])
    nodes = [node.name for layer in layers.layers for node in layer.nodes]
    assert sorted(nodes) == sorted(node.name for node in graph.nodes)


def test_groups_are_zeros_in_one_convolution():
    grouped = Conv2d(ints(6, 2, 3, 3), ints(6, most=0), ints(6), groups=3)
    graph = made(grouped, (6, 5, 5))
    (layer,) = layers_of(graph).layers
    assert layer.arguments["in_channels"] == 6
    whole = Conv2d(IntArray(layer.arrays["weight"]), grouped.shift, grouped.bias)
    (x,) = frames(graph)
    np.testing.assert_array_equal(whole.golden(x), grouped.golden(x))


def why(graph: Graph) -> list[str]:
    return [refused.why for refused in layers_of(graph).refused]


def test_what_has_no_layer():
    ragged = Conv2d(ints(4, 2, 3, 3), ints(4, most=0), ints(4), padding=(0, 0, 1, 1))
    assert why(made(ragged, (2, 5, 5))) == [
        "PyTorch pads both sides alike, and this pads them differently"
    ]
    assert why(made(SumPool2d((3, 3), (1, 1), gain=3), (2, 5, 5))) == [
        "a sum of 9 values is no average, and hls4ml pools averages only"
    ]
    assert why(made(Reshape((2, 9)), (2, 3, 3))) == ["of reshapes, only a flattening is translated"]
    clipped = made(Dense(ints(3, 5), ints(3, most=0), ints(3), 4), (5,), "s8.4", Requant(5, -9, 6))
    assert why(clipped) == ["clips to [-9, 6], where no ap_fixed saturates"]
    assert why(made(Requant(2, -32, 31), (5,))) == [
        "hls4ml rounds only at the end of a layer, and this rounds what others read as it is, or "
        "what no layer gives"
    ]


def test_behind_what_has_no_layer_golden_values_are_given():
    graph = convert(odd(), RNG.random((32, 8), dtype=np.float32)).graph
    layers, golden, known = values(graph)
    (refused,) = layers.refused
    assert refused.why == "hls4ml has no layer that does what table does"
    assert [source.value for source in layers.sources] == [graph.inputs[0].name, refused.node.name]
    assert [layer.kind for layer in layers.layers] == ["Linear", "Linear"]
    for layer in layers.layers:
        np.testing.assert_array_equal(known[layer.name], golden[layer.value])
