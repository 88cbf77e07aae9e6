"""Rung 6 of the ladder: every op and example as hardware, bit for bit and cycle for cycle.

All designs of an op share one simulation; the first test of an op runs it.
"""

from __future__ import annotations

from functools import cache

import pytest

from hwaccel.ir import Op
from hwaccel.ir.hardware import Fold
from hwaccel.ir.op import Example
from hwaccel.ops import OPS
from hwaccel.tools import find
from hwaccel.verify.jobs import Outcome, Stalls
from tests.verify.packing import Design, design, one_op, run_packed

pytestmark = [
    pytest.mark.rtl,
    pytest.mark.skipif(find("iverilog") is None, reason="iverilog is not installed"),
]

# The sink never waits in the first two, so that times are predicted exactly.
STALLS = (
    Stalls(),
    Stalls("bursts", "none", 2),
    Stalls("some", "heavy", 3),
    Stalls("none", "bursts", 4),
)


def _folds(example: Example) -> list[Fold]:
    """The slowest, the fastest and one between."""
    every = example.op.folds(*example.ins)
    return [every[i] for i in sorted({0, len(every) // 2, len(every) - 1})]


CASES = {
    f"{op.name}-{example.label}-{fold}": (op, example, fold)
    for op in OPS
    for example in op.examples()
    for fold in _folds(example)
}


def _design(name: str) -> Design:
    _, example, fold = CASES[name]
    return design(one_op(name, example.op, example.ins), {"y": fold})


@cache
def _simulated(op: type[Op], simulator: str) -> dict[str, tuple[Design, list[Outcome]]]:
    names = [name for name, case in CASES.items() if case[0] is op]
    designs = [_design(name) for name in names]
    outcomes = run_packed(designs, STALLS, simulator)
    return dict(zip(names, zip(designs, outcomes, strict=True), strict=True))


@pytest.mark.parametrize("name", CASES)
def test_every_fold_on_icarus(name):
    op, _, _ = CASES[name]
    made, outcomes = _simulated(op, "icarus")[name]
    _check(made, outcomes)


def _check(made: Design, outcomes: list[Outcome]) -> None:
    for stalls, outcome in zip(STALLS, outcomes, strict=True):
        result = outcome.get()
        if stalls.backpressure == "none":
            arrivals = dict(zip(made.plan.inputs, map(list, result.offered), strict=True))
            predicted = made.plan.timing(len(result.finished), arrivals)
            assert result.finished == predicted.finished(), stalls
            assert result.latency == predicted.latency
            assert result.interval == predicted.interval
    # With nothing in the way, the prediction needs no measured times.
    alone = made.plan.timing(len(outcomes[0].get().finished))
    assert outcomes[0].get().finished == alone.finished()
