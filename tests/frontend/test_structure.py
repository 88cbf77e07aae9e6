"""How inputs and outputs are nested, constants made in forward, and code that reads shapes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch import nn

import hwaccel
from hwaccel.config import Config
from hwaccel.errors import FrontendError
from tests.frontend.tools import EXACT, Lambda, check_exact, convert, frames, golden, on_grid


class Pair(NamedTuple):
    first: torch.Tensor
    second: torch.Tensor


OUTPUTS = {
    "list": lambda x: [x * 2, x * 4],
    "tuple-in-tuple": lambda x: (x * 2, (x * 4,)),
    "dict": lambda x: {"a": x * 2, "b": x * 4},
    "nested": lambda x: {"a": [x * 2], "b": (x * 4,)},
    "named": lambda x: Pair(x * 2, x * 4),
    "twice": lambda x: (lambda y: (y, x * 4, y))(x * 2),
}


@pytest.mark.parametrize("name", OUTPUTS)
def test_outputs(name):
    xs = frames(3)
    found = golden(convert(Lambda(lambda m, x: OUTPUTS[name](x)), [xs]), [xs])
    np.testing.assert_array_equal(found[0], xs * 2)
    np.testing.assert_array_equal(found[1], xs * 4)
    assert len(found) == (3 if name == "twice" else 2)


def test_outputs_that_are_no_tensors():
    with pytest.raises(FrontendError) as caught:
        convert(Lambda(lambda m, x: (x * 2, None, 3)), [frames(3)])
    assert str(caught.value) == (
        "the model returns something that is no tensor; return tensors only"
    )


class Nested(nn.Module):
    def forward(self, pair, scale, *, rest):
        return pair[0] * 2 + pair[1] * scale["by"] + rest


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0)])
def test_inputs_by_name_and_nested(order):
    a, b, c, d = (frames(3, seed=k) / 8 for k in range(4))
    items = [("pair", (a, b)), ("scale", {"by": c}), ("rest", d)]
    given = dict(items[k] for k in order)
    design = hwaccel.convert(
        Nested(), given, calibration=given, config=hwaccel.Config(input="s8.7")
    )
    assert [v.name for v in design.graph.inputs] == ["pair_0", "pair_1", "scale_by", "rest"]
    assert np.abs(design.golden(a, b, c, d) - (a * 2 + b * c + d)).max() < 0.05


def test_nested_inputs_in_their_places():
    class Listed(nn.Module):
        def forward(self, xs, y):
            return xs[0] + xs[1] * 2 + y

    a, b, c = (frames(3, seed=k) for k in range(3))
    for given in (([a, b], c), ((a, b), c), [[a, b], c]):
        design = hwaccel.convert(Listed(), given, config=EXACT)
        assert np.abs(design.golden(a, b, c) - (a + b * 2 + c)).max() < 0.26


def test_unknown_names():
    with pytest.raises(FrontendError) as caught:
        hwaccel.convert(Nested(), {"pears": frames(3)})
    assert str(caught.value) == ("Nested: forward has no parameter pears; it has pair, scale, rest")


def test_modules_used_twice_in_nested_containers():
    shared = on_grid(nn.Linear(3, 3))
    inner = nn.ModuleDict({"a": shared, "b": nn.Sequential(shared, nn.ReLU())})
    layers = nn.ModuleList([inner, nn.ModuleList([on_grid(nn.Linear(3, 2), 1)])])

    def forward(m, x):
        return m.layers[1][0](torch.relu(m.layers[0]["a"](x)) + x)

    wide = Config(input="s8.4", weight_bits=5, activation_bits=16)
    check_exact(Lambda(forward, layers=layers), frames(3), config=wide)


CONSTANTS = {
    "arange": lambda m, x: x * torch.arange(1, 5) + torch.arange(4.0),
    "shapes": lambda m, x: x + torch.arange(x.shape[1]) + torch.ones(x.size(-1)),
    "full": lambda m, x: x + torch.full((4,), 2.0) + torch.ones(1, 4) * 0.5,
    "eye": lambda m, x: x @ torch.eye(4) @ (2 * torch.eye(4).flip(0)),
    "linspace": lambda m, x: x + torch.linspace(0, 3, 4),
    "new": lambda m, x: x + x.new_ones(4) - x.new_full((1, 4), 0.25) + x.new_zeros(x.shape),
    "like": lambda m, x: x + torch.ones_like(x) * 0.5 - torch.zeros_like(x) + torch.full_like(x, 2),
    "literal": lambda m, x: x * torch.tensor([1.0, 2.0, -1.0, 0.5]) + torch.tensor(3.0),
    "batch-sized": lambda m, x: x + torch.zeros(x.shape[0], 4) + torch.ones(len(x), 1),
    "buffer": lambda m, x: x * m.scale + m.scale.cumsum(0),
    "triangle": lambda m, x: x @ torch.tril(torch.ones(4, 4)).T,
    "positions": lambda m, x: x + m.table[torch.arange(4)],
    "branch-on-shape": lambda m, x: x[:, : x.size(1) // 2] if x.dim() == 2 else x,
    "view-by-shape": lambda m, x: x.view(x.shape[0], 2, -1).reshape(x.size(0), x[0].numel()) * 2,
    "expand-by-shape": lambda m, x: x.unsqueeze(1).expand(x.shape[0], 2, 4) * 2,
}


@pytest.mark.parametrize("name", CONSTANTS)
def test_constants_made_in_forward(name):
    buffers = {"scale": torch.tensor([1.0, 0.5, 2.0, -1.0]), "table": torch.arange(8.0)}
    check_exact(Lambda(CONSTANTS[name], **buffers), frames(4))


BATCH_READERS = {
    "divided": lambda m, x: x / x.shape[0],
    "branch": lambda m, x: x * 2 if len(x) > 6 else x,
    "scaled": lambda m, x: x * torch.full((4,), float(len(x))),
}


@pytest.mark.parametrize("name", BATCH_READERS)
def test_what_depends_on_the_size_of_the_batch(name):
    with pytest.raises(FrontendError) as caught:
        convert(Lambda(BATCH_READERS[name]), [frames(4)])
    assert str(caught.value) == (
        "Lambda: the result for a frame depends on the size of the batch; let forward read no more "
        "of it than shapes need"
    )


def test_random_numbers():
    with pytest.raises(FrontendError) as caught:
        convert(Lambda(lambda m, x: x + torch.randn(4)), [frames(4)])
    assert str(caught.value) == (
        "the model's forward: randn: is not supported; keep nothing random and nothing "
        "uninitialized in eval mode"
    )
