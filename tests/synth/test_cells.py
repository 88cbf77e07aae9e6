"""The models of the ECP5 cells: netlists built of them do what their sources do."""

from __future__ import annotations

from pathlib import Path

import pytest

from hwaccel import tools
from hwaccel.errors import ToolError
from hwaccel.synth.netlist import netlist_verilog
from hwaccel.synth.target import target
from hwaccel.synth.yosys import Options, synthesize

TOOLS = ("yosys", "iverilog", "vvp")
pytestmark = [
    pytest.mark.synth,
    pytest.mark.skipif(any(tools.find(t) is None for t in TOOLS), reason="needs yosys, iverilog"),
]

MODULE = """module t(
    input clk, input we, input rst, input [{addr}:0] ra, input [{addr}:0] wa,
    input [{word}:0] d, output reg [{word}:0] q
);
    (* ram_style = "{style}" *) reg [{word}:0] m [0:{last}];
    initial begin
        $readmemh("t.mem", m);
        q = 0;
    end
    always @(posedge clk) begin
        {body}
    end
endmodule
"""
BENCH = """module bench;
    reg clk = 0, we, rst;
    reg [{addr}:0] ra, wa;
    reg [{word}:0] d;
    wire [{word}:0] q;
    integer i, seed;
    t dut (.clk(clk), .we(we), .rst(rst), .ra(ra), .wa(wa), .d(d), .q(q));
    initial begin
        seed = 5;
        for (i = 0; i < 2000; i = i + 1) begin
            ra = $random(seed); we = $random(seed); rst = ($random(seed) & 7) == 0;
            wa = i & 1 ? ra + 1 : $random(seed); d = {{$random(seed), $random(seed)}};
            if (wa == ra) wa = wa + 1;
            #5 clk = 1;
            #1 $display("%h", q);
            #4 clk = 0;
        end
        $finish;
    end
endmodule
"""
BODIES = {
    "rom": "q <= m[ra];",
    "two ports": "if (we) m[wa] <= d; q <= m[ra];",
    "reset": "if (we) m[wa] <= d; if (rst) q <= 0; else q <= m[ra];",
    "no change": "if (we) m[ra] <= d; else q <= m[ra];",
    "write through": "if (we) begin m[ra] <= d; q <= d; end else q <= m[ra];",
}
CASES = [
    ("rom", 1, 16384, "block"),
    ("rom", 4, 4096, "block"),
    ("rom", 9, 2048, "block"),
    ("rom", 36, 512, "block"),
    ("two ports", 2, 8192, "block"),
    ("two ports", 40, 512, "block"),
    ("reset", 8, 2048, "block"),
    ("no change", 16, 1024, "block"),
    ("write through", 18, 1024, "block"),
    ("two ports", 6, 32, "distributed"),
]


def _printed(files: list[Path], bench: str, folder: Path) -> str:
    (folder / "bench.v").write_text(bench)
    iverilog, vvp = tools.require("iverilog"), tools.require("vvp")
    sources = [*files, folder / "bench.v"]
    tools.run([*iverilog.argv, "-g2005", "-o", folder / "vvp", *sources], cwd=folder)
    return tools.run([*vvp.argv, "-n", folder / "vvp"], cwd=folder, timeout_s=120).stdout


@pytest.mark.parametrize(
    ("kind", "width", "depth", "style"), CASES, ids=[f"{k} {w}x{d}" for k, w, d, _ in CASES]
)
def test_memories(tmp_path: Path, kind: str, width: int, depth: int, style: str) -> None:
    sizes = {"word": width - 1, "addr": (depth - 1).bit_length() - 1, "last": depth - 1}
    source = tmp_path / "t.v"
    source.write_text(MODULE.format(**sizes, style=style, body=BODIES[kind]))
    words = [(i * 40503 + (i >> 3)) % (1 << width) for i in range(depth)]
    (tmp_path / "t.mem").write_text("".join(f"{word:x}\n" for word in words))
    made = synthesize([source], "t", target("ecp5-25k"), tmp_path / "work")
    used = made.utilization
    assert (used.block_rams if style == "block" else used.distributed_rams) >= 1
    bench = BENCH.format(**sizes)
    expected = _printed([source], bench, tmp_path)
    assert "x" not in expected
    assert _printed(list(netlist_verilog(made).files), bench, tmp_path) == expected


@pytest.mark.parametrize("dsp", [True, False], ids=["dsp", "soft"])
@pytest.mark.parametrize(("signed", "a", "b"), [("signed", 8, 6), ("", 18, 18), ("signed", 3, 7)])
def test_products(tmp_path: Path, signed: str, a: int, b: int, dsp: bool) -> None:
    source = tmp_path / "t.v"
    source.write_text(
        f"module t(input clk, input {signed} [{a - 1}:0] x, input {signed} [{b - 1}:0] y,\n"
        f"    output reg {signed} [{a + b - 1}:0] q);\n"
        "    always @(posedge clk) q <= x * y;\nendmodule\n"
    )
    bench = f"""module bench;
    reg clk = 0; reg [{a - 1}:0] x; reg [{b - 1}:0] y; wire [{a + b - 1}:0] q; integer i, seed;
    t dut (.clk(clk), .x(x), .y(y), .q(q));
    initial begin
        seed = 3;
        for (i = 0; i < 1500; i = i + 1) begin
            x = i < 4 ? {{{a}{{i[0]}}}} << (i >> 1) * {a - 1} : $random(seed);
            y = i < 4 ? {{{b}{{1'b1}}}} << {b - 1} : $random(seed);
            #5 clk = 1; #1 $display("%h", q); #4 clk = 0;
        end
        $finish;
    end
endmodule
"""
    options = Options(dsp=dsp)
    made = synthesize([source], "t", target("ecp5-25k"), tmp_path / "work", options=options)
    assert made.utilization.dsps == dsp
    seen = _printed(list(netlist_verilog(made).files), bench, tmp_path)
    assert seen == _printed([source], bench, tmp_path)


def test_other_families_have_no_models(tmp_path: Path) -> None:
    source = tmp_path / "t.v"
    source.write_text(
        "module t(input c, input a, output reg q); always @(posedge c) q <= a; endmodule"
    )
    made = synthesize([source], "t", target("xcup"), tmp_path / "work")
    with pytest.raises(ToolError) as error:
        netlist_verilog(made)
    assert str(error.value) == (
        "t: no cell models for xcup, only for ecp5; synthesize for an ECP5 target to simulate the "
        "netlist"
    )
