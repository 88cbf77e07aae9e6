"""Estimates of area: their terms, and how far they are from what Yosys made."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.estimates import fit
from hwaccel.config import Config
from hwaccel.fxp import IntArray
from hwaccel.ir.hardware import FABRICS, Area, Rom, is_registers, ram_blocks, rom_blocks
from hwaccel.schedule import estimate
from hwaccel.schedule.choices import schedule
from hwaccel.schedule.estimate import block_area, edge_area, edge_terms, plan_area, terms
from hwaccel.schedule.fits import FITS, Cost
from hwaccel.schedule.plan import Plan
from tests.verify.networks import two_ins_two_outs

TARGET = "ecp5-85k"


@pytest.fixture(scope="module")
def plan() -> Plan:
    return schedule(two_ins_two_outs(), Config(target=TARGET))


def test_a_design_is_the_sum_of_its_blocks_and_edges(plan: Plan) -> None:
    assert plan.family == "ecp5"
    blocks = [block_area(block, plan) for block in plan.blocks]
    assert plan_area(plan) == sum(blocks, edge_area(plan))


def test_each_edge_has_a_counter_of_its_beats(plan: Plan) -> None:
    found = [(term.name, term.luts, term.ffs) for term in edge_terms(plan)]
    beats = [plan.streams[name].beats for name in (*plan.inputs, *plan.outputs)]
    assert len(beats) == 4
    assert found[::2] == [("frame", 1, 1)] * 4
    widths = [max(0, (n - 1).bit_length()) for n in beats]
    assert found[1::2] == [("frame count", width, width) for width in widths]


@pytest.mark.parametrize(
    ("words", "bits", "registers"),
    [
        *[(2, 10, True), (2, 12, False), (3, 5, True), (3, 6, False), (4, 3, True), (4, 4, False)],
        *[(5, 2, True), (5, 3, False), (8, 1, True), (8, 2, False), (16, 1, False)],
    ],
)
def test_a_small_memory_is_made_of_registers(words: int, bits: int, registers: bool) -> None:
    # What Yosys 0.70 makes of hwa_fifo on ECP5.
    assert is_registers(words, bits) is registers


@pytest.mark.parametrize(
    ("words", "bits", "blocks"),
    [
        *[(260, 8, 0), (262, 8, 1), (523, 4, 0), (524, 4, 1), (58, 36, 0), (59, 36, 1)],
        *[(103, 40, 0), (104, 40, 2), (68, 90, 0), (69, 90, 3), (576, 24, 2), (1024, 18, 1)],
        *[(1100, 16, 2), (1153, 12, 1), (1500, 20, 2), (2100, 12, 2)],
    ],
)
def test_a_rom_is_block_ram_where_yosys_takes_one(words: int, bits: int, blocks: int) -> None:
    # Found by synthesizing hwa_rom of random words on ECP5.
    assert rom_blocks(words, bits) == blocks


def test_a_family_that_was_not_fitted_counts_as_ecp5(plan: Plan) -> None:
    assert plan_area(replace(plan, family="other")) == plan_area(plan)


def test_a_block_is_the_sum_of_its_terms(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    block = plan.segments[0]
    every = list(terms(block, plan))
    monkeypatch.setattr(estimate, "FITS", {"ecp5": {t.name: Cost(2.0, 3.0) for t in every}})
    assert block_area(block, plan) == Area(
        luts=round(2 * sum(t.luts for t in every)),
        ffs=round(3 * sum(t.ffs for t in every)),
        dsps=sum(t.dsps for t in every),
        rams=sum(t.rams for t in every),
    )


@pytest.mark.parametrize(
    ("words", "luts"),
    [
        ([[5], [5], [5]], 0),  # constant
        ([[0], [1], [1]], 1),
        ([[0b00], [0b11], [0b00]], 1),  # the same twice
        ([[0b01], [0b10], [0b01]], 1),  # and inverted
        ([[0b01], [0b10], [0b00]], 2),
        ([[i % 2] for i in range(16)] + [[0]] * 16, 1),  # nothing in the second half
        ([[i % 2] for i in range(17)], 1),
        ([[i % 2] for i in range(18)], 2),
    ],
)
def test_a_memory_of_luts_is_counted_by_what_it_holds(words: list[list[int]], luts: int) -> None:
    rom = Rom("TABLE", IntArray(np.array(words)), (4,))
    (found,) = (t.luts for t in estimate._rom(rom) if t.name == "rom")
    assert found == luts


@pytest.mark.slow
def test_estimates_of_networks_that_were_not_fitted() -> None:
    # Another processor may calibrate a format differently, and so make another design.
    judges = fit.rows("networks", TARGET, fit.JUDGES, strict=False)
    assert len(judges) >= fit.JUDGES - 6
    for what in ("luts", "ffs", "dsps", "rams"):
        off = np.abs(fit.errors(judges, what))
        assert off.mean() <= 0.10, what
        assert (off > 0.25).sum() <= 2, what


def test_every_term_has_a_price() -> None:
    names = {"products", "sum tree", "rom", "ring", "window", "lines", "circuit", "requant in"}
    assert set(FITS["ecp5"]) >= names
    assert all(cost.luts >= 0 and cost.ffs >= 0 for cost in FITS["ecp5"].values())


def test_memories_of_another_family_are_other_memories() -> None:
    xcup = FABRICS["xcup"]
    assert (rom_blocks(512, 8), rom_blocks(512, 8, xcup)) == (1, 0)
    assert rom_blocks(1024, 9, xcup) == 1
    assert rom_blocks(576, 24, xcup) == 0  # two blocks, as none has 576 words of more than 18 bits
    assert (ram_blocks(256, 16), ram_blocks(64, 14, xcup), ram_blocks(512, 36, xcup)) == (1, 0, 1)
    words = Rom("TABLE", IntArray(np.array([[i * 37 % 64] for i in range(64)])), (6,))
    ecp5, other = (
        sum(t.luts for t in estimate._rom(words, fabric) if t.name == "rom")
        for fabric in (FABRICS["ecp5"], xcup)
    )
    assert 0 < other < ecp5


def test_a_term_without_a_price_in_a_family_has_that_of_ecp5(
    plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = replace(plan, family="other")
    monkeypatch.setitem(estimate.FITS, "other", {})  # type: ignore[arg-type]
    assert plan_area(other) == plan_area(plan)
