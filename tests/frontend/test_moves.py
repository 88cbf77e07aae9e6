"""Calls that move elements, and operands of any shape: equal to PyTorch in every bit."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from hwaccel.errors import FrontendError
from tests.frontend.tools import Lambda, check_exact, convert, frames, on_grid, ops

MOVES = {
    "permute": lambda m, x: x.permute(0, 3, 1, 2),
    "transpose": lambda m, x: x.transpose(1, 2),
    "transpose-negative": lambda m, x: x.transpose(-1, 1),
    "movedim": lambda m, x: x.movedim(1, 3),
    "swapaxes": lambda m, x: x.swapaxes(1, 3),
    "slice": lambda m, x: x[:, 1:3],
    "slice-step": lambda m, x: x[:, :, ::2, 1:],
    "select": lambda m, x: x[:, :, 1],
    "select-channel": lambda m, x: x[:, 2],
    "narrow": lambda m, x: x.narrow(3, 1, 3),
    "flip": lambda m, x: x.flip(2, 3),
    "roll": lambda m, x: x.roll((1, 2), (1, 3)),
    "repeat": lambda m, x: x.repeat(1, 2, 1, 3),
    "tile": lambda m, x: x.tile(1, 1, 2, 1),
    "expand": lambda m, x: x[:, :, :, :1].expand(-1, -1, -1, 4),
    "repeat-interleave": lambda m, x: x.repeat_interleave(2, 2),
    "index": lambda m, x: x[:, [2, 0, 0]],
    "index-select": lambda m, x: x.index_select(3, torch.tensor([3, 1])),
    "pixel-shuffle": lambda m, x: functional.pixel_shuffle(x, 2),
    "pixel-unshuffle": lambda m, x: functional.pixel_unshuffle(x, 2),
    "channel-shuffle": lambda m, x: functional.channel_shuffle(x, 2),
    "upsample": lambda m, x: functional.interpolate(x, scale_factor=2),
    "upsample-to": lambda m, x: functional.interpolate(x, size=(3, 7)),
    "upsample-exact": lambda m, x: functional.interpolate(x, size=(3, 7), mode="nearest-exact"),
    "pad-reflect": lambda m, x: functional.pad(x, (2, 1, 1, 0), "reflect"),
    "pad-replicate": lambda m, x: functional.pad(x, (1, 0, 2, 3), "replicate"),
    "pad-circular": lambda m, x: functional.pad(x, (1, 2, 0, 1), "circular"),
    "pad-value": lambda m, x: functional.pad(x, (1, 0, 0, 2), value=-3.5),
    "pad-channels": lambda m, x: functional.pad(x, (0, 0, 0, 0, 1, 2)),
    "crop": lambda m, x: functional.pad(x, (-1, 0, 1, -1)),
    "shuffle-by-hand": lambda m, x: x.view(-1, 2, 2, 4, 4).transpose(1, 2).reshape(-1, 4, 4, 4),
    "split": lambda m, x: torch.cat(x.split(2, 1)[::-1], 1),
    "chunk": lambda m, x: tuple(x.chunk(2, 3)),
    "unbind": lambda m, x: x.unbind(1)[2],
    "stack": lambda m, x: torch.stack([x[:, 0], x[:, 3]], 2),
    "cat-rows": lambda m, x: torch.cat([x, x[:, :, :2]], 2),
    "cat-columns": lambda m, x: torch.cat([x, x.flip(3), x], -1),
    "mean-of-channels": lambda m, x: x.mean(1, keepdim=True),
    "sum-of-everything": lambda m, x: x.sum((1, 2, 3), keepdim=True),
    "amax-of-rows-and-channels": lambda m, x: x.amax((1, 2)),
    "add-stretched": lambda m, x: x + x[:, :1],
    "add-row": lambda m, x: x[:, :, :1] + x[:, :, :, 1:2],
    "constant-row": lambda m, x: x * torch.tensor([0.5, 1.0, -1.0, 2.0]),
    "constant-image": lambda m, x: x + torch.arange(16.0).reshape(4, 4) / 4,
    "constant-element": lambda m, x: x - torch.arange(64.0).reshape(4, 4, 4) / 8,
    "constant-column": lambda m, x: x * torch.tensor([[1.0], [2.0], [0.5], [4.0]]),
}


@pytest.mark.parametrize("name", MOVES)
def test_image(name):
    check_exact(Lambda(MOVES[name]), frames(4, 4, 4))


def test_a_linear_layer_works_along_the_last_axis():
    model = on_grid(nn.Linear(5, 3))
    for shape in [(5,), (4, 5), (2, 3, 5)]:
        check_exact(model, frames(*shape))


def test_more_axes_than_hardware_has_inside():
    def heads(m, x):
        y = x.view(-1, 6, 2, 2, 3).permute(0, 3, 2, 1, 4)
        return (y * 2).permute(0, 3, 2, 1, 4).reshape(-1, 6, 12)

    check_exact(Lambda(heads), frames(6, 12))


def test_convolution_pads_as_it_says():
    for mode in ("reflect", "replicate", "circular"):
        model = on_grid(nn.Conv2d(2, 3, 3, padding=1, padding_mode=mode))
        assert ops(check_exact(model, frames(2, 4, 5))) == ["gather", "conv2d"]


def test_what_moves_nothing_costs_nothing():
    graph = check_exact(Lambda(lambda m, x: x[:, :].permute(0, 1, 2) * 2), frames(3, 4))
    assert "gather" not in ops(graph)


def test_in_place_does_not_reach_a_copy_but_a_view():
    check_exact(Lambda(lambda m, x: (x.flip(1), x.relu_())[0] * 2 + x), frames(3, 4))
    check_exact(Lambda(lambda m, x: (x * 1, (x[:, 1:], x.mul_(2))[0] * 2)[1]), frames(3, 4))


def test_a_part_that_nobody_reads_may_be_empty():
    """Found by random networks: ``tensor_split`` of one row has an empty second part."""
    check_exact(Lambda(lambda m, x: x[:, :1].tensor_split(2, 1)[0] * 2), frames(3, 4))


REFUSED = {
    "moves elements from one frame": lambda m, x: x.flip(0),
    "holds no element": lambda m, x: x[:, 4:],
    "touches the batch axis": lambda m, x: x.flatten(0, 1),
    "has the batch on axis 1": lambda m, x: x.permute(1, 0, 2, 3),
    "more than 4194304 elements": lambda m, x: x.repeat(1, 4096, 64, 1),
    "has 4 axes besides the batch": lambda m, x: x.view(-1, 2, 2, 4, 4).transpose(1, 2),
    "what the operand's format": lambda m, x: functional.pad(x, (1, 1), value=100.0),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_refused(reason):
    with pytest.raises(FrontendError, match=reason):
        convert(Lambda(REFUSED[reason]), [np.asarray(frames(4, 4, 4))])
