"""Standard operators of ONNX files, in many legal spellings, equal onnxruntime.

Exactly where numbers lie on a grid; within half a step and what float32 loses where a table is
read, as in the tests of the same functions of PyTorch.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from onnx import TensorProto

from hwaccel.config import Config
from hwaccel.frontend import qonnx
from hwaccel.frontend.onnx_program import OPS
from tests.frontend.onnx_tools import Net, by_runtime, graph_of
from tests.frontend.tools import EXACT, frames, golden

pytest.importorskip("onnxruntime")
torch.set_num_threads(1)

FINE = Config(weight_bits=16, activation_bits=16)
BOUND = 2e-3
INT64_MAX = (1 << 63) - 1


def grid(*shape: int, seed: int = 0) -> np.ndarray:
    """Random multiples of 1/8 in [-2, 15/8], which five bits hold."""
    return (np.random.default_rng(seed).integers(-16, 16, shape) / 8).astype(np.float32)


def whole(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def add(op: str, *operands, outs: int = 1, **attrs) -> Callable[[Net], list[str]]:
    """A net of one node on ``x`` and ``operands``."""

    def build(net: Net) -> list[str]:
        made = net.add(op, net.x, *operands, outs=outs, **attrs)
        return made if outs > 1 else [made]

    return build


def then(*steps) -> Callable[[Net], list[str]]:
    """Nodes one behind the other; each is an op, its further operands, and its attributes."""

    def build(net: Net) -> list[str]:
        x = net.x
        for op, *operands, attrs in steps:
            x = net.add(op, x, *operands, **attrs)
        return [x]

    return build


def check(build, shape, tmp_path, *, opset: int = 17, exact: bool = True) -> None:
    net = Net(1, *shape, opset=opset)
    model = net.model(*build(net))
    xs = [frames(*shape)]
    if not exact:
        xs = [x / 2 for x in xs]
    config = EXACT if exact else FINE
    graph = graph_of(model, xs, config, tmp_path)
    for found, expected in zip(golden(graph, xs), by_runtime(model, xs), strict=True):
        assert found.shape == expected.shape
        if exact:
            np.testing.assert_array_equal(found, expected)
        else:
            np.testing.assert_allclose(found, expected, atol=BOUND * max(1, np.abs(expected).max()))


IMAGE, WIDE, ROW, FLAT = (4, 6, 7), (3, 8, 8), (3, 9), (12,)

EXACT_NODES = {
    # --- products
    "gemm": (add("Gemm", grid(12, 5)), FLAT),
    "gemm-trans-b": (add("Gemm", grid(5, 12), grid(5), transB=1), FLAT),
    "gemm-alpha-beta": (add("Gemm", grid(12, 5), grid(1, 5), alpha=0.5, beta=2.0), FLAT),
    "gemm-scalar-c": (add("Gemm", grid(12, 5), grid(1), alpha=2.0, beta=0.5), FLAT),
    "gemm-c-0d": (add("Gemm", grid(12, 5), grid(), beta=2.0), FLAT),
    "matmul": (add("MatMul", grid(12, 5)), FLAT),
    "matmul-left": (add("MatMul", grid(9, 4)), ROW),
    "matmul-batched": (add("MatMul", grid(4, 7, 3)), IMAGE),
    "matmul-add": (then(("MatMul", grid(12, 5), {}), ("Add", grid(5), {})), FLAT),
    "einsum": (add("Einsum", grid(3, 4), equation="bcl,cd->bdl"), ROW),
    # --- convolutions
    "conv": (add("Conv", grid(5, 4, 3, 3), grid(5)), IMAGE),
    "conv-pads": (add("Conv", grid(5, 4, 3, 3), pads=[1, 1, 1, 1]), IMAGE),
    "conv-uneven": (add("Conv", grid(5, 4, 3, 2), pads=[0, 1, 2, 0], strides=[2, 1]), IMAGE),
    "conv-groups": (add("Conv", grid(8, 2, 3, 3), group=2, dilations=[2, 1]), IMAGE),
    "conv-depthwise": (add("Conv", grid(4, 1, 3, 3), group=4, kernel_shape=[3, 3]), IMAGE),
    "conv-same-upper": (
        add("Conv", grid(2, 4, 2, 3), auto_pad="SAME_UPPER", strides=[2, 2]),
        IMAGE,
    ),
    "conv-same-lower": (
        add("Conv", grid(2, 4, 2, 3), auto_pad="SAME_LOWER", strides=[1, 2]),
        IMAGE,
    ),
    "conv-valid": (add("Conv", grid(2, 4, 2, 3), auto_pad="VALID"), IMAGE),
    "conv-1d": (add("Conv", grid(4, 3, 3), grid(4), pads=[1, 1], strides=[2]), ROW),
    "conv-1d-uneven": (add("Conv", grid(4, 3, 2), pads=[1, 0]), ROW),
    "deconv": (add("ConvTranspose", grid(4, 2, 3, 3), grid(2), strides=[2, 2]), IMAGE),
    "deconv-pads": (
        add("ConvTranspose", grid(4, 2, 3, 3), pads=[1, 1, 1, 1], strides=[2, 1]),
        IMAGE,
    ),
    "deconv-uneven": (
        add("ConvTranspose", grid(4, 2, 3, 3), pads=[0, 1, 1, 0], strides=[2, 2]),
        IMAGE,
    ),
    "deconv-groups": (
        add(
            "ConvTranspose",
            grid(4, 2, 3, 3),
            group=2,
            strides=[2, 2],
            output_padding=[1, 1],
            dilations=[1, 2],
        ),
        IMAGE,
    ),
    "deconv-shape": (
        add("ConvTranspose", grid(4, 2, 3, 3), strides=[2, 2], output_shape=[12, 14]),
        IMAGE,
    ),
    "deconv-1d": (add("ConvTranspose", grid(3, 2, 3), strides=[3], pads=[1, 1]), ROW),
    # --- arithmetic
    "relu": (add("Relu"), IMAGE),
    "neg": (add("Neg"), IMAGE),
    "identity": (then(("Identity", {}), ("Relu", {})), IMAGE),
    "dropout": (then(("Dropout", {}), ("Relu", {})), IMAGE),
    "add-scalar": (add("Add", grid()), IMAGE),
    "sub-channel": (add("Sub", grid(4, 1, 1)), IMAGE),
    "mul-channel": (add("Mul", grid(1, 4, 1, 1)), IMAGE),
    "div-scalar": (add("Div", np.float32(4)), IMAGE),
    "add-self": (add("Add", "x"), IMAGE),
    "sum": (add("Sum", "x", "x"), IMAGE),
    "mean": (add("Mean", "x"), IMAGE),
    "max-number": (add("Max", np.float32(0.5)), IMAGE),
    "min-number": (add("Min", np.float32(0.5)), IMAGE),
    "clip": (add("Clip", np.float32(-1), np.float32(2)), IMAGE),
    "clip-low": (add("Clip", np.float32(0)), IMAGE),
    "clip-high": (add("Clip", "", np.float32(1.5)), IMAGE),
    "leaky": (add("LeakyRelu", alpha=0.25), IMAGE),
    "prelu": (add("PRelu", np.float32([0.5, 0.25, 0.125, 0]).reshape(4, 1, 1)), IMAGE),
    "prelu-one": (add("PRelu", np.float32([0.5])), IMAGE),
    "abs": (add("Abs"), IMAGE),
    "sign": (add("Sign"), IMAGE),
    "floor": (add("Floor"), IMAGE),
    "ceil": (add("Ceil"), IMAGE),
    "round": (add("Round"), IMAGE),
    "thresholded": (add("ThresholdedRelu", alpha=1.5), IMAGE),
    "greater-where": (
        lambda net: [net.add("Where", net.add("Greater", net.x, grid()), net.x, np.float32(0))],
        IMAGE,
    ),
    "less-cast": (
        lambda net: [
            net.add("Cast", net.add("Less", net.x, np.float32(0.5)), to=TensorProto.FLOAT)
        ],
        IMAGE,
    ),
    # --- pooling
    "max-pool": (add("MaxPool", kernel_shape=[2, 2], strides=[2, 2]), IMAGE),
    "max-pool-stride-1": (add("MaxPool", kernel_shape=[3, 2]), IMAGE),
    "max-pool-pads": (
        add("MaxPool", kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[2, 2]),
        IMAGE,
    ),
    "max-pool-ceil": (add("MaxPool", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1), IMAGE),
    "max-pool-dilated": (add("MaxPool", kernel_shape=[2, 2], dilations=[2, 3]), IMAGE),
    "max-pool-upper": (
        add("MaxPool", kernel_shape=[2, 2], strides=[2, 2], auto_pad="SAME_UPPER"),
        IMAGE,
    ),
    "max-pool-lower": (
        add("MaxPool", kernel_shape=[2, 2], strides=[1, 1], auto_pad="SAME_LOWER"),
        IMAGE,
    ),
    "max-pool-uneven": (add("MaxPool", kernel_shape=[3, 3], pads=[2, 0, 1, 2]), IMAGE),
    "max-pool-1d": (add("MaxPool", kernel_shape=[2], strides=[2]), ROW),
    "average": (add("AveragePool", kernel_shape=[2, 2], strides=[2, 2]), IMAGE),
    "average-counted": (
        add("AveragePool", kernel_shape=[2, 2], pads=[1, 1, 1, 1], count_include_pad=1),
        IMAGE,
    ),
    "average-1d": (add("AveragePool", kernel_shape=[4], strides=[2]), ROW),
    "global-average": (add("GlobalAveragePool"), WIDE),
    "global-max": (add("GlobalMaxPool"), IMAGE),
    # --- reductions
    "reduce-mean": (add("ReduceMean", axes=[2, 3]), WIDE),
    "reduce-sum": (add("ReduceSum", whole(1), keepdims=0), IMAGE),
    "reduce-max": (add("ReduceMax", axes=[-1]), IMAGE),
    "reduce-min": (add("ReduceMin", axes=[1], keepdims=0), IMAGE),
    "argmax": (add("ArgMax", axis=1, keepdims=1), FLAT),
    "argmin": (add("ArgMin", axis=-1, keepdims=0), ROW),
    # --- shapes
    "flatten": (add("Flatten"), IMAGE),
    "flatten-last": (then(("Flatten", {"axis": 2}), ("Reshape", whole(1, 4, 42), {})), IMAGE),
    "reshape": (add("Reshape", whole(0, -1, 7)), IMAGE),
    "reshape-fixed": (add("Reshape", whole(1, 8, 21)), IMAGE),
    "transpose": (add("Transpose", perm=[0, 3, 1, 2]), IMAGE),
    "squeeze": (then(("ReduceMax", {"axes": [2]}), ("Squeeze", whole(2), {})), IMAGE),
    "unsqueeze": (add("Unsqueeze", whole(1)), ROW),
    "concat": (
        lambda net: [net.add("Concat", net.add("Relu", net.x), net.add("Neg", net.x), axis=1)],
        IMAGE,
    ),
    "concat-last": (
        lambda net: [net.add("Concat", net.add("Relu", net.x), net.add("Neg", net.x), axis=-1)],
        IMAGE,
    ),
    "split": (add("Split", whole(1, 3), outs=2, axis=1), IMAGE),
    "split-even": (add("Split", outs=2, axis=2), IMAGE),
    "slice": (add("Slice", whole(1, 0), whole(3, INT64_MAX), whole(2, 3), whole(1, 2)), IMAGE),
    "slice-negative": (add("Slice", whole(-3), whole(-1), whole(-1)), IMAGE),
    "slice-backwards": (add("Slice", whole(-1), whole(-INT64_MAX), whole(2), whole(-1)), IMAGE),
    "gather": (add("Gather", whole(2, 0, -1), axis=1), IMAGE),
    "gather-one": (add("Gather", np.int64(2), axis=2), IMAGE),
    "gather-table": (add("Gather", whole(0, 1, 2, 1).reshape(2, 2), axis=1), ROW),
    "pad": (add("Pad", whole(0, 0, 1, 2, 0, 0, 0, 1)), IMAGE),
    "pad-value": (add("Pad", whole(0, 0, 1, 2, 0, 0, 0, 1), np.float32(0.5)), IMAGE),
    "pad-crop": (add("Pad", whole(0, 0, -1, 2, 0, 1, 0, -1)), IMAGE),
    "pad-reflect": (add("Pad", whole(0, 0, 1, 2, 0, 0, 3, 1), mode="reflect"), IMAGE),
    "pad-edge": (add("Pad", whole(0, 0, 1, 0, 0, 2), mode="edge"), ROW),
    "expand": (then(("ReduceMax", {"axes": [2]}), ("Expand", whole(1, 4, 5, 7), {})), IMAGE),
    "tile": (add("Tile", whole(1, 2, 1, 1)), IMAGE),
    "depth-to-space": (add("DepthToSpace", blocksize=2), (8, 2, 3)),
    "depth-to-space-crd": (add("DepthToSpace", blocksize=2, mode="CRD"), (8, 2, 3)),
    "space-to-depth": (add("SpaceToDepth", blocksize=2), (3, 4, 6)),
    "nearest": (
        add("Resize", "", np.float32([1, 1, 2, 2]), coordinate_transformation_mode="asymmetric"),
        IMAGE,
    ),
    "nearest-half-pixel": (add("Resize", "", "", whole(1, 4, 9, 5)), IMAGE),
    "nearest-floor": (
        add(
            "Resize",
            "",
            np.float32([1, 1, 1.5, 0.5]),
            nearest_mode="floor",
            coordinate_transformation_mode="align_corners",
        ),
        IMAGE,
    ),
    "linear-1d": (
        add(
            "Resize",
            "",
            np.float32([1, 1, 4]),
            mode="linear",
            coordinate_transformation_mode="asymmetric",
        ),
        ROW,
    ),
    "batch-norm": (
        add(
            "BatchNormalization",
            grid(4),
            grid(4, seed=1),
            grid(4, seed=2),
            np.ones(4) / 4,
            epsilon=0.0,
        ),
        IMAGE,
    ),
}


@pytest.mark.parametrize("name", EXACT_NODES)
def test_exact_node(name, tmp_path):
    check(*EXACT_NODES[name], tmp_path)


CLOSE_NODES = {
    **{
        op.lower(): (add(op), IMAGE)
        for op in (
            "Sigmoid Tanh Elu Selu Celu Softplus Softsign Mish Erf HardSigmoid HardSwish "
            "Atan Sin Cos"
        ).split()
    },
    "exp": (then(("Clip", "", np.float32(1), {}), ("Exp", {})), IMAGE),
    "log": (then(("Clip", np.float32(0.25), {}), ("Log", {})), IMAGE),
    "sqrt": (then(("Clip", np.float32(0), {}), ("Sqrt", {})), IMAGE),
    "reciprocal": (then(("Clip", np.float32(0.5), {}), ("Reciprocal", {})), IMAGE),
    "pow": (then(("Clip", np.float32(-1), np.float32(1), {}), ("Pow", np.float32(3), {})), IMAGE),
    "hard-sigmoid-torch": (add("HardSigmoid", alpha=1 / 6, beta=0.5), IMAGE),
    "elu-alpha": (add("Elu", alpha=0.5), IMAGE),
    "shrink": (add("Shrink", lambd=0.75, bias=0.75), IMAGE),
    "shrink-hard": (add("Shrink", lambd=0.7), IMAGE),
    "softmax": (add("Softmax"), FLAT),
    "softmax-axis": (add("Softmax", axis=1), IMAGE),
    "log-softmax": (add("LogSoftmax", axis=-1), ROW),
    "prelu-elements": (add("PRelu", np.abs(grid(4, 6, 7)) / 2), IMAGE),
    "average-pads": (add("AveragePool", kernel_shape=[3, 3], pads=[1, 1, 1, 1]), IMAGE),
    "average-ceil": (
        add("AveragePool", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1),
        IMAGE,
    ),
    "average-uneven": (add("AveragePool", kernel_shape=[3, 2], pads=[0, 1, 2, 0]), IMAGE),
    "average-uneven-counted": (
        add("AveragePool", kernel_shape=[3, 2], pads=[0, 1, 2, 0], count_include_pad=1),
        IMAGE,
    ),
    "average-uneven-1d": (
        add("AveragePool", kernel_shape=[3], pads=[2, 0], count_include_pad=1),
        ROW,
    ),
    "average-same": (
        add("AveragePool", kernel_shape=[3, 3], strides=[2, 2], auto_pad="SAME_LOWER"),
        IMAGE,
    ),
    "layer-norm": (add("LayerNormalization", grid(7), grid(7, seed=1)), IMAGE),
    "layer-norm-axis": (add("LayerNormalization", np.abs(grid(6, 7)), axis=2), IMAGE),
    "instance-norm": (add("InstanceNormalization", grid(4), grid(4, seed=1)), IMAGE),
    "batch-norm": (
        add("BatchNormalization", grid(4), grid(4, seed=1), grid(4), np.abs(grid(4)) + 1),
        IMAGE,
    ),
    "reduce-l2": (add("ReduceL2", axes=[1]), IMAGE),
    "reduce-l1": (add("ReduceL1", axes=[1], keepdims=0), IMAGE),
    "div-values": (
        lambda net: [net.add("Div", net.x, net.add("Add", net.add("Abs", net.x), np.float32(1)))],
        IMAGE,
    ),
    "div-channel": (add("Div", np.float32([3, 5, 7, 9]).reshape(4, 1, 1)), IMAGE),
    "linear": (add("Resize", "", np.float32([1, 1, 2, 2]), mode="linear"), IMAGE),
    "linear-sizes": (add("Resize", "", "", whole(1, 4, 9, 10), mode="linear"), IMAGE),
    "linear-corners": (
        add(
            "Resize",
            "",
            np.float32([1, 1, 2, 3]),
            mode="linear",
            coordinate_transformation_mode="align_corners",
        ),
        IMAGE,
    ),
}


@pytest.mark.parametrize("name", CLOSE_NODES)
def test_close_node(name, tmp_path):
    check(*CLOSE_NODES[name], tmp_path, opset=18 if name == "mish" else 17, exact=False)


# Operators whose attributes became inputs, or whose meaning changed: opset, net, shape.
OPSETS = {
    "clip-6": (9, add("Clip", min=-1.0, max=2.0), IMAGE),
    "clip-none": (13, then(("Clip", {}), ("Relu", {})), IMAGE),
    "squeeze-11": (11, then(("ReduceMax", {"axes": [2]}), ("Squeeze", {"axes": [2]})), IMAGE),
    "unsqueeze-11": (11, add("Unsqueeze", axes=[1, -1]), (9,)),
    "reduce-sum-11": (11, add("ReduceSum", axes=[1]), IMAGE),
    "reduce-max-18": (18, add("ReduceMax", whole(1)), IMAGE),
    "pad-9": (9, add("Pad", pads=[0, 0, 1, 1, 0, 0, 0, 2], value=0.5), IMAGE),
    "pad-axes-18": (18, add("Pad", whole(1, 2), "", whole(3)), IMAGE),
    "slice-9": (9, add("Slice", starts=[1], ends=[5], axes=[2]), IMAGE),
    "split-11": (11, add("Split", outs=2, axis=1, split=[1, 3]), IMAGE),
    "split-18": (18, add("Split", outs=3, axis=3, num_outputs=3), IMAGE),
    "upsample-9": (9, add("Upsample", np.float32([1, 1, 2, 3]), mode="nearest"), IMAGE),
    "resize-10": (10, add("Resize", np.float32([1, 1, 2, 1]), mode="nearest"), IMAGE),
    "resize-axes-18": (18, add("Resize", "", "", whole(9), axes=[3]), IMAGE),
    "dropout-10": (10, then(("Dropout", {"ratio": 0.5}), ("Relu", {})), IMAGE),
    "batch-norm-9": (
        9,
        add("BatchNormalization", grid(4), grid(4), grid(4), np.ones(4) / 4, epsilon=0.0),
        IMAGE,
    ),
    "relu-21": (21, add("Relu"), IMAGE),
    "argmax-11": (11, add("ArgMax", axis=1), FLAT),
}


@pytest.mark.parametrize("name", OPSETS)
def test_opset(name, tmp_path):
    opset, build, shape = OPSETS[name]
    check(build, shape, tmp_path, opset=opset)


def test_softmax_before_opset_13_spans_all_axes_behind_the_first(tmp_path):
    check(add("Softmax", axis=1), (2, 3), tmp_path, opset=11, exact=False)
    check(add("LogSoftmax"), (2, 3), tmp_path, opset=11, exact=False)


def recurrent(op: str, gates: int, direction: str, **attrs):
    """A layer of ONNX with the batch in the middle, and its last state."""
    ways = 1 + (direction == "bidirectional")

    def build(net: Net) -> list[str]:
        x = net.add("Transpose", net.x, perm=[1, 0, 2])
        weights = [grid(ways, gates * 4, n, seed=n) / 2 for n in (5, 4)]
        bias = grid(ways, gates * 8) / 4
        y, *last = net.add(
            op, x, *weights, bias, outs=2, hidden_size=4, direction=direction, **attrs
        )
        y = net.add("Reshape", net.add("Transpose", y, perm=[2, 0, 1, 3]), whole(0, 0, -1))
        return [y, net.add("Transpose", last[0], perm=[1, 0, 2])]

    return build


@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize(
    ("op", "gates", "attrs"),
    [("LSTM", 4, {}), ("GRU", 3, {"linear_before_reset": 1}), ("RNN", 1, {})],
    ids=["lstm", "gru", "rnn"],
)
def test_recurrent(op, gates, attrs, direction, tmp_path):
    check(recurrent(op, gates, direction, **attrs), (3, 5), tmp_path, exact=False)


def test_the_page_lists_every_operator():
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "onnx.md").read_text("utf-8")
    rows = [line for line in page.splitlines() if line.startswith("|")]
    listed = {name for row in rows for name in re.findall(r"`([A-Z][A-Za-z0-9]+)`", row)}
    assert listed == {*OPS, *qonnx.OPS}
