"""Rectifiers with slopes, gates, activation modules of torch.nn, and functions in pieces."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.nn.modules import activation

from hwaccel.config import Config
from hwaccel.errors import FrontendError
from hwaccel.frontend.torch_export import trace
from tests.frontend.tools import Lambda, answers, check_exact, convert, frames, golden, on_grid, ops

EIGHT = Config(input="s8.4", activation_bits=8, output_bits=8, calibration="minmax")
WIDE = Config(input="s8.4", weight_bits=12, activation_bits=12)


def steps(model: nn.Module, x: np.ndarray, config: Config = EIGHT) -> float:
    graph = convert(model, [x], config)
    error = np.abs(golden(graph, [x])[0] - answers(model, [x])[0]).max()
    return float(error) * 2.0 ** graph.types()[graph.outputs[0]].frac


def prelu(*slopes: float) -> nn.PReLU:
    module = nn.PReLU(len(slopes))
    module.weight.data = torch.tensor(slopes)
    return module


EXACT_SLOPES = {
    "leaky": (nn.LeakyReLU(0.125), (3, 4), ["scale", "minmax"]),
    "leaky-in-place": (
        Lambda(lambda m, x: functional.leaky_relu_(x.clone(), 0.25)),
        (4,),
        ["scale", "minmax"],
    ),
    "leaky-method": (
        Lambda(lambda m, x: torch.nn.functional.leaky_relu(x, -0.5)),
        (4, 2, 2),
        ["scale", "minmax"],
    ),
    "rrelu": (nn.RReLU(0.125, 0.375), (3, 4), ["scale", "minmax"]),
    "prelu-one": (prelu(0.375), (3, 4, 2), ["scale", "minmax"]),
    "prelu-channels": (prelu(0.5, -0.25, 0.0), (3, 4, 2), ["scale", "minmax"]),
    "prelu-vector": (prelu(0.5, 0.25, 1.0), (3,), ["scale", "minmax"]),
    "prelu-steep": (prelu(1.5, 2.0, 1.0), (3, 4), ["scale", "minmax"]),
    "prelu-mixed": (prelu(1.5, -2.0, 0.25), (3, 4), ["requant", "requant", "scale", "add"]),
    "prelu-method": (Lambda(lambda m, x: x.prelu(m.a), a=torch.tensor([0.5])), (3, 4), None),
}


@pytest.mark.parametrize("name", EXACT_SLOPES)
def test_slopes_on_a_grid_are_exact(name):
    model, shape, expected = EXACT_SLOPES[name]
    found = ops(check_exact(model, frames(*shape)))
    assert expected is None or found == expected


def test_the_accumulator_is_bent_before_it_is_rounded():
    """A table would round twice; here one requant stands behind, and half a step is the bound."""
    model = on_grid(nn.Sequential(nn.Conv2d(3, 4, 3), prelu(0.25, 0.5, -0.125, 0.75)))
    model = nn.Sequential(model, nn.Conv2d(4, 2, 1))
    graph = convert(model, [frames(3, 5, 5)], EIGHT)
    assert ops(graph)[:5] == ["conv2d", "scale", "minmax", "requant", "conv2d"]
    assert steps(model[0], frames(3, 5, 5, count=20)) <= 0.5


@pytest.mark.parametrize("slope", [0.01, 0.3, -0.7])
def test_any_slope(slope):
    """Beside the rounding, that of the slope to ten bits."""
    assert steps(nn.LeakyReLU(slope), frames(3, 4, count=40)) <= 0.5 + 2.0**-3


@pytest.mark.parametrize(
    ("function", "shape"),
    [
        (lambda m, x: functional.glu(x, 1), (6,)),
        (lambda m, x: functional.glu(x), (3, 4)),
        (lambda m, x: nn.GLU(1)(x), (4, 3, 2)),
        (lambda m, x: torch.nn.functional.glu(x, dim=-2), (3, 4, 2)),
    ],
)
def test_glu(function, shape):
    assert steps(Lambda(function), frames(*shape, count=40)) <= 0.75


ARGUMENTS = {"Threshold": (0.5, -1.0), "GLU": (1,), "Softmax": (1,), "LogSoftmax": (1,)}
ELSEWHERE = {"MultiheadAttention", "Softmax", "Softmax2d", "Softmin", "LogSoftmax"}


@pytest.mark.parametrize("name", [n for n in activation.__all__ if n not in ELSEWHERE])
def test_every_activation_module(name):
    """Half a step from the function of the operand, and a little for what a slope or gate adds."""
    module = getattr(activation, name)(*ARGUMENTS.get(name, ()))
    assert steps(module, frames(4, 3, 2, count=40)) <= 0.625


PIECES = {
    "softsign": nn.Softsign(),
    "tanhshrink": nn.Tanhshrink(),
    "swish": Lambda(lambda m, x: x * torch.sigmoid(1.5 * x)),
    "gelu": Lambda(lambda m, x: 0.5 * x * (1 + torch.erf(x / 2**0.5))),
    "rational": Lambda(lambda m, x: (x + 1) / (x * x + 1)),
    "bump": Lambda(lambda m, x: torch.exp(-(x**2))),
    "clipped": Lambda(lambda m, x: (2 * torch.tanh(x)).clamp(-1, 1.5).relu() + 1),
    "extrema": Lambda(lambda m, x: torch.maximum(x, torch.sin(x))),
}


@pytest.mark.parametrize("name", PIECES)
def test_a_function_in_pieces_is_one_table(name):
    graph = convert(PIECES[name], [frames(4, 3)], EIGHT)
    assert ops(graph) == ["table"]
    assert steps(PIECES[name], frames(4, 3, count=40)) <= 0.5001


def test_pieces_of_different_modules_stay_apart():
    """Each has bits of its own."""
    model = nn.Sequential(nn.Tanh(), nn.Sigmoid())
    assert ops(convert(model, [frames(4)], EIGHT)) == ["table", "table"]


def test_a_relu_in_front_keeps_its_bit():
    """The result of a relu is rounded to an unsigned number."""
    model = on_grid(nn.Sequential(nn.Linear(4, 3), Lambda(lambda m, x: x.relu().sqrt())))
    assert ops(convert(model, [frames(4)], EIGHT)) == ["dense", "relu", "requant", "table"]


def half_even(value: Fraction) -> int:
    return round(value)


CORNERS = {
    "hardsigmoid": (nn.Hardsigmoid(), lambda x: min(max(x + 3, 0), 6) / Fraction(6)),
    "hardswish": (nn.Hardswish(), lambda x: x * min(max(x + 3, Fraction(0)), 6) / 6),
    "threshold": (nn.Threshold(0.5, -1.0), lambda x: x if x > Fraction(1, 2) else Fraction(-1)),
    "relu6": (nn.ReLU6(), lambda x: min(max(x, Fraction(0)), Fraction(6))),
    "softshrink": (
        nn.Softshrink(),
        lambda x: max(abs(x) - Fraction(1, 2), 0) * (1 if x > 0 else -1),
    ),
}


@pytest.mark.parametrize("bits", [8, 6, 10])
@pytest.mark.parametrize("name", CORNERS)
def test_correctly_rounded(name, bits):
    """Every operand of eight bits, against exact fractions."""
    module, exact = CORNERS[name]
    x = (np.arange(-128, 128, dtype=np.float32) / 16).reshape(1, 256)
    config = Config(input="s8.4", activation_bits=bits, calibration="minmax")
    graph = convert(module, [x], config)
    type = graph.types()[graph.outputs[0]]
    for number, found in zip(x[0], golden(graph, [x])[0][0], strict=True):
        value = exact(Fraction(float(number)))
        # A clip changes no format; a table rounds once.
        step = Fraction(2) ** -type.frac
        assert Fraction(float(found)) == min(max(half_even(value / step), type.lo), type.hi) * step


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (
            lambda m, x: functional.rrelu(x, training=True),
            "rrelu: draws slopes at random although the model is in eval mode; use nn.RReLU",
        ),
        (
            lambda m, x: functional.prelu(x, torch.tensor([float("inf")])),
            "lifted_tensor_0 holds inf at index (0,); retrain or repair the weights",
        ),
    ],
)
def test_refused(function, text):
    with pytest.raises(FrontendError) as caught:
        trace(Lambda(function), frames(4, 4))
    assert str(caught.value) == f"the model's forward: {text}"
