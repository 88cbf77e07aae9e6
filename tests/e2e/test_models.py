"""From PyTorch to simulated Verilog, compiled C++ and torch integers: every bit, every cycle."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

import hwaccel
from hwaccel import Config


class Residual(nn.Module):
    """A residual block with batch normalization, a strided convolution, and average pooling."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(2, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.branch = nn.Conv2d(4, 4, 3, padding=1, bias=False)
        self.down = nn.Conv2d(4, 6, 3, stride=2, padding=1)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(6, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.relu(self.norm(self.stem(x)))
        x = functional.relu(self.branch(x) + x)
        x = functional.relu(self.down(x))
        return self.head(self.pool(x).flatten(1))


class TwoHeads(nn.Module):
    """Two outputs that share a trunk."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Linear(12, 8)
        self.left = nn.Linear(8, 3)
        self.right = nn.Linear(8, 2)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        x = functional.relu(self.trunk(x))
        return self.left(x), self.right(x)


def mlp() -> nn.Module:
    return nn.Sequential(
        nn.Linear(16, 24), nn.ReLU(), nn.Dropout(), nn.Linear(24, 12), nn.ReLU(), nn.Linear(12, 5)
    )


def separable() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(6, 6, 3, padding=1, groups=6),
        nn.ReLU(),
        nn.Conv2d(6, 8, 1),
        nn.ReLU(),
        nn.MaxPool2d(2, 2, ceil_mode=True),
        nn.Flatten(),
        nn.Linear(8 * 2 * 2, 4),
    )


def odd_shapes() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 3, (2, 3), padding="same"),
        nn.ReLU(),
        nn.Conv2d(3, 5, (3, 1), stride=(2, 1), dilation=(1, 2), padding=(1, 0)),
        nn.ReLU(),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Linear(5 * 1 * 4, 7),
    )


class Moves(nn.Module):
    """Axes, slices, padding, shuffles and stretching between layers."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 4, 3, padding=1, padding_mode="reflect")
        self.mix = nn.Linear(6, 5)
        self.wide = nn.Conv2d(4, 8, 1)
        self.head = nn.Linear(6, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = functional.relu(self.conv(x))
        y = functional.relu(self.mix(y[:, :, 1:]))  # along the last axis
        y = functional.pixel_shuffle(functional.relu(self.wide(y)), 2)
        left, right = y.chunk(2, 2)
        y = torch.cat([left.flip(3), right + right.mean(3, keepdim=True)], 1)
        y = functional.interpolate(y, size=(3, 6)).transpose(1, 2)
        return self.head(y * torch.tensor([0.5, 1.0, -1.0, 2.0, 0.25, 1.0])).amax(2)


class Functions(nn.Module):
    """Functions by table, clips, differences and extrema of two values."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 4, 3, padding=1)
        self.up = nn.ConvTranspose2d(4, 3, 2, stride=2)
        self.head = nn.Linear(12, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = functional.silu(self.conv(x))
        z = functional.relu6(y * 2 - functional.hardtanh(y, -0.5, 1))
        y = functional.leaky_relu(self.up(torch.maximum(y, z)), 0.1)
        y = y * torch.sigmoid(y.mean((2, 3), keepdim=True))
        y = functional.avg_pool2d(torch.sigmoid(y), 3, 2, 1, count_include_pad=False)
        return torch.tanh(self.head(functional.adaptive_avg_pool2d(y, 2).flatten(1)))


MODELS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "mlp": (mlp, (16,)),
    "residual": (Residual, (2, 6, 6)),
    "two-heads": (TwoHeads, (12,)),
    "separable": (separable, (3, 7, 7)),
    "odd-shapes": (odd_shapes, (1, 5, 8)),
    "moves": (Moves, (2, 6, 6)),
    "functions": (Functions, (2, 3, 3)),
}


@pytest.fixture(scope="module")
def designs() -> dict[str, tuple[hwaccel.Design, np.ndarray]]:
    """Convert every model once, with random batch-norm statistics and calibration data."""
    made = {}
    for name, (factory, shape) in MODELS.items():
        torch.manual_seed(len(name))
        model = factory().eval()
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.uniform_(-0.5, 0.5)
                module.running_var.uniform_(0.5, 2.0)
        frames = torch.randn(64, *shape)
        config = Config(name=f"e2e_{name}", weight_bits=6, activation_bits=7, multipliers=12)
        design = hwaccel.convert(model, frames[:2], calibration=frames.numpy(), config=config)
        made[name] = design, frames.numpy()
    return made


@pytest.mark.rtl
@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_fast_simulation_is_exact_and_on_time(name, designs, tmp_path: Path) -> None:
    design, frames = designs[name]
    for idle, backpressure in (("none", "none"), ("heavy", "none"), ("some", "bursts")):
        result = design.simulate(
            frames, simulator="fast", idle=idle, backpressure=backpressure, workdir=tmp_path
        )
        if backpressure == "none":
            arrivals = dict(zip(design.plan.inputs, result.offered, strict=True))
            assert design.plan.timing(len(frames), arrivals).finished() == result.finished


@pytest.mark.rtl
@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_icarus_is_exact_and_on_time(name, designs) -> None:
    design, frames = designs[name]
    result = design.simulate(frames[:6], simulator="icarus")
    timing = design.plan.timing(6)
    assert (result.latency, result.interval) == (timing.latency, timing.interval)


@pytest.mark.hls
@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("what", ["hls", "cuda-host", "torch"])
def test_other_executors_are_exact(name, what, designs) -> None:
    design, frames = designs[name]
    raw = design.golden.quantize(frames)
    for want, found in zip(design.golden.raw(*raw), design.execute(what, raw), strict=True):
        assert np.array_equal(want, found)


@pytest.mark.parametrize("name", MODELS)
def test_write_and_load_give_the_same_design(name, designs, tmp_path: Path) -> None:
    design, _ = designs[name]
    design.write(tmp_path / "p")
    again = hwaccel.load(tmp_path / "p")
    assert again.graph == design.graph
    assert again.plan == design.plan
    assert again.files() == design.files()
    assert again.hash == design.hash


@pytest.mark.parametrize("name", MODELS)
def test_interval_is_that_of_the_slowest_segment(name, designs) -> None:
    design, _ = designs[name]
    assert design.plan.timing(6).interval <= 1.05 * design.plan.bottleneck.cycles
