"""Upsampling, transposed convolution, and averages whose windows differ."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from hwaccel.config import Config
from tests.frontend.tools import Lambda, answers, check_exact, convert, frames, golden, on_grid

TRANSPOSED = [
    {"kernel_size": 3},
    {"kernel_size": 2, "stride": 2},
    {"kernel_size": 3, "stride": 2, "padding": 1, "output_padding": 1},
    {"kernel_size": (3, 2), "stride": (1, 3), "padding": (2, 0), "bias": False},
    {"kernel_size": 3, "stride": 2, "dilation": 2, "padding": 1},
    {"kernel_size": 1, "stride": 2, "padding": 0},
    {"kernel_size": 3, "stride": 2, "padding": 3},
    {"kernel_size": 2, "stride": 3, "groups": 2},
]


@pytest.mark.parametrize("arguments", TRANSPOSED, ids=str)
def test_conv_transpose2d(arguments):
    check_exact(on_grid(nn.ConvTranspose2d(4, 6, **arguments)), frames(4, 4, 5))


def test_conv_transpose1d():
    check_exact(on_grid(nn.ConvTranspose1d(3, 2, 4, 2, 1)), frames(3, 6))


@pytest.mark.parametrize("align", [False, True])
@pytest.mark.parametrize("size", [(8, 8), (4, 12), (5, 3), (1, 4)], ids=str)
def test_bilinear(size, align):
    model = Lambda(
        lambda m, x: functional.interpolate(x, size=size, mode="bilinear", align_corners=align)
    )
    xs = frames(2, 4, 4)
    graph = convert(model, [xs], Config(input="s8.4", weight_bits=12, activation_bits=12))
    (found,), (expected,) = golden(graph, [xs]), answers(model, [xs])
    # Weights are rounded to 12 bits along both axes, and so is what stands between.
    assert abs(found - expected).max() < 2**-6


def test_bilinear_by_two_is_exact():
    config = Config(input="s8.4", weight_bits=5, activation_bits=12)
    for scale in (2, 4):
        model = nn.Upsample(scale_factor=scale, mode="bilinear")
        check_exact(model, frames(2, 3, 4), config=config)
    check_exact(nn.Upsample(scale_factor=2, mode="linear"), frames(2, 5), config=config)


AVERAGES = [
    nn.AvgPool2d(3, 2, 1, count_include_pad=False),
    nn.AvgPool2d(2, 2, 1, count_include_pad=False),
    nn.AvgPool2d(3, 2, ceil_mode=True),
    nn.AvgPool2d((2, 3), 2, (1, 1), ceil_mode=True),
    nn.AvgPool2d(2, 3, 1, ceil_mode=True, divisor_override=4),
    nn.AdaptiveAvgPool2d((3, 4)),
    nn.AdaptiveAvgPool2d(5),
]


@pytest.mark.parametrize("model", AVERAGES, ids=str)
def test_averages(model):
    xs = frames(3, 7, 6)
    graph = convert(model, [xs], Config(input="s8.4", weight_bits=12, activation_bits=12))
    (found,), (expected,) = golden(graph, [xs]), answers(model, [xs])
    assert abs(found - expected).max() < 2**-6


CLIPS = {
    "relu6": nn.ReLU6(),
    "hardtanh": nn.Hardtanh(),
    "hardtanh-wide": nn.Hardtanh(-3.5, 20),
    "clamp": Lambda(lambda m, x: x.clamp(-2, 2.5)),
    "clamp-max": Lambda(lambda m, x: x.clamp(max=1.25)),
    "clamp-min": Lambda(lambda m, x: x.clamp(min=-1)),
    "clamp-to-one-side": Lambda(lambda m, x: x.clamp(100, 200)),
    "in-place": nn.Sequential(on_grid(nn.Conv2d(3, 3, 1)), nn.ReLU6(inplace=True)),
}


@pytest.mark.parametrize("name", CLIPS)
def test_clip(name):
    check_exact(CLIPS[name], frames(3, 4, 4))


def test_clip_comes_before_rounding():
    model = nn.Sequential(on_grid(nn.Conv2d(2, 2, 1)), nn.ReLU6(), on_grid(nn.Conv2d(2, 2, 1)))
    graph = convert(model, [frames(2, 4, 4)])
    kinds = [node.op.name for node in graph.nodes]
    assert kinds == ["conv2d", "requant", "requant", "conv2d"]
    assert graph.nodes[2].output.type.lo == 0
    with torch.no_grad():
        assert model(torch.zeros(1, 2, 1, 1)).shape == (1, 2, 1, 1)
