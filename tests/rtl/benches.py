"""Start a cocotb bench of one top on a simulator."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hwaccel import tools
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
    options = ["-g2005"]
    if simulator == "verilator":
        for name, value in tools.verilator_env().items():
            monkeypatch.setenv(name, value)
        # The bench looks at the ports of the top and at nothing below: a quarter of the C++.
        options = ["--quiet", "--no-public-flat-rw", "--public-depth", "1"]
        quick = "OPT_FAST=-O1 OPT_SLOW=-O0 OPT_GLOBAL=-O0"
        monkeypatch.setenv("MAKEFLAGS", f"{os.environ.get('MAKEFLAGS', '')} {quick}".strip())
    monkeypatch.setenv("PYTHONPATH", str(SIM), prepend=os.pathsep)
    runner = get_runner(simulator)
    runner.build(
        sources=[*sources, folder / "top.v"],
        hdl_toplevel=top,
        build_dir=folder,
        build_args=options,
        timescale=("1ns", "1ps"),
    )
    results = runner.test(
        test_module=bench,
        hdl_toplevel=top,
        build_dir=folder,
        test_dir=folder,
        timescale=("1ns", "1ps"),
        extra_env={"HWA_CASES": str(folder / "cases.json"), "HWA_SEED": str(seed)},
    )
    return get_results(results)
