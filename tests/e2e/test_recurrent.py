"""Recurrent networks from PyTorch through every executor: every bit, every cycle."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import hwaccel
from hwaccel import Config


class Network(nn.Module):
    """A recurrent layer and a head on its last step."""

    def __init__(self, layer: nn.Module, width: int) -> None:
        super().__init__()
        self.layer = layer
        self.head = nn.Linear(width, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.layer(x)[0][:, -1])


class Sequences(nn.Module):
    """A recurrent layer of which every step is put out."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x)[0]


def network(name: str) -> nn.Module:
    torch.manual_seed(len(name))
    if name == "lstm":
        return Network(nn.LSTM(3, 3, batch_first=True), 3)
    if name == "gru":
        return Network(nn.GRU(3, 3, batch_first=True), 3)
    layers = nn.RNN(2, 2, 2, batch_first=True, bidirectional=True)
    return Sequences(layers)


SHAPES = {"lstm": (4, 3), "gru": (4, 3), "rnn": (3, 2)}


@pytest.fixture(scope="module", params=SHAPES)
def made(request) -> tuple[hwaccel.Design, np.ndarray]:
    frames = np.random.default_rng(0).normal(size=(32, *SHAPES[request.param]))
    config = Config(name=f"e2e_{request.param}", weight_bits=5, activation_bits=6, output_bits=8)
    model = network(request.param)
    frames = frames.astype(np.float32)
    return hwaccel.convert(model, frames[:2], calibration=frames, config=config), frames


@pytest.mark.rtl
@pytest.mark.slow
def test_icarus_is_exact_and_on_time(made) -> None:
    design, frames = made
    result = design.simulate(frames[:5], simulator="icarus")
    timing = design.plan.timing(5)
    assert (result.latency, result.interval) == (timing.latency, timing.interval)


@pytest.mark.rtl
@pytest.mark.slow
def test_fast_simulation_is_exact_under_stalls(made, tmp_path: Path) -> None:
    design, frames = made
    design.simulate(frames, simulator="fast", idle="some", backpressure="bursts", workdir=tmp_path)


@pytest.mark.hls
@pytest.mark.slow
@pytest.mark.parametrize("what", ["hls", "cuda-host", "torch"])
def test_other_executors_are_exact(made, what) -> None:
    design, frames = made
    raw = design.golden.quantize(frames)
    for want, found in zip(design.golden.raw(*raw), design.execute(what, raw), strict=True):
        assert np.array_equal(want, found)


def test_write_and_load_give_the_same_design(made, tmp_path: Path) -> None:
    design, _ = made
    design.write(tmp_path / "p")
    assert hwaccel.load(tmp_path / "p").hash == design.hash
