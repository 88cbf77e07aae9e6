"""Exact arithmetic on integers held in integer or floating-point arrays.

The golden model may *carry* integers in float32 or float64 where intervals prove that every
intermediate stays below 2^24 or 2^53, because matrix products are an order of magnitude faster
there. Each function below gives the same integer for every carrier. Arrays may be NumPy's or
torch's (Python array API standard, 2022.12, through ``array_api_compat``), so the golden model
also runs on a GPU.
"""

from __future__ import annotations

from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

# An array of either library; the array API has no static type of its own.
Array = Any


class Rounding(Enum):
    """What happens to the bits below the last one kept."""

    FLOOR = "floor"
    HALF_UP = "half_up"
    HALF_EVEN = "half_even"


class Overflow(Enum):
    """What happens to values outside the target range."""

    SATURATE = "saturate"
    WRAP = "wrap"


def namespace(x: Array) -> Any:
    """Return the array API namespace of ``x``."""
    if isinstance(x, np.ndarray):
        return np
    import array_api_compat  # slow to import, and needed for torch only

    return array_api_compat.array_namespace(x)


def is_float(x: Array) -> bool:
    """Tell whether ``x`` carries its integers in floating point."""
    return x.dtype.kind == "f" if isinstance(x, np.ndarray) else "float" in str(x.dtype)


def constant(values: NDArray[np.int64], like: Array) -> Array:
    """Return ``values`` as an array of the library, carrier and device of ``like``."""
    if isinstance(like, np.ndarray):
        return values.astype(like.dtype)
    return namespace(like).asarray(values.copy(), dtype=like.dtype, device=like.device)


def shift_left(x: Array, bits: int) -> Array:
    """Return ``x * 2^bits`` for ``bits >= 0``."""
    return x if bits == 0 else x * (1 << bits)


def round_shift(x: Array, shift: int, mode: Rounding) -> Array:
    """Return ``x * 2^-shift`` rounded to an integer; negative shifts are exact."""
    if shift <= 0:
        return shift_left(x, -shift)
    return _round_float(x, shift, mode) if is_float(x) else _round_int(x, shift, mode)


def _round_float(x: Array, shift: int, mode: Rounding) -> Array:
    # Scaling by a power of two is exact, and so is adding one half: both leave at most as many
    # significant bits as the carrier's bound allows.
    xp = namespace(x)
    scaled = x * 2.0**-shift
    if mode is Rounding.HALF_EVEN:
        return np.rint(scaled, out=scaled) if xp is np else xp.round(scaled)
    if mode is Rounding.HALF_UP:
        scaled = scaled + 0.5
    return xp.floor(scaled)


def _round_int(x: Array, shift: int, mode: Rounding) -> Array:
    if mode is Rounding.FLOOR:
        return x >> shift
    half = 1 << (shift - 1)
    if mode is Rounding.HALF_UP:
        return (x + half) >> shift
    # Add one half less one unit, plus the bit that will be last: ties go to even.
    return (x + (half - 1) + ((x >> shift) & 1)) >> shift


def saturate(x: Array, lo: int, hi: int) -> Array:
    """Clip to ``[lo, hi]``."""
    if isinstance(x, np.ndarray):
        # np.clip with Python scalars of the carrier's own dtype avoids a costly promotion.
        return np.clip(x, x.dtype.type(lo), x.dtype.type(hi))
    return namespace(x).clip(x, lo, hi)


def wrap(x: Array, lo: int, hi: int) -> Array:
    """Reduce modulo ``hi - lo + 1`` (a power of two) into ``[lo, hi]``."""
    period = hi - lo + 1
    if is_float(x):
        xp = namespace(x)
        return x - xp.floor((x - lo) * (1.0 / period)) * period
    return ((x - lo) & (period - 1)) + lo


def per_channel(values: NDArray[np.int64], x: Array) -> Array:
    """Shape a vector over channels so that it broadcasts over ``x`` of shape ``(N, C, ...)``."""
    column = constant(values, x)
    return namespace(x).reshape(column, (1, -1) + (1,) * (x.ndim - 2))
