"""Quantizers of QONNX in ATen calls.

A. Pappalardo et al., *QONNX: representing arbitrary-precision quantized neural networks*, 2022.
Quantizers of constants are computed at once, as executors do in float32. Those of values are
``fake_quantize`` where it means the same, and otherwise spelled out: scale, shift, round, clip,
shift, scale.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from hwaccel.frontend.onnx_builder import Convert, Result, Step
from hwaccel.frontend.program import Ref

_MOST_BITS = 32
# Ends that nothing reaches.
_WIDE = (-(1 << 31), (1 << 31) - 1)
_CALLS = {"HALF_EVEN": "round.default", "FLOOR": "floor.default", "CEIL": "ceil.default"}
_NAMES = {"ROUND": "HALF_EVEN", "ROUND_TO_ZERO": "DOWN"}
_MODES = (*_CALLS, "UP", "DOWN", "HALF_UP", "HALF_DOWN")


@dataclass(frozen=True, slots=True)
class Grid:
    """A grid of numbers: ``(n - zero) * scale`` for integers ``n`` from ``lo`` to ``hi``."""

    scale: torch.Tensor
    zero: torch.Tensor
    lo: int
    hi: int


def grid(s: Step, x: Ref, grid: Grid, mode: str) -> Ref:
    """Return ``x`` on a grid."""
    if mode in _CALLS:
        return _rounded(s, x, grid, _CALLS[mode])
    # The others treat both signs alike: they are a grid above zero and one below.
    half = mode.startswith("HALF")
    up, down = _CALLS["CEIL"], _CALLS["FLOOR"]
    above, below = (up, down) if mode in ("UP", "HALF_DOWN") else (down, up)
    shift = 0.0 if not half else -0.5 if mode == "HALF_DOWN" else 0.5
    parts = []
    for lo, hi, call, move in (
        (max(grid.lo, 0), max(grid.hi, 0), above, shift),
        (min(grid.lo, 0), min(grid.hi, 0), below, -shift),
    ):
        if lo == hi:
            continue
        moved = x
        if move:
            moved = s.call("add.Tensor", self=x, other=s.constant(grid.scale * move))
        parts.append(_rounded(s, moved, Grid(grid.scale, grid.zero, lo, hi), call))
    if not parts:
        return s.call("mul.Scalar", self=x, other=0.0)
    if len(parts) == 1:
        return parts[0]
    total = s.call("add.Tensor", self=parts[0], other=parts[1])
    if bool(grid.zero.any()):
        # Both parts have been moved by the zero point.
        total = s.call("add.Tensor", self=total, other=s.constant(grid.zero * grid.scale))
    return total


def _rounded(s: Step, x: Ref, grid: Grid, call: str) -> Ref:
    """Return ``x`` on a grid, rounded by one ATen call."""
    scale = float(grid.scale.reshape(-1)[0])
    single = grid.scale.numel() == 1 and math.frexp(scale)[0] == 0.5
    if s.known(x) is None and single and call == "round.default" and not bool(grid.zero.any()):
        ends = {"quant_min": grid.lo, "quant_max": grid.hi}
        target = "fake_quantize_per_tensor_affine.default"
        return s.same(target, x, scale=scale, zero_point=0, **ends)
    factor, zero = s.constant(grid.scale), s.constant(grid.zero)
    y = s.call("div.Tensor", self=x, other=factor)
    if bool(grid.zero.any()):
        y = s.call("add.Tensor", self=y, other=zero)
    y = s.call(call, self=y)
    y = s.call("clamp.default", self=y, min=grid.lo, max=grid.hi)
    if bool(grid.zero.any()):
        y = s.call("sub.Tensor", self=y, other=zero)
    return s.call("mul.Tensor", self=y, other=factor)


def _bipolar(s: Step, x: Ref, scale: torch.Tensor, zero: torch.Tensor) -> Ref:
    """Return plus or minus one step; zero counts as positive."""
    limit = s.constant(-zero * scale) if bool(zero.any()) else s.constant(torch.zeros(()))
    limit = s.call("to.dtype", self=limit, dtype=str(s.builder.meta(x).dtype))
    positive = s.call("ge.Tensor", self=x, other=limit)
    ends = (s.constant((sign - zero) * scale) for sign in (1, -1))
    return s.call("where.self", condition=positive, self=next(ends), other=next(ends))


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


def _mode(s: Step, default: str) -> str:
    name = s.text("rounding_mode", default).upper()
    name = _NAMES.get(name, name)
    if name not in _MODES:
        raise s.refuse(f"rounding mode {name[:40]} is not known; use one of {', '.join(_MODES)}")
    return name


def ends(bits: int, *, signed: bool, narrow: bool) -> tuple[int, int]:
    """Return the smallest and largest integer of a format."""
    if signed:
        return -(1 << (bits - 1)) + narrow, (1 << (bits - 1)) - 1
    return 0, (1 << bits) - 1 - narrow


def _quant(s: Step) -> Result:
    x = s.input(0)
    scale, zero, bits = _scale(s, 1, x), _zero(s, 2, x), _bits(s, 3)
    signed, narrow = bool(s.integer("signed", None)), bool(s.integer("narrow", None))
    mode = _mode(s, "ROUND")
    if bits == 1 and signed:
        return _bipolar(s, x, scale, zero)
    lo, hi = ends(bits, signed=signed, narrow=narrow)
    return grid(s, x, Grid(scale, zero, lo, hi), mode)


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
        made, out = _scale(s, 4, x), _bits(s, 5)
        signed, narrow = bool(s.integer("signed", 1)), bool(s.integer("narrow", 0))
        factor = torch.exp2(torch.round(torch.log2(made / scale)))
        lo, hi = ends(out, signed=signed, narrow=narrow)
    else:
        factor = torch.exp2(torch.tensor(float(bits - _bits(s, 4))))
        made, (lo, hi) = scale, _WIDE
    if bool((zero % factor).any()):
        raise s.refuse("the zero point is no multiple of the result's step; use a zero point of 0")
    on_grid = grid(s, x, Grid(scale, zero, *_WIDE), "HALF_EVEN")
    coarse = Grid(scale * factor, zero / factor, lo, hi)
    y = _coarser(s, on_grid, coarse, scale, mode)
    if bool((made != coarse.scale).any()):
        y = s.call("mul.Tensor", self=y, other=s.constant(made / coarse.scale))
    if not second and bool(zero.any()):
        y = s.call("add.Tensor", self=y, other=s.constant((coarse.zero - zero) * scale))
    return y


def _coarser(s: Step, x: Ref, coarse: Grid, step: torch.Tensor, mode: str) -> Ref:
    """Return what is on a grid of ``step`` already on a coarser one, by powers of two.

    There, rounding down is rounding to nearest of what lies half a coarse step less half a fine
    one lower, and no tie is left. On a finer grid nothing is rounded.
    """
    if mode not in ("FLOOR", "CEIL"):
        return grid(s, x, coarse, mode)
    offset = (coarse.scale - step).clamp(min=0) * (-0.5 if mode == "FLOOR" else 0.5)
    if bool(offset.any()):
        x = s.call("add.Tensor", self=x, other=s.constant(offset))
    return grid(s, x, coarse, "HALF_EVEN")


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
