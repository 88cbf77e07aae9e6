"""A batch on several devices: split, computed, and put together again."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from hwaccel.compress import training
from hwaccel.compress.checkpoint import Checkpoint
from hwaccel.compress.data import Data, load_data
from hwaccel.compress.distill import Teaching, lessons
from hwaccel.compress.edits import Sparse
from hwaccel.compress.training import Recipe, answers, copied, evaluate, outputs_of

RECIPE = Recipe(epochs=2, rate=5e-3, batch=67, shift=1)


class Net(nn.Module):
    """A convolution and a layer, with zeros that must stay; it notes where it runs."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(1, 4, 3)
        self.fc = nn.Linear(144, 10)
        with torch.no_grad():
            self.fc.weight[:, ::2] = 0
        # Shared by all replicas of the model.
        self.seen: list[tuple[str, int]] = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.seen.append((str(x.device), len(x)))
        return self.fc(functional.relu(self.conv(x)).flatten(1))


class Halves(nn.Module):
    """What ``nn.DataParallel`` does with two devices, on one: halves of every batch, in order."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([self.module(part) for part in x.chunk(2)])


@pytest.fixture(scope="module")
def data() -> Data:
    torch.set_num_threads(1)
    return load_data("digits").reduced(400)


def all_of_it(data: Data) -> tuple[Net, dict[str, torch.Tensor], object]:
    """Train, teach and evaluate; return the model, numbers, and what was counted."""
    model = Net()
    made = Checkpoint(model, (Sparse(),))
    made.train(data.train, RECIPE)
    loss, targets = lessons(copied(model), data.train, RECIPE, Teaching(4.0, 0.3))
    made.train(data.train, RECIPE, loss=loss, targets=targets)
    numbers = {name: p.detach() for name, p in model.named_parameters()}
    numbers |= {"outputs": outputs_of(model, data.test.x)}
    numbers |= {"losses": answers(model, data.test).losses}
    return model, numbers, evaluate(model, data.test).correct


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor], within: float) -> None:
    for name, number in one.items():
        torch.testing.assert_close(other[name], number, rtol=within, atol=within)


def test_halves_of_a_batch_give_what_the_whole_does(
    data: Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, want, correct = all_of_it(data)
    monkeypatch.setattr(training, "gpus", lambda: 2)
    monkeypatch.setattr(nn, "DataParallel", Halves)
    halved, found, hits = all_of_it(data)
    same(want, found, 1e-4)
    assert hits == correct
    assert {size for _, size in whole.seen} >= {67, 400 % 67}
    assert max(size for _, size in halved.seen if size < 180) == 34
    assert {34, 33} <= {size for _, size in halved.seen}
    assert bool((halved.fc.weight[:, ::2] == 0).all())
    assert type(halved.fc.weight) is nn.Parameter


@pytest.mark.gpu
@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two CUDA devices")
def test_several_gpus_give_what_one_does(data: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    spread, found, hits = all_of_it(data)
    assert {device for device, _ in spread.seen} == {
        f"cuda:{i}" for i in range(torch.cuda.device_count())
    }
    monkeypatch.setattr(training, "gpus", lambda: 1)
    alone, want, correct = all_of_it(data)
    assert {device for device, _ in alone.seen} == {"cuda:0"}
    # Sums over the batch run in another order, in every step.
    same(want, found, 1e-3)
    assert hits == pytest.approx(correct, abs=3)
    assert {p.device.type for p in spread.parameters()} == {"cpu"}
