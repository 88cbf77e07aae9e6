"""Small memories become LUTs and large ones block RAM, where the estimate says so."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from hwaccel import tools
from hwaccel.emit.windows import list_lines, window_params
from hwaccel.fxp import IntArray
from hwaccel.ir.hardware import Rom, Window, ram_blocks, rom_blocks
from hwaccel.ops.family import rom_area
from hwaccel.resources import rtl_file
from hwaccel.synth.target import target
from hwaccel.synth.yosys import synthesize

pytestmark = [
    pytest.mark.synth,
    pytest.mark.skipif(tools.find("yosys") is None, reason="needs yosys"),
]

# Words and bits on both sides of 2048 bits a block.
ROMS = [(16, 8), (64, 8), (64, 32), (128, 8), (256, 8), (128, 32), (512, 8), (1024, 16), (70, 72)]
# Some just below and above the size from which on a ring is a block RAM.
RINGS = [
    *[(12, 16), (64, 16), (64, 20), (64, 24), (48, 24), (48, 28), (48, 32), (48, 60)],
    *[(32, 64), (112, 12), (128, 10), (176, 8), (200, 16), (336, 4), (520, 16)],
]


def _counts(folder: Path, jobs: list[str]) -> list[dict[str, int]]:
    """Run one script for all jobs; return the cells of each."""
    script = []
    for number, job in enumerate(jobs):
        script += ["design -reset", *job.split("; "), f"tee -q -o {number}.json stat -json"]
    (folder / "all.ys").write_text("\n".join(script) + "\n")
    yosys = tools.require("yosys")
    tools.warm(yosys)
    tools.run([*yosys.argv, "-q", "all.ys"], cwd=folder, env=yosys.environ(), timeout_s=500)
    return [_cells(folder / f"{number}.json") for number in range(len(jobs))]


def _cells(path: Path) -> dict[str, int]:
    """Cells of the whole design by type."""
    text = path.read_text()
    return json.loads(text[text.index("{") : text.rindex("}") + 1])["design"]["num_cells_by_type"]


def test_roms_are_where_the_estimate_puts_them(tmp_path: Path) -> None:
    rng = random.Random(1)
    (tmp_path / "hwa_rom.v").write_text(rtl_file("hwa_rom").read_text())
    jobs = []
    for words, bits in ROMS:
        lines = [f"{rng.getrandbits(bits):x}\n" for _ in range(words)]
        (tmp_path / f"{words}_{bits}.hex").write_text("".join(lines))
        sizes = f'-set WIDTH {bits} -set DEPTH {words} -set INIT "{words}_{bits}.hex"'
        jobs.append(
            f"read_verilog -defer hwa_rom.v; chparam {sizes} hwa_rom; synth_ecp5 -top hwa_rom"
        )
    for (words, bits), cells in zip(ROMS, _counts(tmp_path, jobs), strict=True):
        where = f"{words} words of {bits} bits: {cells}"
        area = rom_area(Rom("X", IntArray([[0]] * words), (bits,)))
        assert cells.get("DP16KD", 0) == area.rams == rom_blocks(words, bits), where
        assert cells["TRELLIS_FF"] == area.ffs, where
        assert cells.get("LUT4", 0) <= 1.45 * area.luts, where
        assert cells.get("LUT4", 0) >= 0.9 * area.luts, where


def test_rings_are_where_the_estimate_puts_them(tmp_path: Path) -> None:
    modules = ["window", "window_order", "window_list", "window_corner", "window_tap"]
    names = [f"hwa_{module}.v" for module in [*modules, "window_axis", "loop", "ram"]]
    for name in names:
        (tmp_path / name).write_text(rtl_file(name.removesuffix(".v")).read_text())
    jobs = []
    for depth, bits in RINGS:
        sizes = f"-set DATA_W {bits} -set IN_H 32 -set IN_W 128 -set OUT_W 127 -set DEPTH {depth}"
        jobs.append(
            f"read_verilog -defer {' '.join(names)}; chparam {sizes} hwa_window; "
            "synth_ecp5 -run begin:map_ffs -top hwa_window"
        )
    for (depth, bits), cells in zip(RINGS, _counts(tmp_path, jobs), strict=True):
        where = f"{depth} beats of {bits} bits: {cells}"
        assert cells.get("DP16KD", 0) == ram_blocks(depth, bits), where
        small = 0 if ram_blocks(depth, bits) else -(-bits // 4) * -(-depth // 16)
        assert cells.get("TRELLIS_DPR16X4", 0) == small, where


def test_a_long_list_of_beats_is_in_block_ram(tmp_path: Path) -> None:
    window = Window(1, 1, 1, 64, 32, depth=64)
    listed = window.skipping((IntArray(range(2048)).a % 3) == 0)
    (tmp_path / "list.hex").write_text("\n".join(list_lines(listed)) + "\n")
    values = " ".join(f"-set {k} {v}" for k, v in window_params(listed, 8, 1) if k != "PAD")
    modules = ["window", "window_order", "window_list", "window_corner", "window_tap"]
    names = [f"hwa_{module}.v" for module in [*modules, "window_axis", "loop", "ram"]]
    for name in names:
        (tmp_path / name).write_text(rtl_file(name.removesuffix(".v")).read_text())
    (cells,) = _counts(
        tmp_path,
        [
            f"read_verilog -defer {' '.join(names)}; "
            f'chparam {values} -set ORDER "list.hex" hwa_window; '
            "synth_ecp5 -run begin:map_ffs -top hwa_window"
        ],
    )
    assert cells["DP16KD"] == listed.list_area.rams == 1


def test_skipping_makes_rom_of_the_list(tmp_path: Path) -> None:
    window = Window(1, 1, 1, 64, 16)
    listed = window.skipping((IntArray(range(1024)).a % 2) == 0)
    assert window.list_area.rams == 0
    assert listed.list_area.rams == rom_blocks(512, 16)


@pytest.mark.parametrize("name", ["xcup", "xc7"])
def test_a_rom_behind_a_counter_is_tables_and_multiplexers(tmp_path: Path, name: str) -> None:
    # Mapped with the counter, this one took four times as many LUTs.
    rng, words, bits = random.Random(1), 200, 16
    (tmp_path / "rom.mem").write_text("".join(f"{rng.getrandbits(bits):x}\n" for _ in range(words)))
    (tmp_path / "top.v").write_text(
        "module top (input wire clk, input wire rst, input wire go, output wire [15:0] data);\n"
        "    wire [7:0] at;\n"
        "    hwa_loop #(.COUNT(200)) count (\n"
        "        .clk(clk), .rst(rst), .step(go), .index(at), .last());\n"
        '    hwa_rom #(.WIDTH(16), .DEPTH(200), .INIT("rom.mem")) rom (\n'
        "        .clk(clk), .addr(at), .data(data));\n"
        "endmodule\n"
    )
    sources = [tmp_path / "top.v", rtl_file("hwa_rom"), rtl_file("hwa_loop")]
    data = [tmp_path / "rom.mem"]
    made = synthesize(sources, "top", target(name), tmp_path / "work", data=data)
    cells = dict(made.utilization.cells)
    tables = bits * 4  # of 64 words each
    assert tables <= made.utilization.luts <= tables + 16
    assert cells["MUXF7"] == tables // 2
    assert cells["MUXF8"] == tables // 4
    assert made.utilization.block_rams == 0
