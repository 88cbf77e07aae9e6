"""The cache of Verilated models: same text, same program; built once, also in parallel."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from hwaccel.errors import ToolError
from hwaccel.tools.cache import user_cache
from hwaccel.verify import models, verilating

FILES = {"top.v": "module top; endmodule\n"}


@pytest.fixture
def built(tmp_path, monkeypatch) -> list[Path]:
    """An empty cache and tools that always exist; the list grows by what is built."""
    made: list[Path] = []

    def build(files, top, recipe, folder: Path):
        time.sleep(0.2)
        folder.mkdir()
        (folder / top).write_text(" ".join(recipe.options))
        made.append(folder)

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(models, "_build", build)
    monkeypatch.setattr(verilating, "identity", lambda: "tools of today")
    monkeypatch.setattr(models, "cocotb_files", lambda: SimpleNamespace(libs_dir=tmp_path))
    monkeypatch.setattr(models.tools, "require", lambda name: name)
    return made


def test_same_text_is_built_once(built):
    first = models.verilated(FILES, "top", waves="")
    assert models.verilated(dict(FILES), "top", waves="") == first
    assert built == [first]
    assert first.parent == user_cache("verilated")


def test_text_waves_and_tools_make_a_difference(built, monkeypatch):
    folders = {models.verilated(FILES, "top", waves="")}
    folders.add(models.verilated({"top.v": "module top; wire w; endmodule\n"}, "top", waves=""))
    folders.add(models.verilated(FILES, "top", waves="vcd"))
    monkeypatch.setattr(verilating, "identity", lambda: "tools of tomorrow")
    folders.add(models.verilated(FILES, "top", waves=""))
    assert len(folders) == len(built) == 4


def test_parallel_users_wait_for_the_first(built):
    found: list[Path] = []
    threads = [
        threading.Thread(target=lambda: found.append(models.verilated(FILES, "top", waves="")))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == len(built) == 1
    assert len(found) == 4


def test_a_build_that_failed_is_tried_again(built, monkeypatch):
    def fail(files, top, recipe, folder):
        raise ToolError("no")

    with monkeypatch.context() as patch:
        patch.setattr(models, "_build", fail)
        with pytest.raises(ToolError):
            models.verilated(FILES, "top", waves="")
    assert models.verilated(FILES, "top", waves="") == built[0]


def test_the_models_not_used_for_longest_go(built, monkeypatch):
    monkeypatch.setattr(models, "KEPT", 2)
    texts = [{"top.v": f"module top; wire [{i}:0] w; endmodule\n"} for i in range(3)]
    first, second = (models.verilated(text, "top", waves="") for text in texts[:2])
    os.utime(first, (1000, 2000))
    os.utime(second, (1000, 1000))
    third = models.verilated(texts[2], "top", waves="")
    assert (first.exists(), second.exists(), third.exists()) == (True, False, True)


def test_cache_folder_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert user_cache("x") == tmp_path / "hwaccel" / "x"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative/is/ignored")
    assert user_cache("x").is_absolute()


def test_seed_of_random_registers_is_what_verilator_takes():
    seeds = [models.random_start(seed)[1] for seed in (0, 1, 2**31 - 1, 2**40)]
    assert seeds[0] == "+verilator+seed+1"
    assert all(1 <= int(text.rpartition("+")[2]) <= 2**31 - 1 for text in seeds)
