"""Estimates of Fmax: their paths, and how far they are from what nextpnr reached."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path as File

import numpy as np
import pytest

from benchmarks.estimates import fit
from hwaccel.config import Config
from hwaccel.fxp import IntArray
from hwaccel.ir.hardware import Pipe, Rom
from hwaccel.schedule import speed
from hwaccel.schedule.choices import schedule
from hwaccel.schedule.fits import DELAYS, FMAX_ERRORS
from hwaccel.schedule.plan import Plan
from hwaccel.schedule.speed import Path, block_speeds, path, plan_paths, plan_speed
from tests.verify.networks import two_ins_two_outs

TARGET = "ecp5-85k"
# Modules of rtl/op that are no pipes: they issue beats to one, or count.
ISSUERS = {"hwa_lines", "hwa_loop", "hwa_window"}


@pytest.fixture(scope="module")
def plan() -> Plan:
    return schedule(two_ins_two_outs(), Config(target=TARGET))


def test_the_longest_path_of_any_block_is_the_period(plan: Plan) -> None:
    said = plan_speed(plan)
    assert said is not None
    slowest = max(plan_paths(plan), key=lambda pair: pair[1].delay_ns(DELAYS["ecp5"]))
    assert (said.block, said.what) == (slowest[0], slowest[1].what)
    assert said.fmax_mhz == pytest.approx(1000 / slowest[1].delay_ns(DELAYS["ecp5"]))
    alone = block_speeds(plan)
    assert set(alone) >= {segment.name for segment in plan.segments}
    assert all(found.block == name for name, found in alone.items())
    assert min(found.fmax_mhz for found in alone.values()) == said.fmax_mhz


def test_every_element_has_a_delay(plan: Plan) -> None:
    elements = {name for _, one in plan_paths(plan) for name in one.amounts}
    assert {"register", "level", "chain", "carry", "distance"} <= elements <= set(fit.ELEMENTS)
    for family, delays in DELAYS.items():
        assert set(delays) == set(fit.ELEMENTS), family
        assert all(delay >= 0 for delay in delays.values())
        assert 0 < FMAX_ERRORS[family] <= 0.10


def test_every_module_of_an_operation_is_described() -> None:
    library = {file.stem for file in File(__file__).parents[2].glob("rtl/op/*.v")}
    pipes = {name for name in library if not any(name.startswith(i) for i in ISSUERS)}
    assert pipes | {"hwa_requant", "hwa_scale"} == {*speed.SIMPLE, *speed._MODULES}


def test_a_family_that_was_not_fitted_has_no_estimate(plan: Plan) -> None:
    other = replace(plan, family="other")
    assert plan_speed(other) is None
    assert block_speeds(other) == {}


def _delay(pipe: Pipe) -> float:
    start = speed._Start()
    return max(one.delay_ns(DELAYS["ecp5"]) for one in speed._pipe(pipe, start, "ecp5"))


def _mac(x_w: int, w_w: int, acc_w: int = 16, words: int = 1) -> Pipe:
    given = {
        "PE": 1, "SIMD": 2, "X_W": x_w, "X_SIGNED": 1, "W_W": w_w, "ACC_W": acc_w,
        "OUT_W": acc_w, "SHIFT_W": 0, "BIAS_W": 0,
    }  # fmt: skip
    weights = IntArray(np.arange(words)[:, None] % 2)
    rom = Rom("WEIGHTS", weights, (w_w,))
    return Pipe("hwa_mac", tuple(given.items()), 6, 1, acc_w, framed=True, roms=(rom,))


def test_more_work_between_registers_takes_longer() -> None:
    assert _delay(_mac(2, 2, 60)) > _delay(_mac(2, 2, 16))  # a longer carry chain
    assert _delay(_mac(4, 4)) > _delay(_mac(2, 2))  # another level of adders
    assert _delay(_mac(8, 8)) > _delay(_mac(2, 2))  # a DSP block
    assert _delay(_mac(2, 2, words=2048)) > _delay(_mac(2, 2))  # a ROM of LUTs


def test_a_path_that_starts_at_a_port_is_no_path() -> None:
    wide = Pipe("hwa_add", (), 1, 1, 30)
    assert not list(speed._pipe(wide, None, "ecp5"))
    (found,) = speed._pipe(wide, speed._Start(), "ecp5")
    assert found.amounts["chain"] == 1
    assert found.amounts["carry"] == 30
    (behind,) = speed._pipe(wide, speed._Start(2, (8.0,)), "ecp5")
    assert behind.amounts["level"] == 2
    assert behind.amounts["readers"] == 3


@pytest.mark.parametrize(
    ("depth", "levels", "readers"),
    [(1, 0, ()), (2, 1, (1,)), (3, 1, (1 / 4,)), (16, 1, (1 / 4,)), (17, 2, (2 / 4,))],
)
def test_what_leaves_a_fifo_has_passed_its_memory(
    plan: Plan, depth: int, levels: int, readers: tuple[float, ...]
) -> None:
    """One place is a register; two are chosen between; more are LUTs of 4 bits and 16 places."""
    fifo = plan.segments[0]
    bits = plan.streams[fifo.outputs[0]].bits
    found = speed._read(fifo.with_depth(depth), plan)
    assert found == speed._Start(levels, tuple(bits * n for n in readers))


def test_amounts_of_a_path() -> None:
    found = path("x", 2, chains=[8, 4], readers=[1, 4], mux=3, copies=8, dsp=1)
    assert dict(found.amounts) == {
        "register": 1, "level": 2, "chain": 2, "carry": 12, "readers": 2, "mux": 3, "copies": 3,
        "dsp": 1,
    }  # fmt: skip
    assert found.delay_ns({"register": 1.0, "carry": 0.5}) == 7.0
    assert Path("y", {}).delay_ns({"register": 1.0}) == 0


@pytest.mark.parametrize(
    ("inputs", "levels"), [(0, 0), (1, 0), (2, 1), (4, 1), (5, 2), (16, 2), (17, 3)]
)
def test_levels_of_four_input_luts(inputs: int, levels: int) -> None:
    assert speed.levels_of(inputs) == levels


@pytest.mark.slow
def test_fmax_of_networks_that_were_not_fitted() -> None:
    # Another processor may calibrate a format differently, and so make another design.
    judges = fit.rows("networks", TARGET, fit.JUDGES, strict=False, placed=True)
    assert len(judges) >= fit.JUDGES - 6
    off = np.abs(fit.speed_errors(judges))
    assert off.mean() <= 0.10
    assert off.mean() == pytest.approx(FMAX_ERRORS["ecp5"], abs=0.01)
    assert (off > 0.25).sum() <= 3
