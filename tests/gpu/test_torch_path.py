"""The golden model on torch tensors: the same bits, whatever torch was told about precision."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from hwaccel.errors import ToolError, VerifyError
from hwaccel.fxp import FixedType, IntArray
from hwaccel.gpu import torch_path
from hwaccel.gpu.torch_path import shares, throughput, torch_run
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


@pytest.mark.parametrize("count", [2, 3, 7])
def test_frames_spread_over_devices_come_back_in_order(count):
    graph = small_cnn()[0]
    xs = batches(graph, 9, 16)
    found = torch_run(graph, xs, ["cpu"] * count)
    for name, want, have in zip(graph.outputs, interpret(graph, *xs), found, strict=True):
        np.testing.assert_array_equal(want, have, err_msg=name)


def test_more_devices_than_frames():
    graph = small_cnn()[0]
    xs = [x[:2] for x in batches(graph, 9, 16)]
    for want, have in zip(interpret(graph, *xs), torch_run(graph, xs, ["cpu"] * 5), strict=True):
        np.testing.assert_array_equal(want, have)


@pytest.mark.parametrize("frames", [0, 1, 5, 16])
@pytest.mark.parametrize("count", [1, 2, 3, 16, 20])
def test_shares_are_all_frames_in_order(frames, count):
    parts = shares(frames, count)
    assert [i for part in parts for i in range(frames)[part]] == list(range(frames))
    sizes = [part.stop - part.start for part in parts]
    assert len(parts) == max(1, min(frames, count))
    assert max(sizes) - min(sizes) <= 1


def test_all_cuda_devices_are_used_where_there_are_several(monkeypatch):
    """Three devices that are none: who gets which frames is seen, and cpu computes them."""
    graph = small_cnn()[0]
    xs = batches(graph, 9, 16)
    seen = []
    real = torch_path._part

    def part(torch, interpreter, given, where):
        seen.append((where, len(given[0])))
        return real(torch, interpreter, given, "cpu")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    monkeypatch.setattr(torch_path, "_part", part)
    found = torch_run(graph, xs)
    assert sorted(seen) == [("cuda:0", 5), ("cuda:1", 5), ("cuda:2", 6)]
    for want, have in zip(interpret(graph, *xs), found, strict=True):
        np.testing.assert_array_equal(want, have)
    with pytest.raises(ToolError, match=r"^torch: device 'cuda:3' is not available here; the last"):
        torch_run(graph, xs, "cuda:3")


def test_throughput_of_several_devices():
    measured = throughput(small_cnn()[0], 8, ["cpu", "cpu"], seconds=0.05)
    assert measured.device == "2 devices (cpu, cpu)"
    assert measured.frames_per_second > 0


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
