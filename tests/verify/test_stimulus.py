"""Frames cover the range of an input, its ends, and what lies in between."""

from __future__ import annotations

import numpy as np
import pytest

from hwaccel.ir import TensorType
from hwaccel.verify.stimulus import bench_frames, frames

TYPES = (
    TensorType((4, 3), 0, -128, 127),
    TensorType((5,), 2, 0, 63),
    TensorType((2,), 0, 5, 90),
    TensorType((2,), 0, -90, -3),
    TensorType((3,), 0, 7, 7),
    TensorType((1,), 0, 0, 1),
)


@pytest.mark.parametrize("type", TYPES, ids=str)
def test_frames_stay_in_the_range_and_reach_its_ends(type: TensorType) -> None:
    (x,) = frames([type], 60, np.random.default_rng(1))
    assert x.shape == (60, *type.shape)
    assert x.dtype == np.int64
    assert (x.min(), x.max()) == (type.lo, type.hi)
    assert set(np.unique(x[1])) <= {type.lo, type.hi}


def test_some_frames_are_small_some_nearly_empty_and_some_even() -> None:
    (x,) = frames(TYPES[:1], 100, np.random.default_rng(1))
    assert np.abs(x[2::5]).max() <= 64
    assert min(np.abs(frame).max() for frame in x[2::5]) <= 2
    assert (x[3::5] == 0).mean() > 0.6
    assert all(frame.min() == frame.max() for frame in x[4::5])
    assert {int(frame.flat[0]) for frame in x[4::5]} >= {-128, 127, 0}


def test_the_same_seed_gives_the_same_frames() -> None:
    one, same, other = (frames(TYPES, 7, np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert all(np.array_equal(a, b) for a, b in zip(one, same, strict=True))
    assert not np.array_equal(one[0], other[0])


def test_short_frames_are_many() -> None:
    assert bench_frames(TYPES[:2], 1) == 256
    assert bench_frames(TYPES[:1], 0) == 256
    assert bench_frames(TYPES[:1], 100) == 120
    assert bench_frames(TYPES[:1], 50_000) == 5
    assert bench_frames([TensorType((1, 96, 96), 0, 0, 255)], 1) == 14
