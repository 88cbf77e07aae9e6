"""A flattened netlist is cut into blocks again: every cell in one, and in the right one."""

from __future__ import annotations

from pathlib import Path

import pytest

from hwaccel.api import Design
from hwaccel.errors import ToolError
from hwaccel.synth.parts import _owner, owners_of, parts_of
from hwaccel.synth.target import target
from hwaccel.synth.utilization import Utilization
from hwaccel.synth.yosys import SynthResult
from tests.report.designs import CONFIG, planned

OWNERS = {"u_a_mac": "a", "a": "a", "a_b": "ab", "a_b_tvalid": "ab"}


@pytest.mark.parametrize(
    ("cell", "block"),
    [
        ("u_a_mac.product_TRELLIS_FF_Q", "a"),
        ("u_a_mac.lane[0].sum_CCU2C_S0_1", "a"),
        ("$flatten\\u_a_mac.$add$hwa_mac.v:87$1545.slice[0].carry4", "a"),
        ("$auto$ff.cc:266:slice$12", ""),
        ("a_b_tvalid_LUT4_Z", "ab"),
        ("a_b_tdata_LUT4_Z_1", "ab"),
        ("a_tready_TRELLIS_FF_Q", "a"),
        ("m_axis_tvalid_LUT4_Z", ""),
        ("u_a_mac_of_another.x", ""),
    ],
)
def test_a_cell_belongs_to_its_instance_or_its_net(cell: str, block: str) -> None:
    assert _owner(cell, OWNERS) == block


@pytest.fixture(scope="module", name="design")
def _design() -> Design:
    return Design(*planned("cnn"), CONFIG)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ecp5-85k", "xcup", "ice40-up5k"])
def test_parts_are_the_whole(design: Design, name: str, tmp_path: Path) -> None:
    made = design.synthesize(name, pnr=False, workdir=tmp_path).synth
    parts = parts_of(made, design.netlist, design.plan)
    assert {block.name for block in design.plan.blocks} <= parts.keys()
    used = made.utilization
    for column, whole in enumerate(used.amounts):
        assert sum(part.amounts[column] for part in parts.values()) == whole
    # What is certain of single stages: who multiplies, and who counts pixels and keeps rows.
    multiply = {n for n, part in parts.items() if part.dsps}
    assert multiply == {"stem_q", "block_q", "head"}
    assert all(parts[n].ffs > 100 for n in ("stem_q", "block_q", "head", "pool"))
    assert parts[""].luts < used.luts / 20


def test_a_netlist_that_is_none(design: Design, tmp_path: Path) -> None:
    path = tmp_path / "cnn.json"
    none = Utilization(0, 0, 0, 0, 0, 0, 0, ())
    made = SynthResult("cnn", target("ecp5-85k"), none, path, path, path, path, (), 0.0, "0")
    with pytest.raises(ToolError, match=r"cnn.json: cannot be read \(No such file"):
        parts_of(made, design.netlist, design.plan)
    for text in ("{", '{"modules": {"other": {}}}', '{"modules": {"cnn": {"cells": [1]}}}'):
        path.write_text(text)
        with pytest.raises(ToolError, match=r"cnn.json: is no netlist of cnn"):
            parts_of(made, design.netlist, design.plan)


def test_every_block_owns_something(design: Design) -> None:
    owned = set(owners_of(design.netlist, design.plan).values())
    assert owned == {block.name for block in design.plan.blocks}
