"""What ops tell passes about themselves is true, for every op and example."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.random import Generator
from numpy.typing import NDArray

from hwaccel.fxp import IntArray
from hwaccel.ir import Example, Op, TensorType
from hwaccel.ir.op import uniform
from hwaccel.ops import OPS, Conv2d, Dense, Scale

EXAMPLES = [
    pytest.param(example, id=f"{op.name}-{example.label}")
    for op in OPS
    for example in op.examples()
]


@pytest.fixture
def rng() -> Generator:
    return np.random.default_rng(3)


def batch(rng: Generator, x: TensorType, count: int = 6) -> NDArray[np.int64]:
    return rng.integers(x.lo, x.hi, (count, *x.shape), endpoint=True)


def weighted(rng: Generator, example: Example) -> Op:
    """The op, with some rows, columns and offsets zero."""
    op = example.op
    if isinstance(op, Dense | Conv2d):
        weight = op.weight.a.copy()
        weight[:, rng.random(weight.shape[1]) < 0.4] = 0
        return replace(op, weight=IntArray(weight))
    return op


@pytest.mark.parametrize("example", EXAMPLES)
def test_intervals_of_uniform_operands_make_the_type(example: Example) -> None:
    lo, hi = example.op.intervals(example.ins, *map(uniform, example.ins))
    inferred = example.op.infer(*example.ins)
    assert lo.shape == hi.shape == (inferred.channels,)
    assert (lo.min(), hi.max()) == (inferred.lo, inferred.hi)


@pytest.mark.parametrize("example", EXAMPLES)
def test_intervals_hold_for_channels_by_themselves(example: Example, rng: Generator) -> None:
    xs, operands = [], []
    for x in example.ins:
        ends = np.sort(rng.integers(x.lo, x.hi, (2, x.channels), endpoint=True), axis=0)
        column = (1, -1) + (1,) * (len(x.shape) - 1)
        lo, hi = (end.reshape(column) for end in ends)
        random = rng.integers(np.broadcast_to(lo, (6, *x.shape)), hi, endpoint=True)
        xs.append(np.where(rng.random(random.shape) < 0.3, lo, random))
        operands.append((ends[0], ends[1]))
    low, high = example.op.intervals(example.ins, *operands)
    y = np.moveaxis(example.op.golden(*xs), 1, -1)
    assert (low <= y).all()
    assert (y <= high).all()
    inferred = example.op.infer(*example.ins)
    assert inferred.lo <= low.min()
    assert high.max() <= inferred.hi


@pytest.mark.parametrize("example", EXAMPLES)
def test_channels_go_together(example: Example, rng: Generator) -> None:
    op = weighted(rng, example)
    ties = op.ties(*example.ins)
    if ties is None:
        return
    result = op.infer(*example.ins)
    operand_stays = rng.random(example.ins[0].channels) < 0.6
    result_stays = rng.random(result.channels) < 0.6
    operand_stays[0] = result_stays[0] = True
    for _ in range(ties.size):
        for a, b in ties:
            operand_stays[a] = result_stays[b] = operand_stays[a] or result_stays[b]
    xs = [batch(rng, x) for x in example.ins]
    if not ties.size:
        xs[0][:, ~operand_stays] = 0
    operand, kept = np.flatnonzero(operand_stays), np.flatnonzero(result_stays)
    shorter = op.keep(operand, kept)
    assert shorter is not None
    shorter.verify(*(replace(x, shape=(operand.size, *x.shape[1:])) for x in example.ins))
    found = shorter.golden(*(x[:, operand] for x in xs))
    np.testing.assert_array_equal(found, op.golden(*xs)[:, kept])


@pytest.mark.parametrize("example", EXAMPLES)
def test_channelwise_ops_permute(example: Example, rng: Generator) -> None:
    if not example.op.channelwise:
        return
    order = rng.permutation(example.ins[0].channels)
    moved = example.op.keep(order, order)
    assert moved is not None
    xs = [batch(rng, x) for x in example.ins]
    found = moved.golden(*(x[:, order] for x in xs))
    np.testing.assert_array_equal(found, example.op.golden(*xs)[:, order])


@pytest.mark.parametrize("example", EXAMPLES)
def test_constants_are_absorbed(example: Example, rng: Generator) -> None:
    op, x = weighted(rng, example), example.ins[0]
    if op.ties(*example.ins) is None or op.channelwise or len(example.ins) > 1:
        return
    constant = rng.integers(x.lo, x.hi, x.channels, endpoint=True)
    constant[rng.random(x.channels) < 0.3] = 0
    known = rng.random(x.channels) < 0.7
    gone = ~op.needs(x, constant, known)
    column = (1, -1) + (1,) * (len(x.shape) - 1)
    values = np.where((gone & known).reshape(column), constant.reshape(column), batch(rng, x))
    less = np.where(gone & known, constant, 0)
    if op.ties(*example.ins).size:  # type: ignore[union-attr]
        assert op.absorb(less) is op
        return
    # What goes without being constant carries no weight: any value does.
    rest = np.where((gone & ~known).reshape(column), 0, values - less.reshape(column))
    found = op.absorb(less).golden(rest)
    np.testing.assert_array_equal(found, op.golden(values))


@pytest.mark.parametrize("example", EXAMPLES)
def test_homogeneous(example: Example, rng: Generator) -> None:
    if example.op.homogeneous:
        x = batch(rng, example.ins[0])
        np.testing.assert_array_equal(example.op.golden(x << 3), example.op.golden(x) << 3)


@pytest.mark.parametrize("example", EXAMPLES)
def test_factor(example: Example, rng: Generator) -> None:
    op = example.op
    if not isinstance(op, Dense | Conv2d | Scale):
        return
    for extra in (0, 1, 4):
        if isinstance(op, Scale):
            times = Scale(IntArray(op.mult.a << extra), IntArray(op.add.a << extra), op.mult_frac)
        else:
            weight = IntArray(op.weight.a << extra)
            times = replace(op, weight=weight, bias=IntArray(op.bias.a << extra))
        k = times.factor()
        assert k >= extra or not op.golden(batch(rng, example.ins[0])).any()
        small = times.divided(k)
        x = batch(rng, example.ins[0])
        np.testing.assert_array_equal(small.golden(x) << k, times.golden(x))
        assert small.factor() == 0
        assert small.infer(*example.ins).frac == times.infer(*example.ins).frac - k


@pytest.mark.parametrize("example", EXAMPLES)
def test_canonical_order(example: Example, rng: Generator) -> None:
    names = ("b", "a")[: len(example.ins)]
    op, order = example.op.canonical(names)
    assert op.canonical(order) == (op, order)
    values = dict(zip(names, (batch(rng, x) for x in example.ins), strict=True))
    expected = example.op.golden(*(values[name] for name in names))
    np.testing.assert_array_equal(op.golden(*(values[name] for name in order)), expected)


def test_a_constant_is_shifted_like_the_weights_that_it_meets(rng: Generator) -> None:
    """Where rows have scales of their own; with padding, a constant is none at the border."""
    weight = rng.integers(-7, 8, (3, 4, 2, 2))
    shift, bias = IntArray([0, 2, 5]), IntArray([1, -2, 3])
    x = TensorType((4, 5, 5), 0, -8, 7)
    constant, known = np.array([0, 5, -3, 2]), np.array([True, False, True, True])
    conv = Conv2d(IntArray(weight), shift, bias)
    dense = Dense(IntArray(weight[:, :, 0, 0]), shift, bias)
    flat = TensorType((4,), 0, -8, 7)
    assert conv.needs(x, constant, known).tolist() == [False, True, False, False]
    assert dense.needs(flat, constant, known).tolist() == [False, True, False, False]
    padded = replace(conv, padding=(1, 0, 0, 0))
    assert padded.needs(x, constant, known).tolist() == [False, True, True, True]
    less = np.where(known, constant, 0)
    for op, values in ((conv, batch(rng, x)), (dense, batch(rng, flat))):
        column = (4,) + (1,) * (values.ndim - 2)
        values[:, known] = constant[known].reshape(-1, *column[1:])
        found = op.absorb(less).golden(values - less.reshape(column))
        np.testing.assert_array_equal(found, op.golden(values))


def test_channels_of_several_groups_are_never_needed_alone(rng: Generator) -> None:
    """They go, or stay, with the channel of the result that they are tied to."""
    for groups in (2, 4):
        conv = Conv2d(
            IntArray(np.ones((4, 4 // groups, 1, 1))), IntArray([0] * 4), IntArray([0] * 4)
        )
        conv = replace(conv, groups=groups)
        x = TensorType((4, 2, 2), 0, -8, 7)
        found = conv.needs(x, np.zeros(4, dtype=np.int64), np.zeros(4, dtype=np.bool_))
        assert found.tolist() == [False] * 4
        assert conv.absorb(np.ones(4, dtype=np.int64)) is conv
