"""Handlers for softmax along any axis, and for attention."""

from __future__ import annotations

import math
from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np
import torch

from hwaccel.frontend import layers, moves
from hwaccel.frontend.floatgraph import Add, FloatOp, Floats, Pair
from hwaccel.frontend.importer import Handler, Importer
from hwaccel.frontend.products import Made, contract
from hwaccel.frontend.program import Call, Ref
from hwaccel.frontend.softmax import Hide, LogSoftmax, Softmax
from hwaccel.fxp import IntArray
from hwaccel.ops.family import Ints

# Numbers that stand for minus infinity in masks.
_HIDDEN = -1e4
# Scores keep some bits more than other sums: an exponential magnifies their errors.
_GUARD = 2
# A product inside a layer keeps some bits more until the layer's sum is rounded.
_INNER = 4
Move = Callable[[Ints], Ints]


def softmax(i: Importer, call: Call) -> str:
    """``softmax`` along one axis."""
    x = i.first(call)
    return _normalized(i, call, x, _axis(i, call, x), 1.0)


def _normalized(i: Importer, call: Call, x: str, axis: int, scale: float) -> str:
    """Return the softmax of ``scale * x``; elements of minus infinity are left out."""
    hidden: Ints | None = None
    while (node := i.made_by(x)) is not None and isinstance(node.op, Hide):
        own = node.op.hidden.a.reshape(i.shape(x))
        hidden = own if hidden is None else hidden | own
        x = node.inputs[0]
    if hidden is not None and hidden.all(axis=axis).any():
        raise i.refuse(call, "all elements of a group are masked; leave one in each")

    def make(kernel: Pair, move: Move) -> FloatOp:
        return Softmax(kernel, scale, None if hidden is None else IntArray(move(hidden)))

    return _along(i, call, x, axis, make)


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


# --- masks ----------------------------------------------------------------------------------------


def mask(i: Importer, call: Call, name: str, x: str) -> Floats:
    """Return a constant mask in the shape of ``x``; it may hold minus infinity."""
    arg, shape = call.args.get(name), i.shape(x)
    if not isinstance(arg, Ref) or not i.is_constant(call, name):
        raise i.refuse(call, f"{name} depends on the model's input; use a constant mask")
    tensor = i.tensor(call, name, arg)
    if tensor.dtype == torch.bool:
        tensor = torch.zeros(tensor.shape).masked_fill(~tensor, -torch.inf)
    array: Floats = tensor.to(torch.float64).numpy()
    full = (1,) * (len(shape) + 1 - array.ndim) + array.shape
    if len(full) != len(shape) + 1 or full[0] != 1:
        raise i.refuse(
            call,
            f"{name} of shape {array.shape} differs from frame to frame; give it no batch axis",
        )
    if np.isnan(array).any() or (array == np.inf).any():
        raise i.refuse(call, f"{name} holds infinity or NaN; repair the mask")
    return np.broadcast_to(array.reshape(full[1:]), shape)


def masked(i: Importer, call: Call, x: str, mask: Floats, scale: float = 1.0) -> str:
    """Return ``x + mask / scale``; minus infinity is left to the softmax that reads it."""
    hidden = mask <= _HIDDEN
    finite = np.where(hidden, 0.0, mask)
    if finite.any():
        x = layers.affine(i, call, x, 1.0, finite / scale)
    return hide(i, call, x, hidden) if hidden.any() else x


def hide(i: Importer, call: Call, x: str, hidden: np.ndarray[Any, Any]) -> str:
    """Return ``x`` with minus infinity where ``hidden``."""
    return i.add(call, Hide(IntArray(hidden.astype(np.int64))), x, shape=i.shape(x))


def hidden(i: Importer, call: Call, condition: str, a: str, b: str) -> str | None:
    """Return ``a`` where a constant condition holds, else ``b``, if one of them is minus infinity.

    ``None`` where that is not so.
    """
    low = [call.args.get(name) for name in (a, b)]
    hides = [isinstance(v, int | float) and v <= _HIDDEN for v in low]
    if sum(hides) != 1 or not i.is_constant(call, condition):
        return None
    x = i.value(call, b if hides[0] else a)
    holds = mask(i, call, condition, x) == 0
    places = holds if hides[0] else ~holds
    return hide(i, call, x, places) if places.any() else i.copy(call, x)


def baddbmm(i: Importer, call: Call) -> str:
    """``beta * input + alpha * (a @ b)`` with both factors 1."""
    if (call.args["beta"], call.args["alpha"]) != (1, 1):
        raise i.refuse(call, "beta and alpha must be 1; scale an operand instead")
    *lead, row, column, out = range(len(call.shapes[0]) + 1)
    operands = [("batch1", (*lead, row, column)), ("batch2", (*lead, column, out))]
    product = contract(i, call, operands, (*lead, row, out), guard=_INNER)
    if not i.is_constant(call, "self"):
        more = moves.broadcast(i, call, i.value(call, "self"), i.inner(call))
        return i.add(call, Add(), more, product)
    return masked(i, call, product, mask(i, call, "self", product))


# --- attention ------------------------------------------------------------------------------------


def scaled_dot_product(i: Importer, call: Call) -> str:
    """``softmax(query @ key^T * scale + mask) @ value``; the scale goes into the exponentials."""
    if call.args.get("dropout_p", 0.0) != 0.0:
        raise i.refuse(
            call, "drops out although the model is in eval mode; pass dropout_p=0 when it is"
        )
    query, key, value = (i.value(call, name) for name in ("query", "key", "value"))
    key, value = (_shared(i, call, query, x) for x in (key, value))
    lead = tuple(range(len(i.shape(query)) - 1))
    row, column, feature = len(lead), len(lead) + 1, len(lead) + 2
    operands = [(Made(query), (*lead, row, feature)), (Made(key), (*lead, column, feature))]
    scores = contract(i, call, operands, (*lead, row, column), guard=_GUARD)
    scale = call.args.get("scale")
    factor = 1.0 / math.sqrt(i.shape(query)[-1]) if scale is None else call.number("scale")
    if factor <= 0:
        scores, factor = layers.affine(i, call, scores, factor, 0.0), 1.0
    shape = i.shape(scores)
    if call.args.get("is_causal"):
        scores = hide(i, call, scores, np.broadcast_to(np.tri(shape[-2], shape[-1]) == 0, shape))
    if call.args.get("attn_mask") is not None:
        scores = masked(i, call, scores, mask(i, call, "attn_mask", scores), factor)
    weights = _normalized(i, call, scores, len(shape) - 1, factor)
    operands = [(Made(weights), (*lead, row, column)), (Made(value), (*lead, column, feature))]
    return contract(i, call, operands, (*lead, row, feature))


def _shared(i: Importer, call: Call, query: str, x: str) -> str:
    """Repeat heads that several heads of the query share."""
    if not call.args.get("enable_gqa"):
        return x
    shape, heads = i.shape(x), i.shape(query)[-3]
    axis = len(shape) - 3
    places = np.arange(prod(shape)).reshape(shape).repeat(heads // shape[axis], axis)
    return moves.gather(i, call, x, places.ravel(), places.shape)


HANDLERS: dict[str, Handler] = {
    "aten.softmax.int": softmax,
    "aten._softmax.default": softmax,
    "aten.baddbmm.default": baddbmm,
    "aten.scaled_dot_product_attention.default": scaled_dot_product,
    "aten._scaled_dot_product_attention_math.default": scaled_dot_product,
    "aten._scaled_dot_product_flash_attention_for_cpu.default": scaled_dot_product,
    "aten.log_softmax.int": log_softmax,
    "aten._log_softmax.default": log_softmax,
}
