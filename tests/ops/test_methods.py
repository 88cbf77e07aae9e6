"""What the schedule asks of every op: bounds, parallelisms, accumulators, pixels."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray

from hwaccel.fxp import FixedType, IntArray
from hwaccel.ir import TensorType
from hwaccel.ir.hardware import Multiplier
from hwaccel.ir.lines import Lines
from hwaccel.ir.op import Example
from hwaccel.ops import OPS, Conv2d, Dense, Gather, MaxPool2d, Relu, Scale, SumPool2d
from hwaccel.ops.gather import stream_order
from hwaccel.ops.mac import borrowed
from tests.ops.test_contract import random_frames

EXAMPLES = [
    pytest.param(example, id=f"{op.name}-{example.label}")
    for op in OPS
    for example in op.examples()
]
# Operands that are never zero, and a partial sum that just needs a bit more.
_OFFSET = Conv2d(IntArray([[[[-3]], [[1]]]]), IntArray([0]), IntArray([0]))
EXAMPLES.append(
    pytest.param(Example("offset", _OFFSET, (TensorType((2, 2, 2), 0, 5, 11),)), id="conv2d-offset")
)
WEIGHTED = [one for one in EXAMPLES if isinstance(one.values[0].op, Dense | Conv2d)]  # type: ignore[union-attr]
IMAGES = [one for one in EXAMPLES if len(one.values[0].ins[0].shape) == 3]  # type: ignore[union-attr]


# --- bounds ---------------------------------------------------------------------------------------


def rows(op: Dense | Conv2d) -> list[tuple[list[int], int, int]]:
    """Return the weights of every output, its shift and its bias."""
    weight = op.weight.a.reshape(op.weight.shape[0], -1)
    shifts, biases = op.shift.a.tolist(), op.bias.a.tolist()
    return list(zip(weight.tolist(), shifts, biases, strict=True))


@pytest.mark.parametrize("example", WEIGHTED)
def test_the_bound_is_the_sum_of_all_magnitudes(example: Example) -> None:
    """Whatever the order of addition, and no more than that."""
    op, (x,) = example.op, example.ins
    assert isinstance(op, Dense | Conv2d)
    most = max(abs(x.lo), abs(x.hi))
    sums = [(sum(map(abs, row)) * most << shift) + abs(bias) for row, shift, bias in rows(op)]
    assert op.bound(x) == max(sums)


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_bound_holds_for_operands_and_results(example: Example) -> None:
    xs = random_frames(example)
    y = example.op.golden(*xs)
    bound = example.op.bound(*example.ins)
    assert np.abs(y).max() <= bound
    if not isinstance(example.op, Dense | Conv2d | Scale):  # a weight of zero hides its operand
        aligned = max(max(abs(x.lo), abs(x.hi)) for x in example.ins)
        assert aligned <= bound


@pytest.mark.parametrize("example", WEIGHTED)
def test_the_accumulator_holds_every_partial_sum_and_is_no_wider(example: Example) -> None:
    op, (x,) = example.op, example.ins
    assert isinstance(op, Dense | Conv2d)
    low = high = 0
    for row, _, _ in rows(op):
        ends = [(w * x.lo, w * x.hi) for w in row]
        low = min(low, sum(min(0, *pair) for pair in ends))
        high = max(high, sum(max(0, *pair) for pair in ends))
    width = 1
    while not -(1 << width - 1) <= low <= high < 1 << width - 1:
        width += 1
    for fold in op.folds(x):
        pipe = op.hardware(example.ins, fold).pipes[0]
        assert dict(pipe.params)["ACC_W"] == width


# --- parallelism ----------------------------------------------------------------------------------


def divides(number: int) -> list[int]:
    return [n for n in range(1, number + 1) if number % n == 0]


def expected_folds(example: Example) -> set[tuple[int, int]]:
    """Return outputs and inputs per cycle that the documentation of each op promises."""
    op, x = example.op, example.ins[0]
    if isinstance(op, Dense):
        return set(product(*map(divides, op.weight.shape)))
    if isinstance(op, Conv2d):
        outputs, inputs = op.weight.shape[:2]
        if op.groups == outputs and inputs == 1:
            return {(n, 1) for n in divides(outputs)}
        return set(product(divides(outputs // op.groups), divides(inputs)))
    if isinstance(op, Gather):
        return {(n, n) for n in divides(x.channels) if moves_together(op, x, n)}
    return set()


def moves_together(op: Gather, x: TensorType, lanes: int) -> bool:
    """Tell whether every beat of the result is a whole beat of the operand, or all constant."""
    at = {int(element): place for place, element in enumerate(stream_order(x.shape))}
    source = [int(op.source.a[i]) for i in stream_order(op.shape)]
    if op.shape[0] % lanes:
        return False
    for first in range(0, len(source), lanes):
        beat = [at[i] if i >= 0 else -1 for i in source[first : first + lanes]]
        whole = beat[0] >= 0 and beat[0] % lanes == 0
        run = [beat[0] + i for i in range(lanes)] if whole else [-1] * lanes
        if beat != run:
            return False
    return True


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_parallelism_is_offered_slowest_first(example: Example) -> None:
    folds = example.op.folds(*example.ins)
    every = [(fold.pe, fold.simd) for fold in folds if not fold.skip]
    assert len(set(every)) == len(every)
    if (promised := expected_folds(example)) or isinstance(example.op, Gather):
        assert set(every) == promised
    else:
        result = example.op.infer(*example.ins)
        assert {pe for pe, _ in every} <= set(divides(result.channels))
        assert (1, 1) in every or len(every) == 1
        assert max(pe for pe, _ in every) in (1, example.ins[0].channels, result.channels)
    at_once = [fold.pe * fold.simd for fold in folds]
    assert at_once == sorted(at_once)


@pytest.mark.parametrize("example", WEIGHTED)
def test_zeros_are_skipped_where_an_eighth_of_the_words_is_zero(example: Example) -> None:
    op, (x,) = example.op, example.ins
    for fold in op.folds(x):
        words = op.hardware(example.ins, fold).pipes[0].roms[0].fields.a
        if fold.skip:
            (whole,) = (
                f for f in op.folds(x) if (f.pe, f.simd, f.skip) == (fold.pe, fold.simd, False)
            )
            every = op.hardware(example.ins, whole).pipes[0].roms[0].fields.a
            assert words.any(axis=1).sum() == every.any(axis=1).sum()
            assert every.any(axis=1).mean() <= 7 / 8


@pytest.mark.parametrize(("zeros", "skips"), [(0, False), (1, False), (2, True), (16, True)])
def test_two_words_of_sixteen_are_an_eighth(zeros: int, skips: bool) -> None:
    weight = np.ones((1, 16), dtype=np.int64)
    weight[:, :zeros] = 0
    op = Dense(IntArray(weight), IntArray([0]), IntArray([0]))
    folds = op.folds(TensorType((16,), 0, 0, 7))
    assert any(fold.skip and (fold.pe, fold.simd) == (1, 1) for fold in folds) == skips


def bits(array: NDArray[np.int64]) -> int:
    return FixedType.of_range(min(int(array.min()), -1), int(array.max()), 0).width


@pytest.mark.parametrize("wide", [18, 25, 27, 48])
@pytest.mark.parametrize("example", WEIGHTED)
def test_as_many_outputs_share_a_multiplier_as_fit(example: Example, wide: int) -> None:
    """Side by side, a product apart, what each lane borrows from the next counted in."""
    op, (x,) = example.op, example.ins
    multiplier = Multiplier(wide, 18)
    x_w, signed = x.fixed.width, x.fixed.signed
    for fold in op.folds(x):
        found = op.packing(example.ins, fold, multiplier)
        words = op.hardware(example.ins, replace(fold, skip=False)).pipes[0].roms[0].fields.a
        w_w = bits(op.weight.a)  # type: ignore[attr-defined]
        factor = x_w + (not signed)
        fitting = {1}
        if factor <= 18 and factor + w_w > 8 and min(factor, w_w) >= 2 and not op.channelwise:
            for pack in range(2, fold.pe + 1):
                held = bits(borrowed(words, fold.pe, pack))
                if (pack - 1) * (x_w + held) + held <= wide:
                    fitting.add(pack)
        assert found == max(fitting)


# --- pixel by pixel -------------------------------------------------------------------------------


def presented(lines: Lines, x: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the windows that a line buffer presents, ``(N * OH * OW, C, KH, KW)``."""
    n, channels, height, width = x.shape
    shape = (n, lines.out_height, lines.out_width, channels, *lines.kernel)
    windows = np.full(shape, lines.pad, dtype=np.int64)
    for oy, ox, ky, kx in product(
        range(lines.out_height), range(lines.out_width), *map(range, lines.kernel)
    ):
        y = oy * lines.stride[0] - lines.padding[0] + ky * lines.dilation[0]
        at = ox * lines.stride[1] - lines.padding[1] + kx * lines.dilation[1]
        if 0 <= y < height and 0 <= at < width:
            windows[:, oy, ox, :, ky, kx] = x[:, :, y, at]
    return windows.reshape(-1, channels, *lines.kernel)


@pytest.mark.parametrize("example", IMAGES)
def test_pixel_by_pixel_it_is_the_same(example: Example) -> None:
    op = example.op
    if not (isinstance(op, Conv2d | MaxPool2d | SumPool2d) or op.channelwise):
        return
    xs = random_frames(example)
    lines, once = op.pixel(*example.ins)
    if lines is None:
        parts = [np.moveaxis(x, 1, -1).reshape(-1, x.shape[1], 1, 1) for x in xs]
        types = [TensorType((x.channels, 1, 1), x.frac, x.lo, x.hi) for x in example.ins]
    else:
        parts = [presented(lines, xs[0])]
        x = example.ins[0]
        types = [TensorType((x.channels, *lines.kernel), x.frac, x.lo, x.hi)]
    once.verify(*types)
    want = op.golden(*xs)
    found = once.golden(*parts)
    assert found.shape[2:] == (1, 1)
    pixels = found.reshape(len(want), *want.shape[2:], want.shape[1])
    np.testing.assert_array_equal(np.moveaxis(pixels, -1, 1), want)
    slides = isinstance(op, MaxPool2d | SumPool2d) or (
        isinstance(op, Conv2d)
        and (op.kernel_size != (1, 1) or op.stride != (1, 1) or any(op.padding))
    )
    assert (lines is not None) == slides


def test_a_gather_takes_in_its_constant_only_where_an_element_is_padding() -> None:
    x = TensorType((4,), 0, 3, 5)
    whole = Gather(IntArray([3, 0]), (2,), fill=-9)
    padded = Gather(IntArray([3, -1]), (2,), fill=-9)
    assert (whole.fills, padded.fills) == (False, True)
    assert whole.infer(x) == TensorType((2,), 0, 3, 5)
    assert padded.infer(x) == TensorType((2,), 0, -9, 5)
    assert (whole.holds(x), padded.holds(x)) == (True, False)  # u3 has no place for -9


def test_relu_cuts_every_channel_at_zero() -> None:
    x = TensorType.full((3,), FixedType.parse("s8.0"))
    lo, hi = Relu().intervals((x,), (np.array([-5, 2, -9]), np.array([7, 4, -3])))
    assert lo.tolist() == [0, 2, 0]
    assert hi.tolist() == [7, 4, 0]


def test_a_scale_treats_every_channel_by_itself() -> None:
    assert Scale(IntArray([3]), IntArray([1])).channelwise
