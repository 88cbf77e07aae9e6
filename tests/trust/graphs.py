"""Random graphs of every op and mode, drawn towards the edges of what is legal, and their inputs.

The front end reaches only some of the modes; these graphs come straight from the builder: widths
of 1 to 16 bits at every place that is narrowed, accumulators as wide as they get, every rounding
and overflow, points far outside the word, constants that are all zero, forks, joins, several
inputs and outputs. ``random_graph(seed)`` is the same graph wherever it runs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.random import Generator

from hwaccel.errors import HwaccelError
from hwaccel.fxp import MAX_WIDTH, FixedType, IntArray, Overflow, Rounding
from hwaccel.ir import Graph, GraphBuilder, Op, TensorType, verify
from hwaccel.ops import (
    Add,
    ChannelSum,
    Concat,
    Gather,
    MaxPool2d,
    MinMax,
    Multiply,
    Relu,
    Requant,
    Scale,
    Tabulate,
)
from tests.graphs import Drawing, Ints

FRAMES = 64
# Of inputs and of what is narrowed.
MOST_BITS = 16
# Elements of one value: everything is laid out in the spatial style, and sent beat by beat.
MOST_ELEMENTS = 48
# Larger tables are refused in the spatial style.
TABLE_BITS = 10

# What may follow, by how often it is drawn.
COMMON = ("requant",) * 5 + ("relu", "scale", "reshape", "gather", "chansum", "table")
VECTOR = ("dense",) * 5
IMAGE = ("conv2d",) * 5 + ("maxpool2d",) * 2 + ("sumpool2d",) * 2
PAIRED = ("add", "add", "minmax", "multiply", "concat")


def random_graph(seed: int, refused: Counter[str] | None = None) -> Graph:
    """Return the graph of ``seed``; ``refused`` counts what the builder did not take, by op."""
    rng = np.random.default_rng([seed, 0xF022])
    return Edges(rng, refused=Counter() if refused is None else refused).drawn(seed)


def vectors(graph: Graph, seed: int, count: int = FRAMES) -> tuple[Ints, ...]:
    """Return inputs, half of them extreme: ends, ends mixed, one element off, ties, noise."""
    rng = np.random.default_rng([seed, 0x1A7E])
    return tuple(_batch(rng, value.type, count) for value in graph.inputs)


def without_unread(graph: Graph) -> Graph:
    """Return the graph without inputs that no output depends on; other dead nodes stay."""
    alive = set(graph.outputs)
    for node in reversed(graph.nodes):
        alive.update(node.inputs if node.name in alive else ())
    gone = {value.name for value in graph.inputs} - alive
    nodes = []
    for node in graph.nodes:
        if gone.isdisjoint(node.inputs):
            nodes.append(node)
        else:
            gone.add(node.name)
    inputs = tuple(value for value in graph.inputs if value.name not in gone)
    return replace(graph, inputs=inputs, nodes=tuple(nodes))


def _batch(rng: Generator, t: TensorType, count: int) -> Ints:
    x = rng.integers(t.lo, t.hi + 1, (count, *t.shape))
    near = min(max(0, t.lo), t.hi)
    places = np.indices(t.shape).sum(axis=0) % 2 == 0
    fixed = [t.lo, t.hi, near, np.where(places, t.lo, t.hi), np.where(places, t.hi, t.lo)]
    for number, frame in enumerate(fixed[:count]):
        x[number] = frame
    mixed, single, ties = x[5 : count // 4], x[count // 4 : count * 3 // 8], x[count * 3 // 8 :]
    mixed[:] = rng.choice([t.lo, t.hi, near], mixed.shape)
    for frame in single:
        frame[...] = near
        frame.flat[rng.integers(t.size)] = rng.choice([t.lo, t.hi])
    for frame in ties[: count // 8]:
        # Odd multiples of a power of two: ties for a rounding of one bit more.
        unit = 1 << int(rng.integers(0, 8))
        frame[...] = np.clip((frame // unit | 1) * unit, t.lo, t.hi)
    return x


@dataclass
class Edges(Drawing):
    """Draws as ``Drawing`` does, more often from the edges, and from all ops."""

    refused: Counter[str] = field(default_factory=Counter)

    def __init__(self, rng: Generator, refused: Counter[str]) -> None:
        super().__init__(rng)
        self.refused = refused
        # One graph in ten is as wide as the IR allows.
        self.most = self.pick([MOST_BITS] * 9 + [MAX_WIDTH])
        # From here on a value is narrowed before anything else happens to it.
        self.widest = self.pick([12, 16, 24, 24, 40, 60]) if self.most == MOST_BITS else MAX_WIDTH

    def drawn(self, seed: int) -> Graph:
        builder = GraphBuilder(f"n{seed}")
        inputs = self.inputs(builder)
        values, nodes, made = list(inputs), self.upto(1, 8), 0
        read: set[str] = set()
        for _ in range(4 * nodes):
            if made >= nodes and read.issuperset(inputs):
                break
            x = self.source(values, [i for i in inputs if i not in read], made >= nodes)
            op, operands = self.drawn_step(builder, values, x)
            try:
                name = builder.add(op.name, op, *operands, path=f"layer.{made}")
            except HwaccelError as error:
                self.refused[f"{op.name}: {str(error)[:40]}"] += 1
                continue
            if builder.type(name).size > MOST_ELEMENTS:
                self.refused[f"{op.name}: too many elements"] += 1
                continue
            values.append(name)
            made += 1
            read.update(operands)
        graph = without_unread(builder.build(*self.outputs(values, inputs, read)))
        verify(graph)
        return graph

    def inputs(self, builder: GraphBuilder) -> list[str]:
        first = self.type()
        names = [builder.input("x", first)]
        for _ in range(self.pick([0, 0, 0, 0, 1, 1, 2])):
            other = self.type()
            if self.chance(0.7):  # so that the two can meet
                frac = first.frac + self.upto(-4, 4)
                other = TensorType(first.shape, frac, other.lo, other.hi)
            names.append(builder.input("x", other))
        return names

    def source(self, values: Sequence[str], unread: Sequence[str], late: bool) -> str:
        if unread and (late or self.chance(0.3)):
            return self.pick(unread)
        return values[-1] if self.chance(0.7) else self.pick(values)

    def outputs(self, values: list[str], inputs: list[str], read: set[str]) -> list[str]:
        """Take what nobody reads, now and then a value that is read, or an input."""
        ends = [v for v in values if v not in read and v not in inputs][-3:]
        if self.chance(0.15):
            ends.append(self.pick(values))
        self.rng.shuffle(ends)
        return list(dict.fromkeys(ends or values[-1:]))

    # --- types -----------------------------------------------------------------------------------

    def width(self) -> int:
        some = [self.upto(1, self.most) for _ in range(5)]
        return self.pick([1, 8, self.upto(2, 8), self.upto(2, 8), *some])

    def frac(self, width: int) -> int:
        return self.pick([0, 0, self.upto(0, width), width + self.upto(1, 12), -self.upto(1, 12)])

    def type(self) -> TensorType:
        rank = self.pick([3, 3, 3, 3, 1, 1, 1, 2])
        sides = {1: (), 2: (self.upto(1, 5),), 3: (self.upto(1, 4), self.upto(1, 4))}[rank]
        shape = (self.upto(1, 3 if sides else 10), *sides)
        width = self.width()
        fixed = FixedType(self.chance(0.5), width, self.frac(width))
        if self.chance(0.7):
            return TensorType.full(shape, fixed)
        lo, hi = sorted((self.upto(fixed.lo, fixed.hi), self.upto(fixed.lo, fixed.hi)))
        return TensorType(shape, fixed.frac, lo, self.pick([hi] * 7 + [lo]))

    # --- steps -----------------------------------------------------------------------------------

    def drawn_step(
        self, builder: GraphBuilder, values: Sequence[str], x: str
    ) -> tuple[Op, tuple[str, ...]]:
        t = builder.type(x)
        if t.fixed.width > self.widest:
            return self.requant(t), (x,)
        kind = self.pick(COMMON + {1: VECTOR, 2: (), 3: IMAGE}[len(t.shape)] + PAIRED)
        if kind in PAIRED:
            partners = [v for v in values if self.meet(kind, t, builder.type(v))]
            if not partners:
                return self.requant(t), (x,)
            pair = [x, self.pick(partners)]
            self.rng.shuffle(pair)
            return self.joined(kind, *(builder.type(v) for v in pair)), tuple(pair)
        if kind == "table" and t.hi - t.lo >= 1 << TABLE_BITS:
            kind = "requant"
        return getattr(self, kind)(t), (x,)

    def meet(self, kind: str, a: TensorType, b: TensorType) -> bool:
        if kind == "multiply":
            return a.shape == b.shape and a.fixed.width + b.fixed.width <= self.widest
        apart = abs(a.frac - b.frac) + max(a.fixed.width, b.fixed.width)
        if apart > min(self.widest + 4, 56):
            return False
        if kind == "concat":
            return a.shape[1:] == b.shape[1:] and a.size + b.size <= MOST_ELEMENTS
        return a.shape == b.shape

    def joined(self, kind: str, a: TensorType, b: TensorType) -> Op:
        if kind == "multiply":
            return Multiply()
        frac = max(a.frac, b.frac) + self.pick([0, 0, 0, 0, self.upto(1, 3)])
        shifts = frac - a.frac, frac - b.frac
        if kind == "add":
            return Add(*shifts, self.chance(0.4))
        return MinMax(*shifts, self.chance(0.5)) if kind == "minmax" else Concat(*shifts)

    def relu(self, x: TensorType) -> Relu:
        return Relu()

    def requant(self, x: TensorType, shift: int | None = None) -> Requant:
        # Mostly a few bits narrower: only then does it round, and ties are frequent.
        few = max(1, x.fixed.width - self.upto(1, 5))
        width = min(self.width(), few) if self.chance(0.75) else self.width()
        fixed = FixedType(self.chance(0.7 if x.lo < 0 else 0.3), width, 0)
        spare = x.fixed.width - width
        near = [spare + self.upto(-3, 2) for _ in range(10)]
        far = [x.fixed.width + self.upto(-1, 4), self.upto(0, 62)]
        shift = self.pick([*near, spare, spare, 0, 1, -self.upto(0, 6), self.pick(far)])
        shift = max(shift, x.fixed.width - 61, -45)
        overflow, rounding = self.pick(list(Overflow)), self.pick(list(Rounding))
        if overflow is Overflow.SATURATE and self.chance(0.3):
            lo = self.upto(fixed.lo, fixed.hi // 4)
            hi = self.upto(max(lo, fixed.hi // 2), fixed.hi)
            return Requant(shift, lo, self.pick([hi] * 7 + [lo]), rounding, overflow)
        return Requant(shift, fixed.lo, fixed.hi, rounding, overflow)

    def scale(self, x: TensorType) -> Scale:
        c, half = x.channels, 1 << self.upto(0, min(12, max(0, 58 - x.fixed.width)))
        mult = self.pick([self.rng.integers(-half, half, c), self.weights((c, 1)).ravel()])
        add = self.pick([np.zeros(c, dtype=np.int64), self.offsets(c)])
        return Scale(IntArray(mult), IntArray(add), self.pick([0, 0, 2, 20, -9]))

    def chansum(self, x: TensorType) -> ChannelSum:
        return ChannelSum(self.pick([n for n in range(1, x.channels + 1) if x.channels % n == 0]))

    def gather(self, x: TensorType) -> Gather:
        shape = (self.upto(1, 4), *self.pick([(), (self.upto(1, 4),), (self.upto(1, 3),) * 2]))
        size = int(np.prod(shape))
        source = self.rng.integers(-1 if self.chance(0.5) else 0, x.size, size)
        if self.chance(0.5):  # runs of neighbours move together
            source = (np.arange(size) * self.pick([1, -1, x.channels]) + self.upto(0, 3)) % x.size
        if (source < 0).all():
            source[0] = 0
        return Gather(IntArray(source), shape, self.upto(x.fixed.lo, x.fixed.hi))

    def table(self, x: TensorType) -> Tabulate:
        before, behind = self.upto(0, 2), self.upto(0, 2)
        size = x.hi - x.lo + 1 + before + behind
        fixed = FixedType(self.chance(0.5), self.width(), 0)
        values = self.rng.integers(fixed.lo, fixed.hi + 1, size)
        if self.chance(0.3):
            values = np.sort(values)
        if self.chance(0.1):
            values[:] = self.upto(fixed.lo, fixed.hi)
        return Tabulate(IntArray(values), x.lo - before, self.pick([0, 7, 30, -5]))

    def maxpool2d(self, x: TensorType) -> MaxPool2d:
        kernel, stride, padding = self.window(x)
        spread = self.pick([(1, 1), (1, 1), (2, 1), (1, 2)])
        fits = all((k - 1) * d < n for k, d, n in zip(kernel, spread, x.image, strict=True))
        return MaxPool2d(kernel, stride, padding, spread if fits and not any(padding) else (1, 1))

    def weights(self, shape: tuple[int, ...]) -> Ints:
        kind = self.pick(["edges", "edges", "sparse", "sparse"] + ["usual"] * 5 + ["zeros"])
        half = 1 << self.pick([self.upto(0, 8), self.upto(0, 8), 15])
        if kind == "edges":
            return self.rng.choice([-half, half - 1, 0], shape)
        if kind == "zeros":
            return np.zeros(shape, dtype=np.int64)
        if kind == "sparse":
            return self.rng.integers(-half, half, shape) * (self.rng.random(shape) < 0.25)
        return super().weights(shape)

    def offsets(self, count: int) -> Ints:
        if self.chance(0.15):
            half = 1 << self.upto(12, min(40, self.widest))
            return self.rng.integers(-half, half, count)
        return super().offsets(count)

    def shifts(self, count: int) -> Ints:
        if self.chance(0.15):
            return self.rng.integers(0, max(1, self.widest - 26), count)
        return super().shifts(count)
