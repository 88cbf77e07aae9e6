"""Every graph computes its matrix, by its linear forms and on numbers."""

from __future__ import annotations

import numpy as np
import pytest

from hwaccel.cmvm import (
    LUT4,
    LUT6,
    Problem,
    Settings,
    adder_bound,
    depth_bound,
    minimum_depth,
    solve,
)
from tests.cmvm.cases import random_inputs, random_problem, reference


def check(problem: Problem, settings: Settings, rng: np.random.Generator) -> None:
    graph = solve(problem, settings)
    graph.check(problem)
    x = random_inputs(problem, rng, 8)
    np.testing.assert_array_equal(graph.evaluate(x), reference(problem, x))
    assert adder_bound(problem) <= len(graph.adds)
    assert depth_bound(problem) <= graph.depth(problem)
    if problem.depth_limit is not None:
        assert graph.depth(problem) <= problem.depth_limit
    for value, (lo, hi) in zip(
        graph.evaluate(x).T, [_span(problem, i) for i in range(problem.outputs)], strict=True
    ):
        assert value.min() >= lo
        assert value.max() <= hi


def _span(problem: Problem, row: int) -> tuple[int, int]:
    w = problem.matrix.a[row]
    lo, hi = np.array(problem.lo), np.array(problem.hi)
    ends = np.sort(np.stack([w * lo, w * hi]), axis=0)
    return int(ends[0].sum() + problem.bias.a[row]), int(ends[1].sum() + problem.bias.a[row])


def test_random_matrices() -> None:
    rng = np.random.default_rng(0)
    for seed in range(1000):
        check(random_problem(rng), Settings(budget=3000, seed=seed), rng)


@pytest.mark.slow
def test_ten_thousand_random_matrices() -> None:
    rng = np.random.default_rng(1)
    for seed in range(10_000):
        check(random_problem(rng, 6), Settings(budget=1000, seed=seed), rng)


@pytest.mark.parametrize("effort", ["fast", "normal"])
@pytest.mark.parametrize("slack", [None, 0, 2])
def test_larger_matrices(effort: str, slack: int | None) -> None:
    rng = np.random.default_rng(2)
    matrix = rng.integers(-128, 128, (24, 20))
    problem = Problem.of(matrix, -128, 127, rng.integers(-999, 999, 24))
    if slack is not None:
        limit = minimum_depth(problem) + slack
        problem = Problem.of(matrix, -128, 127, problem.bias, depth_limit=limit)
    check(problem, Settings(effort=effort), rng)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("matrix", "adders"),
    [
        ([[1]], 0),
        ([[0]], 0),
        ([[-4]], 0),
        ([[3]], 1),
        ([[5], [10], [-5], [20]], 1),
        ([[1, 1, 1, 1]], 3),
        ([[0, 0], [0, 0]], 0),
        ([[1, 2], [2, 4], [-1, -2]], 1),
        ([[7, 0], [0, 7]], 2),
        ([[2**31 - 1, -(2**31)]], 2),
    ],
)
def test_small_ones(matrix: list[list[int]], adders: int) -> None:
    problem = Problem.of(matrix, -8, 7)
    graph = solve(problem)
    assert len(graph.adds) == adders
    check(problem, Settings(), np.random.default_rng(0))


def test_inputs_of_one_value_become_constants() -> None:
    problem = Problem.of([[3, 5], [1, 0]], [4, -8], [4, 7], [1, 0])
    graph = solve(problem)
    assert graph.constants == (13, 1)
    assert len(graph.adds) == 2
    assert graph.outputs[1].shift == 2
    check(problem, Settings(), np.random.default_rng(0))


def test_no_inputs_and_no_outputs() -> None:
    assert solve(Problem.of(np.zeros((0, 3)), 0, 1)).outputs == ()
    constant = solve(Problem.of(np.zeros((2, 0)), 0, 1, [6, 0]))
    assert constant.evaluate(np.zeros((1, 0), np.int64)).tolist() == [[6, 0]]


def test_a_sum_without_overlap_is_free() -> None:
    problem = Problem.of([[1, 16]], [0, -8], [15, 7])
    assert solve(problem).cost(problem, LUT6) == 0


def test_models_count_what_the_device_has() -> None:
    problem = Problem.of([[1, 1]], -8, 7)
    graph = solve(problem)
    assert graph.cost(problem, LUT6) == 5
    assert graph.cost(problem, LUT4) == 6


def test_search_pays() -> None:
    matrix = np.random.default_rng(0).integers(-8, 8, (16, 16))
    problem = Problem.of(matrix, -128, 127)
    greedy = solve(problem, Settings(budget=0)).cost(problem, LUT6)
    normal = solve(problem).cost(problem, LUT6)
    assert normal < 0.98 * greedy
