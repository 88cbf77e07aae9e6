"""What differs is found, and so is why: with values made wrong in ways that are known."""

from __future__ import annotations

import numpy as np
import pytest

from hwaccel.api import convert
from hwaccel.config import Config
from hwaccel.ir import Interpreter
from hwaccel.opinions.arithmetic import ApType, emulated
from hwaccel.opinions.differences import compared
from hwaccel.opinions.layers import layers_of
from hwaccel.opinions.record import LayerOpinion, Opinion
from tests.opinions.nets import mlp

RNG = np.random.default_rng(1)
# Formats for small inputs, so that larger ones saturate.
SMALL = RNG.random((64, 8), dtype=np.float32) * 0.3
GRAPH = convert(mlp(), SMALL, config=Config(input="u8.8")).graph
LAYERS = layers_of(GRAPH)
X = RNG.integers(0, 256, (50, 8))
GOLDEN = Interpreter(GRAPH).trace(X)


def other_tool(**changed: dict[str, str]) -> tuple[LayerOpinion, ...]:
    """Compare with a tool that computes exactly, but with some types changed, by layer and use."""
    known = {"x0": np.ldexp(X.astype(np.float64), -GRAPH.inputs[0].type.frac)}
    given = {}
    for layer in LAYERS.layers:
        given[layer.name] = {**layer.types, **changed.get(layer.name, {})}
        types = {use: ApType.parse(text) for use, text in given[layer.name].items()}
        known[layer.name] = emulated(layer, [known[name] for name in layer.inputs], types)
    traces = {layer.name: known[layer.name] for layer in LAYERS.layers}
    return compared(LAYERS, GOLDEN, traces, given)


def test_the_same_types_are_the_same_values():
    found = other_tool()
    assert [layer.kind for layer in found] == ["Linear", "ReLU", "Linear"]
    assert [layer.values for layer in found] == [300, 300, 200]
    for layer in found:
        assert (layer.different, layer.largest, layer.reason) == (0, 0.0, "")


@pytest.mark.parametrize(
    ("name", "use", "text", "reason"),
    [
        (
            "n1", "result", "ap_ufixed<8,-1,AP_TRN,AP_SAT>",
            "explained by rounding of result: ap_ufixed<8,-1,AP_TRN,AP_SAT> instead of "
            "ap_ufixed<8,-1,AP_RND_CONV,AP_SAT>",
        ),
        (
            "n1", "result", "ap_ufixed<8,-1,AP_RND_CONV,AP_WRAP>",
            "explained by saturation of result: ap_ufixed<8,-1,AP_RND_CONV,AP_WRAP> instead of "
            "ap_ufixed<8,-1,AP_RND_CONV,AP_SAT>",
        ),
        (
            "n0", "accum", "ap_fixed<12,4>",
            "explained by width of accum: ap_fixed<12,4> instead of ap_fixed<18,2>",
        ),
        (
            "n2", "accum", "ap_fixed<17,0>",
            "explained by width of accum: ap_fixed<17,0> instead of ap_fixed<20,2>",
        ),
        (
            "n2", "weight", "ap_fixed<6,1>",
            "explained by width of weight: ap_fixed<6,1> instead of ap_fixed<9,0>",
        ),
    ],
    ids=["rounding", "saturation", "products cut", "sums wrap", "weights"],
)  # fmt: skip
def test_one_type_that_differs_is_the_reason(name: str, use: str, text: str, reason: str):
    found = {layer.layer: layer for layer in other_tool(**{name: {use: text}})}
    wrong = found[name]
    assert wrong.reason == reason
    assert wrong.alone == wrong.different > 0
    assert list(wrong.given) == [use]
    for layer, told in found.items():
        if layer < name:
            assert told.different == 0
        if layer > name and told.different:
            assert told.alone == 0
            assert told.reason == "the operands differ already; from these, the result is the same"


def test_the_first_and_the_largest_difference():
    known = {layer.name: np.ldexp(
        GOLDEN[layer.value].astype(np.float64), -layer.nodes[-1].output.type.frac
    ) for layer in LAYERS.layers}  # fmt: skip
    known["n2"] = known["n2"].copy()
    known["n2"][3, 1] += 0.5
    known["n2"][9, 2] -= 2.0
    last = compared(LAYERS, GOLDEN, known, {})[-1]
    assert (last.different, last.largest, last.first) == (2, 2.0, (3, 1))
    assert last.found == last.expected + 0.5
    assert last.reason == "not known: the types are those that were asked for"


def test_the_line():
    opinion = Opinion(
        design="d", tool="hls4ml", version="1", frames=50, asked=True, layers=other_tool()
    )
    assert opinion.same
    assert opinion.line == "hls4ml 1, 50 frames: 3 layers, all 800 values the same"
    layers = other_tool(n1={"result": "ap_ufixed<8,-1,AP_TRN,AP_SAT>"})
    count = sum(layer.different for layer in layers)
    wrong = Opinion(design="d", tool="hls4ml", version="1", frames=50, asked=True, layers=layers)
    assert not wrong.same
    assert wrong.line == f"hls4ml 1, 50 frames: 3 layers, 2 differ in {count} of 800 values"
