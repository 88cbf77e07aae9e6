"""Softmax and its logarithm in integers, so that the largest element stays the largest.

With ``m`` the largest integer of a group, ``softmax`` is ``e(x - m) / sum e(x - m)``, where ``e``
is a table of exponentials. Differences are exact; where they have more fraction bits than the
table, they are rounded down, which keeps what is below zero below zero. So the largest element,
and every one equal to it, gets ``e(0)``; any other gets ``e(-1)`` at most, which is smaller. Both
are multiplied by the same reciprocal of the sum. The fraction of the result is chosen so that the
two differ after rounding for every reciprocal in its table, which ``result_frac`` looks at one by
one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from hwaccel import ops
from hwaccel.errors import FrontendError
from hwaccel.frontend.floatgraph import FloatNode, FloatOp, Pair, Role
from hwaccel.frontend.lower import Lowering
from hwaccel.frontend.program import where
from hwaccel.fxp import IntArray, Rounding
from hwaccel.ir import TensorType
from hwaccel.ops.family import Ints, clog2

_NEVER = -1e30
# Fraction bits of the argument of the exponential, and of its table, at most.
_MOST_STEPS = 11
_MOST_FRAC = 20
# The table of reciprocals, and of logarithms, has at most 2 to the power of this entries.
_SUM_BITS = 16


@dataclass(frozen=True, slots=True, eq=False)
class Softmax(FloatOp):
    """``softmax(scale * x)`` over windows ``kernel`` of an image, which span one of its axes.

    Where ``hidden``, of the shape of ``x``, is 1, the element counts as minus infinity.
    """

    kind: ClassVar[str] = "softmax"
    role: ClassVar[Role] = Role.TABLE
    wide: ClassVar[bool] = True

    kernel: Pair
    scale: float = 1.0
    hidden: IntArray | None = None

    def run(self, *xs: torch.Tensor) -> torch.Tensor:
        """Hide, and divide exponentials by their sum."""
        x = xs[0] * self.scale
        if self.hidden is not None:
            x = x.masked_fill(torch.tensor(self.hidden.a != 0), -torch.inf)
        return torch.softmax(x, axis(self.kernel))


@dataclass(frozen=True, slots=True, eq=False)
class LogSoftmax(FloatOp):
    """``log_softmax(x)`` over windows ``kernel`` of an image, which span one of its axes."""

    kind: ClassVar[str] = "log_softmax"
    role: ClassVar[Role] = Role.TABLE
    wide: ClassVar[bool] = True

    kernel: Pair

    def run(self, *xs: torch.Tensor) -> torch.Tensor:
        """Subtract the logarithm of the sum of exponentials."""
        return torch.log_softmax(xs[0], axis(self.kernel))


@dataclass(frozen=True, slots=True, eq=False)
class Hide(FloatOp):
    """Minus infinity where ``hidden`` is 1. Only a softmax can read it, and takes its part over."""

    kind: ClassVar[str] = "hide"
    role: ClassVar[Role] = Role.KEEP

    hidden: IntArray

    def run(self, *xs: torch.Tensor) -> torch.Tensor:
        """Put a number of which no exponential is left."""
        return xs[0].masked_fill(torch.tensor(self.hidden.a != 0), _NEVER)


def axis(kernel: Pair) -> int:
    """Return the axis that a window spans."""
    return -1 if kernel[0] == 1 else -2


@dataclass(frozen=True, slots=True)
class Digits:
    """The fractions of all steps for a group of ``count`` and a result of ``frac`` bits.

    ``x * 2^-drop`` is what the table of exponentials takes, in steps of which one is ``step`` in
    the exponent; its entries have the fraction ``power``, and run down to ``-depth``, whose entry
    is 0. The sum is rounded to ``sum_frac``; reciprocals have the fraction ``inverse``.
    """

    count: int
    frac: int
    drop: int
    step: float
    power: int
    depth: int
    sum_frac: int
    inverse: int

    @classmethod
    def of(cls, count: int, frac: int, x: TensorType, scale: float) -> Digits:
        """Choose them: every error stays below half of the last bit of the result."""
        more = clog2(count)
        finest = min(frac, _MOST_STEPS)
        drop = max(0, x.frac - finest - math.ceil(math.log2(scale)))
        step = scale * 2.0 ** (drop - x.frac)
        power = max(min(frac + more, _MOST_FRAC), finest + 2)
        depth = math.ceil((power + 2) * math.log(2) / step)
        sum_frac = min(power, frac, max(1, _SUM_BITS - more))
        return cls(count, frac, drop, step, power, depth, sum_frac, frac + more)

    def exponentials(self, depth: int) -> Ints:
        """Return the table for the integers from ``-depth`` to 0."""
        powers = np.exp(np.arange(-depth, 1) * self.step)
        table: Ints = np.rint(np.ldexp(powers, self.power)).astype(np.int64)
        return table

    @property
    def sums(self) -> Ints:
        """The integers that a rounded sum can be."""
        one = 1 << self.sum_frac
        return np.arange(one, self.count * one + 1)

    @property
    def reciprocals(self) -> Ints:
        """The table of reciprocals of ``sums``."""
        exact = np.ldexp(1.0, self.inverse + self.sum_frac) / self.sums
        table: Ints = np.rint(exact).astype(np.int64)
        return table

    def error(self, result_frac: int) -> float:
        """Bound the difference from the exact softmax of the same integers.

        The argument may be rounded down by less than a step; ``count`` exponentials and the
        reciprocal are off by half a unit each, the sum by half a unit in at least one, and the
        result is rounded, down at worst.
        """
        floor = self.step * (self.drop > 0)
        relative = 2.0 ** -(self.sum_frac + 1)
        return (
            floor
            + (1 + self.count) * 2.0 ** -(self.power + 1)
            + relative / (1 - relative)
            + 2.0 ** -(self.inverse + 1)
            + 2.0**-result_frac
        )


def lower(low: Lowering, node: FloatNode, op: Softmax, x: str) -> str:
    """Maximum, difference, exponentials, sum, reciprocal, product."""
    digits = _digits(low, node, x, op.kernel, op.scale)
    depth = digits.depth
    if op.hidden is not None:
        x = _hide(low, node, x, op.hidden, depth << digits.drop)
    difference = _below_largest(low, node, x, op.kernel)
    powers, total = _powers(low, node, difference, op.kernel, digits)
    inverses = digits.reciprocals
    table = ops.Tabulate(IntArray(inverses), int(digits.sums[0]), digits.inverse)
    inverse = low.add(node, table, total, suffix="inverse")
    inverse = _repeat(low, node, inverse, op.kernel)
    product = low.add(node, ops.Multiply(), powers, inverse, suffix="product")
    frac = result_frac(digits, low.rounding)
    # The smallest sum and its reciprocal are one, so no element is more: this never clips.
    finish = ops.Requant(digits.power + digits.inverse - frac, 0, 1 << frac, low.rounding)
    return low.add(node, finish, product)


def lower_log(low: Lowering, node: FloatNode, op: LogSoftmax, x: str) -> str:
    """Maximum, difference, exponentials, sum, logarithm, difference: nothing is rounded behind.

    Differences are exact and get the same logarithm, so that the order of all elements stays.
    """
    digits = _digits(low, node, x, op.kernel, 1.0)
    difference = _below_largest(low, node, x, op.kernel)
    _, total = _powers(low, node, difference, op.kernel, digits)
    frac = max(low.type(x).frac, low.result_format(node, signed=True).frac)
    sums = digits.sums
    logs = np.rint(np.ldexp(np.log(np.ldexp(sums.astype(np.float64), -digits.sum_frac)), frac))
    table = ops.Tabulate(IntArray(logs.astype(np.int64)), int(sums[0]), frac)
    log = _repeat(low, node, low.add(node, table, total, suffix="log"), op.kernel)
    subtract = ops.Add.of(low.type(difference), low.type(log), subtract=True)
    return low.add(node, subtract, difference, log)


def lower_hide(low: Lowering, node: FloatNode, op: Hide, x: str) -> str:
    """Refuse: no number of fixed point is minus infinity."""
    raise FrontendError(
        f"{where(node.path)}: elements of minus infinity are read by something else than a "
        "softmax; mask only what a softmax reads at once"
    )


def log_error(digits: Digits, log_frac: int) -> float:
    """Bound the difference from the exact logarithm of softmax: the sum's and half a unit."""
    relative = 2.0 ** -(digits.sum_frac + 1) + digits.count * 2.0 ** -(digits.power + 1)
    relative += digits.step * (digits.drop > 0)
    return relative / (1 - relative) + 2.0 ** -(log_frac + 1)


def result_frac(digits: Digits, rounding: Rounding) -> int:
    """Return the least fraction with which the largest element always stays ahead.

    Rounding is monotone, so it is enough to look at what comes closest to the largest one.
    Without rounding the condition holds: reciprocals are positive.
    """
    first, second = (1 << digits.power), int(digits.exponentials(1)[0])
    inverses = np.unique(digits.reciprocals)
    full = digits.power + digits.inverse
    for frac in range(digits.frac, full):
        requant = ops.Requant(full - frac, 0, 1 << frac, rounding)
        ahead, behind = (requant.golden(inverses * e) for e in (first, second))
        if (ahead > behind).all():
            return frac
    assert second < first
    assert inverses.min() > 0
    return full


def _digits(low: Lowering, node: FloatNode, x: str, kernel: Pair, scale: float) -> Digits:
    count = kernel[0] * kernel[1]
    if clog2(count) >= _SUM_BITS:
        raise FrontendError(
            f"{where(node.path)}: {node.op.kind} over {count} elements, expected at most "
            f"{1 << (_SUM_BITS - 1)}; split the axis"
        )
    bits = low.result_format(node, signed=False)
    # What calibration saw may be small everywhere; no fraction finer than all can use.
    frac = min(max(bits.frac, bits.width), bits.width + clog2(count))
    return Digits.of(count, frac, low.type(x), scale)


def _hide(low: Lowering, node: FloatNode, x: str, hidden: IntArray, reach: int) -> str:
    """Put a number in hidden places that is ``reach`` below every other; all become positive."""
    type = low.type(x)
    channels = type.channels
    ones = IntArray(np.ones(channels, dtype=np.int64))
    lift = ops.Scale(ones, IntArray(np.full(channels, reach - type.lo)))
    raised = low.add(node, lift, x, suffix="raised")
    source = np.where(hidden.a.ravel() != 0, -1, np.arange(type.size))
    return low.add(node, ops.Gather(IntArray(source), type.shape, 0), raised, suffix="hidden")


def _below_largest(low: Lowering, node: FloatNode, x: str, kernel: Pair) -> str:
    """Return ``x`` minus the largest of its group: never positive."""
    largest = low.add(node, ops.MaxPool2d(kernel, kernel), x, suffix="largest")
    spread = _repeat(low, node, largest, kernel)
    subtract = ops.Add.of(low.type(x), low.type(spread), subtract=True)
    difference = low.add(node, subtract, x, spread, suffix="difference")
    return low.add(
        node, ops.Requant(0, low.type(difference).lo, 0), difference, suffix="difference"
    )


def _powers(
    low: Lowering, node: FloatNode, difference: str, kernel: Pair, digits: Digits
) -> tuple[str, str]:
    """Return the exponentials and their sum, rounded."""
    type = low.type(difference)
    depth = min(digits.depth, -(type.lo >> digits.drop))
    floor = ops.Requant(digits.drop, -depth, 0, Rounding.FLOOR)
    steps = low.add(node, floor, difference, suffix="steps")
    table = ops.Tabulate(IntArray(digits.exponentials(depth)), -depth, digits.power)
    powers = low.add(node, table, steps, suffix="powers")
    total = low.add(node, ops.SumPool2d(kernel, kernel), powers, suffix="sum")
    sums = digits.sums
    # The largest element gives one, so the lower limit never clips.
    round_sum = ops.Requant(
        digits.power - digits.sum_frac, int(sums[0]), int(sums[-1]), Rounding.HALF_UP
    )
    return powers, low.add(node, round_sum, total, suffix="sum")


def _repeat(low: Lowering, node: FloatNode, x: str, kernel: Pair) -> str:
    """Return one number per group to all elements of the group."""
    shape = low.type(x).shape
    places = np.arange(low.type(x).size).reshape(shape)
    places = places.repeat(kernel[0], axis=1).repeat(kernel[1], axis=2)
    if places.shape == shape:
        return x
    return low.add(node, ops.Gather(IntArray(places.ravel()), places.shape), x, suffix="repeated")
