"""Random legal graphs of all ops, for property tests.

``random_graph(seed, nodes)`` is a prefix of ``random_graph(seed, nodes + 1)`` but for outputs, so
``graphs()``, the hypothesis strategy, shrinks to the shortest prefix that fails. What passes look
for is made likely: zero rows and columns, trailing zeros, ones, forks, equal nodes, dead nodes,
narrow clips, wraps, flattens before dense layers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from hypothesis import strategies as st
from numpy.random import Generator
from numpy.typing import NDArray

from hwaccel.errors import HwaccelError
from hwaccel.fxp import FixedType, IntArray, Overflow, Rounding
from hwaccel.ir import Graph, GraphBuilder, Op, TensorType, verify
from hwaccel.ops import (
    Add,
    ChannelSum,
    Concat,
    Conv2d,
    Dense,
    MaxPool2d,
    MinMax,
    Multiply,
    Relu,
    Requant,
    Reshape,
    Scale,
    SumPool2d,
)

T = TypeVar("T")
Ints = NDArray[np.int64]
Step = tuple[Op, tuple[str, ...]]

# Wider values are requantized before anything else happens to them.
WIDEST = 24

# What often stands behind an op, because a pass looks for the pair.
FOLLOWERS = {
    "relu": ("requant", "relu"),
    "requant": ("requant", "requant", "relu", "maxpool2d"),
    "scale": ("scale", "dense", "conv2d"),
    "dense": ("scale", "requant"),
    "conv2d": ("scale", "requant"),
    "maxpool2d": ("relu", "requant"),
    "reshape": ("dense", "relu", "requant"),
}


def graphs(max_nodes: int = 12) -> st.SearchStrategy[Graph]:
    """Random graphs of up to ``max_nodes`` nodes."""
    return st.builds(random_graph, st.integers(0, 1 << 32), st.integers(1, max_nodes))


def random_graph(seed: int, nodes: int) -> Graph:
    rng = np.random.default_rng(seed)
    return Drawing(rng).graph(nodes)


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


@dataclass
class Drawing:
    rng: Generator

    def pick(self, items: Sequence[T]) -> T:
        return items[int(self.rng.integers(len(items)))]

    def chance(self, probability: float) -> bool:
        return bool(self.rng.random() < probability)

    def upto(self, lo: int, hi: int) -> int:
        return int(self.rng.integers(lo, hi + 1))

    # --- graphs ----------------------------------------------------------------------------------

    def graph(self, nodes: int) -> Graph:
        builder = GraphBuilder("random")
        values = [builder.input("x", self.type()) for _ in range(self.pick([1, 1, 1, 2]))]
        made: dict[str, Step] = {}
        for number in range(nodes):
            recent = values[-1] if self.chance(0.75) else self.pick(values)
            step = self.pick(list(made.values())) if made and self.chance(0.08) else None
            op, inputs = step or self.step(builder, values, recent, made.get(recent))
            try:
                name = builder.add(op.name, op, *inputs, path=f"layer.{number}")
            except HwaccelError:
                continue
            values.append(name)
            made[name] = (op, inputs)
        outputs = [values[-1], *([self.pick(values)] if self.chance(0.2) else [])]
        graph = builder.build(*dict.fromkeys(outputs))
        verify(graph)
        return graph

    def type(self) -> TensorType:
        rank = self.pick([3, 3, 3, 3, 1, 1, 2])
        sides = {1: (), 2: (self.upto(1, 5),), 3: (self.upto(1, 5), self.upto(1, 5))}[rank]
        lo, span = self.pick([0, 0, -8, -128, self.upto(-200, 200)]), self.pick([0, 1, 3, 15, 255])
        shape = (self.upto(1, 4 if sides else 12), *sides)
        return TensorType(shape, self.upto(-3, 10), lo, lo + span)

    def step(self, builder: GraphBuilder, values: list[str], x: str, before: Step | None) -> Step:
        type = builder.type(x)
        if type.fixed.width > WIDEST:
            return self.requant(type, type.fixed.width - 6), (x,)
        kinds = ["relu", "requant", "requant", "scale", "reshape", "chansum"]
        if len(type.shape) == 1:
            kinds += ["dense"] * 5
        if len(type.shape) == 3:
            kinds += ["reshape"] + ["conv2d"] * 4 + ["maxpool2d"] * 3 + ["sumpool2d"]
        partners = [
            v
            for v in values
            if builder.type(v).shape == type.shape and abs(builder.type(v).frac - type.frac) <= 12
        ]
        kinds += ["add", "add", "minmax", "multiply"] if len(partners) > 1 else []
        rest = [
            v
            for v in values
            if len(builder.type(v).shape) == len(type.shape)
            and builder.type(v).shape[1:] == type.shape[1:]
            and builder.type(v).channels + type.channels <= WIDEST
            and abs(builder.type(v).frac - type.frac) <= 12
        ]
        kinds += ["concat"] * 2 if len(rest) > 1 else []
        kind = self.pick(kinds)
        if before is not None and self.chance(0.4):
            follows = [k for k in FOLLOWERS.get(before[0].name, ()) if k in kinds]
            kind = self.pick(follows or [kind])
        if kind == "add":
            pair = [x, self.pick(partners)]
            self.rng.shuffle(pair)
            types = (builder.type(v) for v in pair)
            return Add.of(*types, subtract=self.chance(0.3)), tuple(pair)
        if kind == "minmax":
            other = self.pick(partners)
            return MinMax.of(type, builder.type(other), self.chance(0.5)), (x, other)
        if kind == "multiply":
            return Multiply(), (x, self.pick(partners))
        if kind == "concat":
            pair = [x, self.pick(rest)]
            self.rng.shuffle(pair)
            return Concat.of(*(builder.type(v) for v in pair)), tuple(pair)
        return getattr(self, kind)(type), (x,)

    # --- ops -------------------------------------------------------------------------------------

    def relu(self, x: TensorType) -> Relu:
        return Relu()

    def requant(self, x: TensorType, shift: int | None = None) -> Requant:
        shift = self.upto(-3, 8) if shift is None else shift
        rounding, overflow = self.pick(list(Rounding)), Overflow.SATURATE
        if self.chance(0.3):
            fixed = FixedType(self.chance(0.5), self.upto(1, 10), 0)
            return Requant(shift, fixed.lo, fixed.hi, rounding, self.pick(list(Overflow)))
        lo = self.pick([-128, -8, -5, -1, 0, 0, 0, 2])
        return Requant(shift, lo, lo + self.pick([0, 1, 7, 15, 127, 255, 1000]), rounding, overflow)

    def scale(self, x: TensorType) -> Scale:
        c = x.channels
        mult = self.pick(
            [
                np.ones(c, dtype=np.int64),
                self.rng.integers(-1, 3, c),
                self.rng.integers(-30, 31, c),
                self.rng.integers(0, 4, c) << 2,
            ]
        )
        add = self.pick([np.zeros(c, dtype=np.int64), self.offsets(c)])
        return Scale(IntArray(mult), IntArray(add), self.pick([0, 0, 2, 5]))

    def reshape(self, x: TensorType) -> Reshape:
        flat = (x.size,)
        shapes: list[tuple[int, ...]] = [flat] * 8 + [x.shape]
        if len(x.shape) == 1:
            shapes = [flat] + [(c, x.size // c, 1) for c in (1, 2, 3, 4) if x.size % c == 0]
            shapes += [(x.size // 4, 2, 2)] * 4 if x.size % 4 == 0 else []
        if len(x.shape) == 3:
            c, h, w = x.shape
            shapes += [(c, h * w), (c * h, 1, w)]
        shape = self.pick(shapes)
        return Reshape(shape, len(shape) == 1 and self.chance(0.3))

    def chansum(self, x: TensorType) -> ChannelSum:
        return ChannelSum(self.pick([n for n in range(1, x.channels + 1) if x.channels % n == 0]))

    def dense(self, x: TensorType) -> Dense:
        outputs = self.upto(1, 8)
        return Dense(
            IntArray(self.weights((outputs, x.channels))),
            IntArray(self.shifts(outputs)),
            IntArray(self.offsets(outputs)),
            self.upto(-1, 4),
        )

    def conv2d(self, x: TensorType) -> Conv2d:
        channels, height, width = x.shape
        groups = self.pick([g for g in (1, 1, 1, 2, channels) if channels % g == 0])
        outputs = groups * self.upto(1, 1 if groups > 1 and self.chance(0.7) else 4)
        pads = self.pick([(0, 0, 0, 0), (0, 0, 0, 0), (1, 1, 1, 1), (0, 1, 2, 0)])
        dilation = (self.pick([1, 1, 2]), self.pick([1, 1, 2]))
        kernel = (
            self.upto(1, min(3, (height + pads[0] + pads[2] - 1) // dilation[0] + 1)),
            self.upto(1, min(3, (width + pads[1] + pads[3] - 1) // dilation[1] + 1)),
        )
        return Conv2d(
            IntArray(self.weights((outputs, channels // groups, *kernel))),
            IntArray(self.shifts(outputs)),
            IntArray(self.offsets(outputs)),
            self.upto(-1, 4),
            (self.upto(1, 2), self.upto(1, 2)),
            pads,
            dilation,
            groups,
        )

    def maxpool2d(self, x: TensorType) -> MaxPool2d:
        return MaxPool2d(*self.window(x))

    def sumpool2d(self, x: TensorType) -> SumPool2d:
        return SumPool2d(*self.window(x), self.upto(0, 2))

    def window(
        self, x: TensorType
    ) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int, int, int]]:
        _, height, width = x.shape
        pads = self.pick([(0, 0, 0, 0), (0, 0, 0, 0), (0, 0, 1, 1), (1, 0, 0, 1)])
        least = 1 + max(pads[0], pads[2]), 1 + max(pads[1], pads[3])
        kernel = (
            self.upto(least[0], max(least[0], min(3, height))),
            self.upto(least[1], max(least[1], min(3, width))),
        )
        return kernel, (self.upto(1, 2), self.upto(1, 2)), pads

    # --- numbers ---------------------------------------------------------------------------------

    def weights(self, shape: tuple[int, ...]) -> Ints:
        """Small integers with zero rows, zero columns and trailing zeros."""
        half = 1 << self.upto(0, 5)
        weight = self.rng.integers(-half, half + 1, shape) << self.pick([0, 0, 1, 3])
        if self.chance(0.5):
            weight[self.rng.random(shape[0]) < 0.4] = 0
        if self.chance(0.5):
            weight[:, self.rng.random(shape[1]) < 0.4] = 0
        return weight

    def offsets(self, count: int) -> Ints:
        half = self.pick([0, 3, 60, 1000])
        return self.rng.integers(-half, half + 1, count) << self.pick([0, 0, 3])

    def shifts(self, count: int) -> Ints:
        return self.rng.integers(0, self.pick([1, 1, 3]), count) + self.pick([0, 0, 1])
