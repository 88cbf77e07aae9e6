"""The Quartus project: its text, its command line, its reports."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from hwaccel import tools
from hwaccel.errors import ConfigError, ToolError
from hwaccel.synth.constraints import Clock, Constraints
from hwaccel.synth.quartus import QuartusResult, read_summaries, run_project, write_project
from tests.synth.conftest import MAC, argv, behave

CLOCK = Constraints((Clock("clk", 100),))
FIT = """Fitter Status : Successful - Thu Jan 01 00:00:00 2026
Revision Name : mac
Family : Cyclone V
Device : 5CSEBA6U23I7
Timing Models : Final
Logic utilization (in ALMs) : 1,234 / 41,910 ( 3 % )
Total registers : 45
Total pins : 1 / 314 ( < 1 % )
Total virtual pins : 33
Total block memory bits : 2,048 / 5,662,720 ( < 1 % )
Total DSP Blocks : 1 / 112 ( < 1 % )
"""
OLD_FIT = """Total logic elements : 99 / 6,272 ( 2 % )
    Dedicated logic registers : 45 / 6,272 ( < 1 % )
Total registers : 45
Total memory bits : 128 / 276,480 ( < 1 % )
Embedded Multiplier 9-bit elements : 2 / 30 ( 7 % )
"""
STA = """------------------------------------------------------------
Timing Analyzer Summary
------------------------------------------------------------

Type  : Slow 1100mV 85C Model Setup 'clk'
Slack : 3.500
TNS   : 0.000

Type  : Slow 1100mV 85C Model Hold 'clk'
Slack : 0.250
TNS   : 0.000

Type  : Slow 1100mV -40C Model Setup 'clk'
Slack : 2.000
TNS   : 0.000
"""


def _write(folder: Path, family: str = "Cyclone V", device: str = "5CSEBA6U23I7") -> Path:
    return write_project([MAC], "mac", folder, family=family, device=device, constraints=CLOCK)


def test_the_project(tmp_path: Path, golden: Callable[[str, str], None]) -> None:
    golden("mac_quartus.tcl", _write(tmp_path).read_text())
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "clock.sdc", "mac.mem", "mac.v", "quartus.tcl",
    ]  # fmt: skip


# Quartus's commands, each of which prints itself with its arguments.
MOCK = """package provide ::quartus::project 1.0
package provide ::quartus::flow 1.0
foreach name {project_new set_global_assignment set_instance_assignment export_assignments \\
        execute_flow project_close} {
    proc $name {args} "puts \\[list $name {*}\\$args\\]"
}
source quartus.tcl
"""


def test_tcl_reads_it(tmp_path: Path) -> None:
    if shutil.which("tclsh") is None:
        pytest.skip("tclsh is not installed")
    _write(tmp_path)
    (tmp_path / "mock.tcl").write_text(MOCK)
    said = tools.run(["tclsh", "mock.tcl"], cwd=tmp_path).stdout.splitlines()
    assert said[:2] == [
        "project_new -overwrite mac",
        "set_global_assignment -name FAMILY {Cyclone V}",
    ]
    assert "set_instance_assignment -name VIRTUAL_PIN ON -to *" in said
    assert said[-2:] == ["execute_flow -compile", "project_close"]
    assert len(said) == 12


@pytest.mark.usefixtures("mocks")
def test_running_it(tmp_path: Path) -> None:
    script = _write(tmp_path)
    (tmp_path / "output_files").mkdir()
    reports = {"output_files/mac.fit.summary": FIT, "output_files/mac.sta.summary": STA}
    behave(tmp_path, files=reports)
    result = run_project(script, "mac")
    assert argv(tmp_path) == ["quartus_sh", "-t", "quartus.tcl"]
    assert result == QuartusResult(2.0, 1234, 45, 1, 2048)
    assert result.fmax_mhz(100) == pytest.approx(125)


def test_families_with_logic_elements() -> None:
    assert read_summaries(OLD_FIT, STA, "mac") == QuartusResult(2.0, 99, 45, 2, 128)


def test_no_path_no_fmax() -> None:
    assert read_summaries(FIT, "", "mac").fmax_mhz(100) is None


def test_reports_that_are_none() -> None:
    with pytest.raises(ToolError) as error:
        read_summaries("Fitter Status : Failed\n", STA, "mac")
    assert str(error.value) == (
        "mac: no 'Logic utilization (in ALMs)' in the fitter summary of quartus; read it yourself"
    )
    with pytest.raises(ToolError) as error:
        read_summaries(FIT, "Slack : none\n", "mac")
    assert str(error.value) == (
        "mac: no setup slack in the timing summary of quartus; read it yourself"
    )


@pytest.mark.usefixtures("mocks")
def test_no_result(tmp_path: Path) -> None:
    script = _write(tmp_path)
    with pytest.raises(ToolError, match="quartus ended well but left no summary"):
        run_project(script, "mac")


@pytest.mark.usefixtures("no_tools")
def test_quartus_is_missing(tmp_path: Path) -> None:
    script = _write(tmp_path)
    with pytest.raises(ToolError) as error:
        run_project(script, "mac")
    assert str(error.value) == (
        "quartus_sh: not found; it synthesizes for Intel devices; install it with: "
        "Intel's installer"
    )


@pytest.mark.parametrize(
    ("family", "device", "message"),
    [
        ("Cyclone V}; exec ls; {", "5CSEBA6U23I7",
         "Quartus family 'Cyclone V}; exec ls; {': expected a name such as Cyclone V"),
        ("Cyclone V", "[exec ls]",
         "Quartus device '[exec ls]': expected a name such as 5CSEBA6U23I7"),
    ],
)  # fmt: skip
def test_names_that_could_be_commands_are_refused(
    tmp_path: Path, family: str, device: str, message: str
) -> None:
    with pytest.raises(ConfigError) as error:
        _write(tmp_path, family, device)
    assert str(error.value) == message
