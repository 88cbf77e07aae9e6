"""Products of two values added up along axes: what it means, and the IR ops it becomes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import ClassVar

import numpy as np
import torch

from hwaccel import ops
from hwaccel.frontend.floatgraph import FloatNode, FloatOp, Role
from hwaccel.frontend.lower import Lowering, wired
from hwaccel.fxp import IntArray
from hwaccel.ops.family import Ints

# An axis has the same name in every operand and in the result: its place in ``sizes``.
Names = tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Contract(FloatOp):
    """The sum of ``a * b`` over every axis that ``result`` does not name; ``a``, ``b`` name it.

    An axis that only one operand has is one of the result. The products and their sum are
    exact; only the sum is rounded.
    """

    kind: ClassVar[str] = "product"
    role: ClassVar[Role] = Role.MULTIPLY

    a: Names
    b: Names
    result: Names
    sizes: tuple[int, ...]

    def run(self, *xs: torch.Tensor) -> torch.Tensor:
        """Multiply and add; the batch is one more axis of all three."""
        a, b, result = ([0, *(n + 1 for n in names)] for names in (self.a, self.b, self.result))
        return torch.einsum(xs[0], a, xs[1], b, result)


def lower(low: Lowering, node: FloatNode, op: Contract, a: str, b: str) -> str:
    """Bring factors together, multiply, and sum.

    The axes of the sum become the channels, so that as many products as there are multipliers
    are made per beat; every pixel is one element of the result, in the order of its stream.
    """
    names, shape = op.result, tuple(op.sizes[name] for name in op.result)
    summed = tuple(name for name in dict.fromkeys(op.a) if name not in names)
    terms = prod(op.sizes[name] for name in summed)
    operands = ((a, op.a), (b, op.b))
    if terms == 1:
        factors = [
            _moved(low, node, value, _places(axes, op.sizes, names), wired(shape))
            for value, axes in operands
        ]
        return low.add(node, ops.Multiply(), *factors)
    # Pixels in the order in which the result streams: its channels are innermost.
    image = wired(shape)
    pixels = (*names[1:], *names[:1])
    factors = [
        _spread(low, node, value, axes, op.sizes, summed, pixels) for value, axes in operands
    ]
    product = low.add(node, ops.Multiply(), *factors, suffix="products")
    total = low.add(node, ops.ChannelSum(terms), product, suffix="sum")
    order = np.arange(prod(shape)).reshape(-1, image[0])
    return _moved(low, node, total, order.T, image)


def _places(axes: Names, sizes: Sequence[int], order: Sequence[int]) -> Ints:
    """Return where an operand with ``axes`` holds its element for each index of ``order``.

    The result has the sizes of ``order``; an axis that the operand lacks repeats its elements.
    """
    place = np.zeros([sizes[name] for name in order], dtype=np.int64)
    step = 1
    for name in reversed(axes):
        index = np.arange(sizes[name]) * step
        place += index.reshape([-1 if other == name else 1 for other in order])
        step *= sizes[name]
    return place


def _spread(
    low: Lowering,
    node: FloatNode,
    value: str,
    axes: Names,
    sizes: Sequence[int],
    summed: Names,
    pixels: Names,
) -> str:
    """Return the factors ``(terms, pixels)`` that ``value`` gives.

    Where elements repeat, what belongs to one sum is put together first: this moves each once,
    and then whole sums move at a time.
    """
    terms = prod(sizes[name] for name in summed)
    own = tuple(name for name in pixels if name in axes)
    together = _places(axes, sizes, (*summed, *own)).reshape(terms, -1)
    first = _moved(low, node, value, together, together.shape)
    order = _places(own, sizes, pixels).ravel()
    source = np.arange(terms)[:, None] * together.shape[1] + order
    return _moved(low, node, first, source, source.shape)


def _moved(low: Lowering, node: FloatNode, value: str, source: Ints, shape: tuple[int, ...]) -> str:
    if low.type(value).shape == shape and np.array_equal(source.ravel(), np.arange(prod(shape))):
        return value
    return low.add(node, ops.Gather(IntArray(source.ravel()), shape), value, suffix="moved")
