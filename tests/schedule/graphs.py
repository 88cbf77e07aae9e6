"""Graphs that can be scheduled, and small ones of known shape."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from hwaccel.fxp import FixedType, IntArray
from hwaccel.ir import Graph, GraphBuilder, TensorType
from hwaccel.ops import Add, Conv2d, Dense, MaxPool2d, Relu, Requant
from hwaccel.passes import optimize
from tests.graphs import graphs


def optimized(max_nodes: int = 8) -> st.SearchStrategy[Graph]:
    """Random graphs without dead nodes and unread inputs."""
    return graphs(max_nodes).map(optimize).filter(_all_read)


def chains(max_nodes: int = 8) -> st.SearchStrategy[Graph]:
    """Random graphs in which every value is read once."""
    return optimized(max_nodes).filter(
        lambda graph: len(graph.inputs) == 1 and set(graph.uses().values()) == {1}
    )


def _all_read(graph: Graph) -> bool:
    return all(graph.consumers(value.name) for value in graph.inputs)


def mlp() -> Graph:
    """Two dense layers: 8 to 6 and 6 to 4."""
    b = GraphBuilder("mlp")
    x = b.input("x", TensorType.full((8,), FixedType.parse("s6.3")))
    x = b.add("one", _dense(6, 8), x, path="net.0")
    x = b.add("one_q", Requant(4, 0, 31), x, path="net.0")
    return b.build(b.add("two", _dense(4, 6), x, path="net.2"))


def residual() -> Graph:
    """A convolution with a shortcut around it."""
    rng = np.random.default_rng(0)
    zeros = IntArray([0, 0])
    b = GraphBuilder("residual")
    x = b.input("x", TensorType.full((2, 6, 6), FixedType.parse("s4.2")))
    weight = IntArray(rng.integers(-3, 4, (2, 2, 3, 3)))
    y = b.add("conv", Conv2d(weight, zeros, zeros, 0, padding=(1, 1, 1, 1)), x, path="body")
    y = b.add("conv_q", Requant(3, -8, 7), y, path="body")
    return b.build(b.add("sum", Add.of(b.type(y), b.type(x)), y, x))


def cnn() -> Graph:
    """A convolution, a pool, an activation and a dense layer."""
    rng = np.random.default_rng(0)
    b = GraphBuilder("cnn")
    x = b.input("x", TensorType.full((1, 8, 8), FixedType.parse("u4.4")))
    weight, zeros = IntArray(rng.integers(-3, 4, (4, 1, 3, 3))), IntArray([0] * 4)
    x = b.add("conv", Conv2d(weight, zeros, zeros, 0, padding=(1, 1, 1, 1)), x, path="conv")
    x = b.add("conv_q", Requant(2, -16, 15), x, path="conv")
    x = b.add("act", Relu(), x)
    return b.build(b.add("pool", MaxPool2d((2, 2), (2, 2)), x, path="pool"))


def _dense(outputs: int, inputs: int) -> Dense:
    weight = np.random.default_rng(0).integers(-7, 8, (outputs, inputs))
    zeros = IntArray([0] * outputs)
    return Dense(IntArray(weight), zeros, zeros)
