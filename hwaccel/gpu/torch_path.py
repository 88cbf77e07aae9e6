"""The golden model on torch tensors, on a GPU where there is one: the same bits, faster.

Integers travel in float32 or float64 carriers wherever the ops' bounds prove every partial sum
exact, so matrix products run at full speed. That proof needs true float32 products: TF32 and
bfloat16 short cuts are switched off for the duration of a run.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwaccel.errors import ToolError
from hwaccel.ir import Graph, Interpreter

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Throughput:
    """Frames per second of the golden model at a batch size, tensors kept on the device.

    Where several devices share a batch, ``device`` names all of them.
    """

    device: str
    batch: int
    runs: int
    frames_per_second: float


def torch_run(
    graph: Graph, xs: Sequence[Ints], device: str | Sequence[str] | None = None
) -> tuple[Ints, ...]:
    """Return the integer outputs for batches ``(N, *shape)``, computed by torch.

    ``device`` is a torch device name, or several: each then computes a run of the frames, all at
    the same time, and the results are put together in order. By default it is every CUDA device
    there is, else ``cpu``.

    Raises:
        ToolError: torch is not installed, or it has no such device.
        VerifyError: the batches do not fit the inputs of the graph.
    """
    torch = _torch()
    places = _devices(torch, device)
    interpreter = Interpreter(graph)
    with torch.no_grad(), _exact_products(torch):
        if len(places) == 1 or not xs:
            return _part(torch, interpreter, xs, places[0])
        # Before they are parted: a part that fits would hide that the whole does not.
        interpreter.environment(xs)
        parts = [[x[part] for x in xs] for part in shares(len(xs[0]), len(places))]
        with ThreadPoolExecutor(len(places)) as pool:
            found = list(
                pool.map(
                    lambda part, where: _part_alone(torch, Interpreter(graph), part, where),
                    parts,
                    places,
                )
            )
    return tuple(np.concatenate(outputs) for outputs in zip(*found, strict=True))


def shares(frames: int, count: int) -> list[slice]:
    """Return which frames each of ``count`` devices gets: runs in order, as equal as may be.

    None is empty, so there are fewer where there are fewer frames, but always one.
    """
    count = max(1, min(frames, count))
    ends = [frames * i // count for i in range(count + 1)]
    return [slice(start, stop) for start, stop in pairwise(ends)]


def _part_alone(
    torch: Any, interpreter: Interpreter, xs: Sequence[Ints], where: str
) -> tuple[Ints, ...]:
    # Whether gradients are kept is a matter of each thread.
    with torch.no_grad():
        return _part(torch, interpreter, xs, where)


def _part(torch: Any, interpreter: Interpreter, xs: Sequence[Ints], where: str) -> tuple[Ints, ...]:
    tensors = [torch.as_tensor(np.ascontiguousarray(x, dtype=np.int64), device=where) for x in xs]
    return tuple(y.cpu().numpy() for y in interpreter.run(*tensors))


def throughput(
    graph: Graph, batch: int, device: str | Sequence[str] | None = None, seconds: float = 2.0
) -> Throughput:
    """Measure the golden model on random frames for about ``seconds``, after one run to warm up.

    The batch is shared by the devices, by default every CUDA device there is.

    Raises:
        ToolError: torch is not installed, or it has no such device.
    """
    torch = _torch()
    places = _devices(torch, device)
    rng = np.random.default_rng(0)
    xs = [rng.integers(v.type.lo, v.type.hi + 1, (batch, *v.type.shape)) for v in graph.inputs]
    parts = [
        (Interpreter(graph), [torch.as_tensor(x[part], device=where) for x in xs], where)
        for part, where in zip(shares(batch, len(places)), places, strict=False)
    ]

    def work(part: tuple[Interpreter, Sequence[Any], str]) -> None:
        interpreter, tensors, where = part
        with torch.no_grad():
            interpreter.run(*tensors)
        _finish(torch, where)

    with _exact_products(torch), ThreadPoolExecutor(len(parts)) as pool:
        list(pool.map(work, parts))
        started, runs = time.perf_counter(), 0
        while runs == 0 or time.perf_counter() - started < seconds:
            list(pool.map(work, parts))
            runs += 1
        elapsed = time.perf_counter() - started
    return Throughput(_label(places[: len(parts)]), batch, runs, batch * runs / elapsed)


def _label(places: Sequence[str]) -> str:
    return places[0] if len(places) == 1 else f"{len(places)} devices ({', '.join(places)})"


def _torch() -> Any:
    try:
        import torch
    except ImportError:
        raise ToolError("torch: not found; install it with: pip install 'hwaccel[torch]'") from None
    return torch


def _devices(torch: Any, device: str | Sequence[str] | None) -> list[str]:
    """Return the devices to use, all of which are there."""
    if device is None:
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        named = [f"cuda:{i}" for i in range(count)] if count > 1 else ["cuda" if count else "cpu"]
    else:
        named = [device] if isinstance(device, str) else list(device)
    if not named:
        raise ToolError("torch: no device is named; use cpu or cuda")
    return [_device(torch, name) for name in named]


def _device(torch: Any, name: str) -> str:
    try:
        found = torch.device(name)
    except RuntimeError:
        raise ToolError(f"torch: {name!r} is not a device; use cpu or cuda") from None
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if found.type not in ("cpu", "cuda") or (found.type == "cuda" and not count):
        raise ToolError(f"torch: device {name!r} is not available here; use cpu")
    if found.type == "cuda" and (found.index or 0) >= count:
        raise ToolError(
            f"torch: device {name!r} is not available here; the last is cuda:{count - 1}"
        )
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
