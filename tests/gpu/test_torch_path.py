"""The golden model on torch tensors: the same bits, whatever torch was told about precision."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from hwaccel.errors import ToolError, VerifyError
from hwaccel.fxp import FixedType, IntArray
from hwaccel.gpu.torch_path import throughput, torch_run
from hwaccel.ir import Graph, GraphBuilder, Interpreter, TensorType, interpret
from hwaccel.ops import Dense
from tests.emit.networks import merge, small_cnn
from tests.graphs import batches, random_graph

torch = pytest.importorskip("torch")

DEVICES = ["cpu"] + ["cuda"] * torch.cuda.is_available()


def _assert_same(graph: Graph, device: str) -> None:
    xs = batches(graph, 9, 16)
    found = torch_run(graph, xs, device)
    for name, want, have in zip(graph.outputs, interpret(graph, *xs), found, strict=True):
        np.testing.assert_array_equal(want, have, err_msg=name)
        assert have.dtype == np.int64


@pytest.mark.parametrize("device", DEVICES)
def test_network_equals_golden(device):
    _assert_same(small_cnn()[0], device)


@pytest.mark.parametrize("device", DEVICES)
def test_random_graphs_equal_golden(device):
    _assert_same(merge([random_graph(seed, 10) for seed in range(300, 340)]), device)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(
    ("bits", "carrier"), [(8, "float32"), (20, "float64"), (28, "int64")], ids=lambda v: str(v)
)
def test_every_carrier_equals_golden(device, bits, carrier):
    rng = np.random.default_rng(bits)
    half = 1 << (bits - 1)
    op = Dense(IntArray(rng.integers(-half, half, (5, 64))), IntArray([0] * 5), IntArray(range(5)))
    b = GraphBuilder("dense")
    x = b.input("x", TensorType.full((64,), FixedType(True, bits - bits // 8, 0)))
    graph = b.build(b.add("y", op, x))
    assert Interpreter(graph).carrier("y") == carrier
    _assert_same(graph, device)


@pytest.mark.parametrize("precision", ["highest", "high", "medium"])
def test_precision_of_the_caller_is_neither_used_nor_lost(precision):
    before = torch.get_float32_matmul_precision()
    try:
        torch.set_float32_matmul_precision(precision)
        _assert_same(small_cnn()[0], DEVICES[-1])
        assert torch.get_float32_matmul_precision() == precision
    finally:
        torch.set_float32_matmul_precision(before)


def test_throughput_counts_frames():
    result = throughput(small_cnn()[0], 32, "cpu", 0.05)
    assert (result.device, result.batch) == ("cpu", 32)
    assert result.runs >= 1
    assert result.frames_per_second > 0


def test_unknown_devices_are_refused():
    graph, _ = small_cnn()
    xs = batches(graph, 1)
    with pytest.raises(ToolError) as error:
        torch_run(graph, xs, "gpu")
    assert str(error.value) == "torch: 'gpu' is not a device; use cpu or cuda"
    with pytest.raises(ToolError) as error:
        torch_run(graph, xs, "meta")
    assert str(error.value) == "torch: device 'meta' is not available here; use cpu"


def test_batches_outside_the_interval_are_refused():
    graph, _ = small_cnn()
    with pytest.raises(VerifyError, match=r"^x: integers run from 0 to 256, expected \[0, 255\]"):
        torch_run(graph, [np.arange(257).repeat(96)[: 96 * 257].reshape(-1, 2, 8, 6)], "cpu")


def test_missing_torch_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    graph, _ = small_cnn()
    with pytest.raises(ToolError) as error:
        torch_run(graph, batches(graph, 1))
    assert str(error.value) == ("torch: not found; install it with: pip install 'hwaccel[torch]'")
