"""The netlist that Yosys makes of a design still computes the golden model, bit for bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import hwaccel
from hwaccel import Config, FixedType
from hwaccel.fxp import IntArray
from hwaccel.ir import GraphBuilder, TensorType
from hwaccel.ops import Conv2d, Dense, MaxPool2d, Requant, Reshape
from hwaccel.synth.netlist import netlist_verilog
from hwaccel.verify.rtl import simulate


def small_cnn() -> hwaccel.Design:
    """Return a network that uses DSPs, ROMs, line buffers, FIFOs and width adapters."""
    rng = np.random.default_rng(3)
    b = GraphBuilder("gates")
    x = b.input("x", TensorType.full((1, 6, 6), FixedType.parse("u6.6")))
    weight = IntArray(rng.integers(-31, 32, (4, 1, 3, 3)))
    y = b.add(
        "conv",
        Conv2d(weight, IntArray([0, 1, 0, 2]), IntArray([9, -50, 0, 77]), 5, padding=(1, 1, 1, 1)),
        x,
    )
    y = b.add("act", Requant(6, 0, 63), y)
    y = b.add("pool", MaxPool2d((2, 2), (2, 2)), y)
    y = b.add("flat", Reshape((36,)), y)
    weight = IntArray(rng.integers(-31, 32, (3, 36)))
    head = Dense(weight, IntArray([0, 0, 0]), IntArray([5, 0, -5]))
    return hwaccel.design_from(b.build(b.add("head", head, y)), Config(multipliers=6))


@pytest.mark.synth
@pytest.mark.slow
def test_ecp5_netlist_equals_golden(tmp_path: Path) -> None:
    design = small_cnn()
    made = design.synthesize("ecp5-25k", pnr=False, workdir=tmp_path / "synth")
    assert made.synth.utilization.dsps > 0
    gates = netlist_verilog(made.synth)
    rng = np.random.default_rng(0)
    x = rng.integers(0, 64, (8, 1, 6, 6))
    x[0], x[1] = 0, 63
    files = {path.name: path.read_text(encoding="utf-8") for path in gates.files}
    for idle, backpressure in (("none", "none"), ("some", "bursts")):
        result = simulate(
            files, design.netlist, [x], simulator="icarus", idle=idle, backpressure=backpressure
        )
        assert np.array_equal(result.outputs[0], design.golden.raw(x)[0])
    timing = design.plan.timing(8)
    plain = simulate(files, design.netlist, [x], simulator="icarus")
    assert plain.finished == timing.finished()
