"""A model that is quantized by powers of two already comes through unchanged in every bit."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from hwaccel.config import Config
from tests.frontend.tools import Lambda, answers, convert, golden, ops


class Quant(nn.Module):
    """Fake quantization of ``bits`` bits with a power-of-two scale."""

    def __init__(self, bits: int, frac: int, *, signed: bool) -> None:
        super().__init__()
        self.scale = 2.0**-frac
        self.lo, self.hi = (
            (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, 2**bits - 1)
        )

    def forward(self, x):
        return torch.fake_quantize_per_tensor_affine(x, self.scale, 0, self.lo, self.hi)


class QuantLinear(nn.Linear):
    """Weights of four bits per channel, bias of eight."""

    def weights(self):
        count = self.weight.shape[0]
        scale = 2.0 ** -(torch.arange(count) % 3 + 3)
        zero = torch.zeros(count, dtype=torch.int32)
        return torch.fake_quantize_per_channel_affine(self.weight, scale, zero, 0, -8, 7)

    def forward(self, x):
        bias = torch.fake_quantize_per_tensor_affine(self.bias, 2.0**-6, 0, -128, 127)
        return functional.linear(x, self.weights(), bias)


class QuantConv2d(nn.Conv2d):
    """Weights of five bits per tensor, no bias."""

    def forward(self, x):
        weight = torch.fake_quantize_per_tensor_affine(self.weight, 2.0**-5, 0, -16, 15)
        return self._conv_forward(x, weight, None)


def mlp():
    return nn.Sequential(
        Quant(8, 5, signed=True),
        QuantLinear(16, 24),
        nn.ReLU(),
        Quant(6, 3, signed=False),
        nn.Dropout(),
        QuantLinear(24, 20),
        Quant(6, 2, signed=True),
        nn.ReLU(),
        QuantLinear(20, 5),
    )


class Residual(nn.Module):
    """Input, convolution, pooling, a residual block, a global average, a classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.quant_in = Quant(8, 8, signed=False)
        self.stem = QuantConv2d(2, 6, 3, padding=1)
        self.quant_stem = Quant(6, 4, signed=False)
        self.pool = nn.MaxPool2d(2)
        self.conv1 = QuantConv2d(6, 6, 3, padding=1)
        self.quant1 = Quant(6, 4, signed=False)
        self.conv2 = QuantConv2d(6, 6, 3, padding=1, groups=2)
        self.relu = nn.ReLU(inplace=True)
        self.quant2 = Quant(7, 3, signed=False)
        self.average = nn.AdaptiveAvgPool2d(1)
        self.quant3 = Quant(7, 5, signed=False)
        self.fc = QuantLinear(6, 4)

    def forward(self, x):
        x = self.quant_in(x)
        x = self.pool(self.quant_stem(self.relu(self.stem(x))))
        y = self.quant1(self.relu(self.conv1(x)))
        y = self.conv2(y)
        y += x
        y = self.quant2(self.relu(y))
        z = self.quant3(self.average(y).flatten(1))
        return self.fc(z), y


@pytest.mark.parametrize("seed", range(3))
def test_mlp(seed):
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    model = mlp()
    graph = convert(model, [rng.normal(size=(16, 16)).astype(np.float32)], Config(weight_bits=4))
    assert ops(graph) == ["dense", "relu", "requant", "dense", "requant", "relu", "dense"]
    # Frames of another distribution than the calibration's: clipping must agree as well.
    x = rng.normal(scale=4, size=(2000, 16)).astype(np.float32)
    np.testing.assert_array_equal(golden(graph, [x])[0], answers(model, [x])[0])


@pytest.mark.parametrize("seed", range(3))
def test_cnn_with_residual_and_pooling(seed):
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    model = Residual()
    graph = convert(model, [rng.random((16, 2, 8, 8), np.float32)], Config(weight_bits=5))
    assert ops(graph).count("requant") == 4
    x = rng.normal(0.5, 0.6, (300, 2, 8, 8)).astype(np.float32)
    for found, expected in zip(golden(graph, [x]), answers(model, [x]), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_fake_quantize_ties_go_to_even():
    model = nn.Sequential(Quant(8, 4, signed=True), Quant(6, 2, signed=True))
    x = (np.arange(-140, 140, dtype=np.float32) / 16).reshape(-1, 4)
    graph = convert(model, [x])
    assert ops(graph) == ["requant"]
    np.testing.assert_array_equal(golden(graph, [x])[0], answers(model, [x])[0])


def test_input_format_comes_from_the_model_unless_asked_for():
    model = nn.Sequential(Quant(6, 3, signed=False), nn.ReLU(), QuantLinear(4, 2))
    x = np.random.default_rng(0).random((8, 4), np.float32)
    stated = convert(model, [x], Config())
    assert str(stated.inputs[0].type) == "4 u6.3"
    asked = convert(model, [x], Config(input="s10.6"))
    assert str(asked.inputs[0].type) == "4 s10.6"
    assert ops(asked) == ["requant", "relu", "dense"]


def test_qparams_in_buffers():
    class Learned(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("scale", torch.tensor([0.125]))
            self.register_buffer("zero", torch.tensor([0], dtype=torch.int32))

        def forward(self, x):
            return torch.fake_quantize_per_tensor_affine(x, self.scale, self.zero, -8, 7)

    model = nn.Sequential(Learned(), nn.ReLU())
    x = np.random.default_rng(0).normal(size=(8, 4)).astype(np.float32)
    graph = convert(model, [x], Config())
    assert str(graph.inputs[0].type) == "4 s4.3"
    np.testing.assert_array_equal(golden(graph, [x])[0], answers(model, [x])[0])


def test_what_the_model_rounds_is_not_rounded_before():
    def forward(m, x):
        y = m.fc(m.first(x))
        return m.second(y), m.head(torch.relu(y))

    children = {
        "first": Quant(8, 4, signed=True),
        "fc": QuantLinear(4, 4),
        "second": Quant(12, 8, signed=True),
        "head": nn.Linear(4, 2),
    }
    model = Lambda(forward, **children)
    x = np.random.default_rng(0).normal(size=(64, 4)).astype(np.float32)
    graph = convert(model, [x], Config(activation_bits=4))
    np.testing.assert_array_equal(golden(graph, [x])[0], answers(model, [x])[0])
