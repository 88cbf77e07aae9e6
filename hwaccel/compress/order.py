"""The order in which the hardware takes the weights of a layer.

Pixel by pixel, the channels of a pixel side by side, for a window as for a flattened image.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import torch
from torch import nn

from hwaccel.errors import FrontendError
from hwaccel.frontend.export import export
from hwaccel.frontend.program import Call, Program, Ref

_MIXING = ("aten.linear.default", "aten.matmul.default", "aten.mm.default", "aten.addmm.default")
_RESHAPES = ("aten.view.default", "aten.reshape.default", "aten.flatten.using_ints")


@dataclass(frozen=True, slots=True, eq=False)
class Order:
    """Positions ``(outputs, inputs)`` in a flattened weight; ``channels`` inputs share a pixel."""

    positions: torch.Tensor
    channels: int


def order_of(layer: nn.Module, area: int = 1) -> Order:
    """Return the order of a layer's weight; ``area`` pixels of each channel feed a linear layer."""
    weight = layer.weight
    positions = torch.arange(weight.numel()).reshape(weight.shape)
    if isinstance(layer, nn.Linear):
        outputs, inputs = weight.shape
        turned = positions.reshape(outputs, inputs // area, area).transpose(1, 2)
        return Order(turned.reshape(outputs, inputs), inputs // area)
    if getattr(layer, "transposed", False):
        grouped = positions.reshape(layer.groups, -1, *weight.shape[1:])
        positions = grouped.transpose(1, 2).flatten(0, 1)
    return Order(positions.movedim(1, -1).reshape(len(positions), -1), positions.shape[1])


def areas(model: nn.Module, example: torch.Tensor) -> dict[str, int]:
    """Return how many pixels per channel a linear layer gets from a flattened image, by path.

    A layer that is fed otherwise, or in several ways, is left out: its inputs have no pixels.
    """
    try:
        program = export(model, example)
    except FrontendError:
        return {}  # what cannot become hardware has no order there
    made = {name: call for call in program.calls for name in call.results}
    found: dict[str, set[int]] = {}
    for call in program.calls:
        if call.target == "aten.linear.default":
            found.setdefault(call.path, set()).add(_area(program, made, call))
    return {path: sizes.pop() for path, sizes in found.items() if len(sizes) == 1}


def _area(program: Program, made: dict[str, Call], reader: Call) -> int:
    """Go back to the flattening of an image, through whatever works element by element."""
    shapes = {value.name: value.shape for value in program.inputs}
    shapes |= {n: s for c in program.calls for n, s in zip(c.results, c.shapes, strict=True)}
    while True:
        source = next(value for value in reader.args.values() if isinstance(value, Ref))
        have = shapes.get(source.name, ())
        if reader.target in _RESHAPES and len(have) > 2 and len(reader.shapes[0]) == 2:
            return prod(have[2:])
        call = made.get(source.name)
        if call is None or len(have) != 2 or call.target in _MIXING:
            return 1
        reader = call
