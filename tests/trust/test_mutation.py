"""Faults of Python source: what they are, and that a test notices one in a copy of the tree."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.trust.mutation import apply, mutants
from benchmarks.trust.python_mutants import EQUIVALENT, equivalent, every_mutant, stages

SOURCE = '''
"""Documentation, 1 < 2."""
LIMIT = 3

def f(a: int, b: int = 2) -> int:
    """Say 4 + 5."""
    x = g(a, b)
    if a < b and not x:
        raise ValueError(f"{a + 1}")
    return x - 1
'''


def test_faults_of_a_source() -> None:
    found = mutants("m.py", SOURCE)
    assert [
        f"{m.line} {m.kind} {m.was} -> {m.now}" for m in sorted(found, key=lambda m: m.line)
    ] == [
        "3 removal LIMIT = 3 -> pass",
        "3 constant 3 -> 4",
        "3 constant 3 -> 2",
        "5 constant 2 -> 3",
        "5 constant 2 -> 1",
        "7 removal x = g(a, b) -> pass",
        "7 swap g(a, b) -> g(b, a)",
        "8 negation if a < b and (not x): raise ValueError(f'{a + 1}') -> "
        "if not (a < b and (not x)): raise ValueError(f'{a + 1}')",
        "8 boolean a < b and (not x) -> a < b or not x",
        "8 comparison a < b -> a <= b",
        "8 comparison a < b -> a >= b",
        "8 boolean not x -> x",
        "9 removal raise ValueError(f'{a + 1}') -> pass",
        "10 operator x - 1 -> x + 1",
        "10 swap x - 1 -> 1 - x",
        "10 constant 1 -> 2",
        "10 constant 1 -> 0",
    ]


def test_each_fault_is_another_program() -> None:
    broken = {apply(m, SOURCE) for m in mutants("m.py", SOURCE)}
    assert len(broken) == 17
    for text in broken:
        compile(text, "m.py", "exec")


def test_every_module_has_tests_that_are_there() -> None:
    for mutant in every_mutant():
        for words in stages(mutant):
            named = [word for word in words if word.startswith("tests/")]
            assert named
            assert all((Path(__file__).parents[2] / word).exists() for word in named)


def test_faults_that_read_the_same_are_told_apart_by_what_is_around() -> None:
    found = [m for m in mutants("m.py", "y = a[0] + b[0]\n") if m.now == "1"]
    assert len({str(m) for m in found}) == 1
    assert [m.exactly for m in found] == [f"{m} in {m.around}" for m in found]
    assert {m.around for m in found} == {"a[0]", "b[0]"}


def test_equivalent_faults_are_faults_of_the_source() -> None:
    names = {name for mutant in every_mutant() for name in (str(mutant), mutant.exactly)}
    assert equivalent().keys() <= names
    assert all(equivalent().values()), f"{EQUIVALENT.name}: a reason is missing"


@pytest.mark.slow
def test_a_fault_is_killed_in_a_copy(tmp_path: Path) -> None:
    from benchmarks.trust.python_mutants import Copy

    copied = Copy(tmp_path)
    wrong = next(
        m
        for m in every_mutant("fxp/arith.py")
        if (m.function, m.kind, m.now) == ("_round_int", "operator", "x << shift")
    )
    assert copied.kills(wrong)[0] == "a test failed"
    copied.check()
    copied.close()
