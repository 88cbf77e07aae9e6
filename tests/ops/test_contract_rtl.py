"""Rung 6 of the ladder: every op and example as hardware, bit for bit and cycle for cycle.

All designs of an op share one simulation; the first test of an op runs it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import pytest
from _pytest.mark import ParameterSet

from hwaccel.ir import Op
from hwaccel.ir.hardware import Fold
from hwaccel.ir.op import Example
from hwaccel.ops import OPS
from hwaccel.tools import find
from hwaccel.verify.jobs import Outcome, Stalls
from hwaccel.verify.rtl import Simulator
from tests.verify.packing import Design, design, one_op, run_packed

pytestmark = pytest.mark.rtl
STALLS = (
    # The sink never waits in the first two, so that times are predicted exactly.
    Stalls("none", "none", 1),
    Stalls("bursts", "none", 2),
    Stalls("some", "heavy", 3),
    Stalls("none", "bursts", 4),
)


@dataclass(frozen=True)
class Case:
    """One op at one parallelism. ``chosen`` ones run on Verilator, too."""

    op: type[Op]
    example: Example
    fold: Fold
    chosen: bool

    @property
    def label(self) -> str:
        return f"{self.op.name}-{self.example.label}-{self.fold}"


def _cases(op: type[Op]) -> list[Case]:
    """The slowest, the fastest and a middle fold of every example; one of them is chosen."""
    cases = []
    for number, example in enumerate(op.examples()):
        every = example.op.folds(*example.ins)
        some = [every[i] for i in sorted({0, len(every) // 2, len(every) - 1})]
        cases += [Case(op, example, fold, at == number % len(some)) for at, fold in enumerate(some)]
    return cases


CASES = [case for op in OPS for case in _cases(op)]


@cache
def _simulated(op: type[Op], simulator: Simulator) -> dict[str, tuple[Design, list[Outcome]]]:
    cases = [case for case in _cases(op) if case.chosen or simulator == "icarus"]
    graphs = [one_op(case.label, case.example.op, case.example.ins) for case in cases]
    designs = [design(graph, {"y": case.fold}) for graph, case in zip(graphs, cases, strict=True)]
    outcomes = run_packed(designs, STALLS, simulator)
    return {
        case.label: result
        for case, result in zip(cases, zip(designs, outcomes, strict=True), strict=True)
    }


def _parameters(cases: list[Case]) -> list[ParameterSet]:
    """One parameter per case; those of an op share a worker of pytest-xdist."""
    return [
        pytest.param(case, id=case.label, marks=pytest.mark.xdist_group(case.op.name))
        for case in cases
    ]


@pytest.mark.skipif(find("iverilog") is None, reason="iverilog is not installed")
@pytest.mark.parametrize("case", _parameters(CASES))
def test_every_fold_on_icarus(case):
    _check(*_simulated(case.op, "icarus")[case.label])


@pytest.mark.skipif(find("verilator") is None, reason="verilator is not installed")
@pytest.mark.parametrize("case", _parameters([case for case in CASES if case.chosen]))
def test_a_fold_of_every_example_on_verilator(case):
    _check(*_simulated(case.op, "verilator")[case.label])


def _check(made: Design, outcomes: list[Outcome]) -> None:
    results = [outcome.get() for outcome in outcomes]  # raises where a bit is wrong
    frames = len(made.xs[0])
    for stalls, result in zip(STALLS, results, strict=True):
        if stalls.backpressure == "none":
            arrivals = dict(zip(made.plan.inputs, map(list, result.offered), strict=True))
            predicted = made.plan.timing(frames, arrivals)
            assert result.finished == predicted.finished()
            assert result.latency == predicted.latency
            assert result.interval == predicted.interval
    # With nothing in the way, the prediction needs no measured times.
    assert results[0].finished == made.plan.timing(frames).finished()
