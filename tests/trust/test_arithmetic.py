"""The parameter sets of the example designs: found, and a slice of them proved."""

from __future__ import annotations

import pytest

from benchmarks.trust import arithmetic
from hwaccel.ops import Conv2d, Dense
from hwaccel.tools import find
from tests.rtl import proofs
from tests.rtl.arithmetic import MUTANTS
from tests.verify import packing

LACKING = proofs.missing("yosys", "yosys-smtbmc", "z3")
pytestmark = [pytest.mark.formal, pytest.mark.skipif(LACKING != "", reason=LACKING)]


def _sets(op: type) -> set[tuple[str, tuple[tuple[str, int], ...]]]:
    made = []
    for example in op.examples():
        fold = example.op.folds(*example.ins)[-1]
        graph = packing.one_op(op.name, example.op, example.ins)
        made.append(packing.design(graph, {"y": fold}, frames=1).netlist)
    return arithmetic.elaborated(arithmetic.instances(made))


@pytest.mark.skipif(find("yosys") is None, reason="yosys is not installed")
def test_modules_inside_of_others_are_found_with_their_parameters():
    found = _sets(Dense)
    assert {"hwa_mac", "hwa_accumulate", "hwa_sum_tree", "hwa_loop"} == {name for name, _ in found}
    trees = {dict(values)["COUNT"] for name, values in found if name == "hwa_sum_tree"}
    assert trees == {dict(values)["SIMD"] for name, values in found if name == "hwa_mac"}


def test_a_shared_multiplier_is_proved_alone_and_wired():
    values = {"PE": 5, "SIMD": 3, "PACK": 2, "X_W": 4, "W_W": 4, "ACC_W": 9, "WORDS": 7}
    whole, *alone = arithmetic.cases("hwa_mac", values)
    assert whole.defines == ("HWA_FORMAL_SLICES",)
    assert whole.parameters["PE"] == 5
    assert [(case.parameters["PE"], case.parameters["SIMD"]) for case in alone] == [(1, 1), (2, 1)]


def test_what_is_not_true_is_not_proved(monkeypatch):
    broken = next(mutant for mutant in MUTANTS if mutant.module == "hwa_relu")
    whole = proofs.source_of("hwa_relu")
    monkeypatch.setattr(proofs, "source_of", lambda name: broken.apply(whole))
    values = {"LANES": 1, "IN_W": 4, "OUT_W": 3}
    right = list(arithmetic.cases("hwa_relu", values))
    with pytest.raises(AssertionError, match="one of hwa_relu-LANES=1"):
        arithmetic.unproved(right)


@pytest.mark.slow
def test_a_slice_is_proved():
    sets = sorted(_sets(Conv2d) | _sets(Dense))
    chosen = [case for module, values in sets for case in arithmetic.cases(module, dict(values))]
    groups = list(arithmetic.groups(chosen))
    assert sum(map(len, groups)) == len(chosen) > 30
    # Products take minutes each; `python -m benchmarks.trust.arithmetic` has them all.
    quick = [g for g in groups if all(c.module in ("hwa_accumulate", "hwa_loop") for c in g)]
    assert quick
    for group in quick[:2]:
        assert arithmetic.unproved(group) == []
