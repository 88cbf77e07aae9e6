"""Handlers for calls that quantize, and the one call that a quantizer of Brevitas becomes."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from hwaccel.frontend.floatgraph import FloatOp, Floats
from hwaccel.frontend.importer import Handler, Importer
from hwaccel.frontend.layers import per_channel
from hwaccel.frontend.program import Call
from hwaccel.frontend.quantizers import Mode, Quantize, simplified


@torch.library.custom_op("hwaccel::quantize", mutates_args=())
def quantize(
    x: torch.Tensor,
    scale: torch.Tensor,
    step: torch.Tensor,
    offset: torch.Tensor,
    back: torch.Tensor,
    lo: int,
    hi: int,
    mode: str,
) -> torch.Tensor:
    """What ``Quantize`` computes, as one call that ``torch.export`` keeps."""
    q = Mode(mode).round(x / scale + offset).clamp(lo, hi)
    return (q - back) * step


@quantize.register_fake
def _(
    x: torch.Tensor,
    scale: torch.Tensor,
    step: torch.Tensor,
    offset: torch.Tensor,
    back: torch.Tensor,
    lo: int,
    hi: int,
    mode: str,
) -> torch.Tensor:
    return torch.empty_like(x)


def quantized(i: Importer, call: Call) -> str:
    """A quantizer of a Brevitas model."""
    x = i.value(call, "x")
    arrays = [i.spread_constant(call, name, "x") for name in ("scale", "step", "offset", "back")]
    lo, hi = int(call.number("lo")), int(call.number("hi"))
    return add_quantizer(i, call, x, arrays, lo, hi, Mode(call.args["mode"]))


def add_quantizer(
    i: Importer, call: Call, x: str, arrays: Sequence[Floats], lo: int, hi: int, mode: Mode
) -> str:
    """Add a quantizer of ``x`` whose scale, step, offset and back broadcast to it."""

    def make(*parts: Floats) -> FloatOp:
        scale, step, offset, back = parts
        found = simplified(Quantize(scale, step, offset, back, lo, hi, mode))
        return found.plain() or found

    if not all((array > 0).all() for array in arrays[:2]):
        raise i.refuse(call, "a scale is not positive; repair the quantizer")
    return per_channel(i, call, x, arrays, make)


HANDLERS: dict[str, Handler] = {"hwaccel.quantize.default": quantized}
