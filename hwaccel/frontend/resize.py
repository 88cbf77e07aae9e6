"""Handlers for what changes the size of an image by weights: upsampling, transposed convolution."""

from __future__ import annotations

from math import prod

import numpy as np
import torch

from hwaccel.frontend import moves
from hwaccel.frontend.floatgraph import Conv2d, Floats, Pair
from hwaccel.frontend.formats import Ints
from hwaccel.frontend.importer import Importer
from hwaccel.frontend.program import Call, overload

_SIDES = (0, 0, 0, 0)


def along(i: Importer, call: Call, x: str, axis: int, matrix: Floats) -> str:
    """Return ``x`` multiplied along ``axis`` by ``matrix`` ``(result, operand)``."""
    if np.array_equal(matrix, np.eye(matrix.shape[1])):
        return x
    front, back = moves.in_front(i, call, x, (axis,))
    size, *rest = i.shape(front)
    pixels = prod(rest)
    image = i.reshape(call, front, (size, 1, pixels))
    op = Conv2d(matrix[:, :, None, None], np.zeros(len(matrix)), (1, 1), _SIDES, (1, 1), 1)
    y = i.add(call, op, image, shape=(len(matrix), 1, pixels))
    return moves.permute(i, call, i.reshape(call, y, (len(matrix), *rest)), back)


def cumulative(i: Importer, call: Call) -> str:
    """``cumsum``: a product with a triangle of ones."""
    x = i.first(call)
    rank = len(i.shape(x)) + 1
    axis = int(call.number("dim")) % rank - 1
    if axis < 0:
        raise i.refuse(call, "dim is 0, the batch; sum up along another axis")
    size = i.shape(x)[axis]
    return along(i, call, x, axis, np.tril(np.ones((size, size))))


def linear(i: Importer, call: Call) -> str:
    """Linear and bilinear upsampling: a product with a constant matrix along each axis.

    PyTorch gives the matrices: the call is linear and treats the axes one by one.
    """
    return _separable(i, call)


def adaptive(i: Importer, call: Call) -> str:
    """Adaptive averages whose windows differ in size."""
    return _separable(i, call)


def _separable(i: Importer, call: Call) -> str:
    x = i.first(call)
    for axis in range(1, len(i.shape(x))):
        x = along(i, call, x, axis, _matrix(i, call, axis))
    return x


def _matrix(i: Importer, call: Call, axis: int) -> Floats:
    """Return what the call does along one axis, the others constant."""
    shape = i.shape(i.first(call))
    size = shape[axis]
    view = [1] * (len(shape) + 1)
    view[0], view[axis + 1] = size, size
    units = torch.eye(size, dtype=torch.float64).reshape(view).expand(size, 1, *shape[1:])
    schema = overload(call.target)._schema.arguments  # type: ignore[union-attr]
    arguments = {a.name: call.args.get(a.name) for a in schema[1:]}
    with torch.no_grad():
        y = overload(call.target)(units.contiguous(), **arguments)  # type: ignore[misc]
    index: list[int | slice] = [0] * y.ndim
    index[0], index[axis + 1] = slice(None), slice(None)
    matrix: Floats = y[tuple(index)].numpy().T.copy()
    return matrix


def transposed(i: Importer, call: Call) -> str:
    """Transposed convolution: zeros between the pixels, then the turned kernel.

    V. Dumoulin and F. Visin, *A guide to convolution arithmetic for deep learning*, 2016.
    """
    weight = i.constant(call, "weight")
    groups = int(call.number("groups"))
    inputs, per_group = weight.shape[:2]
    bias = i.vector(call, "bias", per_group * groups, 0.0)
    x = i.image(call, i.first(call))
    if weight.ndim == 3:
        weight = weight[:, :, None, :]
    kernel: Pair = (weight.shape[2], weight.shape[3])
    stride, dilation = i.sizes(call, "stride", 1), i.sizes(call, "dilation", 1)
    pad, extra = i.sizes(call, "padding", 0), i.sizes(call, "output_padding", 0)
    channels, height, width = i.shape(x)
    places = np.arange(channels * height * width).reshape(channels, height, width)
    wide = np.full((channels, (height - 1) * stride[0] + 1, (width - 1) * stride[1] + 1), -1)
    wide[:, :: stride[0], :: stride[1]] = places
    for axis in (0, 1):
        # A negative margin crops.
        before = dilation[axis] * (kernel[axis] - 1) - pad[axis]
        wide = _margins(wide, axis + 1, before, before + extra[axis])
    turned = weight.reshape(groups, inputs // groups, per_group, *kernel).transpose(0, 2, 1, 3, 4)
    turned = turned.reshape(groups * per_group, inputs // groups, *kernel)[:, :, ::-1, ::-1].copy()
    stretched = moves.gather(i, call, x, wide.ravel(), wide.shape)
    return i.add_image(call, Conv2d(turned, bias, (1, 1), _SIDES, dilation, groups), stretched)


def _margins(places: Ints, axis: int, before: int, after: int) -> Ints:
    pads = [(0, 0)] * places.ndim
    pads[axis] = (max(0, before), max(0, after))
    padded = np.pad(places, pads, constant_values=-1)
    cut = [slice(None)] * places.ndim
    cut[axis] = slice(max(0, -before), padded.shape[axis] - max(0, -after))
    inside: Ints = padded[tuple(cut)]
    return inside
