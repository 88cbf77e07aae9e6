"""Start a cocotb bench of one top on a simulator."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hwaccel.verify.models import verilated
from tests.rtl.proofs import RTL, missing

SIM = RTL.parent / "sim"


def simulate(
    simulator: str,
    sources: list[Path],
    top: str,
    bench: str,
    seed: int,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> tuple[int, int]:
    """Run ``bench`` on ``top.v`` and ``cases.json`` in ``folder``; return tests run and failed."""
    from cocotb_tools.check_results import get_results
    from cocotb_tools.runner import get_runner

    program = {"icarus": "iverilog"}.get(simulator, simulator)
    if missing(program):
        pytest.skip(missing(program))
    monkeypatch.setenv("PYTHONPATH", str(SIM), prepend=os.pathsep)
    runner, build = get_runner(simulator), folder
    if simulator == "verilator":
        # The bench looks at the ports of the top and at nothing below.
        texts = {path.name: path.read_text() for path in [*sources, folder / "top.v"]}
        build = verilated(texts, top, waves="")
    else:
        runner.build(
            sources=[*sources, folder / "top.v"],
            hdl_toplevel=top,
            build_dir=folder,
            build_args=["-g2005"],
            timescale=("1ns", "1ps"),
        )
    results = runner.test(
        test_module=bench,
        hdl_toplevel=top,
        hdl_toplevel_lang="verilog",
        build_dir=build,
        test_dir=folder,
        timescale=("1ns", "1ps"),
        extra_env={"HWA_CASES": str(folder / "cases.json"), "HWA_SEED": str(seed)},
    )
    return get_results(results)
