"""Shrinking keeps what the loss allows, says what it tried, and can be repeated from its edits."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import nn

from hwaccel.compress.bound import Bound
from hwaccel.compress.candidates import candidates, products
from hwaccel.compress.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from hwaccel.compress.cost import cost_of, hardware
from hwaccel.compress.data import Data, load_data
from hwaccel.compress.depthwise import Depthwise
from hwaccel.compress.shrink import Shrunk, shrink
from hwaccel.compress.training import Recipe, evaluate, outputs_of
from hwaccel.config import Config
from hwaccel.errors import ConfigError
from tests.cli.tools import done, refused
from tests.compress.models import Net, student

FACTORIES = "tests.compress.models"
CONFIG = Config(multipliers=8)
X = torch.zeros(1, 3, 7, 7)

pytest.importorskip("torch_pruning")


@pytest.fixture(scope="module")
def data() -> Data:
    torch.set_num_threads(1)
    return load_data("digits")


@pytest.fixture(scope="module")
def start(data: Data) -> Checkpoint:
    torch.manual_seed(0)
    made = Checkpoint(student())
    made.train(data.train, Recipe(epochs=12, rate=5e-3, batch=32))
    return made


@pytest.fixture(scope="module")
def result(data: Data, start: Checkpoint) -> tuple[Checkpoint, Shrunk, list[str]]:
    said: list[str] = []
    recipe = Recipe(epochs=2, rate=5e-3, batch=32)
    bound = Bound(accuracy_drop=4.0)
    return *shrink(start, data, recipe, bound, CONFIG, tries=1, progress=said.append), said


def test_what_is_kept_is_within_the_bound(result: tuple[Checkpoint, Shrunk, list[str]]) -> None:
    _, record, said = result
    kept = [trial for trial in record.trials if trial.kept]
    assert kept
    for trial in record.trials:
        if trial.score is not None:
            within = record.valid_before.accuracy - trial.score.accuracy <= 4.0 + 1e-9
            assert trial.kept == within
        assert str(trial) in said
    works = [record.cost_before.work, *(trial.work for trial in kept)]
    assert works == sorted(works, reverse=True)
    assert record.factor > 1.2
    assert record.valid_after == kept[-1].score


def test_costs_are_those_of_the_hardware(
    data: Data, start: Checkpoint, result: tuple[Checkpoint, Shrunk, list[str]]
) -> None:
    made, record, _ = result
    assert record.cost_before == cost_of(hardware(start.model, data, CONFIG))
    # The last trial's cost is that before its training, which changes formats a little.
    after = cost_of(hardware(made.model, data, CONFIG))
    assert record.cost_after == after
    assert record.test_after == evaluate(made.model, data.test)
    assert record.test_before == evaluate(start.model, data.test)


def test_the_first_bottleneck_is_the_costliest_layer(
    data: Data, start: Checkpoint, result: tuple[Checkpoint, Shrunk, list[str]]
) -> None:
    from hwaccel.compress.cost import layer_costs

    costs = layer_costs(hardware(start.model, data, CONFIG))
    first = result[1].trials[0]
    assert first.layer == max(costs, key=lambda path: costs[path].work)
    shares = [trial.share for trial in result[1].trials]
    assert shares[0] == pytest.approx(costs[first.layer].work / sum(c.work for c in costs.values()))


def test_the_checkpoint_can_be_made_again(
    data: Data, result: tuple[Checkpoint, Shrunk, list[str]], tmp_path: Path
) -> None:
    made, _, _ = result
    write_checkpoint(tmp_path / "s", made, data.example, {})
    again = read_checkpoint(f"{FACTORIES}:student", tmp_path / "s", data.example)
    assert again.edits == made.edits
    assert torch.equal(outputs_of(again.model, data.test.x), outputs_of(made.model, data.test.x))


def test_nothing_is_lost_where_nothing_may_be(data: Data, start: Checkpoint) -> None:
    """No training, and no point to lose: what changes the answers is refused."""
    before = [p.clone() for p in start.model.parameters()]
    made, record = shrink(start, data, Recipe(epochs=0), Bound(accuracy_drop=0.0), CONFIG, tries=1)
    assert record.valid_after.accuracy >= record.valid_before.accuracy
    for trial in record.trials:
        if trial.score is not None and not trial.kept:
            assert trial.score.accuracy < record.valid_before.accuracy
    assert all(torch.equal(a, b) for a, b in zip(before, start.model.parameters(), strict=True))
    assert len(made.edits) == sum(trial.kept for trial in record.trials)


def test_candidates(data: Data) -> None:
    torch.manual_seed(0)
    model = Net(8, 32)
    whats = {path: [c.what for c in candidates(model, path, data)] for path in ("conv", "fc1")}
    assert whats["conv"] == [
        "4 of 8 channels of conv",
        "6 of 8 channels of conv",
        "7 of 8 channels of conv",
        "rank 1 of 8",
        "rank 2 of 8",
        "rank 3 of 8",
    ]
    assert "rank 12 of 32" in whats["fc1"]
    assert "16 of 32 channels of fc1" in whats["fc1"]
    assert "4 of 8 channels of conv" in whats["fc1"]
    assert candidates(model, "pool", data) == ()
    for path in whats:
        for candidate in candidates(model, path, data):
            torch.manual_seed(0)
            changed = candidate.edit.apply(Net(8, 32), data.example)
            assert outputs_of(changed, data.test.x[:3]).shape == (3, 10)


def test_products_are_those_of_the_layers(data: Data) -> None:
    assert products(Net(2, 8), data.example) == 2 * 9 * 64 + 32 * 8 + 8 * 10
    split = Depthwise("0", 2).apply(nn.Sequential(nn.Conv2d(3, 4, 3, stride=2)), X)
    assert products(split, X) == 6 * 9 * 9 + 4 * 6 * 9


def test_refusals(data: Data, start: Checkpoint) -> None:
    with pytest.raises(ConfigError) as error:
        shrink(start, data, Recipe(epochs=1), Bound())
    assert str(error.value) == ("shrinking needs a limit of what may be lost; give --accuracy-drop")
    with pytest.raises(ConfigError) as error:
        shrink(start, data, Recipe(epochs=1), Bound(accuracy_drop=1), tries=0)
    assert str(error.value) == "tries is 0, expected 1 or more"
    with pytest.raises(ConfigError) as error:
        shrink(start, data, Recipe(epochs=1), Bound(accuracy_drop=1), enough=1.0)
    assert str(error.value) == "enough is 1, expected a factor above 1"


def test_command(data: Data, start: Checkpoint, tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "t", start, data.example, {})
    (tmp_path / "c.toml").write_text("multipliers = 8\n")
    words = ["shrink", f"{FACTORIES}:student", "--weights", tmp_path / "t", "-o", tmp_path / "s"]
    words += ["--epochs", "1", "--batch", "32", "--tries", "1", "--samples", "400"]
    words += ["--final-epochs", "1", "--enough", "1.2", "--config", tmp_path / "c.toml"]
    said = done(*words, "--accuracy-drop", "5").splitlines()
    record = json.loads((tmp_path / "s" / "record.json").read_text())
    assert said[-1] == (
        f"{record['factor']:.1f} times less area times cycles; written to {tmp_path / 's'}/"
    )
    assert refused(*words, "--accuracy-drop", "-1") == "accuracy_drop -1: expected a number from 0"
