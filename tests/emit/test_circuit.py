"""Circuits as Verilog: bit for bit in two simulators, silent tools, names, adders, registers."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from hwaccel import resources, tools
from hwaccel.circuit import Builder, Circuit, Lanes, Pipelined, Unit
from hwaccel.circuit.lay_out import pruned
from hwaccel.emit.circuit import emit_unit
from tests.emit.circuits import bench, clips, icarus, random_circuit, sums, sums3, unit, verilator

GOLDEN = Path(__file__).parents[1] / "golden" / "circuit.v"
BANNER = ("Golden file of tests/emit/test_circuit.py; rewrite it with pytest --update-golden.",)


def _needs(*names: str) -> pytest.MarkDecorator:
    missing = [name for name in names if tools.find(name) is None]
    return pytest.mark.skipif(bool(missing), reason=f"missing: {', '.join(missing)}")


def small() -> Unit:
    """One node of each kind, in two stages."""
    b = Builder()
    b.origin = "image"
    x = [b.input(i, -8, 7) for i in range(4)]
    b.origin = "fc"
    inner = b.sum(x[0], x[1], 1)
    y = [
        b.offset(b.sum(inner, x[2], 2, True), 5),
        b.sum(inner, x[3], -3, True),
        b.sum(b.clip(x[2], 0, 7), b.shift(x[3], 3)),
    ]
    b.label(y)
    b.origin = "act"
    z = [b.clip(b.even(y[0], 2), -8, 7), b.clip(y[1], 0, 37), b.maximum(y[2], y[0])]
    z += [b.wrap(y[1], -8, 7), b.table(x[0], tuple(i * i // 4 for i in range(-8, 8)))]
    z += [b.product(x[1], x[2]), b.choose(y[1], x[0], y[2], -8, 63), b.minimum(y[2], x[3])]
    b.label(z)
    circuit = pruned(b, [(-8, 7)] * 4, z)
    stages = tuple(int(origin == "act") for origin in circuit.origins)
    outs = (Lanes("y", 8, 9, True),)
    paths = (("fc", "net.0"), ("act", "net.1"))
    return Unit("circuit", Pipelined(circuit, stages, 2), (Lanes("x", 4, 4, True),), outs, paths)


def random_units(seeds: range) -> list[Unit]:
    return [unit(random_circuit(seed), f"u{seed}", seed % 4, seed) for seed in seeds]


def text(u: Unit) -> str:
    (found,) = emit_unit(u, BANNER).values()
    return found


def declared(u: Unit, kind: str) -> int:
    """Return the number of bits declared with ``kind``, valid bits aside."""
    found = re.findall(rf"^    {kind} (?:signed )? *(?:\[(\d+):0\])? *(\w+)", text(u), re.MULTILINE)
    return sum(int(top or 0) + 1 for top, name in found if name != "valid")


# --- bit for bit -------------------------------------------------------------------------------


@pytest.mark.rtl
@_needs("iverilog")
def test_random_circuits_in_icarus(tmp_path):
    due = bench(random_units(range(40)), tmp_path)
    assert icarus(tmp_path) == due


@pytest.mark.rtl
@_needs("iverilog")
def test_every_sum_and_clip_in_icarus(tmp_path):
    made = [unit(sums(), "sums"), unit(sums3(), "sums3", 1), unit(clips(), "clips"), small()]
    due = bench(made, tmp_path, 80)
    assert icarus(tmp_path) == due


@pytest.mark.rtl
@_needs("verilator", "make", "g++")
def test_random_circuits_in_verilator(tmp_path):
    due = bench([*random_units(range(100, 104)), unit(sums3(), "sums3"), small()], tmp_path)
    assert verilator(tmp_path) == due


# --- tools -------------------------------------------------------------------------------------


@pytest.fixture(params=["small", "sums", "sums3", "random", "piped"])
def source(request, tmp_path: Path) -> Path:
    made = {
        "small": small,
        "sums": lambda: unit(sums(), "sums", 1),
        "sums3": lambda: unit(sums3(), "sums3", 1),
        "random": lambda: unit(random_circuit(7), "random", 0),
        "piped": lambda: unit(random_circuit(8), "piped", 3),
    }
    u = made[request.param]()
    path = tmp_path / f"{u.name}.v"
    path.write_text(text(u), encoding="ascii")
    if u.piped.circuit.counts()["sum3"]:
        shutil.copy(resources.rtl_file("hwa_add3"), tmp_path)
    return path


def _files(source: Path) -> list[str]:
    """Return the names of the file and of the library modules beside it."""
    return [source.name, *(path.name for path in source.parent.glob("hwa_*.v"))]


def _said(argv: list[str], folder: Path, env: dict[str, str] | None = None) -> str:
    done = tools.run(argv, cwd=folder, env=env, check=False)
    return "".join(line for line in done.output.splitlines(True) if not line.startswith("- "))


@pytest.mark.rtl
@_needs("iverilog")
def test_icarus_is_silent(source):
    argv = [*tools.require("iverilog").argv, "-g2005", "-Wall", "-s", source.stem, "-o", "x.vvp"]
    assert _said([*argv, *_files(source)], source.parent) == ""


@pytest.mark.rtl
@_needs("verilator")
def test_verilator_is_silent(source):
    argv = [*tools.require("verilator").argv, "--lint-only", "-Wall", "--language", "1364-2005"]
    env = dict(tools.verilator_env())
    assert _said([*argv, "--top-module", source.stem, *_files(source)], source.parent, env) == ""


@pytest.mark.synth
@_needs("yosys")
def test_yosys_is_silent(source):
    yosys = tools.require("yosys")
    files, top = " ".join(_files(source)), source.stem
    script = f"read_verilog {files}; hierarchy -check -top {top}; proc; check -assert"
    argv = [*yosys.argv, "-q", "-p", script]
    assert _said(argv, source.parent, dict(yosys.environ())) == ""


# --- the text ----------------------------------------------------------------------------------


def test_golden(same_as_file):
    same_as_file(GOLDEN, text(small()))


def _two(a: tuple[int, int], b: tuple[int, int], shift: int, subtract: bool = False) -> str:
    """Return the text behind the sum of two inputs."""
    builder = Builder()
    builder.origin = "s"
    made = builder.sum(builder.input(0, *a), builder.input(1, *b), shift, subtract)
    builder.label([made])
    circuit = pruned(builder, [a, b], [made])
    found = re.search(r"s_y0 = (.*?);", text(unit(circuit, "two")))
    assert found
    return found[1]


@pytest.mark.parametrize(
    ("a", "b", "shift", "subtract", "expected"),
    [
        ((0, 7), (0, 7), 0, False, "{1'd0, x0} + {1'd0, in2_0}"),
        ((0, 7), (0, 7), 2, False, "{{3'd0, x0[2]} + {1'd0, in2_0}, x0[1:0]}"),
        ((0, 3), (0, 7), 2, False, "{in2_0, x0}"),
        ((0, 3), (-4, 3), 3, False, "{in2_0, {1'd0, x0}}"),
        ((0, 7), (0, 3), -3, False, "{x0, {1'd0, in2_0}}"),
        ((-4, 3), (0, 1), 0, True, "{x0[2], x0} - {3'd0, in2_0}"),
        ((0, 7), (0, 1), 2, True, "{{1'd0, x0[2]} - {1'd0, in2_0}, x0[1:0]}"),
        ((0, 1), (0, 1), -1, True, "{{1'd0, x0}, 1'd0} - {2'd0, in2_0}"),
    ],
)
def test_only_what_overlaps_is_added(a, b, shift, subtract, expected):
    assert _two(a, b, shift, subtract) == expected


def test_registers_are_those_of_the_plan():
    for u in random_units(range(8)):
        assert declared(u, "reg") == u.piped.register_bits


def test_combinational_circuits_have_no_clock():
    found = text(unit(clips(), "clips"))
    assert "posedge" not in found
    assert "reg " not in found
    assert "assign out_valid = in_valid;" in found
    assert re.search(r"unused = &\{1'b0,\s+clk, rst", found)


def test_elements_are_named_by_coordinates():
    u = small()
    found = text(replace(u, shapes=(("fc", (1, 1, 3)), ("act", (8,)))))
    assert "fc_y0_0_2 = " in found
    assert "act_y4 = " in found


def test_lines_are_short_and_the_same_each_time():
    for u in random_units(range(4)):
        assert text(u) == text(u)
        assert max(map(len, text(u).splitlines())) <= 100


EVIL = 'x"); }\n*/ `define EVIL(\\ endmodule'


def hostile() -> Unit:
    """Return a unit whose origins and paths are hostile, empty, reserved, or meet."""
    u = small()
    circuit = u.piped.circuit
    names = [EVIL, "wire", "", "a.b", "a b", "clk", "unused", "x", "out_data", "a_b_y0", "é" * 90]
    origins = tuple(names[i % len(names)] for i in range(len(circuit.nodes)))
    moved = Circuit(circuit.nodes, circuit.inputs, circuit.outputs, origins, circuit.elements)
    paths = tuple((name, name + EVIL) for name in names)
    return replace(u, piped=replace(u.piped, circuit=moved), name="hostile", paths=paths)


def test_hostile_names_stay_in_comments():
    found = emit_unit(hostile(), BANNER)["hostile.v"]
    assert found.isascii()
    for line in found.splitlines():
        assert "EVIL" not in line or re.match(r"    // ", line), line
        assert not line.endswith("\\")
    assert len(re.findall("^endmodule", found, re.MULTILINE)) == 1


@pytest.mark.rtl
@_needs("iverilog")
def test_hostile_names_do_no_harm(tmp_path):
    due = bench([hostile()], tmp_path)
    assert icarus(tmp_path) == due
