"""Float to integer and back, at the edge of a design."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hwaccel.errors import ConfigError


def quantize_input(x: ArrayLike, *, frac: int, lo: int, hi: int) -> NDArray[np.int64]:
    """Return ``clip(round_half_even(x * 2^frac), lo, hi)`` as integers of the shape of ``x``.

    Infinities saturate.

    Raises:
        ConfigError: ``x`` holds a NaN, which no integer stands for.
    """
    values = np.asarray(x, dtype=np.float64)
    missing = np.isnan(values)
    if missing.any():
        at = tuple(int(i) for i in np.argwhere(missing)[0])
        raise ConfigError(f"input holds NaN at index {at}; replace it by a number")
    # The comparisons decide first: a float just outside int64 must not be converted.
    scaled = np.rint(np.ldexp(values, frac))
    inside = (scaled > lo) & (scaled < hi)
    ends = np.where(scaled <= lo, np.int64(lo), np.int64(hi))
    return np.where(inside, np.where(inside, scaled, 0.0).astype(np.int64), ends)


def dequantize(ints: ArrayLike, *, frac: int) -> NDArray[np.float64]:
    """Return ``ints * 2^-frac``; exact while the integers stay below 2^53."""
    return np.ldexp(np.asarray(ints, dtype=np.float64), -frac)
