"""The real tools on small real designs: area, Fmax, and netlists that compute the same numbers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from hwaccel import tools
from hwaccel.errors import ToolError
from hwaccel.synth.netlist import netlist_verilog
from hwaccel.synth.nextpnr import Pins, place_and_route
from hwaccel.synth.target import target
from hwaccel.synth.yosys import Options, SynthResult, synthesize
from tests.synth.conftest import DESIGNS, MAC

ECP5 = target("ecp5-25k")
WEIGHTS = [int(word, 16) for word in (DESIGNS / "mac.mem").read_text().split()]


def _needs(*names: str) -> pytest.MarkDecorator:
    missing = [name for name in names if tools.find(name) is None]
    return pytest.mark.skipif(bool(missing), reason=f"needs {', '.join(missing)}")


pytestmark = [pytest.mark.synth, _needs("yosys", "nextpnr-ecp5", "iverilog", "vvp")]


def _write(folder: Path, name: str, text: str) -> Path:
    path = folder / f"{name}.v"
    path.write_text(text)
    return path


def _simulate(files: Sequence[Path], bench: str, folder: Path) -> list[int]:
    """Return the integers that a bench prints."""
    source = _write(folder, "bench", bench)
    iverilog, vvp = tools.require("iverilog"), tools.require("vvp")
    program = folder / "bench.vvp"
    tools.run([*iverilog.argv, "-g2005", "-o", program, *files, source], cwd=folder)
    done = tools.run([*vvp.argv, "-n", program], cwd=folder, timeout_s=120)
    return [int(line) for line in done.stdout.split()]


def _mac_bench(xs: np.ndarray) -> str:
    """Reset for two cycles, then one input a cycle; print the sum before each clock edge."""
    stimuli = "\n".join(f'        x = {x & 255}; #9 $display("%0d", y); #1 ;' for x in xs)
    return f"""`timescale 1ns / 1ps
module bench;
    reg clk = 0;
    reg rst = 1;
    reg signed [7:0] x = 0;
    wire signed [23:0] y;
    mac dut (.clk(clk), .rst(rst), .x(x), .y(y));
    always #5 clk = ~clk;
    initial begin
        #20 rst = 0;
{stimuli}
        $finish;
    end
endmodule
"""


def _mac_golden(xs: np.ndarray) -> list[int]:
    """Return the sums that the bench prints, from integers alone."""
    signed = np.array([w - 256 if w > 127 else w for w in WEIGHTS], dtype=np.int64)
    products = xs * signed[(np.arange(len(xs))) % len(signed)]
    return np.cumsum(products).tolist()


@pytest.fixture(scope="module")
def mac(tmp_path_factory: pytest.TempPathFactory) -> SynthResult:
    return synthesize([MAC], "mac", ECP5, tmp_path_factory.mktemp("a folder") / "mac")


def test_area(mac: SynthResult) -> None:
    assert mac.utilization.dsps == 1
    assert mac.utilization.ffs == 45
    assert mac.utilization.lut4_equivalents is not None
    assert 30 <= mac.utilization.lut4_equivalents <= 66
    assert mac.warnings == ()


@pytest.mark.parametrize("options", [Options(), Options(dsp=False)], ids=["dsp", "soft"])
def test_the_netlist_computes_the_same(tmp_path: Path, options: Options) -> None:
    result = synthesize([MAC], "mac", ECP5, tmp_path, options=options)
    xs = np.random.default_rng(1).integers(-128, 128, 500)
    seen = _simulate(netlist_verilog(result).files, _mac_bench(xs), tmp_path)
    assert seen == _simulate([MAC.resolve()], _mac_bench(xs), tmp_path)
    # The bench looks 9 ns into a cycle of 10: x is registered by then, its sum comes a cycle later.
    assert seen[1:] == _mac_golden(xs)[:-1]


def test_place_and_route(mac: SynthResult) -> None:
    workdir = mac.netlist_json.parent
    first = place_and_route(mac.netlist_json, ECP5, workdir, top="mac", clock_mhz=100, seed=3)
    again = place_and_route(mac.netlist_json, ECP5, workdir, top="mac", clock_mhz=100, seed=3)
    assert first.routed
    assert 60 < first.fmax_mhz < 250
    assert first.fmax_mhz == again.fmax_mhz
    assert first.critical_path is not None
    assert any("mac.v" in line for line in first.critical_path.sources)
    used = {resource.name: resource.used for resource in first.utilization}
    assert used["TRELLIS_FF"] == 45
    assert "TRELLIS_IO" not in used


def test_place_only_and_with_pins(mac: SynthResult) -> None:
    workdir = mac.netlist_json.parent
    placed = place_and_route(mac.netlist_json, ECP5, workdir, top="mac", clock_mhz=100, route=False)
    assert not placed.routed
    assert 60 < placed.fmax_mhz < 250
    padded = place_and_route(
        mac.netlist_json, ECP5, workdir, top="mac", clock_mhz=100, pins=Pins.PACKAGE
    )
    assert {r.name: r.used for r in padded.utilization}["TRELLIS_IO"] == 34


@pytest.mark.parametrize("name", ["xcup", "xc7", "ice40"])
def test_other_families_are_counted(tmp_path: Path, name: str) -> None:
    used = synthesize([MAC], "mac", target(name), tmp_path).utilization
    assert used.dsps == 1
    assert used.ffs >= 24
    assert 20 < used.luts < 80


def test_parameters_of_the_top(tmp_path: Path) -> None:
    options = Options(parameters={"WIDTH": 4})
    used = synthesize([MAC], "mac", ECP5, tmp_path, options=options).utilization
    assert used.ffs < 45


ERRORS = {
    "module t(input a, b, output reg q); always @* if (a) q = b; endmodule":
        "ERROR: Latch inferred for signal `\\t.\\q'",
    "module t(input a, b, output q); assign q = a; assign q = ~b; endmodule":
        "multiple conflicting drivers",
    "module t(input a, output q); wire z; assign q = a & z; endmodule":
        "t.\\z is used but has no driver.; connect the wire or remove it",
    "module t(input a, output q); foo u(.a(a), .q(q)); endmodule":
        "is not part of the design.; pass the source of that module too",
    "module t(input a, output q); assign q = a &; endmodule":
        "t.v:1: ERROR: syntax error, unexpected ';'",
    'module t(input c, input [3:0] a, output reg q); reg m [0:15]; initial $readmemh("no.mem", m);'
    " always @(posedge c) q <= m[a]; endmodule":
        "Can not open file `no.mem` for \\$readmemh.; pass the file or its folder as `data`",
    'module t(input a, output q);\ninitial begin\n$display("hwa: %m: W=%0d, must be 1", 2);\n'
    "$finish;\nend\nassign q = a;\nendmodule":
        "t.v:4: illegal parameter: W=<value>, must be 1; correct it where",
    "module other(input a, output q); assign q = a; endmodule": "Module `t' not found!",
}  # fmt: skip


@pytest.mark.parametrize("source", ERRORS)
def test_faults_in_the_source(tmp_path: Path, source: str) -> None:
    path = _write(tmp_path, "t", source)
    with pytest.raises(ToolError) as error:
        synthesize([path], "t", ECP5, tmp_path / "work")
    text = str(error.value)
    assert ERRORS[source] in text
    assert text.startswith("t: yosys stopped: ")
    assert text.endswith(f"(log: {tmp_path}/work/yosys.log)")
    assert "\n" not in text


def test_a_black_box_of_the_user_is_refused(tmp_path: Path) -> None:
    path = _write(
        tmp_path,
        "t",
        "(* blackbox *) module ip(input a, output q); endmodule\n"
        "module t(input a, output q); ip u(.a(a), .q(q)); endmodule\n",
    )
    with pytest.raises(ToolError, match="1 x ip left in the netlist"):
        synthesize([path], "t", ECP5, tmp_path / "work")


def test_a_design_that_does_not_fit(tmp_path: Path) -> None:
    source = _write(
        tmp_path,
        "t",
        "module t(input clk, input signed [17:0] x, output reg signed [35:0] y);\n"
        "reg signed [35:0] s [0:40]; integer i;\n"
        "always @(posedge clk) begin s[0] <= x * x; y <= s[40];\n"
        "for (i = 1; i < 41; i = i + 1) s[i] <= $signed(s[i-1][30:13]) * $signed(x); end\n"
        "endmodule\n",
    )
    made = synthesize([source], "t", ECP5, tmp_path / "work")
    assert made.utilization.dsps > 28
    with pytest.raises(ToolError) as error:
        place_and_route(made.netlist_json, ECP5, tmp_path / "work", top="t", clock_mhz=50)
    assert "the design does not fit: choose a larger target or less parallelism" in str(error.value)


def test_too_little_time(mac: SynthResult) -> None:
    with pytest.raises(ToolError, match=r"stopped after 0\.3 s"):
        place_and_route(
            mac.netlist_json,
            ECP5,
            mac.netlist_json.parent,
            top="mac",
            clock_mhz=100,
            timeout_s=0.3,
        )
