"""``Problem``: an integer matrix, the intervals of its inputs and the depth it may take."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hwaccel.errors import ConfigError
from hwaccel.fxp import IntArray

FORMAT = 1
MAX_ENTRY_BITS = 32
MAX_SUM_BITS = 62
MAX_DEPTH = 1 << 20


@dataclass(frozen=True, slots=True)
class Problem:
    """``y = matrix @ x + bias`` for integer ``x`` with ``lo <= x <= hi``.

    ``depth`` is the number of adders behind which each input arrives, ``depth_limit`` the most
    behind which an output may leave.
    """

    matrix: IntArray
    lo: tuple[int, ...]
    hi: tuple[int, ...]
    bias: IntArray
    depth: tuple[int, ...]
    depth_limit: int | None = None

    @classmethod
    def of(
        cls,
        matrix: Any,
        lo: int | Sequence[int],
        hi: int | Sequence[int],
        bias: Any = None,
        depth: Sequence[int] | None = None,
        depth_limit: int | None = None,
    ) -> Problem:
        """Build a problem from plain arrays; one number for ``lo`` or ``hi`` holds for all inputs.

        Raises:
            ConfigError: an entry is not a finite integer, or the numbers are too wide.
        """
        entries = _integers(matrix, "matrix")
        if entries.a.ndim != 2:
            raise ConfigError(f"cmvm: matrix: expected 2 axes, found {entries.a.ndim}")
        outputs, inputs = entries.shape
        return cls(
            matrix=entries,
            lo=(lo,) * inputs if isinstance(lo, int) else tuple(int(v) for v in lo),
            hi=(hi,) * inputs if isinstance(hi, int) else tuple(int(v) for v in hi),
            bias=_integers(np.zeros(outputs) if bias is None else bias, "bias"),
            depth=(0,) * inputs if depth is None else tuple(int(v) for v in depth),
            depth_limit=depth_limit,
        )

    def __post_init__(self) -> None:
        if self.matrix.a.ndim != 2:
            raise ConfigError(f"cmvm: matrix: expected 2 axes, found {self.matrix.a.ndim}")
        outputs, inputs = self.matrix.shape
        for name, found, expected in (
            ("lo", len(self.lo), inputs),
            ("hi", len(self.hi), inputs),
            ("depth", len(self.depth), inputs),
            ("bias", self.bias.a.size if self.bias.a.ndim == 1 else -1, outputs),
        ):
            if found != expected:
                raise ConfigError(
                    f"cmvm: {name}: expected {expected} values for a matrix of "
                    f"{outputs} x {inputs}, found {'another shape' if found < 0 else found}"
                )
        for i, (lo, hi) in enumerate(zip(self.lo, self.hi, strict=True)):
            if lo > hi:
                raise ConfigError(f"cmvm: input {i}: the interval [{lo}, {hi}] is empty")
        if any(not 0 <= d <= MAX_DEPTH for d in self.depth):
            raise ConfigError(f"cmvm: depth: expected 0 to {MAX_DEPTH}, found {list(self.depth)}")
        least, most = self.matrix.range()
        if not -(1 << (MAX_ENTRY_BITS - 1)) <= least <= most < 1 << MAX_ENTRY_BITS:
            raise ConfigError(
                f"cmvm: matrix: entries of up to {MAX_ENTRY_BITS} bits are possible, "
                f"found {least if least < 0 else most}"
            )
        reach = [max(abs(lo), abs(hi)) for lo, hi in zip(self.lo, self.hi, strict=True)]
        self._check_sums(reach)

    def _check_sums(self, reach: list[int]) -> None:
        bias: list[int] = self.bias.a.tolist()
        widest = max((v.bit_length() for v in reach), default=0)
        entry = max((abs(v) for v in self.matrix.range()), default=0).bit_length()
        rough = widest + entry + len(reach).bit_length()
        if rough < MAX_SUM_BITS - 1 and all(abs(c) < 1 << (MAX_SUM_BITS - 2) for c in bias):
            return
        for row, (entries, c) in enumerate(zip(self.matrix.a.tolist(), bias, strict=True)):
            total = abs(c) + sum(abs(w) * x for w, x in zip(entries, reach, strict=True))
            if total >= 1 << (MAX_SUM_BITS - 1):
                raise ConfigError(
                    f"cmvm: output {row}: the sum needs {total.bit_length() + 1} bits, "
                    f"{MAX_SUM_BITS} are possible; narrow the inputs or the weights"
                )

    @property
    def outputs(self) -> int:
        """Number of outputs."""
        return self.matrix.shape[0]

    @property
    def inputs(self) -> int:
        """Number of inputs."""
        return self.matrix.shape[1]

    def folded(self) -> Problem:
        """Return the same problem with inputs of one value moved into the bias."""
        fixed = np.array([a == b for a, b in zip(self.lo, self.hi, strict=True)], dtype=bool)
        if not (fixed.any() and self.matrix.a[:, fixed].any()):
            return self
        values = np.array([v if f else 0 for v, f in zip(self.lo, fixed, strict=True)], np.int64)
        return replace(
            self,
            matrix=IntArray(np.where(fixed, 0, self.matrix.a)),
            bias=IntArray(self.bias.a + self.matrix.a @ values),
        )

    def digest(self) -> str:
        """SHA-256 of the content, in hex."""
        text = (
            f"cmvm {FORMAT} {self.matrix.digest} {self.bias.digest} {self.lo} {self.hi} "
            f"{self.depth} {self.depth_limit}"
        )
        return hashlib.sha256(text.encode()).hexdigest()


def digit_weight(value: int) -> int:
    """Return the least number of signed binary digits of ``value``."""
    return (abs(value) ^ (3 * abs(value))).bit_count()


def minimum_depth(problem: Problem) -> int:
    """Return the least adder depth possible with two-operand adders.

    Every node at depth ``d`` holds a form whose minimal signed digits, each weighted by
    ``2**depth`` of its input, sum to at most ``2**d``: true for inputs, and an adder can only add
    two such sums (the digit weight is subadditive and blind to shifts and signs). A balanced tree
    reaches the bound (Kraft's inequality). A bias is one more leaf of depth 0.
    """
    folded = problem.folded()
    weights = [1 << d for d in folded.depth]
    least = 0
    for row, bias in zip(folded.matrix.a.tolist(), folded.bias.a.tolist(), strict=True):
        load = sum(digit_weight(c) * w for c, w in zip(row, weights, strict=True) if c)
        load += int(bias != 0)
        if load:
            least = max(least, (load - 1).bit_length())
    return least


def _integers(values: Any, name: str) -> IntArray:
    if isinstance(values, IntArray):
        return values
    array = np.asarray(values)
    if array.dtype.kind == "f":
        bad: Iterable[Any] = array[~(np.isfinite(array) & (array == np.rint(array)))]
        wide: Iterable[Any] = array[np.abs(array) >= 2.0**62]
        for value in (*bad, *wide):
            raise ConfigError(f"cmvm: {name}: expected finite integers, found {value}")
    elif array.dtype.kind not in "iub":
        raise ConfigError(f"cmvm: {name}: expected integers, found {array.dtype}")
    elif array.dtype.kind == "u" and array.size and int(array.max()) >= 1 << 62:
        raise ConfigError(f"cmvm: {name}: expected integers of 62 bits, found {array.max()}")
    return IntArray(array)
