"""Yosys takes one multiplier for two products, and hardly a LUT more."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hwaccel import tools
from hwaccel.emit.design import build_netlist
from hwaccel.emit.verilog import emit_verilog
from hwaccel.fxp import FixedType, IntArray
from hwaccel.ir import GraphBuilder, TensorType
from hwaccel.ir.hardware import Fold
from hwaccel.ops import Dense
from hwaccel.schedule.buffers import size_buffers
from hwaccel.schedule.plan import build_plan
from hwaccel.synth.target import target
from hwaccel.synth.utilization import Utilization
from hwaccel.synth.yosys import synthesize

pytestmark = [
    pytest.mark.synth,
    pytest.mark.skipif(tools.find("yosys") is None, reason="needs yosys"),
]


def _used(folder: Path, device: str, bits: int, fixed: str, pack: int) -> Utilization:
    rng, half = np.random.default_rng(0), 1 << (bits - 1)
    weight = rng.integers(-half + 1, half, (4, 8))
    op = Dense(IntArray(weight), IntArray([0] * 4), IntArray([0] * 4))
    b = GraphBuilder("fc")
    x = b.input("x", TensorType.full((8,), FixedType.parse(fixed)))
    plan = size_buffers(build_plan(b.build(b.add("y", op, x)), {"y": Fold(4, 4, pack=pack)}))
    folder.mkdir()
    for name, text in emit_verilog(build_netlist(plan), ("made by a test",)).items():
        (folder / name).write_text(text)
    sources, data = sorted(folder.glob("*.v")), sorted(folder.glob("*.mem"))
    return synthesize(sources, "fc", target(device), folder / "work", data=data).utilization


@pytest.mark.parametrize(
    ("device", "bits", "fixed"), [("ecp5-85k", 5, "u8.8"), ("ice40", 5, "u6.6")]
)
def test_two_products_in_a_multiplier(device: str, bits: int, fixed: str, tmp_path: Path) -> None:
    alone = _used(tmp_path / "alone", device, bits, fixed, 1)
    shared = _used(tmp_path / "shared", device, bits, fixed, 2)
    assert (alone.dsps, shared.dsps) == (16, 8)
    # Half a carry cell for each sum that takes a correction.
    assert shared.luts <= alone.luts + 4 * 4
    assert shared.ffs <= alone.ffs + 4 * 4
