"""Run the float graph on calibration data and remember what each value looked like."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike

from hwaccel.errors import FrontendError
from hwaccel.frontend.floatgraph import FloatGraph, Floats
from hwaccel.frontend.program import reason, where

Progress = Callable[[int, int, str], None]

_BATCH = 128
# Elements kept per value; the extremes are kept besides.
_SAMPLE = 1 << 16


@dataclass(frozen=True, slots=True, eq=False)
class Observed:
    """What calibration saw of one value: its extremes, and a sample that includes them."""

    lo: float
    hi: float
    sample: Floats


class _Collector:
    def __init__(self, per_batch: int) -> None:
        self._per_batch = per_batch
        self._lo, self._hi = np.inf, -np.inf
        self._parts: list[Floats] = []

    def take(self, x: torch.Tensor) -> None:
        flat = x.reshape(-1)
        self._lo, self._hi = min(self._lo, flat.min().item()), max(self._hi, flat.max().item())
        # An odd step does not fall into step with the sizes of images.
        step = max(1, flat.numel() // self._per_batch) | 1
        self._parts.append(flat[::step].double().numpy())

    def observed(self) -> Observed:
        sample = np.concatenate([*self._parts, [self._lo, self._hi]])
        return Observed(float(self._lo), float(self._hi), sample)


def batches(
    graph: FloatGraph, calibration: ArrayLike | Sequence[ArrayLike] | None
) -> list[torch.Tensor]:
    """Check the calibration data against the inputs and return one float32 tensor per input.

    Raises:
        FrontendError: wrong number, shape or length, no frames, or numbers that are not finite.
    """
    if calibration is None:
        raise FrontendError("calibration data is needed; give an array (N, ...) per input")
    arrays = _flat(graph, calibration)
    if len(arrays) != len(graph.inputs):
        raise FrontendError(
            f"calibration: found {len(arrays)} arrays, expected {len(graph.inputs)}, "
            "one per input of the model"
        )
    tensors = []
    for value, array in zip(graph.inputs, arrays, strict=True):
        if isinstance(array, torch.Tensor):
            array = array.detach().to("cpu", torch.float32).numpy()
        try:
            data = np.asarray(array, dtype=np.float32)
        except (TypeError, ValueError):
            raise FrontendError(
                f"calibration: data for {value.name} is not an array of numbers; give (N, ...)"
            ) from None
        if data.shape[1:] != value.shape or data.ndim == 0:
            raise FrontendError(
                f"calibration: data for {value.name} has shape {data.shape}, expected "
                f"(N, {', '.join(map(str, value.shape))}); the first axis is the batch"
            )
        if len(data) == 0:
            raise FrontendError(
                f"calibration: data for {value.name} holds no frames; give at least one"
            )
        if not np.isfinite(data).all():
            at = tuple(int(i) for i in np.argwhere(~np.isfinite(data))[0])
            raise FrontendError(
                f"calibration: data for {value.name} holds {data[at]} at index {at}; remove it"
            )
        tensors.append(torch.from_numpy(data))
    if len({len(t) for t in tensors}) > 1:
        lengths = ", ".join(str(len(t)) for t in tensors)
        raise FrontendError(f"calibration: inputs have {lengths} frames, expected equally many")
    return tensors


def _flat(graph: FloatGraph, given: Any) -> list[Any]:
    """Return arrays in the order of the inputs; they may be named, and nested as ``forward`` does.

    Lists of numbers are arrays, lists of arrays are not.
    """
    if isinstance(given, Mapping):
        inputs = [value.name for value in graph.inputs]
        first = {
            key: next((n for n, name in enumerate(inputs) if f"{name}_".startswith(f"{key}_")), 0)
            for key in given
        }
        return _flat(graph, [given[key] for key in sorted(given, key=first.__getitem__)])
    if hasattr(given, "shape"):
        return [given]
    parts = []
    for item in given:
        nested = isinstance(item, tuple | Mapping) or (
            isinstance(item, list) and all(hasattr(x, "shape") for x in item)
        )
        parts += _flat(graph, item) if nested else [item]
    return parts


def calibrate(
    graph: FloatGraph, data: Sequence[torch.Tensor], wanted: set[str], progress: Progress | None
) -> dict[str, Observed]:
    """Run ``graph`` on ``data`` and return what was seen of the ``wanted`` values.

    Raises:
        FrontendError: a value overflows float32 or becomes NaN.
    """
    count = -(-len(data[0]) // _BATCH)
    collectors = {name: _Collector(max(1, _SAMPLE // count)) for name in sorted(wanted)}
    for n in range(count):
        if progress is not None:
            progress(n, count, "calibrating")
        chunk = [x[n * _BATCH : (n + 1) * _BATCH] for x in data]
        with torch.no_grad():
            _run(graph, chunk, collectors)
    if progress is not None:
        progress(count, count, "calibrating")
    return {name: collector.observed() for name, collector in collectors.items()}


def pooled(graph: FloatGraph, seen: dict[str, Observed]) -> dict[str, Observed]:
    """Return ``seen`` with the nodes of one group as if they were one value."""
    groups: dict[str, list[str]] = {}
    for node in graph.nodes:
        if node.group and node.name in seen:
            groups.setdefault(node.group, []).append(node.name)
    for names in groups.values():
        parts = [seen[name] for name in names]
        sample = np.concatenate([part.sample for part in parts])
        sample = sample[:: max(1, len(sample) // _SAMPLE) | 1]
        lo, hi = min(part.lo for part in parts), max(part.hi for part in parts)
        seen |= dict.fromkeys(names, Observed(lo, hi, np.append(sample, [lo, hi])))
    return seen


def _run(
    graph: FloatGraph, chunk: Sequence[torch.Tensor], collectors: dict[str, _Collector]
) -> None:
    env = {value.name: x for value, x in zip(graph.inputs, chunk, strict=True)}
    last = {name: i for i, node in enumerate(graph.nodes) for name in node.inputs}
    for name in env.keys() & collectors.keys():
        collectors[name].take(env[name])
    for i, node in enumerate(graph.nodes):
        try:
            result = node.op.run(*(env[name] for name in node.inputs))
        except (RuntimeError, TypeError, ValueError) as error:
            raise FrontendError(
                f"{where(node.path)}: {node.op.kind}: {reason(error)}; export the model again"
            ) from None
        if not torch.isfinite(result).all():
            raise FrontendError(
                f"{where(node.path)}: {node.op.kind} gives infinity or NaN on the calibration "
                "data; check the weights and the scale of the data"
            )
        env[node.name] = result
        if node.name in collectors:
            collectors[node.name].take(result)
        for name in set(node.inputs):
            if last[name] == i:
                del env[name]
