"""What a matrix product was laid out as is compared with its matrix, bit for bit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from hwaccel.circuit.forms import check_rows
from hwaccel.circuit.node import Constant, Input, Max, Node, Shift, Sum
from hwaccel.cmvm import Problem
from hwaccel.errors import VerifyError

WIDE = 1 << 62
X, Y = Input(index=0, lo=-8, hi=7), Input(index=1, lo=-8, hi=7)


def refused(nodes: Sequence[Node], row: list[int], bias: int = 0, made: int | None = None) -> str:
    """Return why the last node, or node ``made``, is not this row of x and y."""
    problem = Problem.of([row], -8, 7, bias=[bias])
    try:
        check_rows(nodes, [0, 1], [len(nodes) - 1 if made is None else made], problem)
    except VerifyError as error:
        return str(error)
    return ""


def summed(a: int, b: int, shift: int = 0, *, subtract: bool = False, reach: int = 500) -> Sum:
    return Sum(a=a, b=b, shift=shift, subtract=subtract, lo=-reach, hi=reach)


def test_rows_are_followed_through_sums_shifts_and_constants() -> None:
    five = Constant(lo=5, hi=5)
    nodes = [X, Y, summed(0, 1, 2), five, summed(2, 3), summed(4, 0, -3, subtract=True)]
    assert refused(nodes[:3], [1, 4]) == ""
    assert refused(nodes[:5], [1, 4], 5) == ""
    assert refused(nodes, [7, 32], 40) == ""  # ((x + 4 y + 5) << 3) - x
    up = Shift(a=2, amount=3, lo=-500, hi=500)
    assert refused([*nodes[:3], up], [8, 32]) == ""
    down = Shift(a=3, amount=-2, lo=-500, hi=500)
    assert refused([*nodes[:3], up, down], [2, 8]) == ""
    for row, bias in (([1, 3], 0), ([2, 4], 0), ([1, 4], 1), ([0, 4], 0)):
        assert "computes another row than row 0 has" in refused(nodes[:3], row, bias)


def test_an_input_may_be_a_constant_or_a_shift() -> None:
    """A builder joins shifts, so what is a multiple of another input may be read from that."""
    nodes = [Input(index=0, lo=-8, hi=7), Shift(a=0, amount=2, lo=-32, hi=28)]
    double = Sum(a=0, b=0, shift=3, lo=-72, hi=63)
    problem = Problem.of([[1, 2]], [-8, -32], [7, 28])
    check_rows([*nodes, double], [0, 1], [2], problem)  # x + 2 * 4 x
    three = Constant(lo=3, hi=3)
    problem = Problem.of([[1, 2]], [-8, 3], [7, 3])
    check_rows([nodes[0], three, Sum(a=0, b=1, shift=1, lo=-2, hi=13)], [0, 1], [2], problem)


def test_what_loses_bits_or_grows_too_wide_is_no_matrix_product() -> None:
    total = summed(0, 1, 2)
    lost = Shift(a=2, amount=-1, lo=-99, hi=99)
    assert refused([X, Y, total, lost], [0, 2]) == "circuit node 3: a sum loses its lowest bits"
    even = summed(0, 1)
    half = Shift(a=2, amount=-1, lo=-99, hi=99)
    assert "loses its lowest bits" in refused([X, Y, even, half], [1, 1])
    quarter = Shift(a=3, amount=-2, lo=-99, hi=99)
    twice = Shift(a=2, amount=1, lo=-99, hi=99)
    assert "loses its lowest bits" in refused([X, Y, even, twice, quarter], [1, 1])
    far = Sum(a=0, b=1, shift=61, lo=-WIDE, hi=WIDE)
    assert refused([X, Y, far], [1, 2]) == "circuit node 2: a coefficient needs more than 62 bits"
    assert "coefficient" not in refused([X, Y, Sum(a=0, b=1, shift=60, lo=-WIDE, hi=WIDE)], [1, 2])
    other = Max(a=0, b=1, lo=-8, hi=7)
    assert refused([X, Y, other], [1, 1]) == "circuit node 2: a max is no part of a matrix product"


@pytest.mark.parametrize(("subtract", "lo", "hi"), [(False, -40, 35), (True, -36, 39)])
def test_an_interval_holds_what_its_sum_can_reach(subtract: bool, lo: int, hi: int) -> None:
    row = [1, -4 if subtract else 4]
    for less, more, fits in ((0, 0, True), (1, 0, False), (0, 1, False), (-1, -1, True)):
        made = Sum(a=0, b=1, shift=2, subtract=subtract, lo=lo + less, hi=hi - more)
        said = refused([X, Y, made], row)
        assert said == ("" if fits else "circuit node 2: its sum leaves its interval")


def test_a_sum_of_more_than_62_bits_leaves_every_interval() -> None:
    """Where integers themselves would overflow, and so say that it fits."""
    reach = (1 << 40) - 1
    xs = [Input(index=i, lo=-reach, hi=reach) for i in (0, 1)]
    most = np.iinfo(np.int64)
    made = Sum(a=0, b=1, shift=23, lo=int(most.min), hi=int(most.max))
    problem = Problem.of([[1, 1]], -8, 7)
    object.__setattr__(problem, "matrix", type(problem.matrix)([[1, 1 << 23]]))
    with pytest.raises(VerifyError, match="its sum leaves its interval"):
        check_rows([*xs, made], [0, 1], [2], problem)
