"""Places and values of extrema, pools of uneven windows, running sums: exact."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from hwaccel.config import Config
from hwaccel.errors import FrontendError
from hwaccel.frontend.load import load_model
from hwaccel.frontend.quant import quantize
from hwaccel.frontend.torch_export import trace
from tests.frontend.tools import EXACT, Lambda, answers, convert, frames, golden, on_grid, ops


def with_ties(*shape: int) -> np.ndarray:
    """Return few different numbers, so that most extrema are there several times."""
    return np.clip(np.round(frames(*shape, count=40) / 3), -2, 2).astype(np.float32)


def check(model: nn.Module, *xs: np.ndarray, config: Config = EXACT):
    """Require PyTorch's numbers; one per frame has an axis of length 1 here."""
    graph = convert(model, xs, config)
    for found, expected in zip(golden(graph, xs), answers(model, xs), strict=True):
        np.testing.assert_array_equal(found.reshape(expected.shape), expected)
    return graph


SHAPES = [(10,), (1,), (3, 5), (4, 1), (3, 4, 5), (8, 2, 2)]


@pytest.mark.parametrize("keepdim", [False, True])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_every_axis(shape, keepdim):
    """The first of equal elements, as PyTorch has it on the CPU."""
    for dim in range(1, len(shape) + 1):
        model = Lambda(
            lambda m, x, dim=dim: (
                x.argmax(dim, keepdim),
                torch.argmin(x, dim - len(shape) - 1, keepdim=keepdim),
                *x.max(dim, keepdim),
                *torch.min(x, dim, keepdim=keepdim),
                x.amin(dim, keepdim),
                x.amax(dim, keepdim),
            )
        )
        graph = check(model, with_ties(*shape))
        for place in (0, 1, 3, 5):
            type = graph.types()[graph.outputs[place]]
            assert (type.frac, type.lo) == (0, 0)
            assert type.hi < 2 * shape[dim - 1]


def test_topk_of_one():
    """Which of equal elements ``topk`` returns, PyTorch leaves open; here the numbers differ."""
    x = np.random.default_rng(0).permuted(np.tile(np.arange(-40.0, 40), (12, 1)), axis=1)
    x = (x / 16).astype(np.float32).reshape(12, 4, 20)
    check(Lambda(lambda m, x: x.topk(1)), x)
    check(Lambda(lambda m, x: torch.topk(x, 1, dim=1, largest=False)), x)


@pytest.mark.parametrize("place", [0, 1])
def test_one_of_two_results(place):
    graph = check(Lambda(lambda m, x: x.max(1)[place]), with_ties(3, 4, 5))
    assert ops(graph).count("maxpool2d") == 1


def test_aminmax_and_several_axes():
    check(Lambda(lambda m, x: x.aminmax(dim=2)), with_ties(3, 4))
    check(
        Lambda(lambda m, x: (x.amin((1, 3)), x.amax((2, 3)), x.amin((-1, -2)))), with_ties(3, 4, 2)
    )


def test_indices_are_never_rounded():
    """Not by ``output_bits``, nor when they are moved, nor by the calibration."""
    model = Lambda(lambda m, x: (x.argmax(1), x.unsqueeze(2).repeat(1, 1, 3).argmax(1).flip(1)))
    check(model, frames(100, count=64), config=Config(input="s8.4", output_bits=3))


def test_the_operand_is_not_rounded():
    """Scores that differ in the accumulator's last bit have a first one."""
    model = on_grid(nn.Sequential(nn.Linear(16, 12), Lambda(lambda m, x: x.argmax(1))))
    graph = check(model, frames(16, count=200))
    assert ops(graph)[:2] == ["dense", "reshape"]


def test_indices_are_numbers_of_any_type():
    for function in (
        lambda m, x: x.argmax(1).long(),
        lambda m, x: x.argmax(1).to(torch.int32),
        lambda m, x: x.argmax(1).float() * 2 + 1,
        lambda m, x: x.argmax(2).unsqueeze(1).int(),
        lambda m, x: (x.argmax(1).float() - x.argmin(1)).abs(),
    ):
        check(Lambda(function), with_ties(6, 4))


def test_one_number_per_frame():
    """It has one element here, and meets nothing but other such numbers."""
    for function in (
        lambda m, x: x.mean(1),
        lambda m, x: x[:, 2],
        lambda m, x: x.sum(1).unsqueeze(1) + x,
        lambda m, x: (x.amax(1) - x.amin(1)).relu().view(-1, 1) * 0.5,
        lambda m, x: 2 - x.amax(1),
        lambda m, x: (x.amax(1) > 1) & (x.amin(1) < -1),
    ):
        graph = check(
            Lambda(function), with_ties(8), config=Config(input="s8.4", activation_bits=12)
        )
        assert graph.types()[graph.outputs[0]].shape in ((1,), (8,))


def test_a_segmentation_network_from_a_file(tmp_path):
    model = on_grid(nn.Sequential(nn.Conv2d(2, 5, 3), Lambda(lambda m, x: x.argmax(1).float())))
    x = frames(2, 6, 6, count=20)
    exported = torch.export.export(model.eval(), (torch.from_numpy(x),))
    torch.export.save(exported, tmp_path / "model.pt2")
    graph = quantize(trace(load_model(str(tmp_path / "model.pt2"))), x, EXACT)
    np.testing.assert_array_equal(golden(graph, [x])[0], answers(model, [x])[0])


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 7, 9, 11, (3, 5), (7, 2), (None, 4)], ids=str)
def test_adaptive_max_pool2d(size):
    graph = check(nn.AdaptiveMaxPool2d(size), frames(3, 7, 9))
    assert ops(graph).count("maxpool2d") == 1


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 13])
def test_adaptive_max_pool1d(size):
    check(nn.AdaptiveMaxPool1d(size), frames(3, 8))
    check(Lambda(lambda m, x: functional.adaptive_max_pool1d(x, size)), frames(2, 5))


@pytest.mark.parametrize("dim", [1, 2, 3, -1])
def test_cumsum(dim):
    check(Lambda(lambda m, x: x.cumsum(dim)), frames(3, 4, 2))


@pytest.mark.parametrize(
    ("function", "shapes", "text"),
    [
        (
            lambda m, x: x.argmax(),
            [(4,)],
            "argmax: compares all frames of the batch; give a dim, after flatten(1)",
        ),
        (
            lambda m, x: x.max(),
            [(4,)],
            "max: compares all frames of the batch; give a dim, after flatten(1)",
        ),
        (
            lambda m, x: x.argmin(0),
            [(4,)],
            "argmin: dim is (0,), which has the batch in it; leave it out",
        ),
        (
            lambda m, x: x.topk(3),
            [(4,)],
            "topk: k is 3, expected 1; choose outside the model",
        ),
        (
            lambda m, x: x.cumsum(0),
            [(4,)],
            "cumsum: dim is 0, the batch; sum up along another axis",
        ),
        (
            lambda m, x: x.mean(1) + x,
            [(7,)],
            "add: reads one number per frame, which has no axis besides the batch, together with "
            "other axes; keep an axis with keepdim=True or unsqueeze(1)",
        ),
        (
            lambda m, x, y: x + y,
            [(7,), (7, 7)],
            "add: an operand of shape (7,) without the batch axis does not stretch to (7, 7); give "
            "both the same number of axes",
        ),
        (
            lambda m, x: x.int(),
            [(4,)],
            "to: casts to torch.int32; use float types throughout",
        ),
        (
            lambda m, x: x.argmax(1).bool(),
            [(4,)],
            "to: casts to torch.bool; use float types throughout",
        ),
        (
            lambda m, x: functional.adaptive_max_pool1d(x, 2, return_indices=True)[1] + 1,
            [(2, 4)],
            "add: reads a further result of adaptive_max_pool1d, of which only the first is "
            "supported; leave the others out",
        ),
    ],
)
def test_refused(function, shapes, text):
    with pytest.raises(FrontendError) as caught:
        convert(Lambda(function), [frames(*shape) for shape in shapes])
    assert str(caught.value) == f"the model's forward: {text}"
