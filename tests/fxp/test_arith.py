"""Rounding, clipping and wrapping against exact fractions, in every carrier."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwaccel.fxp import Overflow, Rounding
from hwaccel.fxp.arith import constant, per_channel, round_shift, saturate, shift_left, wrap

CARRIERS = {"float32": 24, "float64": 53, "int64": 62}


def reference(x: int, shift: int, mode: Rounding) -> int:
    exact = Fraction(x) / Fraction(2) ** shift
    match mode:
        case Rounding.FLOOR:
            return math.floor(exact)
        case Rounding.HALF_UP:
            return math.floor(exact + Fraction(1, 2))
        case Rounding.HALF_EVEN:
            return round(exact)


def interesting(bits: int, shift: int) -> list[int]:
    """Integers up to ``2^bits``: ties, their neighbours, powers of two, ends."""
    half = 1 << max(shift - 1, 0)
    near = [k * half + d for k in range(-6, 7) for d in (-1, 0, 1)]
    powers = [s * (1 << e) + d for e in range(bits + 1) for s in (-1, 1) for d in (-1, 0, 1)]
    limit = 1 << bits
    return sorted({x for x in near + powers if -limit <= x <= limit})


@pytest.mark.parametrize("mode", Rounding)
@pytest.mark.parametrize("carrier", CARRIERS)
def test_round_shift_right(carrier: str, mode: Rounding) -> None:
    # A requant claims one bit more than its operand has, so the operand has one less.
    bits = CARRIERS[carrier] - 1
    for shift in range(63):
        xs = interesting(bits, shift)
        found = round_shift(np.array(xs).astype(carrier), shift, mode)
        assert found.dtype == carrier
        assert found.astype(np.int64).tolist() == [reference(x, shift, mode) for x in xs]


@settings(max_examples=200)
@given(st.data(), st.sampled_from(Rounding), st.sampled_from(sorted(CARRIERS)), st.integers(0, 62))
def test_round_shift_any(data: Any, mode: Rounding, carrier: str, shift: int) -> None:
    limit = 1 << (CARRIERS[carrier] - 1)
    xs = data.draw(st.lists(st.integers(-limit, limit), min_size=1, max_size=20))
    found = round_shift(np.array(xs).astype(carrier), shift, mode)
    assert found.astype(np.int64).tolist() == [reference(x, shift, mode) for x in xs]


@pytest.mark.parametrize("mode", Rounding)
@pytest.mark.parametrize("carrier", CARRIERS)
def test_round_shift_left(carrier: str, mode: Rounding) -> None:
    for shift in range(12):
        xs = interesting(CARRIERS[carrier] - shift, 0)
        found = round_shift(np.array(xs).astype(carrier), -shift, mode)
        assert found.astype(np.int64).tolist() == [x << shift for x in xs]
        assert (found == shift_left(np.array(xs).astype(carrier), shift)).all()


@given(st.lists(st.integers(-(1 << 22), 1 << 22)), st.integers(-1, 26), st.sampled_from(Rounding))
def test_round_shift_is_monotone(xs: list[int], shift: int, mode: Rounding) -> None:
    found = round_shift(np.array(sorted(xs), dtype=np.int64), shift, mode)
    assert (np.diff(found) >= 0).all()
    clipped = saturate(found, -7, 9)
    assert (np.diff(clipped) >= 0).all()
    assert (saturate(clipped, -7, 9) == clipped).all()


def test_round_shift_leaves_its_argument() -> None:
    for carrier in CARRIERS:
        x = np.arange(-8, 8).astype(carrier)
        before = x.copy()
        for mode in Rounding:
            for shift in (-2, 0, 1, 3):
                round_shift(x, shift, mode)
        assert (x == before).all()


@pytest.mark.parametrize("carrier", CARRIERS)
@pytest.mark.parametrize(("lo", "hi"), [(0, 1), (-1, 0), (0, 255), (-128, 127), (-8, 7), (0, 4095)])
def test_wrap(carrier: str, lo: int, hi: int) -> None:
    period = hi - lo + 1
    limit = 1 << (CARRIERS[carrier] - 1)
    xs = [x for x in (*range(-600, 600), *interesting(CARRIERS[carrier] - 1, 5)) if abs(x) < limit]
    found = wrap(np.array(xs).astype(carrier), lo, hi).astype(np.int64)
    assert found.tolist() == [(x - lo) % period + lo for x in xs]


@pytest.mark.parametrize("carrier", CARRIERS)
def test_saturate(carrier: str) -> None:
    found = saturate(np.arange(-9, 10).astype(carrier), -5, 3)
    assert found.dtype == carrier
    assert found.astype(np.int64).tolist() == [min(max(x, -5), 3) for x in range(-9, 10)]


def test_per_channel() -> None:
    x = np.zeros((2, 3, 4, 5), dtype=np.float32)
    column = per_channel(np.array([1, 2, 3]), x)
    assert column.dtype == np.float32
    assert (x + column)[:, :, 0, 0].tolist() == [[1, 2, 3], [1, 2, 3]]


def test_modes_by_value() -> None:
    assert [mode.value for mode in Rounding] == ["floor", "half_up", "half_even"]
    assert [mode.value for mode in Overflow] == ["saturate", "wrap"]


@pytest.mark.parametrize("carrier", CARRIERS)
def test_torch_agrees(carrier: str) -> None:
    torch = pytest.importorskip("torch")
    xs = np.array(interesting(CARRIERS[carrier] - 1, 4)).astype(carrier)
    tensor = torch.from_numpy(xs)
    for mode in Rounding:
        for shift in (-1, 0, 1, 4, 9):
            if shift < 0 and carrier == "float32":
                continue
            kept = np.abs(xs) < (1 << 60)
            a, b = round_shift(xs[kept], shift, mode), round_shift(tensor[kept], shift, mode)
            assert (a == b.numpy()).all()
    assert (saturate(xs, -5, 3) == saturate(tensor, -5, 3).numpy()).all()
    assert (wrap(xs, -8, 7) == wrap(tensor, -8, 7).numpy()).all()
    assert constant(np.array([1, 2]), tensor).dtype == tensor.dtype
