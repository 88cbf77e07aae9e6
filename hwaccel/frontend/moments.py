"""Sums of squares over the last axis of ``(A, B, n)``, computed exactly, and what is made of them.

With integers ``X`` of the operand, ``n = odd * 2^k`` and ``S = sum X``, the integer
``odd * sum X^2 * 2^k - S^2`` is ``(n / 2^k)^2`` times the variance, ``2^(2k)`` times: sums of
squares lose nothing to rounding, however small the variance is beside the mean. Only then comes
a table of the inverse root, or of the root, and one product per element.

J. L. Ba, J. R. Kiros and G. E. Hinton, *Layer Normalization*, 2016; B. Zhang and R. Sennrich,
*Root Mean Square Layer Normalization*, 2019.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import torch

from hwaccel import ops
from hwaccel.errors import FrontendError
from hwaccel.frontend.floatgraph import FloatNode, FloatOp, Floats, Role
from hwaccel.frontend.lower import MAX_PRODUCT, Lower, Lowering
from hwaccel.frontend.program import where
from hwaccel.frontend.staged import Segment, segments, staged
from hwaccel.fxp import IntArray

# Bits of the inverse root below those that the result has; what is lost is 1/8 step at most.
_SPARE = 3
# Relative precision beyond which tables grow past use, and the fewest bits worth having.
_FINEST, _FEWEST = 14, 5


@dataclass(frozen=True, slots=True, eq=False)
class Standardize(FloatOp):
    """``(x - mean) * inverse(sum((x - mean)^2) / divisor)``; no mean where not ``centered``.

    ``inverse`` falls and is positive. ``offset`` is what it adds to its operand, if anything: below
    it, the operand needs no relative precision.
    """

    kind: ClassVar[str] = "standardize"
    role: ClassVar[Role] = Role.TABLE

    centered: bool
    divisor: int
    inverse: Callable[[torch.Tensor], torch.Tensor]
    offset: float = 0.0

    def run(self, *xs: torch.Tensor) -> torch.Tensor:
        """Standardize."""
        (x,) = xs
        x = x - x.mean(-1, keepdim=True) if self.centered else x
        return x * self.inverse(x.square().sum(-1, keepdim=True) / self.divisor)


@dataclass(frozen=True, slots=True, eq=False)
class Moment(FloatOp):
    """``sum((x - mean)^2) / divisor``, the mean left out where ``centered`` is false."""

    kind: ClassVar[str] = "moment"
    role: ClassVar[Role] = Role.MULTIPLY

    centered: bool
    divisor: int

    def run(self, *xs: torch.Tensor) -> torch.Tensor:
        """Sum squares."""
        (x,) = xs
        x = x - x.mean(-1, keepdim=True) if self.centered else x
        return x.square().sum(-1, keepdim=True) / self.divisor


@dataclass(frozen=True, slots=True, eq=False)
class Root(FloatOp):
    """The square root of a ``Moment``."""

    kind: ClassVar[str] = "root"
    role: ClassVar[Role] = Role.TABLE

    centered: bool
    divisor: int

    def run(self, *xs: torch.Tensor) -> torch.Tensor:
        """Sum squares and take the root."""
        return Moment(self.centered, self.divisor).run(*xs).sqrt()


@dataclass(frozen=True, slots=True)
class _Squares:
    """``value`` times ``scale`` is the sum of squares, ``offsets`` times ``gain`` what is squared.

    ``bottom`` is the least positive integer of ``value``.
    """

    value: str
    scale: float
    offsets: str
    gain: float
    bottom: int


def _squares(low: Lowering, node: FloatNode, x: str, *, centered: bool) -> _Squares:
    type = low.type(x)
    size = type.shape[-1]
    _check(node, size, type.magnitude)
    squared = low.add(node, ops.Multiply(), x, x, suffix="square")
    if not centered:
        return _Squares(_sum(low, node, squared, 0), 1.0, x, 1.0, 1)
    gain = (size & -size).bit_length() - 1
    odd = size >> gain
    squares = _times(low, node, _sum(low, node, squared, gain), odd)
    mean = _sum(low, node, x, gain)
    square = low.add(node, ops.Multiply(), mean, mean, suffix="square")
    spread = _minus(low, node, squares, square)
    # Of n numbers between lo and hi, half at either end spread most.
    most = size**2 * (type.hi - type.lo) ** 2 // 4
    spread = low.add(node, ops.Requant(0, 0, most), spread, suffix="spread")
    offsets = _minus(low, node, _times(low, node, x, odd), _spread_out(low, node, mean, size))
    return _Squares(spread, size / odd**2, offsets, 1 / odd, max(1, size - 1))


def _check(node: FloatNode, size: int, magnitude: int) -> None:
    if (size * magnitude).bit_length() * 2 > MAX_PRODUCT:
        raise FrontendError(
            f"{where(node.path)}: {node.op.kind}: squares of sums of {size} numbers of "
            f"{magnitude.bit_length()} bits need more than {MAX_PRODUCT} bits; use fewer bits for "
            "activations"
        )


def _sum(low: Lowering, node: FloatNode, x: str, gain: int) -> str:
    kernel = (1, low.type(x).shape[-1])
    return low.add(node, ops.SumPool2d(kernel, kernel, gain=gain), x, suffix="sum")


def _times(low: Lowering, node: FloatNode, x: str, factor: int) -> str:
    if factor == 1:
        return x
    channels = low.type(x).channels
    op = ops.Scale(IntArray([factor] * channels), IntArray([0] * channels))
    return low.add(node, op, x, suffix="times")


def _minus(low: Lowering, node: FloatNode, a: str, b: str) -> str:
    op = ops.Add.of(low.type(a), low.type(b), subtract=True)
    return low.add(node, op, a, b, suffix="difference")


def _spread_out(low: Lowering, node: FloatNode, x: str, size: int) -> str:
    """Repeat the only element of the last axis."""
    channels, rows, _ = low.type(x).shape
    source = np.repeat(np.arange(channels * rows), size)
    return low.add(node, ops.Gather(IntArray(source), (channels, rows, size)), x, suffix="spread")


def _cut(low: Lowering, node: FloatNode, found: _Squares, offset: float) -> tuple[Segment, ...]:
    bits = min(low.activation_bits(node) + 1, _FINEST)
    return segments(found.bottom, low.type(found.value).hi, offset, bits)


def _standardize(low: Lowering, node: FloatNode, op: Standardize, x: str) -> str:
    """Multiply by the inverse of the squares; round once, to the result's format.

    The inverse has a relative error of at most ``2^-(bits + 1)`` with the bits of ``_cut``, and
    half as much from its rounding.
    """
    found = _squares(low, node, x, centered=op.centered)
    type, offsets = low.type(found.value), low.type(found.offsets)
    unit = 2.0**-type.frac * found.scale / op.divisor

    def inverse(grid: Floats) -> Floats:
        operand = torch.from_numpy(np.maximum(grid, found.bottom) * unit)
        inverted: Floats = found.gain * op.inverse(operand).numpy()
        return inverted

    cut = _cut(low, node, found, op.offset / unit)
    ends = inverse(np.array([0.0, cut[-1].last]))
    largest, least = (math.ceil(math.log2(v)) for v in ends)
    room = MAX_PRODUCT - offsets.magnitude.bit_length() - largest
    frac = min(low.activation_bits(node) + _SPARE - least, room)
    if frac + least < _FEWEST:
        raise FrontendError(
            f"{where(node.path)}: {node.op.kind}: products with the inverse root need more than "
            f"{MAX_PRODUCT} bits; use fewer bits for activations"
        )
    root = staged(low, node, found.value, inverse, cut, frac)
    factor = _spread_out(low, node, root, low.type(found.offsets).shape[-1])
    product = low.add(node, ops.Multiply(), found.offsets, factor, suffix="product")
    return low.finish(node, product, signed=offsets.lo < 0)


def _moment(low: Lowering, node: FloatNode, op: Moment, x: str) -> str:
    """Multiply by an integer close to ``2^k`` times the divisor's inverse.

    It is so close that what is lost stays below 1/16 step of what the result is rounded to.
    """
    found = _squares(low, node, x, centered=op.centered)
    ratio = found.scale / op.divisor
    if math.frexp(ratio)[0] == 0.5 and ratio <= 1:
        k = -int(math.log2(ratio))
        return low.add(node, ops.Scale(*_constants(low, found, 1), k), found.value)
    type = low.type(found.value)
    bits = type.magnitude.bit_length()
    k = max(bits - type.frac + low.target_frac(node) + 3, 8 - math.floor(math.log2(ratio)))
    k = min(k, MAX_PRODUCT - bits - math.ceil(math.log2(ratio)))
    factor = _constants(low, found, round(ratio * 2.0**k))
    return low.add(node, ops.Scale(*factor, k), found.value)


def _constants(low: Lowering, found: _Squares, factor: int) -> tuple[IntArray, IntArray]:
    channels = low.type(found.value).channels
    return IntArray([factor] * channels), IntArray([0] * channels)


def _root(low: Lowering, node: FloatNode, op: Root, x: str) -> str:
    found = _squares(low, node, x, centered=op.centered)
    unit = 2.0 ** -low.type(found.value).frac * found.scale / op.divisor
    frac = low.result_format(node, signed=False).frac + _SPARE
    cut = _cut(low, node, replace(found, bottom=0), 0.0)
    root = staged(low, node, found.value, lambda grid: np.sqrt(grid * unit), cut, frac)
    return low.finish(node, root, signed=False)


LOWER: dict[type[FloatOp], Lower] = {
    Standardize: _standardize,
    Moment: _moment,
    Root: _root,
}
