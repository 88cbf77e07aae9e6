"""What quantization costs, layer by layer, against PyTorch and the golden model themselves."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import hwaccel
from hwaccel import Config
from hwaccel.frontend.losses import Loss


def _converted(model: nn.Module, x: torch.Tensor, **options: object):
    found: list[Loss] = []
    design = hwaccel.convert(
        model, x[:1], calibration=x.numpy(), config=Config(**options), observer=found.extend
    )
    return design, {loss.name: loss for loss in found}


def test_the_last_layer_is_as_far_off_as_the_outputs_are() -> None:
    torch.manual_seed(3)
    model = nn.Sequential(nn.Linear(12, 16), nn.ReLU(), nn.Linear(16, 5)).eval()
    x = torch.randn(100, 12)
    design, losses = _converted(model, x, weight_bits=6, activation_bits=6)
    with torch.no_grad():
        want = model(x[:64]).double().numpy()
    have = design.golden(x[:64].numpy())
    (output,) = design.graph.outputs
    loss = losses[output]
    assert loss.frames == 64
    assert loss.signal == pytest.approx(np.mean(want**2), rel=1e-5)
    assert loss.noise == pytest.approx(np.mean((have - want) ** 2), rel=1e-4)
    assert loss.largest == pytest.approx(np.abs(have - want).max(), rel=1e-4)
    assert 0 < loss.noise < loss.signal


def test_more_bits_lose_less_in_every_layer() -> None:
    torch.manual_seed(4)
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 5)).eval()
    x = torch.rand(32, 1, 6, 6)
    _, coarse = _converted(model, x, weight_bits=4, activation_bits=4)
    _, fine = _converted(model, x, weight_bits=12, activation_bits=12)
    shared = coarse.keys() & fine.keys()
    assert len(shared) >= 3
    assert all(fine[name].noise < coarse[name].noise / 100 for name in shared)


def test_a_model_of_integers_loses_nothing() -> None:
    model = nn.Linear(4, 3)
    with torch.no_grad():
        model.weight.copy_(torch.arange(12.0).reshape(3, 4) - 6)
        model.bias.zero_()
    x = torch.randint(0, 16, (40, 4)).float()
    _, losses = _converted(model.eval(), x, input="u4.0", weight_bits=8)
    assert losses
    assert all(loss.noise == loss.largest == 0.0 for loss in losses.values())
