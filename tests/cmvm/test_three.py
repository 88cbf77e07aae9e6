"""The search where a carry chain adds three numbers: exact, repeatable, and worth it."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from hwaccel.circuit import Builder
from hwaccel.circuit.cost import total_luts
from hwaccel.circuit.lay_out import lay_out
from hwaccel.circuit.ternary import fused
from hwaccel.cmvm import (
    LUT6,
    LUT6_THREE,
    AdderGraph,
    CostModel,
    Problem,
    Settings,
    minimum_depth,
    solve,
    solve_many,
)
from tests.cmvm.cases import ENTRY


def matrix(seed: int, outputs: int, inputs: int, bits: int) -> np.ndarray:
    half = 1 << (bits - 1)
    return np.random.default_rng(seed).integers(-half, half, (outputs, inputs))


def luts(weights: np.ndarray, model: CostModel, extra: int | None = None) -> float:
    """Return the LUTs of a product of 8-bit inputs on UltraScale+, sums of three made."""
    build = Builder()
    build.origin = "net"
    xs = [build.input(i, -128, 127) for i in range(weights.shape[1])]
    ends = build.linear(weights, xs, np.zeros(len(weights), np.int64))
    circuit = lay_out(
        build,
        [(-128, 127)] * len(xs),
        [int(i) for i in ends],
        lambda problems: solve_many(problems, Settings(), model),
        extra,
    )
    return total_luts(fused(circuit, "xcup").nodes, "xcup")


@pytest.mark.parametrize("seed", range(12))
def test_exact_with_biases_depths_and_limits(seed: int) -> None:
    rng = np.random.default_rng(seed)
    outputs, inputs, bits = (int(n) for n in rng.integers((1, 1, 1), (14, 14, 9)))
    lo = -rng.integers(0, 40, inputs)
    free = Problem.of(
        matrix(seed, outputs, inputs, bits),
        lo.tolist(),
        (lo + rng.integers(0, 90, inputs)).tolist(),
        rng.integers(-99, 99, outputs),
        rng.integers(0, 4, inputs).tolist(),
    )
    for extra in (None, 0, 1, 3):
        limit = None if extra is None else minimum_depth(free) + extra
        problem = Problem.of(free.matrix, free.lo, free.hi, free.bias, free.depth, limit)
        solve(problem, Settings(), LUT6_THREE).check(problem)


@pytest.mark.parametrize("effort", ["normal", "high"])
def test_same_answer_with_any_number_of_threads(
    effort: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    problem = Problem.of(matrix(0, 12, 10, 6), -128, 127)
    answers = []
    for run, threads in enumerate((1, 1, 3)):
        monkeypatch.setattr(ENTRY, "_memory", {})
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / str(run)))
        settings = Settings(effort=effort, threads=threads, seed=5)  # type: ignore[arg-type]
        answers.append(solve(problem, settings, LUT6_THREE))
    assert answers[0] == answers[1] == answers[2]


@pytest.mark.parametrize("extra", [None, 2])
def test_fewer_luts_than_a_search_with_adders_of_two(extra: int | None) -> None:
    shapes = [(12, 12, 4), (16, 16, 6)]
    before, after = (
        sum(luts(matrix(0, *shape), model, extra) for shape in shapes)
        for model in (LUT6, LUT6_THREE)
    )
    assert after < 0.97 * before


def test_cost_of_a_sum_of_nine() -> None:
    problem = Problem.of([[1] * 9], 0, 255)
    graph = solve(problem, Settings(), LUT6_THREE)
    # Three chains of three numbers, and one of what they give: ten bits, twelve bits.
    assert graph.cost(problem, LUT6_THREE) == 3 * 10 + 12
    assert graph.cost(problem, LUT6) > 3 * 10 + 12


@pytest.mark.parametrize("seed", range(4))
def test_cost_is_of_the_best_pairs(seed: int) -> None:
    problem = Problem.of(matrix(seed, 3, 4, 4), -128, 127)
    graph = solve(problem, Settings(effort="fast"), LUT6_THREE)
    costs = [graph.cost(problem, model) for model in (LUT6_THREE, LUT6)]
    assert costs == sorted(costs)
    assert costs[0] >= graph.cost(problem, LUT6) / 2


def test_high_is_never_dearer() -> None:
    for seed in range(3):
        problem = Problem.of(matrix(seed, 8, 8, 5), -128, 127)
        made: list[AdderGraph] = [
            solve(problem, Settings(effort=effort), LUT6_THREE)  # type: ignore[arg-type]
            for effort in ("high", "normal")
        ]
        for better, worse in pairwise(graph.cost(problem, LUT6_THREE) for graph in made):
            assert better <= worse
