"""Emitted Verilog: what changed (golden files), and whether three tools take it in silence."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from hwaccel import tools
from hwaccel.api import Design, design_from
from hwaccel.config import Config
from hwaccel.emit.netlist import Wire, sections_of
from hwaccel.emit.verilog import emit_verilog
from hwaccel.fxp import FixedType, IntArray
from hwaccel.ir import Graph, GraphBuilder, TensorType
from hwaccel.ir.hardware import Fold
from hwaccel.ops import Add, Conv2d, Dense, Gather, MaxPool2d, Requant
from hwaccel.schedule.buffers import size_buffers
from hwaccel.schedule.plan import build_plan
from tests.emit.networks import small_cnn

GOLDEN = Path(__file__).parents[1] / "golden"
ROOT = Path(__file__).parents[2]
BANNER = ("Golden file of tests/emit/test_verilog.py; rewrite it with pytest --update-golden.",)


def dense() -> Graph:
    """A dense layer and the rounding behind it."""
    b = GraphBuilder("dense")
    x = b.input("x", TensorType.full((4,), FixedType.parse("s6.3")))
    weight = IntArray([[1, -2, 3, -4], [5, 6, -7, 0], [-1, 0, 1, 2]])
    op = Dense(weight, IntArray([0, 1, 0]), IntArray([9, -9, 0]), 2)
    y = b.add("fc", op, x, path="net.fc")
    return b.build(b.add("rounded", Requant(3, -32, 31), y, path="net.fc"))


def residual() -> Graph:
    """A convolution, a pool, and a convolution with a shortcut around it."""
    rng = np.random.default_rng(0)

    def conv(inputs: int) -> Conv2d:
        weight, zeros = IntArray(rng.integers(-3, 4, (2, inputs, 3, 3))), IntArray([0, 0])
        return Conv2d(weight, zeros, zeros, 2, padding=(1, 1, 1, 1))

    b = GraphBuilder("residual")
    x = b.input("image", TensorType.full((1, 4, 4), FixedType.parse("u4.4")))
    x = b.add("stem_q", Requant(3, 0, 15), b.add("stem", conv(1), x, path="stem"), path="stem")
    x = b.add("pool", MaxPool2d((2, 2), (2, 2)), x, path="pool")
    y = b.add("body_q", Requant(2, -16, 15), b.add("body", conv(2), x, path="body"), path="body")
    y = b.add("merge", Add.of(b.type(y), b.type(x)), y, x)
    return b.build(b.add("merge_q", Requant(1, 0, 15), y))


# Folds are fixed, so that a golden file changes with the emitter and not with the scheduler.
DESIGNS = {
    "dense": (dense, {"fc": Fold(3, 2)}),
    "residual": (residual, {"stem": Fold(2, 1), "body": Fold(2, 1), "merge": Fold(2, 2)}),
}
each_design = pytest.mark.parametrize("name", DESIGNS)


@cache
def made(name: str) -> Design:
    make, folds = DESIGNS[name]
    graph = make()
    every = {node.name: folds.get(node.name, Fold()) for node in graph.nodes}
    return Design(graph, size_buffers(build_plan(graph, every)), Config())


def verilog(name: str) -> dict[str, str]:
    return emit_verilog(made(name).netlist, BANNER)


@pytest.fixture
def written(name: str, tmp_path: Path) -> Path:
    """The files of a design in a folder of their own."""
    for file, text in verilog(name).items():
        (tmp_path / file).write_text(text, encoding="ascii")
    return tmp_path


# --- text ----------------------------------------------------------------------------------------


@each_design
def test_the_top_is_the_golden_file(name: str, same_as_file: Callable[[Path, str], None]) -> None:
    same_as_file(GOLDEN / f"{name}.v", verilog(name)[f"{name}.v"])


def test_there_are_no_other_golden_files() -> None:
    assert {path.stem for path in GOLDEN.glob("*.v")} == {*DESIGNS, "circuit"}


@each_design
def test_lines_are_short_and_clean(name: str) -> None:
    texts = verilog(name) | emit_verilog(design_from(small_cnn()[0]).netlist, BANNER)
    for file, text in texts.items():
        if not file.endswith(".v"):
            continue
        for number, line in enumerate(text.splitlines(), 1):
            assert len(line) <= 100, f"{file}:{number}"
            assert line == line.rstrip(), f"{file}:{number}"
            assert "\t" not in line, f"{file}:{number}"
        assert text.endswith("\n")
        assert "\n\n\n" not in text


@each_design
def test_every_file_is_said_where_it_is_used(name: str) -> None:
    files = verilog(name)
    top = files[f"{name}.v"]
    for file in files:
        if file.endswith(".mem"):
            assert f'"{file}"' in top
    assert f"{name}.v" in files
    assert all(file == f"{name}.v" or file.startswith(("hwa_", f"{name}_")) for file in files)


def test_origins_are_said() -> None:
    top = verilog("residual")["residual.v"]
    assert "// stem: conv2d 2x4x4 s" in top
    assert ", from stem\n" in top
    computing = [segment for segment in made("residual").plan.segments if segment.nodes]
    assert top.count(" cycles per frame\n") == len(computing)


# --- the same bytes ------------------------------------------------------------------------------


def digest() -> str:
    files = [item for name in DESIGNS for item in sorted(verilog(name).items())]
    return hashlib.sha256(repr(files).encode()).hexdigest()


def test_the_same_bytes_twice() -> None:
    before = digest()
    made.cache_clear()
    assert digest() == before


@pytest.mark.slow
def test_the_same_bytes_under_other_hash_seeds() -> None:
    code = "from tests.emit.test_verilog import digest; print(digest())"
    for seed in ("0", "12345"):
        found = subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        )
        assert found.stdout.strip() == digest()


# --- lint ----------------------------------------------------------------------------------------


def needs(tool: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(tools.find(tool) is None, reason=f"{tool} is not installed")


@needs("iverilog")
@pytest.mark.rtl
@each_design
def test_icarus_is_silent(name: str, written: Path) -> None:
    sources = sorted(path.name for path in written.glob("*.v"))
    done = tools.run(
        ["iverilog", "-g2005", "-Wall", "-s", name, "-o", "x.vvp", *sources], cwd=written
    )
    assert done.output == ""


@needs("verilator")
@pytest.mark.rtl
@each_design
def test_verilator_is_silent(name: str, written: Path) -> None:
    verilator = tools.require("verilator")
    words = [*verilator.argv, "--lint-only", "-Wall", "--top-module", name]
    done = tools.run([*words, f"{name}.v"], cwd=written, env=verilator.environ())
    assert done.stderr == ""
    assert all(line.startswith("- ") for line in done.stdout.splitlines()), done.stdout


def yosys_says(folder: Path, options: str, commands: str) -> str:
    """Return what Yosys says when it reads all Verilog in a folder and does as it is told."""
    yosys = tools.require("yosys")
    tools.warm(yosys)
    sources = " ".join(sorted(path.name for path in folder.glob("*.v")))
    script = f"read_verilog {options} {sources}; {commands}"
    return tools.run([*yosys.argv, "-q", "-p", script], cwd=folder, env=yosys.environ()).output


NO_LATCH = "proc; check -assert; select -assert-none t:$dlatch"


@needs("yosys")
@pytest.mark.rtl
@each_design
def test_yosys_is_silent_and_finds_no_latch(name: str, written: Path) -> None:
    assert yosys_says(written, "", f"hierarchy -check -top {name}; {NO_LATCH}") == ""


@needs("yosys")
@pytest.mark.rtl
@each_design
def test_a_proof_around_a_design_needs_nothing_that_is_not_there(name: str, written: Path) -> None:
    """Tools of proofs define FORMAL; the properties of our modules are a matter of our own."""
    assert yosys_says(written, "-formal -DFORMAL", f"hierarchy -check -top {name}") == ""


# --- meaning -------------------------------------------------------------------------------------


@needs("iverilog")
@pytest.mark.rtl
@each_design
def test_golden_designs_are_right(name: str) -> None:
    """A golden file says what changed; this says whether it is right."""
    design = made(name)
    rng = np.random.default_rng(5)
    types = [value.type for value in design.graph.inputs]
    xs = [rng.integers(t.lo, t.hi + 1, (4, *t.shape)) for t in types]
    result = design.simulate_raw(xs, simulator="icarus")
    assert result.finished == design.plan.timing(4).finished()


@each_design
def test_every_block_has_a_section_with_the_wires_of_what_it_makes(name: str) -> None:
    plan, netlist = made(name).plan, made(name).netlist
    found = list(sections_of(netlist, plan))
    assert [block for block, _ in found] == list(plan.blocks)
    for block, section in found:
        wires = {wire.name for wire in section.wires}
        assert wires >= {f"{netlist.nets[stream]}_tvalid" for stream in block.outputs}


def test_what_changes_the_order_is_a_module_of_its_own() -> None:
    b = GraphBuilder("back")
    x = b.input("x", TensorType.full((1, 2, 2), FixedType.parse("s4.0")))
    design = design_from(b.build(b.add("y", Gather(IntArray([3, 2, 1, 0]), (1, 2, 2)), x)))
    modules = [i.module for section in design.netlist.sections for i in section.instances]
    assert modules.count("hwa_reorder") == 1
    assert "hwa_reorder" in design.netlist.modules()


@pytest.mark.parametrize(
    ("bits", "words"), [(1, 1), (25, 1), (32, 1), (33, 2), (64, 2), (65, 3), (249, 8), (264, 9)]
)
def test_a_beat_is_kept_in_whole_words(bits: int, words: int) -> None:
    edge = replace(made("dense").netlist.inputs[0], bits=bits)
    assert edge.words == words
    assert edge.axis_bits == -(-bits // 8) * 8


@pytest.mark.parametrize(
    ("width", "line"), [(1, "wire          w;"), (2, "wire [1:0]    w;"), (12, "wire [11:0]   w;")]
)
def test_a_wire_of_several_bits_has_a_range(width: int, line: str) -> None:
    assert Wire("w", width).declaration == line
