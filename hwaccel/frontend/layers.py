"""Handlers for layers with weights, sums, and element by element functions."""

from __future__ import annotations

import math

import numpy as np

from hwaccel.frontend.floatgraph import (
    Add,
    Affine,
    Concat,
    Conv2d,
    Dense,
    FakeQuant,
    Floats,
    Pair,
    Relu,
)
from hwaccel.frontend.importer import Importer
from hwaccel.frontend.program import Call


def linear(i: Importer, call: Call) -> str:
    """``linear(input, weight, bias)`` on vectors."""
    x, weight = i.value(call, "input"), i.constant(call, "weight")
    return _dense(i, call, x, weight, i.vector(call, "bias", len(weight), 0.0))


def matmul(i: Importer, call: Call) -> str:
    """``x @ constant``."""
    weight = i.constant(call, "mat2" if "mat2" in call.args else "other").T
    return _dense(i, call, i.value(call, "self"), weight, np.zeros(weight.shape[:1]))


def addmm(i: Importer, call: Call) -> str:
    """``bias + x @ constant``, what ``linear`` decomposes to."""
    if (call.args["beta"], call.args["alpha"]) != (1, 1):
        raise i.refuse(call, "beta and alpha must be 1; scale the weights instead")
    weight = i.constant(call, "mat2").T
    return _dense(i, call, i.value(call, "mat1"), weight, i.constant(call, "self"))


def _dense(i: Importer, call: Call, x: str, weight: Floats, bias: Floats) -> str:
    if len(i.shape(x)) != 1 or weight.ndim != 2:
        raise i.refuse(
            call,
            f"takes vectors (N, features), found an operand of shape {i.shape(x)} without the "
            "batch axis; flatten it, or use a 1x1 convolution to share weights along an axis",
        )
    return i.add(call, Dense(weight, np.broadcast_to(bias, weight.shape[:1]).copy()), x)


def conv(i: Importer, call: Call) -> str:
    """``conv1d`` and ``conv2d`` with number or string padding; a sequence is one row."""
    if call.args.get("transposed"):
        raise i.refuse(call, "transposed convolution is not supported; use Conv2d")
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
    """``clamp(min=0)``, which is ``relu``."""
    if call.args.get("min") != 0 or call.args.get("max") is not None:
        raise i.refuse(call, "only min=0 without max, which is relu, is supported; use ReLU")
    return relu(i, call)


def add(i: Importer, call: Call) -> str:
    """Sum of two computed values, or of one and a constant per channel."""
    if call.args["alpha"] != 1:
        alpha = call.args["alpha"]
        raise i.refuse(call, f"alpha is {alpha}, expected 1; scale the weights instead")
    if i.is_constant(call, "self"):
        return _affine(i, call, "other", 1.0, i.channel_constant(call, "self", "other"))
    if i.is_constant(call, "other"):
        return _affine(i, call, "self", 1.0, i.channel_constant(call, "other", "self"))
    a, b = i.value(call, "self"), i.value(call, "other")
    if i.shape(a) != i.shape(b):
        raise i.refuse(
            call,
            f"operands have shapes {i.shape(a)} and {i.shape(b)} without the batch axis; "
            "broadcasting is not supported, make them equal",
        )
    return i.add(call, Add(), a, b)


def concat(i: Importer, call: Call) -> str:
    """Concatenation along the channels, two values at a time."""
    values = i.values(call, "tensors")
    shapes = [i.shape(value) for value in values]
    if len(values) == 1:
        return i.copy(call, values[0])
    rank = len(shapes[0]) + 1
    (dim,) = call.integers("dim") if "dim" in call.args else (1,)  # hstack has none
    if dim not in (1, 1 - rank):
        raise i.refuse(
            call,
            f"dim is {dim}, expected the channels, 1; make this axis the channels, or return "
            "the operands as separate outputs",
        )
    if any(len(s) + 1 != rank or s[1:] != shapes[0][1:] for s in shapes):
        found = " and ".join(map(str, shapes))
        raise i.refuse(
            call,
            f"operands have shapes {found} without the batch axis, which differ in more than "
            "the channels; make them equal",
        )
    result = values[0]
    for number, value in enumerate(values[1:], 2):
        channels = sum(s[0] for s in shapes[:number])
        result = i.add(call, Concat(), result, value, shape=(channels, *shapes[0][1:]))
    return result


def subtract(i: Importer, call: Call) -> str:
    """Difference of a computed value and a constant per channel, either way round."""
    if call.args["alpha"] != 1:
        alpha = call.args["alpha"]
        raise i.refuse(call, f"alpha is {alpha}, expected 1; scale the weights instead")
    if not i.is_constant(call, "self") and not i.is_constant(call, "other"):
        raise i.refuse(
            call, "both operands are computed; negate the weights in front of one, and add"
        )
    reverse = call.target.startswith("aten.rsub.")
    minuend, subtrahend = ("other", "self") if reverse else ("self", "other")
    if i.is_constant(call, minuend):
        offset = i.channel_constant(call, minuend, subtrahend)
        return _affine(i, call, subtrahend, -1.0, offset)
    return _affine(i, call, minuend, 1.0, -i.channel_constant(call, subtrahend, minuend))


def multiply(i: Importer, call: Call) -> str:
    """Product with a constant per channel."""
    x, factor = ("other", "self") if i.is_constant(call, "self") else ("self", "other")
    return _affine(i, call, x, i.channel_constant(call, factor, x), 0.0)


def divide(i: Importer, call: Call) -> str:
    """Quotient by a constant per channel."""
    divisor = i.channel_constant(call, "other", "self")
    if not divisor.all():
        raise i.refuse(call, "divides by zero; repair the constant")
    return _affine(i, call, "self", 1.0 / divisor, 0.0)


def _affine(
    i: Importer, call: Call, operand: str, scale: Floats | float, offset: Floats | float
) -> str:
    x = i.value(call, operand)
    channels = (i.shape(x)[0],)
    made = (np.broadcast_to(np.asarray(v, np.float64), channels).copy() for v in (scale, offset))
    return i.add(call, Affine(*made), x)


def fake_quantize(i: Importer, call: Call) -> str:
    """Fake quantization by a power of two."""
    x = i.value(call, "self")
    scale, zero = _number(i, call, "scale"), _number(i, call, "zero_point")
    mantissa, exponent = math.frexp(scale)
    if mantissa != 0.5:
        raise i.refuse(
            call, f"scale {scale:g} is not a power of two; round it to one and fine-tune the model"
        )
    if zero != 0:
        raise i.refuse(call, f"zero_point is {zero:g}, expected 0; use symmetric quantization")
    lo, hi = int(call.number("quant_min")), int(call.number("quant_max"))
    return i.add(call, FakeQuant(1 - exponent, lo, hi), x)


def _number(i: Importer, call: Call, name: str) -> float:
    if isinstance(call.args.get(name), int | float):
        return call.number(name)
    values = i.constant(call, name)
    if values.size != 1:
        raise i.refuse(call, f"{name} has {values.size} elements, expected 1; quantize per tensor")
    return float(values.reshape(()))
