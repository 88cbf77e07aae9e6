"""Handlers for pooling, means, zero padding, and changes of shape. A sequence is one row."""

from __future__ import annotations

import numpy as np

from hwaccel.frontend import layers, moves, reduction, resize
from hwaccel.frontend.floatgraph import (
    AvgPool2d,
    Floats,
    MaxPool2d,
    Padding,
    Pair,
    ZeroPad2d,
)
from hwaccel.frontend.importer import Importer, Result
from hwaccel.frontend.program import Call

_NO_PADDING: Padding = (0, 0, 0, 0)


def _window(i: Importer, call: Call) -> tuple[Pair, Pair, Pair]:
    kernel = i.sizes(call, "kernel_size", 1)
    stride = kernel if call.args["stride"] == () else i.sizes(call, "stride", 1)
    return kernel, stride, i.sizes(call, "padding", 0)


def _overhang(i: Importer, call: Call, x: str, kernel: Pair, stride: Pair, pad: Pair) -> Pair:
    """Return by how many pixels the last window reaches beyond the padded input."""
    image, out = i.shape(x)[1:], i.result_image(call)[1:]
    reach = (
        (out[axis] - 1) * stride[axis] + kernel[axis] - image[axis] - 2 * pad[axis]
        for axis in (0, 1)
    )
    bottom, right = (max(0, r) for r in reach)
    return bottom, right


def max_pool(i: Importer, call: Call) -> str:
    """``max_pool``; ``ceil_mode`` becomes padding at the bottom and right."""
    x = i.image(call, i.value(call, "self"))
    kernel, stride, pad = _window(i, call)
    dilation = i.sizes(call, "dilation", 1)
    reach = (dilation[0] * (kernel[0] - 1) + 1, dilation[1] * (kernel[1] - 1) + 1)
    bottom, right = _overhang(i, call, x, reach, stride, pad)
    padding: Padding = (*pad, pad[0] + bottom, pad[1] + right)
    return i.add_image(call, MaxPool2d(kernel, stride, padding, dilation), x)


def avg_pool(i: Importer, call: Call) -> str:
    """``avg_pool``; where borders have divisors of their own, places are scaled one by one."""
    x = i.image(call, i.value(call, "self"))
    kernel, stride, pad = _window(i, call)
    override = call.args.get("divisor_override") is not None
    bottom, right = _overhang(i, call, x, kernel, stride, pad)
    padding: Padding = (*pad, pad[0] + bottom, pad[1] + right)
    if override:
        divisor = int(call.number("divisor_override"))
        if divisor < 1:
            raise i.refuse(call, f"divisor_override is {divisor}; use a positive one")
        return i.add_image(call, AvgPool2d(kernel, stride, padding, divisor), x)
    counted = bool(call.args["count_include_pad"])
    counts = _counts(i.shape(x)[1:], kernel, stride, pad, (bottom, right), counted)
    most = kernel[0] * kernel[1]
    if (counts == most).all():
        return i.add_image(call, AvgPool2d(kernel, stride, padding, most), x)
    # Windows at the border have divisors of their own.
    result = i.result_image(call)
    total = i.add(call, AvgPool2d(kernel, stride, padding, 1), x, shape=result)
    scale = np.broadcast_to(1.0 / counts, result)
    return i.reshape(call, layers.affine(i, call, total, scale, 0.0), i.inner(call))


def _counts(
    image: tuple[int, ...], kernel: Pair, stride: Pair, pad: Pair, over: Pair, counted: bool
) -> Floats:
    """Return the pixels of every window; ``counted`` takes in padding but not the overhang."""
    per_axis = []
    for axis in (0, 1):
        size = image[axis]
        inside = np.zeros(size + 2 * pad[axis] + over[axis])
        inside[: size + 2 * pad[axis]] = 1.0 if counted else 0.0
        inside[pad[axis] : pad[axis] + size] = 1.0
        windows = np.lib.stride_tricks.sliding_window_view(inside, kernel[axis])
        per_axis.append(windows[:: stride[axis]].sum(axis=1))
    counts: Floats = np.outer(*per_axis)
    return counts


def adaptive_avg_pool(i: Importer, call: Call) -> str:
    """``adaptive_avg_pool``; where windows differ in size, a product along each axis."""
    x = i.image(call, i.value(call, "self"))
    _, height, width = i.shape(x)
    _, oh, ow = i.result_image(call)
    if height % oh or width % ow:
        return resize.adaptive(i, call)
    kernel = (height // oh, width // ow)
    return i.add_image(call, _average(kernel, kernel[0] * kernel[1]), x)


def mean(i: Importer, call: Call) -> str:
    """``mean`` over some of the axes behind the batch."""
    return reduction.over(i, call, lambda kernel: _average(kernel, kernel[0] * kernel[1]))


def total(i: Importer, call: Call) -> str:
    """``sum`` over some of the axes behind the batch."""
    return reduction.over(i, call, lambda kernel: _average(kernel, 1))


def maximum(i: Importer, call: Call) -> str:
    """``amax`` over some of the axes behind the batch."""
    return reduction.over(i, call, lambda kernel: MaxPool2d(kernel, kernel, _NO_PADDING, (1, 1)))


def _average(kernel: Pair, divisor: int) -> AvgPool2d:
    return AvgPool2d(kernel, kernel, _NO_PADDING, divisor)


def pad(i: Importer, call: Call) -> Result | tuple[Result, ...]:
    """Padding with zeros at the borders of an image; any other moves elements."""
    sizes = call.integers("pad")
    mode, value = call.args.get("mode", "constant"), call.args.get("value") or 0
    axes = len(i.shape(i.value(call, "self")))
    simple = mode == "constant" and value == 0 and len(sizes) <= 2 * (axes - 1) <= 4
    if not simple or min(sizes, default=0) < 0:
        return moves.copy(i, call)
    x = i.image(call, i.value(call, "self"))
    left, right, top, bottom = (*sizes, 0, 0, 0, 0)[:4]
    return i.add_image(call, ZeroPad2d((top, left, bottom, right)), x)


def reshape(i: Importer, call: Call) -> Result | tuple[Result, ...]:
    """Flatten, view, reshape, squeeze, unsqueeze: whatever keeps the order."""
    shape = call.shapes[0]
    turned = i.turned(next(iter(call.args.values()))) is not None
    # One frame alone does not show that the axis in front of it is a new one.
    alone = i.batch == 1 and call.target.startswith("aten.unsqueeze.")
    if turned or alone or shape[:1] != (i.batch,):
        return moves.view(i, call)
    return i.reshape(call, i.first(call), i.inner(call))


def same(i: Importer, call: Call) -> str:
    """Calls that return their operand."""
    return i.first(call)


def copy(i: Importer, call: Call) -> str:
    """Calls that copy: the copy is a value of its own, so in-place calls do not reach across."""
    return i.copy(call, i.first(call))


def cast(i: Importer, call: Call) -> str:
    """Change of the float type, which has no meaning in fixed point."""
    dtype = call.args.get("dtype")
    if dtype not in (None, "torch.float64", "torch.float32", "torch.float16", "torch.bfloat16"):
        raise i.refuse(call, f"casts to {dtype}; use float types throughout")
    return i.first(call)


def dropout(i: Importer, call: Call) -> str:
    """Dropout that is switched off."""
    if call.args["train"]:
        raise i.refuse(
            call,
            "is active although the model is in eval mode; pass training=self.training, or use "
            "nn.Dropout",
        )
    return i.first(call)
