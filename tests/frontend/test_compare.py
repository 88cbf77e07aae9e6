"""Comparisons, logic of truth values, and choices: exact."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from hwaccel.config import Config
from hwaccel.errors import FrontendError
from tests.frontend.tools import EXACT, Lambda, answers, convert, frames, golden, on_grid, ops

KINDS = ["gt", "ge", "lt", "le", "eq", "ne"]
C = torch.tensor([1.0, -1.0, 0.3, 2.0])
K = torch.tensor([[True, False, True, False], [False] * 4, [True] * 4])


def whole(*shape: int, seed: int = 1) -> np.ndarray:
    """Return small whole numbers, of which many are equal."""
    return np.clip(np.round(frames(*shape, count=30, seed=seed)), -4, 4)


def check(function, *xs: np.ndarray, config: Config = EXACT, **children):
    model = Lambda(function, **children)
    graph = convert(model, xs, config)
    for found, expected in zip(golden(graph, xs), answers(model, xs), strict=True):
        np.testing.assert_array_equal(found.reshape(expected.shape), expected)
    return graph


@pytest.mark.parametrize("kind", KINDS)
def test_comparisons(kind):
    a, b = whole(3, 4), whole(3, 4, seed=2)
    for limit in (1.0, 0.37, -100, 100, -4):
        graph = check(lambda m, x, limit=limit: getattr(x, kind)(limit), a)
        assert str(graph.types()[graph.outputs[0]].fixed) == "u1.0"
    check(lambda m, x: getattr(torch, kind)(x, m.c).float() * 2, a, c=C)
    check(lambda m, x: getattr(x, kind)(m.c), a, c=torch.tensor([[1.0], [0.0], [-3.0]]))
    check(lambda m, x, y: getattr(x, kind)(y), a, b)
    check(lambda m, x, y: getattr(x[:, :1], kind)(y).float(), a, b)


def test_the_accumulator_is_compared():
    """Not what it is rounded to: the limit is met exactly."""
    model = on_grid(nn.Conv2d(2, 3, 3))
    x = frames(2, 5, 5, count=30)
    graph = check(lambda m, x: m.conv(x) > 1.125, x, conv=model)
    assert ops(graph) == ["conv2d", "scale", "requant"]


def test_logic():
    x = whole(3, 4)
    check(lambda m, x: (x > 0) & (x < 3) | ~(x > -2), x)
    check(lambda m, x: torch.logical_xor(x > 0, x < 3), x)
    check(lambda m, x: torch.logical_and(x > 0, x < 3).logical_not().float() - 0.5, x)
    check(lambda m, x: torch.logical_or((x > 0)[:, :1], x < -1) ^ (x == 2), x)
    check(lambda m, x: ~(x > 1).unsqueeze(1).flip(2), x)
    check(lambda m, x: (x > 1).bool(), x)


SELECTIONS = {
    "number": lambda m, x: torch.where(x > 1, x, 0.5),
    "numbers": lambda m, x: torch.where(x > 1, 2.0, 0.5),
    "number-first": lambda m, x: torch.where(x > 1, 0.25, x),
    "constants": lambda m, x: torch.where(x > 1, m.c, 0.5),
    "constant": lambda m, x: torch.where(x > 1, x, m.c / 0.3 * 0.5),
    "values": lambda m, x: torch.where(x > 1, x, -x * 2),
    "stretched": lambda m, x: torch.where(x > 1, x, x.amax(2, keepdim=True)),
    "method": lambda m, x: x.where(x > 0, -1.5),
    "known": lambda m, x: torch.where(m.k, x, x.flip(1)),
    "known-number": lambda m, x: torch.where(m.k, x, -1.5),
    "known-first": lambda m, x: torch.where(m.k[:, :1], 0.5, x),
    "fill": lambda m, x: x.masked_fill(x < 0, -1),
    "fill-known": lambda m, x: x.masked_fill(m.k, 3.0),
    "fill-in-place": lambda m, x: (x * 1.0).masked_fill_(x > 2, 0),
    "product": lambda m, x: x * (x > 0),
}


@pytest.mark.parametrize("name", SELECTIONS)
def test_selections(name):
    c = torch.tensor([1.5, -3.0, 0.75, 0.0])
    wide = Config(input="s8.4", activation_bits=12)
    check(SELECTIONS[name], whole(3, 4), config=wide, c=c if name == "constants" else c * 0.3, k=K)


def test_a_choice_of_two_layers_rounds_each_once():
    def forward(m, x):
        return torch.where(x[:, :2] > 0.5, m.one(x), m.two(x))

    layers = {"one": nn.Conv2d(3, 2, 1), "two": nn.Conv2d(3, 2, 1)}
    graph = check(forward, frames(3, 4, 4), **{k: on_grid(v) for k, v in layers.items()})
    assert ops(graph).count("requant") == 2  # the comparison, and the ends of the sum


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (
            lambda m, x: x.argmax(2) & 1,
            "__and__: is not supported; see docs/how-to/supported-models.md for what is",
        ),
        (
            lambda m, x: ~x.argmax(2),
            "not: takes truth values, found numbers; compare them first",
        ),
        (
            lambda m, x: torch.logical_or(x, x),
            "or: takes truth values, found numbers; compare them first",
        ),
        (
            lambda m, x: x > float("nan"),
            "gt: operand 'other' is nan; use a finite number",
        ),
    ],
)
def test_refused(function, text):
    with pytest.raises(FrontendError) as caught:
        convert(Lambda(function), [frames(3, 4)])
    assert str(caught.value) == f"the model's forward: {text}"
