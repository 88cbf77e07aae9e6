"""Graphs that the C++ emitters are tried on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.random import Generator

from hwaccel.config import Config
from hwaccel.fxp import FixedType, IntArray, Rounding
from hwaccel.ir import Graph, GraphBuilder, TensorType
from hwaccel.ir.hardware import Fold, Style
from hwaccel.ops import Add, Concat, Conv2d, Dense, MaxPool2d, Relu, Requant, Reshape, SumPool2d
from hwaccel.schedule.regions import regions
from hwaccel.schedule.spatial import Maker, Spatial


def small_cnn() -> tuple[Graph, dict[str, Fold]]:
    """A residual block, both poolings, a flatten; the stem is a second output, read three times."""
    rng = np.random.default_rng(3)
    b = GraphBuilder("small_cnn")
    x = b.input("x", TensorType.full((2, 8, 6), FixedType.parse("u8.8")))
    stem = _requant(b, "stem", b.add("conv1", _conv(rng, 6, 2), x, path="features.0"), "u8.0")
    pooled = b.add("pool1", MaxPool2d((2, 2), (2, 2)), stem, path="features.2")
    inner = _requant(b, "inner", b.add("conv2", _conv(rng, 6, 6, groups=2), pooled), "s6.0")
    depth = _requant(b, "depth", b.add("conv3", _conv(rng, 6, 6, groups=6), inner), "s8.0")
    merged = b.add("merge", Add.of(b.type(depth), b.type(pooled)), depth, pooled, path="block")
    active = _requant(b, "active", b.add("relu", Relu(), merged, path="block.act"), "u7.0")
    mean = b.add("pool2", SumPool2d((2, 3), (2, 3), gain=1), active)
    flat = b.add("flat", Reshape((12,)), mean)
    weight = IntArray(rng.integers(-8, 8, (4, 12)))
    dense = Dense(weight, IntArray(rng.integers(0, 3, 4)), IntArray(rng.integers(-99, 99, 4)), 3)
    scores = b.add("fc", dense, flat, path="classifier")
    folds = {
        "conv1": Fold(3, 2),
        "pool1": Fold(2, 2),
        "conv2": Fold(3, 1),
        "conv3": Fold(2, 1),
        "merge": Fold(3, 3),
        "pool2": Fold(6, 6),
        "fc": Fold(2, 4),
    }
    return b.build(scores, pooled), folds


def branches() -> Graph:
    """Strides, dilation, groups and paddings of every side; a residual, a concatenation, a head.

    Signed and unsigned inputs and activations; two inputs, two outputs.
    """
    rng = np.random.default_rng(9)
    b = GraphBuilder("branches")

    def conv(name: str, x: str, to: str, inputs: int = 4, **options: Any) -> str:
        weight = IntArray(rng.integers(-4, 4, (4, inputs, 3, 3)))
        op = Conv2d(weight, IntArray([0, 1, 0, 2]), IntArray(rng.integers(-9, 9, 4)), 2, **options)
        return _requant(b, f"{name}_act", b.add(name, op, x, path=name), to)

    x = b.input("x", TensorType.full((2, 9, 8), FixedType.parse("u5.0")))
    z = b.input("z", TensorType.full((4, 5, 4), FixedType.parse("s4.0")))
    stem = conv("stem", x, "u5.0", 2, stride=(2, 2), padding=(1, 1, 1, 0))
    pool = b.add("pool", MaxPool2d((3, 3), (1, 1), (1, 1, 1, 1)), stem)
    inner = conv("inner", pool, "s5.0", 2, dilation=(2, 1), padding=(2, 1, 2, 1), groups=2)
    merged = b.add("merge", Add.of(b.type(inner), b.type(z)), inner, z)
    active = b.add("relu", Relu(), merged)
    both = b.add("both", Concat.of(b.type(active), b.type(stem)), active, stem)
    mean = b.add("mean", SumPool2d((2, 2), (2, 2)), both)
    flat = b.add("flat", Reshape((32,)), mean)
    weight = IntArray(rng.integers(-4, 4, (3, 32)))
    head = b.add("head", Dense(weight, IntArray([0] * 3), IntArray([3, -4, 5]), 2), flat)
    return b.build(head, both)


# The style of every node of ``branches``: a frame at a time, a pixel at a time, or streaming.
BRANCHES = {
    "spatial": "sssssssssss",
    "pixel": "ppppppppp-s",
    "mixed": "ppsppssp-ss",
    "streams-between": "ss-pp--ssss",
}


def branch_folds(case: str) -> dict[str, Fold]:
    """Return the folds of ``branches`` in a case of ``BRANCHES``."""
    styles = {"p": Style.PIXEL, "s": Style.SPATIAL, "-": Style.STREAM}
    nodes = zip(branches().nodes, BRANCHES[case], strict=True)
    return {node.name: Fold(style=styles[letter]) for node, letter in nodes}


def laid_out(graph: Graph, folds: Mapping[str, Fold]) -> dict[str, Spatial]:
    """Return the circuits of the nodes that do not stream."""
    every = {node.name: folds.get(node.name, Fold()) for node in graph.nodes}
    return Maker(graph, Config(effort="fast", clock_mhz=20.0)).make(regions(graph, every))


def long_shifts(shifts: Sequence[int], modes: Sequence[Rounding]) -> Graph:
    """Requantizers whose half is wider than their operand, and left shifts beside them."""
    b = GraphBuilder("shifts")
    outputs = []
    for fixed in ("s6.0", "u31.0"):
        x = b.input("x", TensorType.full((5,), FixedType.parse(fixed)))
        for shift in shifts:
            for rounding in modes:
                op = Requant(shift, -3, 1 << 20, rounding)
                outputs.append(b.add(f"{fixed}-{shift}-{rounding.value}", op, x))
    return b.build(*outputs)


def meeting_names() -> Graph:
    """Values named like what is made of other values' names."""
    b = GraphBuilder("meeting_names_core")
    fixed = TensorType.full((2,), FixedType.parse("s4.0"))
    one, zero = IntArray([[1, 2], [3, 4]]), IntArray([0, 0])
    names = ["a", "a_in", "a_weight", "a_node", "a_config", "a_stream", "a_buffer", "a_out", "x_a"]
    x = b.input("a_weight_in", fixed)
    values = [b.input(name, fixed) for name in ("a_in_in", "y_a", "memory", "run", "hwa")]
    for name in names:
        values.append(b.add(name, Dense(one, zero, zero), x))
    values.append(b.add("core", Add(), x, x))
    return b.build(*values)


def merge(graphs: Sequence[Graph]) -> Graph:
    """Put independent graphs side by side, to compile them once."""
    b = GraphBuilder("side_by_side")
    outputs = []
    for graph in graphs:
        names: dict[str, str] = {}
        for value in graph.inputs:
            names[value.name] = b.input(value.name, value.type)
        for node in graph.nodes:
            operands = (names[name] for name in node.inputs)
            names[node.name] = b.add(node.name, node.op, *operands, path=node.path)
        outputs += [names[name] for name in graph.outputs]
    return b.build(*outputs)


def random_folds(graph: Graph, seed: int) -> dict[str, Fold]:
    """Return a legal fold of every node."""
    rng = np.random.default_rng(seed)
    types = graph.types()
    folds: dict[str, Fold] = {}
    for node in graph.nodes:
        every = node.op.folds(*(types[name] for name in node.inputs))
        folds[node.name] = every[int(rng.integers(len(every)))]
    return folds


def comments(files: Mapping[str, str], name: str) -> list[str]:
    """Return the comment lines of a file."""
    return [line.strip() for line in files[name].splitlines() if line.strip().startswith("//")]


def _conv(rng: Generator, outputs: int, inputs: int, groups: int = 1) -> Conv2d:
    return Conv2d(
        IntArray(rng.integers(-8, 8, (outputs, inputs // groups, 3, 3))),
        IntArray(rng.integers(0, 2, outputs)),
        IntArray(rng.integers(-50, 50, outputs)),
        3,
        padding=(1, 1, 1, 1),
        groups=groups,
    )


def _requant(b: GraphBuilder, name: str, x: str, fixed: str) -> str:
    target = FixedType.parse(fixed)
    shift = max(0, b.type(x).magnitude.bit_length() - target.width)
    return b.add(name, Requant(shift, target.lo, target.hi), x)
