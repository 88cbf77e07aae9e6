"""Find the integers that float weights are multiples of, and the number they are multiples by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hwaccel.frontend.floatgraph import Floats
from hwaccel.frontend.formats import Ints, exact_frac

MAX_BITS = 16
# A float32 product is off by half of its last place, and so is what it is compared with.
_TOLERANCE = 2.0**-22
# A unit that random numbers might have by chance, more often than once in this many, is none.
_BY_CHANCE = 8
_NEIGHBOURS = 4


@dataclass(frozen=True, slots=True, eq=False)
class Units:
    """``weight[o] = factor[o] * exact[o]``, where ``exact`` are ``bits``-bit integers times 2^n.

    ``factor`` lies in [1, 2) and has one element, or one per output.
    """

    factor: Floats
    exact: Floats
    bits: int


def units(weight: Floats) -> Units | None:
    """Return what ``(outputs, ...)`` are multiples of: one number, or else one for each output."""
    rows = weight.reshape(len(weight), -1)
    bits = bits_of(rows)
    if bits <= MAX_BITS:
        return Units(np.ones(1), weight, bits)
    found = _whole(rows.ravel())
    if found is not None:
        return _made(weight, *found)
    made = []
    for row in rows:
        found = _whole(row)
        if found is None:
            return None
        made.append(found)
    ints = np.stack([i for i, _ in made])
    return _made(weight, ints, np.concatenate([unit for _, unit in made]))


def _made(weight: Floats, ints: Ints, unit: Floats) -> Units:
    mantissa, exponent = np.frexp(np.atleast_1d(unit))
    shape = (-1, *[1] * (weight.ndim - 1))
    exact = np.ldexp(ints.reshape(weight.shape).astype(np.float64), exponent.reshape(shape) - 1)
    return Units(2 * mantissa, exact, bits_of(exact))


def bits_of(weight: Floats) -> int:
    """Return the bits of the widest row, counted in the last place of each."""
    rows = weight.reshape(len(weight), -1)
    frac = np.where(rows.any(axis=1), exact_frac(rows), 0)
    reach = np.ldexp(np.stack([rows.min(axis=1), rows.max(axis=1)]), frac)
    least, most = float(reach[0].min()), float(reach[1].max())
    return 1 + max(int(np.ceil(np.log2(max(-least, 1.0)))), int(np.log2(max(most, 1.0))) + 1)


def _whole(values: Floats) -> tuple[Ints, Floats] | None:
    """Return integers and the number that ``values`` are multiples of."""
    sizes = np.unique(np.abs(values[values != 0]))
    if not len(sizes):
        return np.zeros(values.shape, np.int64), np.ones(1)
    top, n = sizes[-1], len(sizes)
    certain = (n - 1) * (-np.log2(_TOLERANCE) - 1) - _BY_CHANCE + np.log2(n)
    most = 1 if n == 1 else int(2.0 ** min(MAX_BITS - 1, certain / n))
    k = np.arange(1, most + 1, dtype=np.float64)
    for size in sizes:
        ratio = k * (size / top)
        k = k[np.abs(ratio - np.rint(ratio)) <= _TOLERANCE * k]
        if not len(k):
            return None
    ints = np.rint(values * (k[0] / top)).astype(np.int64)
    return ints, np.array([_unit(values, ints)])


def _unit(values: Floats, ints: Ints) -> float:
    """Return the float32 number whose rounded multiples are ``values``, or the best fit."""
    best = float(values @ ints / (ints @ ints))
    step = np.spacing(np.float32(best))
    for n in sorted(range(-_NEIGHBOURS, _NEIGHBOURS + 1), key=abs):
        near = np.float32(best) + np.float32(n) * step
        if (ints.astype(np.float32) * near == values).all():
            return float(near)
    return best
