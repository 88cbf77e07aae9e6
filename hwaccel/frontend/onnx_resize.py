"""What ``Resize`` and ``Upsample`` of ONNX are in ATen calls.

ONNX states where the elements of the result lie among those of the operand in more ways than
PyTorch has. So nearest elements are moved, by indices, and linear ones are a product with a matrix
along each axis.
"""

from __future__ import annotations

import math

import torch

from hwaccel.frontend.onnx_file import AGAIN
from hwaccel.frontend.onnx_moves import select
from hwaccel.frontend.onnx_step import Convert, Result, Step
from hwaccel.frontend.program import Ref


def _resize(s: Step) -> Result:
    x = s.input(0)
    shape = s.shape(x)
    mode, sizes, scales = s.text("mode", "nearest"), None, None
    if s.node.op == "Upsample" or s.version < 11:
        scales, transform, nearest = _numbers(s, 1), "asymmetric", "floor"
    else:
        transform = s.text("coordinate_transformation_mode", "half_pixel")
        nearest = s.text("nearest_mode", "round_prefer_floor")
        if s.has(1):
            s.tensor(1)
        scales = _numbers(s, 2) if s.has(2) and s.tensor(2).numel() else None
        sizes = s.integers(3) if scales is None else None
    axes = s.sizes("axes", range(len(shape))) if s.version >= 18 else tuple(range(len(shape)))
    if s.text("keep_aspect_ratio_policy", "stretch") != "stretch" or s.integer("antialias", 0):
        raise s.refuse("keeps the aspect ratio or smooths; state sizes and use antialias=0")
    # Both matter to what is refused below only.
    s.integer("exclude_outside", 0)
    s.real("extrapolation_value", 0.0)
    if len(sizes if scales is None and sizes is not None else scales or ()) != len(axes):
        raise s.refuse(f"has sizes or scales for other than {len(axes)} axes; {AGAIN}")
    for place, a in enumerate(axes):
        axis = s.axis(a, len(shape))
        size = shape[axis]
        if scales is not None:
            scale = scales[place]
            if not 0 < scale < 1 << 16:
                raise s.refuse(f"has the scale {scale:g}; use a positive one")
            length = math.floor(size * scale)
        else:
            length = sizes[place] if sizes is not None else size
            scale = length / size if size else 1.0
        if not 1 <= length <= 1 << 20:
            raise s.refuse(f"makes an axis of length {length}; keep axes of length 1 or more")
        if (length, scale) != (size, 1.0):
            places = _coordinates(s, transform, size, length, scale)
            x = _resized(s, x, axis, places, mode, nearest)
    return x if x != s.input(0) else s.call("alias.default", self=x)


def _numbers(s: Step, place: int) -> tuple[float, ...]:
    found = s.tensor(place).reshape(-1)
    return tuple(float(v) for v in found[:16].tolist()) if found.numel() <= 16 else ()


def _coordinates(s: Step, transform: str, size: int, length: int, scale: float) -> torch.Tensor:
    """Return where the elements of the result lie among those of the operand."""
    out = torch.arange(length, dtype=torch.float64)
    if transform == "asymmetric":
        return out / scale
    if transform == "align_corners":
        return out * (size - 1) / max(1, length - 1)
    if transform == "half_pixel" or (transform == "pytorch_half_pixel" and length > 1):
        return (out + 0.5) / scale - 0.5
    if transform == "pytorch_half_pixel":
        return torch.zeros_like(out)
    if transform == "half_pixel_symmetric":
        offset = size / 2 * (1 - length / (scale * size))
        return offset + (out + 0.5) / scale - 0.5
    raise s.refuse(
        f"coordinate_transformation_mode {transform[:40]} is not supported; use half_pixel"
    )


def _resized(s: Step, x: Ref, axis: int, places: torch.Tensor, mode: str, nearest: str) -> Ref:
    size = s.shape(x)[axis]
    rounders = {
        "floor": torch.floor,
        "ceil": torch.ceil,
        "round_prefer_floor": lambda p: torch.ceil(p - 0.5),
        "round_prefer_ceil": lambda p: torch.floor(p + 0.5),
    }
    if mode == "nearest" and nearest in rounders:
        index = rounders[nearest](places).clamp(0, size - 1).to(torch.int64)
        return select(s, x, axis, index)
    if mode not in ("linear", "bilinear"):
        raise s.refuse(f"mode {mode[:40]} {nearest[:40]} is not supported; use nearest or linear")
    if len(places) * size > 1 << 22 or not axis:
        raise s.refuse(f"resizes axis {axis} from {size} to {len(places)}; resize a smaller one")
    inside = places.clamp(0, size - 1)
    low = inside.floor().clamp(max=max(0, size - 2))
    part, low = inside - low, low.to(torch.int64)
    matrix = torch.zeros(len(places), size, dtype=torch.float64)
    rows = torch.arange(len(places))
    matrix[rows, low] += 1 - part
    matrix[rows, (low + 1).clamp(max=size - 1)] += part
    weight = s.constant(matrix.to(s.builder.meta(x).dtype))
    letters = "abcdefgh"[: s.rank(x)]
    result = letters.replace(letters[axis], "z")
    equation = f"{letters},z{letters[axis]}->{result}"
    return s.call("einsum.default", equation=equation, tensors=(x, weight))


OPS: dict[str, Convert] = {"Resize": _resize, "Upsample": _resize}
