"""Handlers for normalization by the statistics of the frame itself, and for moments and norms."""

from __future__ import annotations

import math
from collections.abc import Sequence
from math import prod

import numpy as np
import torch

from hwaccel.frontend import layers, moves, reduction
from hwaccel.frontend.floatgraph import AvgPool2d, FloatOp, Floats, Function, MaxPool2d
from hwaccel.frontend.importer import Handler, Importer
from hwaccel.frontend.moments import Moment, Root, Standardize
from hwaccel.frontend.program import Call

# Bits that a standardized value keeps until weights and biases are through with it.
_GUARD = 4
# What ``torch.finfo(torch.float32).eps`` is: the default of ``rms_norm``.
_FLOAT32 = 2.0**-23


def layer_norm(i: Importer, call: Call) -> str:
    """``layer_norm`` over the last axes."""
    count = len(call.integers("normalized_shape"))
    return _affine(i, call, _last(i, call, count), call.number("eps"), True, count)


def rms_norm(i: Importer, call: Call) -> str:
    """``rms_norm`` over the last axes."""
    count = len(call.integers("normalized_shape"))
    eps = _FLOAT32 if call.args.get("eps") is None else call.number("eps")
    return _affine(i, call, _last(i, call, count), eps, False, count)


def _last(i: Importer, call: Call, count: int) -> tuple[int, ...]:
    rank = len(i.shape(i.first(call)))
    if count > rank:
        raise i.refuse(call, "normalizes over the batch; leave that axis out of normalized_shape")
    return tuple(range(rank - count, rank))


def _affine(
    i: Importer, call: Call, axes: Sequence[int], eps: float, centered: bool, count: int
) -> str:
    x = i.first(call)
    shape = i.shape(x)[-count:]
    weight, bias = (_given(i, call, name, shape, value) for name, value in _PARAMETERS)
    changes = bool((weight != 1).any() or bias.any())
    image, order = reduction.rows(i, call, x, axes)
    y = _standardized(i, call, image, eps, centered, changes)
    y = reduction.unrowed(i, call, y, x, order)
    return layers.affine(i, call, y, weight, bias) if changes else y


_PARAMETERS = (("weight", 1.0), ("bias", 0.0))


def _given(i: Importer, call: Call, name: str, shape: tuple[int, ...], default: float) -> Floats:
    if call.args.get(name) is None:
        return np.full(shape, default)
    array = i.constant(call, name)
    if array.shape != shape:
        raise i.refuse(call, f"{name} has shape {array.shape}, expected {shape}; repair the model")
    return array


def _standardized(
    i: Importer, call: Call, x: str, eps: float, centered: bool, changes: bool
) -> str:
    if eps < 0:
        raise i.refuse(call, f"eps is {eps:g}; use one that is not negative")

    def inverse(v: torch.Tensor) -> torch.Tensor:
        return torch.rsqrt(v + eps)

    op = Standardize(centered, i.shape(x)[-1], inverse, eps)
    return i.add(call, op, x, shape=i.shape(x), guard=_GUARD if changes else 0)


def group_norm(i: Importer, call: Call) -> str:
    """``group_norm``; the channels of a group are neighbours."""
    x = i.first(call)
    groups = int(call.number("num_groups" if "num_groups" in call.args else "group"))
    return _per_channel(i, call, x, groups)


def instance_norm(i: Importer, call: Call) -> str:
    """``instance_norm`` by the statistics of the frame, or by running ones as in batch norm."""
    if not call.args["use_input_stats"]:
        return layers.batch_norm(i, call)
    x = i.first(call)
    return _per_channel(i, call, x, i.shape(x)[0])


def _per_channel(i: Importer, call: Call, x: str, groups: int) -> str:
    shape = i.shape(x)
    weight, bias = (i.vector(call, name, shape[0], value) for name, value in _PARAMETERS)
    changes = bool((weight != 1).any() or bias.any())
    image = i.reshape(call, x, (groups, 1, prod(shape) // groups))
    y = _standardized(i, call, image, call.number("eps"), True, changes)
    y = i.reshape(call, y, shape)
    column = (-1, *[1] * (len(shape) - 1))
    if not changes:
        return y
    return layers.affine(i, call, y, weight.reshape(column), bias.reshape(column))


def variance(i: Importer, call: Call) -> str:
    """``var``, biased or not."""
    return _moment(i, call, root=False)


def deviation(i: Importer, call: Call) -> str:
    """``std``, biased or not."""
    return _moment(i, call, root=True)


def variance_and_mean(i: Importer, call: Call) -> tuple[str, ...]:
    """``var_mean``."""
    return _moment(i, call, root=False), _mean(i, call)


def deviation_and_mean(i: Importer, call: Call) -> tuple[str, ...]:
    """``std_mean``."""
    return _moment(i, call, root=True), _mean(i, call)


def _mean(i: Importer, call: Call) -> str:
    def make(kernel: tuple[int, int]) -> FloatOp:
        return AvgPool2d(kernel, kernel, _SIDES, kernel[0] * kernel[1])

    return reduction.over(i, call, make, 1)


def _moment(i: Importer, call: Call, *, root: bool) -> str:
    axes = reduction.axes_of(i, call)
    size = prod(i.shape(i.first(call))[a] for a in axes)
    unbiased = call.args.get("unbiased", True)
    correction = call.args.get("correction", 1 if unbiased else 0)
    correction = 1 if correction is None else correction
    divisor = size - int(correction)  # type: ignore[arg-type]
    if divisor != size - correction or divisor < 1:  # type: ignore[operator]
        raise i.refuse(
            call, f"divides by {size} - {correction}; use correction=0, or more elements"
        )
    return _of_squares(i, call, Root(True, divisor) if root else Moment(True, divisor), axes)


def _of_squares(i: Importer, call: Call, op: FloatOp, axes: Sequence[int]) -> str:
    image, _ = reduction.rows(i, call, i.first(call), axes)
    y = i.add(call, op, image, shape=(*i.shape(image)[:2], 1))
    return i.reshape(call, y, i.inner(call))


def norm(i: Importer, call: Call) -> str:
    """Vector norms: Euclidean, sum of absolutes, and the largest of these."""
    p = call.args.get("ord", call.args.get("p"))
    p = 2.0 if p is None else p
    if call.args.get("dtype") is not None:
        raise i.refuse(call, "casts to another type; use float types throughout")
    axes = reduction.axes_of(i, call)
    if p == 2:
        return _of_squares(i, call, Root(False, 1), axes)
    if p not in (1, math.inf) or isinstance(p, str):
        raise i.refuse(call, f"the order is {p}; use 1, 2 or inf")
    absolute = i.add(call, Function(abs), i.first(call), shape=i.shape(i.first(call)))

    def make(kernel: tuple[int, int]) -> FloatOp:
        if p == 1:
            return AvgPool2d(kernel, kernel, _SIDES, 1)
        return MaxPool2d(kernel, kernel, _SIDES, (1, 1))

    y = reduction.pooled(i, call, absolute, axes, make)
    return i.reshape(call, y, i.inner(call))


_SIDES = (0, 0, 0, 0)


def expand_as(i: Importer, call: Call) -> str:
    """``expand_as``, of which only the shape of the other operand matters."""
    return moves.broadcast(i, call, i.first(call), i.inner(call))


HANDLERS: dict[str, Handler] = {
    "aten.layer_norm.default": layer_norm,
    "aten.native_layer_norm.default": layer_norm,
    "aten.rms_norm.default": rms_norm,
    "aten.group_norm.default": group_norm,
    "aten.native_group_norm.default": group_norm,
    "aten.instance_norm.default": instance_norm,
    "aten.var.default": variance,
    "aten.var.dim": variance,
    "aten.var.correction": variance,
    "aten.std.default": deviation,
    "aten.std.dim": deviation,
    "aten.std.correction": deviation,
    "aten.var_mean.dim": variance_and_mean,
    "aten.var_mean.correction": variance_and_mean,
    "aten.std_mean.dim": deviation_and_mean,
    "aten.std_mean.correction": deviation_and_mean,
    "aten.linalg_vector_norm.default": norm,
    "aten.linalg_norm.default": norm,
    "aten.norm.ScalarOpt_dim": norm,
    "aten.expand_as.default": expand_as,
}
