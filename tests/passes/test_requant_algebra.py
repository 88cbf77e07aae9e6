"""The rules of ``fuse_requant``, for every integer of an interval and every pair of ops."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from hwaccel.fxp import Overflow, Rounding
from hwaccel.ir import Graph, GraphBuilder, Op, TensorType, interpret
from hwaccel.ops import MaxPool2d, Relu, Requant
from hwaccel.passes.fuse_requant import FuseRequant, merge

INTERVALS = [(-70, 70), (0, 90), (-65, -3), (-4, 3), (5, 5)]
RANGES = [(-128, 127), (-8, 7), (0, 15), (-5, 9), (-9, -2), (2, 6), (-3, -3)]
MODES = list(Rounding)


def requants(shifts: list[int], modes: list[Rounding]) -> list[Requant]:
    """Every legal requant of these shifts and modes, over all ranges."""
    found = []
    for shift, mode, (lo, hi) in product(shifts, modes, RANGES):
        found.append(Requant(shift, lo, hi, mode))
        if (lo, hi) in RANGES[:3]:
            found.append(Requant(shift, lo, hi, mode, Overflow.WRAP))
    return found


def chain(x: TensorType, *ops: Op) -> Graph:
    builder = GraphBuilder("chain")
    name = builder.input("x", x)
    for op in ops:
        name = builder.add("y", op, name)
    return builder.build(name)


@pytest.mark.parametrize("interval", INTERVALS, ids=str)
def test_merge_equals_both(interval: tuple[int, int]) -> None:
    x = TensorType((1,), 0, *interval)
    values = np.arange(interval[0], interval[1] + 1)[:, None]
    merged_pairs = 0
    for first in requants([-2, 0, 1, 3], MODES):
        between = first.infer(x)
        once = first.golden(values)
        for second in requants([-1, 0, 1, 2], MODES):
            merged = merge(first, second, x)
            if merged is not None:
                merged.verify(x)
                assert (merged.golden(values) == second.golden(once)).all(), (first, second)
                inferred, stated = merged.infer(x), second.infer(between)
                assert inferred.frac == stated.frac
                assert stated.lo <= inferred.lo <= inferred.hi <= stated.hi
                merged_pairs += 1
    assert merged_pairs > 1000


@pytest.mark.parametrize("interval", INTERVALS, ids=str)
@pytest.mark.parametrize("mode", MODES)
def test_relu_and_requant(mode: Rounding, interval: tuple[int, int]) -> None:
    x = TensorType((1,), 0, *interval)
    values = np.arange(interval[0], interval[1] + 1)[:, None]
    for requant in requants([-2, 0, 1, 3, 9], [mode]):
        for ops in ((Relu(), requant), (requant, Relu())):
            graph = chain(x, *ops)
            fused = FuseRequant().run(graph)
            assert (interpret(fused, values)[0] == interpret(graph, values)[0]).all(), ops
            old, new = graph.types()[graph.outputs[0]], fused.types()[fused.outputs[0]]
            assert old.lo <= new.lo <= new.hi <= old.hi


@pytest.mark.parametrize("mode", MODES)
def test_pool_and_requant(mode: Rounding) -> None:
    rng = np.random.default_rng(5)
    pool = MaxPool2d((2, 2), (1, 2), (1, 0, 0, 1))
    for (lo, hi), requant in product(INTERVALS, requants([-2, 0, 1, 3, 9], [mode])):
        x = TensorType((2, 3, 4), 0, lo, hi)
        values = rng.integers(lo, hi, (20, *x.shape), endpoint=True)
        for ops in ((pool, requant), (requant, pool)):
            graph = chain(x, *ops)
            fused = FuseRequant().run(graph)
            assert (interpret(fused, values)[0] == interpret(graph, values)[0]).all(), ops
