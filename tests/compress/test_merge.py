"""Pairs of layers with nothing but linear calls between them are merged, exactly or not at all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
import torch
from torch import nn

from hwaccel.compress.bound import Bound
from hwaccel.compress.checkpoint import AnyEdit, Checkpoint, read_checkpoint, write_checkpoint
from hwaccel.compress.cost import cost_of, hardware
from hwaccel.compress.data import Data, load_data
from hwaccel.compress.edits import Edit
from hwaccel.compress.lowrank import LowRank
from hwaccel.compress.merge import Merge, mergeable
from hwaccel.compress.simplify import Simplified, simplify
from hwaccel.compress.training import Recipe, copied, outputs_of
from hwaccel.config import Config
from hwaccel.errors import ConfigError

CONFIG = Config(multipliers=8)
X = (8, 8)


class Wrapped(nn.Module):
    """Layers, and what ``forward`` does with them."""

    def __init__(self, forward: Callable[..., torch.Tensor], **layers: nn.Module) -> None:
        super().__init__()
        for name, layer in layers.items():
            self.add_module(name, layer)
        self.does = forward

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.does(self, x)


def seasoned(norm: nn.Module) -> nn.Module:
    """Return a batch normalization that does something."""
    for tensor in (norm.running_mean, norm.running_var, norm.weight.data, norm.bias.data):
        tensor.copy_(torch.rand(len(tensor)) + 0.5)
    return norm


def no_bias(layer: nn.Module) -> nn.Module:
    layer.bias.data.zero_()
    return layer


def line(m: nn.Module, x: torch.Tensor) -> torch.Tensor:
    h = m.a(x.flatten(1))
    return m.b((1 - 3 * h / 7 + 0.25).neg())


EXACT: dict[str, tuple[Callable[[], nn.Module], str, str]] = {
    "linear-linear": (
        lambda: nn.Sequential(nn.Flatten(), nn.Linear(64, 20), nn.Linear(20, 10)), "1", "2"
    ),
    "norm and dropout": (
        lambda: nn.Sequential(
            nn.Flatten(), nn.Linear(64, 20), seasoned(nn.BatchNorm1d(20)), nn.Dropout(),
            nn.Linear(20, 10, bias=False),
        ), "1", "4",
    ),
    "numbers": (lambda: Wrapped(line, a=nn.Linear(64, 9), b=nn.Linear(9, 10)), "a", "b"),
    "conv-pointwise": (
        lambda: nn.Sequential(
            nn.Conv2d(1, 8, 3, stride=2, padding=1), seasoned(nn.BatchNorm2d(8)), nn.Conv2d(8, 3, 1)
        ), "0", "2",
    ),
    "conv-conv, strides and dilations": (
        lambda: nn.Sequential(
            nn.Conv2d(1, 4, (3, 2), stride=(2, 1), padding=2, dilation=(1, 2)),
            nn.Conv2d(4, 3, (2, 3), stride=(1, 2), dilation=(2, 1)),
        ), "0", "1",
    ),
    "pointwise-padded, no bias": (
        lambda: nn.Sequential(no_bias(nn.Conv2d(1, 6, 1)), nn.Conv2d(6, 2, 3, padding=1)), "0", "1"
    ),
    "pointwise-reflected, bias": (
        lambda: nn.Sequential(
            nn.Conv2d(1, 6, 1), nn.Conv2d(6, 2, 3, padding=1, padding_mode="reflect")
        ), "0", "1",
    ),
    "circular-pointwise": (
        lambda: nn.Sequential(
            nn.Conv2d(1, 6, 3, padding=1, padding_mode="circular"), nn.Conv2d(6, 2, 1)
        ), "0", "1",
    ),
    "conv1d": (
        lambda: nn.Sequential(
            nn.Flatten(2), nn.Conv1d(1, 4, 5, stride=3, padding=2), nn.Conv1d(4, 3, 3, stride=2)
        ), "1", "2",
    ),
    "conv-flatten-linear": (
        lambda: nn.Sequential(
            nn.Conv2d(1, 4, 3, padding=1, stride=2), seasoned(nn.BatchNorm2d(4)), nn.Flatten(),
            nn.Linear(64, 10),
        ), "0", "3",
    ),
    "grouped-flatten-linear": (
        lambda: nn.Sequential(
            nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3, groups=2), nn.Flatten(),
            nn.Linear(64, 10),
        ), "2", "4",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", EXACT)
def test_one_layer_does_what_both_did(name: str) -> None:
    torch.manual_seed(0)
    make, first, second = EXACT[name]
    model = make().double().eval()
    x = torch.randn(9, 1, *X, dtype=torch.float64)
    want = outputs_of(copied(model), x)
    edit = Merge(first, second)
    assert edit in mergeable(copied(model), x[:1])
    made = edit.apply(copied(model), x[:1])
    # In double: the same sums of products in another order.
    assert torch.allclose(outputs_of(made, x), want, rtol=1e-12, atol=1e-12)
    assert type(made.get_submodule(first)) is nn.Identity
    assert edit not in mergeable(made, x[:1])


def relu(m: nn.Module, x: torch.Tensor) -> torch.Tensor:
    return m.b(torch.relu(m.a(x.flatten(1))))


def twice_read(m: nn.Module, x: torch.Tensor) -> torch.Tensor:
    h = m.a(x.flatten(1))
    return m.b(h) + h.sum(1, keepdim=True)


def twice_called(m: nn.Module, x: torch.Tensor) -> torch.Tensor:
    return m.b(m.a(m.a(x.flatten(1))))


def squared(m: nn.Module, x: torch.Tensor) -> torch.Tensor:
    h = m.a(x.flatten(1))
    return m.b(h * h)


REFUSED: dict[str, Callable[[], nn.Module]] = {
    "relu": lambda: Wrapped(relu, a=nn.Linear(64, 9), b=nn.Linear(9, 10)),
    "read by two": lambda: Wrapped(twice_read, a=nn.Linear(64, 9), b=nn.Linear(9, 10)),
    "called twice": lambda: Wrapped(twice_called, a=nn.Linear(64, 64), b=nn.Linear(64, 10)),
    "product": lambda: Wrapped(squared, a=nn.Linear(64, 9), b=nn.Linear(9, 10)),
    "padded": lambda: nn.Sequential(nn.Conv2d(1, 4, 3), nn.Conv2d(4, 2, 3, padding=1)),
    "padded, bias": lambda: nn.Sequential(nn.Conv2d(1, 4, 1), nn.Conv2d(4, 2, 3, padding=1)),
    "groups": lambda: nn.Sequential(nn.Conv2d(1, 4, 3), nn.Conv2d(4, 4, 3, groups=4)),
    "named": lambda: nn.Sequential(nn.Conv2d(1, 4, 3, padding="same"), nn.Conv2d(4, 4, 1)),
    "pool": lambda: nn.Sequential(nn.Conv2d(1, 4, 3), nn.MaxPool2d(2), nn.Conv2d(4, 4, 1)),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_would_differ_is_refused(name: str) -> None:
    torch.manual_seed(0)
    model = REFUSED[name]().eval()
    assert mergeable(model, torch.zeros(1, 1, *X)) == ()


def test_what_is_said() -> None:
    def said(name: str, *paths: str) -> str:
        with pytest.raises(ConfigError) as error:
            Merge(*paths).apply(REFUSED[name]().eval(), torch.zeros(1, 1, *X))
        return str(error.value)

    assert said("relu", "a", "b") == (
        "layers 'a' and 'b': expected the second to be the only one that reads the first, with "
        "nothing but linear calls between them"
    )
    assert said("padded", "0", "1") == (
        "layers '0' and '1': the second pads what the first gives, so borders would differ"
    )
    assert said("groups", "0", "1") == (
        "layers '0' and '1': one has groups, or names its padding; neither is merged"
    )
    assert said("relu", "a", "c").startswith("layer 'c' is not in the model; it has")


# --- the search ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def data() -> Data:
    torch.set_num_threads(1)
    return load_data("digits")


def pairs() -> nn.Module:
    """Return a net with a pair of layers that is cheaper as one."""
    return nn.Sequential(
        nn.Flatten(), nn.Linear(64, 48), seasoned(nn.BatchNorm1d(48)), nn.Linear(48, 16), nn.ReLU(),
        nn.Linear(16, 10),
    )  # fmt: skip


def simplified(model: nn.Module, data: Data) -> tuple[Checkpoint, Simplified]:
    start = Checkpoint(model.eval())
    return simplify(start, data, Recipe(epochs=0), Bound(accuracy_drop=0.5), CONFIG)


def test_a_cheaper_pair_is_merged_and_made_again(data: Data, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = pairs()
    made, record = simplified(model, data)
    assert made.edits == (Merge("1", "3"),)
    (change,) = record.changes
    assert (change.what, change.exact, change.kept) == ("1: merged into 3", True, True)
    assert record.cost_after == cost_of(hardware(made.model, data, CONFIG))
    row = record.merged
    assert (row.stage, row.name, row.changes) == ("model", "reassociate", 1)
    assert row.saved.multiplications == 64 * 48 + 48 * 16 - 64 * 16
    assert row.saved.area == record.cost_before.area - record.cost_after.area
    assert record.cost_after.work < record.cost_before.work
    want, found = (outputs_of(m, data.test.x) for m in (model, made.model))
    assert torch.allclose(found, want, atol=1e-4)
    write_checkpoint(tmp_path / "m", made, data.example, {})
    again = read_checkpoint("tests.compress.test_merge:pairs", tmp_path / "m", data.example)
    assert torch.equal(outputs_of(again.model, data.test.x), found)


def test_a_pair_of_low_rank_stays(data: Data) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    model = LowRank("1", 8).apply(model, data.example)
    assert mergeable(model, data.example) == (Merge("1.0", "1.1"),)
    made, record = simplified(model, data)
    assert made.edits == ()
    assert record.merged.changes == record.merged.saved.multiplications == 0
    assert record.changes[0].reason == "refused, it saves no work"


def test_a_merge_is_data() -> None:
    edits: list[Edit] = [Merge("a", "b.1")]
    assert msgspec.json.decode(msgspec.json.encode(edits), type=list[AnyEdit]) == edits
