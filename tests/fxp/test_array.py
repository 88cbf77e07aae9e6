"""``IntArray``: immutable, compares and hashes by content."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwaccel.fxp import IntArray

VALUES = st.lists(st.integers(-(1 << 63), (1 << 63) - 1), max_size=12)


@given(VALUES, VALUES)
def test_equal_by_content(a: list[int], b: list[int]) -> None:
    x, y = IntArray(a), IntArray(b)
    assert (x == y) == (a == b)
    assert (x.digest == y.digest) == (a == b)
    assert x == IntArray(a)
    assert hash(x) == hash(IntArray(a))
    assert x.range() == ((min(a), max(a)) if a else (0, 0))


def test_shape_is_content() -> None:
    flat = np.arange(6)
    arrays = [IntArray(flat.reshape(shape)) for shape in ((6,), (1, 6), (6, 1), (2, 3), (3, 2))]
    assert len(set(arrays)) == 5
    assert IntArray(np.zeros((0, 2))) != IntArray(np.zeros((2, 0)))
    assert IntArray([1]) != [1]


def test_memory_order_is_not_content() -> None:
    values = np.arange(6).reshape(2, 3)
    assert IntArray(values) == IntArray(np.asfortranarray(values)) == IntArray(values.tolist())
    assert IntArray(values.astype(np.int8)) == IntArray(values)


def test_keeps_no_reference() -> None:
    values = np.arange(3)
    array = IntArray(values)
    values[0] = 99
    assert array.a.tolist() == [0, 1, 2]


def test_immutable() -> None:
    array = IntArray([1, 2])
    with pytest.raises(ValueError, match="read-only"):
        array.a[0] = 5
    with pytest.raises(AttributeError) as caught:
        array.a = np.zeros(2)
    assert str(caught.value) == "IntArray is immutable; cannot set a"
    with pytest.raises(AttributeError) as caught:
        del array.a
    assert str(caught.value) == "IntArray is immutable; cannot delete a"


@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3), (2, 1, 2, 2)])
def test_copies_and_pickles(shape: tuple[int, ...]) -> None:
    array = IntArray(np.arange(int(np.prod(shape))).reshape(shape) - 1)
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        again = pickle.loads(pickle.dumps(array, protocol))
        assert again == array
        assert hash(again) == hash(array)
        assert not again.a.flags.writeable
    assert copy.copy(array) == copy.deepcopy(array) == array
    assert not copy.deepcopy(array).a.flags.writeable


def test_repr() -> None:
    assert repr(IntArray([1, -2])) == "IntArray([1, -2])"
    array = IntArray(np.zeros((3, 3)))
    assert repr(array) == f"IntArray(shape=(3, 3), sha256={array.digest[:8]})"
