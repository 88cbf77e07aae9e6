"""Frames that are hard on a design: its whole range, its ends, and what does not saturate."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hwaccel.ir import TensorType
from hwaccel.verify.beats import Ints

# Of frames drawn for the bench of a project: cycles, bytes and number in all.
_CYCLES = 12_000
_BYTES = 1 << 17
_LEAST, _MOST = 5, 256


def frames(types: Sequence[TensorType], count: int, rng: np.random.Generator) -> tuple[Ints, ...]:
    """Return ``count`` frames ``(count, *shape)`` for inputs of these types.

    In turn: any values; ends of the range; small ones, which leave sums between their limits; a
    few values among zeros; and the same value everywhere. The first frame holds any values.
    """
    kinds = (_any, _ends, _small, _few, _same)
    return tuple(
        np.stack([kinds[i % len(kinds)](t, rng) for i in range(count)]).astype(np.int64)
        for t in types
    )


def bench_frames(types: Sequence[TensorType], interval: int) -> int:
    """Return how many frames the bench of a project sends: many where they are short."""
    size = sum(t.size * -(-t.fixed.width // 8) for t in types)
    fitting = min(_CYCLES // max(1, interval), _BYTES // max(1, size))
    return min(_MOST, max(_LEAST, fitting))


def _any(t: TensorType, rng: np.random.Generator) -> Ints:
    return rng.integers(t.lo, t.hi, t.shape, endpoint=True)


def _ends(t: TensorType, rng: np.random.Generator) -> Ints:
    return rng.choice(np.array([t.lo, t.hi], dtype=np.int64), t.shape)


def _small(t: TensorType, rng: np.random.Generator) -> Ints:
    zero, shift = _zero(t), int(rng.integers(1, max(2, t.fixed.width)))
    lo, hi = zero - (zero - t.lo >> shift), zero + (t.hi - zero >> shift)
    return rng.integers(lo, hi, t.shape, endpoint=True)


def _few(t: TensorType, rng: np.random.Generator) -> Ints:
    return np.where(rng.random(t.shape) < rng.choice([0.1, 0.3]), _any(t, rng), _zero(t))


def _same(t: TensorType, rng: np.random.Generator) -> Ints:
    value = rng.choice(np.array([t.lo, t.hi, _zero(t), rng.integers(t.lo, t.hi, endpoint=True)]))
    return np.full(t.shape, value, dtype=np.int64)


def _zero(t: TensorType) -> int:
    """Return the integer nearest to 0."""
    return min(max(0, t.lo), t.hi)
