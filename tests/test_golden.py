"""The golden model as users call it."""

from __future__ import annotations

import numpy as np
import pytest

from hwaccel.errors import ConfigError, VerifyError
from hwaccel.fxp import FixedType
from hwaccel.golden import Golden
from hwaccel.ir import Graph, GraphBuilder, TensorType
from hwaccel.ops import Add, Requant


def two_points(outputs: int) -> Graph:
    """A sum of two inputs on different binary points, and the same rounded."""
    b = GraphBuilder("g")
    x = b.input("x", TensorType.full((2,), FixedType.parse("s4.1")))
    y = b.input("y", TensorType.full((2,), FixedType.parse("u3.3")))
    total = b.add("total", Add.of(b.type(x), b.type(y)), x, y)
    rounded = b.add("rounded", Requant(2, -8, 7), total)
    return b.build(*(total, rounded)[:outputs])


def test_numbers_in_and_out_stand_on_their_own_points() -> None:
    model = Golden(two_points(2))
    x, y = [[1.26, -9.0]], [[0.3, 0.5]]
    assert [q.tolist() for q in model.quantize(x, y)] == [[[3, -8]], [[2, 4]]]
    total, rounded = model(x, y)
    assert total.tolist() == [[1.75, -3.5]]
    assert rounded.tolist() == [[2.0, -3.5]]
    assert [out.tolist() for out in model.raw(*model.quantize(x, y))] == [[[14, -28]], [[4, -7]]]


def test_one_output_is_no_tuple() -> None:
    assert Golden(two_points(1))([[0.0, 1.0]], [[0.125, 0.25]]).tolist() == [[0.125, 1.25]]


def test_every_input_has_as_many_frames() -> None:
    """One frame beside many would be taken for each of them, without a word."""
    for x, y in ((1, 3), (3, 1), (2, 3)):
        with pytest.raises(VerifyError, match=rf"^y: has {y} frames, x has {x}; give as many for"):
            Golden(two_points(1))(np.zeros((x, 2)), np.zeros((y, 2)))


def test_every_input_is_needed() -> None:
    with pytest.raises(ConfigError, match=r"^expected 2 inputs, found 1$"):
        Golden(two_points(1)).quantize(np.zeros((1, 2)))
