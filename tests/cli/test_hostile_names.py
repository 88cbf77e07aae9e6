"""Layer names are data: whatever they are, the files stay in their folder and mean the same."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import hwaccel
from hwaccel import tools
from tests.cli.models import HOSTILE
from tests.cli.tools import MODELS, content, done, spawn

LEGAL = re.compile(r"[A-Za-z0-9_.]+")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("hostile") / "p"
    done("convert", f"{MODELS}:Hostile", "--example", "1x3", "-o", made)
    return made


def test_all_files_are_in_the_project(folder: Path) -> None:
    assert list(folder.parent.iterdir()) == [folder]
    for name in content(folder):
        assert all(LEGAL.fullmatch(part) for part in name.split("/")), name
        assert len(name) < 200
    assert not any(path.is_symlink() for path in folder.rglob("*"))


def test_code_is_plain_ascii(folder: Path) -> None:
    for name, data in content(folder).items():
        if name.startswith(("rtl/", "hls/", "cuda/", "constraints/", "system/")):
            assert data.isascii(), name
            assert not set(data) & (set(range(32)) - {10}), name


def test_the_design_can_be_read_back(folder: Path) -> None:
    design = hwaccel.load(folder)
    paths = {node.path for node in design.graph.nodes}
    assert {name for name in HOSTILE if len(name) < 200} <= paths
    x = np.zeros((1, 3))
    assert np.array_equal(design.golden(x), hwaccel.load(folder).golden(x))


@pytest.mark.skipif(tools.find("iverilog") is None, reason="iverilog is not installed")
@pytest.mark.rtl
def test_icarus_compiles_it_in_silence(folder: Path, tmp_path: Path) -> None:
    sources = sorted((folder / "rtl").glob("*.v"))
    argv = ["iverilog", "-g2005", "-Wall", "-s", "hostile", "-o", tmp_path / "x.vvp", *sources]
    assert tools.run(argv, cwd=tmp_path).output == ""
    assert [path.name for path in tmp_path.iterdir()] == ["x.vvp"]


@pytest.mark.slow
def test_a_terminal_without_unicode(tmp_path: Path) -> None:
    words = ("convert", f"{MODELS}:Hostile", "--example", "1x3", "-o", tmp_path / "p")
    ran = spawn(*words, env={"PYTHONIOENCODING": "ascii"})
    assert ran.code == 0
    assert "gr\\xf6\\xdfe" in ran.out


@pytest.mark.skipif(tools.find("verilator") is None, reason="verilator is not installed")
@pytest.mark.rtl
def test_verilator_has_nothing_to_say(folder: Path, tmp_path: Path) -> None:
    verilator = tools.require("verilator")
    words = [*verilator.argv, "--lint-only", "-Wall", "--quiet", "--top-module", "hostile"]
    rtl = folder / "rtl"
    done = tools.run([*words, "hostile.v"], cwd=rtl, env=verilator.environ())
    assert done.output == ""
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(tools.find("iverilog") is None, reason="iverilog is not installed")
@pytest.mark.rtl
@pytest.mark.slow
def test_icarus_gets_every_bit_right(folder: Path) -> None:
    done("sim", folder, "--simulator", "icarus", "--frames", 4)
    assert not list(Path.cwd().glob("executed"))


@pytest.mark.hls
@pytest.mark.slow
def test_compilers_get_every_bit_right(folder: Path) -> None:
    done("csim", folder, "--frames", 4)
