"""Rungs 7 and 8 of the ladder: HLS C++, CUDA arithmetic and torch equal the golden model.

Every example of an op, in several folds, shares one translation unit.
"""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from hwaccel.emit.cuda import emit_cuda
from hwaccel.emit.hls import emit_hls
from hwaccel.gpu.cuda import host_run
from hwaccel.gpu.torch_path import torch_run
from hwaccel.ir import Graph, GraphBuilder, Op, interpret
from hwaccel.ir.hardware import Fold
from hwaccel.ir.op import Example
from hwaccel.ops import OPS
from hwaccel.ops.family import divisors
from hwaccel.tools import find
from hwaccel.verify.csim import csim
from tests.graphs import batches

FRAMES = 12
OP_IDS = [op.name for op in OPS]

needs_gxx = pytest.mark.skipif(find("g++") is None, reason="g++ is not installed")
needs_headers = pytest.mark.skipif(find("ap_types") is None, reason="hls4ml is not installed")


def _folds(example: Example) -> list[Fold]:
    """The slowest, the fastest and one between."""
    every = example.op.folds(*example.ins)
    if example.op.elementwise:
        every = tuple(Fold(lanes, 1) for lanes in divisors(example.ins[0].channels))
    return [every[i] for i in sorted({0, len(every) // 2, len(every) - 1})]


def _all_examples(op: type[Op], *, folded: bool) -> tuple[Graph, dict[str, Fold]]:
    """Return one graph with every example side by side, and the fold of each."""
    builder = GraphBuilder(op.name)
    folds = {}
    for example in op.examples():
        for fold in _folds(example) if folded else [Fold()]:
            inputs = [builder.input("x", type) for type in example.ins]
            name = f"{op.name}-{example.label}-{fold}"
            folds[builder.add(name, example.op, *inputs, path=example.label)] = fold
    return builder.build(*folds), folds


def _assert_equal(graph: Graph, found: tuple[NDArray[np.int64], ...], xs) -> None:
    expected = interpret(graph, *xs)
    wrong = [
        name
        for name, want, have in zip(graph.outputs, expected, found, strict=True)
        if have.dtype != np.int64 or not np.array_equal(want, have)
    ]
    assert not wrong


@pytest.mark.hls
@needs_gxx
@needs_headers
@pytest.mark.parametrize("op", OPS, ids=OP_IDS)
def test_hls_equals_golden(op):
    graph, folds = _all_examples(op, folded=True)
    xs = batches(graph, 1, FRAMES)
    files = emit_hls(graph, folds, name=op.name, banner="test", clock_mhz=100)
    _assert_equal(graph, csim(files, graph, xs), xs)


@needs_gxx
@pytest.mark.parametrize("op", OPS, ids=OP_IDS)
def test_cuda_on_the_host_equals_golden(op):
    graph, _ = _all_examples(op, folded=False)
    xs = batches(graph, 2, FRAMES)
    files = emit_cuda(graph, name=op.name, banner="test")
    _assert_equal(graph, host_run(files, graph, xs), xs)


@pytest.mark.parametrize("op", OPS, ids=OP_IDS)
def test_torch_equals_golden(op):
    pytest.importorskip("torch")
    graph, _ = _all_examples(op, folded=False)
    xs = batches(graph, 3, FRAMES)
    _assert_equal(graph, torch_run(graph, xs), xs)
