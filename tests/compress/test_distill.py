"""A student learns what its teacher knows."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from hwaccel.compress.checkpoint import Checkpoint
from hwaccel.compress.data import Data, load_data
from hwaccel.compress.distill import Teaching, distill, mixed_loss
from hwaccel.compress.training import Recipe, Score, evaluate, outputs_of, train
from hwaccel.errors import ConfigError
from tests.cli.tools import done, refused
from tests.compress.models import eleven, student, teacher

FACTORIES = "tests.compress.models"


@pytest.fixture(scope="module")
def data() -> Data:
    torch.set_num_threads(1)
    return load_data("digits")


@pytest.fixture(scope="module")
def knowing(data: Data) -> nn.Module:
    torch.manual_seed(0)
    return train(teacher(), data.train, Recipe(epochs=12, batch=32))


def fresh(seed: int = 0) -> Checkpoint:
    torch.manual_seed(seed)
    return Checkpoint(student())


def test_the_loss_is_that_of_the_paper() -> None:
    rng = torch.Generator().manual_seed(0)
    z, v = (torch.randn(5, 4, generator=rng, dtype=torch.float64) for _ in range(2))
    labels = torch.tensor([0, 1, 2, 3, 0])
    t, hard = 3.0, 0.25
    q, p = (np.exp(a.numpy() / t) for a in (z, v))
    q, p = (a / a.sum(1, keepdims=True) for a in (q, p))
    soft = (p * (np.log(p) - np.log(q))).sum(1).mean()
    logs = z.numpy() - np.log(np.exp(z.numpy()).sum(1, keepdims=True))
    want = hard * -logs[range(5), labels].mean() + (1 - hard) * t * t * soft
    assert float(mixed_loss(z, v, labels, Teaching(t, hard))) == pytest.approx(want, rel=1e-12)


def test_only_labels_is_training(data: Data, knowing: nn.Module) -> None:
    recipe = Recipe(epochs=1)
    made, _ = distill(fresh(), knowing, data, recipe, Teaching(hard=1.0))
    alone = fresh()
    alone.train(data.train, recipe)
    for a, b in zip(made.model.parameters(), alone.model.parameters(), strict=True):
        assert torch.allclose(a, b, atol=1e-5)


def test_the_student_comes_closer_to_its_teacher(data: Data, knowing: nn.Module) -> None:
    """With nothing but the teacher's answers it agrees with it more than one that has labels."""
    recipe, wanted = (
        Recipe(epochs=12, rate=5e-3, batch=32),
        outputs_of(knowing, data.test.x).log_softmax(1),
    )

    def distance(model: nn.Module) -> float:
        found = outputs_of(model, data.test.x).log_softmax(1)
        return float((wanted.exp() * (wanted - found)).sum(1).mean())

    start = fresh()
    before = [p.clone() for p in start.model.parameters()]
    made, taught = distill(start, knowing, data, recipe, Teaching(hard=0.0))
    alone = fresh()
    alone.train(data.train, recipe)
    assert distance(made.model) < distance(alone.model)
    assert taught.after == evaluate(made.model, data.test)
    assert taught.teacher == evaluate(knowing, data.test)
    assert taught.after.accuracy > taught.before.accuracy + 50
    assert all(torch.equal(a, b) for a, b in zip(before, start.model.parameters(), strict=True))


def test_a_teacher_is_asked_again_where_images_move(data: Data, knowing: nn.Module) -> None:
    asked = []

    class Counting(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inside = knowing

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            asked.append((len(x), self.inside.training))
            return self.inside(x)

    # Copies of the class count in one list.
    few = data.reduced(256)
    distill(fresh(), Counting(), few, Recipe(epochs=2), Teaching())
    # The classes, all training samples once, the test samples.
    assert [n for n, _ in asked] == [2, 256, len(data.test)]
    asked.clear()
    distill(fresh(), Counting(), few, Recipe(epochs=2, shift=1), Teaching())
    assert [n for n, _ in asked] == [2, 128, 128, 128, 128, len(data.test)]
    assert not any(training for _, training in asked)


def test_a_quantized_student(data: Data, knowing: nn.Module) -> None:
    brevitas = pytest.importorskip("brevitas.nn")
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Flatten(),
        brevitas.QuantLinear(64, 16, bias=True, weight_bit_width=4),
        brevitas.QuantReLU(bit_width=4),
        brevitas.QuantLinear(16, 10, bias=True, weight_bit_width=4),
    )
    _, taught = distill(Checkpoint(model), knowing, data, Recipe(epochs=12, rate=5e-3, batch=32))
    assert taught.after.accuracy > 85


def test_refusals(data: Data, knowing: nn.Module) -> None:
    with pytest.raises(ConfigError) as error:
        distill(Checkpoint(eleven()), knowing, data, Recipe(epochs=1))
    assert str(error.value) == (
        "the teacher gives 10 logits and the student 11 logits for an input; they must agree"
    )
    with pytest.raises(ConfigError) as error:
        Teaching(temperature=0)
    assert str(error.value) == "temperature is 0, expected a number above 0"
    with pytest.raises(ConfigError) as error:
        Teaching(hard=1.5)
    assert str(error.value) == "hard is 1.5, expected a share from 0 to 1"


def test_command(tmp_path: Path) -> None:
    common = ("--epochs", "2", "--batch", "64")
    done("train", f"{FACTORIES}:teacher", "-o", tmp_path / "t", *common)
    words = ["distill", f"{FACTORIES}:student", "--teacher", f"{FACTORIES}:teacher"]
    words += ["--teacher-weights", tmp_path / "t", "-o", tmp_path / "s", *common]
    said = done(*words).splitlines()
    assert said[0].startswith("test samples: teacher ")
    assert said[1].endswith(f"; written to {tmp_path / 's'}/")
    record = json.loads((tmp_path / "s" / "record.json").read_text())
    assert record["teaching"] == {"temperature": 4.0, "hard": 0.3}
    taught = Score(**record["after"])
    assert str(taught) in said[1]
    assert refused(*words, "--hard", "2") == "hard is 2, expected a share from 0 to 1"
