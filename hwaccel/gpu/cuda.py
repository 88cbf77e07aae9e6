"""Compile the emitted CUDA C++ and call it: for the host with g++, for a GPU with nvcc."""

from __future__ import annotations

import ctypes
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hwaccel import tools
from hwaccel.emit.cuda import storage
from hwaccel.emit.kernels import one_file, source_folder
from hwaccel.errors import ToolError
from hwaccel.ir import Graph, Interpreter

Ints = NDArray[np.int64]

_HOST_FLAGS = ("-std=c++17", "-O2", "-shared", "-fPIC", "-pthread")
_NVCC_FLAGS = ("-std=c++17", "-O3")


def host_run(
    files: Mapping[str, str] | Path,
    graph: Graph,
    xs: Sequence[Ints],
    *,
    parts: int = 1,
    timeout_s: float = 600,
) -> tuple[Ints, ...]:
    """Return the integer outputs of the CUDA arithmetic, compiled for the host by g++.

    ``files`` is what ``emit_cuda`` made of ``graph``, or the folder that holds it; batches are
    ``(N, *shape)``. As many ``parts`` share a batch as GPUs would.

    Raises:
        ToolError: g++ is missing or compilation failed.
        VerifyError: the batches do not fit the inputs of the graph.
    """
    with tempfile.TemporaryDirectory(prefix="hwaccel-cuda-") as name:
        library = build_host(files, Path(name), parts=parts, timeout_s=timeout_s)
        return _call(library, library.stem, graph, xs)


def build_host(
    files: Mapping[str, str] | Path, folder: Path, *, parts: int = 1, timeout_s: float = 600
) -> Path:
    """Compile the arithmetic for the host into ``folder / "NAME.so"``.

    The library has the functions of the one for a GPU; its device memory is the host's.

    Raises:
        ToolError: g++ is missing or compilation failed.
    """
    compiler = tools.require("g++")
    sources = source_folder(files, folder)
    source = one_file(sources, "_host.cpp")
    library = folder / f"{source.name.removesuffix('_host.cpp')}.so"
    target = (f"-DHWA_HOST_DEVICES={parts}", source, "-o", library)
    tools.run([*compiler.argv, *_HOST_FLAGS, *target], cwd=sources, timeout_s=timeout_s)
    return library


def device_run(
    files: Mapping[str, str] | Path,
    graph: Graph,
    xs: Sequence[Ints],
    *,
    arch: str = "native",
    timeout_s: float = 600,
) -> tuple[Ints, ...]:
    """Return the integer outputs computed on all CUDA devices, which share the batch.

    Raises:
        ToolError: nvcc or a CUDA device is missing, compilation or a kernel failed.
        VerifyError: the batches do not fit the inputs of the graph.
    """
    tools.require("nvcc")
    tools.require("cuda")
    with tempfile.TemporaryDirectory(prefix="hwaccel-cuda-") as name:
        library = build_device(files, Path(name), arch=arch, timeout_s=timeout_s)
        return _call(library, library.stem, graph, xs)


def build_device(
    files: Mapping[str, str] | Path, folder: Path, *, arch: str = "native", timeout_s: float = 600
) -> Path:
    """Compile the kernels into ``folder / "NAME.so"``, where NAME is the name of the network.

    Raises:
        ToolError: nvcc is missing or compilation failed.
    """
    nvcc = tools.require("nvcc")
    sources = source_folder(files, folder)
    source = one_file(sources, "_cuda.cu")
    library = folder / f"{source.name.removesuffix('_cuda.cu')}.so"
    target = (f"-arch={arch}", "-shared", "-Xcompiler", "-fPIC,-pthread", source, "-o", library)
    tools.run([*nvcc.argv, *_NVCC_FLAGS, *target], cwd=sources, timeout_s=timeout_s)
    return library


def compile_cubin(
    files: Mapping[str, str] | Path,
    *,
    arch: str = "sm_90",
    flags: Sequence[str] = (),
    timeout_s: float = 600,
) -> bytes:
    """Return the kernels as a cubin for GPUs of ``arch``; no GPU is needed.

    Raises:
        ToolError: nvcc is missing or compilation failed.
    """
    nvcc = tools.require("nvcc")
    with tempfile.TemporaryDirectory(prefix="hwaccel-cuda-") as name:
        folder = source_folder(files, Path(name))
        cubin = Path(name) / "kernels.cubin"
        target = (f"-arch={arch}", "-cubin", one_file(folder, "_cuda.cu"), "-o", cubin)
        tools.run([*nvcc.argv, *_NVCC_FLAGS, *flags, *target], cwd=folder, timeout_s=timeout_s)
        return cubin.read_bytes()


def _call(library: Path, name: str, graph: Graph, xs: Sequence[Ints]) -> tuple[Ints, ...]:
    """Call ``NAME_run`` of a shared library on host memory."""
    Interpreter(graph).environment(xs)
    types, count = graph.types(), len(xs[0])
    tensors = [
        np.ascontiguousarray(x, dtype=storage(value.type.fixed))
        for value, x in zip(graph.inputs, xs, strict=True)
    ]
    outputs = [
        np.empty((count, *types[output].shape), dtype=storage(types[output].fixed))
        for output in graph.outputs
    ]
    code = ctypes.CDLL(str(library))
    pointers = [array.ctypes.data_as(ctypes.c_void_p) for array in (*tensors, *outputs)]
    status = code[f"{name}_run"](ctypes.c_longlong(count), *pointers)
    check_status(code, name, f"{name}_run", status)
    return tuple(output.astype(np.int64) for output in outputs)


def check_status(code: ctypes.CDLL, name: str, function: str, status: int) -> None:
    """Refuse a status of a function of library ``NAME`` that is not 0.

    Raises:
        ToolError: the status says that it failed, and why.
    """
    if status != 0:
        explain = code[f"{name}_error"]
        explain.restype = ctypes.c_char_p
        text = explain(status).decode("utf-8", "replace")
        raise ToolError(f"{function}: failed with code {status} ({text}); see `hwaccel doctor`")
