"""A mismatch says which tensor, frame and element, in integers and values, and how to repeat it."""

from __future__ import annotations

import numpy as np
import pytest

from hwaccel.errors import MismatchError
from hwaccel.fxp import FixedType
from hwaccel.ir import TensorType
from hwaccel.verify.compare import Mismatch, first_mismatch, require_equal

IMAGE = TensorType.full((4, 2, 3), FixedType.parse("s8.4"))


def _pair() -> tuple[np.ndarray, np.ndarray]:
    expected = np.arange(2 * 24, dtype=np.int64).reshape(2, 4, 2, 3)
    return expected, expected.copy()


def _message(*args, **kwargs) -> str:
    with pytest.raises(MismatchError) as caught:
        require_equal(*args, **kwargs)
    return str(caught.value)


def test_equal_batches_pass():
    expected, found = _pair()
    assert first_mismatch(expected, found) is None
    require_equal(expected, found, IMAGE, "y")


def test_first_mismatch_is_the_first_in_c_order():
    expected, found = _pair()
    found[1, 3, 0, 2] = -7
    found[1, 2, 1, 0] = 5
    assert first_mismatch(expected, found) == Mismatch(1, (2, 1, 0), 39, 5, 2, 48)


def test_message_alone():
    expected, found = _pair()
    found[1, 2, 1, 0] = -5
    assert _message(expected, found, IMAGE, "conv1") == (
        "conv1: frame 1, index (2, 1, 0): expected 39 (2.4375), found -5 (-0.3125); "
        "1 of 48 elements differ"
    )


def test_message_with_everything():
    expected, found = _pair()
    found[1, 2, 1, 0] = -5
    cycles = np.arange(2 * 12, dtype=np.int64).reshape(2, 12) + 100
    text = _message(
        expected,
        found,
        IMAGE,
        "conv1",
        what="icarus",
        lanes=2,
        cycles=cycles,
        seed=7,
        repeat="hwaccel sim build/ --seed 7",
    )
    # Pixel 3 of the image, channel 2 of 4, two to a beat: beat 3 * 2 + 1.
    assert text == (
        "conv1: frame 1, index (2, 1, 0): expected 39 (2.4375), found -5 (-0.3125) by icarus; "
        "1 of 48 elements differ; beat 7, cycle 119; seed 7; "
        "repeat with: hwaccel sim build/ --seed 7"
    )


def test_message_of_a_vector_with_a_negative_fraction():
    type = TensorType((3,), -2, 0, 99)
    expected, found = np.array([[1, 2, 3]]), np.array([[1, 9, 9]])
    assert _message(expected, found, type, "fc", lanes=1) == (
        "fc: frame 0, index (1): expected 2 (8), found 9 (36); 2 of 3 elements differ; beat 1"
    )


def test_message_of_a_fraction_that_a_float_prints_short():
    type = TensorType((1,), 40, 0, 1 << 40)
    text = _message(np.array([[1]]), np.array([[3]]), type, "tiny")
    assert text == (
        "tiny: frame 0, index (0): expected 1 (9.09494701773e-13), found 3 (2.72848410532e-12); "
        "1 of 1 elements differ"
    )


def test_shapes_must_be_equal():
    expected, found = _pair()
    assert _message(expected, found[:1], IMAGE, "y", what="csim") == (
        "y: expected shape (2, 4, 2, 3), found (1, 4, 2, 3) by csim"
    )
