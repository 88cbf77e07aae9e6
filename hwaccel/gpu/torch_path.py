"""The golden model on torch tensors, on a GPU where there is one: the same bits, faster.

Integers travel in float32 or float64 carriers wherever the ops' bounds prove every partial sum
exact, so matrix products run at full speed. That proof needs true float32 products: TF32 and
bfloat16 short cuts are switched off for the duration of a run.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwaccel.errors import ToolError
from hwaccel.ir import Graph, Interpreter

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Throughput:
    """Frames per second of the golden model at a batch size, tensors kept on the device."""

    device: str
    batch: int
    runs: int
    frames_per_second: float


def torch_run(graph: Graph, xs: Sequence[Ints], device: str | None = None) -> tuple[Ints, ...]:
    """Return the integer outputs for batches ``(N, *shape)``, computed by torch.

    ``device`` is a torch device name; by default ``cuda`` where available, else ``cpu``.

    Raises:
        ToolError: torch is not installed, or it has no such device.
        VerifyError: the batches do not fit the inputs of the graph.
    """
    torch = _torch()
    where = _device(torch, device)
    tensors = [torch.as_tensor(np.ascontiguousarray(x, dtype=np.int64), device=where) for x in xs]
    with torch.no_grad(), _exact_products(torch):
        return tuple(y.cpu().numpy() for y in Interpreter(graph).run(*tensors))


def throughput(
    graph: Graph, batch: int, device: str | None = None, seconds: float = 2.0
) -> Throughput:
    """Measure the golden model on random frames for about ``seconds``, after one run to warm up.

    Raises:
        ToolError: torch is not installed, or it has no such device.
    """
    torch = _torch()
    where = _device(torch, device)
    rng = np.random.default_rng(0)
    xs = [
        torch.as_tensor(
            rng.integers(v.type.lo, v.type.hi + 1, (batch, *v.type.shape)), device=where
        )
        for v in graph.inputs
    ]
    interpreter = Interpreter(graph)
    with torch.no_grad(), _exact_products(torch):
        interpreter.run(*xs)
        _finish(torch, where)
        started, runs = time.perf_counter(), 0
        while runs == 0 or time.perf_counter() - started < seconds:
            interpreter.run(*xs)
            _finish(torch, where)
            runs += 1
        elapsed = time.perf_counter() - started
    return Throughput(where, batch, runs, batch * runs / elapsed)


def _torch() -> Any:
    try:
        import torch
    except ImportError:
        raise ToolError("torch: not found; install it with: pip install 'hwaccel[torch]'") from None
    return torch


def _device(torch: Any, device: str | None) -> str:
    available = torch.cuda.is_available()
    name = device or ("cuda" if available else "cpu")
    try:
        kind = torch.device(name).type
    except RuntimeError:
        raise ToolError(f"torch: {name!r} is not a device; use cpu or cuda") from None
    if kind not in ("cpu", "cuda") or (kind == "cuda" and not available):
        raise ToolError(f"torch: device {name!r} is not available here; use cpu")
    return name


def _finish(torch: Any, device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)


@contextlib.contextmanager
def _exact_products(torch: Any) -> Iterator[None]:
    """Keep float32 matrix products in float32: 10 bits of TF32 would round the integers."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
