"""Leaky rectifiers with exact kinks, and gated linear units.

A table would round the operand to ``activation_bits`` first and its entries once more: up to one
step of error, where the operand has more bits. A product with the slope and a maximum take the
accumulator as it is, and the result is rounded once: half a step, beside the slope's rounding.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from hwaccel import ops
from hwaccel.frontend import moves
from hwaccel.frontend.floatgraph import FloatNode, FloatOp, Floats, Function, Multiply, Role
from hwaccel.frontend.formats import quantize_weights
from hwaccel.frontend.importer import Handler, Importer
from hwaccel.frontend.lower import Lower, Lowering
from hwaccel.frontend.program import Call
from hwaccel.fxp import IntArray

# A slope is one number for many elements, so it gets bits beyond those of weights.
_EXTRA = 2
# Bits that a gate keeps until it is multiplied.
_GUARD = 3


@dataclass(frozen=True, slots=True, eq=False)
class Leaky(FloatOp):
    """``x`` where it is positive, ``slope[c] * x`` elsewhere."""

    kind: ClassVar[str] = "leaky"
    role: ClassVar[Role] = Role.MULTIPLY
    activates: ClassVar[bool] = True

    slope: Floats

    def run(self, *xs: torch.Tensor) -> torch.Tensor:
        """Bend."""
        (x,) = xs
        slope = torch.tensor(self.slope, dtype=x.dtype).reshape(-1, *[1] * (x.ndim - 2))
        return torch.where(x > 0, x, slope * x)


def _leaky(low: Lowering, node: FloatNode, op: Leaky, x: str) -> str:
    """Take the larger of ``x`` and ``slope * x``, the smaller where slopes exceed one."""
    bits = low.weight_bits(node.path) + _EXTRA
    # One row: a scale op has no shift per channel, so all channels share one fraction.
    made = quantize_weights(op.slope[None, :], bits, low.method)
    mult, zeros = made.ints[0] << made.shift[0], np.zeros(len(op.slope), np.int64)
    slope = ops.Scale(IntArray(mult), IntArray(zeros), made.frac)
    if (op.slope <= 1).all() or (op.slope >= 1).all():
        bent = low.add(node, slope, x, suffix="slope")
        kinds = low.type(x), low.type(bent)
        return low.add(node, ops.MinMax.of(*kinds, bool((op.slope <= 1).all())), x, bent)
    type = low.type(x)
    above = low.add(node, ops.Requant(0, 0, max(type.hi, 0)), x, suffix="above")
    below = low.add(node, ops.Requant(0, min(type.lo, 0), 0), x, suffix="below")
    bent = low.add(node, slope, below, suffix="slope")
    return low.add(node, ops.Add.of(low.type(above), low.type(bent)), above, bent)


LOWER: dict[type[FloatOp], Lower] = {Leaky: _leaky}


def leaky(i: Importer, call: Call) -> str:
    """``leaky_relu``: one slope."""
    return _bent(i, call, np.array(call.number("negative_slope")))


def rrelu(i: Importer, call: Call) -> str:
    """``rrelu`` in eval mode: the slope is the mean of the two."""
    if call.args.get("training"):
        raise i.refuse(
            call, "draws slopes at random although the model is in eval mode; use nn.RReLU"
        )
    return _bent(i, call, np.array((call.number("lower") + call.number("upper")) / 2))


def prelu(i: Importer, call: Call) -> str:
    """``prelu``: one slope, or one per channel."""
    return _bent(i, call, i.constant(call, "weight"))


def _bent(i: Importer, call: Call, slope: Floats) -> str:
    x = i.first(call)
    channels = i.shape(x)[0]
    if not np.isfinite(slope).all() or slope.size not in (1, channels):
        raise i.refuse(
            call, f"has slopes of shape {slope.shape}, expected 1 or {channels} finite numbers"
        )
    return i.add(call, Leaky(np.broadcast_to(slope.ravel(), (channels,)).copy()), x)


def gated(i: Importer, call: Call) -> str:
    """``glu``: the first half of an axis times the sigmoid of the second."""
    x = i.first(call)
    shape = i.shape(x)
    axis = int(call.number("dim")) % (len(shape) + 1) - 1
    if axis < 0:
        raise i.refuse(call, "dim is 0, the batch; split along another axis")
    places = np.split(np.arange(np.prod(shape)).reshape(shape), 2, axis)
    half = places[0].shape
    value, gate = (moves.gather(i, call, x, part.ravel(), half) for part in places)
    return i.add(call, Multiply(), value, i.add(call, Function(torch.sigmoid), gate, guard=_GUARD))


HANDLERS: dict[str, Handler] = {
    "aten.leaky_relu.default": leaky,
    "aten.leaky_relu_.default": leaky,
    "aten.rrelu.default": rrelu,
    "aten.rrelu_.default": rrelu,
    "aten.prelu.default": prelu,
    "aten.glu.default": gated,
}
