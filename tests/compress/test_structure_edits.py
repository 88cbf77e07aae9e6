"""Edits that replace layers: what they become, how near that is, and what they refuse."""

from __future__ import annotations

import msgspec
import pytest
import torch
from torch import nn

from hwaccel.compress.checkpoint import AnyEdit
from hwaccel.compress.depthwise import Depthwise, product_share
from hwaccel.compress.drop import DropLayer, droppable
from hwaccel.compress.edits import Edit
from hwaccel.compress.lowrank import LowRank, full_rank, halving_rank
from hwaccel.errors import ConfigError

X1 = torch.randn(3, 7, generator=torch.Generator().manual_seed(0))
X2 = torch.randn(2, 4, 9, 8, generator=torch.Generator().manual_seed(0))


def conv(**options: object) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(4, 6, 3, **options))


GEOMETRIES = [
    {},
    {"stride": 2, "padding": 1},
    {"dilation": 2, "padding": "same", "padding_mode": "circular"},
    {"bias": False, "padding": (2, 0), "padding_mode": "reflect"},
]


def count(model: nn.Module) -> int:
    return sum(m.weight.numel() for m in model.modules() if hasattr(m, "weight"))


@pytest.mark.parametrize("bias", [True, False])
def test_low_rank_of_a_linear_layer(bias: bool) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(7, 5, bias=bias))
    weight = model[0].weight.detach().clone()
    want = model(X1)
    for rank in range(1, 5):
        made = LowRank("0", rank).apply(nn.Sequential(nn.Linear(7, 5, bias=bias)), X1)
        assert count(made) == rank * 12
    # A matrix that has the rank loses nothing.
    with torch.no_grad():
        u, s, v = torch.linalg.svd(weight, full_matrices=False)
        model[0].weight.copy_(u[:, :2] * s[:2] @ v[:2])
    want = model(X1)
    made = LowRank("0", 2).apply(model, X1)
    assert torch.allclose(made(X1), want, atol=1e-5)
    assert (made[0][1].bias is not None) == bias


@pytest.mark.parametrize("options", GEOMETRIES, ids=str)
def test_low_rank_of_a_convolution(options: dict[str, object]) -> None:
    model = conv(**options)
    weight = model[0].weight.detach()
    u, s, v = torch.linalg.svd(weight.flatten(1), full_matrices=False)
    error = float((s[4:] ** 2).sum())
    with torch.no_grad():
        near = (u[:, :4] * s[:4] @ v[:4]).reshape(weight.shape)
        twin = conv(**options)
        twin[0].weight.copy_(near)
    want = twin(X2)
    made = LowRank("0", 4).apply(model, X2)
    assert torch.allclose(made(X2), want, atol=1e-5)
    product = (made[0][1].weight.flatten(1) @ made[0][0].weight.flatten(1)).detach()
    assert float(((product - weight.flatten(1)) ** 2).sum()) == pytest.approx(error, rel=1e-3)


@pytest.mark.parametrize("options", GEOMETRIES, ids=str)
def test_depthwise_with_every_tap_loses_nothing(options: dict[str, object]) -> None:
    model = conv(**options)
    want = model(X2)
    made = Depthwise("0", 6).apply(model, X2)
    assert torch.allclose(made(X2), want, atol=1e-5)


def test_depthwise_comes_nearer_with_every_kernel() -> None:
    want, errors = conv()(X2), []
    for multiplier in range(1, 7):
        made = Depthwise("0", multiplier).apply(conv(), X2)
        assert count(made) == 4 * multiplier * (9 + 6)
        assert count(made) / count(conv()) == pytest.approx(product_share(conv()[0], multiplier))
        errors.append(float((made(X2) - want).detach().square().mean()))
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 1e-10


def test_ranks() -> None:
    assert full_rank(nn.Linear(7, 5)) == 5
    assert full_rank(nn.Conv2d(4, 60, 3)) == 36
    assert full_rank(nn.Conv2d(4, 6, 3, groups=2)) == 0
    assert full_rank(nn.ReLU()) == 0
    assert halving_rank(nn.Linear(64, 64), 0.5) == 16
    assert halving_rank(nn.Linear(2, 2), 0.5) == 0


class Residual(nn.Module):
    """Blocks that keep shapes, and layers that do not."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(4, 6, 3)
        self.block = nn.Sequential(nn.Conv2d(6, 6, 3, padding=1), nn.ReLU())
        self.head = nn.Linear(6 * 7 * 6, 5)
        self.last = nn.Linear(5, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        return self.last(self.head((x + self.block(x)).flatten(1)))


def test_drop() -> None:
    torch.manual_seed(0)
    model = Residual()
    assert droppable(model, X2) == ("block", "block.0", "last")
    want = model.last(model.head((2 * model.stem(X2)).flatten(1)))
    made = DropLayer("block").apply(model, X2)
    assert torch.allclose(made(X2), want)


@pytest.mark.parametrize(
    "edit", [LowRank("0", 3), Depthwise("0", 2), DropLayer("a.b")], ids=lambda e: type(e).__name__
)
def test_edits_are_data(edit: Edit) -> None:
    text = msgspec.json.encode([edit])
    assert msgspec.json.decode(text, type=list[AnyEdit]) == [edit]


def refusal(edit: Edit, model: nn.Module, x: torch.Tensor) -> str:
    with pytest.raises(ConfigError) as error:
        edit.apply(model, x)
    return str(error.value)


def test_refusals() -> None:
    linear = nn.Sequential(nn.Linear(7, 5))
    assert refusal(LowRank("0", 5), linear, X1) == "layer '0': rank is 5, expected 1 to 4"
    assert refusal(LowRank("1", 5), linear, X1) == "layer '1' is not in the model; it has 0"
    assert refusal(LowRank("0", 1), conv(groups=2), X2) == (
        "layer '0' is a Conv2d; linear layers and ungrouped convolutions can be of low rank"
    )
    assert refusal(Depthwise("0", 7), conv(), X2) == "layer '0': multiplier is 7, expected 1 to 6"
    assert refusal(Depthwise("0"), linear, X1) == (
        "layer '0' is a Linear; ungrouped convolutions of more than a pixel and a channel can be "
        "split by channels"
    )
    assert refusal(DropLayer("0"), conv(), X2) == (
        "layer '0': its result must have the shape of its one operand to be left out"
    )
