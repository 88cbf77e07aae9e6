"""A slice of ``benchmarks.trust.matrices``; and a wrong graph is refused wherever it is from."""

from __future__ import annotations

import importlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.trust.matrices import check_many
from hwaccel.circuit import Builder, Circuit
from hwaccel.circuit.forms import check_rows
from hwaccel.circuit.lay_out import lay_out
from hwaccel.cmvm import AdderGraph, Problem, Settings, solve, solve_many
from hwaccel.errors import VerifyError

SOLVE = importlib.import_module("hwaccel.cmvm.solve")
MATRIX = np.array([[3, 5, -7], [6, 1, 0], [12, 2, 9]])


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(SOLVE, "_memory", {})
    return tmp_path / "cache" / "hwaccel" / "cmvm"


def test_random_matrices() -> None:
    pytest.importorskip("pyverilog")
    assert check_many(20, seed=2) > 500


def built(solver=lambda ps: solve_many(ps, Settings(effort="fast")), **options: object) -> Circuit:
    build = Builder()
    xs = [build.input(i, -8, 7) for i in range(3)]
    ys = build.linear(MATRIX, xs, np.array([0, 4, -9]))
    return lay_out(build, [(-8, 7)] * 3, ys, solver, **options)  # type: ignore[arg-type]


def broken(graph: AdderGraph) -> list[AdderGraph]:
    """One fault each: a sign, a shift, an operand, a constant, an output."""
    first, last = graph.adds[0], graph.adds[-1]
    tap = graph.outputs[-1]
    return [
        replace(graph, adds=(replace(first, subtract=not first.subtract), *graph.adds[1:])),
        replace(graph, adds=(replace(first, shift=first.shift + 1), *graph.adds[1:])),
        replace(graph, adds=(*graph.adds[:-1], replace(last, a=(last.a + 1) % 3))),
        replace(graph, constants=tuple(c + 1 for c in graph.constants)),
        replace(graph, outputs=(*graph.outputs[:-1], replace(tap, negate=not tap.negate))),
        replace(graph, outputs=(graph.outputs[1], graph.outputs[0], *graph.outputs[2:])),
    ]


def test_a_wrong_answer_of_a_solver_is_refused() -> None:
    asked: list[Problem] = []

    def remember(problems: list[Problem]) -> list[AdderGraph]:
        asked.extend(problems)
        return solve_many(problems, Settings(effort="fast"))

    built(remember)
    (problem,) = asked
    for wrong in broken(solve(problem, Settings(effort="fast"))):
        with pytest.raises(VerifyError, match=r"computes another row than row|leaves its interval"):
            built(lambda ps, wrong=wrong: [wrong])


def test_a_wrong_graph_in_memory_is_refused() -> None:
    built()
    for key, graph in SOLVE._memory.items():
        SOLVE._memory[key] = broken(graph)[0]
    with pytest.raises(VerifyError, match="computes another row than row"):
        built()


def test_a_wrong_graph_in_the_cache_of_the_user_is_searched_anew(cache: Path) -> None:
    right = built()
    (file,) = cache.rglob("*.json")
    whole = file.read_bytes()
    file.write_bytes(whole.replace(b'"shift":0', b'"shift":1', 1))
    SOLVE.forget()
    assert built() == right
    assert file.read_bytes() == whole


def test_a_sum_outside_of_its_interval_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = AdderGraph.intervals
    narrow = lambda self, problem: [(lo, hi - 1) for lo, hi in whole(self, problem)]  # noqa: E731
    monkeypatch.setattr(AdderGraph, "intervals", narrow)
    with pytest.raises(VerifyError, match="its sum leaves its interval"):
        built()


def test_what_is_no_sum_is_refused() -> None:
    build = Builder()
    x, y = build.input(0, -8, 7), build.input(1, 0, 7)
    problem = Problem.of([[1, 1]], [-8, 0], [7, 7])
    for made, message in (
        (build.clip(build.sum(x, y), -8, 7), "a clip is no part of a matrix product"),
        (build.shift(build.sum(x, y), -1), "a sum loses its lowest bits"),
    ):
        with pytest.raises(VerifyError, match=message):
            check_rows(build.nodes, [x, y], [made], problem)
    doubled = build.shift(build.sum(build.shift(x, 1), y, 1), -1)  # (2x + 2y) / 2
    check_rows(build.nodes, [x, y], [doubled], problem)
