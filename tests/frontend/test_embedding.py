"""Embeddings and other rows of tables: exact where eight bits hold the rows."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from hwaccel.config import Config
from hwaccel.errors import FrontendError
from tests.frontend.tools import EXACT, Lambda, check_exact, convert, golden, on_grid

ROWS = torch.arange(-24.0, 24.0).reshape(12, 4) / 8


def tokens(*shape: int, rows: int = 12, count: int = 6, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, rows, (count, *shape))


MODELS = {
    "sequence": (on_grid(nn.Embedding(12, 4)), (5,)),
    "one": (on_grid(nn.Embedding(12, 4)), (1,)),
    "image": (on_grid(nn.Embedding(12, 3)), (2, 3)),
    "padding": (on_grid(nn.Embedding(12, 4, padding_idx=0)), (5,)),
    "one-row": (on_grid(nn.Embedding(1, 4)), (3,)),
    "position": (Lambda(lambda m, x: m.e(x) + ROWS[:5], e=on_grid(nn.Embedding(12, 4))), (5,)),
    "position-embedding": (
        Lambda(
            lambda m, x: m.e(x) + m.p(torch.arange(5)),
            e=on_grid(nn.Embedding(12, 4)),
            p=on_grid(nn.Embedding(9, 4)),
        ),
        (5,),
    ),
    "layer": (nn.Sequential(on_grid(nn.Embedding(12, 4)), on_grid(nn.Linear(4, 3))), (5,)),
    "moved": (Lambda(lambda m, x: m.e(x.flip(1)[:, 1:]), e=on_grid(nn.Embedding(12, 4))), (5,)),
    "twice": (
        Lambda(
            lambda m, x: torch.cat([m.e(x), m.f(x)], 2),
            e=on_grid(nn.Embedding(12, 4)),
            f=on_grid(nn.Embedding(15, 2)),
        ),
        (5,),
    ),
    "one-hot": (Lambda(lambda m, x: functional.one_hot(x, 12).float()), (5,)),
    "rows-of-a-constant": (Lambda(lambda m, x: ROWS[x] * 2), (5,)),
    "numbers-of-a-constant": (Lambda(lambda m, x: ROWS[:, 1][x] * 2), (5,)),
    "images-of-a-constant": (Lambda(lambda m, x: ROWS.reshape(12, 2, 2)[x]), (3,)),
}


@pytest.mark.parametrize("name", MODELS)
def test_rows(name):
    model, shape = MODELS[name]
    rows = 1 if name == "one-row" else 12
    # The format of the input is that of the indices, whatever the configuration says.
    graph = check_exact(model, tokens(*shape, rows=rows))
    assert (graph.inputs[0].type.frac, graph.inputs[0].type.lo) == (0, 0)
    assert graph.inputs[0].type.hi == rows - 1


def test_out_of_range_is_the_nearest_row():
    model = on_grid(nn.Embedding(12, 4))
    graph = convert(model, [tokens(5)])
    wild = np.array([[-3, 0, 11, 12, 1000]])
    (found,) = golden(graph, [wild])
    np.testing.assert_array_equal(found, model(torch.tensor(wild).clamp(0, 11)).detach().numpy())


def test_rows_are_rounded_once():
    torch.manual_seed(0)
    model = nn.Embedding(12, 4)
    graph = convert(model, [tokens(5)], Config(activation_bits=8, calibration="minmax"))
    (found,), frac = golden(graph, [tokens(5)]), graph.types()[graph.outputs[0]].frac
    expected = model(torch.tensor(tokens(5))).detach().numpy()
    assert np.abs(found - expected).max() <= 2.0 ** -(frac + 1)


def test_examples_may_be_any_whole_numbers():
    model = on_grid(nn.Embedding(12, 4))
    for kind in (np.int32, np.int64):
        check_exact(model, tokens(5).astype(kind))
    for kind in (np.uint8, np.int16):
        convert(model, [tokens(5).astype(kind)])
    convert(model, [torch.tensor(tokens(5), dtype=torch.int32)], EXACT)


BITS = torch.tensor([[1.0, 2.0, 4.0], [4.0, 2.0, 1.0]])
ENTRIES = torch.tensor([0.0, 1, 1, 0, 1, 0, 0, 1, 0, 0, 0, 1, 0, 1, 1, 1])


def rounded(x: torch.Tensor, last: int, scale: float = 1.0) -> torch.Tensor:
    return torch.fake_quantize_per_tensor_affine(x, scale, 0, 0, last).long()


def any_logic(m: nn.Module, x: torch.Tensor) -> torch.Tensor:
    index = functional.linear((x > 0.25).float(), BITS) + torch.tensor([0.0, 8.0])
    return functional.linear(ENTRIES[rounded(index, 15)], torch.tensor([[1.0, 1.0]]))


COMPUTED = {
    "any-logic": any_logic,
    "rounded": lambda m, x: ROWS[rounded(x * 20, 11)],
    "coarse": lambda m, x: ROWS[rounded(x * 16, 2, 4.0)],
    "reshaped": lambda m, x: ROWS[rounded(x * 20, 11).flip(1).int().reshape(-1, 3, 1)[:, :, 0]],
    "embedding": lambda m, x: m.e(rounded(x * 20, 11)),
    "truth": lambda m, x: ROWS[(x > 0.25).long()],
    "largest": lambda m, x: ROWS[x.argmax(1, keepdim=True)],
}


@pytest.mark.parametrize("name", COMPUTED)
def test_computed_indices(name):
    model = Lambda(COMPUTED[name], e=on_grid(nn.Embedding(12, 4)))
    x = np.random.default_rng(4).integers(-16, 16, (40, 3)) / 16
    config = Config(weight_bits=8, activation_bits=8, input="s5.4")
    graph = convert(model, [x], config)
    (found,) = golden(graph, [x])
    expected = model(torch.tensor(x, dtype=torch.float32)).detach().numpy()
    np.testing.assert_array_equal(found, expected)


REFUSED = {
    "large": (
        lambda: nn.Embedding(5000, 16),
        "the model's forward: embedding: a table of 5000 rows of 16 numbers is too large, "
        "expected at most 65536 numbers; use fewer or shorter rows",
    ),
    "computed": (
        lambda: Lambda(lambda m, x: m.e(x + 1), e=nn.Embedding(20, 4)),
        "e: embedding: indices are computed by scale; make them an input of the model, or round "
        "them to whole numbers by fake quantization of scale 1",
    ),
    "rounded-finely": (
        lambda: Lambda(lambda m, x: m.e(rounded(x * 0.3, 19, 0.5)), e=nn.Embedding(20, 4)),
        "e: embedding: indices are computed by requant; make them an input of the model, or round "
        "them to whole numbers by fake quantization of scale 1",
    ),
    "beyond-the-table": (
        lambda: Lambda(lambda m, x: ROWS[rounded(x * 2.0, 12)]),
        None,
    ),
    "classes-of-the-data": (
        lambda: Lambda(lambda m, x: functional.one_hot(x).float()),
        None,
    ),
    "bag": (
        lambda: Lambda(lambda m, x: m.e(x), e=nn.EmbeddingBag(12, 4)),
        "e: embedding_bag: is not supported; use Embedding, and mean or sum over its rows",
    ),
    "several-axes": (
        lambda: Lambda(lambda m, x: ROWS[x, x.clamp(0, 3)]),
        None,
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusal(name):
    make, message = REFUSED[name]
    with pytest.raises(FrontendError) as caught:
        convert(make(), [tokens(5)])
    assert message is None or str(caught.value) == message
    assert "\n" not in str(caught.value)
