"""Several products share a multiplier where they fit, and every bit stays what it was."""

from __future__ import annotations

import numpy as np
import pytest

from hwaccel.config import Config
from hwaccel.fxp import FixedType, IntArray
from hwaccel.ir import GraphBuilder, Op, TensorType
from hwaccel.ir.hardware import Fold, Multiplier
from hwaccel.ops import Conv2d, Dense
from hwaccel.schedule.choices import choices_of, plan_from, schedule
from hwaccel.schedule.fold import multiplier_of
from hwaccel.tools import find
from hwaccel.verify.jobs import Stalls
from tests.verify.packing import design, one_op, run_packed


def dense(bits: int, outputs: int = 6, inputs: int = 4, *, full: bool = False, seed: int = 0) -> Op:
    """Weights of ``bits`` bits; only ``full`` ones reach the most negative, next to -1."""
    half = 1 << (bits - 1)
    weight = np.random.default_rng(seed).integers(-half + (not full), half, (outputs, inputs))
    weight[:2, 0] = (-1, -half) if full else (-1, 1 - half)
    zeros = [0] * outputs
    return Dense(IntArray(weight), IntArray(zeros), IntArray(zeros))


def conv(groups: int, channels: int = 4) -> Op:
    shape = (4, channels // groups, 3, 3)
    weight = np.random.default_rng(1).integers(-15, 16, shape)
    zeros = IntArray([0] * 4)
    return Conv2d(IntArray(weight), zeros, zeros, padding=(1, 1, 1, 1), groups=groups)


def vector(fixed: str, size: int = 4) -> TensorType:
    return TensorType.full((size,), FixedType.parse(fixed))


@pytest.mark.parametrize(
    ("family", "x", "bits", "full", "pack"),
    [
        ("ecp5", "u8.8", 5, False, 2),
        ("ecp5", "s8.8", 5, False, 2),
        ("ecp5", "u8.8", 5, True, 1),  # the borrow takes a bit more
        ("ecp5", "u8.8", 4, True, 2),
        ("ecp5", "u6.6", 6, False, 2),
        ("ecp5", "u7.6", 6, False, 1),
        ("ecp5", "u8.8", 8, False, 1),
        ("ecp5", "u4.4", 4, False, 2),  # a sign makes it nine bits, and nine go into a block
        ("ecp5", "s4.4", 4, False, 1),  # made of LUTs
        ("ice40", "u4.4", 6, False, 2),
        ("ice40", "u4.4", 5, False, 1),
        ("ice40", "u6.6", 5, False, 2),
        ("ice40", "u7.6", 5, False, 1),
        ("xc7", "u8.8", 8, False, 2),
        ("xc7", "u8.8", 8, True, 1),
        ("xcup", "s8.0", 8, True, 2),
        ("xcup", "u9.0", 9, False, 2),
        ("xcup", "u5.0", 5, False, 3),
        ("xcup", "u6.0", 5, False, 3),
        ("xcup", "u18.0", 4, False, 1),  # 19 bits with its sign
    ],
)
def test_as_many_products_as_fit(family: str, x: str, bits: int, full: bool, pack: int) -> None:
    multiplier = multiplier_of(family)
    assert multiplier is not None
    fold = Fold(6, 2)
    assert dense(bits, full=full).packing((vector(x),), fold, multiplier) == pack


@pytest.mark.parametrize(
    ("family", "wide", "narrow"),
    [
        ("ecp5", 18, 18), ("gw1n", 18, 18), ("gw2a", 18, 18), ("ice40", 16, 16), ("xc7", 25, 18),
        ("xcup", 27, 18),
    ],
)  # fmt: skip
def test_multipliers_are_as_wide_as_vendors_say(family: str, wide: int, narrow: int) -> None:
    """Yosys leaves those of up to 10 bits together to LUTs on iCE40, and up to 8 on others."""
    assert multiplier_of(family) == Multiplier(wide, narrow, 10 if family == "ice40" else 8)


def test_a_device_that_is_not_known_shares_nothing() -> None:
    assert multiplier_of("pdp11") is None
    plan = schedule(one_op("d", dense(5), (vector("u8.8"),)), Config(target="pdp11"))
    assert plan.folds["y"].pack == 1


def test_one_output_and_depthwise_share_nothing() -> None:
    wide = Multiplier(27, 18)
    image = TensorType.full((4, 5, 5), FixedType.parse("u6.6"))
    assert dense(5).packing((vector("u8.8"),), Fold(1, 4), wide) == 1
    assert conv(4).packing((image,), Fold(4, 1), wide) == 1
    assert conv(1).packing((image,), Fold(4, 1), wide) == 3
    assert conv(2).packing((image,), Fold(2, 1), wide) == 2


def test_a_plan_that_shares_comes_back_and_spends_half() -> None:
    b = GraphBuilder("net")
    graph = b.build(b.add("fc", dense(5), b.input("x", vector("u8.8")), path="fc"))
    shared = schedule(graph, Config(target_interval=6))
    alone = schedule(graph, Config(target_interval=6, target="pdp11"))
    assert shared.folds["fc"].pack == 2
    assert shared.folds["fc"].multipliers <= alone.folds["fc"].multipliers
    assert choices_of(shared).packs == {"fc": 2}
    assert plan_from(graph, choices_of(shared)) == shared
    fold = Fold(6, 2)
    areas = [
        dense(5).hardware((vector("u8.8"),), Fold(6, 2, pack=pack)).pipes[0].area.dsps
        for pack in (1, 2, 4)
    ]
    assert areas == [fold.pe * fold.simd, 6, 4]


CASES: list[tuple[Op, TensorType, Fold]] = [
    (dense(5), vector("u8.8"), Fold(6, 2, pack=2)),
    (dense(5, full=True), vector("s8.8"), Fold(6, 1, pack=2)),
    (dense(8, full=True), vector("s8.8"), Fold(3, 4, pack=2)),
    (dense(8, full=True), vector("u8.8"), Fold(6, 4, pack=4)),
    (dense(6), vector("u6.6"), Fold(2, 1, pack=2)),
    (dense(1, full=True), vector("u1.0"), Fold(6, 4, pack=3)),
    (conv(1), TensorType.full((4, 4, 3), FixedType.parse("s5.0")), Fold(4, 2, pack=3)),
    (conv(2), TensorType.full((4, 3, 4), FixedType.parse("u6.0")), Fold(2, 1, pack=2)),
]


@pytest.mark.rtl
@pytest.mark.skipif(find("iverilog") is None, reason="iverilog is not installed")
def test_shared_multipliers_are_exact_in_time() -> None:
    stalls = (Stalls("none", "none", 1), Stalls("some", "heavy", 2))
    made = [
        design(one_op(f"case_{i}", op, (x,)), {"y": fold}) for i, (op, x, fold) in enumerate(CASES)
    ]
    for one, outcomes in zip(made, run_packed(made, stalls, "icarus"), strict=True):
        results = [outcome.get() for outcome in outcomes]  # raises where a bit is wrong
        assert results[0].finished == one.plan.timing(len(one.xs[0])).finished()
