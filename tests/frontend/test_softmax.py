"""Softmax: the largest element stays the largest, and every error has its bound."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from hwaccel.config import Config
from hwaccel.errors import FrontendError
from hwaccel.frontend.softmax import Digits, log_error, result_frac
from hwaccel.fxp import FixedType, Rounding
from hwaccel.ir import Graph, TensorType, interpret
from tests.frontend.tools import Lambda, convert, frames, golden

ALONG = {
    "vector": (1, (9,)),
    "last-of-two": (2, (3, 5)),
    "first-of-two": (1, (3, 5)),
    "last-of-three": (-1, (2, 3, 4)),
    "middle-of-three": (2, (2, 3, 4)),
    "first-of-three": (1, (2, 3, 4)),
    "one-element": (1, (1,)),
    "one-each": (2, (3, 1)),
}


def of(function, shape: tuple[int, ...], fixed: str, bits: int = 8, **options) -> Graph:
    """Return ``function`` of an input of format ``fixed``."""
    type = FixedType.parse(fixed)
    rng = np.random.default_rng(3)
    xs = rng.integers(type.lo, type.hi + 1, (64, *shape)) * 2.0**-type.frac
    config = Config(input=fixed, activation_bits=bits, **options)
    return convert(Lambda(function), [xs.astype(np.float32)], config)


def digits_of(graph: Graph, count: int, bits: int) -> tuple[Digits, int]:
    """Return what the lowering chose, read off the graph, and the fraction of the result."""
    x = graph.inputs[0].type
    inverse = next(
        n for n in graph.nodes if n.op.name == "table" and n.output.name[-7:] == "inverse"
    )
    more = (count - 1).bit_length()
    return Digits.of(count, inverse.op.frac - more, x, 1.0), graph.types()[graph.outputs[0]].frac


def exact(ints: np.ndarray, frac: int, axis: int) -> np.ndarray:
    return torch.softmax(torch.tensor(ints) * 2.0**-frac, axis).numpy()


@pytest.mark.parametrize("name", ALONG)
@pytest.mark.parametrize("bits", [4, 8, 12])
def test_every_axis_is_within_its_bound(name, bits):
    dim, shape = ALONG[name]
    graph = of(lambda m, x: functional.softmax(x, dim), shape, "s8.5", bits)
    ints = np.random.default_rng(5).integers(-128, 128, (200, *shape))
    (found,) = interpret(graph, ints)
    digits, frac = digits_of(graph, shape[dim - (dim > 0)], bits)
    assert digits.frac >= bits
    error = np.abs(found * 2.0**-frac - exact(ints, 5, dim)).max()
    assert error <= digits.error(frac) <= 3.5 * 2.0**-bits


@pytest.mark.parametrize("fixed", ["s8.7", "s16.12", "u6.0", "s12.11", "s20.14", "s10.20", "s6.-3"])
@pytest.mark.parametrize("count", [2, 7, 64])
def test_any_format_is_within_its_bound(fixed, count):
    type = FixedType.parse(fixed)
    graph = of(lambda m, x: x.softmax(1), (count,), fixed)
    rng = np.random.default_rng(count)
    ints = rng.integers(type.lo, type.hi + 1, (300, count))
    ints[100:200] = np.clip(rng.integers(-9, 9, (100, count)), type.lo, type.hi)
    (found,) = interpret(graph, ints)
    digits, frac = digits_of(graph, count, 8)
    assert np.abs(found * 2.0**-frac - exact(ints, type.frac, 1)).max() <= digits.error(frac)


# --- the largest stays the largest ----------------------------------------------------------------


def check_largest(graph: Graph, ints: np.ndarray) -> None:
    (found,) = interpret(graph, ints)
    assert np.array_equal(found.argmax(1), ints.argmax(1))
    # Not only the first: what is largest, and nothing else, is largest afterwards.
    largest = ints == ints.max(1, keepdims=True)
    assert np.array_equal(found == found.max(1, keepdims=True), largest)


FUNCTIONS = {
    "softmax": lambda m, x: x.softmax(1),
    "log_softmax": lambda m, x: x.log_softmax(1),
    "softmin-of-minus": lambda m, x: functional.softmin(-x, 1),
}


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("rounding", ["half_even", "half_up", "floor"])
@pytest.mark.parametrize("fixed", ["s3.0", "s3.2", "s3.9", "u3.1", "s3.-2"])
@pytest.mark.parametrize("bits", [3, 6])
def test_every_input_of_few_bits(name, rounding, fixed, bits):
    type = FixedType.parse(fixed)
    values = range(type.lo, type.hi + 1)
    for count in (1, 2, 4):
        graph = of(FUNCTIONS[name], (count,), fixed, bits, rounding=rounding)
        check_largest(graph, np.array(list(itertools.product(values, repeat=count))))


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
@pytest.mark.parametrize("fixed", ["s8.4", "s8.14", "s16.8", "s20.16"])
@pytest.mark.parametrize("count", [10, 100, 1000])
def test_ties_and_extremes_of_many_elements(name, fixed, count):
    type, rng = FixedType.parse(fixed), np.random.default_rng(count)
    graph = of(FUNCTIONS[name], (count,), fixed)
    near = np.where(rng.random((40, count)) < 0.5, type.hi, type.hi - 1)
    ends = rng.choice([type.lo, type.lo + 1, type.hi - 1, type.hi], (40, count))
    same = np.full((3, count), [[type.lo], [0], [type.hi]])
    # All alike but one, which is larger by the smallest step: the sum is as large as it gets.
    alike = rng.integers(type.lo, type.hi, 20)[:, None].repeat(count, 1)
    alike[np.arange(20), rng.integers(0, count, 20)] += 1
    anything = rng.integers(type.lo, type.hi + 1, (40, count))
    check_largest(graph, np.concatenate([near, ends, same, alike, anything]))


def test_the_condition_is_the_one_that_matters():
    """One bit less than ``result_frac`` gives, and some sum makes two different inputs equal."""
    x = TensorType.full((16,), FixedType.parse("s8.6"))
    digits = Digits.of(16, 6, x, 1.0)
    for rounding in Rounding:
        frac = result_frac(digits, rounding)
        assert digits.frac < frac < digits.power + digits.inverse
        first, second = 1 << digits.power, int(digits.exponentials(1)[0])
        unit = 2.0 ** (frac - 1 - digits.power - digits.inverse)
        round_ = {Rounding.FLOOR: np.floor, Rounding.HALF_EVEN: np.rint}.get(
            rounding, lambda v: np.floor(v + 0.5)
        )
        inverses = digits.reciprocals.astype(float)
        assert (round_(first * inverses * unit) == round_(second * inverses * unit)).any()


def test_the_class_of_a_classifier_is_that_of_its_exact_scores():
    """Scores at the end of a network are not rounded before softmax."""
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(12, 10), nn.Softmax(1))
    xs = frames(12, count=200)
    config = Config(input="s8.4", activation_bits=6)
    graph, scores = (convert(m, [xs], config) for m in (model, model[:1]))
    assert "requant" not in [n.op.name for n in graph.nodes[:2]]
    assert np.array_equal(golden(graph, [xs])[0].argmax(1), golden(scores, [xs])[0].argmax(1))


def test_inside_a_network_scores_are_rounded():
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(12, 10), nn.Softmax(1), nn.Linear(10, 3))
    graph = convert(model, [frames(12)], Config(input="s8.4", activation_bits=6))
    assert [n.op.name for n in graph.nodes[:2]] == ["dense", "requant"]


@pytest.mark.parametrize("fixed", ["s8.4", "s12.9"])
def test_log_softmax_is_within_its_bound(fixed):
    type = FixedType.parse(fixed)
    graph = of(lambda m, x: x.log_softmax(2), (3, 7), fixed)
    ints = np.random.default_rng(2).integers(type.lo, type.hi + 1, (300, 3, 7))
    (found,) = interpret(graph, ints)
    frac = graph.types()[graph.outputs[0]].frac
    digits = Digits.of(7, 8, graph.inputs[0].type, 1.0)
    expected = torch.log_softmax(torch.tensor(ints) * 2.0**-type.frac, 2).numpy()
    assert np.abs(found * 2.0**-frac - expected).max() <= log_error(digits, frac)


REFUSED = {
    "batch": (lambda m, x: x.softmax(0), (3,), "softmax: dim is 0, the batch; use another axis"),
    "long": (
        lambda m, x: x.log_softmax(1),
        (32769,),
        "log_softmax over 32769 elements, expected at most 32768; split the axis",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusal(name):
    function, shape, message = REFUSED[name]
    with pytest.raises(FrontendError) as caught:
        convert(Lambda(function), [frames(*shape)])
    assert str(caught.value) == f"the model's forward: {message}"
