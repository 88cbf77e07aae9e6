"""``hwa_window`` keeps its contract to the cycle, over many geometries at once."""

from __future__ import annotations

import json
import os
import random
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from proofs import RTL, missing, run

SIM = RTL.parent / "sim"
sys.path.append(str(SIM))

pytest.importorskip("cocotb", reason="missing: cocotb")

from bench_window import SLOT, Geometry  # noqa: E402
from cocotb_tools.runner import get_runner  # noqa: E402

SEED = 20
SOURCES = [
    *(RTL / "op" / f"{name}.v" for name in ("hwa_loop", "hwa_window_axis")),
    *(RTL / "op" / f"{name}.v" for name in ("hwa_window_order", "hwa_window")),
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
        pad=rng.getrandbits(64),
    )


def _with_ring(geometry: Geometry, rng: random.Random) -> Geometry:
    """The smallest ring, one a little larger, or one that holds frames."""
    least = geometry.min_depth()
    more = (0, 0, 0, 1, rng.randrange(least + 1), 2 * geometry.frame)
    power = 1 << (least - 1).bit_length()
    return replace(geometry, depth=rng.choice((power, *(least + m for m in more))))


def cases(count: int = 90) -> list[Geometry]:
    """The chosen geometries with their smallest ring, and drawn ones up to ``count``."""
    rng = random.Random(SEED)
    found = [replace(g, depth=g.min_depth()) for g in _chosen()]
    while len(found) < count:
        g = _drawn(rng)
        reads = g.out_h * g.out_w * g.pixel * g.repeat * g.kh * g.kw
        if g.frame <= MOST_BEATS and reads <= MOST_READS and g.reads_input():
            found.append(_with_ring(g, rng))
    return found


def top(geometries: list[Geometry]) -> str:
    """Verilog of one window per geometry, side by side."""
    n = len(geometries)
    instances = []
    for i, g in enumerate(geometries):
        values = ", ".join(f".{name}({_literal(v)})" for name, v in g.parameters().items())
        slot = f"[{SLOT * i} +: {g.data_w}]"
        above = SLOT - g.data_w
        instances.append(
            f"""
    hwa_window #({values}) case_{i} (
        .clk(clk), .rst(rst), .s_axis_tvalid(s_axis_tvalid[{i}]),
        .s_axis_tready(s_axis_tready[{i}]), .s_axis_tdata(s_axis_tdata{slot}),
        .grant(grant[{i}]), .take(take[{i}]), .out_valid(out_valid[{i}]),
        .out_first(out_first[{i}]), .out_last(out_last[{i}]), .out_data(out_data{slot})
    );"""
            + (f"\n    assign out_data[{SLOT * i + g.data_w} +: {above}] = 0;" if above else "")
        )
    return f"""`timescale 1ns / 1ps
module window_top (
    input wire clk, input wire rst,
    input wire [{n - 1}:0] s_axis_tvalid, output wire [{n - 1}:0] s_axis_tready,
    input wire [{SLOT * n - 1}:0] s_axis_tdata,
    input wire [{n - 1}:0] grant, output wire [{n - 1}:0] take,
    output wire [{n - 1}:0] out_valid, output wire [{n - 1}:0] out_first,
    output wire [{n - 1}:0] out_last, output wire [{SLOT * n - 1}:0] out_data
);{"".join(instances)}
endmodule
"""


def _literal(value: int) -> str:
    return str(value) if value < 1 << 31 else f"64'd{value}"
