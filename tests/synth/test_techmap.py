"""Our technology maps are exact: proved by SAT, and shown to save what they promise."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from hwaccel import resources, tools
from hwaccel.emit import env
from hwaccel.errors import ToolError
from hwaccel.synth.target import target
from hwaccel.synth.yosys import Options, synthesize

pytestmark = [
    pytest.mark.synth,
    pytest.mark.skipif(tools.find("yosys") is None, reason="needs yosys"),
]

MAPS = {
    "adders": ("$add $sub", "techmap -map adders.v\ntechmap\n"),
    "soft_mul": ("$mul", "techmap -map soft_mul.v\ntechmap -map adders.v\ntechmap\n"),
    "soft_mul_ecp5": (
        "$mul",
        "techmap -D HWA_CCU2C -map soft_mul.v\ntechmap -map adders.v\n"
        "techmap -autoproc -map +/ecp5/cells_sim.v\ntechmap\n",
    ),
}


def _yosys(folder: Path, command: str) -> str:
    yosys = tools.require("yosys")
    tools.warm(yosys)
    done = tools.run([*yosys.argv, "-p", command], cwd=folder, env=yosys.environ(), timeout_s=300)
    return done.stdout


@pytest.mark.parametrize("name", MAPS)
def test_sat_finds_no_difference(tmp_path: Path, name: str) -> None:
    cells, script = MAPS[name]
    for source in ("adders.v", "soft_mul.v"):
        (tmp_path / source).write_text(env.render(f"synth/{source}.j2"))
    (tmp_path / "map.ys").write_text(script)
    said = _yosys(tmp_path, f"test_cell -n 25 -s 11 -noeval -script map.ys {cells}")
    assert said.count("no model found: SUCCESS") == 25 * len(cells.split())
    assert "FAIL" not in said


ADD3 = """
read_verilog -lib hwa_add3.v
read_verilog top.v
hierarchy -check -top top
techmap -map add3.v
read_verilog -lib +/xilinx/cells_sim.v
techmap -autoproc -map +/xilinx/cells_sim.v
hierarchy -check -top top
flatten
proc
opt_clean
rename top gate
select -assert-none gate/t:LUT* gate/t:CARRY*
design -stash gate
read_verilog hwa_add3.v top.v
hierarchy -check -top top
flatten
proc
rename top gold
design -copy-from gate gate
miter -equiv -flatten -make_outputs gold gate miter
sat -verify -prove trigger 0 -show-inputs -show-outputs miter
"""


def _prove_add3(folder: Path, width: int, subtract: int, map_: str) -> None:
    """Prove that the map of ``hwa_add3`` computes what its text says."""
    (folder / "add3.v").write_text(map_)
    shutil.copy(resources.rtl_file("hwa_add3"), folder)
    (folder / "top.v").write_text(
        f"module top(input [{width - 1}:0] a, b, c, output [{width - 1}:0] y);\n"
        f"hwa_add3 #(.WIDTH({width}), .SUBTRACT({subtract})) dut (.a(a), .b(b), .c(c), .y(y));\n"
        "endmodule\n"
    )
    _yosys(folder, "; ".join(ADD3.strip().splitlines()))


@pytest.mark.parametrize("width", [1, 2, 3, 4, 5, 8, 9, 13, 24])
@pytest.mark.parametrize("subtract", [0, 1, 2])
def test_sat_finds_no_difference_of_sums_of_three(
    tmp_path: Path, width: int, subtract: int
) -> None:
    _prove_add3(tmp_path, width, subtract, env.render("synth/add3_xilinx.v.j2"))


@pytest.mark.parametrize(
    ("subtract", "old", "new"),
    [
        (0, "8'he8", "8'hec"),
        (1, "16'h9669", "16'h6996"),
        (1, "(SUBTRACT > 0) ? 1'b1", "(SUBTRACT > 1) ? 1'b1"),
        (2, ".CYINIT((SUBTRACT > 1) ? 1'b1 : 1'b0)", ".CYINIT(1'b0)"),
        (0, ".CI(chain[4*i-1])", ".CI(chain[4*i-2])"),
    ],
)
def test_a_broken_sum_of_three_is_caught(tmp_path: Path, subtract: int, old: str, new: str) -> None:
    good = env.render("synth/add3_xilinx.v.j2")
    assert good.count(old) == 1
    with pytest.raises(ToolError, match="proof did fail"):
        _prove_add3(tmp_path, 6, subtract, good.replace(old, new))


def test_a_broken_map_is_caught(tmp_path: Path) -> None:
    good = env.render("synth/adders.v.j2")
    bad = good.replace(".BI(1'b1), .CI(1'b1)", ".BI(1'b1), .CI(1'b0)")
    (tmp_path / "adders.v").write_text(bad)
    (tmp_path / "map.ys").write_text(MAPS["adders"][1])
    with pytest.raises(ToolError, match="proof did fail"):
        _yosys(tmp_path, "test_cell -n 5 -s 11 -noeval -script map.ys $sub")


SUM = """module t(input clk, input [63:0] x, output reg [10:0] y);
    reg [63:0] q;
    always @(posedge clk) begin
        q <= x;
        y <= q[7:0] + q[15:8] + q[23:16] + q[31:24] + q[39:32] + q[47:40] + q[55:48] + q[63:56];
    end
endmodule
"""
PRODUCT = """module t(
    input clk, input signed [7:0] a, input signed [5:0] b, output reg signed [13:0] y
);
    reg signed [7:0] a_q;
    reg signed [5:0] b_q;
    always @(posedge clk) begin
        a_q <= a;
        b_q <= b;
        y <= a_q * b_q;
    end
endmodule
"""


@pytest.mark.parametrize(
    ("source", "dsp", "most", "saves"),
    [(SUM, True, 80, 0.15), (PRODUCT, False, 56, 0.5)],
    ids=["sum of eight", "8x6 product"],
)
def test_what_they_save(tmp_path: Path, source: str, dsp: bool, most: int, saves: float) -> None:
    path = tmp_path / "t.v"
    path.write_text(source)
    area = []
    for keep in (True, False):
        options = Options(dsp=dsp, keep_adders=keep)
        made = synthesize([path], "t", target("ecp5-25k"), tmp_path / str(keep), options=options)
        assert made.utilization.lut4_equivalents is not None
        area.append(made.utilization.lut4_equivalents)
    assert area[0] <= most
    assert area[0] <= (1 - saves) * area[1]
