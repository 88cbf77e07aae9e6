"""Handlers for layers with weights, sums, and element by element functions."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from math import prod

import numpy as np
import torch

from hwaccel.frontend import moves, resize
from hwaccel.frontend.floatgraph import (
    Add,
    Affine,
    Clip,
    Concat,
    Conv2d,
    Dense,
    FloatOp,
    Floats,
    Function,
    MinMax,
    Multiply,
    Pair,
    Relu,
    Subtract,
)
from hwaccel.frontend.importer import Importer
from hwaccel.frontend.program import Call


def linear(i: Importer, call: Call) -> str:
    """``linear(input, weight, bias)`` along the last axis."""
    x, weight = i.value(call, "input"), i.constant(call, "weight")
    return _dense(i, call, x, weight, i.vector(call, "bias", len(weight), 0.0))


def addmm(i: Importer, call: Call) -> str:
    """``bias + x @ constant``, what ``linear`` decomposes to."""
    if (call.args["beta"], call.args["alpha"]) != (1, 1):
        raise i.refuse(call, "beta and alpha must be 1; scale the weights instead")
    weight = i.constant(call, "mat2").T
    return _dense(i, call, i.value(call, "mat1"), weight, i.constant(call, "self"))


def _dense(i: Importer, call: Call, x: str, weight: Floats, bias: Floats) -> str:
    if weight.ndim != 2:
        raise i.refuse(call, f"takes a matrix, found a constant of shape {weight.T.shape}")
    bias = np.broadcast_to(bias, weight.shape[:1]).copy()
    shape = i.shape(x)
    if len(shape) == 1:
        return i.add(call, Dense(weight, bias), x)
    # One product per place along the other axes: a convolution of one pixel.
    front, back = moves.in_front(i, call, x, (len(shape) - 1,))
    image = i.reshape(call, front, (shape[-1], 1, prod(shape[:-1])))
    kernel = weight[:, :, None, None]
    op = Conv2d(kernel, bias, (1, 1), (0, 0, 0, 0), (1, 1), 1)
    y = i.add(call, op, image, shape=(len(bias), 1, prod(shape[:-1])))
    return moves.permute(i, call, i.reshape(call, y, (len(bias), *shape[:-1])), back)


def conv(i: Importer, call: Call) -> str:
    """``conv1d`` and ``conv2d`` with number or string padding; a sequence is one row."""
    if call.args.get("transposed"):
        return resize.transposed(i, call)
    weight = i.constant(call, "weight")
    bias = i.vector(call, "bias", len(weight), 0.0)
    x = i.image(call, i.value(call, "input"))
    if weight.ndim == 3:
        weight = weight[:, :, None, :]
    kernel = (weight.shape[2], weight.shape[3])
    stride, dilation = i.sizes(call, "stride", 1), i.sizes(call, "dilation", 1)
    before, after = _padding(i, call, kernel, dilation)
    groups = int(call.number("groups"))
    return i.add_image(call, Conv2d(weight, bias, stride, (*before, *after), dilation, groups), x)


def _padding(i: Importer, call: Call, kernel: Pair, dilation: Pair) -> tuple[Pair, Pair]:
    padding = call.args["padding"]
    if padding == "valid":
        return (0, 0), (0, 0)
    if padding == "same":
        # PyTorch puts the odd row and column at the bottom and right.
        total = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
        top, left = total[0] // 2, total[1] // 2
        return (top, left), (total[0] - top, total[1] - left)
    pad = i.sizes(call, "padding", 0)
    return pad, pad


def batch_norm(i: Importer, call: Call) -> str:
    """Batch normalization by running statistics."""
    if call.args.get("training"):
        raise i.refuse(
            call, "uses batch statistics; train with track_running_stats=True, convert in eval mode"
        )
    x = i.value(call, "input")
    channels = i.shape(x)[0]
    mean, var = (i.vector(call, f"running_{name}", channels, 0.0) for name in ("mean", "var"))
    gamma, beta = i.vector(call, "weight", channels, 1.0), i.vector(call, "bias", channels, 0.0)
    eps = call.number("eps")
    if (var + eps <= 0).any():
        raise i.refuse(call, "running_var plus eps is not positive; repair the statistics")
    scale = gamma / np.sqrt(var + eps)
    return i.add(call, Affine(scale, beta - mean * scale), x)


def relu(i: Importer, call: Call) -> str:
    """``relu``, in place or not."""
    return i.add(call, Relu(), i.value(call, "self"))


def clamp(i: Importer, call: Call) -> str:
    """``clamp`` and ``hardtanh``: limits that are numbers, or one for all elements."""
    limits = []
    for names, default in ((("min", "min_val"), -math.inf), (("max", "max_val"), math.inf)):
        name = next((n for n in names if call.args.get(n) is not None), None)
        limits.append(default if name is None else _number(i, call, name))
    lo, hi = limits
    if math.isnan(lo) or math.isnan(hi) or lo > hi:
        raise i.refuse(call, f"limits are {lo:g} and {hi:g}; give a lower and an upper one")
    x = i.first(call)
    return i.add(call, Relu() if limits == [0.0, math.inf] else Clip(lo, hi), x)


def relu6(i: Importer, call: Call) -> str:
    """``relu6``, ``clamp`` from 0 to 6."""
    return i.add(call, Clip(0.0, 6.0), i.first(call))


def add(i: Importer, call: Call) -> str:
    """Sum of two computed values, or of one and a constant that broadcasts."""
    if call.args["alpha"] != 1:
        alpha = call.args["alpha"]
        raise i.refuse(call, f"alpha is {alpha}, expected 1; scale the weights instead")
    if i.is_constant(call, "self"):
        return _affine(i, call, "other", 1.0, i.spread_constant(call, "self", "other"))
    if i.is_constant(call, "other"):
        return _affine(i, call, "self", 1.0, i.spread_constant(call, "other", "self"))
    return i.add(call, Add(), *_stretched(i, call))


def _stretched(i: Importer, call: Call) -> tuple[str, str]:
    """Return both operands in the shape of the result."""
    a, b = i.value(call, "self"), i.value(call, "other")
    shape = i.inner(call)
    return moves.broadcast(i, call, a, shape), moves.broadcast(i, call, b, shape)


def concat(i: Importer, call: Call) -> str:
    """Concatenation along any axis, two values at a time."""
    values = i.values(call, "tensors")
    shapes = [i.shape(value) for value in values]
    if len(values) == 1:
        return i.copy(call, values[0])
    rank = len(shapes[0]) + 1
    (dim,) = call.integers("dim") if "dim" in call.args else (1,)  # hstack has none
    if not 1 <= dim % rank < rank or not -rank <= dim < rank:
        raise i.refuse(call, f"dim is {dim}, the batch; concatenate along another axis")
    axis = dim % rank - 1
    others = {(*s[:axis], *s[axis + 1 :]) for s in shapes}
    if len(others) > 1 or any(len(s) + 1 != rank for s in shapes):
        found = " and ".join(map(str, shapes))
        raise i.refuse(
            call,
            f"operands have shapes {found} without the batch axis, which differ in more than "
            f"axis {axis + 1}; make them equal",
        )
    return _joined(i, call, values, axis)


def _joined(i: Importer, call: Call, values: Sequence[str], axis: int) -> str:
    fronts = [moves.in_front(i, call, value, (axis,)) for value in values]
    result, back = fronts[0]
    for value, _ in fronts[1:]:
        (channels, *rest), (more, *_) = i.shape(result), i.shape(value)
        result = i.add(call, Concat(), result, value, shape=(channels + more, *rest))
    return moves.permute(i, call, result, back)


def stack(i: Importer, call: Call) -> str:
    """Stacking along a new axis: concatenation of operands with an axis of length 1."""
    (dim,) = call.integers("dim") if "dim" in call.args else (0,)
    axis = dim % len(call.shapes[0]) - 1
    if axis < 0:
        raise i.refuse(call, "stacks along the batch axis; use another one, for example dim=1")
    values = []
    for value in i.values(call, "tensors"):
        # One number per frame has no axis to put the new one beside.
        shape = i.shape(value)[: len(call.shapes[0]) - 2]
        values.append(i.reshape(call, value, (*shape[:axis], 1, *shape[axis:])))
    return i.copy(call, values[0]) if len(values) == 1 else _joined(i, call, values, axis)


def subtract(i: Importer, call: Call) -> str:
    """Difference of two values, or of one and a constant, either way round."""
    if call.args["alpha"] != 1:
        alpha = call.args["alpha"]
        raise i.refuse(call, f"alpha is {alpha}, expected 1; scale the weights instead")
    reverse = call.target.startswith("aten.rsub.")
    minuend, subtrahend = ("other", "self") if reverse else ("self", "other")
    if i.is_constant(call, minuend):
        offset = i.spread_constant(call, minuend, subtrahend)
        return _affine(i, call, subtrahend, -1.0, offset)
    if i.is_constant(call, subtrahend):
        return _affine(i, call, minuend, 1.0, -i.spread_constant(call, subtrahend, minuend))
    a, b = _stretched(i, call)
    return i.add(call, Subtract(), *((b, a) if reverse else (a, b)))


def negate(i: Importer, call: Call) -> str:
    """``-x``."""
    return affine(i, call, i.first(call), -1.0, 0.0)


def multiply(i: Importer, call: Call) -> str:
    """Product of two values, or of one and a constant."""
    if not i.is_constant(call, "self") and not i.is_constant(call, "other"):
        return i.add(call, Multiply(), *_stretched(i, call))
    x, factor = ("other", "self") if i.is_constant(call, "self") else ("self", "other")
    return _affine(i, call, x, i.spread_constant(call, factor, x), 0.0)


def larger(i: Importer, call: Call) -> str:
    """``maximum`` of two values, or of one and a number."""
    return _extreme(i, call, largest=True)


def smaller(i: Importer, call: Call) -> str:
    """``minimum`` of two values, or of one and a number."""
    return _extreme(i, call, largest=False)


def _extreme(i: Importer, call: Call, *, largest: bool) -> str:
    for name, operand in (("self", "other"), ("other", "self")):
        if i.is_constant(call, name):
            limits = i.spread_constant(call, name, operand)
            limit = float(limits.flat[0])
            if (limits != limit).any():
                raise i.refuse(call, f"{name} holds different limits; use one for all elements")
            x = moves.broadcast(i, call, i.value(call, operand), i.inner(call))
            return i.add(call, Clip(limit, math.inf) if largest else Clip(-math.inf, limit), x)
    return i.add(call, MinMax(largest), *_stretched(i, call))


def divide(i: Importer, call: Call) -> str:
    """Quotient of a value by a constant, or by another one through a table of reciprocals."""
    if call.args.get("rounding_mode") is not None:
        raise i.refuse(call, "rounds the quotient; use a plain division")
    if not i.is_constant(call, "other"):
        below = i.value(call, "other")
        inverse = i.add(call, Function(torch.reciprocal), below, shape=i.shape(below))
        if i.is_constant(call, "self"):
            factor = i.spread_constant(call, "self", "other")
            return affine(i, call, moves.broadcast(i, call, inverse, i.inner(call)), factor, 0.0)
        shape = i.inner(call)
        x = moves.broadcast(i, call, i.value(call, "self"), shape)
        return i.add(call, Multiply(), x, moves.broadcast(i, call, inverse, shape))
    divisor = i.spread_constant(call, "other", "self")
    if not divisor.all():
        raise i.refuse(call, "divides by zero; repair the constant")
    return _affine(i, call, "self", 1.0 / divisor, 0.0)


def _affine(
    i: Importer, call: Call, operand: str, scale: Floats | float, offset: Floats | float
) -> str:
    x = moves.broadcast(i, call, i.value(call, operand), i.inner(call))
    return affine(i, call, x, scale, offset)


def affine(i: Importer, call: Call, x: str, scale: Floats | float, offset: Floats | float) -> str:
    """Scale and shift ``x`` by constants that may differ along axes."""
    return per_channel(i, call, x, (scale, offset), Affine)


def per_channel(
    i: Importer,
    call: Call,
    x: str,
    constants: Sequence[Floats | float],
    make: Callable[..., FloatOp],
) -> str:
    """Apply ``make(*constants)``, one of each per channel; axes along which they differ come first.

    ``constants`` broadcast to the shape of ``x``.
    """
    shape = i.shape(x)
    made = [np.broadcast_to(np.asarray(v, np.float64), shape) for v in constants]
    axes = [a for a in range(len(shape)) if any(_varies(v, a) for v in made)]
    if set(axes) <= {0}:
        made = [v.reshape(shape[0], -1)[:, 0].copy() for v in made]
        return i.add(call, make(*made), x, shape=shape)
    front, back = moves.in_front(i, call, x, axes)
    order = np.argsort(back)
    channels = prod(shape[a] for a in axes)
    flat = [np.transpose(v, order).reshape(channels, -1)[:, 0].copy() for v in made]
    moved = i.shape(front)
    pixels = prod(shape) // channels
    x = i.reshape(call, front, (channels, pixels))
    y = i.add(call, make(*flat), x, shape=(channels, pixels))
    return moves.permute(i, call, i.reshape(call, y, moved), back)


def _varies(values: Floats, axis: int) -> bool:
    # Along axes that are stretched, one element tells all.
    once = values[tuple(slice(None) if step else slice(1) for step in values.strides)]
    return bool((once != once.take([0], axis)).any())


def _number(i: Importer, call: Call, name: str) -> float:
    if isinstance(call.args.get(name), int | float):
        return call.number(name)
    values = i.constant(call, name)
    if values.size != 1:
        raise i.refuse(call, f"{name} has {values.size} elements, expected 1; quantize per tensor")
    return float(values.reshape(()))
