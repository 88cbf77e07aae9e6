"""Every stream module keeps its contract for all time, and a broken twin of it does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rtl import arithmetic, contracts, link_mutants, stream_mutants, system_mutants
from tests.rtl.proofs import (
    AT_ONCE,
    CONTRACT,
    RTL,
    Case,
    Mutant,
    bounded,
    cover,
    induction,
    labels,
    missing,
    source_of,
    write_smt2,
)

LACKING = missing("yosys", "yosys-smtbmc", "z3")

pytestmark = [
    pytest.mark.formal,
    pytest.mark.skipif(LACKING != "", reason=LACKING),
]

CASES = [*contracts.CASES, *arithmetic.CASES]
HANDSHAKES = [*stream_mutants.MUTANTS, *link_mutants.MUTANTS, *system_mutants.MUTANTS]
MUTANTS = [*HANDSHAKES, *arithmetic.MUTANTS]
# Modules between devices and around engines.
BETWEEN = {mutant.module for mutant in link_mutants.MUTANTS}
# The first case of each of these and of each module of arithmetic is proved every day, the others
# when there is time.
DAILY = {case.module: case for case in reversed(CASES)}


def _some(things: list, slow) -> list:
    marks = {True: [pytest.mark.slow], False: []}
    return [
        pytest.param(one, id=str(one), marks=[*marks[slow(one)], _together(one.module)])
        for one in things
    ]


def _together(module: str) -> pytest.MarkDecorator:
    """Let one worker of pytest-xdist do all of a module: it compiles each case once."""
    return pytest.mark.xdist_group(f"prove-{module}")


def _modules(cases: list[Case]) -> list:
    names = dict.fromkeys(case.module for case in cases)
    return [pytest.param(name, id=name, marks=_together(name)) for name in names]


def _how(case: Case) -> tuple[str, ...]:
    return AT_ONCE if case in arithmetic.CASES else ()


def _later(case: Case) -> bool:
    spare = case in arithmetic.CASES or case.module in BETWEEN
    return spare and case is not DAILY[case.module]


def _rare(mutant: Mutant) -> bool:
    return mutant in arithmetic.MUTANTS or mutant in link_mutants.MUTANTS


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """SMT2 files by case, each compiled once."""
    done: dict[str, Path] = {}

    def get(case: Case) -> Path:
        if str(case) not in done:
            done[str(case)] = write_smt2(case, tmp_path_factory.mktemp(case.module))
        return done[str(case)]

    return get


@pytest.mark.parametrize("case", _some(CASES, _later))
def test_contract_holds_from_reset(case, compiled):
    # A proof of arithmetic needs as many cycles as its step looks back.
    cycles = case.induction + 1 if case in arithmetic.CASES else case.cycles
    holds, text = bounded(compiled(case), cycles, _how(case))
    assert holds, text


@pytest.mark.parametrize("case", _some(CASES, _later))
def test_contract_holds_for_all_time(case, compiled):
    holds, text = induction(compiled(case), case.induction, _how(case))
    assert holds, text


@pytest.mark.parametrize(
    "case",
    _some([c for c in CASES if not c.no_cover], lambda case: case.slow or case in arithmetic.CASES),
)
def test_story_can_happen(case, compiled):
    reached, text = cover(compiled(case), case.cycles)
    assert reached, text


@pytest.mark.parametrize("mutant", _some(MUTANTS, _rare))
def test_broken_twin_is_caught(mutant: Mutant, tmp_path):
    case = DAILY[mutant.module]
    source = mutant.apply(source_of(mutant.module))
    holds, text = bounded(write_smt2(case, tmp_path, source, mutant.breaks), case.cycles)
    assert not holds, text
    assert "Assert failed in" in text


@pytest.mark.parametrize("module", _modules(contracts.CASES))
def test_every_property_is_asserted_reached_and_broken(module, compiled):
    """Each property has an assertion, a story of its own, and a twin that breaks it alone."""
    named = labels(compiled(DAILY[module]))
    broken = {mutant.breaks for mutant in HANDSHAKES if mutant.module == module}
    for name in contracts.promised(module):
        assert f"p_{name}" in named
        assert name in broken
        if (module, name) not in contracts.TOLD_BY_OTHERS:
            assert f"c_{name}" in named


@pytest.mark.parametrize("module", _modules(arithmetic.CASES))
def test_every_property_of_a_pipe_is_broken(module, compiled):
    named = {label[2:] for label in labels(compiled(DAILY[module])) if label.startswith("p_")}
    broken = {mutant.breaks for mutant in arithmetic.MUTANTS if mutant.module == module}
    assert named == broken - {CONTRACT}
    assert named <= set(arithmetic.LABELS)


def test_every_module_with_a_proof_has_a_case_and_a_mutant():
    files = [path for path in RTL.glob("*/*.v") if path.parent.name != "formal"]
    proved = {path.stem for path in files if "`ifdef HWA_FORMAL" in path.read_text()}
    assert proved == {case.module for case in CASES} == {mutant.module for mutant in MUTANTS}
    assert {path.stem for path in RTL.glob("stream/*.v")} <= proved
    assert {path.stem for path in RTL.glob("arith/*.v")} <= proved
