"""Choose power-of-two scales: for activations from what was observed, for weights exactly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hwaccel.errors import ConfigError
from hwaccel.frontend.calibrate import Observed
from hwaccel.frontend.floatgraph import Floats
from hwaccel.fxp import FixedType

Ints = NDArray[np.int64]
Method = Literal["minmax", "mse"]

# Finer scales than the one that clips nothing which are tried for the least error.
_FINER = 4
# The IR aligns channels by left shifts of at most this many bits.
MAX_SHIFT = 31


def limits(bits: int, *, signed: bool) -> tuple[int, int]:
    """Return the smallest and largest integer of ``bits`` bits."""
    fixed = FixedType(signed, bits, 0)
    return fixed.lo, fixed.hi


def fitting_frac(lo: Floats, hi: Floats, low: int, high: int) -> Ints:
    """Return the largest ``frac`` each with which ``[lo, hi]`` rounds into ``[low, high]``.

    All-zero ranges get 0.
    """
    reach = np.maximum(np.abs(lo), np.abs(hi))
    # 2^(exponent - 1) <= reach < 2^exponent, so one step down from here always fits.
    _, exponent = np.frexp(reach)
    frac = (max(high, -low)).bit_length() + 1 - exponent.astype(np.int64)
    for _ in range(4):
        over = (np.rint(np.ldexp(hi, frac)) > high) | (np.rint(np.ldexp(lo, frac)) < low)
        frac = frac - over
    return np.where(reach == 0, 0, frac)


def activation_type(
    seen: Observed, bits: int, *, signed: bool, method: Method, where: str
) -> FixedType:
    """Return the format of ``bits`` bits for what was observed.

    ``minmax`` clips nothing that was seen; ``mse`` takes the scale of least squared error on the
    sample.

    Raises:
        ConfigError: one signed bit holds no positive number.
    """
    if signed and bits < 2:
        raise ConfigError(f"{where}: signed activations need at least 2 bits, found {bits}")
    low, high = limits(bits, signed=signed)
    lo, hi = np.array([min(seen.lo, 0.0) if signed else 0.0]), np.array([max(seen.hi, 0.0)])
    frac = int(fitting_frac(lo, hi, low, high)[0])
    if method == "mse":
        sample = seen.sample[None, :]
        frac = int(_least_error(sample, np.array([frac]), low, high)[0])
    return FixedType(signed, bits, frac)


def _least_error(rows: Floats, base: Ints, low: int, high: int) -> Ints:
    """Return, per row, the ``frac`` of least squared error among ``base`` and some finer ones."""
    errors = []
    for step in range(_FINER):
        frac = (base + step)[:, None]
        rounded = np.clip(np.rint(np.ldexp(rows, frac)), low, high)
        errors.append(np.square(np.ldexp(rounded, -frac) - rows).sum(axis=1))
    best: Ints = base + np.argmin(np.stack(errors), axis=0)
    return best


@dataclass(frozen=True, slots=True, eq=False)
class QuantizedWeights:
    """``weight[o] ≈ ints[o] * 2^-frac * 2^shift[o]``."""

    ints: Ints
    shift: Ints
    frac: int


def quantize_weights(weight: Floats, bits: int, method: Method) -> QuantizedWeights:
    """Quantize ``(outputs, ...)`` with one power-of-two scale per output channel.

    Channels whose weights are integers of ``bits`` bits times a power of two are taken exactly.
    A channel much smaller than the others gets a scale no finer than ``bits`` bits below the
    coarsest: its absolute error is then already far below theirs. Zeros stay zeros.
    """
    low, high = limits(bits, signed=True)
    rows = weight.reshape(len(weight), -1)
    used = np.any(rows != 0, axis=1)
    if not used.any():
        return QuantizedWeights(np.zeros(weight.shape, np.int64), np.zeros(len(rows), np.int64), 0)
    fit = fitting_frac(rows.min(axis=1), rows.max(axis=1), low, high)
    exact = exact_frac(rows)
    is_exact = used & (exact <= fit)
    frac = fit if method == "minmax" else _least_error(rows, fit, low, high)
    # A channel of few bits, such as one of ones, is coarse without an error: it limits no other.
    finest = np.where(is_exact, exact[used].min() + MAX_SHIFT, frac[used].min() + bits)
    frac = np.minimum(np.where(is_exact, exact, frac), finest)
    common = int(frac[used].max())
    shift = np.where(used, common - frac, 0)
    scaled = np.rint(np.ldexp(rows, frac[:, None]))
    ints = np.clip(scaled, low, high).astype(np.int64).reshape(weight.shape)
    return QuantizedWeights(ints, shift, common)


def exact_frac(rows: Floats) -> Ints:
    """Return, per row, the least ``frac`` that makes every element an integer."""
    mantissa, exponent = np.frexp(rows)
    ints = np.ldexp(mantissa, 53).astype(np.int64)
    lowest_bit = ints & -ints
    _, place = np.frexp(lowest_bit.astype(np.float64))
    needed = np.where(ints == 0, np.iinfo(np.int32).min, 53 - exponent - (place - 1))
    frac: Ints = needed.max(axis=1).astype(np.int64)
    return frac
