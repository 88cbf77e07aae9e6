"""Netlists of standard cells compute the golden model, to the bit and to the cycle."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from torch import nn

import hwaccel
from hwaccel import Config, FixedType, stages, tools
from hwaccel.errors import ConfigError, EmitError, MismatchError, ToolError
from hwaccel.fxp import IntArray
from hwaccel.ir import GraphBuilder, TensorType
from hwaccel.ops import Dense, Requant
from hwaccel.silicon import Cells, Silicon, cells_of, layer_of, path_text, simulate_gates, to_cells
from hwaccel.synth.asic import write_models
from hwaccel.synth.liberty import read_library
from hwaccel.synth.tile import TILES, About, sky130_area, tiles_for
from hwaccel.tapeout import write_tapeout
from tests.e2e.test_netlist import small_cnn
from tests.synth.test_liberty import CELLS

MISSING = [name for name in ("yosys-native", "sta", "osu018", "iverilog") if not tools.find(name)]
pytestmark = [
    pytest.mark.synth,
    pytest.mark.skipif(bool(MISSING), reason=f"needs {', '.join(MISSING)}"),
]


def tiny(style: str = "spatial") -> hwaccel.Design:
    """Return a network of two layers that fits a tile or two."""
    rng = np.random.default_rng(1)
    b = GraphBuilder("tiny")
    x = b.input("x", TensorType.full((4,), FixedType.parse("u3.3")))
    w = IntArray(rng.integers(-3, 4, (3, 4)))
    x = b.add("first", Dense(w, IntArray([0] * 3), IntArray([1, -2, 3])), x, path="net.0")
    x = b.add("round", Requant(2, 0, 7), x, path="net.1")
    w = IntArray(rng.integers(-3, 4, (2, 3)))
    x = b.add("last", Dense(w, IntArray([0] * 2), IntArray([0, 4])), x, path="net.2")
    return hwaccel.design_from(b.build(x), Config(style=style, clock_mhz=100.0))


@pytest.fixture(scope="module")
def cells() -> Cells:
    return cells_of("osu018")


@pytest.fixture(scope="module")
def made(cells: Cells, tmp_path_factory: pytest.TempPathFactory) -> Silicon:
    design = tiny()
    xs = stages.frames(design, 6, 1, ())
    return to_cells(design, cells, tmp_path_factory.mktemp("tiny"), frames=xs)


def test_a_small_network_in_cells(made: Silicon, cells: Cells) -> None:
    design = tiny()
    assert made.simulated is not None
    assert made.simulated.finished == design.plan.timing(6).finished()
    assert made.mapped.gate_equivalents == made.mapped.area / 24
    assert made.mapped.count("latch") == 0
    assert made.fmax_mhz is not None
    assert made.fmax_mhz > made.clock_mhz
    assert made.timing.measured_activity
    assert 0 < made.timing.power.leakage_w < made.timing.power.total_w < 1
    ends = {made.path[0].layer, made.path[-1].layer}
    assert ends <= {"net.0", "net.1", "net.2"}
    text = path_text(made)
    assert text.splitlines()[-1].startswith(f"slack {made.timing.setup_slack_ns:.3f} ns at 100 MHz")


def test_other_models_of_the_cells_give_the_same(
    made: Silicon, cells: Cells, tmp_path: Path
) -> None:
    """The maker's Verilog ran above; here run the functions of the Liberty file."""
    design = tiny()
    models = tools.require("osu018").path / "osu018_stdcells.v"
    assert cells_of("osu018").models == models.read_text()
    functions = write_models("tiny", made.mapped.netlist.parent).read_text()
    xs = stages.frames(design, 6, 2, ())
    run = simulate_gates(
        design, made.mapped, replace(cells, models=functions), xs, tmp_path, idle="some"
    )
    assert len(run.finished) == 6


def test_a_netlist_that_is_wrong_is_found_out(made: Silicon, cells: Cells, tmp_path: Path) -> None:
    text = made.mapped.netlist.read_text()
    changed = text.replace("  XOR2X1 ", "  XNOR2X1 ", 1)
    assert changed != text
    broken = shutil.copytree(made.mapped.netlist.parent, tmp_path / "cells")
    (broken / made.mapped.netlist.name).write_text(changed)
    design = tiny()
    wrong = replace(made.mapped, netlist=broken / made.mapped.netlist.name)
    with pytest.raises((MismatchError, ToolError)):
        simulate_gates(design, wrong, cells, stages.frames(design, 6, 1, ()), tmp_path / "sim")


def test_the_same_input_gives_the_same_netlist(made: Silicon, cells: Cells, tmp_path: Path) -> None:
    folder = tmp_path / "other; place [exec ls]"
    again = to_cells(tiny(), cells, folder)
    assert again.mapped.netlist.read_bytes() == made.mapped.netlist.read_bytes()
    assert again.simulated is None
    assert not again.timing.measured_activity
    assert again.timing.setup_slack_ns == made.timing.setup_slack_ns


def test_any_library_will_do(tmp_path: Path) -> None:
    design = tiny()
    xs = stages.frames(design, 3, 1, ())
    made = to_cells(design, Cells(read_library(CELLS)), tmp_path, frames=xs)
    assert {name for name, _ in made.mapped.cells} <= {"INV", "BUF", "NAND2", "XOR2", "DFF"}
    assert made.simulated is not None


@pytest.mark.parametrize(
    ("net", "layer"),
    [
        ("u_fc_mac.accumulate.sum[3]", "net.0"),
        ("u_last_circuit.fc_t3_q[1]", "net.0"),
        ("fc[2]", "net.0"),
        ("fc1_tdata[2]", "net.1"),
        ("g123", ""),
        ("", ""),
        ("u_s_axis.beat", ""),
    ],
)
def test_layers_of_nets(net: str, layer: str) -> None:
    assert layer_of(net, {"fc": "net.0", "fc1": "net.1"}) == layer


@pytest.mark.slow
@pytest.mark.parametrize("macros", [False, True])
def test_a_streaming_network_under_stalls(macros: bool, cells: Cells, tmp_path: Path) -> None:
    """With and without memories in its cells; memories begin unknown, registers anywhere."""
    design = small_cnn()
    x = np.random.default_rng(0).integers(0, 64, (2, 1, 6, 6))
    made = to_cells(design, cells, tmp_path, frames=[x], macros=macros)
    assert dict(made.mapped.macros) == ({"15x6": 1, "36x6": 1, "8x24": 1} if macros else {})
    assert ("hwa_ram" in made.mapped.netlist.read_text()) == macros
    assert cells.models is not None
    x = np.stack([np.zeros_like(x[0]), np.full_like(x[0], 63)])
    idle, backpressure = ("heavy", "none") if macros else ("some", "bursts")
    simulate_gates(
        design, made.mapped, cells, [x], tmp_path / "stalls",
        idle=idle, backpressure=backpressure,
    )  # fmt: skip


def test_an_unknown_register_behind_q_and_not_q(cells: Cells, tmp_path: Path) -> None:
    """ABC makes resets of such logic, which X never leaves; a value does."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(32, 3)).eval()
    design = hwaccel.convert(model, torch.randn(8, 1, 6, 6))
    xs = stages.frames(design, 1, 1, ())
    made = to_cells(design, cells, tmp_path, frames=xs)
    assert made.simulated is not None


# --- Tiny Tapeout --------------------------------------------------------------------------------


def about(**fields: str) -> About:
    given = {"title": "Tiny", "author": "A", "description": "B", "top": "tt_um_a_tiny"}
    return About(**{**given, **fields})


def make(folder: Path, *words: str) -> str:
    """Run the project's own test; return what it said."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["make", "-C", folder / "test", *words],
        capture_output=True, text=True, env={**os.environ, "PATH": path}, check=False, timeout=300,
    )  # fmt: skip
    return done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("style", ["spatial", "stream"])
def test_a_tapeout_project_passes_its_own_test(style: str, cells: Cells, tmp_path: Path) -> None:
    design = tiny(style)
    title = 'A "title": {x} # \\ é'
    made = write_tapeout(design, cells, tmp_path / "tt", about(title=title), clock_mhz=50.0)
    info = yaml.safe_load((made.folder / "info.yaml").read_text(encoding="utf-8"))
    assert info["yaml_version"] == 6
    assert info["project"]["title"] == title
    assert info["project"]["clock_hz"] == 50_000_000
    assert info["project"]["tiles"] == made.tiles
    assert info["project"]["top_module"] == "tt_um_a_tiny"
    src = made.folder / "src"
    assert info["project"]["source_files"] == sorted(path.name for path in src.glob("*.v"))
    pins = [*(f"ui[{i}]" for i in range(8)), *(f"uo[{i}]" for i in range(8))]
    assert list(info["pinout"]) == [*pins, *(f"uio[{i}]" for i in range(8))]
    assert json.loads((src / "config.json").read_text())["CLOCK_PERIOD"] == 20.0
    gates = ("GATES=yes", "CELLS=../gates/cells.v", "NETLIST=../gates/netlist.v")
    for words in ((), gates):
        assert "TESTS=2 PASS=2 FAIL=0 SKIP=0" in make(made.folder, *words)
    # And the test notices what is wrong.
    vectors = made.folder / "test" / "vectors.json"
    frames = json.loads(vectors.read_text())
    frames[1]["out"][0] ^= 1
    vectors.write_text(json.dumps(frames))
    said = make(made.folder)
    assert "FAIL=2" in said
    place = len(frames[0]["out"])
    assert f"byte {place}: " in said


def test_tiles_hold_what_was_measured() -> None:
    assert tiles_for(1.0, "a") == "1x1"
    assert tiles_for(0.6 * TILES[0][1] + 1, "a") == "1x2"
    assert tiles_for(0.6 * TILES[-1][1], "a") == "8x2"
    with pytest.raises(ConfigError) as error:
        tiles_for(1e6, "lenet")
    assert str(error.value) == (
        "lenet: needs about 1,000,000 um2 of cells; the largest project, 8x2 tiles, holds 186,680; "
        "take fewer bits, layers or multipliers"
    )


def test_areas_of_another_library_are_scaled(made: Silicon, cells: Cells) -> None:
    mapped = made.mapped
    logic = (mapped.area - mapped.register_area) / 24 * 3.7536
    expected = logic + 20.0192 * mapped.count("flip-flop")
    assert sky130_area(mapped, cells.library) == pytest.approx(expected)


def test_a_network_too_large_for_tiles_leaves_nothing(
    cells: Cells, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hwaccel.synth.tile.DENSITY", 0.001)
    with pytest.raises(ConfigError) as error:
        write_tapeout(tiny(), cells, tmp_path / "tt", about(), clock_mhz=50.0)
    assert str(error.value).startswith("tiny: needs about ")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        (
            {"title": "a\nproject: x"},
            "--title: expected 1 to 200 printable characters on one line, found 'a\\nproject: x'",
        ),
        (
            {"author": " "},
            "--author: expected 1 to 200 printable characters on one line, found ' '",
        ),
        (
            {"top": "tt_um_; x"},
            "--top 'tt_um_; x': expected letters, digits and _, not starting with a digit; "
            "rename it",
        ),
        (
            {"top": "mine"},
            "--top mine: must begin with tt_um_, as in tt_um_name_network",
        ),
    ],
)
def test_what_a_project_cannot_be_called(fields: dict[str, str], why: str) -> None:
    with pytest.raises(ConfigError) as error:
        about(**fields)
    assert str(error.value) == why


def test_somebody_elses_folder_is_left_alone(cells: Cells, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(EmitError):
        write_tapeout(tiny(), cells, tmp_path, about(), clock_mhz=50.0)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
