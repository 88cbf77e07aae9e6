"""QONNX graphs equal the executor of the qonnx package: exactly, for powers of two as scales."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from hwaccel.config import Config
from tests.frontend.onnx_tools import Net, by_qonnx, by_runtime, graph_of
from tests.frontend.tools import frames, golden

pytest.importorskip("qonnx")
pytest.importorskip("onnxruntime")
torch.set_num_threads(1)

MODES = ("ROUND", "HALF_EVEN", "FLOOR", "CEIL", "UP", "DOWN", "HALF_UP", "HALF_DOWN")


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def grid(*shape: int, seed: int = 0) -> np.ndarray:
    return (np.random.default_rng(seed).integers(-16, 16, shape) / 8).astype(np.float32)


def powers(*shape: int, seed: int = 0) -> np.ndarray:
    return np.exp2(np.random.default_rng(seed).integers(-5, -1, shape)).astype(np.float32)


def weight(net: Net, *shape: int, bits: float = 4, scale=1 / 4, **attrs) -> str:
    return net.quant(normal(*shape), scale, bits=bits, **{"narrow": 1, **attrs})


# --- graphs: each function adds nodes behind the input and returns the output --------------------


def mlp(net: Net) -> str:
    x = net.quant(net.x)
    x = net.add("Gemm", x, weight(net, 16, 12), grid(16), transB=1)
    x = net.quant(net.add("Relu", x), 1 / 4, bits=5, signed=0)
    return net.quant(net.add("MatMul", x, weight(net, 16, 5)), 1 / 2)


def no_output_quantizer(net: Net) -> str:
    return net.add("MatMul", net.quant(net.x, bits=6), weight(net, 12, 5))


def two_bits(net: Net) -> str:
    x = net.quant(net.x, 1 / 2, bits=4)
    x = net.add("Relu", net.add("MatMul", x, weight(net, 12, 20, bits=2, scale=1 / 2)))
    x = net.quant(x, 1.0, bits=2, signed=0)
    return net.add("MatMul", x, weight(net, 20, 3, bits=2, scale=0.5, narrow=0))


def binary_weights(net: Net) -> str:
    x = net.quant(net.x, 1 / 2, bits=4)
    w = net.add("BipolarQuant", normal(12, 6), np.float32(0.25), domain=net.DOMAIN)
    return net.quant(net.add("MatMul", x, w), 1 / 4, bits=6)


def binary(net: Net) -> str:
    """Both weights and activations; zero counts as positive."""
    x = net.add("BipolarQuant", net.x, np.float32(1), domain=net.DOMAIN)
    w = net.add("BipolarQuant", normal(12, 8), np.float32(1), domain=net.DOMAIN)
    x = net.add("BipolarQuant", net.add("MatMul", x, w), np.float32(0.5), domain=net.DOMAIN)
    w = net.add("BipolarQuant", normal(8, 3), np.float32(1), domain=net.DOMAIN)
    return net.add("MatMul", x, w)


def one_bit(net: Net) -> str:
    """Signed ones of one bit are plus or minus a step, unsigned ones are 0 or a step."""
    a = net.quant(net.x, 1 / 4, bits=1)
    b = net.quant(net.x, 1 / 4, bits=1, signed=0)
    return net.add("Add", a, b)


def image(net: Net) -> str:
    x = net.quant(net.x, 1 / 16, bits=8)
    x = net.add("Conv", x, weight(net, 4, 3, 3, 3), pads=[1, 1, 1, 1])
    statistics = (np.ones(4), grid(4), grid(4, seed=1), np.full(4, 0.25))
    x = net.add("BatchNormalization", x, *statistics, epsilon=0.0)
    x = net.quant(net.add("Relu", x), 1 / 8, bits=6, signed=0)
    x = net.add("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    x = net.add("Flatten", x)
    return net.quant(net.add("Gemm", x, weight(net, 36, 5)), 1 / 2)


def depthwise(net: Net) -> str:
    x = net.quant(net.x, 1 / 8, bits=6)
    x = net.add("Conv", x, weight(net, 3, 1, 3, 3), group=3)
    x = net.quant(net.add("Relu", x), 1 / 8, bits=6, signed=0)
    x = net.add("Conv", x, weight(net, 5, 3, 1, 1), grid(5))
    return net.quant(x, 1 / 4)


def residual(net: Net) -> str:
    x = net.quant(net.x, 1 / 8, bits=7)
    y = net.add("Conv", x, weight(net, 3, 3, 3, 3), pads=[1, 1, 1, 1])
    y = net.quant(y, 1 / 4, bits=5)
    return net.quant(net.add("Relu", net.add("Add", x, y)), 1 / 2, bits=4, signed=0)


def concatenated(net: Net) -> str:
    x = net.quant(net.x, 1 / 8, bits=7)
    a = net.quant(net.add("Conv", x, weight(net, 2, 3, 1, 1)), 1 / 4, bits=5)
    b = net.quant(net.add("Conv", x, weight(net, 3, 3, 1, 1, scale=1 / 8)), 1 / 4, bits=4)
    return net.add("Concat", a, b, axis=1)


def weight_scales(net: Net) -> str:
    x = net.quant(net.x, 1 / 16)
    x = net.add("Conv", x, weight(net, 6, 3, 3, 3, scale=powers(6, 1, 1, 1)), grid(6))
    return net.quant(x, 1 / 4)


def weight_zero_point(net: Net) -> str:
    w = net.quant(normal(12, 5), 1 / 4, 3.0, 4, signed=0)
    return net.add("MatMul", net.quant(net.x), w)


def bias(net: Net) -> str:
    x = net.quant(net.x, 1 / 16)
    b = net.quant(normal(5), 1 / 64, bits=24)
    return net.quant(net.add("Gemm", x, weight(net, 12, 5), b), 1 / 8)


def sixteen_bits(net: Net) -> str:
    x = net.quant(net.x, 1 / 4096, bits=16)
    return net.quant(net.add("MatMul", x, weight(net, 12, 3)), 1 / 1024, bits=16)


def requantized(net: Net) -> str:
    x = net.quant(net.x, 1 / 16)
    return net.quant(net.quant(x, 1 / 4, bits=5), 1.0, bits=2)


def narrow(net: Net) -> str:
    a = net.quant(net.x, 1 / 4, bits=3, narrow=1)
    b = net.quant(net.x, 1 / 2, bits=3, narrow=1, signed=0)
    return net.add("Concat", a, b, axis=1)


def wide_step(net: Net) -> str:
    return net.quant(net.add("Neg", net.quant(net.x)), 4.0, bits=2)


def sequence(net: Net) -> str:
    x = net.quant(net.x, 1 / 16)
    x = net.add("Conv", x, weight(net, 4, 3, 3), pads=[1, 1], strides=[2])
    x = net.quant(net.add("Relu", x), 1 / 4, bits=4, signed=0)
    return net.quant(net.add("GlobalMaxPool", x), 1 / 4, bits=4, signed=0)


def upsampled(net: Net) -> str:
    x = net.quant(net.x, 1 / 8, bits=6)
    x = net.add("ConvTranspose", x, weight(net, 3, 2, 2, 2), strides=[2, 2])
    return net.quant(x, 1 / 4, bits=6)


def average_truncated(net: Net) -> str:
    """What Brevitas makes of average pooling: a sum whose last bits are dropped."""
    x = net.quant(net.x, 1 / 8, bits=6)
    x = net.add("AveragePool", x, kernel_shape=[2, 2], strides=[2, 2])
    x = net.add("Mul", x, np.float32(4))
    return net.trunc(x, 1 / 8, 0, 8, 6)


def trunc(mode: str, zero: int = 0) -> Callable[[Net], str]:
    def build(net: Net) -> str:
        return net.trunc(net.quant(net.x, 1 / 8), 1 / 8, zero, 8, 5, rounding_mode=mode)

    return build


def trunc_second(mode: str, zero: int = 0) -> Callable[[Net], str]:
    def build(net: Net) -> str:
        x = net.quant(net.x, 1 / 8)
        return net.trunc(x, 1 / 8, zero, 8, 1 / 2, 4, rounding_mode=mode, signed=1, narrow=1)

    return build


def thresholds(net: Net) -> str:
    x = net.add("Conv", net.quant(net.x, 1 / 8, bits=6), weight(net, 4, 3, 3, 3))
    limits = np.sort(grid(4, 7), axis=1)
    attrs = {"out_dtype": "UINT3", "out_scale": 0.5, "out_bias": -1.0}
    return net.add("MultiThreshold", x, limits, domain=net.DOMAIN, **attrs)


def uniform_thresholds(first, width, **attrs) -> Callable[[Net], str]:
    """Thresholds at equal distances, which are a quantizer."""

    def build(net: Net) -> str:
        x = net.quant(net.x, 1 / 8, bits=6)
        limits = np.float32(first)[:, None] + np.float32(width)[:, None] * np.arange(7)
        attrs_of = {"out_dtype": "UINT3", **attrs}
        return net.add("MultiThreshold", x, limits, domain=net.DOMAIN, **attrs_of)

    return build


def one_threshold(net: Net) -> str:
    x = net.quant(net.x, 1 / 8, bits=6)
    limits = np.float32([[0.25], [-0.5], [1.0]])
    attrs = {"out_dtype": "BIPOLAR", "out_scale": 2.0, "out_bias": -1.0}
    return net.add("MultiThreshold", x, limits, domain=net.DOMAIN, **attrs)


def attention(net: Net) -> str:
    """A product of two values."""
    x = net.quant(net.x, 1 / 4, bits=5)
    a = net.quant(net.add("MatMul", x, weight(net, 9, 4)), 1 / 2, bits=4)
    b = net.quant(net.add("MatMul", x, weight(net, 9, 4, scale=1 / 2)), 1 / 2, bits=4)
    y = net.add("MatMul", a, net.add("Transpose", b, perm=[0, 2, 1]))
    return net.quant(y, 1.0, bits=6)


def alias(op: str) -> Callable[[Net], str]:
    def build(net: Net) -> str:
        x = net.quant(net.x, op=op)
        w = net.quant(normal(12, 4), 1 / 4, bits=4, op=op)
        return net.add("MatMul", x, w)

    return build


def weight_mode(mode: str) -> Callable[[Net], str]:
    def build(net: Net) -> str:
        w = net.quant(normal(12, 6), 1 / 4, bits=4, mode=mode)
        return net.add("MatMul", net.quant(net.x, bits=6), w)

    return build


def mode(name: str, **attrs) -> Callable[[Net], str]:
    """An activation, with bounds that some numbers reach, rounded in one of the ways."""

    def build(net: Net) -> str:
        x = net.quant(net.x, 1 / 8, bits=5, mode=name, **attrs)
        x = net.add("MatMul", x, weight(net, 12, 6))
        return net.quant(x, 1 / 2, bits=5, mode=name, **attrs)

    return build


def zero_point(zero: float, name: str = "ROUND", signed: int = 0) -> Callable[[Net], str]:
    def build(net: Net) -> str:
        x = net.quant(net.x, 1 / 4, zero, 6, signed=signed, mode=name)
        x = net.add("Conv", x, weight(net, 4, 3, 2, 2))
        return net.quant(x, 1 / 2, zero, 5, signed=signed, mode=name)

    return build


def channel_scales(net: Net) -> str:
    x = net.quant(net.x, powers(1, 3, 1, 1), bits=6)
    x = net.add("Conv", x, weight(net, 4, 3, 3, 3), pads=[1, 1, 1, 1])
    x = net.quant(net.add("Relu", x), powers(4, 1, 1, seed=1) * 4, bits=4, signed=0)
    return net.quant(net.add("Conv", x, weight(net, 2, 4, 1, 1)), powers(1, 2, 1, 1), bits=7)


def channel_zero_points(net: Net) -> str:
    zeros = np.float32([3, 4, 6]).reshape(1, 3, 1, 1)
    return net.quant(net.x, powers(1, 3, 1, 1), zeros, 4, signed=0)


def bipolar_scales(net: Net) -> str:
    x = net.add("BipolarQuant", net.x, powers(1, 3, 1, 1), domain=net.DOMAIN)
    w = net.add("BipolarQuant", normal(4, 3, 2, 2), powers(4, 1, 1, 1), domain=net.DOMAIN)
    return net.add("Conv", x, w)


def residual_behind_sum(net: Net) -> str:
    """A sum that is used twice, once as it is."""
    x = net.quant(net.x, 1 / 8, bits=7)
    y = net.add("Add", x, net.quant(net.add("Neg", x), 1 / 2, bits=3, mode="FLOOR"))
    return net.add("Concat", y, net.quant(y, 1.0, bits=4, mode="CEIL"), axis=1)


FLAT, IMAGE, ROW = (12,), (3, 6, 6), (3, 9)
GRAPHS: dict[str, tuple[Callable[[Net], str], tuple[int, ...]]] = {
    "mlp": (mlp, FLAT),
    "no-output-quantizer": (no_output_quantizer, FLAT),
    "two-bits": (two_bits, FLAT),
    "binary-weights": (binary_weights, FLAT),
    "binary": (binary, FLAT),
    "one-bit": (one_bit, FLAT),
    "image": (image, IMAGE),
    "depthwise": (depthwise, IMAGE),
    "residual": (residual, IMAGE),
    "concatenated": (concatenated, IMAGE),
    "weight-scales": (weight_scales, IMAGE),
    "weight-zero-point": (weight_zero_point, FLAT),
    "bias": (bias, FLAT),
    "sixteen-bits": (sixteen_bits, FLAT),
    "requantized": (requantized, FLAT),
    "narrow": (narrow, FLAT),
    "wide-step": (wide_step, FLAT),
    "sequence": (sequence, ROW),
    "upsampled": (upsampled, IMAGE),
    "average-truncated": (average_truncated, IMAGE),
    "trunc": (trunc("FLOOR"), FLAT),
    "trunc-round": (trunc("ROUND"), FLAT),
    "trunc-ceil": (trunc("CEIL"), FLAT),
    "trunc-second": (trunc_second("FLOOR"), FLAT),
    "thresholds": (thresholds, IMAGE),
    "thresholds-uniform": (uniform_thresholds([-1.5], [0.5]), IMAGE),
    "thresholds-ties": (uniform_thresholds([-0.4375], [0.125], out_scale=0.25), IMAGE),
    "thresholds-channels": (
        uniform_thresholds([-1.5, 0.25, -2], [0.5, 0.25, 1], out_scale=0.5, out_bias=-1.5),
        IMAGE,
    ),
    "thresholds-odd": (uniform_thresholds([-1.5], [0.375], out_bias=-4.0), IMAGE),
    "one-threshold": (one_threshold, IMAGE),
    "attention": (attention, ROW),
    "int-quant": (alias("IntQuant"), FLAT),
    **{f"mode-{name.lower()}": (mode(name), FLAT) for name in MODES},
    **{f"mode-{name.lower()}-unsigned": (mode(name, signed=0), FLAT) for name in MODES},
    "mode-up-narrow": (mode("UP", narrow=1), FLAT),
    **{f"zero-{zero}": (zero_point(zero), IMAGE) for zero in (7, 16)},
    **{f"zero-{name.lower()}": (zero_point(5, name), IMAGE) for name in MODES[2:]},
    "zero-signed": (zero_point(-3, signed=1), IMAGE),
    "channel-scales": (channel_scales, IMAGE),
    "channel-zero-points": (channel_zero_points, IMAGE),
    "bipolar-scales": (bipolar_scales, IMAGE),
    "residual-behind-sum": (residual_behind_sum, FLAT),
    "trunc-zero-point": (trunc("FLOOR", 6), FLAT),
    "trunc-second-zero-point": (trunc_second("HALF_UP", 4), FLAT),
    **{f"weights-{name.lower()}": (weight_mode(name), FLAT) for name in MODES},
}


def check(build, shape, tmp_path, config: Config | None = None) -> None:
    net = Net(1, *shape)
    model = net.model(build(net))
    xs = [frames(*shape, count=8)]
    graph = graph_of(model, xs, config or Config(), tmp_path)
    (found,), (expected,) = golden(graph, xs), by_qonnx(model, xs)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("name", GRAPHS)
def test_graph(name, tmp_path):
    check(*GRAPHS[name], tmp_path)


# --- scales that are no powers of two: the same steps, in numbers that 20 bits hold -------------


def odd_scales(net: Net) -> str:
    x = net.quant(net.x, 0.0917)
    x = net.add("Gemm", x, weight(net, 16, 12, scale=0.213), grid(16), transB=1)
    x = net.quant(net.add("Relu", x), 0.1531, bits=5, signed=0)
    return net.quant(net.add("MatMul", x, weight(net, 16, 5, scale=0.0719)), 0.3217, bits=6)


def odd_channels(net: Net) -> str:
    scales = np.random.default_rng(3).uniform(0.05, 0.2, (4, 1, 1, 1)).astype(np.float32)
    x = net.quant(net.x, 0.0917, 3.0, 7, signed=0)
    x = net.add("Conv", x, weight(net, 4, 3, 3, 3, scale=scales), grid(4), pads=[1, 1, 1, 1])
    return net.quant(net.add("Relu", x), 0.1531, bits=6, signed=0, mode="FLOOR")


def odd_residual(net: Net) -> str:
    x = net.quant(net.x, 0.0917, bits=7)
    y = net.quant(net.add("Conv", x, weight(net, 3, 3, 1, 1, scale=0.3)), 0.2113, bits=5)
    return net.quant(net.add("Add", x, y), 0.3119, bits=5, mode="CEIL")


def odd_binary(net: Net) -> str:
    x = net.add("BipolarQuant", net.x, np.float32(0.7), domain=net.DOMAIN)
    w = net.add("BipolarQuant", normal(12, 8), np.float32(0.3), domain=net.DOMAIN)
    return net.quant(net.add("MatMul", x, w), 0.11, bits=5)


ODD = {
    "mlp": (odd_scales, FLAT),
    "channels": (odd_channels, IMAGE),
    "residual": (odd_residual, IMAGE),
    "binary": (odd_binary, FLAT),
}


@pytest.mark.parametrize("name", ODD)
def test_any_scale(name, tmp_path):
    build, shape = ODD[name]
    net = Net(1, *shape)
    model = net.model(build(net))
    xs = [frames(*shape, count=20)]
    (found,), (expected,) = golden(graph_of(model, xs, Config(), tmp_path), xs), by_qonnx(model, xs)
    np.testing.assert_allclose(found, expected, atol=2.0**-18 * np.abs(expected).max())


@pytest.mark.parametrize("domain", ["onnx.brevitas", "finn.custom_op.general"])
def test_other_domains_mean_the_same(domain, tmp_path):
    def graph(name: str):
        net = Net(1, 12)
        x = net.quant(net.x, domain=name)
        w = net.quant(normal(12, 4), 1 / 4, bits=4, domain=name)
        return graph_of(net.model(net.add("MatMul", x, w)), [frames(12)], Config(), tmp_path)

    assert graph(domain).nodes == graph(net_domain).nodes


net_domain = Net.DOMAIN


# --- what stands in front of a pair of QuantizeLinear and DequantizeLinear -----------------------


def linear_pair(net: Net, x: str, scale: float, zero: int, kind: type) -> str:
    given = (np.float32(scale), kind(zero))
    return net.add("DequantizeLinear", net.add("QuantizeLinear", x, *given), *given)


def qdq(net: Net) -> str:
    """Per-tensor activations with zero points, per-channel weights, an integer bias."""
    x = linear_pair(net, net.x, 1 / 16, 128, np.uint8)
    scales = powers(4)
    stored = np.random.default_rng(0).integers(-127, 128, (4, 3, 3, 3)).astype(np.int8)
    w = net.add("DequantizeLinear", stored, scales, np.zeros(4, np.int8), axis=0)
    b = net.add("DequantizeLinear", np.int32([100, -200, 3, 5]), scales / 16, axis=0)
    x = net.add("Relu", net.add("Conv", x, w, b, pads=[1, 1, 1, 1]))
    x = linear_pair(net, x, 1 / 2, 0, np.uint8)
    return linear_pair(net, net.add("GlobalMaxPool", x), 1.0, -7, np.int8)


def integers(net: Net) -> str:
    """Moves and maxima between the two, as optimizers leave them."""
    given = (np.float32(1 / 4), np.int8(-3))
    x = net.add("QuantizeLinear", net.x, *given)
    x = net.add("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    x = net.add("Transpose", x, perm=[0, 2, 3, 1])
    return net.add("DequantizeLinear", x, *given)


def stored_weights(net: Net) -> str:
    """A quantizer of a constant."""
    x = linear_pair(net, net.x, 1 / 8, 3, np.int8)
    w = linear_pair(net, normal(6, 5), 1 / 16, 0, np.int8)
    return net.add("MatMul", x, w)


@pytest.mark.parametrize(("build"), [qdq, integers, stored_weights], ids=lambda f: f.__name__)
def test_linear_quantizers(build, tmp_path):
    net = Net(1, 3, 6, 6, opset=13)
    model = net.model(build(net))
    xs = [frames(3, 6, 6)]
    graph = graph_of(model, xs, Config(), tmp_path)
    (found,), (expected,) = golden(graph, xs), by_runtime(model, xs)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("batch", ["N", "", 3])
def test_any_batch(batch, tmp_path):
    def graph(size):
        net = Net(size, 3, 6, 6)
        x = net.add("Flatten", net.quant(net.x))
        x = net.add("Reshape", x, np.array([-1, 108]))
        model = net.model(net.quant(net.add("MatMul", x, weight(net, 108, 4))))
        return graph_of(model, [frames(3, 6, 6)], Config(), tmp_path)

    assert graph(batch).nodes == graph(1).nodes
