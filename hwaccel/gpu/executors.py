"""What can be timed: emitted kernels, the golden model on torch, a float model on torch.

Each keeps its tensors on the device. ``ready`` returns a call that computes a batch again and
again and waits for nothing; ``results`` are the integers of the last one.
"""

from __future__ import annotations

import contextlib
import ctypes
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hwaccel.emit.cuda import storage
from hwaccel.errors import ToolError
from hwaccel.fxp.boundary import dequantize
from hwaccel.gpu.cuda import check_status
from hwaccel.gpu.energy import Meter
from hwaccel.gpu.torch_path import _exact_products, _torch
from hwaccel.ir import Graph, Interpreter

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
# Calls between two times that the device is waited for.
_MOST_CALLS = 1000
# Frames whose latency is taken, least and most.
_LATENCIES = (5, 1000)


@dataclass(frozen=True, slots=True)
class Call:
    """A batch on the device: ``run`` starts computing it, ``results`` waits and copies.

    ``held`` is memory that ``run`` knows by address alone.
    """

    run: Callable[[], object]
    results: Callable[[], tuple[NDArray[Any], ...]]
    held: tuple[Any, ...] = ()


class Executor(Protocol):
    """Something that computes batches of a graph on ``device``."""

    @property
    def device(self) -> str:
        """Name of the torch device."""
        ...

    def ready(self, xs: Sequence[Ints]) -> Call:
        """Put integer batches ``(N, *shape)`` on the device."""
        ...


class Kernels:
    """Emitted kernels from a library of ``build_device`` or, on the CPU, of ``build_host``."""

    def __init__(self, library: Path, graph: Graph, device: str) -> None:
        self.device = device
        self._graph, self._name = graph, library.stem
        self._code = ctypes.CDLL(str(library))
        self._code[f"{self._name}_workspace"].restype = ctypes.c_longlong

    def ready(self, xs: Sequence[Ints]) -> Call:
        """Put the batches on the device in the smallest integers that hold them."""
        torch, code, name = _torch(), self._code, self._name
        types, count = self._graph.types(), ctypes.c_longlong(len(xs[0]))

        def place(array: NDArray[Any]) -> Any:
            data = np.frombuffer(array.tobytes() or b"\0", dtype=np.uint8).copy()
            return torch.as_tensor(data, device=self.device)

        def room(size: int) -> Any:
            return torch.empty(max(1, size), dtype=torch.uint8, device=self.device)

        ins = [
            place(x.astype(storage(value.type.fixed)))
            for value, x in zip(self._graph.inputs, xs, strict=True)
        ]
        kinds = [np.dtype(storage(types[output].fixed)) for output in self._graph.outputs]
        shapes = [(len(xs[0]), *types[output].shape) for output in self._graph.outputs]
        outs = [room(math.prod(s) * k.itemsize) for s, k in zip(shapes, kinds, strict=True)]
        work = room(int(code[f"{name}_workspace"](count)))
        pointers = [ctypes.c_void_p(tensor.data_ptr()) for tensor in (*ins, *outs, work)]
        function = code[f"{name}_run_device"]

        def run() -> None:
            stream = torch.cuda.current_stream().cuda_stream if self.device != "cpu" else None
            status = function(count, *pointers, ctypes.c_void_p(stream))
            check_status(code, name, f"{name}_run_device", status)

        def results() -> tuple[Ints, ...]:
            return tuple(
                np.frombuffer(y.cpu().numpy().tobytes(), k, math.prod(s))
                .reshape(s)
                .astype(np.int64)
                for y, s, k in zip(outs, shapes, kinds, strict=True)
            )

        return Call(run, results, (*ins, work))


class IntegerTorch:
    """The golden model on torch tensors."""

    def __init__(self, graph: Graph, device: str) -> None:
        self.device = device
        self._interpreter = Interpreter(graph)

    def ready(self, xs: Sequence[Ints]) -> Call:
        """Put the batches on the device."""
        torch = _torch()
        tensors = [torch.as_tensor(np.ascontiguousarray(x), device=self.device) for x in xs]
        return _torch_call(torch, lambda: self._interpreter.run(*tensors), _exact_products)


class FloatTorch:
    """A float model, in float32 and with torch's own settings of precision.

    ``frac`` of every input says which numbers its integers stand for.
    """

    def __init__(self, model: Any, fracs: Sequence[int], device: str) -> None:
        self.device = device
        self._model, self._fracs = model.to(device).eval(), tuple(fracs)

    def ready(self, xs: Sequence[Ints]) -> Call:
        """Put the numbers that the batches stand for on the device."""
        torch = _torch()
        tensors = [
            torch.as_tensor(dequantize(x, frac=frac), device=self.device).float()
            for x, frac in zip(xs, self._fracs, strict=True)
        ]
        return _torch_call(torch, lambda: self._model(*tensors), lambda _: contextlib.nullcontext())


def _torch_call(
    torch: Any,
    compute: Callable[[], Any],
    setting: Callable[[Any], contextlib.AbstractContextManager[None]],
) -> Call:
    last: list[Any] = []

    def run() -> None:
        with torch.no_grad(), setting(torch):
            last[:] = [compute()]

    return Call(run, lambda: tuple(y.detach().cpu().numpy() for y in flat(last[0])))


def flat(found: Any) -> Iterator[Any]:
    """Yield the tensors of what a model returned, in its order."""
    if isinstance(found, dict):
        found = tuple(found.values())
    if isinstance(found, list | tuple):
        for part in found:
            yield from flat(part)
    else:
        yield found


@dataclass(frozen=True, slots=True)
class Speed:
    """``joules`` are for all ``frames``; ``None`` where no counter moved."""

    batch: int
    frames: int
    seconds: float
    joules: float | None


def measure(executor: Executor, xs: Sequence[Ints], seconds: float, meter: Meter) -> Speed:
    """Compute a batch over and over for about ``seconds``, after two calls to warm up."""
    torch, call = _torch(), executor.ready(xs)
    call.run()
    each = _timed(torch, executor.device, call.run, 1)
    calls, elapsed, before = 0, 0.0, meter.read()
    while elapsed < seconds:
        # The device is waited for once in a while: a queue of calls keeps it busy.
        more = min(_MOST_CALLS, max(1, math.ceil((seconds - elapsed) / max(each, 1e-9))))
        elapsed += _timed(torch, executor.device, call.run, more)
        calls += more
        each = elapsed / calls
    after = meter.read()
    used = None if before is None or after is None or after <= before else after - before
    batch = len(xs[0])
    return Speed(batch, batch * calls, elapsed, used)


def latency(executor: Executor, frame: Sequence[Ints], seconds: float) -> float:
    """Return the median time of computing one frame, from its start until it is done."""
    torch, call = _torch(), executor.ready(frame)
    call.run()
    once = _timed(torch, executor.device, call.run, 1)
    least, most = _LATENCIES
    count = min(most, max(least, math.ceil(seconds / max(once, 1e-9))))
    return median(_timed(torch, executor.device, call.run, 1) for _ in range(count))


def _timed(torch: Any, device: str, run: Callable[[], object], calls: int) -> float:
    started = time.perf_counter()
    for _ in range(calls):
        run()
    if device != "cpu":
        torch.cuda.synchronize()
    return time.perf_counter() - started


@contextlib.contextmanager
def fitting(what: str) -> Iterator[None]:
    """Say in one line that a batch does not fit into memory.

    Raises:
        ToolError: it does not; the line names ``what``.
    """
    torch = _torch()
    try:
        yield
    except (MemoryError, torch.OutOfMemoryError) as error:
        raise ToolError(f"{what}: does not fit into memory; give a smaller --batch") from error
    except RuntimeError as error:
        # torch has no class of its own for the memory of the host.
        if "allocate memory" not in str(error):
            raise
        raise ToolError(f"{what}: does not fit into memory; give a smaller --batch") from error


def memory_free(device: str) -> int:
    """Return the bytes that are free on the device now."""
    if device == "cpu":
        return _available()
    return int(_torch().cuda.mem_get_info()[0])


def _available() -> int:
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/meminfo").read_text("ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) << 10
    return 1 << 62  # not known


def bytes_needed(graph: Graph, batch: int) -> int:
    """Return what the golden model on torch needs at least for the tensors of ``batch`` frames.

    Inputs are there as integers of 64 bits, and some node holds an operand and its result.
    """
    types = graph.types()
    inputs = sum(value.type.size for value in graph.inputs)
    pairs = (
        node.output.type.size + sum(types[name].size for name in node.inputs)
        for node in graph.nodes
    )
    return batch * (8 * inputs + 4 * max(pairs, default=0))
