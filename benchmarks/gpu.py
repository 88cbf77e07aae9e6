"""Emitted CUDA kernels, the golden model on torch, and plain float torch on one GPU.

    python -m benchmarks.gpu                        # every network of benchmarks.networks
    python -m benchmarks.gpu resnet8 --batch 4096

The kernels' outputs are compared bit for bit with the golden model first; then each is timed on
tensors that stay on the device. Prints one line per network.
"""

from __future__ import annotations

import argparse
import ctypes
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import nn

from benchmarks.networks import NETWORKS, made
from hwaccel.emit.cuda import emit_cuda, storage
from hwaccel.gpu.cuda import build_device, device_run
from hwaccel.gpu.torch_path import throughput, torch_run
from hwaccel.ir import Graph, interpret


def main() -> None:
    """Compare and time what the command line names."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("networks", nargs="*", default=list(NETWORKS), metavar="NETWORK")
    parser.add_argument("--frames", type=int, default=32, help="frames compared bit for bit")
    parser.add_argument("--batch", type=int, default=1024, help="frames per timed call")
    args = parser.parse_args()
    print(f"{torch.cuda.get_device_name(0)}, torch {torch.__version__}, batch {args.batch}")
    for name in args.networks:
        print(f"{name}: {line(name, args.frames, args.batch)}", flush=True)


def line(name: str, frames: int, batch: int) -> str:
    """Return the figures of one network."""
    model, design, _ = made(name)
    graph = design.graph
    xs = _random(graph, frames)
    golden = interpret(graph, *xs)
    mismatches = 0
    for found in (
        device_run(emit_cuda(graph, name="net", banner="gpu"), graph, xs),
        torch_run(graph, xs, "cuda"),
    ):
        mismatches += sum(int(np.sum(a != b)) for a, b in zip(golden, found, strict=True))
    kernels = _kernels(graph, batch)
    carried = throughput(graph, batch, "cuda", 1.0).frames_per_second
    floats = _floats(model, NETWORKS[name][1], batch)
    return (
        f"{mismatches} mismatches in {frames} frames; frames/s: emitted kernels {kernels:,.0f}, "
        f"golden model on torch {carried:,.0f}, float32 torch {floats:,.0f}"
    )


def _random(graph: Graph, count: int) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(v.type.lo, v.type.hi + 1, (count, *v.type.shape)) for v in graph.inputs]


def _kernels(graph: Graph, batch: int) -> float:
    """Return frames per second of ``NAME_run_device`` on device memory."""
    with tempfile.TemporaryDirectory(prefix="hwaccel-gpu-") as folder:
        library = build_device(emit_cuda(graph, name="net", banner="gpu"), Path(folder))
        code = ctypes.CDLL(str(library))
        types = graph.types()
        tensors = [
            torch.as_tensor(x.astype(storage(v.type.fixed)), device="cuda")
            for v, x in zip(graph.inputs, _random(graph, batch), strict=True)
        ]
        for output in graph.outputs:
            kind = np.dtype(storage(types[output].fixed))
            size = batch * int(np.prod(types[output].shape)) * kind.itemsize
            tensors.append(torch.empty(size, dtype=torch.uint8, device="cuda"))
        code.net_workspace.restype = ctypes.c_longlong
        room = torch.empty(
            code.net_workspace(ctypes.c_longlong(batch)) + 256, dtype=torch.uint8, device="cuda"
        )
        pointers = [ctypes.c_void_p(t.data_ptr()) for t in (*tensors, room)]
        stream = ctypes.c_void_p(torch.cuda.current_stream().cuda_stream)

        def call() -> None:
            status = code.net_run_device(ctypes.c_longlong(batch), *pointers, stream)
            if status != 0:
                raise SystemExit(f"net_run_device: code {status}")

        return batch / _seconds(call)


def _floats(model: nn.Module, shape: tuple[int, ...], batch: int) -> float:
    placed = model.cuda().eval()
    x = torch.randn(batch, *shape, device="cuda")
    with torch.no_grad():
        return batch / _seconds(lambda: placed(x))


def _seconds(call: Callable[[], object], runs: int = 20) -> float:
    """Return the mean time of a call on the device, after three to warm up."""
    for _ in range(3):
        call()
    start, stop = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    for _ in range(runs):
        call()
    stop.record()
    torch.cuda.synchronize()
    return start.elapsed_time(stop) / 1000 / runs


if __name__ == "__main__":
    main()
