"""Handlers for calls that quantize, and the one call that a quantizer of Brevitas becomes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from hwaccel.frontend.floatgraph import FloatOp, Floats, Function
from hwaccel.frontend.importer import Handler, Importer
from hwaccel.frontend.layers import per_channel
from hwaccel.frontend.program import Call, is_number, short
from hwaccel.frontend.quantizers import Mode, Quantize, added_behind, simplified


def _compute(
    x: torch.Tensor,
    scale: torch.Tensor,
    step: torch.Tensor,
    offset: torch.Tensor,
    back: torch.Tensor,
    lo: int,
    hi: int,
    mode: str,
) -> torch.Tensor:
    q = Mode(mode).round(x / scale + offset).clamp(lo, hi)
    return (q - back) * step


# What ``Quantize`` computes, as one call that ``torch.export`` keeps as it is.
quantize = torch.library.custom_op("hwaccel::quantize", _compute, mutates_args=())
quantize.register_fake(lambda x, *_: torch.empty_like(x))


def quantized(i: Importer, call: Call) -> str:
    """A quantizer of a Brevitas model."""
    arrays = [i.spread_constant(call, name, "x") for name in ("scale", "step", "offset", "back")]
    lo, hi, mode = int(call.number("lo")), int(call.number("hi")), Mode(call.args["mode"])

    def make(scale: Floats, step: Floats, offset: Floats, back: Floats) -> Quantize:
        return simplified(Quantize(scale, step, offset, back, lo, hi, mode))

    return _added(i, call, i.value(call, "x"), arrays, make)


def fake_quantize(i: Importer, call: Call) -> str:
    """Fake quantization with one scale and zero point, or one of each per channel."""
    x = i.value(call, "self")
    rank, arrays = len(i.shape(x)), []
    for name in ("scale", "zero_point"):
        arg = call.args.get(name)
        array = np.array(arg, np.float64) if is_number(arg) else i.constant(call, name)
        if array.size > 1 and "axis" not in call.args:
            raise i.refuse(
                call, f"{name} has {array.size} elements, expected 1; use one, or give an axis"
            )
        axis = int(call.args.get("axis", 1)) % (rank + 1) - 1  # type: ignore[arg-type]
        if axis < 0:
            raise i.refuse(call, "axis is 0, the batch; quantize along another axis")
        shape = [-1 if a == axis else 1 for a in range(rank)] if array.size > 1 else [1] * rank
        arrays.append(array.reshape(shape))
    lo, hi = int(call.number("quant_min")), int(call.number("quant_max"))
    if (arrays[1] % 1).any():
        raise i.refuse(call, "a zero point is no integer; round it and fine-tune the model")

    def make(scale: Floats, zero: Floats) -> Quantize:
        made = added_behind(scale, zero, lo, hi)
        if made is None:
            raise i.refuse(
                call,
                "zero points of channels are odd and even, so ties are rounded in two ways; make "
                "them equal",
            )
        return made

    return _added(i, call, x, arrays, make)


def _added(
    i: Importer, call: Call, x: str, arrays: Sequence[Floats], make: Callable[..., Quantize]
) -> str:
    """Add a quantizer of ``x``; the first of its ``arrays`` that broadcast to it is its scale."""
    if not (arrays[0] > 0).all():
        raise i.refuse(call, f"a scale is {arrays[0].min():g}, expected a positive one; repair it")

    def plain(*parts: Floats) -> FloatOp:
        made = make(*parts)
        return made.plain() or made

    return per_channel(i, call, x, arrays, plain)


@dataclass(frozen=True, slots=True, eq=False)
class Rounded(Function):
    """A function that rounds to integers; with limits around it, a quantizer."""

    kind: ClassVar[str] = "table"

    mode: Mode


def rounded(i: Importer, call: Call) -> str:
    """``round``, ``floor``, ``ceil`` or ``trunc``, by table unless it is part of a quantizer."""
    mode = _MODES[short(call.target).removesuffix("_")]
    return i.add(call, Rounded(mode.round, mode), i.first(call))


_MODES = {
    "round": Mode.HALF_EVEN,
    "floor": Mode.FLOOR,
    "ceil": Mode.CEIL,
    "trunc": Mode.TO_ZERO,
    "fix": Mode.TO_ZERO,
}
_FAKE = ("default", "tensor_qparams")

HANDLERS: dict[str, Handler] = {
    "hwaccel.quantize.default": quantized,
    **{f"aten.fake_quantize_per_tensor_affine.{kind}": fake_quantize for kind in _FAKE},
    "aten.fake_quantize_per_tensor_affine_cachemask.default": fake_quantize,
    "aten._fake_quantize_per_tensor_affine_cachemask_tensor_qparams.default": fake_quantize,
    "aten.fake_quantize_per_channel_affine.default": fake_quantize,
    "aten.fake_quantize_per_channel_affine_cachemask.default": fake_quantize,
    **{f"aten.{name}{end}.default": rounded for name in _MODES for end in ("", "_")},
}
# What a tensor may be given to whose batch is not in front; in-place calls know themselves.
ELEMENTWISE = tuple(
    target for target in HANDLERS if "_per_channel_" not in target and "_." not in target
)
