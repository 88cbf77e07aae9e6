"""Writes into parts of tensors, masks, and views of what is changed in place."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from hwaccel.errors import FrontendError
from tests.frontend.tools import Lambda, check_exact, convert, frames, on_grid


def cleared(m, x):
    y = x * 1
    y[:, 0] = 0
    return y * 2


def copied(m, x):
    y = x * 2
    y[:, 1:3] = x[:, 0:2]
    return y


def stretched(m, x):
    y = x * 2
    y[:, :, ::2] = x[:, :1, :1]
    return y


def added(m, x):
    y = x * 2
    y[:, 1:3] += 1
    y[:, 0, 1].fill_(-1.5)
    return y


def listed(m, x):
    y = x * 1
    y[:, [0, 2]] = 1.5
    y[:, torch.tensor([False, True, False, False]), 1] = 0.25
    return y


def index_put_of_values(m, x):
    y = x * 1
    y[:, [2, 0]] = x[:, [1, 3]] * 2
    return y


def view_of_a_view(m, x):
    y = x * 1
    row = y[:, 1:3]
    element = row[:, :, 1]
    row.relu_()
    element.mul_(2)
    flat = y.flatten(1)
    y.add_(0.5)
    return row, element, flat, y


def through_a_transposed_view(m, x):
    y = x * 1
    time_first = y.permute(1, 0, 2)
    y.clamp_(-1, 1)
    return time_first[1], y


def zeroed(m, x):
    y = x * 2
    y[:, 1:].zero_()
    y[:, 3].copy_(x[:, 0])
    return y.masked_fill_(torch.eye(4).bool(), 3.0)


WRITES = {
    "cleared": cleared,
    "copied": copied,
    "stretched": stretched,
    "added": added,
    "listed": listed,
    "index-put-of-values": index_put_of_values,
    "view-of-a-view": view_of_a_view,
    "through-a-transposed-view": through_a_transposed_view,
    "zeroed": zeroed,
    "slice-scatter": lambda m, x: torch.slice_scatter(x, x[:, :2] * 2, 1, 2, 4),
    "select-scatter": lambda m, x: torch.select_scatter(x, x[:, 0] * 2, 1, 1),
    "masked-fill": lambda m, x: x.masked_fill(torch.arange(4) > 1, -2.0),
    "masked-fill-tensor": lambda m, x: x.masked_fill(m.mask, torch.tensor(1.5)),
    "causal": lambda m, x: x.masked_fill(torch.triu(torch.ones(4, 4), 1).bool(), 0.0),
    "where": lambda m, x: torch.where(torch.arange(4) > 1, x, x * 2),
    "where-number": lambda m, x: torch.where(m.mask, x, 0.0),
    "where-other-number": lambda m, x: torch.where(m.mask, torch.tensor(-1.0), x),
    "one-column": lambda m, x: torch.stack([x[:, 0, 0], x[:, 3, 1]], 1) + x[:, 2, 2].unsqueeze(1),
}


@pytest.mark.parametrize("name", WRITES)
def test_exact(name):
    # Without a clone the frames themselves would change.
    model = Lambda(WRITES[name], mask=torch.tensor([True, False, False, True]))
    check_exact(model, frames(4, 4))


def test_an_input_that_forward_changes():
    def forward(m, x):
        x[:, 1] = 0
        return x * 2

    class Kept(nn.Module):
        def forward(self, x):
            return forward(self, x.clone())

    changing, xs = Lambda(forward), frames(4)
    graph = convert(changing, [xs.copy()])
    kept = convert(Kept(), [xs])
    assert [n.op.name for n in graph.nodes] == [n.op.name for n in kept.nodes]
    check_exact(Kept(), xs)


def refusal(function) -> str:
    with pytest.raises(FrontendError) as caught:
        convert(Lambda(function), [frames(4, 4)])
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_refusals():
    forward = "the model's forward: "
    assert refusal(lambda m, x: (x * 1).zero_() + x) == (
        f"{forward}zero_: writes a number everywhere; use a constant instead"
    )
    assert refusal(lambda m, x: x.masked_fill(torch.arange(4) > 1, -torch.inf)) == (
        f"{forward}elements of minus infinity are read by something else than a softmax; mask only "
        "what a softmax reads at once"
    )
    assert refusal(lambda m, x: x.masked_fill(torch.arange(7).reshape(7, 1, 1) > 1, 0.0)) == (
        f"{forward}masked_fill: a constant of shape (7, 1, 1) differs from frame to frame; give it "
        "the same number of axes as the operand, the first of length 1"
    )


def test_a_layer_behind_a_write():
    layer = on_grid(nn.Linear(4, 3))

    def forward(m, x):
        y = torch.relu(m.layer(x))
        y[:, 1:, 0] = x[:, 1:, 0]
        return y

    check_exact(Lambda(forward, layer=layer), np.asarray(frames(4, 4)))
