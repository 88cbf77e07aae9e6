"""Random problems of every kind, small enough to solve by the thousand."""

from __future__ import annotations

import importlib

import numpy as np

from hwaccel.cmvm import Problem, minimum_depth

ENTRY = importlib.import_module("hwaccel.cmvm.solve")  # the package holds a function of this name


def random_problem(rng: np.random.Generator, largest: int = 8) -> Problem:
    outputs, inputs = (int(v) for v in rng.integers(1, largest + 1, 2))
    bits = int(rng.choice([1, 2, 3, 4, 6, 8, 12, 20, 31]))
    half = 1 << (bits - 1)
    matrix = rng.integers(-half, half + 1, (outputs, inputs))
    matrix[rng.random(matrix.shape) < rng.choice([0, 0.3, 0.8])] = 0
    if outputs > 1 and rng.random() < 0.3:
        matrix[0] = matrix[-1] * rng.choice([1, -1, 2, -4])
    if rng.random() < 0.1:
        matrix = -abs(matrix)
    matrix = np.clip(matrix, -(1 << 31), (1 << 31) - 1)
    reach = 1 << int(rng.integers(1, 20))
    lo = rng.integers(-reach, reach, inputs)
    hi = lo + rng.integers(0, reach, inputs) * (rng.random(inputs) < 0.9)
    if rng.random() < 0.3:
        lo, hi = np.zeros_like(lo), rng.integers(0, reach, inputs)
    bias = rng.integers(-1000, 1000, outputs) * (rng.random(outputs) < 0.6)
    depth = rng.integers(0, 6, inputs) if rng.random() < 0.4 else np.zeros(inputs, int)
    problem = Problem.of(
        matrix,
        lo.tolist(),
        hi.tolist(),
        bias if rng.random() < 0.5 else None,
        depth.tolist(),
    )
    if rng.random() < 0.6:
        limit = minimum_depth(problem) + int(rng.integers(0, 3))
        return Problem.of(
            problem.matrix, problem.lo, problem.hi, problem.bias, problem.depth, limit
        )
    return problem


def random_inputs(problem: Problem, rng: np.random.Generator, count: int) -> np.ndarray:
    return rng.integers(problem.lo, np.array(problem.hi) + 1, (count, problem.inputs))


def reference(problem: Problem, x: np.ndarray) -> np.ndarray:
    return x @ problem.matrix.a.T + problem.bias.a
