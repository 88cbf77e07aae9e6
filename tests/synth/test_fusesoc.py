"""The core file of FuseSoC: its text, and FuseSoC itself building the design from it."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from hwaccel import tools
from hwaccel.errors import ConfigError
from hwaccel.synth.constraints import Clock, Constraints
from hwaccel.synth.fusesoc import core_file
from tests.synth.conftest import DESIGNS

CORE = core_file(["mac.v", "mac.mem"], "mac", "0123456789abcdef", "Written by hand.")


def test_the_text(golden: Callable[[str, str], None]) -> None:
    golden("mac.core", CORE)


def test_without_memories() -> None:
    text = core_file(["on.v"], "on", "00", "Written by hand.")
    assert "memories" not in text
    # Bare, YAML would take this name for a truth value.
    assert 'toplevel: "on"' in text


def test_names_that_could_be_yaml_are_refused() -> None:
    with pytest.raises(ConfigError) as error:
        core_file(['a"]: {.v'], "a", "00", "")
    assert str(error.value) == (
        "file 'a\"]: {.v': expected letters, digits and _.+- only; rename it"
    )
    with pytest.raises(ConfigError, match=r"^top module 'a: b': expected letters"):
        core_file(["a.v"], "a: b", "00", "")


def _project(folder: Path) -> Path:
    (folder / "rtl").mkdir(parents=True)
    (folder / "constraints").mkdir()
    for name in ("mac.v", "mac.mem"):
        shutil.copy(DESIGNS / name, folder / "rtl")
    clock = Constraints((Clock("clk", 100.0),))
    for language in ("xdc", "sdc", "lpf"):
        (folder / "constraints" / f"mac.{language}").write_text(clock.text(language))
    (folder / "mac.core").write_text(CORE)
    return folder


def _fusesoc(folder: Path, *words: str) -> str:
    program = Path(sys.executable).parent / "fusesoc"
    done = tools.run(
        [program, "--cores-root", "project", *words],
        cwd=folder,
        env={"XDG_CONFIG_HOME": str(folder), "XDG_CACHE_HOME": str(folder), "HOME": str(folder)},
        timeout_s=120,
    )
    return done.output


@pytest.mark.rtl
def test_fusesoc_compiles_it(tmp_path: Path) -> None:
    """Icarus elaborates what FuseSoC hands it, with the memory image where it looks for it."""
    _project(tmp_path / "project")
    _fusesoc(tmp_path, "run", "--setup", "--build", "--tool", "icarus", "mac")
    made = [path for path in tmp_path.rglob("*") if path.name == "mac.mem"]
    assert any("build" in path.parts for path in made)
    programs = [p for p in (tmp_path / "build").rglob("*") if p.is_file() and os.access(p, os.X_OK)]
    assert programs


@pytest.mark.rtl
def test_the_tool_gets_its_constraints(tmp_path: Path) -> None:
    _project(tmp_path / "project")
    _fusesoc(tmp_path, "run", "--setup", "--target", "synth", "--tool", "trellis", "mac")
    (described,) = (tmp_path / "build").rglob("*.eda.yml")
    text = described.read_text()
    assert "constraints/mac.lpf" in text
    assert "mac.xdc" not in text
    assert "mac.sdc" not in text
