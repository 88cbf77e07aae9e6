"""The table of targets, and what cells count as."""

from __future__ import annotations

import pytest

from hwaccel.errors import ConfigError, ToolError
from hwaccel.synth.target import TARGETS, Kind, target
from hwaccel.synth.utilization import count_cells, parse_stat
from tests.synth.conftest import REPORTS


def test_names_are_unique_and_found() -> None:
    names = [t.name for t in TARGETS]
    assert len(set(names)) == len(names)
    assert [target(name) for name in names] == list(TARGETS)


def test_cells_are_no_device() -> None:
    with pytest.raises(ConfigError) as error:
        target("osu018")
    assert str(error.value) == (
        "target 'osu018': has cells and is no device; use hwaccel.silicon, or hwaccel synth"
    )


def test_an_unknown_target_lists_the_known_ones() -> None:
    with pytest.raises(ConfigError) as error:
        target("ecp5-12k")
    assert str(error.value) == (
        "target 'ecp5-12k': not known; choose one of ecp5-25k, ecp5-45k, ecp5-85k, xcup, xc7, "
        "ice40-up5k, ice40hx-8k, gw1n-9c, gw2a-18, asic, osu018"
    )


@pytest.mark.parametrize(
    ("name", "cell", "kind"),
    [
        ("ecp5-85k", "LUT4", Kind.LUT),
        ("ecp5-85k", "DP16KD", Kind.BLOCK_RAM),
        ("xcup", "LUT6", Kind.LUT),
        ("xcup", "FDRE_1", Kind.FF),
        ("xcup", "RAM64M8", Kind.DISTRIBUTED_RAM),
        ("xcup", "BUFGCE", Kind.FREE),
        ("ice40", "SB_DFFESR", Kind.FF),
    ],
)
def test_cells_are_recognised(name: str, cell: str, kind: Kind) -> None:
    rule = target(name).family.rule(cell)
    assert rule is not None
    assert rule.kind is kind


@pytest.mark.parametrize(
    ("name", "report", "numbers"),
    [
        ("ecp5-85k", "stat_ecp5.json", (60, 60, 45, 1, 0, 0, 12)),
        ("xcup", "stat_xcup.json", (57, None, 45, 1, 0, 0, 7)),
        ("ice40", "stat_ice40.json", (36, 36, 37, 1, 0, 0, 25)),
    ],
)
def test_real_statistics_are_summed(name: str, report: str, numbers: tuple[int | None]) -> None:
    used = parse_stat((REPORTS / report).read_bytes(), target(name).family, "mac")
    assert numbers == (
        used.luts,
        used.lut4_equivalents,
        used.ffs,
        used.dsps,
        used.block_rams,
        used.distributed_rams,
        used.carries,
    )
    assert used.cells == tuple(sorted(used.cells))


def test_memories_have_their_size() -> None:
    xcup = count_cells({"RAMB36E2": 2, "RAMB18E2": 1, "RAM64M8": 3}, target("xcup").family, "t")
    assert (xcup.block_rams, xcup.distributed_rams, xcup.luts) == (5, 3, 24)
    ecp5 = count_cells({"DP16KD": 2, "TRELLIS_DPR16X4": 3}, target("ecp5-25k").family, "t")
    assert (ecp5.block_rams, ecp5.distributed_rams, ecp5.lut4_equivalents) == (2, 3, 18)


def test_a_black_box_is_refused() -> None:
    with pytest.raises(ToolError) as error:
        count_cells({"LUT4": 3, "secret_ip": 2}, target("ecp5-85k").family, "top")
    assert str(error.value) == (
        "top: 2 x secret_ip left in the netlist, which is no cell of ecp5; give the source of that "
        "module, or describe the logic in synthesizable Verilog"
    )


def test_text_that_is_no_table_is_refused() -> None:
    with pytest.raises(ToolError) as error:
        parse_stat(b"{}", target("ecp5-85k").family, "top")
    assert str(error.value) == (
        "top: the statistics of yosys cannot be read (Object missing required field `design`); "
        "expected `stat -json` of Yosys 0.40 or later"
    )
