"""Cells and tiles on the command line: what is refused, in one line, with nothing lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from hwaccel import tools
from tests.cli.tools import done, refused
from tests.synth.test_liberty import CELLS, REMEDY

needs = pytest.mark.skipif(
    any(tools.find(name) is None for name in ("yosys-native", "sta", "iverilog")),
    reason="a native yosys, OpenSTA or iverilog is not installed",
)
CLOCKS = (("0", "0.0"), ("-5", "-5.0"), ("nan", "nan"), ("1e9", "1000000000.0"), ("inf", "inf"))


def test_a_library_must_be_named(project: Path) -> None:
    assert refused("synth", project, "--target", "asic") == (
        "--target asic: needs the cells to map to; name a library with --liberty FILE.lib, "
        "or choose --target osu018"
    )


def test_libraries_that_are_none(project: Path, tmp_path: Path) -> None:
    """An earlier result and an earlier work folder stay as they are."""
    (project / "results").mkdir(exist_ok=True)
    kept = project / "results" / "synth-asic.json"
    kept.write_text("earlier")
    work = project / "work" / "synth-asic" / "cells"
    work.mkdir(parents=True)
    (work / "a_netlist.v").write_text("earlier")
    texts = {
        "cut.lib": CELLS.read_text()[:2000],
        "none.lib": "#!/bin/sh\n",
        "bare.lib": "library(l) { }",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    for name in (*texts, "missing.lib"):
        path = tmp_path / name
        line = refused("synth", project, "--target", "asic", "--liberty", path)
        assert line.startswith(f"{path}: ")
        assert line.endswith(REMEDY)
    assert kept.read_text() == (work / "a_netlist.v").read_text() == "earlier"


def test_options_that_do_not_go_together(project: Path) -> None:
    lib = ("--liberty", CELLS)
    assert refused("synth", project, "--target", "osu018", *lib) == (
        "--target osu018: has a library of its own; drop --liberty and --models, or choose "
        "--target asic"
    )
    assert refused("synth", project, *lib) == (
        "--target ecp5-85k: takes no cells and macros; choose --target asic"
    )
    assert refused("synth", project, "--macros") == (
        "--target ecp5-85k: takes no cells and macros; choose --target asic"
    )
    for words in (("--bitstream",), ("--pins", "a.lpf")):
        assert refused("synth", project, "--target", "asic", *lib, *words) == (
            "--target asic: has no pins and no bitstream; drop these options"
        )
    assert refused("tapeout", project, "--target", "ecp5-85k") == (
        "target 'ecp5-85k' has no cells; choose one of asic, osu018"
    )


@pytest.mark.parametrize("command", ["synth", "tapeout"])
def test_clocks_that_do_not_tick(command: str, project: Path, tmp_path: Path) -> None:
    words = ("--target", "asic", "--liberty", CELLS)
    for text, shown in CLOCKS:
        out = ("-o", tmp_path / "tile") if command == "tapeout" else ()
        assert refused(command, project, *words, "--clock-mhz", text, *out) == (
            f"clock clk: {shown} MHz; expected more than 0 and less than 10000"
        )
    assert not (tmp_path / "tile").exists()
    assert {path.name for path in (project / "results").iterdir()} == {"errors.json"}


def test_models_that_are_no_text(project: Path, tmp_path: Path) -> None:
    path = tmp_path / "cells.v"
    path.write_bytes(b"\xff\xfe")
    words = ("--target", "asic", "--liberty", CELLS, "--models", path)
    assert refused("synth", project, *words).endswith(
        "expected Verilog models of the cells, or nothing: models are then made of the functions "
        "in the Liberty file"
    )


def test_two_inputs_do_not_fit_the_pins(two_project: Path, tmp_path: Path) -> None:
    words = ("--target", "asic", "--liberty", CELLS, "-o", tmp_path / "tile")
    assert refused("tapeout", two_project, *words) == (
        "two: has 2 inputs and 1 outputs; a tile has pins for one of each; join them in the model"
    )
    assert not (tmp_path / "tile").exists()


@pytest.mark.parametrize("missing", ["yosys-native", "sta"])
def test_a_tool_that_is_missing(
    missing: str, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = tools.catalog.find
    monkeypatch.setattr(
        "hwaccel.tools.catalog.find", lambda name: None if name == missing else find(name)
    )
    words = ("--target", "asic", "--liberty", CELLS, "--frames", 0)
    line = refused("synth", project, *words)
    assert line.startswith(f"{missing}: not found; it ")
    assert "install it with: " in line


@needs
@pytest.mark.slow
@pytest.mark.synth
def test_cells_of_a_liberty_file(project: Path) -> None:
    words = ("--target", "asic", "--liberty", CELLS, "--frames", 2, "--clock-mhz", 100)
    line = done("synth", project, *words)
    assert line.startswith("asic (tiny_cells): ")
    assert line.endswith("gate level: 2 frames, 0 mismatches, cycles as predicted\n")
    assert (project / "results" / "synth-asic.json").is_file()
    done("report", project)
