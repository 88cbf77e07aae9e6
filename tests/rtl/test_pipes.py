"""Every pipe computes its formula, with the latency its header promises."""

from __future__ import annotations

import json
import random
import shutil
import sys
from dataclasses import asdict

import pytest

from hwaccel.emit.literals import verilog_parameter
from tests.rtl.benches import SIM, simulate
from tests.rtl.proofs import RTL, missing, run

sys.path.append(str(SIM))

pytest.importorskip("cocotb", reason="missing: cocotb")

from bench_pipe import MODELS, Case

SEED = 10
PIPES = [path for folder in ("arith", "op") for path in sorted((RTL / folder).glob("*.v"))]
# hwa_add3 has no clock: tests/synth/test_techmap.py proves its map, tests/emit tries its sums.
OTHERS = ("hwa_window", "hwa_lines", "hwa_add3")
SOURCES = [path for path in PIPES if not path.name.startswith(OTHERS)]
SOURCES += [RTL / "mem" / "hwa_rom.v"]


# Parameters of the pipes by position, as the grids below write them.
NAMES = {
    "hwa_mac": "PE SIMD X_W X_SIGNED W_W WORDS ACC_W OUT_W SHIFT_W BIAS_W CHANNEL_WORDS PACK",
    "hwa_mac_lanes": "LANES X_W X_SIGNED W_W WORDS ACC_W OUT_W SHIFT_W BIAS_W CHANNEL_WORDS",
    "hwa_scale": "LANES IN_W IN_SIGNED MULT_W ADD_W OUT_W CHANNEL_WORDS",
    "hwa_requant": "LANES IN_W IN_SIGNED OUT_W OUT_SIGNED SHIFT ROUNDING WRAP LO HI",
    "hwa_relu": "LANES IN_W OUT_W",
    "hwa_table": "LANES IN_W LO WORDS OUT_W",
    "hwa_add": "LANES A_W A_SIGNED A_SHIFT B_W B_SIGNED B_SHIFT OUT_W SUBTRACT",
    "hwa_minmax": "LANES A_W A_SIGNED A_SHIFT B_W B_SIGNED B_SHIFT OUT_W LARGEST",
    "hwa_multiply": "LANES A_W A_SIGNED B_W B_SIGNED OUT_W",
    "hwa_chansum": "PE SIMD IN_W IN_SIGNED OUT_W",
    "hwa_concat": "LANES_A LANES_B A_W B_W A_SIGNED B_SIGNED A_SHIFT B_SHIFT OUT_W",
    "hwa_maxpool": "LANES W SIGNED",
    "hwa_sumpool": "LANES IN_W IN_SIGNED OUT_W",
}

GRID = {
    "hwa_mac": [
        (1, 1, 1, 1, 1, 1, 6, 6, 0, 0, 1, 1),
        (1, 1, 1, 0, 1, 2, 5, 5, 0, 0, 1, 1),
        (2, 2, 8, 1, 8, 5, 21, 22, 0, 20, 3, 1),
        (1, 3, 8, 0, 4, 3, 18, 26, 3, 12, 2, 1),
        (3, 4, 4, 1, 6, 7, 16, 31, 4, 16, 4, 1),
        (4, 5, 3, 0, 2, 1, 12, 15, 2, 0, 1, 1),
        (2, 7, 1, 0, 8, 4, 15, 16, 0, 9, 1, 1),
        (2, 8, 2, 1, 1, 9, 9, 9, 0, 0, 5, 1),
        (1, 9, 16, 1, 16, 2, 40, 41, 0, 32, 2, 1),
        (1, 2, 18, 0, 18, 3, 42, 60, 5, 40, 7, 1),
        # Accumulator and result narrower than the sum, the result narrower than the bias.
        (2, 4, 8, 1, 8, 3, 10, 20, 2, 10, 3, 1),
        (2, 2, 8, 0, 8, 3, 20, 9, 1, 14, 3, 1),
        # Several products in a multiplier, the last ones fewer; what one 18x18 and one 27x18 hold.
        (2, 1, 8, 0, 4, 3, 18, 19, 0, 6, 2, 2),
        (2, 2, 6, 1, 6, 5, 18, 18, 0, 0, 1, 2),
        (4, 4, 8, 1, 4, 2, 18, 20, 1, 9, 3, 2),
        (5, 3, 8, 0, 5, 3, 20, 22, 2, 0, 1, 2),
        (3, 5, 8, 0, 8, 4, 24, 24, 0, 0, 2, 2),
        (6, 2, 6, 0, 3, 3, 16, 16, 0, 5, 2, 3),
        (4, 3, 4, 1, 5, 2, 14, 15, 0, 0, 1, 3),
        (3, 2, 1, 1, 1, 4, 7, 7, 0, 0, 1, 2),
        (3, 1, 1, 0, 1, 4, 7, 7, 0, 0, 1, 3),
        (2, 3, 2, 1, 3, 5, 11, 11, 0, 3, 2, 4),
    ],
    "hwa_mac_lanes": [
        (1, 1, 1, 1, 1, 6, 6, 0, 0, 1),
        (1, 1, 0, 1, 3, 5, 5, 0, 0, 1),
        (4, 8, 1, 8, 9, 20, 22, 0, 20, 3),
        (3, 8, 0, 4, 4, 17, 26, 3, 12, 2),
        (2, 4, 1, 6, 5, 14, 31, 4, 16, 4),
        (2, 16, 0, 16, 2, 37, 45, 2, 0, 6),
        (5, 3, 1, 5, 7, 6, 7, 1, 9, 5),
    ],
    "hwa_scale": [
        (1, 1, 1, 1, 1, 3, 1),
        (1, 1, 0, 1, 2, 4, 2),
        (4, 8, 1, 8, 16, 17, 3),
        (3, 8, 0, 8, 4, 18, 5),
        (2, 24, 1, 16, 36, 42, 4),
        (1, 32, 0, 18, 20, 52, 2),
        (2, 12, 1, 9, 24, 10, 1),
    ],
    # Every input has a word: as many as IN_W counts.
    "hwa_table": [
        (1, 1, 0, 2, 1),
        (1, 1, -1, 2, 3),
        (4, 6, -32, 64, 8),
        (3, 8, 0, 256, 20),
        (2, 4, 1 << 40, 16, 5),
    ],
    "hwa_relu": [(1, 1, 1), (1, 2, 1), (4, 8, 7), (3, 8, 8), (2, 16, 20), (5, 33, 20)],
    "hwa_add": [
        (1, 1, 1, 0, 1, 1, 0, 2, 0),
        (1, 1, 0, 0, 1, 0, 0, 3, 1),
        (4, 8, 1, 0, 8, 1, 0, 9, 0),
        (3, 8, 0, 2, 8, 1, 0, 12, 0),
        (3, 8, 0, 2, 8, 1, 0, 12, 1),
        (2, 5, 1, 0, 9, 0, 4, 15, 0),
        (2, 5, 1, 0, 9, 0, 4, 15, 1),
        (2, 24, 1, 3, 16, 1, 7, 28, 1),
        (2, 4, 0, 0, 4, 0, 0, 5, 0),
        (1, 12, 1, 1, 12, 1, 0, 6, 1),
        (1, 3, 1, 0, 2, 0, 1, 30, 0),
        (1, 3, 0, 0, 2, 0, 1, 30, 1),
    ],
    "hwa_minmax": [
        (1, 1, 1, 0, 1, 1, 0, 1, 1),
        (1, 1, 0, 0, 1, 1, 0, 2, 0),
        (1, 1, 1, 0, 1, 0, 0, 2, 1),
        (4, 8, 1, 0, 8, 1, 0, 8, 1),
        (4, 8, 1, 0, 8, 1, 0, 8, 0),
        (3, 8, 0, 2, 8, 1, 0, 11, 1),
        (3, 8, 0, 2, 8, 1, 0, 11, 0),
        (2, 5, 1, 0, 9, 0, 4, 14, 0),
        (2, 24, 1, 3, 16, 1, 7, 27, 1),
        (2, 4, 0, 0, 6, 0, 0, 6, 0),
        # The result narrower than an operand, and wider than both.
        (1, 12, 1, 1, 12, 1, 0, 6, 1),
        (1, 3, 1, 0, 2, 0, 1, 30, 0),
    ],
    "hwa_multiply": [
        (1, 1, 1, 1, 1, 2),
        (1, 1, 0, 1, 0, 1),
        (1, 1, 0, 1, 1, 1),
        (4, 8, 1, 8, 1, 16),
        (3, 8, 0, 6, 1, 14),
        (3, 6, 1, 8, 0, 14),
        (2, 8, 0, 8, 0, 16),
        (2, 18, 1, 18, 1, 36),
        (1, 24, 1, 30, 0, 54),
        # The result narrower than the product, and wider.
        (2, 12, 1, 12, 1, 20),
        (1, 5, 1, 4, 0, 30),
        (1, 5, 0, 4, 0, 30),
    ],
    "hwa_concat": [
        (1, 1, 1, 1, 1, 1, 0, 0, 1),
        (1, 2, 1, 1, 0, 1, 0, 0, 2),
        (4, 4, 8, 8, 1, 1, 0, 0, 8),
        (3, 1, 8, 8, 0, 1, 2, 0, 11),
        (2, 5, 5, 9, 1, 0, 0, 4, 14),
        (1, 3, 24, 16, 1, 1, 3, 7, 27),
        (2, 2, 4, 6, 0, 0, 0, 0, 6),
        # The result narrower than an operand, and wider than both.
        (1, 2, 12, 4, 1, 1, 1, 0, 6),
        (2, 1, 3, 2, 1, 0, 0, 1, 30),
    ],
    "hwa_chansum": [
        (1, 1, 1, 0, 4),
        (1, 1, 1, 1, 5),
        (1, 2, 1, 0, 6),
        (1, 4, 8, 1, 14),
        (1, 7, 8, 0, 15),
        (3, 3, 8, 1, 13),
        (2, 5, 16, 0, 22),
        (4, 8, 5, 1, 12),
        (1, 2, 40, 1, 45),
        # The result narrower than a number, and wider than any sum.
        (2, 3, 12, 1, 7),
        (1, 4, 3, 0, 30),
    ],
    "hwa_maxpool": [(1, 1, 0), (1, 1, 1), (4, 8, 1), (3, 8, 0), (2, 16, 1), (1, 40, 1)],
    "hwa_sumpool": [(1, 1, 0, 4), (1, 1, 1, 5), (4, 8, 1, 12), (3, 8, 0, 12), (2, 16, 1, 9)],
}


def _requant_grid(rng: random.Random) -> list[tuple[int, ...]]:
    """Every rounding at every kind of shift, with widths, signs and limits drawn."""
    grid = []
    for rounding in (0, 1, 2):
        for shift in (-64, -5, 0, 1, 2, 3, 7, 8, 23, 24, 31, 100):
            for wraps in (0, 1):
                in_w = rng.choice((1, 2, 5, 8, 24, 62))
                out_w = rng.choice((1, 2, 4, 8, 24, 62))
                out_signed = rng.randrange(2)
                most = (1 << (out_w - out_signed)) - 1
                least = -most - 1 if out_signed else 0
                lo, hi = sorted(rng.choice((least, most, rng.randint(least, most))) for _ in "ab")
                if rng.random() < 0.5:
                    lo, hi = least, most
                lanes, in_signed = rng.choice((1, 1, 3)), rng.randrange(2)
                grid.append(
                    (lanes, in_w, in_signed, out_w, out_signed, shift, rounding, wraps, lo, hi)
                )
    # Widths at which every input is tried, and the usual case of a neural network.
    for rounding in (0, 1, 2):
        grid += [
            (1, 6, 1, 3, 1, 2, rounding, 0, -4, 3),
            (1, 6, 0, 4, 0, 1, rounding, 0, 0, 15),
            (1, 5, 1, 6, 1, 3, rounding, 1, 0, 0),
            (4, 24, 1, 8, 1, 9, rounding, 0, -128, 127),
            (4, 24, 1, 8, 0, 9, rounding, 0, 0, 255),
        ]
    return grid


def cases() -> list[Case]:
    """All parameter sets, with ROMs that hold any bits at all."""
    rng = random.Random(SEED)
    found = []
    for module in MODELS:
        for values in GRID.get(module) or _requant_grid(rng):
            p = dict(zip(NAMES[module].split(), values, strict=True))
            found.append(Case(module, p, _roms(p, rng)))
    return found


def _roms(p: dict[str, int], rng: random.Random) -> dict[str, list[int]]:
    sizes = {}
    if "LO" in p and "WORDS" in p:
        sizes["TABLE"] = (p["WORDS"], 1, p["OUT_W"])
    elif "WORDS" in p:
        count = p["LANES"] if "LANES" in p else p["PE"] * p["SIMD"]
        sizes["WEIGHTS"] = (p["WORDS"], count, p["W_W"])
    if "CHANNEL_WORDS" in p:
        fields = ("SHIFT_W", "BIAS_W") if "SHIFT_W" in p else ("MULT_W", "ADD_W")
        width = sum(p[field] for field in fields)
        sizes["CHANNELS"] = (p["CHANNEL_WORDS"], p.get("LANES") or p["PE"], width)
    return {
        name: [_word(count, width, rng) for _ in range(words)]
        for name, (words, count, width) in sizes.items()
        if width
    }


def _word(count: int, width: int, rng: random.Random) -> int:
    """Fields of any value; often the least or the greatest."""
    extremes = [1 << (width - 1), (1 << (width - 1)) - 1]
    fields = [rng.choice([rng.getrandbits(width), *extremes]) for _ in range(count)]
    return sum(field << (width * i) for i, field in enumerate(fields))


def top(found: list[Case]) -> str:
    """Verilog of one pipe per case, side by side."""
    n, places, instances = len(found), [0, 0], []
    for i, case in enumerate(found):
        model = case.model()
        instances.append(_instance(i, case, *places))
        places = [places[0] + model.in_bits, places[1] + model.out_bits]
    return f"""`timescale 1ns / 1ps
module pipes_top (
    input  wire clk,
    input  wire rst,
    input  wire [{n - 1}:0] in_valid,
    input  wire [{n - 1}:0] in_first,
    input  wire [{n - 1}:0] in_last,
    input  wire [{places[0] - 1}:0] in_data,
    output wire [{n - 1}:0] out_valid,
    output wire [{places[1] - 1}:0] out_data
);
{"".join(instances)}
endmodule
"""


def _instance(i: int, case: Case, in_place: int, out_place: int) -> str:
    model = case.model()
    values = [
        f".{name}({verilog_parameter(name, value)})" for name, value in case.parameters.items()
    ]
    values += [f'.{name}("{i}_{name}.hex")' for name in case.roms]
    ports = [f".{name}({name}[{i}])" for name in ("in_valid", "out_valid")]
    frame = [f".{name}({name}[{i}])" for name in ("in_first", "in_last")]
    names = ["in_data"] if len(model.in_widths) == 1 else ["in_a_data", "in_b_data"]
    for name, count, width in zip(names, model.in_counts, model.in_widths, strict=True):
        ports.append(f".{name}(in_data[{in_place} +: {count * width}])")
        in_place += count * width
    ports.append(f".out_data(out_data[{out_place} +: {model.out_bits}])")
    rest = (
        "" if model.framed else f"    wire unused_{i} = &{{1'b0, in_first[{i}], in_last[{i}]}};\n"
    )
    return f"""
    {case.module} #({", ".join(values)}) case_{i} (
        .clk(clk), .rst(rst), {", ".join(ports + frame * model.framed)}
    );
{rest}"""


@pytest.fixture
def folder(tmp_path):
    """A folder with the top of all cases, their ROMs and their list."""
    found = cases()
    (tmp_path / "top.v").write_text(top(found))
    (tmp_path / "cases.json").write_text(json.dumps([asdict(case) for case in found]))
    for i, case in enumerate(found):
        for name, words in case.roms.items():
            (tmp_path / f"{i}_{name}.hex").write_text("".join(f"{word:x}\n" for word in words))
    return tmp_path


@pytest.mark.rtl
@pytest.mark.parametrize("simulator", ["icarus", "verilator"])
def test_every_pipe_computes_its_formula_in_time(simulator, folder, monkeypatch):
    found = simulate(simulator, SOURCES, "pipes_top", "bench_pipe", SEED, folder, monkeypatch)
    assert found == (3, 0)


@pytest.mark.rtl
@pytest.mark.parametrize(
    "argv",
    [
        ["iverilog", "-g2005", "-Wall", "-s", "pipes_top", "-o", "out.vvp"],
        ["verilator", "--lint-only", "--quiet", "-Wall", "-Wno-DECLFILENAME"],
    ],
    ids=lambda argv: argv[0],
)
def test_no_parameter_set_makes_a_tool_speak(argv, folder):
    if missing(argv[0]):
        pytest.skip(missing(argv[0]))
    assert run([*argv, *map(str, SOURCES), "top.v"], folder) == (0, "")


@pytest.mark.synth
@pytest.mark.skipif(missing("yosys") != "", reason=missing("yosys"))
def test_yosys_finds_no_latch_and_multiplies_in_dsps(folder):
    # Two of each pipe, the multiplying ones with operands of 8 bits.
    found = [c for c in cases() if 8 in [c.parameters.get(w) for w in ("X_W", "IN_W", "A_W")]]
    chosen = [c for m in MODELS for c in [c for c in found if c.module == m][:2]]
    for i, case in enumerate(chosen):
        for name, words in case.roms.items():
            (folder / f"{i}_{name}.hex").write_text("".join(f"{word:x}\n" for word in words))
    (folder / "top.v").write_text(top(chosen))
    for path in SOURCES:
        shutil.copy(path, folder)
    multiply = {m for m in MODELS if m.startswith(("hwa_mac", "hwa_scale", "hwa_multiply"))}
    products = [c.parameters for c in chosen if c.module in multiply]
    shared = [-(-p.get("PE", p.get("LANES")) // p.get("PACK", 1)) for p in products]
    count = sum(n * p.get("SIMD", 1) for n, p in zip(shared, products, strict=True))
    script = (
        f"read_verilog -defer {' '.join(path.name for path in SOURCES)} top.v; "
        "synth_ecp5 -run begin:map_ffs -top pipes_top; select -assert-none t:$_DLATCH*; "
        f"select -assert-count {count} t:MULT18X18D"
    )
    code, text = run(["yosys", "-q", "-p", script], folder)
    assert code == 0, text


@pytest.mark.rtl
@pytest.mark.skipif(missing("iverilog") != "", reason=missing("iverilog"))
@pytest.mark.parametrize(
    ("module", "values", "message"),
    [
        ("hwa_accumulate", {"SHIFT_W": 9}, "SHIFT_W=9, must be 0 to 8"),
        ("hwa_add", {"LANES": 0}, "LANES=0 A_W=8 B_W=8 OUT_W=9, must be 1 or more"),
        ("hwa_minmax", {"LANES": 0}, "LANES=0 A_W=8 B_W=8 OUT_W=8, must be 1 or more"),
        ("hwa_multiply", {"OUT_W": 0}, "LANES=1 A_W=8 B_W=8 OUT_W=0, must be 1 or more"),
        ("hwa_chansum", {"SIMD": 0}, "PE=1 SIMD=0 IN_W=8 OUT_W=12, must be 1 or more"),
        ("hwa_concat", {"LANES_B": 0}, "LANES_A=1 LANES_B=0, must be 1 or more"),
        ("hwa_loop", {"COUNT": 0}, "COUNT=0, must be 1 to 2^30"),
        ("hwa_mac", {"WORDS": 0}, "PE=2 SIMD=2 X_W=8 W_W=8 WORDS=0, must be 1 or more"),
        ("hwa_mac", {"PACK": 0}, "PACK=0, must be 1 or more"),
        ("hwa_mac_lanes", {"WORDS": 0}, "LANES=2 X_W=8 W_W=8 WORDS=0, must be 1 or more"),
        ("hwa_maxpool", {"LANES": 0}, "LANES=0 W=8, must be 1 or more"),
        ("hwa_relu", {"LANES": 0}, "LANES=0 IN_W=8 OUT_W=7, must be 1 or more"),
        ("hwa_requant", {"ROUNDING": 3}, "ROUNDING=3, must be 0 to 2"),
        ("hwa_requant", {"HI": 128}, "LO=-128 HI=128, must be in order and in -128 to 127"),
        ("hwa_requant", {"OUT_SIGNED": 0}, "LO=-128 HI=127, must be in order and in 0 to 255"),
        (
            "hwa_scale",
            {"CHANNEL_WORDS": 0},
            "MULT_W=16 ADD_W=32 CHANNEL_WORDS=0, must be 1 or more",
        ),
        ("hwa_sumpool", {"LANES": 0}, "LANES=0 IN_W=8 OUT_W=12, must be 1 or more"),
    ],
    ids=lambda value: value if isinstance(value, str) and "=" not in value else "",
)
def test_a_bad_parameter_is_named(module, values, message, tmp_path):
    sizes = [f"-P{module}.{name}={value}" for name, value in values.items()]
    argv = ["iverilog", "-g2005", *sizes, "-s", module, "-o", "out.vvp", *map(str, SOURCES)]
    run(argv, tmp_path)
    _, text = run(["vvp", "out.vvp"], tmp_path)
    assert f"hwa: {module}: {message}" in text.splitlines()
