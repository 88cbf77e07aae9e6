"""``hwa_window`` keeps its contract to the cycle, over many geometries at once."""

from __future__ import annotations

import json
import random
import shutil
import sys
from dataclasses import asdict, replace

import pytest

from hwaccel.emit.literals import verilog_parameter
from hwaccel.emit.windows import list_lines, window_params
from hwaccel.fxp import IntArray
from hwaccel.ir.hardware import Window
from tests.rtl.benches import SIM, simulate
from tests.rtl.proofs import RTL, missing, run

sys.path.append(str(SIM))

pytest.importorskip("cocotb", reason="missing: cocotb")

from bench_window import SLOT, Geometry

SEED = 20
SOURCES = [
    *sorted((RTL / "op").glob("hwa_window*.v")),
    RTL / "op" / "hwa_loop.v",
    RTL / "mem" / "hwa_ram.v",
]
# Read beats and input beats of one frame, at most: keeps the run short.
MOST_READS, MOST_BEATS = 700, 200


def _chosen() -> list[Geometry]:
    """One geometry for each corner of the contract."""
    return [
        # The least of everything, and vectors as hwa_mac reads them.
        Geometry(1, 1, 1, 1, 1, 1),
        Geometry(1, 1, 1, 1, 1, 1, data_w=1),
        Geometry(1, 1, 1, 1, 1, 1, group_beats=6, repeat=4),
        Geometry(1, 1, 1, 1, 1, 1, groups=3, group_beats=2, repeat=2, lanes=2),
        # One beat a pixel: fires, frees and takes a credit in every cycle.
        Geometry(5, 7, 1, 1, 5, 7),
        Geometry(1, 9, 1, 1, 1, 9, repeat=3),
        # Convolutions and pools of the usual kinds.
        Geometry(6, 6, 3, 3, 4, 4, group_beats=2),
        Geometry(6, 6, 3, 3, 6, 6, pt=1, pl=1, group_beats=2, repeat=2),
        Geometry(7, 7, 3, 3, 4, 4, sy=2, sx=2, pt=1, pl=1, groups=2, lanes=2, data_w=16),
        Geometry(8, 8, 2, 2, 4, 4, sy=2, sx=2, pad=0x80),
        Geometry(7, 9, 2, 3, 3, 3, sy=2, sx=3, groups=2),
        Geometry(5, 5, 5, 5, 5, 5, pt=2, pl=2, pad=5),
        Geometry(1, 16, 1, 5, 1, 16, pl=2, group_beats=2),
        Geometry(1, 15, 1, 3, 1, 5, sx=3, groups=2),
        # Strides that skip pixels, rows and the end of the image.
        Geometry(7, 7, 1, 1, 3, 2, sy=3, sx=4),
        Geometry(9, 8, 2, 2, 2, 2, sy=5, sx=4, repeat=2),
        Geometry(6, 6, 2, 2, 2, 2),
        Geometry(6, 6, 1, 1, 1, 1, group_beats=3),
        # Dilation.
        Geometry(7, 8, 3, 2, 3, 5, dy=2, dx=3),
        Geometry(6, 6, 3, 3, 6, 6, dy=2, dx=2, pt=2, pl=2),
        Geometry(6, 7, 2, 3, 3, 2, sy=2, sx=3, dy=3, dx=2, pt=1, pl=1),
        # Padding of 2 and more, up to windows that see nothing but padding.
        Geometry(3, 3, 3, 3, 7, 7, pt=4, pl=4, pad=0xFF),
        Geometry(2, 3, 2, 2, 5, 6, pt=2, pl=2),
        Geometry(4, 4, 1, 1, 4, 4, sy=2, sx=2, pt=3, pl=3),
        Geometry(3, 4, 1, 1, 6, 8, pt=1, pl=2, group_beats=2),
        Geometry(3, 3, 2, 2, 5, 4, sy=2, sx=3, pt=5, pl=4, groups=2),
        Geometry(2, 2, 3, 1, 9, 3, sx=2, pt=5, pl=1),
        # Kernel larger than the image.
        Geometry(2, 2, 5, 5, 2, 2, pt=2, pl=2),
        Geometry(1, 1, 3, 3, 1, 1, pt=1, pl=1),
        Geometry(1, 1, 3, 3, 3, 3, pt=2, pl=2, repeat=2),
        Geometry(2, 3, 4, 6, 1, 1, pt=1, pl=2),
        # Only bottom and right padding, and windows that begin behind the image.
        Geometry(4, 4, 3, 3, 4, 4),
        Geometry(3, 3, 2, 2, 5, 5, sy=1, sx=2),
        Geometry(3, 5, 1, 2, 5, 4, sy=2, sx=2, repeat=2),
        # Lanes and pads.
        Geometry(3, 3, 2, 2, 4, 4, pt=1, pl=1, lanes=4, data_w=32, pad=0x81),
        Geometry(3, 3, 2, 2, 4, 4, pt=1, pl=1, lanes=3, data_w=3, pad=1),
    ]


def _drawn(rng: random.Random) -> Geometry:
    """Any geometry, legal or not."""
    kh, kw = rng.choice((1, 1, 2, 3, 3, 4, 5)), rng.choice((1, 1, 2, 3, 3, 4, 5))
    lanes = rng.choice((1, 1, 2, 4))
    lane_w = rng.choice((1, 3, 8))
    return Geometry(
        rng.randrange(1, 9),
        rng.randrange(1, 9),
        kh,
        kw,
        rng.randrange(1, 9),
        rng.randrange(1, 9),
        sy=rng.choice((1, 1, 2, 3, 5)),
        sx=rng.choice((1, 1, 2, 3, 5)),
        dy=rng.choice((1, 1, 2, 3)),
        dx=rng.choice((1, 1, 2, 3)),
        pt=rng.choice((0, 0, 1, 2, 3, 6)),
        pl=rng.choice((0, 0, 1, 2, 3, 6)),
        groups=rng.choice((1, 1, 2, 3)),
        group_beats=rng.choice((1, 1, 2, 3)),
        repeat=rng.choice((1, 1, 2, 3)),
        lanes=lanes,
        data_w=lanes * lane_w,
        pad=rng.randint(-(1 << 40), 1 << 40),
    )


def _with_ring(geometry: Geometry, rng: random.Random) -> Geometry:
    """The smallest ring, one a little larger, or one that holds frames."""
    least = geometry.min_depth()
    more = (0, 0, 0, 1, rng.randrange(least + 1), 2 * geometry.frame)
    power = 1 << (least - 1).bit_length()
    return replace(geometry, depth=rng.choice((power, *(least + m for m in more))))


def _some(geometry: Geometry, rng: random.Random) -> Geometry:
    """The same geometry with beats left out, one at least for each reduction."""
    share, kept = rng.random(), set()
    for row in range(geometry.groups * geometry.repeat):
        places = range(row * geometry.reduction, (row + 1) * geometry.reduction)
        kept |= {k for k in places if rng.random() < share} or {rng.choice(places)}
    return replace(geometry, kept=tuple(sorted(kept)))


def cases(count: int = 96) -> list[Geometry]:
    """The chosen geometries with their smallest ring, and drawn ones up to ``count``."""
    rng = random.Random(SEED)
    found = [replace(g, depth=g.min_depth()) for g in _chosen()]
    found += [replace(_some(g, rng), depth=g.min_depth()) for g in _chosen()[:12]]
    found = [g for g in found if g.reads_input()]
    while len(found) < count:
        g = _drawn(rng)
        if rng.random() < 0.5:
            g = _some(g, rng)
        if not g.reads_input():
            continue  # refused by the ops
        reads = g.out_h * g.out_w * g.pixel * g.repeat * g.kh * g.kw
        if g.frame <= MOST_BEATS and reads <= MOST_READS and g.reads_input():
            found.append(_with_ring(g, rng))
    return found


def _window(g: Geometry) -> Window:
    return Window(
        *(g.in_h, g.in_w, g.groups, g.group_beats, g.repeat),
        kernel=(g.kh, g.kw),
        stride=(g.sy, g.sx),
        dilation=(g.dy, g.dx),
        padding=(g.pt, g.pl),
        out_height=g.out_h,
        out_width=g.out_w,
        depth=g.depth,
        kept=IntArray(g.kept) if g.kept else None,
    )


def top(geometries: list[Geometry]) -> str:
    """Verilog of one window per geometry, side by side."""
    n = len(geometries)
    return f"""`timescale 1ns / 1ps
module window_top (
    input  wire clk,
    input  wire rst,
    input  wire [{n - 1}:0] s_axis_tvalid,
    output wire [{n - 1}:0] s_axis_tready,
    input  wire [{SLOT * n - 1}:0] s_axis_tdata,
    input  wire [{n - 1}:0] grant,
    output wire [{n - 1}:0] take,
    output wire [{n - 1}:0] out_valid,
    output wire [{n - 1}:0] out_first,
    output wire [{n - 1}:0] out_last,
    output wire [{SLOT * n - 1}:0] out_data
);
{"".join(_instance(i, g) for i, g in enumerate(geometries))}
endmodule
"""


def _instance(i: int, g: Geometry) -> str:
    numbers = g.parameters()
    if g.kept:
        numbers |= dict(window_params(_window(g), g.data_w, g.lanes)) | {"PAD": g.pad}
    values = ", ".join(
        f".{name}({verilog_parameter(name, value)})" for name, value in numbers.items()
    )
    values += f', .ORDER("{i}_order.hex")' if g.kept else ""
    used, above = f"[{SLOT * i} +: {g.data_w}]", SLOT - g.data_w
    rest = f"[{SLOT * i + g.data_w} +: {above}]"
    ports = (
        "s_axis_tvalid",
        "s_axis_tready",
        "grant",
        "take",
        "out_valid",
        "out_first",
        "out_last",
    )
    wires = ", ".join(f".{port}({port}[{i}])" for port in ports)
    return (
        f"""
    hwa_window #({values}) case_{i} (.clk(clk), .rst(rst), {wires},
        .s_axis_tdata(s_axis_tdata{used}), .out_data(out_data{used}));"""
        + f"""
    assign out_data{rest} = {above}'d0;
    wire unused_{i} = &{{1'b0, s_axis_tdata{rest}}};"""
        * (above > 0)
    )


@pytest.fixture
def folder(tmp_path):
    """A folder with the top of all cases, and their list."""
    (tmp_path / "top.v").write_text(top(cases()))
    (tmp_path / "cases.json").write_text(json.dumps([asdict(g) for g in cases()]))
    for i, g in enumerate(cases()):
        if g.kept:
            lines = list_lines(_window(g))
            (tmp_path / f"{i}_order.hex").write_text("".join(f"{line}\n" for line in lines))
    return tmp_path


@pytest.mark.rtl
@pytest.mark.parametrize("simulator", [pytest.param("icarus", marks=pytest.mark.slow), "verilator"])
def test_every_cycle_is_as_the_contract_says(simulator, folder, monkeypatch):
    found = simulate(simulator, SOURCES, "window_top", "bench_window", SEED, folder, monkeypatch)
    assert found == (5, 0)


@pytest.mark.rtl
@pytest.mark.parametrize(
    "argv",
    [
        ["iverilog", "-g2005", "-Wall", "-s", "window_top", "-o", "out.vvp"],
        ["verilator", "--lint-only", "--quiet", "-Wall", "-Wno-DECLFILENAME"],
    ],
    ids=lambda argv: argv[0],
)
def test_no_geometry_makes_a_tool_speak(argv, folder):
    if missing(argv[0]):
        pytest.skip(missing(argv[0]))
    assert run([*argv, *map(str, SOURCES), "top.v"], folder) == (0, "")


@pytest.mark.synth
@pytest.mark.skipif(missing("yosys") != "", reason=missing("yosys"))
@pytest.mark.parametrize(
    ("depth", "cell", "count"), [(12, "TRELLIS_DPR16X4", 4), (520, "DP16KD", 1)]
)
def test_yosys_puts_the_ring_into_memory(depth, cell, count, tmp_path):
    for path in SOURCES:
        shutil.copy(path, tmp_path)
    size = f"-set DATA_W 16 -set IN_H 32 -set IN_W 128 -set OUT_W 127 -set DEPTH {depth}"
    script = (
        f"read_verilog -defer {' '.join(path.name for path in SOURCES)}; "
        f"chparam {size} hwa_window; synth_ecp5 -run begin:map_ffs -top hwa_window; "
        f"select -assert-count {count} t:{cell}; select -assert-none t:$_DLATCH*; "
        # A ring of registers would have thousands.
        "select -assert-max 200 t:$_*DFF*"
    )
    code, text = run(["yosys", "-q", "-p", script], tmp_path)
    assert code == 0, text


def test_the_scheduler_counts_like_the_bench():
    # The plan gets its ring sizes and predicted cycles from Window, the Verilog is held to the
    # bench's own count.
    rng, agreed = random.Random(SEED), 0
    while agreed < 200:
        g = _drawn(rng)
        if not g.reads_input():
            continue  # refused by the ops
        window = _window(g)
        assert window.min_depth() == g.min_depth(), g
        assert [window.freed_after(*place) for place in g.windows()] == g.freed_after(), g
        agreed += 1


@pytest.mark.rtl
@pytest.mark.skipif(missing("iverilog") != "", reason=missing("iverilog"))
@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"LANES": 3}, "hwa_window: DATA_W=8 LANES=3, must be 1 to 64 bits a lane, same for all"),
        (
            {"DATA_W": 65},
            "hwa_window: DATA_W=65 LANES=1, must be 1 to 64 bits a lane, same for all",
        ),
        (
            {"GROUPS": 0},
            "hwa_window.g_all.walk: DEPTH=6 GROUPS=0 GROUP_BEATS=1 REPEAT=1, must be 1 or more",
        ),
        ({"PT": -1}, "hwa_window.g_all.walk.corner.axis_y: PAD=-1, must be 0 or more"),
        (
            {"SX": 0},
            "hwa_window.g_all.walk.corner.axis_x: SIZE=4 TAPS=2 DILATION=1 WINDOWS=3 STRIDE=0, "
            "must be 1 or more",
        ),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_a_bad_parameter_is_named(values, message, tmp_path):
    sizes = [f"-Phwa_window.{name}={value}" for name, value in values.items()]
    argv = ["iverilog", "-g2005", *sizes, "-s", "hwa_window", "-o", "out.vvp"]
    run([*argv, *map(str, SOURCES)], tmp_path)
    _, text = run(["vvp", "out.vvp"], tmp_path)
    assert f"hwa: {message}" in text.splitlines()
