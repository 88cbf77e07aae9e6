"""What each float op becomes in the IR."""

from __future__ import annotations

import numpy as np

from hwaccel import ops
from hwaccel.frontend import (
    absorb,
    compare,
    contract,
    embedding,
    extrema,
    indices,
    moments,
    piecewise,
    quantize_calls,
    requantize,
    softmax,
)
from hwaccel.frontend.floatgraph import (
    Add,
    Affine,
    AvgPool2d,
    Clip,
    Concat,
    Conv2d,
    Dense,
    FakeQuant,
    FloatNode,
    FloatOp,
    Function,
    Gather,
    MaxPool2d,
    MinMax,
    Multiply,
    Relu,
    Reshape,
    Round,
    Subtract,
    ZeroPad2d,
)
from hwaccel.frontend.formats import quantize_weights
from hwaccel.frontend.functions import values
from hwaccel.frontend.lower import MAX_PRODUCT, Lower, Lowering, integers, wired
from hwaccel.fxp import IntArray

# A batch normalization that cannot be folded has no channel scales, so it gets a finer grid.
_SCALE_EXTRA = 2


def _dense(low: Lowering, node: FloatNode, op: Dense, x: str) -> str:
    return low.add(node, ops.Dense(**low.linear_fields(node, x, op.weight, op.bias)), x)


def _conv2d(low: Lowering, node: FloatNode, op: Conv2d, x: str) -> str:
    fields = low.linear_fields(node, x, op.weight, op.bias)
    made = ops.Conv2d(
        **fields, stride=op.stride, padding=op.padding, dilation=op.dilation, groups=op.groups
    )
    return low.add(node, made, x)


def _affine(low: Lowering, node: FloatNode, op: Affine, x: str) -> str:
    bits = low.weight_bits(node.path) + _SCALE_EXTRA
    row = op.scale[None, :]
    # One row: a scale op has no shift per channel, so all channels share one fraction.
    made = quantize_weights(row, bits, low.method)
    acc_frac = low.type(x).frac + made.frac
    extra = min(
        low.bias_bits(node, op.offset, acc_frac), MAX_PRODUCT - bits - low.type(x).fixed.width
    )
    add = integers(node, op.offset, acc_frac + extra)
    return low.add(node, ops.Scale(IntArray(made.ints[0] << extra), add, made.frac + extra), x)


def _add(low: Lowering, node: FloatNode, op: Add, a: str, b: str) -> str:
    return low.add(node, ops.Add.of(low.type(a), low.type(b)), a, b)


def _subtract(low: Lowering, node: FloatNode, op: Subtract, a: str, b: str) -> str:
    return low.add(node, ops.Add.of(low.type(a), low.type(b), subtract=True), a, b)


def _function(low: Lowering, node: FloatNode, op: Function, x: str) -> str:
    """Tabulate: every entry is the function's value, rounded once to the result's format."""
    grid = low.grid(node, x)
    found = values(op, grid)
    fixed = low.result_format(node, signed=bool((found < 0).any()))
    # Where the function has no value, nothing sensible comes in: zero is as good as any.
    scaled = np.nan_to_num(np.rint(np.ldexp(found, fixed.frac)), posinf=fixed.hi, neginf=fixed.lo)
    entries = np.clip(scaled, fixed.lo, fixed.hi).astype(np.int64)
    return low.add(node, ops.Tabulate(IntArray(entries), low.type(x).lo, fixed.frac), x)


def _rounded(low: Lowering, node: FloatNode, op: Round, x: str) -> str:
    return x


def _minmax(low: Lowering, node: FloatNode, op: MinMax, a: str, b: str) -> str:
    return low.add(node, ops.MinMax.of(low.type(a), low.type(b), op.largest), a, b)


def _multiply(low: Lowering, node: FloatNode, op: Multiply, a: str, b: str) -> str:
    return low.add(node, ops.Multiply(), a, b)


def _concat(low: Lowering, node: FloatNode, op: Concat, a: str, b: str) -> str:
    return low.add(node, ops.Concat.of(low.type(a), low.type(b)), a, b)


def _avgpool(low: Lowering, node: FloatNode, op: AvgPool2d, x: str) -> str:
    return low.average(node, op, x)


def _maxpool(low: Lowering, node: FloatNode, op: MaxPool2d, x: str) -> str:
    return low.add(node, ops.MaxPool2d(op.kernel, op.stride, op.padding, op.dilation), x)


def _zeropad(low: Lowering, node: FloatNode, op: ZeroPad2d, x: str) -> str:
    # Windows of one pixel: padding is the only thing left of the sum.
    return low.add(node, ops.SumPool2d((1, 1), (1, 1), op.padding), x)


def _relu(low: Lowering, node: FloatNode, op: Relu, x: str) -> str:
    return low.add(node, ops.Relu(), x)


def _clip(low: Lowering, node: FloatNode, op: Clip, x: str) -> str:
    type = low.type(x)
    lo, hi = (
        None if np.isinf(bound) else int(np.rint(np.ldexp(bound, type.frac)))
        for bound in (op.lo, op.hi)
    )
    if (lo is None or lo <= type.lo) and (hi is None or type.hi <= hi):
        return x
    lowest = min(type.lo, type.hi if hi is None else hi) if lo is None else lo
    return low.add(node, ops.Requant(0, lowest, max(type.hi, lowest) if hi is None else hi), x)


def _reshape(low: Lowering, node: FloatNode, op: Reshape, x: str) -> str:
    shape = wired(op.shape)
    return x if low.type(x).shape == shape else low.add(node, ops.Reshape(shape), x)


def _gather(low: Lowering, node: FloatNode, op: Gather, x: str) -> str:
    fill = int(np.rint(np.ldexp(op.fill, low.type(x).frac)))
    return low.add(node, ops.Gather(op.source, wired(op.shape), fill), x)


def _fake_quant(low: Lowering, node: FloatNode, op: FakeQuant, x: str) -> str:
    type = low.type(x)
    shift = type.frac - op.frac
    if shift <= 0 and op.lo <= type.lo << -shift and type.hi << -shift <= op.hi:
        return x
    return low.add(node, ops.Requant(shift, op.lo, op.hi), x)


LOWER: dict[type[FloatOp], Lower] = {
    **moments.LOWER,
    **compare.LOWER,
    **extrema.LOWER,
    **piecewise.LOWER,
    **requantize.LOWER,
    **absorb.LOWER,
    Dense: _dense,
    Conv2d: _conv2d,
    Affine: _affine,
    Add: _add,
    Subtract: _subtract,
    Function: _function,
    quantize_calls.Rounded: _function,
    MinMax: _minmax,
    Multiply: _multiply,
    Concat: _concat,
    AvgPool2d: _avgpool,
    MaxPool2d: _maxpool,
    ZeroPad2d: _zeropad,
    Relu: _relu,
    Clip: _clip,
    Reshape: _reshape,
    Round: _rounded,
    Gather: _gather,
    FakeQuant: _fake_quant,
    contract.Contract: contract.lower,
    softmax.Softmax: softmax.lower,
    softmax.LogSoftmax: softmax.lower_log,
    softmax.Hide: softmax.lower_hide,
    indices.Lookup: embedding.lower,
}
