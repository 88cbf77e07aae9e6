"""The bench that travels with a project: it passes on the design and notices what is broken."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

import hwaccel
from benchmarks.trust.rtl_mutants import cnn
from hwaccel import Config, tools
from hwaccel.errors import ConfigError
from hwaccel.verify.rtl import run_bench
from tests.verify.networks import two_ins_two_outs

pytestmark = [
    pytest.mark.rtl,
    pytest.mark.skipif(tools.find("iverilog") is None, reason="missing: iverilog"),
]


def run(folder: Path, design: hwaccel.Design, *changes: tuple[str, str, str]) -> str:
    """Run the bench of a project on its Verilog, some texts replaced; return what it notices."""
    bench = design.testbench(frames=8)
    job = str(bench["job.json"]).replace("200000", "3000")
    files = {**design.verilog(), "job.json": job}
    for name, old, new in changes:
        assert old in files[name], name
        files[name] = files[name].replace(old, new)
    folder.mkdir(exist_ok=True)
    (folder / "job.json").write_text(files.pop("job.json"))
    for name, data in bench.items():
        if isinstance(data, bytes):
            (folder / name).write_bytes(data)
    run_bench(files, design.name, "bench_design", folder, simulator="icarus")
    (runs,) = json.loads((folder / "result.json").read_text())
    return next((t for r in runs for t in (*r["differences"], r["failure"]) if t), "")


def test_the_design_passes(tmp_path: Path) -> None:
    assert run(tmp_path / "one", hwaccel.design_from(cnn(), Config(multipliers=6))) == ""
    assert run(tmp_path / "two", hwaccel.design_from(two_ins_two_outs())) == ""


FAULTS = {
    "a-register-without-reset": (
        ("hwa_fifo.v", "            write_q   <= {PLACE_W{1'b0}};\n", ""),
        "",
    ),
    "a-frame-error-that-stays-low": (
        ("hwa_frame_in.v", "(s_axis_tlast != last)", "(s_axis_tlast && !last)"),
        "s_axis: frame_error stays low though tlast is late",
    ),
    "a-frame-error-that-falls": (
        ("hwa_frame_in.v", "if (s_axis_tlast != last) ", "frame_error_q <= 1'b0; if (last) "),
        "s_axis: frame_error stays low though tlast is early",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_noticed(fault: str, tmp_path: Path) -> None:
    change, message = FAULTS[fault]
    said = run(tmp_path, hwaccel.design_from(cnn(), Config(multipliers=6)), change)
    assert said
    assert said.startswith(message)


def test_a_frame_at_another_time_is_noticed(tmp_path: Path) -> None:
    design = hwaccel.design_from(cnn(), Config(multipliers=6))
    cycle = design.plan.timing(8).finished()[2]
    said = run(tmp_path, design, ("job.json", f" {cycle},", f" {cycle - 1},"))
    assert said == f"frame 2 ended in cycle {cycle}, expected {cycle - 1}"


def test_a_bench_has_frames_and_a_design_prints_as_one_line() -> None:
    design = hwaccel.design_from(cnn(), Config(multipliers=6))
    for frames in (0, -1):
        with pytest.raises(ConfigError, match=f"^frames={frames}: a bench needs at least 1$"):
            design.testbench(frames)
    assert repr(design) == (
        f"<Design {design.name} {design.hash}: {len(design.graph.nodes)} nodes>"
    )


def test_without_cocotb_make_says_what_to_install(tmp_path: Path) -> None:
    bench = hwaccel.design_from(cnn(), Config(multipliers=6)).testbench(frames=1)
    (tmp_path / "Makefile").write_text(str(bench["Makefile"]))
    (tmp_path / "cocotb-config").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "cocotb-config").chmod(0o755)
    ran = subprocess.run(
        ["make", "-C", tmp_path],
        env=os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}", "LC_ALL": "C"},
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 2
    assert (
        "cocotb-config is not on the PATH: pip install 'cocotb>=2,<3' cocotbext-axi" in ran.stderr
    )
