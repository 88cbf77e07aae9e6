"""Small networks, as graphs, that exercise whole designs."""

from __future__ import annotations

import numpy as np

from hwaccel.fxp import FixedType, IntArray
from hwaccel.ir import Graph, GraphBuilder, TensorType
from hwaccel.ops import Add, Concat, Conv2d, Dense, MaxPool2d, Requant, Reshape


def cnn(residual: bool, size: int = 8, width: int = 8) -> Graph:
    """Two or three convolutions, a pool and a dense layer."""
    rng = np.random.default_rng(0)

    def conv(outputs: int, inputs: int) -> Conv2d:
        weight = IntArray(rng.integers(-7, 8, (outputs, inputs, 3, 3)))
        bias = IntArray(rng.integers(-99, 99, outputs))
        return Conv2d(weight, IntArray([0] * outputs), bias, 3, padding=(1, 1, 1, 1))

    b = GraphBuilder("cnn_residual" if residual else "cnn")
    x = b.input("x", TensorType.full((1, size, size), FixedType.parse("u4.4")))
    x = b.add("q1", Requant(2, 0, 255), b.add("conv1", conv(width, 1), x))
    x = b.add("q2", Requant(6, 0, 255), b.add("conv2", conv(2 * width, width), x))
    x = b.add("pool", MaxPool2d((2, 2), (2, 2)), x)
    if residual:
        y = b.add("q3", Requant(6, -128, 127), b.add("conv3", conv(2 * width, 2 * width), x))
        x = b.add("q4", Requant(1, 0, 255), b.add("add", Add.of(b.type(y), b.type(x)), y, x))
    x = b.add("flat", Reshape((b.type(x).size,), True), x)
    weight = IntArray(rng.integers(-7, 8, (10, b.type(x).size)))
    zeros = IntArray([0] * 10)
    return b.build(b.add("fc", Dense(weight, zeros, zeros, 3), x))


def dense_block() -> Graph:
    """What every layer of a dense block makes goes to all behind it, on different points."""
    rng = np.random.default_rng(0)
    b = GraphBuilder("dense_block")
    x = b.input("x", TensorType.full((2, 5, 5), FixedType.parse("s6.3")))
    for number, growth in enumerate((3, 2)):
        weight = IntArray(rng.integers(-7, 8, (growth, b.type(x).channels, 3, 3)))
        zeros = IntArray([0] * growth)
        conv = Conv2d(weight, zeros, zeros, 2, padding=(1, 1, 1, 1))
        y = b.add("q", Requant(4 - number, 0, 15), b.add("conv", conv, x))
        x = b.add("join", Concat.of(b.type(x), b.type(y)), x, y)
    return b.build(b.add("pool", MaxPool2d((2, 2), (2, 2)), x))


def skips() -> Graph:
    """A long and a short way around a pool, as in a U-net; one value joins itself."""
    rng = np.random.default_rng(1)
    b = GraphBuilder("skips")
    x = b.input("x", TensorType.full((1, 6, 4), FixedType.parse("u4.4")))
    twice = b.add("twice", Concat(), x, x)
    zeros, weight = IntArray([0, 0]), IntArray(rng.integers(-7, 8, (2, 2, 3, 3)))
    y = b.add("conv", Conv2d(weight, zeros, zeros, padding=(1, 1, 1, 1)), twice)
    y = b.add("q", Requant(3, -8, 7), y)
    z = b.add("pool", MaxPool2d((3, 3), (1, 1), (1, 1, 1, 1)), y)
    near = b.add("near", Concat.of(b.type(z), b.type(y)), z, y)
    return b.build(b.add("far", Concat.of(b.type(near), b.type(x)), near, x))


def two_ins_two_outs() -> Graph:
    """Two inputs of odd widths; their sum goes out and, rounded, goes out again."""
    b = GraphBuilder("two_by_two")
    x = b.input("left", TensorType.full((3, 2, 2), FixedType.parse("s5.2")))
    y = b.input("right", TensorType.full((3, 2, 2), FixedType.parse("u3.4")))
    total = b.add("total", Add.of(b.type(x), b.type(y)), x, y)
    return b.build(total, b.add("small", Requant(3, -4, 3), total))
