"""What one adder costs, by the docstring of each rule, and what is kept of an answer."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pytest

from hwaccel.cmvm import LUT4, Problem, Settings, adder_cost, solve
from hwaccel.cmvm import cost as costs
from hwaccel.cmvm.bounds import adder_bound
from hwaccel.cmvm.cost import chain_bits, width
from tests.cmvm.cases import ENTRY

ENDS = [
    (0, 0),
    (0, 1),
    (0, 3),
    (0, 4),
    (-1, 0),
    (-4, 3),
    (-5, 3),
    (-1, 9),
    (2, 6),
    (-8, -3),
    (5, 5),
]


@pytest.mark.parametrize("ends", ENDS)
def test_a_width_is_the_least_that_tells_all_values_apart(ends: tuple[int, int]) -> None:
    lo, hi = ends
    bits = next(
        n
        for n in range(9)
        if (lo >= 0 and hi < 1 << n) or (lo < 0 and n and -(1 << n - 1) <= lo and hi < 1 << n - 1)
    )
    assert width(ends) == bits


def carries(
    a: tuple[int, int], b: tuple[int, int], shift: int, subtract: bool, result: tuple[int, int]
) -> int:
    """Count the positions of the result, from the lowest at which both operands have a bit."""
    if result[0] == result[1]:
        return 0
    ups = max(0, -shift), max(0, shift)
    lower = a if ups[0] <= ups[1] else b
    if subtract:
        # What is below a subtracted operand passes; the subtracted one itself is negated whole.
        passes = ups[1]
        return max(0, width(result) - passes)
    if lower[0] >= 0 and width(lower) <= max(ups):
        return 0
    return max(0, width(result) - max(ups))


@pytest.mark.parametrize("subtract", [False, True])
@pytest.mark.parametrize("shift", [-5, -2, -1, 0, 1, 2, 3, 7])
def test_carry_positions_are_those_at_which_operands_meet(shift: int, subtract: bool) -> None:
    for a, b in product(ENDS, ENDS):
        low, high = ([v << max(0, s) for v in x] for x, s in ((a, -shift), (b, shift)))
        result = (
            (low[0] - high[1], low[1] - high[0])
            if subtract
            else (low[0] + high[0], low[1] + high[1])
        )
        found = chain_bits(a, b, shift, subtract, result)
        assert found == carries(a, b, shift, subtract, result), (a, b)
        assert adder_cost(LUT4, a, b, shift, subtract, result) == LUT4.chain(found)


def test_an_answer_is_read_from_the_cache_of_the_user(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    rng = np.random.default_rng(5)
    problem = Problem.of(rng.integers(-31, 32, (6, 5)), -8, 7)
    settings = Settings(effort="fast", seed=99)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(ENTRY, "_memory", {})
    graph = solve(problem, settings)
    (kept,) = tmp_path.rglob("*.json")
    assert kept.stat().st_size > 100
    monkeypatch.setattr(ENTRY, "_memory", {})
    monkeypatch.setattr(ENTRY, "_run", None)
    assert solve(problem, settings) == graph


def test_answers_of_other_settings_are_other_answers() -> None:
    problem = Problem.of([[3, 5], [7, -9]], -8, 7)
    some = [
        Settings(), Settings(effort="fast"), Settings(effort="high"), Settings(seed=1),
        Settings(budget=0), Settings(budget=1), Settings(budget=2000),
    ]  # fmt: skip
    keys = [
        ENTRY._key(problem, settings, model) for settings in some for model in (LUT4, costs.LUT6)
    ]
    assert len(set(keys)) == len(keys)
    same = {ENTRY._key(problem, Settings(effort=e, budget=7), LUT4) for e in ("fast", "high")}  # type: ignore[arg-type]
    assert len(same) == 1
    assert ENTRY._key(problem, Settings(threads=3), LUT4) == ENTRY._key(problem, Settings(), LUT4)


@pytest.mark.parametrize(
    ("rows", "bias", "least"),
    [
        ([[1, 0]], [0], 0),
        ([[-4, 0]], [0], 0),
        ([[1, 1]], [0], 1),
        ([[3, 0]], [0], 1),
        ([[1, 0]], [5], 1),
        ([[1, 1], [2, 2]], [0, 0], 1),  # up to a shift
        ([[1, 1], [-1, -1]], [0, 0], 1),  # up to a sign
        ([[1, -1], [-2, 2]], [0, 0], 1),
        ([[-1, 1], [1, 1]], [0, 0], 2),
        ([[1, 1], [1, 1]], [0, 2], 2),
        ([[1, 1], [3, 3]], [0, 0], 2),
        ([[21, 0]], [0], 2),
        ([[1, 1], [1, 2], [1, 4]], [0, 0, 0], 3),
    ],
)
def test_no_graph_has_fewer_adders(rows: list[list[int]], bias: list[int], least: int) -> None:
    problem = Problem.of(rows, -8, 7, bias=bias)
    assert adder_bound(problem) == least
    assert len(solve(problem, Settings(effort="fast")).adds) >= least
