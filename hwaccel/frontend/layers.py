"""Handlers for layers with weights, sums and activations."""

from __future__ import annotations

import math

import numpy as np

from hwaccel.frontend.floatgraph import Add, Affine, Conv2d, Dense, FakeQuant, Padding, Pair, Relu
from hwaccel.frontend.importer import Importer
from hwaccel.frontend.program import Call


def pair(arg: object) -> Pair:
    """Return a size argument, which is one number or two, as height and width."""
    values = arg if isinstance(arg, tuple) else (arg,)
    first, last = int(values[0]), int(values[-1])  # type: ignore[call-overload]
    return first, last


def linear(i: Importer, call: Call) -> str:
    """``linear(input, weight, bias)`` on vectors."""
    x, weight = i.value(call, "input"), i.constant(call, "weight")
    bias = i.constant_or(call, "bias", np.zeros(weight.shape[0]))
    return _dense(i, call, x, weight, bias)


def matmul(i: Importer, call: Call) -> str:
    """``x @ constant``."""
    right = "mat2" if "mat2" in call.args else "other"
    weight = i.constant(call, right).T
    return _dense(i, call, i.value(call, "self"), weight, np.zeros(weight.shape[0]))


def addmm(i: Importer, call: Call) -> str:
    """``bias + x @ constant``, what ``linear`` decomposes to."""
    if (call.args["beta"], call.args["alpha"]) != (1, 1):
        raise i.refuse(call, "beta and alpha must be 1; scale the weights instead")
    weight = i.constant(call, "mat2").T
    return _dense(i, call, i.value(call, "mat1"), weight, i.constant(call, "self"))


def _dense(i: Importer, call: Call, x: str, weight: np.ndarray, bias: np.ndarray) -> str:
    if len(i.shape(x)) != 1 or weight.ndim != 2:
        raise i.refuse(
            call,
            f"takes vectors (N, features), found an operand of shape {i.shape(x)} without the "
            "batch axis; flatten it, or use Conv2d with a 1x1 kernel to share weights along an axis",
        )
    return i.add(call, Dense(weight, np.broadcast_to(bias, weight.shape[:1]).copy()), x)


def conv2d(i: Importer, call: Call) -> str:
    """``conv2d`` with number or string padding."""
    x, weight = i.value(call, "input"), i.constant(call, "weight")
    bias = i.constant_or(call, "bias", np.zeros(weight.shape[0]))
    dilation = pair(call.args["dilation"])
    padding = _padding(call, (weight.shape[2], weight.shape[3]), dilation)
    groups = int(call.args["groups"])  # type: ignore[arg-type]
    op = Conv2d(weight, bias, pair(call.args["stride"]), padding, dilation, groups)
    return i.add(call, op, x)


def _padding(call: Call, kernel: Pair, dilation: Pair) -> Padding:
    padding = call.args["padding"]
    if padding == "valid":
        return (0, 0, 0, 0)
    if padding == "same":
        # PyTorch puts the odd row and column at the bottom and right.
        total = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
        top, left = total[0] // 2, total[1] // 2
        return (top, left, total[0] - top, total[1] - left)
    return pair(padding) * 2


def convolution(i: Importer, call: Call) -> str:
    """``convolution``, what ``conv2d`` decomposes to."""
    if call.args["transposed"] or len(call.shapes[0]) != 4:
        raise i.refuse(call, "only two-dimensional, not transposed ones are supported; use Conv2d")
    return conv2d(i, call)


def batch_norm(i: Importer, call: Call) -> str:
    """Batch normalization by running statistics."""
    if call.args.get("training"):
        raise i.refuse(
            call, "uses batch statistics; train with track_running_stats=True and convert in eval mode"
        )
    x = i.value(call, "input")
    mean, var = i.constant(call, "running_mean"), i.constant(call, "running_var")
    gamma = i.constant_or(call, "weight", np.ones_like(mean))
    beta = i.constant_or(call, "bias", np.zeros_like(mean))
    eps = float(call.args["eps"])  # type: ignore[arg-type]
    if (var + eps <= 0).any():
        raise i.refuse(call, "running_var plus eps is not positive; repair the statistics")
    scale = gamma / np.sqrt(var + eps)
    return i.add(call, Affine(scale, beta - mean * scale), x)


def relu(i: Importer, call: Call) -> str:
    """``relu``, in place or not."""
    return i.add(call, Relu(), i.value(call, "self"))


def clamp(i: Importer, call: Call) -> str:
    """``clamp(min=0)`` is ``relu``."""
    if call.args.get("min") != 0 or call.args.get("max") is not None:
        raise i.refuse(
            call, "only min=0 without max, which is relu, is supported; use ReLU before quantization"
        )
    return relu(i, call)


def add(i: Importer, call: Call) -> str:
    """Sum of two computed values."""
    if call.args["alpha"] != 1:
        raise i.refuse(call, f"alpha is {call.args['alpha']}, expected 1; scale the weights instead")
    a, b = i.value(call, "self"), i.value(call, "other")
    if i.shape(a) != i.shape(b):
        raise i.refuse(
            call,
            f"operands have shapes {i.shape(a)} and {i.shape(b)} without the batch axis; "
            "broadcasting is not supported, make them equal",
        )
    return i.add(call, Add(), a, b)


def fake_quantize(i: Importer, call: Call) -> str:
    """Fake quantization by a power of two."""
    x = i.value(call, "self")
    scale, zero = _number(i, call, "scale"), _number(i, call, "zero_point")
    lo, hi = int(call.args["quant_min"]), int(call.args["quant_max"])  # type: ignore[arg-type]
    mantissa, exponent = math.frexp(scale)
    if mantissa != 0.5:
        raise i.refuse(
            call, f"scale {scale:g} is not a power of two; round it to one and fine-tune the model"
        )
    if zero != 0:
        raise i.refuse(call, f"zero_point is {zero:g}, expected 0; use symmetric quantization")
    return i.add(call, FakeQuant(1 - exponent, lo, hi), x)


def _number(i: Importer, call: Call, name: str) -> float:
    if not i.is_constant(call, name):
        return float(call.args[name])  # type: ignore[arg-type]
    values = i.constant(call, name)
    if values.size != 1:
        raise i.refuse(call, f"{name} has {values.size} elements, expected one; quantize per tensor")
    return float(values.reshape(()))
