"""``QuantizeLinear`` and ``DequantizeLinear`` of ONNX in ATen calls.

A pair of them is one quantizer. The zero point is added after rounding, so it moves the ends of
the range and nothing else: ``clip(round(x / s) + z, lo, hi) - z`` is ``clip(round(x / s), lo - z,
hi - z)``.
"""

from __future__ import annotations

import torch

from hwaccel.frontend.onnx_file import AGAIN, kind
from hwaccel.frontend.onnx_step import Convert, Result, Step
from hwaccel.frontend.program import Ref
from hwaccel.frontend.qonnx import Grid, ends, grid
from hwaccel.frontend.quantizers import Mode


def _parameters(s: Step, x: Ref) -> tuple[torch.Tensor, torch.Tensor]:
    """Return scale and zero point in float32, ready to broadcast."""
    scale = s.tensor(1).to(torch.float32)
    zero = s.tensor(2).to(torch.float32) if s.has(2) else torch.zeros_like(scale)
    axis = s.integer("axis", 1)
    if s.integer("block_size", 0):
        raise s.refuse("has scales for blocks; use one scale, or one per channel")
    if not bool(((scale > 0) & torch.isfinite(scale)).all()):
        raise s.refuse("scale is not positive and finite; repair the model")
    if zero.numel() == 1:
        zero = zero.reshape(()).expand(scale.shape)
    if scale.shape != zero.shape:
        raise s.refuse(f"has a scale and a zero point of different shapes; {AGAIN}")
    if scale.numel() == 1:
        return scale.reshape(()), zero.reshape(())
    shape = [1] * s.rank(x)
    shape[s.axis(axis, len(shape))] = scale.numel()
    if scale.dim() != 1 or scale.numel() != s.shape(x)[s.axis(axis, len(shape))]:
        raise s.refuse(
            f"has scales of shape {tuple(scale.shape)} for an operand of shape {s.shape(x)}; use "
            "one, or one per channel"
        )
    return scale.reshape(shape), zero.reshape(shape)


def _ends(s: Step) -> tuple[int, int]:
    wanted = s.integer("output_dtype", 0)
    name = s.kind(2) if s.has(2) else kind(wanted) if wanted else "uint8"
    bits = name.removeprefix("u").removeprefix("int")
    if bits not in ("4", "8", "16"):
        raise s.refuse(f"quantizes to {name or wanted}, expected integers of 4, 8 or 16 bits")
    return ends(int(bits), signed=name.startswith("i"), narrow=False)


def _quantize(s: Step) -> Result:
    x = s.input(0)
    scale, zero = _parameters(s, x)
    lo, hi = _ends(s)
    shift = int(zero.reshape(-1)[0])
    if bool((zero != shift).any()):
        raise s.refuse("has zero points that differ between channels; use one for all")
    none = torch.zeros(())
    q = grid(s, x, Grid(scale, scale, none, none, lo - shift, hi - shift), Mode.HALF_EVEN)
    n = s.call("div.Tensor", self=q, other=s.constant(scale))
    n = s.call("add.Scalar", self=n, other=float(shift)) if shift else n
    s.builder.quantized[n] = q, scale, zero
    return n


def _dequantize(s: Step) -> Result:
    x = s.input(0)
    scale, zero = _parameters(s, x)
    if x in s.builder.quantized:
        q, made, shift = s.builder.quantized[x]
        if torch.equal(made, scale) and torch.equal(shift, zero):
            return q
    if s.known(x) is not None:
        x = s.call("to.dtype", self=x, dtype="torch.float32")
    if bool(zero.any()):
        x = s.call("sub.Tensor", self=x, other=s.constant(zero))
    return s.call("mul.Tensor", self=x, other=s.constant(scale))


OPS: dict[str, Convert] = {"QuantizeLinear": _quantize, "DequantizeLinear": _dequantize}
