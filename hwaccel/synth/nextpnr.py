"""Place and route an ECP5 netlist with nextpnr, and read back what came of it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from hwaccel import tools
from hwaccel.errors import ConfigError, ToolError
from hwaccel.synth.constraints import Clock, Constraints
from hwaccel.synth.names import checked_identifier
from hwaccel.synth.pnr_report import CriticalPath, Resource, parse_report, read_ports
from hwaccel.synth.target import Target

_LOG, _REPORT = "nextpnr.log", "pnr_report.json"
_FREQUENCY = re.compile(r"Max frequency for clock '[^']*': ([0-9.]+) MHz")
_ARCS = re.compile(r"Info: Routing (\d+) arcs")
_REMAINING = re.compile(r"Info:\s+\d+ \|\s+\d+\s+\d+ \|\s+\d+\s+\d+ \|\s+(\d+)\|")
_PHASES = (
    ("Info: Packing IOs", "pack"),
    ("Info: Creating initial analytic placement", "place"),
    ("Info: Running simulated annealing", "refine placement"),
    ("Info: Routing..", "route"),
    ("Info: Critical path report", "analyse timing"),
)


class Pins(Enum):
    """What becomes of the ports of the top module.

    ``NONE`` builds it out of context: no I/O cells, so no package limits its width, and only
    paths from register to register count. Measured on the same netlists, Fmax is within 4 % of
    that with pads. ``PACKAGE`` puts every bit on a pin that nextpnr chooses.
    """

    NONE = "none"
    PACKAGE = "package"


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run is. ``fraction`` is the part of the routing that is done, where known."""

    phase: str
    fraction: float | None = None


@dataclass(frozen=True, slots=True)
class PnrResult:
    """A placed (and, with ``routed``, routed) design.

    Without routing, ``fmax_mhz`` is nextpnr's estimate after placement.
    """

    top: str
    target: Target
    fmax_mhz: float
    clock_mhz: float
    routed: bool
    utilization: tuple[Resource, ...]
    critical_path: CriticalPath | None
    seed: int
    seconds: float
    log: Path

    @property
    def timing_met(self) -> bool:
        """Say whether the clock that was asked for is reached."""
        return self.fmax_mhz >= self.clock_mhz


def place_and_route(
    netlist: Path,
    target: Target,
    workdir: Path,
    *,
    top: str,
    clock_mhz: float,
    clock: str = "clk",
    seed: int = 1,
    pins: Pins = Pins.NONE,
    route: bool = True,
    timeout_s: float | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> PnrResult:
    """Place and route the JSON ``netlist`` of module ``top`` within ``workdir``.

    Missing the clock target is no error: ``fmax_mhz`` says what was reached. With ``route`` off
    the run stops after placement, several times sooner.

    Raises:
        ConfigError: a name, the clock or the target is impossible, or the ports outnumber the pins.
        ToolError: nextpnr is missing, failed, or took too long.
    """
    constraints = Constraints((Clock(clock, clock_mhz),))
    _check(netlist, target, checked_identifier(top, "top module"), clock, pins)
    workdir.mkdir(parents=True, exist_ok=True)
    _copy(netlist, workdir / f"{top}.json")
    (workdir / f"{top}.lpf").write_text(constraints.lpf())
    nextpnr = tools.require("nextpnr-ecp5")
    tools.warm(nextpnr)
    watch = _Watch(progress)
    log = workdir / _LOG
    done = _run(nextpnr, _flags(target, top, seed, pins, route), log, timeout_s, watch, top)
    return _result(workdir, target, top, constraints.clocks[0], seed, route, watch, done.seconds)


def _flags(target: Target, top: str, seed: int, pins: Pins, route: bool) -> list[str]:
    flags = ["--json", f"{top}.json", "--top", top, "--lpf", f"{top}.lpf"]
    flags += ["--lpf-allow-unconstrained", "--timing-allow-fail"]
    flags += [target.pnr_device, "--package", target.package, "--speed", target.speed]
    flags += ["--seed", str(seed), "--report", _REPORT]
    flags += ["--out-of-context"] if pins is Pins.NONE else []
    return flags if route else [*flags, "--no-route"]


def _check(netlist: Path, target: Target, top: str, clock: str, pins: Pins) -> None:
    if not target.pnr_device:
        raise ConfigError(
            f"target {target.name}: no open place and route; choose an ecp5 target, or run the "
            "vendor's project"
        )
    ports = read_ports(netlist, top)
    if ports.get(clock) != 1:
        raise ConfigError(
            f"{top}: no one-bit port {clock!r} for the clock; its ports are {', '.join(ports)}"
        )
    bits = sum(ports.values())
    if pins is Pins.PACKAGE and bits > target.user_pins:
        raise ConfigError(
            f"{top}: {bits} port bits, but {target.part} has {target.user_pins} user pins; "
            "narrow the streams, choose a larger target, or build without pins (Pins.NONE)"
        )


def _copy(source: Path, destination: Path) -> None:
    if not (destination.exists() and destination.samefile(source)):
        shutil.copyfile(source, destination)


class _Watch:
    """Follow nextpnr's log: the phase, the routing still to do, the latest Fmax."""

    def __init__(self, progress: Callable[[Progress], None] | None) -> None:
        self.phase = "start"
        self.fmax_mhz: float | None = None
        self._arcs = 0
        self._tell = progress or (lambda _: None)

    def line(self, text: str) -> None:
        for prefix, phase in _PHASES:
            if text.startswith(prefix) and phase != self.phase:
                self.phase = phase
                self._tell(Progress(phase))
        if found := _FREQUENCY.search(text):
            self.fmax_mhz = float(found[1])
        if found := _ARCS.match(text):
            self._arcs = int(found[1])
        if self._arcs and (found := _REMAINING.match(text)):
            self._tell(Progress(self.phase, 1 - min(1.0, int(found[1]) / self._arcs)))


def _run(
    nextpnr: tools.Tool,
    flags: list[str],
    log: Path,
    timeout_s: float | None,
    watch: _Watch,
    top: str,
) -> tools.Completed:
    try:
        return tools.run(
            [*nextpnr.argv, *flags],
            cwd=log.parent,
            timeout_s=timeout_s,
            env=nextpnr.environ(),
            log=log,
            on_line=watch.line,
        )
    except ToolError as error:
        text = f"{top}: {error}"
        if "no BELs remaining" in text:
            text += "; the design does not fit: choose a larger target or less parallelism"
        elif watch.fmax_mhz is not None:
            text += f" (placed, estimate {watch.fmax_mhz:.1f} MHz, stopped at: {watch.phase})"
        raise ToolError(text) from None


def _result(
    workdir: Path,
    target: Target,
    top: str,
    clock: Clock,
    seed: int,
    route: bool,
    watch: _Watch,
    seconds: float,
) -> PnrResult:
    report = parse_report((workdir / _REPORT).read_bytes(), clock.port, top)
    fmax = report.fmax_mhz if route else watch.fmax_mhz
    if fmax is None:
        raise ToolError(
            f"{top}: no path from register to register, so there is no Fmax to measure; register "
            f"the inputs and the outputs (log: {workdir / _LOG})"
        )
    return PnrResult(
        top=top,
        target=target,
        fmax_mhz=fmax,
        clock_mhz=clock.frequency_mhz,
        routed=route,
        utilization=report.utilization,
        critical_path=report.critical_path,
        seed=seed,
        seconds=seconds,
        log=workdir / _LOG,
    )
