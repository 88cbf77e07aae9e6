"""A slice of ``benchmarks.trust.rtl_mutants``: the bench of a project notices broken Verilog."""

from __future__ import annotations

from pathlib import Path

import pytest

import hwaccel
from benchmarks.trust.rtl_mutants import DESIGNS, break_design, equivalent, try_bench
from hwaccel import tools

NEEDED = ("yosys", "verilator", "make", "g++")
pytestmark = [
    pytest.mark.rtl,
    pytest.mark.synth,
    pytest.mark.slow,
    pytest.mark.skipif(
        any(tools.find(name) is None for name in NEEDED), reason=f"missing: {', '.join(NEEDED)}"
    ),
]


def test_mutants_of_a_spatial_design_are_killed(tmp_path: Path) -> None:
    make, config = DESIGNS["mlp, spatial"]
    design = hwaccel.design_from(make(), config)
    commands = break_design(design, tmp_path, 60, 2)
    assert len(commands) == 60
    said = try_bench(design, tmp_path, list(commands))
    alive = [number for number, text in said.items() if not text]
    same = equivalent(design, tmp_path, alive) if alive else set()
    assert len(alive) - len(same) <= 3, [commands[n] for n in alive if n not in same]
