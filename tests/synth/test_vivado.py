"""The Vivado project: its text, its command line, its result."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from hwaccel.errors import ConfigError, ToolError
from hwaccel.synth.constraints import Clock, Constraints
from hwaccel.synth.target import target
from hwaccel.synth.vivado import VivadoResult, run_project, write_project
from tests.synth.conftest import MAC, argv, behave

CLOCK = Constraints((Clock("clk", 200),))
RESULT = '{"slack_ns": 1.0, "luts": 5, "ffs": 6, "dsps": 1, "ramb18s": 0, "ramb36s": 2}'


def test_the_project(tmp_path: Path, golden: Callable[[str, str], None]) -> None:
    script = write_project([MAC], "mac", target("xcup"), tmp_path, constraints=CLOCK)
    golden("mac_vivado.tcl", script.read_text())
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "clock.xdc", "mac.mem", "mac.v", "vivado.tcl",
    ]  # fmt: skip


@pytest.mark.usefixtures("mocks")
def test_running_it(tmp_path: Path) -> None:
    script = write_project([MAC], "mac", target("xc7"), tmp_path, constraints=CLOCK)
    behave(tmp_path, files={"result.json": RESULT})
    result = run_project(script)
    assert argv(tmp_path) == ["vivado", "-mode", "batch", "-nojournal", "-source", "vivado.tcl"]
    assert result == VivadoResult(1.0, 5, 6, 1, 0, 2)
    assert result.fmax_mhz(200) == pytest.approx(250)


def test_no_path_no_fmax() -> None:
    assert VivadoResult(None, 0, 0, 0, 0, 0).fmax_mhz(100) is None


@pytest.mark.usefixtures("mocks")
def test_no_result(tmp_path: Path) -> None:
    script = write_project([MAC], "mac", target("xcup"), tmp_path, constraints=CLOCK)
    with pytest.raises(ToolError, match="vivado ended well but left no result"):
        run_project(script)


@pytest.mark.usefixtures("no_tools")
def test_vivado_is_missing(tmp_path: Path) -> None:
    script = write_project([MAC], "mac", target("xcup"), tmp_path, constraints=CLOCK)
    with pytest.raises(ToolError) as error:
        run_project(script)
    assert str(error.value) == (
        "vivado: not found; it synthesizes for AMD devices; install it with: AMD's installer"
    )


def test_a_part_of_another_maker(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as error:
        write_project([MAC], "mac", target("ecp5-85k"), tmp_path, constraints=CLOCK)
    assert str(error.value) == (
        "target ecp5-85k: LFE5U-85F-6CABGA756 is no AMD part; choose xcup or xc7 for Vivado"
    )
