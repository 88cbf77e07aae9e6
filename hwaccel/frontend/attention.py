"""Handlers for softmax along any axis, and for attention."""

from __future__ import annotations

from collections.abc import Callable
from math import prod

import numpy as np

from hwaccel.frontend import moves
from hwaccel.frontend.floatgraph import FloatOp, Pair
from hwaccel.frontend.importer import Handler, Importer
from hwaccel.frontend.program import Call
from hwaccel.frontend.softmax import LogSoftmax, Softmax
from hwaccel.ops.family import Ints

Move = Callable[[Ints], Ints]


def softmax(i: Importer, call: Call) -> str:
    """``softmax`` along one axis."""
    x = i.first(call)
    return _along(i, call, x, _axis(i, call, x), lambda kernel, _: Softmax(kernel))


def log_softmax(i: Importer, call: Call) -> str:
    """``log_softmax`` along one axis."""
    x = i.first(call)
    return _along(i, call, x, _axis(i, call, x), lambda kernel, _: LogSoftmax(kernel))


def _axis(i: Importer, call: Call, x: str) -> int:
    (dim,) = call.integers("dim")
    rank = len(i.shape(x)) + 1
    if dim % rank == 0:
        raise i.refuse(call, f"dim is {dim}, the batch; use another axis")
    return dim % rank - 1


def _along(
    i: Importer, call: Call, x: str, axis: int, make: Callable[[Pair, Move], FloatOp]
) -> str:
    """Apply an op whose window spans one axis of an image, to any axis of a value.

    ``make`` gets the window, and what turns an array of the value's shape into the image's.
    """
    shape = i.shape(x)
    before, size, behind = prod(shape[1:axis]), shape[axis], prod(shape[axis + 1 :])
    if axis > 0 and behind == 1:
        order, image, kernel = None, (shape[0], before, size), (1, size)
    elif axis > 0 and before == 1:
        order, image, kernel = None, (shape[0], size, behind), (size, 1)
    else:
        order = [a for a in range(len(shape)) if a != axis] + [axis]
        image, kernel = (prod(shape) // size, 1, size), (1, size)

    def move(array: Ints) -> Ints:
        turned = array if order is None else array.transpose(order)
        return turned.reshape(image)

    moved = x if order is None else moves.permute(i, call, x, order)
    turned = i.shape(moved)
    y = i.add(call, make(kernel, move), i.reshape(call, moved, image), shape=image)
    y = i.reshape(call, y, turned)
    return y if order is None else moves.permute(i, call, y, list(np.argsort(order)))


HANDLERS: dict[str, Handler] = {
    "aten.softmax.int": softmax,
    "aten._softmax.default": softmax,
    "aten.log_softmax.int": log_softmax,
    "aten._log_softmax.default": log_softmax,
}
