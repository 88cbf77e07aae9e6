"""Sources and memory images end up in one folder, under plain names."""

from __future__ import annotations

from pathlib import Path

import pytest

from hwaccel.errors import ConfigError
from hwaccel.synth.staging import stage


def _file(path: Path, text: str = "x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_companions_come_along(tmp_path: Path) -> None:
    top = _file(tmp_path / "rtl" / "top.v")
    _file(tmp_path / "rtl" / "w.mem")
    _file(tmp_path / "rtl" / "defs.vh")
    _file(tmp_path / "rtl" / "other.v")
    _file(tmp_path / "images" / "v.hex")
    lone = _file(tmp_path / "lone.mem")
    work = tmp_path / "work"
    assert stage([top], [tmp_path / "images", lone], work) == ("top.v",)
    assert sorted(p.name for p in work.iterdir()) == [
        "defs.vh", "lone.mem", "top.v", "v.hex", "w.mem",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["a b.v", 'a";ls.v', "$(id).v", "[x].v", "-p.v", "a\nb.v", "é.v"])
def test_odd_names_never_reach_a_script(tmp_path: Path, name: str) -> None:
    assert stage([_file(tmp_path / name, "text")], [], tmp_path / "work") == ("source_0.v",)
    assert (tmp_path / "work" / "source_0.v").read_text() == "text"


def test_staging_in_place_is_harmless(tmp_path: Path) -> None:
    top = _file(tmp_path / "top.v", "text")
    assert stage([top], [], tmp_path) == ("top.v",)
    assert top.read_text() == "text"


def test_equal_files_may_share_a_name(tmp_path: Path) -> None:
    first, second = _file(tmp_path / "a" / "m.v"), _file(tmp_path / "b" / "m.v")
    assert stage([first, second], [], tmp_path / "work") == ("m.v", "m.v")


def test_different_files_may_not(tmp_path: Path) -> None:
    first, second = _file(tmp_path / "a" / "m.v", "1"), _file(tmp_path / "b" / "m.v", "2")
    with pytest.raises(ConfigError) as error:
        stage([first, second], [], tmp_path / "work")
    assert str(error.value) == (
        f"{second}: has the same name as {first} but other contents; rename one of them"
    )


def test_a_missing_source(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as error:
        stage([tmp_path / "gone.v"], [], tmp_path / "work")
    assert str(error.value) == (
        f"{tmp_path}/gone.v: no such file; convert the model again or correct the path"
    )


def test_no_source_at_all(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no Verilog source given"):
        stage([], [], tmp_path)
