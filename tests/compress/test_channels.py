"""Channels that leave a model, with everything that depends on them."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import hwaccel
from hwaccel.compress.bound import Bound
from hwaccel.compress.channels import Group, KeepChannels, groups, removable, unheard
from hwaccel.compress.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from hwaccel.compress.data import Data, load_data
from hwaccel.compress.edits import apply_all, weighted
from hwaccel.compress.patterns import Channels
from hwaccel.compress.prune import Goal, prune
from hwaccel.compress.removal import importance, removal
from hwaccel.compress.training import Recipe, copied, cross_entropy, evaluate, outputs_of
from hwaccel.config import Config
from hwaccel.errors import ConfigError
from tests.compress.nets import Digits, Grouped, Residual, Softened

pytest.importorskip("torch_pruning")
STREAM = Config(multipliers=16)


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def data() -> Data:
    return load_data("digits")


def fresh(kind: type[nn.Module]) -> nn.Module:
    """Return a model whose channels all matter, with statistics that are not those of a new one."""
    torch.manual_seed(0)
    model = kind()
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight)
            nn.init.uniform_(module.bias)
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias)
            nn.init.normal_(module.running_mean)
    return model.eval()


@pytest.fixture(scope="module")
def trained(data: Data) -> Checkpoint:
    torch.manual_seed(0)
    made = Checkpoint(Digits())
    made.train(data.train, Recipe(epochs=12, rate=1e-2))
    return made


def group(model: nn.Module, data: Data, path: str) -> Group:
    return next(found for found in groups(model, data.example) if found.path == path)


def sizes(model: nn.Module) -> dict[str, tuple[int, ...]]:
    return {path: tuple(layer.weight.shape) for path, layer in weighted(model)}


# --- what goes with what -------------------------------------------------------------------------


def test_who_writes_and_who_reads(data: Data) -> None:
    found = {g.path: g for g in groups(fresh(Residual), data.example)}
    assert {path: g.writers for path, g in found.items()} == {
        "stem": ("stem", "body"),
        "point": ("point",),
        "left": ("left",),
        "right": ("right",),
        "fc1": ("fc1",),
        "fc2": ("fc2",),
    }
    readers = {path: dict(g.units[1].readers) for path, g in found.items()}
    pixels = range(16)
    assert readers == {
        "stem": {"body": (1,), "point": (1,)},
        "point": {"left": (1,), "right": (1,)},
        "left": {"fc1": tuple(16 + p for p in pixels)},
        "right": {"fc1": tuple(80 + p for p in pixels)},
        "fc1": {"fc2": (1,)},
        "fc2": {},
    }


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (Digits, {"conv1": 4, "conv2": 8, "fc1": 24}),
        (Residual, {"stem": 8, "point": 6, "left": 4, "right": 4, "fc1": 12}),
        (Grouped, {"fc1": 12}),
        (Softened, {}),
    ],
)
def test_which_can_go(kind: type[nn.Module], expected: dict[str, int], data: Data) -> None:
    assert removal(fresh(kind), data, cross_entropy, ()).totals == expected


def test_all_writers_of_a_sum_are_skipped_together(data: Data) -> None:
    for path in ("stem", "body"):
        assert "stem" not in removal(fresh(Residual), data, cross_entropy, (path,)).totals
    assert "stem" in removal(fresh(Residual), data, cross_entropy, ("point",)).totals


@pytest.mark.parametrize("path", ["stem", "point", "left", "right", "fc1"])
@pytest.mark.parametrize("gone", [(0,), (1, 3), (0, 2, 3)], ids=str)
def test_the_rest_gives_what_it_gave_with_nobody_listening(
    path: str, gone: tuple[int, ...], data: Data
) -> None:
    model, x = fresh(Residual), data.test.x[:20]
    found = group(model, data, path)
    assert removable(model, found, data.example, data.train)
    short = found.without(gone).apply(copied(model), data.example)
    expected = outputs_of(unheard(model, found, gone), x)
    assert torch.allclose(outputs_of(short, x), expected, rtol=0, atol=1e-4)
    assert not torch.allclose(outputs_of(model, x), expected, rtol=0, atol=1e-2)
    assert sum(p.numel() for p in short.parameters()) < sum(p.numel() for p in model.parameters())


def test_all_shapes_shrink(data: Data) -> None:
    edits = [
        KeepChannels("stem", (0, 2, 5)),
        KeepChannels("point", (1, 2)),
        KeepChannels("left", (3,)),
        KeepChannels("right", (0, 1)),
        KeepChannels("fc1", tuple(range(5))),
    ]
    model = apply_all(edits, fresh(Residual), data.example)
    assert sizes(model) == {
        "stem": (3, 1, 3, 3),
        "body": (3, 3, 3, 3),
        "depthwise": (3, 1, 3, 3),
        "point": (2, 3, 1, 1),
        "left": (1, 2, 1, 1),
        "right": (2, 2, 1, 1),
        "fc1": (5, 48),
        "fc2": (10, 5),
    }
    assert model.norm.running_mean.shape == model.body_norm.weight.shape == (3,)
    whole = fresh(Residual)
    assert torch.equal(model.stem.weight, whole.stem.weight[[0, 2, 5]])
    assert torch.equal(model.norm.running_mean, whole.norm.running_mean[[0, 2, 5]])


def test_the_model_is_otherwise_as_it_was(data: Data) -> None:
    model = fresh(Digits).train()
    model.conv1.weight.requires_grad_(False)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    groups(model, data.example)
    assert model.training
    assert not model.conv1.weight.requires_grad
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


# --- what a channel is worth ---------------------------------------------------------------------


def test_a_channel_that_nobody_hears_is_worth_nothing(trained: Checkpoint, data: Data) -> None:
    found = groups(trained.model, data.example)
    whole = importance(trained.model, found, data.train.first(512), cross_entropy)
    for number, one in enumerate(found[:3]):
        model = unheard(trained.model, one, (2,))
        scores = importance(model, found, data.train.first(512), cross_entropy)[number]
        assert scores[2] == 0
        assert whole[number][2] > 0


def test_the_order_is_that_of_the_loss(trained: Checkpoint, data: Data) -> None:
    for one, scores in zip(
        groups(trained.model, data.example)[:3],
        importance(trained.model, groups(trained.model, data.example), data.train, cross_entropy),
        strict=False,
    ):
        order, half = scores.argsort().tolist(), len(scores) // 2
        losses = [
            evaluate(unheard(trained.model, one, part), data.train).loss
            for part in (order[:half], order[-half:])
        ]
        assert losses[0] < losses[1]


# --- pruning -------------------------------------------------------------------------------------


def test_half_of_the_channels(trained: Checkpoint, data: Data) -> None:
    goal = Goal(Channels(), 0.5, scope="layer", rounds=2, recipe=Recipe(epochs=2, rate=5e-3))
    made = prune(trained, data, goal, config=STREAM)
    assert sizes(made.checkpoint.model) == {
        "conv1": (2, 1, 3, 3),
        "conv2": (4, 2, 3, 3),
        "fc1": (12, 64),
        "fc2": (10, 12),
    }
    assert sizes(trained.model)["conv1"] == (4, 1, 3, 3)
    assert [type(edit) for edit in made.checkpoint.edits] == [KeepChannels] * 4
    record = made.record
    assert [tried.share for tried in record.rounds] == [0.4375, 0.5]
    assert record.sparsity == pytest.approx(1 - (18 + 72 + 768 + 120) / 3636)
    assert record.cost_after.work < record.cost_before.work
    assert record.after.accuracy > record.before.accuracy - 12


def test_as_many_as_the_bound_allows(trained: Checkpoint, data: Data) -> None:
    bound = Bound(loss_rise=0.3)
    goal = Goal(
        Channels(), bound=bound, scope="sensitivity", rounds=2, recipe=Recipe(epochs=2, rate=5e-3)
    )
    made = prune(trained, data, goal, config=STREAM)
    before = evaluate(trained.model, data.valid)
    assert bound.holds(before, evaluate(made.checkpoint.model, data.valid))
    assert made.record.sparsity > 0
    assert [curve.path for curve in made.record.curves] == ["conv1", "conv2", "fc1"]


def test_a_checkpoint_makes_the_model_again(
    trained: Checkpoint, data: Data, tmp_path: Path
) -> None:
    goal = Goal(Channels(), 0.4, rounds=1, recipe=Recipe(epochs=0))
    short = prune(trained, data, goal, config=STREAM).checkpoint
    goal = Goal(sparsity=0.5, rounds=1, recipe=Recipe(epochs=1))
    made = prune(short, data, goal, config=STREAM).checkpoint
    write_checkpoint(tmp_path / "made", made, data.example, {})
    again = read_checkpoint("tests.compress.nets:Digits", tmp_path / "made", data.example)
    assert again.edits == made.edits
    assert torch.equal(outputs_of(again.model, data.test.x), outputs_of(made.model, data.test.x))
    zero = made.model.fc1.weight == 0
    again.train(data.train, Recipe(epochs=1))
    assert torch.equal(again.model.fc1.weight == 0, zero)


@pytest.mark.rtl
def test_the_hardware_is_that_of_the_masked_model(data: Data) -> None:
    """``prune_channels`` finds in a masked model what is gone here: every shape is the same."""
    model = fresh(Residual)
    found, gone = group(model, data, "stem"), (1, 4, 6)
    short = found.without(gone).apply(copied(model), data.example)
    config = Config(multipliers=16, calibration="minmax")
    calibration = data.calibration(64)
    designs = [
        hwaccel.convert(m, data.example, calibration=calibration, config=config)
        for m in (short, unheard(model, found, gone))
    ]
    shapes = [[(n.op.name, n.output.type.shape) for n in d.graph.nodes] for d in designs]
    assert shapes[0] == shapes[1]
    x = data.test.x[:2].numpy()
    floats = outputs_of(short, data.test.x[:2]).numpy()
    assert np.abs(designs[0].golden(x) - floats).max() < 0.1 * np.abs(floats).max()
    designs[0].simulate(x, simulator="icarus")


# --- refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (
            KeepChannels("conv9", (0,)),
            "layer 'conv9' is not in the model; it has conv1, conv2, fc1, fc2",
        ),
        (
            KeepChannels("conv1", ()),
            "layer 'conv1': channels to keep are []; it has 4, counted from 0, and keeps at least "
            "one",
        ),
        (
            KeepChannels("conv1", (0, 4)),
            "layer 'conv1': channels to keep are [0, 4]; it has 4, counted from 0, and keeps at "
            "least one",
        ),
        (
            KeepChannels("conv1", (0, 0)),
            "layer 'conv1': channels to keep are [0, 0]; it has 4, counted from 0, and keeps at "
            "least one",
        ),
        (KeepChannels("pool", (0,)), "layer 'pool': has no channels that could go"),
    ],
)
def test_edits_that_do_not_fit(edit: KeepChannels, said: str, data: Data) -> None:
    with pytest.raises(ConfigError) as error:
        edit.apply(fresh(Digits), data.example)
    assert str(error.value) == said


def test_channels_that_go_together(data: Data) -> None:
    class Halves(nn.Module):
        """The sum of the two halves of what a convolution gives."""

        def __init__(self) -> None:
            super().__init__()
            self.conv, self.next, self.fc = (
                nn.Conv2d(1, 4, 3),
                nn.Conv2d(2, 3, 3),
                nn.Linear(48, 10),
            )

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            a, b = torch.chunk(self.conv(x), 2, 1)
            return self.fc(torch.flatten(self.next(a + b), 1))

    model = fresh(Halves)
    found = group(model, data, "conv")
    assert [unit.roots for unit in found.units] == [(0, 2), (1, 3)]
    assert found.without([0]) == KeepChannels("conv", (1, 3))
    assert removable(model, found, data.example, data.train)
    with pytest.raises(ConfigError) as error:
        KeepChannels("conv", (0, 1, 3)).apply(copied(model), data.example)
    assert str(error.value) == ("layer 'conv': channels [0] go with [2]; keep none of them or all")


def test_a_model_that_cannot_let_go(data: Data) -> None:
    goal = Goal(Channels(), 0.5, rounds=1, recipe=Recipe(epochs=0))
    with pytest.raises(ConfigError) as error:
        prune(Checkpoint(fresh(Softened)), data, goal)
    assert str(error.value) == (
        "Softened: no layer can be pruned, pattern channels; layers need weights, and channels "
        "readers that take them one by one"
    )


def test_without_torch_pruning(data: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch_pruning", None)
    with pytest.raises(ConfigError) as error:
        groups(fresh(Digits), data.example)
    assert str(error.value) == (
        "torch_pruning: is not installed; removing channels needs it: pip install 'hwaccel[prune]'"
    )
