"""Convolutions and matrices of bytes, of every shape that packing may get wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hwaccel.fxp import FixedType, IntArray
from hwaccel.ir import Graph, GraphBuilder, Op, TensorType
from hwaccel.ops import Conv2d, Dense

SIGNED, UNSIGNED = (-128, 127), (0, 255)


@dataclass(frozen=True)
class Shape:
    """A convolution, or with ``image`` of nothing a matrix."""

    outputs: int
    inputs: int
    image: tuple[int, int] | None = None
    kernel: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1


# Format of the operand, ends of the weights, shape.
Case = tuple[str, tuple[int, int], Shape]
SHAPES = (
    *(Shape(o, i) for o, i in ((1, 2), (3, 4), (4, 5), (5, 7), (9, 16), (2, 33))),
    Shape(3, 2, (4, 5)),
    Shape(5, 3, (5, 4), (3, 3), padding=(1, 1, 1, 1)),
    Shape(4, 4, (3, 3), (2, 2), padding=(0, 1, 1, 0)),
    Shape(6, 6, (6, 7), (3, 2), stride=(2, 3), padding=(2, 0, 1, 1)),
    Shape(4, 9, (7, 6), (3, 3), dilation=(2, 2), padding=(2, 1, 2, 1)),
    Shape(6, 6, (4, 4), (3, 3), padding=(1, 1, 1, 1), groups=2),
    Shape(8, 8, (3, 4), (2, 1), groups=2),
    Shape(10, 4, (3, 3), groups=2),
    Shape(3, 5, (1, 1)),
    Shape(2, 3, (2, 2), (5, 5), padding=(2, 2, 2, 2)),
)


def layer(shape: Shape, ends: tuple[int, int], rng: np.random.Generator) -> Op:
    """Return an op of this shape whose weights reach from one end to the other."""
    per_group = shape.inputs // shape.groups
    kernel = () if shape.image is None else shape.kernel
    size = (shape.outputs, per_group, *kernel)
    weight = rng.integers(ends[0], ends[1], size, endpoint=True)
    weight.flat[-1], weight.flat[0] = ends
    shift, bias = rng.integers(0, 3, shape.outputs), rng.integers(-999, 999, shape.outputs)
    parts = IntArray(weight), IntArray(shift), IntArray(bias), 0
    if shape.image is None:
        return Dense(*parts)
    return Conv2d(*parts, shape.stride, shape.padding, shape.dilation, shape.groups)


def alone(cases: Sequence[Case]) -> Graph:
    """Return every shape with an operand of its own."""
    rng, b, made = np.random.default_rng(3), GraphBuilder("alone"), []
    for i, (x, ends, shape) in enumerate(cases):
        value = b.input(f"x{i}", operand(x, (shape.inputs, *(shape.image or ()))))
        made.append(b.add(f"y{i}", layer(shape, ends, rng), value))
    return b.build(*made)


def operand(fixed: str, shape: tuple[int, ...]) -> TensorType:
    return TensorType.full(shape, FixedType.parse(fixed))
