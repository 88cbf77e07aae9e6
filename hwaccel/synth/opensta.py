"""Timing and power of a mapped netlist, by OpenSTA; its report read back as data."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hwaccel import tools
from hwaccel._version import __version__
from hwaccel.emit import env
from hwaccel.errors import ToolError
from hwaccel.synth.activity import DEFAULT_ACTIVITY, Activity
from hwaccel.synth.asic import LIBERTY, Mapped
from hwaccel.synth.constraints import Constraints, fmax_mhz

_SCRIPT, _LOG, _SDC = "sta.tcl", "sta.log", "clock.sdc"
_PARTS = ("setup", "hold", "power", "end")
_STEP = re.compile(r"^\s+(-?[\d.]+)\s+(-?[\d.]+) [v^] (\S+)/(\S+) \((\S+)\)$", re.MULTILINE)
_SLACK = re.compile(r"^\s+(-?[\d.]+)\s+slack \((?:MET|VIOLATED)\)$", re.MULTILINE)
_POWER = re.compile(
    r"^(Sequential|Combinational|Macro|Pad|Total)((?:\s+[\d.e+-]+){4})", re.MULTILINE
)


@dataclass(frozen=True, slots=True)
class Step:
    """One pin on a path: its cell and the cell's type, and when it changes, in ns."""

    cell: str
    pin: str
    type: str
    delay_ns: float
    time_ns: float


@dataclass(frozen=True, slots=True)
class Power:
    """Power in watts: of cells inside, of nets that switch, of leakage; and of registers alone."""

    internal_w: float
    switching_w: float
    leakage_w: float
    registers_w: float

    @property
    def total_w(self) -> float:
        """Return the sum."""
        return self.internal_w + self.switching_w + self.leakage_w


@dataclass(frozen=True, slots=True)
class StaJob:
    """All that the script template places."""

    banner: str
    liberty_file: str
    netlist_file: str
    top: str
    constraints_file: str
    everywhere: float | None
    inputs: tuple[Activity, ...]
    pins: tuple[Activity, ...]


@dataclass(frozen=True, slots=True)
class Timing:
    """What OpenSTA found between registers. A slack is None where there is no path.

    The clock is ideal (no tree), and wires have no resistance and capacitance: both come with a
    layout. ``path`` is the slowest one, from the clock pin of a register to the next register.
    """

    setup_slack_ns: float | None
    hold_slack_ns: float | None
    path: tuple[Step, ...]
    power: Power
    measured_activity: bool
    report: Path
    seconds: float
    tool_version: str

    def fmax_mhz(self, clock_mhz: float) -> float | None:
        """Return the highest clock, from the slack left at ``clock_mhz``."""
        return fmax_mhz(clock_mhz, self.setup_slack_ns)


def analyse(
    mapped: Mapped,
    constraints: Constraints,
    *,
    activities: Sequence[Activity] = (),
    timeout_s: float | None = None,
) -> Timing:
    """Analyse timing and power of ``mapped`` in its folder.

    Without ``activities``, every net changes ``DEFAULT_ACTIVITY`` times in a clock cycle.

    Raises:
        ToolError: OpenSTA is missing, failed, took too long, or cannot read the netlist.
    """
    workdir = mapped.netlist.parent
    job = StaJob(
        banner=f"Written by hwaccel {__version__} for {mapped.top}; do not edit.",
        liberty_file=LIBERTY,
        netlist_file=mapped.timed_netlist.name,
        top=mapped.top,
        constraints_file=_SDC,
        everywhere=None if activities else DEFAULT_ACTIVITY,
        inputs=tuple(one for one in activities if one.is_port),
        pins=tuple(one for one in activities if not one.is_port),
    )
    sta = tools.require("sta")
    (workdir / _SDC).write_text(constraints.sdc())
    (workdir / _SCRIPT).write_text(env.render("synth/sta.tcl.j2", job=job))
    done = tools.run(
        [*sta.argv, "-no_init", "-no_splash", "-exit", _SCRIPT],
        cwd=workdir,
        timeout_s=timeout_s,
        log=workdir / _LOG,
    )
    parts = _parts(done.output, mapped.top, workdir / _LOG)
    return Timing(
        setup_slack_ns=_slack(parts["setup"]),
        hold_slack_ns=_slack(parts["hold"]),
        path=tuple(
            Step(cell, pin, kind, float(delay), float(time))
            for delay, time, cell, pin, kind in _STEP.findall(
                parts["setup"].split("data arrival")[0]
            )
        ),
        power=_power(parts["power"], mapped.top, workdir / _LOG),
        measured_activity=bool(activities),
        report=workdir / _LOG,
        seconds=done.seconds,
        tool_version=tools.version(sta) or "unknown",
    )


def _parts(output: str, top: str, log: Path) -> dict[str, str]:
    """Split the output at its marks; OpenSTA goes on after an error, so look for one first."""
    error = re.search(r"^Error: .*$", output, re.MULTILINE)
    if error:
        raise ToolError(f"{top}: sta stopped: {error[0].removeprefix('Error: ')} (log: {log})")
    found: dict[str, str] = {}
    for mark, after in zip(_PARTS, [*_PARTS[1:], ""], strict=True):
        _, begins, rest = output.partition(f"hwa: {mark}\n")
        if not begins:
            raise ToolError(f"{top}: sta ended before its report on {mark} (log: {log})")
        found[mark] = rest.partition(f"hwa: {after}\n")[0]
    return found


def _slack(report: str) -> float | None:
    found = _SLACK.search(report)
    return float(found[1]) if found else None


def _power(report: str, top: str, log: Path) -> Power:
    rows = {
        name: [float(word) for word in numbers.split()] for name, numbers in _POWER.findall(report)
    }
    if not {"Sequential", "Total"} <= rows.keys():
        raise ToolError(f"{top}: no table of power in the report of sta (log: {log})")
    internal, switching, leakage, _ = rows["Total"]
    return Power(internal, switching, leakage, rows["Sequential"][3])
