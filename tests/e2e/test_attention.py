"""Attention from PyTorch to simulated Verilog, compiled C++ and torch integers, in every bit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import hwaccel
from hwaccel import Config


class Block(nn.Module):
    """Multi-head self-attention with a residual, and a layer behind it."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.layer = nn.Linear(8, 8)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        y, weights = self.attention(x, x, x)
        y = x + y
        return y + torch.relu(self.layer(y)), weights


class Text(nn.Module):
    """A classifier of words: embedding, positions, causal attention, mean, scores, softmax."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.places = nn.Embedding(20, 8), nn.Embedding(6, 8)
        self.query, self.key, self.value = (nn.Linear(8, 8) for _ in range(3))
        self.head = nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.words(x) + self.places(torch.arange(6))
        q, k, v = (layer(y) for layer in (self.query, self.key, self.value))
        mixed = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.head((y + mixed).mean(1)).softmax(1)


class Products(nn.Module):
    """Products of two values of several shapes, and a logarithm of softmax along rows."""

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        a, b = x[:, :, :3], x[:, :, 3:]
        scores = torch.einsum("zci,zcj->zij", a, b)
        return scores.log_softmax(1), torch.einsum("zci,zdi->zcd", a, b) @ a


def words(count: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 20, (count, 6))


def numbers(*shape: int) -> Callable[[int], np.ndarray]:
    def make(count: int) -> np.ndarray:
        return np.random.default_rng(0).normal(size=(count, *shape)).astype(np.float32)

    return make


MODELS: dict[str, tuple[Callable[[], nn.Module], Callable[[int], np.ndarray]]] = {
    "block": (Block, numbers(4, 8)),
    "text": (Text, words),
    "products": (Products, numbers(4, 6)),
}


@pytest.fixture(scope="module")
def designs() -> dict[str, tuple[hwaccel.Design, np.ndarray]]:
    """Convert every model once."""
    made = {}
    for name, (factory, make) in MODELS.items():
        torch.manual_seed(len(name))
        frames = make(40)
        config = Config(name=f"e2e_{name}", weight_bits=6, activation_bits=7, multipliers=24)
        model = factory().eval()
        made[name] = (
            hwaccel.convert(model, frames[:2], calibration=frames, config=config),
            frames,
        )
    return made


@pytest.mark.rtl
@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_fast_simulation_is_exact_and_on_time(name, designs, tmp_path: Path) -> None:
    design, frames = designs[name]
    for idle, backpressure in (("none", "none"), ("some", "bursts")):
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
    design.simulate(frames[:5], simulator="icarus", idle="some", backpressure="bursts")
    result = design.simulate(frames[:5], simulator="icarus")
    timing = design.plan.timing(5)
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
    assert (again.graph, again.plan, again.hash) == (design.graph, design.plan, design.hash)


@pytest.mark.parametrize("name", MODELS)
def test_interval_is_that_of_the_slowest_segment(name, designs) -> None:
    design, _ = designs[name]
    assert design.plan.timing(20).interval <= 1.05 * design.plan.bottleneck.cycles


@pytest.mark.rtl
@pytest.mark.hls
def test_an_encoder_with_normalization_is_exact_and_on_time() -> None:
    torch.manual_seed(0)
    model = nn.TransformerEncoderLayer(8, 2, 8, batch_first=True).eval()
    x = np.random.default_rng(0).normal(size=(32, 4, 8)).astype(np.float32)
    design = hwaccel.convert(model, x[:1], calibration=x, config=Config(multipliers=32))
    with torch.no_grad():
        assert np.abs(design.golden(x) - model(torch.from_numpy(x)).numpy()).max() < 0.15
    result = design.simulate(x[:3], simulator="icarus")
    timing = design.plan.timing(3)
    assert (result.latency, result.interval) == (timing.latency, timing.interval)
    ints = design.golden.quantize(x)
    for what in ("torch", "cuda-host"):
        design.require_golden(ints, design.execute(what, ints), what=what)
