"""What was printed is what was meant, according to a parser that is not ours."""

from __future__ import annotations

import re
from functools import cache

import pytest

from hwaccel.config import Config
from hwaccel.errors import MismatchError
from hwaccel.schedule.fold import choose_folds
from hwaccel.verify.structure import check_structure
from tests.verify.networks import cnn, dense_block, two_ins_two_outs
from tests.verify.packing import Design, design

pytest.importorskip("pyverilog")

GRAPHS = {
    "cnn": lambda: cnn(residual=False),
    "residual": lambda: cnn(residual=True),
    "two-by-two": two_ins_two_outs,
    "dense-block": dense_block,
}


@cache
def _made(name: str, multipliers: int = 32) -> Design:
    graph = GRAPHS[name]()
    return design(graph, choose_folds(graph, Config(multipliers=multipliers)), frames=1)


def _top(made: Design) -> str:
    return made.files[f"{made.netlist.name}.v"]


@pytest.mark.parametrize("multipliers", [8, 200])
@pytest.mark.parametrize("name", GRAPHS)
def test_emitted_top_has_the_structure_of_its_netlist(name, multipliers):
    made = _made(name, multipliers)
    check_structure(_top(made), made.netlist)


def test_reads_a_file_and_leaves_nothing_behind(tmp_path, monkeypatch):
    made = _made("cnn")
    (tmp_path / "cnn.v").write_text(_top(made))
    monkeypatch.chdir(tmp_path)
    check_structure(tmp_path / "cnn.v", made.netlist)
    assert [path.name for path in tmp_path.iterdir()] == ["cnn.v"]


# One defect each: what to replace, by what, and the whole message.
CORRUPTIONS = {
    "other-module-name": (
        r"module cnn \(",
        "module cn (",
        "cnn.v: module: expected cnn, found cn",
    ),
    "port-direction": (
        r"output wire( +)s_axis_tready",
        r"input wire\1s_axis_tready",
        "cnn.v: port 3: expected output [0:0] s_axis_tready, found input [0:0] s_axis_tready",
    ),
    "port-width": (
        r"\[7:0\]( +)s_axis_tdata",
        r"[6:0]\1s_axis_tdata",
        "cnn.v: port 4: expected input [7:0] s_axis_tdata, found input [6:0] s_axis_tdata",
    ),
    "port-gone": (
        r" +input +wire +m_axis_tready,\n",
        "",
        "cnn.v: port 7: expected input [0:0] m_axis_tready, found output [39:0] m_axis_tdata",
    ),
    "wire-width": (
        r"wire \[3:0\] +x_tdata;",
        "wire [4:0] x_tdata;",
        "cnn.v: wire x_tdata: expected [3:0], found [4:0]",
    ),
    "wire-signed": (
        r"wire \[3:0\] +x_tdata;",
        "wire signed [3:0] x_tdata;",
        "cnn.v: wire x_tdata: expected [3:0], found signed [3:0]",
    ),
    "wire-gone": (
        r"wire +q1_grant;",
        "",
        "cnn.v: wire q1_grant is missing, expected [0:0]",
    ),
    "wire-twice": (
        r"(wire +q1_grant;)",
        r"\1 \1",
        "cnn.v: wire q1_grant is there twice, expected once",
    ),
    "wire-too-many": (
        r"(wire +q1_grant;)",
        r"\1 wire more;",
        "cnn.v: wire more is not in the netlist, found [0:0]",
    ),
    "parameter-value": (
        r"\.IN_H( +)\(8\)",
        r".IN_H\1(9)",
        "cnn.v: instance u_q1_window, parameter IN_H: expected 8, found 9",
    ),
    "parameter-file": (
        r'"cnn_q1_mac_weights.mem"',
        '"cnn_q2_mac_weights.mem"',
        "cnn.v: instance u_q1_mac, parameter WEIGHTS: "
        'expected "cnn_q1_mac_weights.mem", found "cnn_q2_mac_weights.mem"',
    ),
    "connection-swapped": (
        r"\.out_first( +)\(q1_first\)",
        r".out_first\1(q1_last)",
        "cnn.v: instance u_q1_window, port out_first: expected q1_first, found q1_last",
    ),
    "connection-open": (
        r"\.out_first( +)\(q1_first\)",
        r".out_first\1()",
        "cnn.v: instance u_q1_window, port out_first: expected q1_first, found nothing",
    ),
    "connection-gone": (
        r" +\.out_first +\(q1_first\),\n",
        "",
        "cnn.v: instance u_q1_window, port out_first is missing, expected q1_first",
    ),
    "part-of-a-net": (
        r"\(s_axis_tdata\[3:0\]\)",
        "(s_axis_tdata[4:1])",
        "cnn.v: instance u_s_axis, port s_axis_tdata: "
        "expected s_axis_tdata[3:0], found s_axis_tdata[4:1]",
    ),
    "other-module": (
        r"hwa_requant #",
        "hwa_relu #",
        "cnn.v: instance u_q1_requant: expected hwa_requant, found hwa_relu",
    ),
    "assignment": (
        r"assign frame_error = s_axis_error;",
        "assign frame_error = 1'b0;",
        "cnn.v: assign frame_error: expected s_axis_error, found 1'b0",
    ),
    "logic": (
        r"\nendmodule",
        "\nalways @(posedge clk) begin end\nendmodule",
        "cnn.v: always at line LINE is not in the netlist, found no structure",
    ),
    "second-module": (
        r"\nendmodule",
        "\nendmodule\nmodule more; endmodule",
        "cnn.v: second module more is not in the netlist, found at line LINE",
    ),
    "syntax": (
        r"\nendmodule",
        "\nwire wire;\nendmodule",
        'cnn.v: is not Verilog to pyverilog: line:LINE: before: ";"',
    ),
}


@pytest.mark.parametrize("defect", CORRUPTIONS)
def test_a_defect_is_named(defect):
    made = _made("cnn")
    pattern, replacement, message = CORRUPTIONS[defect]
    text = re.sub(pattern, replacement, _top(made), count=1)
    assert text != _top(made)
    with pytest.raises(MismatchError) as caught:
        check_structure(text, made.netlist)
    assert re.sub(r"line( |:)\d+", r"line\1LINE", str(caught.value)) == message
