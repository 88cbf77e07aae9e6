"""From a problem to an adder graph: the optimizer behind a cache."""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import os
import tempfile
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np

from hwaccel.cmvm import native
from hwaccel.cmvm.cost import LUT6, CostModel
from hwaccel.cmvm.graph import Adder, AdderGraph, Tap
from hwaccel.cmvm.problem import Problem, digit_weight, minimum_depth
from hwaccel.errors import ConfigError, HwaccelError
from hwaccel.tools.cache import user_cache

ALGORITHM = 5
"""Raised whenever the same settings give another graph, so that no cache answers for the old."""

# Operations per digit of the matrix (at the least depth, where fewer moves are left; above it; and
# without a limit), first states, searches that share the operations.
_EFFORTS = {
    "fast": (300, 300, 300, 2, 1),
    "normal": (2000, 4500, 10000, 3, 1),
    "high": (24000, 24000, 24000, 8, 6),
}
_LARGE = 100_000


@dataclass(frozen=True, slots=True)
class Settings:
    """How much work to spend. ``budget`` counts operations and overrides ``effort``.

    The answer depends on everything here except ``threads``.
    """

    effort: Literal["fast", "normal", "high"] = "normal"
    seed: int = 0
    budget: int | None = None
    threads: int = 1


_memory: dict[str, AdderGraph] = {}
_lock = threading.Lock()


def solve(
    problem: Problem, settings: Settings | None = None, model: CostModel = LUT6
) -> AdderGraph:
    """Return a checked graph that computes the problem exactly.

    Answers are kept in memory and in the user's cache.

    Raises:
        ConfigError: the depth limit cannot be met, or the settings are not possible.
        ToolError: the compiled optimizer is missing.
    """
    chosen = settings or Settings()
    key = _key(problem, chosen, model)
    with _lock:
        known = _memory.get(key)
    if known is not None:
        return known
    if problem.depth_limit is not None:
        least = minimum_depth(problem)
        if problem.depth_limit < least:
            raise ConfigError(
                f"cmvm: a depth of {problem.depth_limit} is not possible, the nearest is {least}"
            )
    path = user_cache("cmvm") / key[:2] / f"{key}.json"
    graph = _read(path, problem)
    if graph is None:
        graph = _run(problem.folded(), chosen, model)
        graph.check(problem)
        if chosen.effort == "high" and chosen.budget is None:
            # Several searches that share their operations may all end above a single one.
            single = solve(problem, replace(chosen, effort="normal"), model)
            graph = min(graph, single, key=lambda g: g.cost(problem, model))
        _write(path, graph)
    with _lock:
        _memory[key] = graph
    return graph


def forget() -> None:
    """Empty the cache in memory; the user's cache stays."""
    with _lock:
        _memory.clear()


def solve_many(
    problems: Sequence[Problem],
    settings: Settings | None = None,
    model: CostModel = LUT6,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> list[AdderGraph]:
    """Solve several problems side by side; ``progress`` is told how many of how many are done."""
    distinct = list(dict.fromkeys(problems))
    answers: dict[Problem, AdderGraph] = {}
    with ThreadPoolExecutor(max(1, workers)) as pool:
        tasks = [(p, pool.submit(solve, p, settings, model)) for p in distinct]
        try:
            for done, (problem, task) in enumerate(tasks, 1):
                answers[problem] = task.result()
                if progress is not None:
                    progress(done, len(tasks))
        except BaseException:
            for _, task in tasks:
                task.cancel()
            raise
    return [answers[problem] for problem in problems]


def _key(problem: Problem, settings: Settings, model: CostModel) -> str:
    if settings.effort not in _EFFORTS:
        raise ConfigError(
            f"cmvm: effort: expected one of {', '.join(_EFFORTS)}, found {settings.effort!r}"
        )
    if settings.budget is not None and settings.budget < 0:
        raise ConfigError(f"cmvm: budget: expected 0 or more, found {settings.budget}")
    effort = settings.effort if settings.budget is None else f"budget {settings.budget}"
    text = (
        f"{problem.digest()} {ALGORITHM} {effort} {settings.seed} "
        f"{model.bit!r} {model.fixed!r} {model.granule!r}{' three' if model.ternary else ''}"
    )
    return hashlib.sha256(text.encode()).hexdigest()


def _run(problem: Problem, settings: Settings, model: CostModel) -> AdderGraph:
    lib = native.library()
    tight, loose, per_digit, starts, runs = _EFFORTS[settings.effort]
    limit = problem.depth_limit
    if limit is not None:
        per_digit = tight if limit == minimum_depth(problem) else loose
    digits = sum(digit_weight(c) for c in problem.matrix.a.ravel().tolist())
    budget = per_digit * digits if settings.budget is None else settings.budget
    if digits > _LARGE:  # two states at once would need too much memory
        starts = runs = 1
    arrays = [
        np.ascontiguousarray(values, dtype=kind)
        for values, kind in (
            (problem.matrix.a, np.int64),
            (problem.lo, np.int64),
            (problem.hi, np.int64),
            (problem.bias.a, np.int64),
            (problem.depth, np.int32),
        )
    ]
    handle = lib.cmvm_solve(
        problem.outputs,
        problem.inputs,
        *(array.ctypes.data for array in arrays),
        -1 if problem.depth_limit is None else min(problem.depth_limit, 1 << 30),
        settings.seed & (2**64 - 1),
        budget,
        starts,
        runs,
        max(1, settings.threads),
        model.fixed,
        model.bit,
        model.granule,
        int(model.ternary),
    )
    if not handle:
        raise ConfigError(
            f"cmvm: a matrix of {problem.outputs} x {problem.inputs} needs more memory than "
            "there is; cut it into blocks"
        )
    try:
        return _collect(lib, handle, problem)
    finally:
        lib.cmvm_free(handle)


def _collect(lib: ctypes.CDLL, handle: int, problem: Problem) -> AdderGraph:
    n_constants, n_adds = ctypes.c_int(), ctypes.c_int()
    lib.cmvm_sizes(handle, ctypes.byref(n_constants), ctypes.byref(n_adds))
    constants = np.zeros(n_constants.value, dtype=np.int64)
    adds = np.zeros((n_adds.value, 4), dtype=np.int32)
    taps = np.zeros((problem.outputs, 3), dtype=np.int32)
    lib.cmvm_read(handle, constants.ctypes.data, adds.ctypes.data, taps.ctypes.data)
    return AdderGraph(
        inputs=problem.inputs,
        constants=tuple(constants.tolist()),
        adds=tuple(Adder(a, b, shift, bool(s)) for a, b, shift, s in adds.tolist()),
        outputs=tuple(Tap(node, shift, bool(s)) for node, shift, s in taps.tolist()),
    )


def _read(path: Path, problem: Problem) -> AdderGraph | None:
    """Return the cached graph unless it is missing, damaged or not the problem's."""
    try:
        graph = msgspec.json.decode(path.read_bytes(), type=AdderGraph)
        graph.check(problem)
    except (OSError, ValueError, msgspec.MsgspecError, HwaccelError):
        return None
    return graph


def _write(path: Path, graph: AdderGraph) -> None:
    """Keep a graph; a cache that cannot be written is no reason to fail."""
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, suffix=".part")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(msgspec.json.encode(graph))
            os.replace(name, path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
