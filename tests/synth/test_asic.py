"""Mapping to cells, its timing and its activity, on a small module and made-up cells."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hwaccel import tools
from hwaccel.errors import ConfigError, ToolError
from hwaccel.synth.activity import Activity, read_activity
from hwaccel.synth.asic import Mapped, map_to_cells, write_models
from hwaccel.synth.constraints import Clock, Constraints
from hwaccel.synth.gates import Gates, one_bit_assigns, read_gates
from hwaccel.synth.liberty import parse_library, read_library
from hwaccel.synth.opensta import analyse
from tests.synth.conftest import MAC
from tests.synth.test_liberty import CELLS

yosys = pytest.mark.skipif(tools.find("yosys-native") is None, reason="needs a native yosys")
sta = pytest.mark.skipif(tools.find("sta") is None, reason="needs OpenSTA")
CLOCK = Constraints((Clock("clk", 100.0),))


@pytest.fixture(scope="module")
def mapped(tmp_path_factory: pytest.TempPathFactory) -> Mapped:
    folder = tmp_path_factory.mktemp("mapped") / "a b;exec x"
    return map_to_cells([MAC], "mac", read_library(CELLS), folder, clock_mhz=100.0)


@yosys
@pytest.mark.synth
def test_area_is_that_of_the_cells(mapped: Mapped) -> None:
    library = read_library(CELLS)
    assert {cell for cell, _ in mapped.cells} <= {"INV", "BUF", "NAND2", "XOR2", "DFF"}
    assert mapped.area == sum(n * library.cells[c].area for c, n in mapped.cells)
    assert mapped.register_area == 16 * mapped.count("flip-flop") > 0
    assert mapped.gate_equivalents == mapped.area / 4
    assert dict(mapped.kinds)["logic"] == sum(n for c, n in mapped.cells if c in ("NAND2", "XOR2"))
    assert mapped.macros == ()


@yosys
@pytest.mark.synth
def test_the_netlist_is_in_the_language_of_old_readers(mapped: Mapped) -> None:
    text = mapped.netlist.read_text()
    assert not re.search(r"assign \{|= \{|\(\*|8'h", text)
    gates = read_gates(mapped.netlist_json, "mac")
    drivers = [pin for pin in gates.drivers.values() if "/" in pin]
    assert len(drivers) == sum(n for _, n in mapped.cells)
    assert all(re.fullmatch(r"g\d+/[YQ]", pin) for pin in drivers)
    models = write_models("mac", mapped.netlist.parent).read_text()
    assert set(re.findall(r"^module (\w+)", models, re.MULTILINE)) >= {"INV", "NAND2", "DFF"}


@yosys
@sta
@pytest.mark.synth
def test_timing_adds_up_and_follows_the_clock(mapped: Mapped) -> None:
    found = analyse(mapped, CLOCK)
    assert found.setup_slack_ns is not None
    assert found.hold_slack_ns is not None
    # Clock, the delays of the path, and the 0.1 ns that the register needs.
    assert found.path[0].type == found.path[-1].type == "DFF"
    assert found.path[-1].time_ns == pytest.approx(sum(s.delay_ns for s in found.path), abs=1e-3)
    assert found.setup_slack_ns == pytest.approx(10 - 0.1 - found.path[-1].time_ns, abs=1e-3)
    fmax = found.fmax_mhz(100.0)
    assert fmax is not None
    again = analyse(mapped, Constraints((Clock("clk", fmax),)))
    assert again.setup_slack_ns == pytest.approx(0.0, abs=2e-3)
    assert again.hold_slack_ns == found.hold_slack_ns


@yosys
@sta
@pytest.mark.synth
def test_power_follows_the_activity_of_the_pins(mapped: Mapped) -> None:
    gates = read_gates(mapped.netlist_json, "mac")
    # The clock is OpenSTA's own.
    pins = [pin for pin in gates.drivers.values() if pin != "clk"]
    rates = (0.0, 0.1, 0.2)
    powers = [
        analyse(mapped, CLOCK, activities=[Activity(p, rate, 0.5) for p in pins]).power.switching_w
        for rate in rates
    ]
    assert powers[0] < powers[1] < powers[2]
    assert powers[2] - powers[1] == pytest.approx(powers[1] - powers[0], rel=1e-3)
    # The default is 0.1 everywhere.
    default = analyse(mapped, CLOCK)
    assert not default.measured_activity
    assert default.power.switching_w == pytest.approx(powers[1], rel=0.5)


@yosys
@pytest.mark.synth
def test_a_library_without_the_right_register_is_named(tmp_path: Path) -> None:
    text = CELLS.read_text().replace('next_state : "D"', 'next_state : "D IQ"')
    library = parse_library(text.encode())
    with pytest.raises(ToolError) as error:
        map_to_cells([MAC], "mac", library, tmp_path / "w", clock_mhz=100.0)
    assert re.fullmatch(
        r"mac: yosys stopped: ERROR: FF \S+ \(type \$_DFF_P_\) cannot be legalized: "
        r"D flip-flops are not supported; "
        r"give cells with flip-flops that store at an edge of the clock \(log: .*\)",
        str(error.value),
    )


@yosys
@pytest.mark.synth
def test_a_library_without_timing_tables_is_named(tmp_path: Path) -> None:
    text = re.sub(r"variable_2 : input_net_transition;|index_2 \(\"0.01, 1.0\"\);", "",
                  CELLS.read_text())  # fmt: skip
    text = re.sub(r'"([\d.]+), [\d.]+", "([\d.]+), [\d.]+"', r'"\1, \2"', text)
    with pytest.raises(ToolError) as error:
        map_to_cells([MAC], "mac", parse_library(text.encode()), tmp_path / "w", clock_mhz=100.0)
    assert str(error.value).startswith(
        "tiny_cells: its timing cannot be read by ABC: Template cannot be found in the template "
        "library; expected tables of two dimensions (NLDM) for every cell"
    )


def test_a_top_that_is_no_name_reaches_no_script(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        map_to_cells([MAC], "mac; exec x", read_library(CELLS), tmp_path, clock_mhz=100.0)
    assert not (tmp_path / "synth.ys").exists()


# --- assigns -------------------------------------------------------------------------------------


def test_assigns_of_one_bit() -> None:
    text = (
        "  assign { y[5:4], z, \\a.b[3]  } = { 2'b01, y[0], w[2] };\n"
        "  assign one = 1'b1;\n"
        "  assign y[3:2] = 2'b10;\n"
        "  assign v = u;\n"
    )
    assert one_bit_assigns(text, {"y": 6, "v": 2, "u": 2}).splitlines() == [
        "  assign y[5] = 1'b0;",
        "  assign y[4] = 1'b1;",
        "  assign z = y[0];",
        "  assign \\a.b[3]  = w[2];",
        "  assign one = 1'b1;",
        "  assign y[3] = 1'b1;",
        "  assign y[2] = 1'b0;",
        "  assign v[1] = u[1];",
        "  assign v[0] = u[0];",
    ]


def test_an_assign_that_is_not_known_is_refused() -> None:
    with pytest.raises(ToolError):
        one_bit_assigns("  assign a = b & c;\n", {})


# --- activity ------------------------------------------------------------------------------------

WAVES = """$timescale 1ps $end
$scope module top $end
$var wire 1 ! clk $end
$var wire 2 # bus [1:0] $end
$var wire 1 % n[0] $end
$scope module cell $end
$var wire 1 & clk $end
$upscope $end
$upscope $end
$enddefinitions $end
#0
$dumpvars
0!
bx #
x%
0&
$end
#10
1!
1%
#20
0!
b10 #
#30
1!
0%
#40
0!
b1 #
#50
1!
1%
#60
0!
"""
GATES = Gates(
    {2: "clk", 3: "g1/Y", 4: "g2/Y", 5: "g3/Y"}, {"clk": (2,), "bus": (3, 4), "n[0]": (5,)}
)


def test_changes_are_counted_per_cycle(tmp_path: Path) -> None:
    path = tmp_path / "w.vcd"
    path.write_text(WAVES)
    found = {a.pin: (a.rate, a.duty) for a in read_activity(path, GATES, "top")}
    # Three cycles in 60 ps. What comes out of the unknown is no change.
    assert found == {
        "clk": (2.0, round(30 / 60, 6)),
        "g1/Y": (round(1 / 3, 6), round(20 / 60, 6)),
        "g2/Y": (round(1 / 3, 6), round(20 / 60, 6)),
        "g3/Y": (round(2 / 3, 6), round(30 / 60, 6)),
    }


@pytest.mark.parametrize("text", ["", WAVES.replace("1!", "0!"), WAVES.replace("top", "other")])
def test_waves_without_a_clock_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "w.vcd"
    path.write_text(text)
    with pytest.raises(ToolError) as error:
        read_activity(path, GATES, "top")
    assert str(error.value) == (
        f"{path}: the clock clk does not run in these waves; simulate again"
    )
