"""Quantizers of QONNX and of ONNX in ATen calls.

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
        return s.call(target, like=x, self=x, scale=scale, zero_point=0, **ends)
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
    if bits != round(bits) or not 1 <= bits <= _MOST_BITS:
        raise s.refuse(
            f"bit width is {bits:g}, expected a whole number from 1 to {_MOST_BITS}; train with "
            "fixed bit widths"
        )
    return int(bits)


def _mode(s: Step, default: str | None) -> str:
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


OPS: dict[str, Convert] = {
    "Quant": _quant,
    "IntQuant": _quant,
    "BipolarQuant": _bipolar_quant,
}
STANDARD: dict[str, Convert] = {}
