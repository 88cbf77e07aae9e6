"""CUDA C++ through nvcc: it compiles without a GPU, and equals the golden model on one."""

from __future__ import annotations

import numpy as np
import pytest

import hwaccel
from hwaccel import FixedType, tools
from hwaccel.emit.cuda import emit_cuda
from hwaccel.errors import ToolError
from hwaccel.fxp import IntArray
from hwaccel.gpu.cuda import compile_cubin, device_run
from hwaccel.ir import Graph, GraphBuilder, TensorType, interpret
from hwaccel.ops import OPS, MaxPool2d, Scale
from tests.emit.byte_products import SHAPES, SIGNED, UNSIGNED, alone
from tests.emit.networks import merge, small_cnn
from tests.graphs import batches

STRICT = ("-Werror", "all-warnings", "-Xcompiler", "-Wall")


def _every_op() -> Graph:
    graphs = []
    for op in OPS:
        for example in op.examples():
            b = GraphBuilder(op.name)
            inputs = [b.input("x", type) for type in example.ins]
            graphs.append(b.build(b.add(example.label, example.op, *inputs)))
    return merge(graphs)


def _bytes() -> Graph:
    kinds = [(x, ends) for x in ("s8.0", "u8.0") for ends in (SIGNED, UNSIGNED)]
    return alone([(*kind, shape) for kind in kinds for shape in SHAPES])


def test_every_op_compiles_for_the_gpu():
    files = emit_cuda(_every_op(), name="every_op", banner="test")
    if tools.find("nvcc") is None:
        with pytest.raises(ToolError, match=r"^nvcc: not found; it compiles emitted CUDA C"):
            compile_cubin(files)
        return
    cubin = compile_cubin(files, flags=STRICT)
    assert cubin.startswith(b"\x7fELF")
    assert b"every_op_nodes" in cubin  # the kernels are inside


def test_network_compiles_for_the_gpu(tmp_path):
    if tools.find("nvcc") is None:
        pytest.skip("nvcc is not installed")
    graph, _ = small_cnn()
    for name, text in emit_cuda(graph, name="net", banner="test").items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert compile_cubin(tmp_path, arch="sm_80", flags=STRICT).startswith(b"\x7fELF")


def test_missing_nvcc_is_named(monkeypatch):
    monkeypatch.setenv("PATH", "")
    graph, _ = small_cnn()
    with pytest.raises(ToolError) as error:
        compile_cubin(emit_cuda(graph, name="net", banner="test"))
    assert str(error.value) == (
        "nvcc: not found; it compiles emitted CUDA C++; "
        "install it with: apt install nvidia-cuda-toolkit"
    )


def test_missing_device_is_named():
    if tools.find("cuda") is not None or tools.find("nvcc") is None:
        pytest.skip("there is a CUDA device, or no nvcc")
    graph, _ = small_cnn()
    with pytest.raises(ToolError, match=r"^cuda: not found; it runs emitted CUDA C"):
        device_run(emit_cuda(graph, name="net", banner="test"), graph, batches(graph, 1))


def _largest_negated() -> hwaccel.Design:
    """The largest of three negated numbers: the assembler of CUDA 13.0 lost the sign of one."""
    b = GraphBuilder("largest")
    x = b.input("x", TensorType.full((1, 3, 3), FixedType.parse("u8.0")))
    x = b.add("minus", Scale(IntArray([-16]), IntArray([0]), 0), x)
    graph = b.build(b.add("pool", MaxPool2d((1, 3), (1, 1)), x))
    return hwaccel.design_from(graph, hwaccel.Config(style="spatial", clock_mhz=20.0))


@pytest.mark.skipif(tools.find("nvcc") is None, reason="nvcc is not installed")
def test_no_sign_in_front_of_a_maximum(tmp_path):
    design = _largest_negated()
    for name, text in design.cuda().items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    (source,) = tmp_path.glob("*.cu")
    argv = [*tools.require("nvcc").argv, "-O3", "-std=c++17", "-arch=sm_90", "-ptx", source.name]
    tools.run([*argv, "-o", "k.ptx"], cwd=tmp_path)
    ptx = (tmp_path / "k.ptx").read_text()
    assert "max.s32" in ptx
    assert "neg.s32" not in ptx


@pytest.mark.gpu
@pytest.mark.skipif(tools.find("cuda") is None, reason="no CUDA device")
@pytest.mark.skipif(tools.find("nvcc") is None, reason="nvcc is not installed")
def test_largest_negated_on_the_device():
    design = _largest_negated()
    xs = batches(design.graph, 64, 3)
    (found,) = device_run(design.cuda(), design.graph, xs)
    np.testing.assert_array_equal(found, design.golden.raw(*xs)[0])


@pytest.mark.gpu
@pytest.mark.skipif(tools.find("cuda") is None, reason="no CUDA device")
@pytest.mark.skipif(tools.find("nvcc") is None, reason="nvcc is not installed")
@pytest.mark.parametrize(
    "make",
    [_every_op, lambda: small_cnn()[0], _bytes],
    ids=["every-op", "network", "products-of-bytes"],
)
def test_device_equals_golden(make):
    graph = make()
    xs = batches(graph, 4, 64)
    found = device_run(emit_cuda(graph, name="net", banner="test"), graph, xs)
    for name, want, have in zip(graph.outputs, interpret(graph, *xs), found, strict=True):
        np.testing.assert_array_equal(want, have, err_msg=name)
