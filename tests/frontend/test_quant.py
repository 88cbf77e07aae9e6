"""Where values are rounded, at how many bits, how well, and what is refused."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch
from torch import nn

from hwaccel.config import Config, LayerConfig
from hwaccel.errors import ConfigError, FrontendError
from hwaccel.frontend.quant import quantize
from hwaccel.frontend.torch_export import trace
from hwaccel.fxp import Rounding
from hwaccel.ir import Interpreter
from tests.frontend.tools import Lambda, answers, convert, frames, golden, on_grid, ops

PLAIN = Config()
NOTHING = "computes nothing, or is folded into the layer in front; leave it out"
WANTED = "expected (N, 4); the first axis is the batch"


def normal(*shape: int, count: int = 64, seed: int = 3, scale: float = 1.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(scale=scale, size=(count, *shape)).astype(np.float32)


class Block(nn.Module):
    def __init__(self, channels: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.skip = nn.Conv2d(channels, channels, 1, stride) if stride > 1 else nn.Identity()

    def forward(self, x):
        y = torch.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return torch.relu(y + self.skip(x))


@cache
def resnet() -> nn.Module:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        Block(8),
        nn.MaxPool2d(2),
        Block(8, 2),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, 5),
    )
    with torch.no_grad():
        for _ in range(10):
            model(torch.randn(8, 3, 12, 12))
    return model


@pytest.mark.parametrize(("bits", "tolerance"), [(8, 0.1), (12, 0.01), (16, 1e-3)])
@pytest.mark.parametrize("calibration", ["mse", "minmax"])
def test_a_residual_network_stays_close(bits, tolerance, calibration):
    model, x = resnet(), normal(3, 12, 12)
    config = Config(weight_bits=bits, activation_bits=bits, calibration=calibration)
    graph = convert(model, [x], config)
    (expected,) = answers(model, [x])
    error = np.abs(golden(graph, [x])[0] - expected).max() / np.abs(expected).max()
    assert error < tolerance
    for node in graph.nodes:
        if node.op.name == "requant":
            assert node.output.type.fixed.width <= bits


def test_requants_stand_behind_groups():
    graph = convert(resnet(), [normal(3, 12, 12)], PLAIN)
    assert [node.name for node in graph.nodes][:8] == [
        "n_0_conv2d",
        "n_2_relu",
        "n_0_requant",
        "n_3_conv1_conv2d",
        "n_3_relu",
        "n_3_conv1_requant",
        "n_3_conv2_conv2d",
        "n_3_conv2_requant",
    ]
    assert ops(graph)[-5:] == ["sumpool2d", "scale", "requant", "reshape", "dense"]


def test_formats_follow_signs():
    model = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8), nn.Linear(8, 4))
    graph = convert(model, [np.abs(normal(8))], Config(activation_bits=6))
    assert not graph.inputs[0].type.fixed.signed
    signs = [n.output.type.fixed.signed for n in graph.nodes if n.op.name == "requant"]
    assert signs == [False, True]
    assert [(n.op.lo, n.op.hi) for n in graph.nodes if n.op.name == "requant"] == [
        (0, 63),
        (-32, 31),
    ]


def test_relu_behind_a_pool_makes_the_requant_unsigned():
    model = nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.MaxPool2d(2), nn.ReLU(), nn.Flatten(), nn.Linear(8, 2)
    )
    graph = convert(model, [normal(1, 6, 6)], PLAIN)
    assert ops(graph) == ["conv2d", "requant", "maxpool2d", "relu", "reshape", "dense"]
    assert graph.nodes[1].op.lo == 0


def test_no_requant_where_the_sum_is_narrow_enough():
    model = on_grid(nn.Sequential(nn.Linear(1, 2, bias=False), nn.Linear(2, 2)))
    config = Config(input="u2.0", weight_bits=5, activation_bits=16)
    assert ops(convert(model, [np.abs(frames(1))], config)) == ["dense", "dense"]


def test_outputs_stay_exact_unless_asked_for():
    model, x = nn.Sequential(nn.Linear(8, 4)), normal(8)
    assert ops(convert(model, [x], PLAIN)) == ["dense"]
    graph = convert(model, [x], Config(output_bits=6))
    assert ops(graph) == ["dense", "requant"]
    assert graph.types()[graph.outputs[0]].fixed.width == 6
    assert graph.nodes[1].path == "0"


def test_an_output_that_is_read_as_well_stays_exact():
    def forward(m, x):
        y = m.a(x)
        return y, m.b(y)

    model = Lambda(forward, a=nn.Linear(4, 4), b=nn.Linear(4, 4))
    graph = convert(model, [normal(4)], PLAIN)
    assert ops(graph) == ["dense", "requant", "dense"]
    assert graph.outputs == ("a_dense", "b_dense")


@pytest.mark.parametrize("rounding", ["half_even", "half_up", "floor"])
def test_rounding(rounding):
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2))
    graph = convert(model, [normal(4)], Config(rounding=rounding))
    assert [n.op.rounding for n in graph.nodes if n.op.name == "requant"] == [Rounding(rounding)]


def test_bits_per_layer():
    model = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 4))
    layers = {
        "0": LayerConfig(weight_bits=3, activation_bits=5),
        "2": LayerConfig(activation_bits=7),
    }
    graph = convert(model, [normal(8)], Config(layers=layers))
    widths = [n.output.type.fixed.width for n in graph.nodes if n.op.name == "requant"]
    assert widths == [5, 7]
    first, second, _ = [n.op.weight.a for n in graph.nodes if n.op.name == "dense"]
    assert -4 <= first.min() <= first.max() <= 3
    assert first.max() > 1
    assert np.abs(second).max() > 64


def test_bias_is_as_fine_as_what_is_made_of_the_sum():
    model = nn.Linear(2, 2)
    with torch.no_grad():
        model.weight.copy_(torch.eye(2))
        model.bias.copy_(torch.tensor([0.3, -0.125]))
    graph = convert(model, [frames(2)], Config(input="s8.0", weight_bits=4, activation_bits=8))
    found = golden(graph, [np.zeros((1, 2), np.float32)])[0]
    assert np.abs(found - [[0.3, -0.125]]).max() < 0.05


def test_dead_channels_and_silent_values():
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2))
    with torch.no_grad():
        model[0].weight.zero_()
        model[0].bias.copy_(torch.tensor([-1.0, -2.0, 0.0, -0.5]))
    x = normal(4)
    graph = convert(model, [x], PLAIN)
    found, expected = golden(graph, [x])[0], answers(model, [x])[0]
    assert np.abs(found - expected).max() < 0.01
    silent = convert(
        nn.Sequential(nn.Linear(4, 4, False), nn.ReLU(), nn.Linear(4, 2)), [0 * x], PLAIN
    )
    assert len(silent.nodes) == 4


@pytest.mark.parametrize("divisor", [3, 5, 6, 7, 9, 12, 49, 100, 255])
@pytest.mark.parametrize("rounding", ["half_even", "half_up", "floor"])
def test_averages_round_as_the_quotient_does(divisor, rounding):
    """Equal to the rounded quotient except at exact ties, which may go to either side."""
    model = nn.Sequential(
        nn.AvgPool2d((1, 4), divisor_override=divisor), nn.Flatten(), nn.Linear(1, 1, False)
    )
    config = Config(input="s8.0", rounding=rounding, activation_bits=6, calibration="minmax")
    x = np.random.default_rng(0).integers(-128, 128, (3000, 1, 1, 4)).astype(np.float32)
    graph = convert(model, [x], config)
    requant = next(n for n in graph.nodes if n.op.name == "requant")
    values = Interpreter(graph).trace(x.astype(np.int64))
    sums = x.sum(axis=3).astype(np.int64)[..., None]
    unit = requant.output.type.frac
    # sums / divisor in units of 2^-unit, as an exact fraction numerator / denominator
    numerator, denominator = sums * 2 ** max(unit, 0), divisor * 2 ** max(-unit, 0)
    low, rest = numerator // denominator, numerator % denominator
    tie = 2 * rest == denominator
    if rounding == "floor":
        tie = rest == 0
        expected = low
    else:
        expected = low + (2 * rest > denominator)
    expected = np.clip(expected, requant.op.lo, requant.op.hi)
    found = values[requant.name]
    np.testing.assert_array_equal(found[~tie], expected[~tie])
    assert np.abs(found - expected).max(initial=0) <= 1


def test_average_by_a_power_of_two_needs_no_multiplier():
    model = nn.Sequential(nn.AvgPool2d(2), nn.AvgPool2d(3, divisor_override=12))
    graph = convert(model, [frames(1, 6, 6)], Config(input="s8.4"))
    assert ops(graph) == ["sumpool2d", "requant", "sumpool2d", "scale"]


def test_progress():
    calls: list[tuple[int, int, str]] = []
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU())
    quantize(
        trace(model, normal(4)),
        normal(4, count=300),
        progress=lambda done, total, label: calls.append((done, total, label)),
    )
    assert calls == [
        *((done, 3, "calibrating") for done in range(4)),
        *((done, 2, "quantizing") for done in range(3)),
    ]


def test_the_result_does_not_depend_on_chance():
    x = normal(3, 12, 12, count=140)
    assert convert(resnet(), [x], PLAIN) == convert(resnet(), [x], PLAIN)


@pytest.mark.parametrize(
    ("config", "text"),
    [
        (
            Config(layers={"block.conv9": LayerConfig()}),
            "layer 'block.conv9' matches no module of the model; did you mean 'block.conv2' or "
            "'block.conv1' or 'block'?",
        ),
        (
            Config(layers={"zzz": LayerConfig()}),
            "layer 'zzz' matches no module of the model; did you mean 'block' or 'block.conv1' or "
            "'block.conv2'?",
        ),
        (
            Config(layers={"block.skip": LayerConfig(weight_bits=4)}),
            f"layer 'block.skip' {NOTHING}",
        ),
        (
            Config(weight_bits=1),
            "weight_bits is 1, needs at least 2 bits: one bit holds -1 and 0 only",
        ),
        (
            Config(layers={"block.conv1": LayerConfig(weight_bits=1)}),
            "layer 'block.conv1': weight_bits is 1, needs at least 2 bits: one bit holds -1 and 0 "
            "only",
        ),
    ],
)
def test_configurations_that_do_not_fit(config, text):
    model = nn.Sequential()
    model.add_module("block", Block(2))
    model.add_module("pool", nn.MaxPool2d(2))
    with pytest.raises(ConfigError) as caught:
        convert(model, [normal(2, 4, 4)], config)
    assert str(caught.value) == text


def test_a_container_is_no_layer():
    model = nn.Sequential()
    model.add_module("head", nn.Sequential(nn.Linear(4, 3), nn.ReLU()))
    with pytest.raises(ConfigError) as caught:
        convert(model, [normal(4)], Config(layers={"head": LayerConfig(weight_bits=4)}))
    assert str(caught.value) == (
        "layer 'head' is a container; name one of its layers: head.0, head.1"
    )


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (
            np.zeros((4, 5)),
            f"calibration: data for input has shape (4, 5), {WANTED}",
        ),
        (
            np.zeros(4),
            f"calibration: data for input has shape (4,), {WANTED}",
        ),
        (
            np.float32(1),
            f"calibration: data for input has shape (), {WANTED}",
        ),
        (np.zeros((0, 4)), "calibration: data for input holds no frames; give at least one"),
        (
            np.array([[0, 1, np.nan, 3]]),
            "calibration: data for input holds nan at index (0, 2); remove it",
        ),
        (
            [np.zeros((1, 4))] * 2,
            "calibration: found 2 arrays, expected 1, one per input of the model",
        ),
        (None, "calibration data is needed; give an array (N, ...) per input"),
        ([], "calibration: found 0 arrays, expected 1, one per input of the model"),
        (
            np.array([["a", "b", "c", "d"]]),
            "calibration: data for input is not an array of numbers; give (N, ...)",
        ),
    ],
)
def test_calibration_data_that_does_not_fit(data, text):
    graph = trace(nn.Linear(4, 3), np.zeros((1, 4)))
    with pytest.raises(FrontendError) as caught:
        quantize(graph, data)
    assert str(caught.value) == text


def test_calibration_data_may_be_tensors():
    graph, x = trace(nn.Linear(4, 3), np.zeros((1, 4))), normal(4)
    expected = quantize(graph, x)
    for data in (torch.from_numpy(x).requires_grad_(), [x], [torch.from_numpy(x).double()]):
        assert quantize(graph, data) == expected


def test_inputs_of_different_length():
    graph = trace(Lambda(lambda m, a, b: a + b), [np.zeros((1, 4))] * 2)
    with pytest.raises(FrontendError) as caught:
        quantize(graph, [np.zeros((3, 4)), np.zeros((2, 4))])
    assert str(caught.value) == "calibration: inputs have 3, 2 frames, expected equally many"


def test_numbers_out_of_range():
    model = nn.Sequential(nn.Linear(4, 3))
    with torch.no_grad():
        model[0].bias.fill_(1e30)
    with pytest.raises(FrontendError) as caught:
        convert(model, [normal(4)], PLAIN)
    assert str(caught.value).startswith("0: dense: a bias of 1e+30 is too large beside weights")
    with torch.no_grad():
        model[0].bias.fill_(3e38)
        model[0].weight.fill_(3e38)
    with pytest.raises(FrontendError) as caught:
        convert(model, [normal(4)], PLAIN)
    assert str(caught.value) == (
        "0: dense gives infinity or NaN on the calibration data; check the weights and the scale "
        "of the data"
    )


@pytest.mark.parametrize("scale", [1e-20, 1e-6, 1e6, 1e20])
def test_extreme_scales_are_only_another_fraction(scale):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    with torch.no_grad():
        model[0].bias.mul_(scale)
        model[2].bias.mul_(scale)
    x = normal(4, scale=scale)
    graph = convert(model, [x], Config(weight_bits=12, activation_bits=12))
    expected = answers(model, [x])[0]
    assert np.abs(golden(graph, [x])[0] - expected).max() < 0.01 * np.abs(expected).max()


def test_sums_that_int64_cannot_carry():
    model = nn.Sequential(nn.Linear(4, 2, bias=False))
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[2.0**14, 1, 1, 1], [2.0**-20, 0, 0, 0]]))
    with pytest.raises(FrontendError) as caught:
        convert(model, [frames(4)], Config(input="s32.0", weight_bits=16))
    assert str(caught.value) == (
        "0: dense: sums need more than 60 bits; use fewer bits for weights and activations, or "
        "scales that differ less"
    )
    with pytest.raises(ConfigError) as caught:
        convert(model, [frames(4)], Config(input="s40.0"))
    assert str(caught.value) == "input s40.0 is too wide; use at most 32 bits"
