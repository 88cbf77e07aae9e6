"""``hwa_lines`` keeps its contract to the cycle, over many geometries at once."""

from __future__ import annotations

import json
import random
import shutil
import sys
from dataclasses import asdict, replace

import pytest

from hwaccel.emit.literals import verilog_parameter
from tests.rtl.benches import SIM, simulate
from tests.rtl.proofs import RTL, missing, run

sys.path.append(str(SIM))

pytest.importorskip("cocotb", reason="missing: cocotb")

from bench_lines import SLOT_IN, SLOT_OUT, Geometry, predict

SEED = 24
SOURCES = [
    *sorted((RTL / "op").glob("hwa_lines*.v")),
    RTL / "op" / "hwa_loop.v",
    RTL / "mem" / "hwa_ram.v",
]
# Pixels and steps of one frame, at most: keeps the run short.
MOST = 70


def _chosen() -> list[Geometry]:
    """One geometry for each corner of the contract."""
    return [
        # The least of everything.
        Geometry(1, 1, 1, 1, 1, 1),
        Geometry(1, 1, 1, 1, 1, 1, data_w=1),
        Geometry(5, 7, 1, 1, 5, 7),
        # Convolutions and pools of the usual kinds.
        Geometry(6, 7, 3, 3, 4, 5),
        Geometry(6, 7, 3, 3, 6, 7, pt=1, pl=1),
        Geometry(7, 8, 5, 5, 7, 8, pt=2, pl=2, pad=5),
        Geometry(7, 7, 3, 3, 4, 4, sy=2, sx=2, pt=1, pl=1),
        Geometry(8, 8, 2, 2, 4, 4, sy=2, sx=2, pad=8),
        Geometry(7, 9, 2, 3, 3, 3, sy=2, sx=3),
        # One row, one column.
        Geometry(1, 16, 1, 5, 1, 16, pl=2),
        Geometry(1, 15, 1, 3, 1, 5, sx=3),
        Geometry(1, 12, 1, 3, 1, 10),
        Geometry(9, 1, 3, 1, 7, 1),
        Geometry(9, 1, 3, 3, 9, 1, pt=1, pl=1),
        Geometry(6, 1, 3, 5, 6, 1, pt=1, pl=2),
        Geometry(6, 5, 4, 1, 3, 5),
        Geometry(6, 5, 1, 4, 6, 2),
        # Strides that skip pixels, rows and the end of the image.
        Geometry(7, 7, 1, 1, 3, 2, sy=3, sx=4),
        Geometry(9, 8, 2, 2, 2, 2, sy=5, sx=4),
        Geometry(6, 6, 2, 2, 2, 2),
        # Dilation.
        Geometry(7, 8, 3, 2, 3, 5, dy=2, dx=3),
        Geometry(6, 6, 3, 3, 6, 6, dy=2, dx=2, pt=2, pl=2),
        Geometry(6, 7, 2, 3, 3, 2, sy=2, sx=3, dy=3, dx=2, pt=1, pl=1),
        # Padding of 2 and more, up to windows that see nothing but padding.
        Geometry(3, 3, 3, 3, 7, 7, pt=4, pl=4, pad=0xF),
        Geometry(2, 3, 2, 2, 5, 6, pt=2, pl=2),
        Geometry(4, 4, 1, 1, 4, 4, sy=2, sx=2, pt=3, pl=3),
        Geometry(2, 2, 3, 1, 9, 3, sx=2, pt=5, pl=1),
        # Kernel larger than the image.
        Geometry(2, 2, 5, 5, 2, 2, pt=2, pl=2),
        Geometry(1, 1, 3, 3, 1, 1, pt=1, pl=1),
        Geometry(2, 3, 4, 6, 1, 1, pt=1, pl=2),
        # Only bottom and right padding, and windows that begin behind the image.
        Geometry(4, 4, 3, 3, 4, 4),
        Geometry(3, 5, 1, 2, 5, 4, sy=2, sx=2),
        # Lanes and pads.
        Geometry(3, 3, 2, 2, 4, 4, pt=1, pl=1, lanes=4, data_w=8, pad=1),
        Geometry(3, 3, 2, 2, 4, 4, pt=1, pl=1, lanes=3, data_w=3, pad=1),
    ]


def _drawn(rng: random.Random) -> Geometry:
    """Any geometry."""
    lanes = rng.choice((1, 1, 2))
    return Geometry(
        rng.randrange(1, 9),
        rng.randrange(1, 9),
        rng.choice((1, 1, 2, 3, 3, 4, 5)),
        rng.choice((1, 1, 2, 3, 3, 4, 5)),
        rng.randrange(1, 9),
        rng.randrange(1, 9),
        sy=rng.choice((1, 1, 2, 3, 5)),
        sx=rng.choice((1, 1, 2, 3, 5)),
        dy=rng.choice((1, 1, 2, 3)),
        dx=rng.choice((1, 1, 2, 3)),
        pt=rng.choice((0, 0, 1, 2, 3, 6)),
        pl=rng.choice((0, 0, 1, 2, 3, 6)),
        lanes=lanes,
        data_w=lanes * rng.choice((1, 2)),
        pad=rng.randint(-(1 << 40), 1 << 40),
    )


def cases(count: int = 42) -> list[Geometry]:
    """The chosen geometries and drawn ones up to ``count``, with the rows the plan gives them."""
    rng = random.Random(SEED)
    found = _chosen()
    while len(found) < count:
        g = _drawn(rng)
        if g.frame <= MOST and len(g.steps()) <= MOST:
            found.append(g)
    return [replace(g, rows=g.lines().rows) for g in found]


def top(geometries: list[Geometry]) -> str:
    """Verilog of one buffer per geometry, side by side."""
    n = len(geometries)
    return f"""`timescale 1ns / 1ps
module lines_top (
    input  wire clk,
    input  wire rst,
    input  wire [{n - 1}:0] s_axis_tvalid,
    output wire [{n - 1}:0] s_axis_tready,
    input  wire [{SLOT_IN * n - 1}:0] s_axis_tdata,
    input  wire [{n - 1}:0] grant,
    output wire [{n - 1}:0] take,
    output wire [{n - 1}:0] out_valid,
    output wire [{SLOT_OUT * n - 1}:0] out_data
);
{"".join(_instance(i, g) for i, g in enumerate(geometries))}
endmodule
"""


def _instance(i: int, g: Geometry) -> str:
    values = ", ".join(
        f".{name}({verilog_parameter(name, value)})" for name, value in g.parameters().items()
    )
    ports = ("s_axis_tvalid", "s_axis_tready", "grant", "take", "out_valid")
    wires = ", ".join(f".{port}({port}[{i}])" for port in ports)
    bits = g.kh * g.kw * g.data_w
    above_in, above_out = SLOT_IN - g.data_w, SLOT_OUT - bits
    text = f"""
    hwa_lines #({values}) case_{i} (.clk(clk), .rst(rst), {wires},
        .s_axis_tdata(s_axis_tdata[{SLOT_IN * i} +: {g.data_w}]),
        .out_data(out_data[{SLOT_OUT * i} +: {bits}]));"""
    if above_in:
        rest = f"s_axis_tdata[{SLOT_IN * i + g.data_w} +: {above_in}]"
        text += f"\n    wire unused_{i} = &{{1'b0, {rest}}};"
    if above_out:
        rest = f"out_data[{SLOT_OUT * i + bits} +: {above_out}]"
        text += f"\n    assign {rest} = {above_out}'d0;"
    return text


def _write(folder, geometries: list[Geometry]) -> None:
    (folder / "top.v").write_text(top(geometries))
    (folder / "cases.json").write_text(json.dumps([asdict(g) for g in geometries]))


@pytest.mark.rtl
@pytest.mark.parametrize("simulator", ["icarus", "verilator"])
def test_every_cycle_is_as_the_contract_and_the_scheduler_say(simulator, tmp_path, monkeypatch):
    # The C++ takes a while to compile: every fourth case.
    _write(tmp_path, cases()[:: 4 if simulator == "verilator" else 1])
    found = simulate(simulator, SOURCES, "lines_top", "bench_lines", SEED, tmp_path, monkeypatch)
    assert found == (7, 0)


@pytest.mark.rtl
@pytest.mark.parametrize(
    "argv",
    [
        ["iverilog", "-g2005", "-Wall", "-s", "lines_top", "-o", "out.vvp"],
        ["verilator", "--lint-only", "--quiet", "-Wall", "-Wno-DECLFILENAME"],
    ],
    ids=lambda argv: argv[0],
)
def test_no_geometry_makes_a_tool_speak(argv, tmp_path):
    if missing(argv[0]):
        pytest.skip(missing(argv[0]))
    _write(tmp_path, cases())
    assert run([*argv, *map(str, SOURCES), "top.v"], tmp_path) == (0, "")


@pytest.mark.synth
@pytest.mark.skipif(missing("yosys") != "", reason=missing("yosys"))
@pytest.mark.parametrize(
    ("width", "cell", "count"), [(16, "TRELLIS_DPR16X4", 12), (520, "DP16KD", 3)]
)
def test_yosys_puts_the_rows_into_memory(width, cell, count, tmp_path):
    code, text = _synthesise(
        {"DATA_W": 16, "ROWS": 3, "KH": 3, "IN_H": 32, "IN_W": width, "OUT_W": width - 1},
        f"synth_ecp5 -run begin:map_ffs -top hwa_lines; select -assert-count {count} t:{cell}; "
        "select -assert-none t:$_DLATCH*; "
        # A row of registers would have 256 or thousands: window, column and lines have 240.
        "select -assert-max 350 t:$_*DFF*",
        tmp_path,
    )
    assert code == 0, text


@pytest.mark.synth
@pytest.mark.skipif(missing("yosys") != "", reason=missing("yosys"))
def test_no_input_reaches_ready_within_a_cycle(tmp_path):
    registers = "%ci*:-$dff,$dffe,$sdff,$sdffe,$sdffce i:* %i"
    search = f"prep -top hwa_lines -flatten; select -assert-none o:s_axis_tready {registers}"
    assert _synthesise({"DATA_W": 4}, search, tmp_path) == (0, "")


def _synthesise(values, script, folder):
    for path in SOURCES:
        shutil.copy(path, folder)
    names = " ".join(path.name for path in SOURCES)
    sizes = " ".join(f"-set {name} {value}" for name, value in values.items())
    head = f"read_verilog -defer {names}; chparam {sizes} hwa_lines"
    return run(["yosys", "-q", "-p", f"{head}; {script}"], folder)


def test_the_scheduler_walks_like_the_bench():
    rng = random.Random(SEED)
    for _ in range(300):
        g = _drawn(rng)
        lines = g.lines()
        assert [tuple(step) for step in lines.steps()] == g.steps(), g
        assert lines.rows >= g.least_rows(), g


@pytest.mark.parametrize(
    ("geometry", "more"),
    [
        # Valid windows, pools and strides take the pixels as they come.
        (Geometry(10, 12, 1, 1, 10, 12), 0),
        (Geometry(10, 12, 3, 3, 8, 10), 0),
        (Geometry(10, 12, 5, 5, 6, 8), 0),
        (Geometry(10, 12, 2, 2, 5, 6, sy=2, sx=2), 0),
        (Geometry(10, 12, 3, 3, 5, 6, sy=2, sx=2, pt=1, pl=1), 0),
        (Geometry(10, 12, 3, 3, 6, 8, dy=2, dx=2), 0),
        (Geometry(1, 40, 1, 3, 1, 38), 0),
        (Geometry(40, 1, 3, 1, 38, 1), 0),
        # Padding on the right takes its columns once in a frame.
        (Geometry(10, 12, 3, 3, 10, 12, pt=1, pl=1), 1),
        (Geometry(10, 12, 5, 5, 10, 12, pt=2, pl=2), 2),
        (Geometry(10, 12, 3, 3, 10, 12, dy=2, dx=2, pt=2, pl=2), 2),
        (Geometry(1, 40, 1, 3, 1, 40, pl=1), 1),
        # More windows than pixels in a row.
        (Geometry(4, 4, 3, 3, 6, 6, pt=2, pl=2), 6 * 6 + 0 - 4 * 4),
    ],
)
def test_a_frame_takes_its_cycles(geometry, more):
    g = replace(geometry, rows=geometry.lines().rows)
    outs = g.out_h * g.out_w
    _, moved = predict(g, 16, [0] * (3 * g.frame), [0] * (3 * outs))
    assert g.lines().cycles == g.frame + more
    assert moved[-1] - moved[-1 - outs] == g.frame + more
    # A row of the kernel each is enough.
    assert g.rows == min(g.in_h, (g.kh - 1) * g.dy + 1) + (g.in_w == 1)


def test_no_place_is_lost_on_any_geometry():
    rng = random.Random(SEED)
    for _ in range(100):
        g = _drawn(rng)
        g = replace(g, rows=g.lines().rows)
        outs = g.out_h * g.out_w
        _, moved = predict(g, 16, [0] * (3 * g.frame), [0] * (3 * outs))
        assert moved[-1] - moved[-1 - outs] == g.lines().cycles, g


@pytest.mark.rtl
@pytest.mark.skipif(missing("iverilog") != "", reason=missing("iverilog"))
@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"LANES": 3}, "hwa_lines: DATA_W=8 LANES=3, must be 1 to 64 bits a lane, same for all"),
        ({"DATA_W": 65}, "hwa_lines: DATA_W=65 LANES=1, must be 1 to 64 bits a lane, same for all"),
        ({"ROWS": 1}, "hwa_lines: ROWS=1, must be 2 or more"),
        ({"KH": 9}, "hwa_lines: ROWS=2, must be 4 or more"),
        ({"PT": -1}, "hwa_lines.walk: PT=-1 PL=0, must be 0 or more"),
        ({"SX": 0}, "hwa_lines.walk: SY=1 SX=0 DY=1 DX=1, must be 1 or more"),
        (
            {"OUT_H": 0},
            "hwa_lines.walk: IN_H=4 IN_W=4 KH=2 KW=2 OUT_H=0 OUT_W=3, must be 1 or more",
        ),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_a_bad_parameter_is_named(values, message, tmp_path):
    sizes = [f"-Phwa_lines.{name}={value}" for name, value in values.items()]
    argv = ["iverilog", "-g2005", *sizes, "-s", "hwa_lines", "-o", "out.vvp"]
    run([*argv, *map(str, SOURCES)], tmp_path)
    _, text = run(["vvp", "out.vvp"], tmp_path)
    assert f"hwa: {message}" in text.splitlines()
