"""The script and the command line of Yosys, and what its failures become."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from hwaccel.errors import ConfigError, ToolError
from hwaccel.synth.target import target
from hwaccel.synth.yosys import Options, plan, synthesize
from tests.synth.conftest import MAC, REPORTS, argv, behave

ECP5 = target("ecp5-85k")
SUCCESS = {
    "stat.json": (REPORTS / "stat_ecp5.json").read_text(),
    "yosys.log": "Warning: one\nfine\nWarning: two\nWarning: one\n",
}


@pytest.mark.usefixtures("mocks")
def test_script_and_argv(tmp_path: Path, golden: Callable[[str, str], None]) -> None:
    behave(tmp_path, files=SUCCESS)
    result = synthesize([MAC], "mac", ECP5, tmp_path)
    assert argv(tmp_path) == ["yosys", "-q", "-p", "tee -o yosys.log script synth.ys"]
    golden("mac_ecp5.ys", (tmp_path / "synth.ys").read_text())
    assert (tmp_path / "mac.mem").is_file()
    assert result.utilization.lut4_equivalents == 60
    assert result.netlist_json == tmp_path / "mac.json"
    assert result.netlist_verilog == tmp_path / "mac_netlist.v"
    assert result.warnings == ("Warning: one", "Warning: two")


@pytest.mark.usefixtures("mocks")
def test_options_reach_the_script(tmp_path: Path, golden: Callable[[str, str], None]) -> None:
    behave(tmp_path, files=SUCCESS)
    options = Options(
        dsp=False, block_ram=False, keep_adders=False, parameters={"WIDTH": 6, "DEPTH": 8}
    )
    synthesize([MAC], "mac", ECP5, tmp_path, options=options)
    golden("mac_ecp5_plain.ys", (tmp_path / "synth.ys").read_text())


@pytest.mark.parametrize(
    ("name", "dsp", "command"),
    [
        ("xcup", True, "synth_xilinx -family xcup -flatten -noiopad -noclkbuf"),
        ("xc7", False, "synth_xilinx -family xc7 -flatten -noiopad -noclkbuf -nodsp"),
        ("ice40", True, "synth_ice40 -device u -dsp"),
        ("ice40", False, "synth_ice40 -device u"),
        ("ice40hx-8k", True, "synth_ice40 -device hx"),
        ("gw1n-9c", True, "synth_gowin -family gw1n -noiopads"),
        ("gw2a-18", False, "synth_gowin -family gw2a -noiopads -nodsp"),
    ],
)
def test_each_family_has_its_command(name: str, dsp: bool, command: str) -> None:
    assert plan(["a.v"], "a", target(name), Options(dsp=dsp)).synth == command


@pytest.mark.parametrize("top", ["", "mac; !ls", "1mac", "mac -x", "\\mac", "mac\n", "a.b"])
def test_a_top_that_is_no_identifier(tmp_path: Path, top: str) -> None:
    with pytest.raises(ConfigError) as error:
        synthesize([MAC], top, ECP5, tmp_path)
    assert str(error.value) == (
        f"top module {top!r}: expected letters, digits and _, not starting with a digit; rename it"
    )


def test_a_parameter_that_is_no_identifier(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^parameter 'A; ls': expected letters"):
        synthesize([MAC], "mac", ECP5, tmp_path, options=Options(parameters={"A; ls": 1}))


@pytest.mark.usefixtures("no_tools")
def test_yosys_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ToolError) as error:
        synthesize([MAC], "mac", ECP5, tmp_path)
    assert str(error.value) == (
        "yosys: not found; it synthesizes Verilog; install it with: pip install 'hwaccel[synth]'"
    )


@pytest.mark.usefixtures("mocks")
@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("mac.v:7: ERROR: syntax error, unexpected ';'",
         "mac.v:7: ERROR: syntax error, unexpected ';'"),
        ("ERROR: Latch inferred for signal `\\\\mac.\\\\q'",
         "ERROR: Latch inferred for signal `\\\\mac.\\\\q'; give the signal a value on every path"),
        ("ERROR: multiple conflicting drivers for mac.q:\n    port Y[0]",
         "ERROR: multiple conflicting drivers for mac.q:; drive each net from one place"),
        ("mac.v:30: ERROR:System task `$finish' executed.",
         "mac.v:30: illegal parameter: WIDTH=<value>, must be 2 or more; correct it where the "
         "module is instantiated"),
        ("", "no output"),
    ],
)  # fmt: skip
def test_a_failure_is_one_line(tmp_path: Path, said: str, message: str) -> None:
    behave(tmp_path, say=said, exit=1)
    with pytest.raises(ToolError) as error:
        synthesize([MAC], "mac", ECP5, tmp_path)
    assert str(error.value) == f"mac: yosys stopped: {message} (log: {tmp_path}/yosys.log)"


@pytest.mark.usefixtures("mocks")
def test_a_timeout(tmp_path: Path) -> None:
    behave(tmp_path, say="working", sleep=30)
    with pytest.raises(ToolError) as error:
        synthesize([MAC], "mac", ECP5, tmp_path, timeout_s=0.5)
    assert str(error.value) == (
        "yosys: stopped after 0.5 s, the time it was given; last words: working; allow more time "
        "or make the design smaller"
    )
