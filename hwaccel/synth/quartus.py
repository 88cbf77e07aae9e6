"""Write a Quartus project with virtual pins; run it where Quartus is installed.

The script text, the command line and the reading of reports are tested with a stand-in; no Quartus
was at hand to run it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hwaccel import tools
from hwaccel._version import __version__
from hwaccel.emit import env
from hwaccel.errors import ConfigError, ToolError
from hwaccel.synth.constraints import Constraints, fmax_mhz
from hwaccel.synth.names import checked_identifier
from hwaccel.synth.staging import stage

_SCRIPT, _CONSTRAINTS, _OUTPUT, _LOG = "quartus.tcl", "clock.sdc", "output_files", "quartus.out"
_DEVICE, _FAMILY = re.compile(r"[A-Z0-9]+"), re.compile(r"[A-Za-z0-9]+( [A-Za-z0-9]+)*")
# What one figure is called, in families with ALMs and in older ones.
_LOGIC = ("Logic utilization (in ALMs)", "Total logic elements")
_REGISTERS = ("Total registers", "Total dedicated logic registers")
_DSPS = ("Total DSP Blocks", "Embedded Multiplier 9-bit elements")
_MEMORY = ("Total block memory bits", "Total memory bits")
_SETUP = re.compile(r"^Type\s*: .*\bSetup\b.*\nSlack\s*: (-?[0-9.]+)\s*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class QuartusJob:
    """All that the script template places."""

    banner: str
    tcl_family: str
    device: str
    sources: tuple[str, ...]
    clocks: tuple[str, ...]
    top: str
    script_file: str
    constraints_file: str
    output_folder: str


@dataclass(frozen=True, slots=True)
class QuartusResult:
    """What the fitted design takes.

    ``logic`` is in ALMs, or in logic elements where the family has those. ``slack_ns`` is the worst
    of all corners, None without a path between registers.
    """

    slack_ns: float | None
    logic: int
    registers: int
    dsps: int
    memory_bits: int

    def fmax_mhz(self, clock_mhz: float) -> float | None:
        """Return the highest clock, from the slack left at ``clock_mhz``."""
        return fmax_mhz(clock_mhz, self.slack_ns)


def write_project(
    sources: Sequence[Path],
    top: str,
    workdir: Path,
    *,
    family: str,
    device: str,
    constraints: Constraints,
    data: Sequence[Path] = (),
) -> Path:
    """Write everything Quartus needs into ``workdir``; return the script.

    Raises:
        ConfigError: family, device, a name or a file is impossible.
    """
    for what, text, pattern, example in (
        ("family", family, _FAMILY, "Cyclone V"),
        ("device", device, _DEVICE, "5CSEBA6U23I7"),
    ):
        if not pattern.fullmatch(text):
            raise ConfigError(f"Quartus {what} {text!r}: expected a name such as {example}")
    job = QuartusJob(
        banner=f"Written by hwaccel {__version__} for {top} on {device}; do not edit.",
        tcl_family=f"{{{family}}}",
        device=device,
        sources=stage(sources, data, workdir),
        clocks=tuple(clock.port for clock in constraints.clocks),
        top=checked_identifier(top, "top module"),
        script_file=_SCRIPT,
        constraints_file=_CONSTRAINTS,
        output_folder=_OUTPUT,
    )
    (workdir / _CONSTRAINTS).write_text(constraints.sdc())
    script = workdir / _SCRIPT
    script.write_text(env.render("synth/quartus.tcl.j2", job=job))
    return script


def run_project(script: Path, top: str, *, timeout_s: float | None = None) -> QuartusResult:
    """Run a project that ``write_project`` wrote for module ``top``.

    Raises:
        ToolError: Quartus is missing, failed, took too long, or left no reports.
    """
    quartus = tools.require("quartus_sh")
    tools.run(
        [*quartus.argv, "-t", script.name],
        cwd=script.parent,
        timeout_s=timeout_s,
        log=script.parent / _LOG,
    )
    fit, sta = (script.parent / _OUTPUT / f"{top}.{kind}.summary" for kind in ("fit", "sta"))
    return read_summaries(_text(fit), _text(sta), top)


def read_summaries(fit: str, sta: str, top: str) -> QuartusResult:
    """Read the summaries of the fitter and of the timing analyzer.

    Raises:
        ToolError: a figure is missing from them.
    """
    rows = dict(line.split(" : ", 1) for line in fit.splitlines() if " : " in line)
    slacks = [float(slack) for slack in _SETUP.findall(sta)]
    if "Slack" in sta and not slacks:
        raise ToolError(f"{top}: no setup slack in the timing summary of quartus; read it yourself")
    return QuartusResult(
        slack_ns=min(slacks, default=None),
        logic=_figure(rows, _LOGIC, top),
        registers=_figure(rows, _REGISTERS, top),
        dsps=_figure(rows, _DSPS, top),
        memory_bits=_figure(rows, _MEMORY, top),
    )


def _figure(rows: dict[str, str], names: Sequence[str], top: str) -> int:
    """Return the count of the first of ``names`` there is, as in ``1,234 / 41,910 ( 3 % )``."""
    for name in names:
        found = re.match(r"[0-9][0-9,]*", rows.get(name, "").strip())
        if found:
            return int(found[0].replace(",", ""))
    raise ToolError(f"{top}: no {names[0]!r} in the fitter summary of quartus; read it yourself")


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError as error:
        raise ToolError(
            f"{path}: quartus ended well but left no summary ({error.strerror}); see "
            f"{path.parent.parent / _LOG}"
        ) from None
