"""Functions of one number: every entry of the table is PyTorch's value, rounded once."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from hwaccel.config import Config
from hwaccel.errors import FrontendError
from tests.frontend.tools import Lambda, answers, convert, frames, golden, on_grid

FUNCTIONS = {
    "sigmoid": nn.Sigmoid(),
    "tanh": nn.Tanh(),
    "elu": nn.ELU(0.5),
    "celu": nn.CELU(),
    "selu": nn.SELU(),
    "gelu": nn.GELU(),
    "gelu-tanh": nn.GELU("tanh"),
    "silu": nn.SiLU(),
    "mish": nn.Mish(),
    "softplus": nn.Softplus(2),
    "logsigmoid": nn.LogSigmoid(),
    "hardsigmoid": nn.Hardsigmoid(),
    "hardswish": nn.Hardswish(),
    "threshold": nn.Threshold(0.5, -1.0),
    "hardshrink": nn.Hardshrink(),
    "softshrink": nn.Softshrink(),
    "exp": Lambda(lambda m, x: (x / 4).exp()),
    "abs": Lambda(lambda m, x: x.abs()),
    "square": Lambda(lambda m, x: x**2),
    "cube": Lambda(lambda m, x: (x / 2).pow(3)),
    "sqrt": Lambda(lambda m, x: x.relu().sqrt()),
    "cos": Lambda(lambda m, x: x.cos()),
    "reciprocal": Lambda(lambda m, x: 1.0 / (x.relu() + 1.0)),
    "functional": Lambda(lambda m, x: functional.silu(x, inplace=False)),
    "in-place": nn.Sequential(on_grid(nn.Conv2d(3, 3, 1)), nn.SiLU(inplace=True)),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_within_half_a_step(name):
    xs = frames(3, 4, 5)
    graph = convert(FUNCTIONS[name], [xs], Config(input="s8.4", weight_bits=5, activation_bits=10))
    (found,), (expected,) = golden(graph, [xs]), answers(FUNCTIONS[name], [xs])
    (node,) = [n for n in graph.nodes if n.op.name == "table"]
    type = node.output.type
    if name not in ("in-place", "reciprocal"):
        # What comes in is exact, so only the result is rounded, or clipped at its last step.
        assert np.abs(found - expected).max() <= 2.0**-type.frac


def test_half_a_step_is_the_bound():
    xs = np.arange(-128, 128, dtype=np.float32).reshape(1, 16, 16) / 16
    config = Config(input="s8.4", activation_bits=9, calibration="minmax")
    graph = convert(nn.Tanh(), [xs[None]], config)
    (found,), (expected,) = golden(graph, [xs[None]]), answers(nn.Tanh(), [xs[None]])
    step = 2.0 ** -graph.types()[graph.outputs[0]].frac
    assert np.abs(found - expected).max() <= step / 2 + 2.0**-23


def test_a_wide_operand_is_rounded_first():
    model = nn.Sequential(on_grid(nn.Linear(12, 4)), nn.Sigmoid(), on_grid(nn.Linear(4, 2)))
    graph = convert(model, [frames(12)])
    assert [n.op.name for n in graph.nodes] == ["dense", "requant", "table", "dense"]
    assert graph.nodes[2].output.type.fixed.width <= 8


def test_too_many_bits():
    with pytest.raises(FrontendError, match="a table for 20 bits is too large; give the operand"):
        convert(nn.Tanh(), [frames(4)], Config(input="s20.10"))


def test_difference_of_two_values():
    model = Lambda(lambda m, x: x - x.relu() * 0.5 - x[:, :1])
    xs = frames(3, 4)
    graph = convert(model, [xs], Config(input="s8.4", activation_bits=10))
    np.testing.assert_array_equal(golden(graph, [xs])[0], answers(model, [xs])[0])
    assert torch.is_tensor(model(torch.zeros(1, 3, 4)))


def test_products_and_extrema_of_two_values():
    model = Lambda(
        lambda m, x: (
            x * x[:, :1],
            torch.maximum(x, -x * 0.5),
            torch.minimum(x.flip(2), x),
            x * x,
        )
    )
    xs = frames(3, 4)
    graph = convert(model, [xs], Config(input="s8.4", activation_bits=12))
    for found, expected in zip(golden(graph, [xs]), answers(model, [xs]), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_squeeze_and_excitation_within_its_roundings():
    class Gate(nn.Module):
        def __init__(self):
            super().__init__()
            self.squeeze, self.excite = on_grid(nn.Linear(4, 2)), on_grid(nn.Linear(2, 4))

        def forward(self, x):
            gate = torch.sigmoid(self.excite(self.squeeze(x.mean((2, 3))).relu()) / 16)
            return x * gate[:, :, None, None]

    xs = frames(4, 5, 5)
    graph = convert(Gate(), [xs], Config(input="s8.4", activation_bits=12))
    (found,), (expected,) = golden(graph, [xs]), answers(Gate(), [xs])
    assert np.abs(found - expected).max() < 8 * 2.0**-8


def test_division_by_a_value():
    model = Lambda(lambda m, x: x / (x.relu() + 1))
    xs = frames(3, 4)
    graph = convert(model, [xs], Config(input="s8.4", activation_bits=12))
    (found,), (expected,) = golden(graph, [xs]), answers(model, [xs])
    assert np.abs(found - expected).max() < 8 * 2.0**-10
