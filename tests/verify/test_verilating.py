"""What Verilated models share is compiled once, is taken where it fits, and is never needed."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from hwaccel import tools
from hwaccel.tools.cache import user_cache
from hwaccel.verify import fastsim, verilating
from hwaccel.verify.verilating import Recipe

pytestmark = [pytest.mark.rtl, pytest.mark.slow]
RECIPE = fastsim.RECIPE
MAIN = '#include "Vtiny.h"\nint main() {\n    Vtiny model;\n    model.eval();\n    return 0;\n}\n'


def _verilate(folder: Path, text: str = "$display(6 * 7)") -> Path:
    folder.mkdir()
    (folder / "tiny.v").write_text(f"module tiny; initial {text}; endmodule\n")
    (folder / "main.cpp").write_text(MAIN)
    verilator, env = tools.require("verilator"), tools.verilator_env()
    argv = [*verilator.argv, *RECIPE.options, "-Mdir", "obj", "main.cpp", "tiny.v"]
    tools.run(argv, cwd=folder, env=env)
    return folder / "obj"


def _made(obj: Path) -> tuple[str, bool]:
    """Return what the program says, and whether the library was compiled for it."""
    done = RECIPE.make(obj, "Vtiny", obj.parent / "make.log")
    assert done.returncode == 0, done.output
    # The compiler notes beside an object what it was made of.
    return tools.run([obj / "Vtiny"], cwd=obj).stdout.strip(), (obj / "verilated.d").exists()


def test_the_library_is_compiled_once(tmp_path, monkeypatch):
    _made(_verilate(tmp_path / "one"))
    runtime = user_cache("verilated") / RECIPE.runtime
    kept = {path.name: path.stat().st_mtime_ns for path in runtime.iterdir()}
    assert {"hwaccel_shared.h.fast.gch", "hwaccel_shared.h.slow.gch", "verilated.o"} <= set(kept)

    # The compiler fails where a compiled header does not fit.
    monkeypatch.setattr(Recipe, "runtime", runtime.name)
    monkeypatch.setenv("CXXFLAGS", "-Winvalid-pch -Werror=invalid-pch")
    assert _made(_verilate(tmp_path / "two", "$display(6 * 8)")) == ("48", False)
    assert kept == {path.name: path.stat().st_mtime_ns for path in runtime.iterdir()}


def test_neither_a_cache_nor_a_compiled_header_is_needed(tmp_path, monkeypatch):
    runtime = user_cache("verilated") / RECIPE.runtime
    _made(_verilate(tmp_path / "one"))

    def share(shared: Path, *_: object) -> tools.Completed:
        shutil.copytree(runtime, shared, ignore=shutil.ignore_patterns("*.gch"))
        return tools.Completed("", "", "", 0, 0.0)

    (tmp_path / "cache").write_text("not a folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(verilating, "_share", share)
    assert _made(_verilate(tmp_path / "two", "$display(6 * 9)")) == ("54", False)
    assert (tmp_path / "two" / RECIPE.runtime).is_dir()


def test_a_library_that_does_not_compile_is_not_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("CXXFLAGS", "-no-such-option")
    done = RECIPE.make(_verilate(tmp_path / "one"), "Vtiny", tmp_path / "make.log")
    assert done.returncode != 0
    assert "no-such-option" in (tmp_path / "make.log").read_text()
    assert not any(path.is_dir() for path in user_cache("verilated").iterdir())


def test_other_flags_and_levels_share_nothing(monkeypatch):
    names = {RECIPE.runtime, replace(RECIPE, fast="-O1").runtime}
    names.add(replace(RECIPE, options=(*RECIPE.options, "--trace")).runtime)
    monkeypatch.setenv("CXXFLAGS", "-fno-exceptions")
    names.add(RECIPE.runtime)
    assert len(names) == 4
