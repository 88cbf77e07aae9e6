"""What a layer gives with given types, computed in exact numbers: why two opinions differ.

Numbers are float64 that stand for integers times powers of two; up to 53 bits they are exact.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwaccel.opinions.layers import Layer

Floats = NDArray[np.float64]

# The widest sum that float64 holds.
EXACT_BITS = 53
_TEXT = re.compile(r"(?:ap_|ac_)?(u?)(fixed|int)<([0-9]+)(?:,(-?[0-9]+))?((?:,[A-Za-z_0-9]+)*)>")
_ROUNDINGS: dict[str, Callable[[Floats], Floats]] = {
    "TRN": np.floor,
    "RND": lambda x: np.floor(x + 0.5),
    "RND_CONV": np.rint,
    "TRN_ZERO": np.trunc,
}
_OVERFLOWS = ("WRAP", "SAT", "SAT_SYM")


@dataclass(frozen=True, slots=True)
class ApType:
    """An ``ap_fixed`` type, its rounding and its saturation among the common ones."""

    signed: bool
    width: int
    whole: int
    rounding: str = "TRN"
    overflow: str = "WRAP"

    @classmethod
    def parse(cls, text: str) -> ApType | None:
        """Read what C++ or hls4ml calls a type; nothing if it is none of these."""
        found = _TEXT.fullmatch(text.replace(" ", ""))
        if found is None:
            return None
        width = int(found[3])
        whole = width if found[4] is None else int(found[4])
        modes = [mode.removeprefix("AP_") for mode in found[5].split(",")[1:3]]
        rounding = modes[0] if modes else "TRN"
        overflow = modes[1] if len(modes) > 1 else "WRAP"
        if rounding not in _ROUNDINGS or overflow not in _OVERFLOWS:
            return None
        return cls(not found[1], width, whole, rounding, overflow)

    @property
    def frac(self) -> int:
        """Bits behind the point."""
        return self.width - self.whole

    def cast(self, values: Floats) -> Floats:
        """Round, then saturate or wrap."""
        ints = _ROUNDINGS[self.rounding](np.ldexp(values, self.frac))
        lo = -(2.0 ** (self.width - 1)) if self.signed else 0.0
        hi = 2.0 ** (self.width - self.signed) - 1
        if self.overflow == "WRAP":
            ints = ints - np.floor((ints - lo) / 2.0**self.width) * 2.0**self.width
        else:
            ints = np.clip(ints, -hi if self.overflow == "SAT_SYM" and self.signed else lo, hi)
        made: Floats = np.ldexp(ints, -self.frac)
        return made

    def __str__(self) -> str:
        kind = "ap_fixed" if self.signed else "ap_ufixed"
        plain = (self.rounding, self.overflow) == ("TRN", "WRAP")
        modes = "" if plain else f",AP_{self.rounding},AP_{self.overflow}"
        return f"{kind}<{self.width},{self.whole}{modes}>"


def differences(ours: ApType, theirs: ApType) -> str:
    """Say in what two types differ."""
    found = []
    if (ours.signed, ours.width, ours.whole) != (theirs.signed, theirs.width, theirs.whole):
        found.append("width")
    if ours.rounding != theirs.rounding:
        found.append("rounding")
    if ours.overflow != theirs.overflow:
        found.append("saturation")
    return " and ".join(found)


def emulated(layer: Layer, operands: Sequence[Floats], types: Mapping[str, ApType]) -> Floats:
    """Return what the layer gives as hls4ml computes it: products in ``accum``, then their sum.

    Raises:
        ValueError: the layer is a pool, and its operands are not those of the graph.
    """
    if layer.kind in ("Linear", "Conv2d"):
        return types["result"].cast(_summed(layer, operands[0], types))
    return types["result"].cast(_exact(layer, operands))


def _exact(layer: Layer, operands: Sequence[Floats]) -> Floats:
    """Return what the op of the layer gives, before it is rounded."""
    plain = _PLAIN.get(layer.kind)
    if plain is not None:
        return plain(*operands)
    node = layer.nodes[0]
    ints = [on_grid(x, frac) for x, frac in zip(operands, layer.fracs, strict=True)]
    if any(x is None for x in ints):
        raise ValueError(f"{layer.name}: operands are not on the grid of the graph")
    made: Floats = np.ldexp(np.asarray(node.op.golden(*ints), np.float64), -node.output.type.frac)
    return made


_PLAIN: dict[str, Callable[..., Floats]] = {
    "Flatten": lambda x: x.reshape(len(x), -1),
    "ReLU": lambda x: np.maximum(x, 0.0),
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
}


def on_grid(values: Floats, frac: int) -> NDArray[np.int64] | None:
    """Return numbers as integers of ``frac`` bits behind the point; nothing if they are not."""
    scaled = np.ldexp(values, frac)
    whole = np.rint(scaled)
    if not np.array_equal(whole, scaled) or bool((np.abs(whole) >= 2.0**EXACT_BITS).any()):
        return None
    return whole.astype(np.int64)


def _summed(layer: Layer, x: Floats, types: Mapping[str, ApType]) -> Floats:
    weight = types["weight"].cast(layer.arrays["weight"])
    bias = types["bias"].cast(layer.arrays["bias"])
    accum = types["accum"]
    columns = x[:, :, None, None] if layer.kind == "Linear" else _columns(layer, x)
    rows = weight.reshape(len(weight), -1)
    total: Any = accum.cast(bias)[None, :, None, None]
    for k in range(rows.shape[1]):
        total = total + accum.cast(columns[:, None, k] * rows[None, :, k, None, None])
    summed = accum.cast(total)
    return summed[:, :, 0, 0] if layer.kind == "Linear" else summed


def _columns(layer: Layer, x: Floats) -> Floats:
    """Return the operands of every pixel of a convolution: ``(N, C * KH * KW, H, W)``."""
    rows, columns = layer.arguments["padding"]
    padded = np.pad(x, ((0, 0), (0, 0), (rows, rows), (columns, columns)))
    (kh, kw), (sh, sw) = layer.arguments["kernel_size"], layer.arguments["stride"]
    dh, dw = layer.arguments["dilation"]
    height = (padded.shape[2] - dh * (kh - 1) - 1) // sh + 1
    width = (padded.shape[3] - dw * (kw - 1) - 1) // sw + 1
    taps = [
        padded[:, :, i * dh : i * dh + sh * height : sh, j * dw : j * dw + sw * width : sw]
        for i in range(kh)
        for j in range(kw)
    ]
    cut = [tap[:, :, :height, :width] for tap in taps]
    return np.stack(cut, axis=2).reshape(len(x), -1, height, width)
