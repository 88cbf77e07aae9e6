"""Quantizers of QONNX as calls.

A. Pappalardo et al., *QONNX: representing arbitrary-precision quantized neural networks*, 2022.
Quantizers of constants are computed at once, in float32 as executors do. Those of values become the
one call that any uniform quantizer is.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from hwaccel.frontend.onnx_step import Convert, Result, Step
from hwaccel.frontend.program import Ref
from hwaccel.frontend.quantizers import Mode

_MOST_BITS = 32
# Ends that nothing reaches.
_WIDE = (-(1 << 31), (1 << 31) - 1)
_MODES = {
    "ROUND": Mode.HALF_EVEN,
    "HALF_EVEN": Mode.HALF_EVEN,
    "FLOOR": Mode.FLOOR,
    "CEIL": Mode.CEIL,
    "UP": Mode.AWAY,
    "DOWN": Mode.TO_ZERO,
    "ROUND_TO_ZERO": Mode.TO_ZERO,
    "HALF_UP": Mode.HALF_AWAY,
    "HALF_DOWN": Mode.HALF_ZERO,
}


@dataclass(frozen=True, slots=True)
class Grid:
    """``(clip(round(x / scale + offset), lo, hi) - back) * step``; tensors broadcast."""

    scale: torch.Tensor
    step: torch.Tensor
    offset: torch.Tensor
    back: torch.Tensor
    lo: int
    hi: int


def grid(s: Step, x: Ref, grid: Grid, mode: Mode) -> Ref:
    """Return ``x`` on a grid."""
    tensors = {name: getattr(grid, name) for name in ("scale", "step", "offset", "back")}
    known = s.known(x)
    if known is not None:
        n = mode.round(known / grid.scale + grid.offset).clamp(grid.lo, grid.hi)
        return s.constant((n - grid.back) * grid.step, like=x)
    numbers = {"lo": grid.lo, "hi": grid.hi, "mode": mode.value}
    return s.quantize(x, tensors, numbers)


# --- QONNX ----------------------------------------------------------------------------------------


def _scale(s: Step, place: int, x: Ref) -> torch.Tensor:
    scale = s.tensor(place)
    _fits(s, scale, x, "scale")
    if not bool(((scale > 0) & torch.isfinite(scale)).all()):
        raise s.refuse("scale is not positive and finite; repair the model")
    return scale


def _zero(s: Step, place: int, x: Ref) -> torch.Tensor:
    zero = s.tensor(place)
    _fits(s, zero, x, "zero point")
    if not bool((zero == zero.round()).all()) or not bool(torch.isfinite(zero).all()):
        raise s.refuse("zero point is no integer; train with integer zero points")
    return zero


def _fits(s: Step, given: torch.Tensor, x: Ref, name: str) -> None:
    try:
        shape = torch.broadcast_shapes(tuple(given.shape), s.shape(x))
    except RuntimeError:
        shape = None
    if shape != s.shape(x):
        raise s.refuse(
            f"{name} of shape {tuple(given.shape)} does not fit an operand of shape {s.shape(x)}; "
            "use one, or one per channel"
        )


def _bits(s: Step, place: int) -> int:
    bits = s.number(place)
    if not 1 <= bits <= _MOST_BITS or bits != int(bits):
        raise s.refuse(
            f"bit width is {bits:g}, expected a whole number from 1 to {_MOST_BITS}; train with "
            "fixed bit widths"
        )
    return int(bits)


def _mode(s: Step, default: str) -> Mode:
    name = s.text("rounding_mode", default).upper()
    if name not in _MODES:
        raise s.refuse(f"rounding mode {name[:40]} is not known; use one of {', '.join(_MODES)}")
    return _MODES[name]


def ends(bits: int, *, signed: bool, narrow: bool) -> tuple[int, int]:
    """Return the smallest and largest integer of a format."""
    if signed:
        return -(1 << (bits - 1)) + narrow, (1 << (bits - 1)) - 1
    return 0, (1 << bits) - 1 - narrow


def _bipolar(s: Step, x: Ref, scale: torch.Tensor, zero: torch.Tensor) -> Ref:
    """Return plus or minus one step; zero counts as positive.

    That is ``2 floor(x) + 1`` with ``floor`` clipped to -1 and 0.
    """
    return grid(s, x, Grid(scale, 2 * scale, zero, (zero - 1) / 2, -1, 0), Mode.FLOOR)


def _quant(s: Step) -> Result:
    x = s.input(0)
    scale, zero, bits = _scale(s, 1, x), _zero(s, 2, x), _bits(s, 3)
    signed, narrow = bool(s.integer("signed", None)), bool(s.integer("narrow", None))
    mode = _mode(s, "ROUND")
    if bits == 1 and signed:
        return _bipolar(s, x, scale, zero)
    lo, hi = ends(bits, signed=signed, narrow=narrow)
    return grid(s, x, Grid(scale, scale, zero, zero, lo, hi), mode)


def _bipolar_quant(s: Step) -> Result:
    x = s.input(0)
    scale = _scale(s, 1, x)
    return _bipolar(s, x, scale, torch.zeros_like(scale))


def _trunc(s: Step) -> Result:
    """Drop the last bits: the first version keeps the scale, the second states that of the result.

    The integer is scaled down by ``factor``, a power of two, and rounded.
    """
    x, second = s.input(0), s.count > 5
    scale, zero, bits = _scale(s, 1, x), _zero(s, 2, x), _bits(s, 3)
    mode = _mode(s, "FLOOR")
    if second:
        step, out = _scale(s, 4, x), _bits(s, 5)
        signed, narrow = bool(s.integer("signed", 1)), bool(s.integer("narrow", 0))
        factor = torch.exp2(torch.round(torch.log2(step / scale)))
        lo, hi = ends(out, signed=signed, narrow=narrow)
    else:
        step, factor = scale, torch.exp2(torch.tensor(float(bits - _bits(s, 4))))
        lo, hi = _WIDE
    offset = zero / factor
    whole = grid(s, x, Grid(scale, scale, zero, zero, *_WIDE), Mode.HALF_EVEN)
    back = offset if second else zero
    return grid(s, whole, Grid(scale * factor, step, offset, back, lo, hi), mode)


def _stairs(thresholds: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor] | None:
    """Return ``width`` and ``offset`` of each row if ``floor(x / width + offset)`` counts them."""
    first, count = thresholds[:, 0], thresholds.shape[1]
    width = thresholds[:, 1] - first if count > 1 else torch.ones_like(first)
    places = first[:, None] + width[:, None] * torch.arange(count)
    if not bool((width > 0).all()) or not torch.equal(places, thresholds):
        return None
    return width, 1 - first / width


def _multi_threshold(s: Step) -> Result:
    """Count the thresholds that an element has reached."""
    x, thresholds = s.input(0), s.tensor(1)
    shape, layout = s.shape(x), s.text("data_layout", "")
    axis = layout.find("C") if "C" in layout else {3: 2}.get(len(shape), 1) if not layout else 1
    s.text("out_dtype", "")
    scale, bias = s.real("out_scale", 1.0), s.real("out_bias", 0.0)
    if thresholds.dim() != 2 or axis >= len(shape) or thresholds.shape[0] not in (1, shape[axis]):
        raise s.refuse(
            f"has thresholds of shape {tuple(thresholds.shape)} for an operand of shape {shape}; "
            "give one row per channel"
        )
    if not 1 <= thresholds.shape[1] < 1 << 8:
        raise s.refuse(f"has {thresholds.shape[1]} thresholds, expected 1 to 255; use Quant")
    column = [1] * len(shape)
    column[axis] = thresholds.shape[0]
    stairs = _stairs(thresholds.to(torch.float64))
    if stairs is not None and scale > 0:
        width, offset = (v.reshape(column) for v in stairs)
        step = torch.tensor(scale, dtype=torch.float64)
        made = Grid(width, step, offset, -bias / step, 0, thresholds.shape[1])
        return grid(s, x, made, Mode.FLOOR)
    total: Ref | None = None
    for limits in thresholds.unbind(1):
        reached = s.call("ge.Tensor", self=x, other=s.constant(limits.reshape(column)))
        one = s.call("to.dtype", self=reached, dtype="torch.float32")
        total = one if total is None else s.call("add.Tensor", self=total, other=one)
    assert total is not None
    y = total if scale == 1 else s.call("mul.Scalar", self=total, other=scale)
    return y if bias == 0 else s.call("add.Scalar", self=y, other=bias)


OPS: dict[str, Convert] = {
    "Quant": _quant,
    "IntQuant": _quant,
    "BipolarQuant": _bipolar_quant,
    "Trunc": _trunc,
    "MultiThreshold": _multi_threshold,
}
