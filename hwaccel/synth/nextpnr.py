"""Place and route a netlist with nextpnr, and read back what came of it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path

from hwaccel import tools
from hwaccel.errors import ConfigError, ToolError
from hwaccel.synth.constraints import Clock, Constraints
from hwaccel.synth.names import checked_identifier
from hwaccel.synth.pnr_report import (
    CriticalPath,
    Resource,
    parse_report,
    read_ports,
    without_ports,
)
from hwaccel.synth.target import Flow, Target

_LOG, _REPORT = "nextpnr.log", "pnr_report.json"
_FREQUENCY = re.compile(r"Max frequency for clock '[^']*': ([0-9.]+) MHz")
_ARCS = re.compile(r"Info: Routing (\d+) arcs")
_REMAINING = re.compile(r"Info:\s+\d+ \|\s+\d+\s+\d+ \|\s+\d+\s+\d+ \|\s+(\d+)\|")
_PHASES = (
    ("Info: Packing IOs", "pack"),
    ("Info: Pack IOBs", "pack"),
    ("Info: Creating initial analytic placement", "place"),
    ("Info: Running simulated annealing", "refine placement"),
    ("Info: Routing..", "route"),
    ("Info: Critical path report", "analyse timing"),
)


class Pins(Enum):
    """What becomes of the ports of the top module.

    ``NONE`` builds it out of context: no I/O cells, so no package limits its width, and only
    paths from register to register count. Measured on the same ECP5 netlists, Fmax is within 4 % of
    that with pads. ``PACKAGE`` puts every bit on a pin: the one that a file names, or one that
    nextpnr chooses where it does that.
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

    Without routing, ``fmax_mhz`` is nextpnr's estimate after placement. ``routed_file`` is what a
    bitstream is packed from, None for a design without pins or without routing.
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
    routed_file: Path | None = None

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
    pin_file: Path | None = None,
    route: bool = True,
    timeout_s: float | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> PnrResult:
    """Place and route the JSON ``netlist`` of module ``top`` within ``workdir``.

    Missing the clock target is no error: ``fmax_mhz`` says what was reached. With ``route`` off
    the run stops after placement, several times sooner. ``pin_file`` names pins in the language of
    the family (``Flow.language``).

    Raises:
        ConfigError: a name, the clock or the target is impossible, or the ports outnumber the pins.
        ToolError: nextpnr is missing, failed, or took too long.
    """
    flow = require_flow(target)
    job = Constraints((Clock(clock, clock_mhz),))
    _check(netlist, target, flow, checked_identifier(top, "top module"), clock, pins, pin_file)
    workdir.mkdir(parents=True, exist_ok=True)
    kept = (clock,) if flow.chooses_pins else ()
    design = workdir / f"{top}.json"
    if pins is Pins.NONE and not flow.out_of_context:
        design = workdir / f"{top}_no_pins.json"
        design.write_bytes(without_ports(netlist, top, kept))
    else:
        _copy(netlist, design)
    flags = ["--json", design.name, "--top", top]
    flags += [*_constraint_flags(flow, top, job, pin_file, workdir), "--timing-allow-fail"]
    flags += [*target.device_flags, "--seed", str(seed), "--report", _REPORT]
    flags += [flow.out_of_context] if pins is Pins.NONE and flow.out_of_context else []
    flags += [] if route else ["--no-route"]
    routed = workdir / f"{top}.{flow.routed}" if route and pins is Pins.PACKAGE else None
    flags += [flow.routed_flag, routed.name] if routed else []
    nextpnr = tools.require(flow.nextpnr)
    tools.warm(nextpnr)
    watch = _Watch(progress)
    done = _run(nextpnr, flags, workdir / _LOG, timeout_s, watch, top)
    result = _result(workdir, target, top, job.clocks[0], seed, route, watch, done.seconds)
    return replace(result, routed_file=routed)


def require_flow(target: Target) -> Flow:
    """Return how ``target`` is placed and routed.

    Raises:
        ConfigError: open tools do not.
    """
    if target.flow is None:
        raise ConfigError(
            f"target {target.name}: no open place and route; choose an ecp5, ice40 or Gowin "
            "target, or run the vendor's project"
        )
    return target.flow


def _constraint_flags(
    flow: Flow, top: str, constraints: Constraints, pin_file: Path | None, workdir: Path
) -> list[str]:
    """Return the flags for clock and pins; write the file of pins if there is one."""
    flags = [flow.clock_flag, f"{constraints.clocks[0].frequency_mhz}"] if flow.clock_flag else []
    text = constraints.text(flow.language)
    if pin_file is not None:
        text += _read_pins(pin_file, flow.language)
    if text:
        name = f"{top}.{flow.language}"
        (workdir / name).write_text(text, encoding="utf-8")
        flags += [word.replace("{file}", name) for word in flow.pin_flags]
    return flags


def _read_pins(path: Path, language: str) -> str:
    if path.suffix != f".{language}":
        raise ConfigError(f"{path}: pins for this target are in a .{language} file")
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "is no text"
        raise ConfigError(f"{path}: cannot be read ({why}); correct the path") from None


def _check(
    netlist: Path,
    target: Target,
    flow: Flow,
    top: str,
    clock: str,
    pins: Pins,
    pin_file: Path | None,
) -> None:
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
    if pins is Pins.PACKAGE and not flow.chooses_pins and pin_file is None:
        raise ConfigError(
            f"target {target.name}: nextpnr chooses no pins here; name one for each port bit in a "
            f".{flow.language} file"
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
        elif "Unconstrained IO" in text:
            text += "; name a pin for every port bit"
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
