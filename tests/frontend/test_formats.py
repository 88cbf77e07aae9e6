"""Choice of power-of-two scales, and the boundary between floats and integers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwaccel.errors import ConfigError
from hwaccel.frontend.calibrate import Observed
from hwaccel.frontend.formats import (
    MAX_SHIFT,
    activation_type,
    exact_frac,
    fitting_frac,
    limits,
    quantize_weights,
)
from hwaccel.fxp.boundary import dequantize, quantize_input


def seen(*values: float) -> Observed:
    return Observed(min(values), max(values), np.array(values))


def values(made) -> np.ndarray:
    column = made.shift.reshape(-1, *([1] * (made.ints.ndim - 1)))
    return np.ldexp(made.ints << column, -made.frac)


@pytest.mark.parametrize(
    ("lo", "hi", "bits", "signed", "frac"),
    [
        (0.0, 1.0, 8, False, 7),
        (0.0, 255 / 256, 8, False, 8),
        (0.0, 255.0, 8, False, 0),
        (0.0, 1000.0, 8, False, -2),
        (0.0, 255.4, 8, False, 0),
        (0.0, 255.6, 8, False, -1),
        (-1.0, 0.9, 8, True, 7),
        (-1.0, 1.0, 8, True, 6),
        (-128.5, 0.0, 8, True, 0),
        (-128.6, 0.0, 8, True, -1),
        (0.0, 1e-9, 4, False, 33),
        (0.0, 1e9, 4, False, -26),
        (0.0, 0.0, 8, True, 0),
        (0.0, 5e-324, 8, False, 1081),
    ],
)
def test_fitting_frac(lo, hi, bits, signed, frac):
    low, high = limits(bits, signed=signed)
    assert fitting_frac(np.array([lo]), np.array([hi]), low, high)[0] == frac


@given(st.floats(1e-6, 1e6), st.floats(1e-6, 1e6), st.integers(2, 16))
def test_fitting_frac_is_the_largest_that_fits(a, b, bits):
    low, high = limits(bits, signed=True)
    frac = int(fitting_frac(np.array([-a]), np.array([b]), low, high)[0])

    def fits(f):
        return np.rint(np.ldexp(b, f)) <= high and np.rint(np.ldexp(-a, f)) >= low

    assert fits(frac)
    assert not fits(frac + 1)


def test_mse_clips_outliers_where_minmax_does_not():
    sample = np.concatenate([np.linspace(0, 1, 5000), [4.0]])
    data = Observed(0.0, 4.0, sample)
    minmax = activation_type(data, 6, signed=False, method="minmax", where="")
    mse = activation_type(data, 6, signed=False, method="mse", where="")
    assert (str(minmax), str(mse)) == ("u6.3", "u6.4")


def test_signed_one_bit_is_refused():
    with pytest.raises(ConfigError) as caught:
        activation_type(seen(-1.0, 1.0), 1, signed=True, method="mse", where="block.1")
    assert str(caught.value) == "block.1: signed activations need at least 2 bits, found 1"


def test_exact_frac():
    rows = np.array([[0.5, 3.0], [8.0, 24.0], [0.0, 0.0], [-0.375, 1.0], [2.0**-40, 1.0]])
    assert exact_frac(rows)[[0, 1, 3, 4]].tolist() == [1, -3, 3, 40]


@given(
    st.lists(
        st.tuples(st.integers(-20, 20), st.lists(st.integers(-8, 7), min_size=3, max_size=3)),
        min_size=1,
        max_size=5,
    ),
    st.sampled_from(["mse", "minmax"]),
)
def test_representable_weights_are_taken_exactly(rows, method):
    fracs = [frac for frac, _ in rows]
    weight = np.array([np.ldexp(np.array(ints, np.float64), -frac) for frac, ints in rows])
    made = quantize_weights(weight, 4, method)
    assert made.shift.min() >= 0
    assert made.shift.max() <= MAX_SHIFT
    # Beyond the reach of the shifts the smallest channels cannot be exact.
    if max(fracs) - min(fracs) <= MAX_SHIFT - 3:
        np.testing.assert_array_equal(values(made), weight)


def test_zero_channels_take_no_part():
    weight = np.array([[0.0, 0.0], [0.5, -0.25], [0.0, 0.0]])
    made = quantize_weights(weight, 8, "mse")
    assert made.shift.tolist() == [0, 0, 0]
    assert made.frac == 2
    nothing = quantize_weights(np.zeros((2, 3)), 8, "mse")
    assert (nothing.frac, nothing.shift.tolist(), nothing.ints.any()) == (0, [0, 0], False)


def test_each_channel_has_its_own_scale():
    rng = np.random.default_rng(0)
    weight = rng.normal(size=(4, 64)) * np.array([[1.0], [0.1], [0.02], [0.5]])
    for method in ("minmax", "mse"):
        made = quantize_weights(weight, 8, method)
        error = np.abs(values(made) - weight).max(axis=1)
        assert (error <= np.abs(weight).max(axis=1) / 100).all()
        assert made.ints.min() >= -128
        assert made.ints.max() <= 127


def test_a_tiny_channel_does_not_widen_the_others():
    rng = np.random.default_rng(0)
    weight = rng.normal(size=(2, 64)) * np.array([[1.0], [2.0**-30]])
    made = quantize_weights(weight, 6, "mse")
    assert made.shift.max() == 6
    assert not made.ints[1].any()


def test_an_exact_channel_of_few_bits_does_not_coarsen_the_others():
    """Found by random networks: a channel of ones cost its neighbours two of four bits."""
    weight = np.array([[1.0, -1.0], [0.06, 0.04], [1.0, 0.0]])
    for method in ("minmax", "mse"):
        made = quantize_weights(weight, 4, method)
        np.testing.assert_array_equal(values(made)[[0, 2]], weight[[0, 2]])
        assert np.abs(values(made)[1] - weight[1]).max() <= 2.0**-6 / 2


def test_mse_is_no_worse_than_minmax():
    rng = np.random.default_rng(0)
    weight = rng.standard_t(3, size=(16, 128))
    errors = [
        np.square(values(quantize_weights(weight, 4, method)) - weight).sum()
        for method in ("mse", "minmax")
    ]
    assert errors[0] < 0.8 * errors[1]


def test_quantize_input():
    x = np.array([0.5, 1.5, 2.5, -0.5, -1.5, 7.4, 99.0, -99.0, np.inf, -np.inf, 1e300])
    found = quantize_input(x, frac=0, lo=-8, hi=7)
    assert found.dtype == np.int64
    assert found.tolist() == [0, 2, 2, 0, -2, 7, 7, -8, 7, -8, 7]
    assert quantize_input(np.float32([0.3]), frac=4, lo=0, hi=255).tolist() == [5]
    assert quantize_input([1.0], frac=61, lo=-(1 << 61), hi=(1 << 61) - 1).tolist() == [
        (1 << 61) - 1
    ]
    assert quantize_input(np.zeros((0, 3)), frac=2, lo=0, hi=1).shape == (0, 3)


def test_quantize_input_refuses_nan():
    with pytest.raises(ConfigError) as caught:
        quantize_input(np.array([[0.0, 1.0], [np.nan, 0.0]]), frac=2, lo=0, hi=1)
    assert str(caught.value) == "input holds NaN at index (1, 0); replace it by a number"


@given(st.lists(st.integers(-(1 << 20), 1 << 20)), st.integers(-30, 30))
def test_dequantize_is_undone(ints, frac):
    x = dequantize(ints, frac=frac)
    assert quantize_input(x, frac=frac, lo=-(1 << 20), hi=1 << 20).tolist() == ints
