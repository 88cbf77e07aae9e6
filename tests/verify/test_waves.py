"""Waves as values in clock cycles, and what is said where there are none."""

import importlib.util
from pathlib import Path

import pytest

from hwaccel.errors import ConfigError, ToolError
from hwaccel.verify.waves import UNKNOWN, Waves

VCD = """$timescale 1ns $end
$scope module top $end
$var wire 1 c clk $end
$var wire 1 r rst $end
$var wire 1 v s_tvalid $end
$var wire 70 d s_tdata $end
$upscope $end
$enddefinitions $end
#0
1c
1r
xv
bx d
#5
0c
#10
1c
0r
#15
0c
#20
1c
1v
b1010 d
#25
0c
#30
1c
0v
b1x d
#35
0c
#40
1c
#45
0c
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "run.vcd"
    path.write_text(VCD)
    return path


def test_an_edge_samples_what_was_before_it(file: Path) -> None:
    """The edge at 10 still sees the reset, so the one at 20 ends cycle 0."""
    waves = Waves(file, "top")
    assert waves.cycles == 3
    assert waves.bit("s_tvalid").tolist() == [UNKNOWN, 1, 0]
    assert waves.values("s_tdata", [0, 1, 2]) == [None, 10, None]
    assert waves.width("s_tdata") == 70
    assert "s_tvalid" in waves
    assert "other" not in waves


def test_without_a_cycle_after_reset_there_is_nothing(file: Path) -> None:
    file.write_text(VCD.replace("0r\n", ""))
    waves = Waves(file, "top")
    assert waves.cycles == 0
    assert waves.bit("s_tvalid").tolist() == []


def test_what_is_no_waves_is_refused(file: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"run\.vcd: has no signal other\.clk"):
        Waves(file, "other")
    with pytest.raises(ConfigError, match=r"run\.vcd: has no signal top\.m_tdata"):
        Waves(file, "top").values("m_tdata", [0])
    with pytest.raises(ConfigError, match=r"none\.fst: cannot be read as waves"):
        Waves(tmp_path / "none.fst", "top")
    file.write_bytes(b"\x00\x01\x02 no waves")
    with pytest.raises(ConfigError, match=r"run\.vcd: cannot be read as waves|has no signal"):
        Waves(file, "top")


def test_without_the_reader_it_is_said_what_to_install(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ToolError, match=r"pywellen: not found.*pip install 'hwaccel\[sim\]'"):
        Waves(file, "top")
