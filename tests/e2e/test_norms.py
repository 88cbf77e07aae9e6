"""Normalization, slopes, comparisons and places of extrema through every executor."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

import hwaccel
from hwaccel import Config


class Segment(nn.Module):
    """Group and layer normalization, slopes, and the class of every pixel."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.group = nn.Conv2d(2, 4, 3, padding=1), nn.GroupNorm(2, 4)
        self.bend = nn.PReLU(4)
        self.mix, self.layer = nn.Linear(4, 5), nn.LayerNorm(5)
        self.head = nn.Conv2d(4, 3, 1)
        nn.init.uniform_(self.group.weight, 0.5, 1.5)
        nn.init.normal_(self.layer.bias)
        nn.init.uniform_(self.bend.weight, -0.2, 0.6)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        y = self.bend(self.group(self.conv(x)))
        z = self.head(self.layer(self.mix(y)))
        return z.argmax(1), z.amax((1, 2))


class Choices(nn.Module):
    """Uneven windows, gates, steep slopes, truth values, and one index per frame."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 4, 1)
        self.bend = nn.PReLU(2)
        self.bend.weight.data = torch.tensor([1.5, -0.25])
        self.head = nn.Linear(12, 5)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        y = functional.glu(self.conv(x), 1)
        y = torch.where((y > 0.25) | (y <= -0.5), self.bend(y), y.amin(2, keepdim=True))
        y = functional.adaptive_max_pool2d(y.cumsum(3), (2, 3)).flatten(1)
        scores = self.head(y)
        best, place = scores.max(1)
        return place, best * (best > 0), scores.std(1), scores == scores.amin(1, keepdim=True)


MODELS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "segment": (Segment, (2, 3, 4)),
    "choices": (Choices, (2, 4, 5)),
}


@pytest.fixture(scope="module", params=MODELS)
def design(request: pytest.FixtureRequest) -> tuple[hwaccel.Design, np.ndarray, nn.Module]:
    factory, shape = MODELS[request.param]
    torch.manual_seed(4)
    frames = torch.randn(48, *shape)
    config = Config(name=request.param, weight_bits=6, activation_bits=6, multipliers=40)
    model = factory().eval()
    made = hwaccel.convert(model, frames[:2], calibration=frames.numpy(), config=config)
    return made, frames.numpy(), model


def test_indices_are_those_of_pytorch_for_most_frames(design):
    """Scores of six bits are close to those of floats; where they are not, others may win."""
    made, frames, model = design
    with torch.no_grad():
        expected = model(torch.from_numpy(frames))[0].numpy()
    found = made.golden(frames)[0].reshape(expected.shape)
    assert (found == expected).mean() > 0.85


@pytest.mark.rtl
@pytest.mark.slow
def test_icarus_is_exact_and_on_time(design):
    made, frames, _ = design
    result = made.simulate(frames[:5], simulator="icarus")
    timing = made.plan.timing(5)
    assert (result.latency, result.interval) == (timing.latency, timing.interval)


@pytest.mark.rtl
@pytest.mark.slow
def test_icarus_is_exact_under_stalls(design):
    made, frames, _ = design
    made.simulate(frames[5:9], simulator="icarus", idle="heavy", backpressure="bursts")


@pytest.mark.hls
@pytest.mark.slow
@pytest.mark.parametrize("what", ["cuda-host", "torch"])
def test_other_executors_are_exact(what, design):
    made, frames, _ = design
    raw = made.golden.quantize(frames)
    for want, found in zip(made.golden.raw(*raw), made.execute(what, raw), strict=True):
        assert np.array_equal(want, found)


@pytest.mark.hls
@pytest.mark.slow
@pytest.mark.parametrize("design", ["segment"], indirect=True)
def test_hls_is_exact(design):
    """Of one network: g++ takes most of a minute for either."""
    made, frames, _ = design
    raw = made.golden.quantize(frames)
    for want, found in zip(made.golden.raw(*raw), made.execute("hls", raw), strict=True):
        assert np.array_equal(want, found)


@pytest.mark.rtl
@pytest.mark.slow
def test_a_layer_norm_laid_out_takes_a_frame_per_cycle():
    torch.manual_seed(5)
    frames = torch.randn(40, 4)
    model = nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4), nn.LeakyReLU(0.1))
    config = Config(weight_bits=4, activation_bits=5, style="spatial")
    design = hwaccel.convert(model, frames[:2], calibration=frames.numpy(), config=config)
    result = design.simulate(frames[:8].numpy(), simulator="icarus")
    assert result.interval == 1
