"""What a builder sees at once: wires and constants that become no node of their own."""

from __future__ import annotations

import numpy as np
import pytest

from hwaccel.circuit import Builder
from hwaccel.circuit.lay_out import pruned
from hwaccel.circuit.node import Constant, Dot, Node, Shift


def row(weights: list[int], bias: int = 0) -> tuple[Builder, Node]:
    """Return what a row of a matrix becomes, over inputs of 3 bits and a sign."""
    build = Builder()
    xs = [build.input(i, -8, 7) for i in range(len(weights))]
    (made,) = build.linear(np.array([weights]), xs, np.array([bias]))
    return build, build.nodes[made]


def test_a_power_of_two_times_a_number_is_wires() -> None:
    for places in range(1, 12):
        _, made = row([1 << places])
        assert made == Shift(a=0, amount=places, lo=-8 << places, hi=7 << places)
    build, made = row([1])
    assert made is build.nodes[0]
    for weights, bias in (([3], 0), ([-4], 0), ([4], 1), ([4, 2], 0), ([(1 << 20) + 1], 0)):
        assert isinstance(row(weights, bias)[1], Dot)
    assert row([0, 0], 5)[1] == Constant(lo=5, hi=5)


def test_a_product_reads_what_was_shifted_up_and_not_what_was_shifted_down() -> None:
    """Weights take in the shift; bits that are gone do not come back."""
    build = Builder()
    x = build.input(0, -8, 7)
    for places in (1, 2, 5):
        build.linear(np.array([[3, 1]]), [build.shift(x, places), x], np.array([0]))
        assert build.products[-1].xs == (x,)
        assert build.products[-1].matrix.tolist() == [[3 * (1 << places) + 1]]
    half = build.shift(x, -1)
    build.linear(np.array([[3, 1]]), [half, x], np.array([0]))
    assert build.products[-1].xs == (half, x)


@pytest.mark.parametrize(("low", "high"), [(0, 3), (-5, 3), (3, 3)])
def test_of_two_that_do_not_overlap_the_smaller_is_known_at_once(low: int, high: int) -> None:
    build = Builder()
    x, y = build.input(0, low, high), build.input(1, high, 7)
    assert build.minimum(x, y) == build.minimum(y, x) == x
    assert build.maximum(x, y) == build.maximum(y, x) == y
    assert len(build.nodes) == 2


def test_a_circuit_without_outputs_says_nothing_of_every_frame() -> None:
    circuit = pruned(Builder(), [(0, 1)], [])
    assert circuit.evaluate(np.zeros((5, 1), dtype=np.int64)).shape == (5, 0)


def test_it_does_not_matter_which_of_two_comes_first() -> None:
    build = Builder()
    x, y = build.input(0, -8, 7), build.input(1, -5, 9)
    for made in (build.minimum, build.maximum, build.product):
        assert made(x, y) == made(y, x)


def test_a_sum_with_nothing_is_a_shift_of_the_other() -> None:
    build = Builder()
    x, nothing = build.input(0, -8, 7), build.constant(0)
    for shift, left, right in ((0, 0, 0), (3, 0, 3), (-2, 2, 0)):
        assert build.sum(x, nothing, shift) == build.shift(x, left)
        assert build.sum(x, nothing, shift, subtract=True) == build.shift(x, left)
        assert build.sum(nothing, x, shift) == build.shift(x, right)
    assert build.nodes[build.sum(nothing, x, 0, subtract=True)].kind == "sum"
