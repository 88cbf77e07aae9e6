"""iCE40 and Gowin beside ECP5: command lines, pins, bitstreams, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hwaccel.errors import ConfigError, ToolError
from hwaccel.report.results import SynthRecord
from hwaccel.stages import synth_line
from hwaccel.synth.bitstream import pack
from hwaccel.synth.constraints import Clock, Constraints, Pin
from hwaccel.synth.nextpnr import Pins, PnrResult, place_and_route
from hwaccel.synth.run import Choices
from hwaccel.synth.target import TARGETS, Kind, target
from hwaccel.synth.utilization import count_cells
from tests.synth.conftest import REPORTS, argv, behave

REPORT = (REPORTS / "pnr_no_pins.json").read_text()
PORTS = {
    "clk": {"direction": "input", "bits": [2]},
    "x": {"direction": "input", "bits": [3, 4]},
}
NETLIST = {"creator": "Yosys", "modules": {"mac": {"ports": PORTS, "cells": {"c": {}}}}}
ICE40 = ["--up5k", "--package", "sg48"]
GOWIN = ["--device", "GW1NR-LV9QN88PC6/I5", "--vopt", "family=GW1N-9C"]


def _netlist(folder: Path) -> Path:
    path = folder / "in.json"
    path.write_text(json.dumps(NETLIST))
    return path


def _place(folder: Path, name: str, **options: object) -> PnrResult:
    behave(folder / "work", files={"pnr_report.json": REPORT})
    return place_and_route(
        _netlist(folder),
        target(name),
        folder / "work",
        top="mac",
        clock_mhz=48.0,
        **options,  # type: ignore[arg-type]
    )


def _refused(folder: Path, name: str, **options: object) -> str:
    with pytest.raises(ConfigError) as error:
        _place(folder, name, **options)
    return str(error.value)


@pytest.mark.usefixtures("mocks")
@pytest.mark.parametrize(
    ("name", "tool", "device", "ports"),
    [
        ("ice40-up5k", "nextpnr-ice40", ICE40, ["clk"]),
        ("gw1n-9c", "nextpnr-himbaechel-gowin", GOWIN, []),
    ],
)
def test_out_of_context(
    tmp_path: Path, name: str, tool: str, device: list[str], ports: list[str]
) -> None:
    result = _place(tmp_path, name, seed=3)
    assert argv(tmp_path / "work") == [
        tool, "--json", "mac_no_pins.json", "--top", "mac", "--freq", "48.0",
        "--timing-allow-fail", *device, "--seed", "3", "--report", "pnr_report.json",
    ]  # fmt: skip
    found = json.loads((tmp_path / "work" / "mac_no_pins.json").read_text())
    module = found["modules"]["mac"]
    assert (list(module["ports"]), module["cells"]) == (ports, {"c": {}})
    assert json.loads((tmp_path / "in.json").read_text()) == NETLIST
    assert result.routed_file is None


@pytest.mark.usefixtures("mocks")
def test_pins_of_ice40(tmp_path: Path) -> None:
    file = tmp_path / "board.pcf"
    file.write_text("set_io clk 35\n")
    result = _place(tmp_path, "ice40-up5k", pins=Pins.PACKAGE, pin_file=file)
    words = argv(tmp_path / "work")
    assert words[1:10] == [
        "--json", "mac.json", "--top", "mac", "--freq", "48.0", "--pcf", "mac.pcf",
        "--pcf-allow-unconstrained",
    ]  # fmt: skip
    assert words[-2:] == ["--asc", "mac.asc"]
    assert (tmp_path / "work" / "mac.pcf").read_text() == "set_io clk 35\n"
    assert json.loads((tmp_path / "work" / "mac.json").read_text()) == NETLIST
    assert result.routed_file == tmp_path / "work" / "mac.asc"


@pytest.mark.usefixtures("mocks")
def test_pins_of_gowin(tmp_path: Path) -> None:
    file = tmp_path / "board.cst"
    file.write_text('IO_LOC "clk" 52;\n')
    result = _place(tmp_path, "gw1n-9c", pins=Pins.PACKAGE, pin_file=file)
    assert argv(tmp_path / "work")[7:9] == ["--vopt", "cst=mac.cst"]
    assert argv(tmp_path / "work")[-2:] == ["--write", "mac.pnr.json"]
    assert result.routed_file == tmp_path / "work" / "mac.pnr.json"


@pytest.mark.usefixtures("mocks")
def test_pins_of_ecp5_follow_its_clock(tmp_path: Path) -> None:
    file = tmp_path / "board.lpf"
    file.write_text('LOCATE COMP "clk" SITE "G2";\n')
    _place(tmp_path, "ecp5-25k", pins=Pins.PACKAGE, pin_file=file)
    assert (tmp_path / "work" / "mac.lpf").read_text() == (
        'FREQUENCY PORT "clk" 48.0 MHZ;\nLOCATE COMP "clk" SITE "G2";\n'
    )


def test_what_is_refused_about_pins(tmp_path: Path) -> None:
    wrong, binary = tmp_path / "board.lpf", tmp_path / "board.pcf"
    wrong.write_text("")
    binary.write_bytes(b"\xff\xfe")
    assert _refused(tmp_path, "gw2a-18", pins=Pins.PACKAGE) == (
        "target gw2a-18: nextpnr chooses no pins here; name one for each port bit in a .cst file"
    )
    assert _refused(tmp_path, "ice40-up5k", pins=Pins.PACKAGE, pin_file=wrong) == (
        f"{wrong}: pins for this target are in a .pcf file"
    )
    assert _refused(tmp_path, "ice40-up5k", pins=Pins.PACKAGE, pin_file=binary) == (
        f"{binary}: cannot be read (is no text); correct the path"
    )
    missing = tmp_path / "no.pcf"
    assert _refused(tmp_path, "ice40-up5k", pins=Pins.PACKAGE, pin_file=missing) == (
        f"{missing}: cannot be read (No such file or directory); correct the path"
    )


def test_more_port_bits_than_pins(tmp_path: Path) -> None:
    wide = {**PORTS, "x": {"direction": "input", "bits": [*range(3, 63)]}}
    path = tmp_path / "wide.json"
    path.write_text(json.dumps({"modules": {"mac": {"ports": wide}}}))
    with pytest.raises(ConfigError) as error:
        place_and_route(path, target("ice40"), tmp_path, top="mac", clock_mhz=1, pins=Pins.PACKAGE)
    assert str(error.value) == (
        "mac: 61 port bits, but iCE40UP5K-SG48 has 39 user pins; narrow the streams, choose a "
        "larger target, or build without pins (Pins.NONE)"
    )


PACKERS = {
    "ecp5-25k": ["ecppack", "mac.config", "mac.bit"],
    "ice40-up5k": ["icepack", "mac.asc", "mac.bin"],
    "ice40hx-8k": ["icepack", "mac.asc", "mac.bin"],
    "gw1n-9c": ["gowin_pack", "-d", "GW1N-9C", "-o", "mac.fs", "mac.pnr.json"],
    "gw2a-18": ["gowin_pack", "-d", "GW2A-18", "-o", "mac.fs", "mac.pnr.json"],
}


def _routed(folder: Path, name: str) -> PnrResult:
    flow = target(name).flow
    assert flow is not None
    routed = folder / f"mac.{flow.routed}"
    return PnrResult("mac", target(name), 1.0, 1.0, True, (), None, 1, 0.0, folder, routed)


@pytest.mark.usefixtures("mocks")
@pytest.mark.parametrize("name", PACKERS)
def test_bitstreams(tmp_path: Path, name: str) -> None:
    wanted = next(word for word in PACKERS[name] if word.endswith((".bit", ".bin", ".fs")))
    behave(tmp_path, files={wanted: "bits"})
    assert pack(_routed(tmp_path, name)) == tmp_path / wanted
    assert argv(tmp_path) == PACKERS[name]


@pytest.mark.usefixtures("mocks")
def test_a_packer_that_writes_nothing(tmp_path: Path) -> None:
    # What an earlier run left must not pass for the bitstream of this one.
    (tmp_path / "mac.bin").write_text("old")
    with pytest.raises(ToolError) as error:
        pack(_routed(tmp_path, "ice40-up5k"))
    assert str(error.value) == (
        f"mac: icepack ended well but wrote no mac.bin; see {tmp_path}/pack.log"
    )


@pytest.mark.usefixtures("mocks")
def test_a_packer_that_fails(tmp_path: Path) -> None:
    behave(tmp_path, say="Error: bad tile\nand more", exit=1)
    with pytest.raises(ToolError) as error:
        pack(_routed(tmp_path, "ecp5-25k"))
    assert str(error.value) == (
        f"mac: ecppack: failed (exit code 1): Error: bad tile (log: {tmp_path}/pack.log)"
    )


@pytest.mark.usefixtures("mocks")
def test_a_bitstream_needs_pins(tmp_path: Path) -> None:
    placed = _place(tmp_path, "ice40-up5k")
    with pytest.raises(ConfigError) as error:
        pack(placed)
    assert str(error.value) == (
        "mac: a bitstream needs a routed design with its ports on pins (Pins.PACKAGE)"
    )


@pytest.mark.usefixtures("no_tools")
def test_a_missing_packer_is_said_before_any_work() -> None:
    with pytest.raises(ToolError) as error:
        Choices(100.0, bitstream=True).check(target("gw1n-9c"))
    assert str(error.value) == (
        "gowin_pack: not found; it packs a Gowin bitstream; install it with: "
        "pip install 'hwaccel[fpga]'"
    )


def test_choices_that_do_not_go_together() -> None:
    with pytest.raises(ConfigError, match=r"^target xcup: no open place and route; choose an"):
        Choices(100.0, bitstream=True).check(target("xcup"))
    with pytest.raises(ConfigError) as error:
        Choices(100.0, pnr=False, bitstream=True).check(target("ecp5-25k"))
    assert str(error.value) == "--no-pnr: pins and a bitstream need place and route; drop it"
    Choices(100.0, pnr=False).check(target("xcup"))


def test_pins_in_the_languages_of_nextpnr() -> None:
    constraints = Constraints((Clock("clk", 10.0),), (Pin("d[0]", "A10", "LVCMOS18"),))
    assert constraints.pcf() == "set_io d[0] A10\n"
    assert constraints.cst() == 'IO_LOC "d[0]" A10;\nIO_PORT "d[0]" IO_TYPE=LVCMOS18;\n'
    assert {t.flow.language for t in TARGETS if t.flow} == {"lpf", "pcf", "cst"}


def test_cells_of_gowin() -> None:
    cells = {
        "LUT4": 3, "ALU": 4, "DFFRE": 5, "MULT9X9": 1, "MULT18X18": 2, "SDPX9B": 1, "pROM": 1,
        "RAM16SDP2": 1, "MUX2_LUT5": 9, "GND": 1,
    }  # fmt: skip
    used = count_cells(cells, target("gw1n-9c").family, "t")
    assert (used.luts, used.lut4_equivalents, used.ffs, used.dsps) == (15, 15, 5, 5)
    assert (used.block_rams, used.distributed_rams, used.carries) == (2, 1, 4)
    assert target("gw2a-18").family.rule("DLN") is None
    flow = target("gw2a-18").flow
    assert flow is not None
    assert [cell for cell in cells if flow.is_untimed(cell)] == ["MULT9X9", "MULT18X18"]


def test_the_line_says_what_is_not_timed() -> None:
    record = SynthRecord(
        design="d", command="c", target="gw1n-9c", luts=9, ffs=8, dsps=1, block_rams=0,
        clock_mhz=50.0, fmax_mhz=119.66, routed=True, untimed=["MULT9X9"], bitstream="work/a.fs",
    )  # fmt: skip
    assert synth_line(record) == (
        "gw1n-9c: 9 LUT, 8 FF, 1 DSP, 0 block RAM; routed, Fmax at most 119.7 MHz (asked for 50); "
        "no delays known of MULT9X9; bitstream work/a.fs"
    )


def test_the_old_name_of_ice40() -> None:
    assert target("ice40") is target("ice40-up5k")
    rule = target("ice40hx-8k").family.rule("SB_MAC16")
    assert rule is not None
    assert rule.kind is Kind.DSP
