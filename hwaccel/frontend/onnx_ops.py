"""What each operator of ONNX is in ATen calls: functions, arithmetic, products, reductions."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import torch

from hwaccel.frontend.onnx_file import dtype
from hwaccel.frontend.onnx_step import Convert, Result, Step
from hwaccel.frontend.program import Arg, Ref, shown

_FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
_SIXTH = 1 / 6


# --- functions of one number ----------------------------------------------------------------------

# ONNX operators that are one ATen call of the operand alone.
_PLAIN = """
Abs Acos Acosh Asin Asinh Atan Atanh Ceil Cos Cosh Erf Exp Floor HardSwish:hardswish
Identity:alias Log Mish Neg Reciprocal Relu Round Sigmoid Sign Sin Sinh Sqrt Tan Tanh
Not:logical_not
"""


def _plain(target: str, s: Step) -> Result:
    return s.call(target, self=s.input(0))


def _elu(s: Step) -> Result:
    return s.call("elu.default", self=s.input(0), alpha=s.real("alpha", 1.0))


def _celu(s: Step) -> Result:
    return s.call("celu.default", self=s.input(0), alpha=s.real("alpha", 1.0))


def _selu(s: Step) -> Result:
    alpha = s.real("alpha", 1.6732632423543772)
    gamma = s.real("gamma", 1.0507009873554805)
    return s.call("elu.default", self=s.input(0), alpha=alpha, scale=gamma)


def _gelu(s: Step) -> Result:
    return s.call("gelu.default", self=s.input(0), approximate=s.text("approximate", "none"))


def _softplus(s: Step) -> Result:
    return s.call("softplus.default", self=s.input(0))


def _softsign(s: Step) -> Result:
    x = s.input(0)
    below = s.call("add.Scalar", self=s.call("abs.default", self=x), other=1.0)
    return s.call("div.Tensor", self=x, other=below)


def _swish(s: Step) -> Result:
    x, alpha = s.input(0), s.real("alpha", 1.0)
    if alpha == 1:
        return s.call("silu.default", self=x)
    gate = s.call("sigmoid.default", self=s.call("mul.Scalar", self=x, other=alpha))
    return s.call("mul.Tensor", self=x, other=gate)


def _thresholded(s: Step) -> Result:
    alpha = s.real("alpha", 1.0)
    return s.call("threshold.default", self=s.input(0), threshold=alpha, value=0.0)


def _shrink(s: Step) -> Result:
    lambd, bias = s.real("lambd", 0.5), s.real("bias", 0.0)
    if bias not in (0.0, lambd):
        raise s.refuse(f"bias is {bias:g}, expected 0 or lambd, {lambd:g}; use one of these")
    return s.call(
        "softshrink.default" if bias else "hardshrink.default", self=s.input(0), lambd=lambd
    )


def _hard_sigmoid(s: Step) -> Result:
    x, alpha, beta = s.input(0), s.real("alpha", 0.2), s.real("beta", 0.5)
    if abs(alpha - _SIXTH) < 1e-7 and beta == 0.5:
        return s.call("hardsigmoid.default", self=x)
    line = s.call("add.Scalar", self=s.call("mul.Scalar", self=x, other=alpha), other=beta)
    return s.call("clamp.default", self=line, min=0.0, max=1.0)


def _leaky(s: Step) -> Result:
    slope = s.real("alpha", 0.01)
    return s.call("leaky_relu.default", self=s.input(0), negative_slope=slope)


def _prelu(s: Step) -> Result:
    x, slope = s.input(0), s.tensor(1)
    shape = (1,) * (s.rank(x) - slope.dim()) + tuple(slope.shape)
    if all(n == 1 for axis, n in enumerate(shape) if axis != 1) and len(shape) == s.rank(x):
        return s.call("prelu.default", self=x, weight=s.constant(slope.reshape(-1)))
    above = s.call("relu.default", self=x)
    below = s.call("mul.Tensor", self=s.call("clamp.default", self=x, max=0.0), other=s.input(1))
    return s.call("add.Tensor", self=above, other=below)


def _clip(s: Step) -> Result:
    limits: dict[str, float] = {}
    for place, name in enumerate(("min", "max"), 1):
        if s.version >= 11 and s.has(place):
            limits[name] = s.number(place)
        elif s.version < 11 and s.given(name):
            limits[name] = s.real(name, None)
    if not limits:
        return s.call("alias.default", self=s.input(0))
    return s.call("clamp.default", self=s.input(0), **limits)


def _softmax(s: Step) -> Result:
    """Before opset 13, all axes from the given one on count as one."""
    x, target = s.input(0), "softmax.int" if s.node.op == "Softmax" else "log_softmax.int"
    shape = s.shape(x)
    axis = s.axis(s.integer("axis", -1 if s.version >= 13 else 1), len(shape))
    if s.version >= 13 or axis == len(shape) - 1:
        return s.call(target, self=x, dim=axis)
    flat = (*shape[:axis], math.prod(shape[axis:]))
    y = s.call(target, self=s.call("reshape.default", self=x, shape=flat), dim=axis)
    return s.call("reshape.default", self=y, shape=shape)


def _dropout(s: Step) -> Result:
    s.real("ratio", 0.5)
    s.integer("seed", 0)
    training = s.version >= 12 and s.has(2) and bool(s.number(2))
    if s.version >= 12 and s.has(1):
        s.number(1)
    if training:
        raise s.refuse("is active; export the model in eval mode")
    return s.call("alias.default", self=s.input(0))


def _cast(s: Step) -> Result:
    x, wanted = s.input(0), dtype(s.integer("to", None))
    if wanted is None:
        raise s.refuse("casts to a type that is not supported; use float types throughout")
    if s.known(x) is None and s.builder.meta(x).is_floating_point() and wanted in _FLOATS:
        return s.call("alias.default", self=x)
    return s.call("to.dtype", self=x, dtype=str(wanted))


# --- arithmetic -----------------------------------------------------------------------------------


def _binary(target: str, s: Step) -> Result:
    return s.call(target, self=s.input(0), other=s.input(1))


def _div(s: Step) -> Result:
    a, b = s.input(0), s.input(1)
    if s.whole(a):
        return s.call("div.Tensor_mode", self=a, other=b, rounding_mode="trunc")
    return s.call("div.Tensor", self=a, other=b)


def _mod(s: Step) -> Result:
    target = "fmod.Tensor" if s.integer("fmod", 0) else "remainder.Tensor"
    return s.call(target, self=s.input(0), other=s.input(1))


def _pow(s: Step) -> Result:
    x, exponent = s.input(0), s.tensor(1)
    if exponent.numel() != 1:
        raise s.refuse("takes exponents that differ; use one number")
    return s.call("pow.Tensor_Scalar", self=x, exponent=s.number(1))


def _chain(target: str, s: Step) -> Result:
    first, *rest = s.inputs()
    for other in rest:
        first = s.call(target, self=first, other=other)
    return first if rest else s.call("alias.default", self=first)


def _average(s: Step) -> Result:
    total = _chain("add.Tensor", s)
    assert isinstance(total, Ref)
    return s.call("div.Scalar", self=total, other=float(max(1, s.count)))


def _where(s: Step) -> Result:
    return s.call("where.self", condition=s.input(0), self=s.input(1), other=s.input(2))


# --- products -------------------------------------------------------------------------------------


def _turned(s: Step, place: int) -> Ref:
    """Return a constant matrix turned; what is no number is named by its place in the file."""
    matrix = s.tensor(place)
    bad = (~torch.isfinite(matrix)).nonzero()
    if len(bad):
        at = tuple(bad[0].tolist())
        raise s.refuse(
            f"{shown(s.node.inputs[place])} holds {matrix[at].item()} at index {at}; retrain or "
            "repair the weights"
        )
    return s.call("t.default", self=s.input(place))


def _matmul(s: Step) -> Result:
    a, b = s.input(0), s.input(1)
    if s.known(a) is None and s.known(b) is not None and s.rank(b) == 2:
        # A layer along the last axis, wherever the batch is.
        return s.call("linear.default", input=a, weight=_turned(s, 1), bias=None)
    return s.call("matmul.default", self=a, other=b)


def _gemm(s: Step) -> Result:
    """``alpha A B + beta C``: a linear layer where ``B`` and ``C`` are constants."""
    a, b, c = s.input(0), s.input(1), s.optional(2)
    alpha, beta = s.real("alpha", 1.0), s.real("beta", 1.0)
    if s.integer("transA", 0):
        a = s.call("t.default", self=a)
    turned = bool(s.integer("transB", 0))
    if c is not None and beta != 1:
        c = s.call("mul.Scalar", self=c, other=beta)
    shape = None if c is None else s.shape(c)
    row = shape is None or math.prod(shape[:-1]) == 1
    if (
        s.known(a) is None
        and s.known(b) is not None
        and row
        and (c is None or s.known(c) is not None)
    ):
        weight = b if turned else _turned(s, 1)
        if alpha != 1:
            weight = s.call("mul.Scalar", self=weight, other=alpha)
        bias = None if c is None else s.call("reshape.default", self=c, shape=(-1,))
        if bias is not None:
            bias = s.call("expand.default", self=bias, size=(s.shape(weight)[0],))
        return s.call("linear.default", input=a, weight=weight, bias=bias)
    y = s.call("matmul.default", self=a, other=s.call("t.default", self=b) if turned else b)
    if alpha != 1:
        y = s.call("mul.Scalar", self=y, other=alpha)
    return y if c is None else s.call("add.Tensor", self=y, other=c)


def _einsum(s: Step) -> Result:
    equation = s.text("equation", None)
    return s.call("einsum.default", equation=equation, tensors=s.inputs())


# --- reductions -----------------------------------------------------------------------------------


def _axes(s: Step, x: Ref, inputs_since: int) -> tuple[int, ...] | None:
    """Return the axes to reduce over; ``None`` for none at all."""
    axes = s.integers(1) if s.version >= inputs_since and s.has(1) else s.sizes("axes", ())
    if not axes:
        return None if s.integer("noop_with_empty_axes", 0) else tuple(range(s.rank(x)))
    s.integer("noop_with_empty_axes", 0)
    return tuple(s.axis(a, s.rank(x)) for a in axes)


def _reduce(target: str, s: Step, **args: Arg) -> Result:
    x = s.input(0)
    axes = _axes(s, x, 13 if s.node.op == "ReduceSum" else 18)
    keep = bool(s.integer("keepdims", 1))
    if axes is None:
        return s.call("alias.default", self=x)
    return s.call(target, self=x, dim=axes, keepdim=keep, **args)


def _sum_of_squares(s: Step) -> Result:
    x = s.input(0)
    axes, keep = _axes(s, x, 18), bool(s.integer("keepdims", 1))
    square = s.call("mul.Tensor", self=x, other=x)
    return (
        square if axes is None else s.call("sum.dim_IntList", self=square, dim=axes, keepdim=keep)
    )


def _place(target: str, s: Step) -> Result:
    x = s.input(0)
    axis = s.axis(s.integer("axis", 0), s.rank(x))
    if s.integer("select_last_index", 0):
        raise s.refuse("takes the last of equal elements; use select_last_index=0")
    return s.call(target, self=x, dim=axis, keepdim=bool(s.integer("keepdims", 1)))


def _top(s: Step) -> Result:
    x = s.input(0)
    axis = s.axis(s.integer("axis", -1), s.rank(x))
    largest, sorted_ = bool(s.integer("largest", 1)), bool(s.integer("sorted", 1))
    k = s.integer("k", None) if s.version < 10 else int(s.number(1))
    return s.several("topk.default", self=x, k=k, dim=axis, largest=largest, sorted=sorted_)


def _cumulative(s: Step) -> Result:
    if s.integer("exclusive", 0) or s.integer("reverse", 0):
        raise s.refuse("is exclusive or reversed; sum up from the front")
    return s.call("cumsum.default", self=s.input(0), dim=int(s.number(1)))


def _bound(convert: Callable[..., Result], target: str, **args: Arg) -> Convert:
    return partial(convert, target, **args)


_BINARY = {
    "Add": "add.Tensor",
    "Sub": "sub.Tensor",
    "Mul": "mul.Tensor",
    "Greater": "gt.Tensor",
    "GreaterOrEqual": "ge.Tensor",
    "Less": "lt.Tensor",
    "LessOrEqual": "le.Tensor",
    "Equal": "eq.Tensor",
    "And": "logical_and.default",
    "Or": "logical_or.default",
    "Xor": "logical_xor.default",
}
_NAMES = [word.partition(":") for word in _PLAIN.split()]

OPS: dict[str, Convert] = {
    **{op: _bound(_plain, f"{name or op.lower()}.default") for op, _, name in _NAMES},
    **{op: _bound(_binary, target) for op, target in _BINARY.items()},
    "Elu": _elu,
    "Celu": _celu,
    "Selu": _selu,
    "Gelu": _gelu,
    "Softplus": _softplus,
    "Softsign": _softsign,
    "Swish": _swish,
    "ThresholdedRelu": _thresholded,
    "Shrink": _shrink,
    "HardSigmoid": _hard_sigmoid,
    "LeakyRelu": _leaky,
    "PRelu": _prelu,
    "Clip": _clip,
    "Softmax": _softmax,
    "LogSoftmax": _softmax,
    "Dropout": _dropout,
    "Cast": _cast,
    "Div": _div,
    "Mod": _mod,
    "Pow": _pow,
    "Sum": _bound(_chain, "add.Tensor"),
    "Max": _bound(_chain, "maximum.default"),
    "Min": _bound(_chain, "minimum.default"),
    "Mean": _average,
    "Where": _where,
    "MatMul": _matmul,
    "Gemm": _gemm,
    "Einsum": _einsum,
    "ReduceMean": _bound(_reduce, "mean.dim"),
    "ReduceSum": _bound(_reduce, "sum.dim_IntList"),
    "ReduceMax": _bound(_reduce, "amax.default"),
    "ReduceMin": _bound(_reduce, "amin.default"),
    "ReduceL1": _bound(_reduce, "linalg_vector_norm.default", ord=1),
    "ReduceL2": _bound(_reduce, "linalg_vector_norm.default", ord=2),
    "ReduceSumSquare": _sum_of_squares,
    "ArgMax": _bound(_place, "argmax.default"),
    "ArgMin": _bound(_place, "argmin.default"),
    "TopK": _top,
    "CumSum": _cumulative,
}
