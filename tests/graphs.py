"""Random legal graphs of all ops, for property tests.

``graphs()`` is a hypothesis strategy. Structure is drawn by hypothesis, so that failures shrink;
weights come from a drawn seed. What passes look for is made likely: zero rows and columns,
trailing zeros, ones, forks, equal nodes, dead nodes, narrow clips, wraps.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from hwaccel.errors import HwaccelError
from hwaccel.fxp import FixedType, IntArray, Overflow, Rounding
from hwaccel.ir import Graph, GraphBuilder, Op, TensorType, verify
from hwaccel.ops import (
    Add,
    Conv2d,
    Dense,
    MaxPool2d,
    Relu,
    Requant,
    Reshape,
    Scale,
    SumPool2d,
)

Draw = Callable[..., "object"]
Ints = NDArray[np.int64]

# Wider values are requantized before anything else happens to them.
_WIDEST = 24


@st.composite
def tensor_types(draw, shape: tuple[int, ...] | None = None) -> TensorType:
    if shape is None:
        ranks = {1: 12, 2: 5, 3: 5}
        rank = draw(st.sampled_from([3, 3, 3, 1, 1, 2]))
        first = draw(st.integers(1, 4 if rank > 1 else 12))
        shape = (first, *(draw(st.integers(1, ranks[rank])) for _ in range(rank - 1)))
    lo = draw(st.integers(-200, 200))
    span = draw(st.sampled_from([0, 1, 3, 15, 100, 255]))
    return TensorType(shape, draw(st.integers(-3, 10)), lo, lo + span)


@st.composite
def graphs(draw, max_nodes: int = 9) -> Graph:
    builder = GraphBuilder("random")
    values = [
        builder.input("x", draw(tensor_types())) for _ in range(draw(st.sampled_from([1, 1, 1, 2])))
    ]
    made: list[tuple[str, Op, tuple[str, ...]]] = []
    for number in range(draw(st.integers(1, max_nodes))):
        if made and draw(st.integers(0, 9)) == 0:
            name, op, inputs = draw(st.sampled_from(made))
        else:
            recent = values[-1] if draw(st.integers(0, 3)) else draw(st.sampled_from(values))
            name, op, inputs = draw(_nodes(builder, values, recent))
        try:
            values.append(builder.add(name, op, *inputs, path=f"layer.{number}"))
        except HwaccelError:
            continue
        made.append((name, op, inputs))
    outputs = [values[-1]]
    if draw(st.integers(0, 3)) == 0:
        outputs.append(draw(st.sampled_from(values)))
    graph = builder.build(*dict.fromkeys(outputs))
    verify(graph)
    return graph


@st.composite
def _nodes(draw, builder: GraphBuilder, values: list[str], x: str):
    type = builder.type(x)
    if type.fixed.width > _WIDEST:
        return "requant", draw(_requants(type, narrow=True)), (x,)
    kinds = ["relu", "relu", "requant", "requant", "scale", "reshape"]
    kinds += ["dense"] * 4 if len(type.shape) == 1 else []
    kinds += ["conv2d"] * 4 + ["maxpool2d"] * 3 + ["sumpool2d"] if len(type.shape) == 3 else []
    partners = [v for v in values if builder.type(v).shape == type.shape]
    partners = [v for v in partners if abs(builder.type(v).frac - type.frac) <= 12]
    kinds += ["add"] * 3 if len(partners) > 1 else []
    kind = draw(st.sampled_from(kinds))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    if kind == "add":
        other = draw(st.sampled_from(partners))
        pair = (x, other) if draw(st.booleans()) else (other, x)
        return kind, Add.of(*(builder.type(v) for v in pair)), pair
    makers = {
        "relu": lambda: Relu(),
        "requant": lambda: draw(_requants(type)),
        "scale": lambda: draw(_scales(type, rng)),
        "reshape": lambda: draw(_reshapes(type)),
        "dense": lambda: draw(_denses(type, rng)),
        "conv2d": lambda: draw(_convs(type, rng)),
        "maxpool2d": lambda: draw(_pools(type, MaxPool2d)),
        "sumpool2d": lambda: draw(_pools(type, SumPool2d)),
    }
    return kind, makers[kind](), (x,)


@st.composite
def _requants(draw, x: TensorType, narrow: bool = False) -> Requant:
    shift = x.fixed.width - 6 if narrow else draw(st.integers(-3, 8))
    rounding = draw(st.sampled_from(Rounding))
    if draw(st.integers(0, 3)) == 0:
        fixed = FixedType(draw(st.booleans()), draw(st.integers(1, 10)), 0)
        return Requant(shift, fixed.lo, fixed.hi, rounding, draw(st.sampled_from(Overflow)))
    lo = draw(st.sampled_from([-128, -8, -5, -1, 0, 0, 0, 2]))
    span = draw(st.sampled_from([0, 1, 7, 15, 127, 255, 1000]))
    return Requant(shift, lo, lo + span, rounding)


def _weights(rng: np.random.Generator, shape: tuple[int, ...]) -> Ints:
    """Small integers with zero rows, zero columns and trailing zeros."""
    half = 1 << int(rng.integers(0, 6))
    weight = rng.integers(-half, half + 1, shape) << int(rng.choice([0, 0, 1, 3]))
    if rng.random() < 0.5:
        weight[rng.random(shape[0]) < 0.4] = 0
    if rng.random() < 0.5:
        weight[:, rng.random(shape[1]) < 0.4] = 0
    return weight


def _offsets(rng: np.random.Generator, count: int) -> Ints:
    half = int(rng.choice([0, 3, 60, 1000]))
    return rng.integers(-half, half + 1, count) << int(rng.choice([0, 0, 2]))


def _shifts(rng: np.random.Generator, count: int) -> Ints:
    return rng.integers(0, int(rng.choice([1, 1, 3])), count) + int(rng.choice([0, 0, 1]))


@st.composite
def _scales(draw, x: TensorType, rng: np.random.Generator) -> Scale:
    c = x.channels
    mult = draw(
        st.sampled_from(
            [
                np.ones(c, dtype=np.int64),
                rng.integers(-1, 3, c),
                rng.integers(-30, 31, c),
                rng.integers(0, 4, c) << 2,
            ]
        )
    )
    add = draw(st.sampled_from([np.zeros(c, dtype=np.int64), _offsets(rng, c)]))
    return Scale(IntArray(mult), IntArray(add), draw(st.sampled_from([0, 0, 2, 5])))


@st.composite
def _reshapes(draw, x: TensorType) -> Reshape:
    flat = (x.size,)
    shapes = [flat, flat, flat, x.shape]
    if len(x.shape) == 1:
        shapes += [(c, x.size // c, 1) for c in (1, 2, 3, 4) if x.size % c == 0]
        shapes += [(x.size // 4, 2, 2)] if x.size % 4 == 0 else []
    if len(x.shape) == 3:
        shapes += [(x.shape[0], x.shape[1] * x.shape[2]), (x.shape[0] * x.shape[1], 1, x.shape[2])]
    shape = draw(st.sampled_from(shapes))
    return Reshape(shape, len(shape) == 1 and draw(st.booleans()))


@st.composite
def _denses(draw, x: TensorType, rng: np.random.Generator) -> Dense:
    outputs = draw(st.integers(1, 6))
    weight = _weights(rng, (outputs, x.channels))
    return Dense(
        IntArray(weight),
        IntArray(_shifts(rng, outputs)),
        IntArray(_offsets(rng, outputs)),
        draw(st.integers(-1, 4)),
    )


@st.composite
def _convs(draw, x: TensorType, rng: np.random.Generator) -> Conv2d:
    channels, height, width = x.shape
    groups = draw(st.sampled_from([g for g in (1, 1, 1, 2, channels) if channels % g == 0]))
    outputs = groups * draw(st.integers(1, 3))
    pads = draw(st.sampled_from([(0, 0, 0, 0), (0, 0, 0, 0), (1, 1, 1, 1), (0, 1, 2, 0)]))
    kernel = (
        draw(st.integers(1, min(3, height + pads[0] + pads[2]))),
        draw(st.integers(1, min(3, width + pads[1] + pads[3]))),
    )
    return Conv2d(
        IntArray(_weights(rng, (outputs, channels // groups, *kernel))),
        IntArray(_shifts(rng, outputs)),
        IntArray(_offsets(rng, outputs)),
        draw(st.integers(-1, 4)),
        (draw(st.integers(1, 2)), draw(st.integers(1, 2))),
        pads,
        (1, 1),
        groups,
    )


@st.composite
def _pools(draw, x: TensorType, cls: type[MaxPool2d] | type[SumPool2d]) -> Op:
    _, height, width = x.shape
    pads = draw(st.sampled_from([(0, 0, 0, 0), (0, 0, 0, 0), (0, 0, 1, 1), (1, 0, 0, 1)]))
    kernel = (
        draw(st.integers(1 + max(pads[0], pads[2]), max(1 + max(pads[0], pads[2]), min(3, height)))),
        draw(st.integers(1 + max(pads[1], pads[3]), max(1 + max(pads[1], pads[3]), min(3, width)))),
    )
    stride = (draw(st.integers(1, 2)), draw(st.integers(1, 2)))
    if cls is MaxPool2d:
        return MaxPool2d(kernel, stride, pads)
    return SumPool2d(kernel, stride, pads, draw(st.integers(0, 2)))


def batches(graph: Graph, seed: int, count: int = 12) -> tuple[Ints, ...]:
    """Random inputs, with both ends of every interval among them."""
    rng = np.random.default_rng(seed)
    result = []
    for value in graph.inputs:
        t = value.type
        x = rng.integers(t.lo, t.hi + 1, (count, *t.shape))
        x[0], x[1] = t.lo, t.hi
        x[2 : count // 2] = rng.choice([t.lo, t.hi], (count // 2 - 2, *t.shape))
        result.append(x)
    return tuple(result)
