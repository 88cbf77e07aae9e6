"""The command line of nextpnr, its reports, and what its failures become."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hwaccel.errors import ConfigError, ToolError
from hwaccel.synth.nextpnr import Pins, Progress, place_and_route
from hwaccel.synth.pnr_report import Resource, parse_report, read_ports
from hwaccel.synth.target import target
from tests.synth.conftest import REPORTS, argv, behave

ECP5 = target("ecp5-25k")
REPORT = (REPORTS / "pnr_no_pins.json").read_text()
LOG = """Info: Packing IOs..
Info: Creating initial analytic placement for 22 cells, random placement wirelen = 3070.
Info: Running simulated annealing placer for refinement.
Info: Max frequency for clock 'clk': 101.25 MHz (PASS at 100.00 MHz)
Info: Routing..
Info: Routing 200 arcs.
Info:       1000 |      132        867 |  132   867 |       150|       0.02       0.02|
Info:       1100 |      132        900 |    0    33 |         0|       0.02       0.04|
Info: Critical path report for clock 'clk' (posedge -> posedge):"""


def _netlist(path: Path, **ports: int) -> Path:
    wide = {name: {"direction": "input", "bits": [*range(n)]} for name, n in ports.items()}
    path.write_text(json.dumps({"creator": "Yosys", "modules": {"mac": {"ports": wide}}}))
    return path


def _run(folder: Path, **options: Any) -> Any:
    netlist = _netlist(folder.parent / "in.json", clk=1, x=8)
    options = {"top": "mac", "clock_mhz": 100.0, **options}
    return place_and_route(netlist, ECP5, folder, **options)


@pytest.mark.usefixtures("mocks")
def test_argv_and_result(tmp_path: Path) -> None:
    work = tmp_path / "work"
    behave(work, files={"pnr_report.json": REPORT}, say=LOG)
    steps: list[Progress] = []
    result = _run(work, seed=7, progress=steps.append)
    assert argv(work) == [
        "nextpnr-ecp5", "--json", "mac.json", "--top", "mac", "--lpf", "mac.lpf",
        "--lpf-allow-unconstrained", "--timing-allow-fail", "--25k", "--package", "CABGA381",
        "--speed", "6", "--seed", "7", "--report", "pnr_report.json", "--out-of-context",
    ]  # fmt: skip
    assert (work / "mac.lpf").read_text() == 'FREQUENCY PORT "clk" 100.0 MHZ;\n'
    assert result.routed
    assert not result.timing_met
    assert result.fmax_mhz == pytest.approx(97.59, abs=0.01)
    assert Resource("MULT18X18D", 1, 156) in result.utilization
    assert [(s.phase, s.fraction) for s in steps] == [
        ("pack", None),
        ("place", None),
        ("refine placement", None),
        ("route", None),
        ("route", 0.25),
        ("route", 1.0),
        ("analyse timing", None),
    ]


@pytest.mark.usefixtures("mocks")
def test_pins_of_the_package(tmp_path: Path) -> None:
    work = tmp_path / "work"
    behave(work, files={"pnr_report.json": (REPORTS / "pnr_package.json").read_text()})
    result = _run(work, pins=Pins.PACKAGE)
    assert "--out-of-context" not in argv(work)
    assert result.fmax_mhz == pytest.approx(102.10, abs=0.01)


@pytest.mark.usefixtures("mocks")
def test_without_routing_fmax_is_the_estimate(tmp_path: Path) -> None:
    work = tmp_path / "work"
    report = json.loads(REPORT) | {"fmax": {}, "critical_paths": []}
    behave(work, files={"pnr_report.json": json.dumps(report)}, say=LOG.split("Info: Routing..")[0])
    result = _run(work, route=False)
    assert argv(work)[-1] == "--no-route"
    assert (result.routed, result.fmax_mhz, result.critical_path) == (False, 101.25, None)


def test_the_critical_path_is_summed_up() -> None:
    path = parse_report(REPORT.encode(), "clk", "mac").critical_path
    assert path is not None
    assert (path.delay_ns, path.logic_ns, path.routing_ns, path.nets) == (10.247, 6.217, 4.03, 4)
    assert (path.start, path.end) == ("x_q_TRELLIS_FF_Q_6", "y_TRELLIS_FF_Q_22")
    assert path.sources == ("mac.v:24.30-24.33", "mac.v:40.38-40.53")


def test_ports_of_a_netlist(tmp_path: Path) -> None:
    assert read_ports(_netlist(tmp_path / "n.json", clk=1, x=8), "mac") == {"clk": 1, "x": 8}


@pytest.mark.usefixtures("mocks")
def test_more_port_bits_than_pins(tmp_path: Path) -> None:
    netlist = _netlist(tmp_path / "in.json", clk=1, x=200)
    with pytest.raises(ConfigError) as error:
        place_and_route(netlist, ECP5, tmp_path, top="mac", clock_mhz=1, pins=Pins.PACKAGE)
    assert str(error.value) == (
        "mac: 201 port bits, but LFE5U-25F-6CABGA381 has 197 user pins; narrow the streams, choose "
        "a larger target, or build without pins (Pins.NONE)"
    )


def test_a_target_without_open_place_and_route(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as error:
        place_and_route(tmp_path / "n.json", target("xcup"), tmp_path, top="mac", clock_mhz=1)
    assert str(error.value) == (
        "target xcup: no open place and route; choose an ecp5, ice40 or Gowin target, or run the "
        "vendor's project"
    )


def test_a_clock_that_is_no_port(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as error:
        _run(tmp_path / "work", clock="clock")
    assert str(error.value) == ("mac: no one-bit port 'clock' for the clock; its ports are clk, x")


def test_a_netlist_of_another_module(tmp_path: Path) -> None:
    with pytest.raises(ToolError) as error:
        _run(tmp_path / "work", top="top")
    assert str(error.value) == (
        f"{tmp_path}/in.json: no module 'top'; it holds mac; pass the right top"
    )


def test_a_netlist_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ToolError) as error:
        place_and_route(tmp_path / "no.json", ECP5, tmp_path, top="mac", clock_mhz=1)
    assert str(error.value) == (
        f"{tmp_path}/no.json: No such file or directory; synthesize the design first"
    )


def test_a_report_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(ToolError) as error:
        parse_report(b"[]", "clk", "mac")
    assert str(error.value) == (
        "mac: expected a report of nextpnr 0.4 or later, found: Expected `object`, got `array`; "
        "run it again"
    )


@pytest.mark.usefixtures("no_tools")
def test_nextpnr_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ToolError) as error:
        _run(tmp_path / "work")
    assert str(error.value) == (
        "nextpnr-ecp5: not found; it places and routes for ECP5; install it with: "
        "pip install 'hwaccel[synth]'"
    )


@pytest.mark.usefixtures("mocks")
def test_a_design_that_does_not_fit(tmp_path: Path) -> None:
    work = tmp_path / "work"
    said = "ERROR: Unable to place cell 'm', no BELs remaining to implement cell type 'MULT18X18D'"
    behave(work, say=f"{said}\n0 warnings, 1 error", exit=1)
    with pytest.raises(ToolError) as error:
        _run(work)
    assert str(error.value) == (
        f"mac: nextpnr-ecp5: failed (exit code 1): {said} (log: {work}/nextpnr.log); the design "
        "does not fit: choose a larger target or less parallelism"
    )


@pytest.mark.usefixtures("mocks")
def test_not_routed_in_time(tmp_path: Path) -> None:
    work = tmp_path / "work"
    behave(work, say=LOG.split("Info: Critical")[0].strip(), sleep=30)
    with pytest.raises(ToolError) as error:
        _run(work, timeout_s=1)
    text = str(error.value)
    assert text.startswith("mac: nextpnr-ecp5: stopped after 1 s, the time it was given;")
    assert text.endswith("(placed, estimate 101.2 MHz, stopped at: route)")


@pytest.mark.usefixtures("mocks")
def test_nothing_between_registers(tmp_path: Path) -> None:
    work = tmp_path / "work"
    behave(work, files={"pnr_report.json": json.dumps({"utilization": {}})})
    with pytest.raises(ToolError) as error:
        _run(work)
    assert str(error.value) == (
        "mac: no path from register to register, so there is no Fmax to measure; register the "
        f"inputs and the outputs (log: {work}/nextpnr.log)"
    )
