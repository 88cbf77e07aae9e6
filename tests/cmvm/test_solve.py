"""The cache, determinism, the depth limit and the refusals."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hwaccel.cmvm import (
    LUT4,
    LUT6,
    LUT6_THREE,
    Adder,
    AdderGraph,
    Problem,
    Settings,
    Tap,
    minimum_depth,
    solve,
    solve_many,
)
from hwaccel.errors import ConfigError, VerifyError
from tests.cmvm.cases import ENTRY


def matrix(seed: int = 0, outputs: int = 12, inputs: int = 10, bits: int = 6) -> np.ndarray:
    half = 1 << (bits - 1)
    return np.random.default_rng(seed).integers(-half, half, (outputs, inputs))


def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ENTRY, "_memory", {})


def test_answers_depend_on_problem_and_seed_only(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    problem = Problem.of(matrix(), -128, 127)
    answers = []
    for run, threads in enumerate((1, 1, 3)):
        forget(monkeypatch)
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / str(run)))
        answers.append(solve(problem, Settings(effort="high", threads=threads, seed=5)))
    assert answers[0] == answers[1] == answers[2]
    assert solve(problem, Settings(budget=100_000, seed=6)) != solve(
        problem, Settings(budget=100_000, seed=7)
    )


def test_many_at_once_equal_one_by_one() -> None:
    problems = [Problem.of(matrix(seed % 3), -8, 7) for seed in range(5)]
    said: list[tuple[int, int]] = []
    graphs = solve_many(
        problems,
        Settings(effort="fast"),
        LUT6,
        workers=3,
        progress=lambda a, b: said.append((a, b)),
    )
    assert graphs == [solve(p, Settings(effort="fast")) for p in problems]
    assert said == [(1, 3), (2, 3), (3, 3)]


def test_cache_is_used_and_survives_damage(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    problem = Problem.of(matrix(), -128, 127)
    graph = solve(problem)
    (file,) = cache.rglob("*.json")
    whole = file.read_bytes()
    assert not list(cache.rglob("*.part"))
    for bad in (
        b"",
        b"{",
        whole[: len(whole) // 2],
        whole.replace(b'"shift":1', b'"shift":2'),
        b"[]",
    ):
        file.write_bytes(bad)
        forget(monkeypatch)
        assert solve(problem) == graph
        assert file.read_bytes() == whole
    forget(monkeypatch)
    monkeypatch.setattr(ENTRY, "_run", None)
    assert solve(problem) == graph


def test_cache_that_cannot_be_written_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
    solve(Problem.of(matrix(), -128, 127))


def test_digest_tells_problems_apart() -> None:
    base = {"matrix": [[1, 2]], "lo": 0, "hi": 3, "bias": [0], "depth": [0, 0]}
    variants = [
        base,
        base | {"matrix": [[1, 3]]},
        base | {"lo": -1},
        base | {"hi": 4},
        base | {"bias": [1]},
        base | {"depth": [0, 1]},
        base | {"depth_limit": 9},
    ]
    digests = {Problem.of(**v).digest() for v in variants}
    assert len(digests) == len(variants)
    assert len({Problem.of(**v) for v in variants}) == len(variants)


def test_minimum_depth() -> None:
    assert minimum_depth(Problem.of([[0]], 0, 1)) == 0
    assert minimum_depth(Problem.of([[4]], 0, 1)) == 0
    assert minimum_depth(Problem.of([[3]], 0, 1)) == 1
    assert minimum_depth(Problem.of([[1, 1, 1, 1]], 0, 1)) == 2
    assert minimum_depth(Problem.of([[1, 1, 1, 1]], 0, 1, [5])) == 3
    assert minimum_depth(Problem.of([[1, 1, 1]], 0, 1, depth=[0, 0, 3])) == 4
    assert minimum_depth(Problem.of([[1, 1]], 0, 1, depth=[0, 200])) == 201


@pytest.mark.parametrize("slack", [0, 1])
def test_uneven_depths_are_met(slack: int) -> None:
    depth = [0, 3, 1, 0, 7, 0, 2, 2, 100, 0]
    free = Problem.of(matrix(), -8, 7, depth=depth)
    limit = minimum_depth(free) + slack
    problem = Problem.of(matrix(), -8, 7, depth=depth, depth_limit=limit)
    assert solve(problem).depth(problem) <= limit


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"matrix": [[0.5]]}, "cmvm: matrix: expected finite integers, found 0.5"),
        ({"matrix": [[np.inf]]}, "cmvm: matrix: expected finite integers, found inf"),
        ({"matrix": [[np.nan]]}, "cmvm: matrix: expected finite integers, found nan"),
        ({"matrix": [["a"]]}, "cmvm: matrix: expected integers, found <U1"),
        ({"matrix": [1, 2]}, "cmvm: matrix: expected 2 axes, found 1"),
        ({"matrix": [[1 << 40]]}, "entries of up to 32 bits are possible, found 1099511627776"),
        ({"lo": 4}, "cmvm: input 0: the interval [4, 3] is empty"),
        ({"bias": [1, 2]}, "cmvm: bias: expected 1 values for a matrix of 1 x 1, found 2"),
        ({"lo": [0, 0]}, "cmvm: lo: expected 1 values for a matrix of 1 x 1, found 2"),
        ({"depth": [-1]}, "cmvm: depth: expected 0 to 1048576, found [-1]"),
        ({"matrix": [[1 << 30]], "hi": 1 << 40}, "cmvm: output 0: the sum needs 72 bits"),
        ({"matrix": [[-(1 << 30)]], "hi": 1 << 40}, "cmvm: output 0: the sum needs 72 bits"),
    ],
)
def test_refusals(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Problem.of(**({"matrix": [[1]], "lo": 0, "hi": 3} | arguments))  # type: ignore[arg-type]
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_depth_limit_below_the_minimum() -> None:
    with pytest.raises(ConfigError, match=r"a depth of 1 is not possible, the nearest is 2"):
        solve(Problem.of([[1, 1, 1]], 0, 1, depth_limit=1))


def test_settings_are_checked() -> None:
    problem = Problem.of([[3]], 0, 1)
    with pytest.raises(ConfigError, match="effort: expected one of fast, normal, high"):
        solve(problem, Settings(effort="most"))  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="budget: expected 0 or more"):
        solve(problem, Settings(budget=-1))


@pytest.mark.parametrize(
    "graph",
    [
        AdderGraph(1, (), (Adder(0, 0, 2, False),), (Tap(1, 0, False),)),
        AdderGraph(1, (), (Adder(0, 1, 1, False),), (Tap(1, 0, False),)),
        AdderGraph(1, (), (Adder(0, 0, 99, False),), (Tap(1, 0, False),)),
        AdderGraph(1, (), (Adder(0, 0, 1, False),), (Tap(1, 0, True),)),
        AdderGraph(1, (), (Adder(0, 0, 1, False),), (Tap(2, 0, False),)),
        AdderGraph(1, (), (Adder(0, 0, 1, False),), ()),
        AdderGraph(1, (1,), (Adder(0, 0, 1, False), Adder(2, 1, 0, False)), (Tap(3, 0, False),)),
        AdderGraph(1, (), tuple(Adder(i, i, 40, False) for i in range(3)), (Tap(3, 0, False),)),
    ],
)
def test_check_finds_wrong_graphs(graph: AdderGraph) -> None:
    with pytest.raises(VerifyError):
        graph.check(Problem.of([[3]], -8, 7))


def test_an_input_of_one_value_is_its_value_in_the_check() -> None:
    problem = Problem.of([[3, 5]], [-8, 2], [7, 2])
    solved = solve(problem)
    solved.check(problem)
    with pytest.raises(VerifyError, match="another bias"):
        solved.check(Problem.of([[3, 5]], [-8, 3], [7, 3]))
    # It may also be read as an input, and then counts as much.
    adders = (Adder(0, 0, 1, False), Adder(1, 1, 2, False), Adder(2, 3, 0, False))
    read = AdderGraph(2, (), adders, (Tap(4, 0, False),))
    read.check(problem)
    with pytest.raises(VerifyError, match="another bias"):
        read.check(Problem.of([[3, 4]], [-8, 2], [7, 2]))


def test_check_finds_depth() -> None:
    graph = AdderGraph(1, (), (Adder(0, 0, 1, False), Adder(1, 0, 2, False)), (Tap(2, 0, False),))
    graph.check(Problem.of([[7]], -8, 7))
    with pytest.raises(VerifyError, match="depth 2, limit 1"):
        graph.check(Problem.of([[7]], -8, 7, depth_limit=1))


def test_model_is_part_of_the_key(cache: Path) -> None:
    problem = Problem.of(matrix(), -8, 7)
    solve(problem, Settings(), LUT6)
    solve(problem, Settings(), LUT4)
    solve(problem, Settings(), LUT6_THREE)
    assert len(list(cache.rglob("*.json"))) == 3


@pytest.mark.parametrize(
    ("settings", "depth", "said"),
    [
        (Settings(effort="fast"), None, "7409fd50875e"),
        (Settings(effort="fast", seed=3), 1, "8fe265c70f11"),
        (Settings(), None, "f9184896989b"),
        (Settings(), 0, "fc983813e22e"),
        (Settings(), 1, "c2731d8cb67e"),
        (Settings(budget=500), None, "d6ccade73f47"),
    ],
)
def test_answers_are_those_of_this_version_of_the_algorithm(
    settings: Settings, depth: int | None, said: str
) -> None:
    """Caches hold answers by its number: whoever changes one raises ``ALGORITHM``."""
    assert ENTRY.ALGORITHM == 5
    problem = Problem.of(matrix(11, 9, 8, 5), -8, 7)
    if depth is not None:
        problem = replace(problem, depth_limit=minimum_depth(problem) + depth)
    graph = ENTRY._run(problem, settings, LUT4)
    assert hashlib.sha256(repr((graph.adds, graph.outputs)).encode()).hexdigest()[:12] == said
