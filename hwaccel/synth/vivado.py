"""Write an out-of-context Vivado project; run it where Vivado is installed.

The script text and the command line are tested with a stand-in; no Vivado was at hand to run it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from hwaccel import tools
from hwaccel._version import __version__
from hwaccel.emit import env
from hwaccel.errors import ConfigError, ToolError
from hwaccel.synth.constraints import Constraints, fmax_mhz
from hwaccel.synth.names import checked_identifier
from hwaccel.synth.staging import stage
from hwaccel.synth.target import Target

_SCRIPT, _CONSTRAINTS, _RESULT, _LOG = "vivado.tcl", "clock.xdc", "result.json", "vivado.out"


@dataclass(frozen=True, slots=True)
class VivadoJob:
    """All that the script template places."""

    banner: str
    part: str
    sources: tuple[str, ...]
    top: str
    script_file: str
    constraints_file: str
    result_file: str


class VivadoResult(msgspec.Struct, frozen=True):
    """What the routed design takes; ``slack_ns`` is None without a path between registers."""

    slack_ns: float | None
    luts: int
    ffs: int
    dsps: int
    ramb18s: int
    ramb36s: int

    def fmax_mhz(self, clock_mhz: float) -> float | None:
        """Return the highest clock, from the slack left at ``clock_mhz``."""
        return fmax_mhz(clock_mhz, self.slack_ns)


def write_project(
    sources: Sequence[Path],
    top: str,
    target: Target,
    workdir: Path,
    *,
    constraints: Constraints,
    data: Sequence[Path] = (),
) -> Path:
    """Write everything Vivado needs into ``workdir``; return the script.

    Raises:
        ConfigError: the target is not from AMD, or a name or a file is impossible.
    """
    if not target.part.startswith("xc"):
        raise ConfigError(
            f"target {target.name}: {target.part} is no AMD part; choose xcup or xc7 for Vivado"
        )
    job = VivadoJob(
        banner=f"Written by hwaccel {__version__} for {top} on {target.name}; do not edit.",
        part=target.part,
        sources=stage(sources, data, workdir),
        top=checked_identifier(top, "top module"),
        script_file=_SCRIPT,
        constraints_file=_CONSTRAINTS,
        result_file=_RESULT,
    )
    (workdir / _CONSTRAINTS).write_text(constraints.xdc())
    script = workdir / _SCRIPT
    script.write_text(env.render("synth/vivado.tcl.j2", job=job))
    return script


def run_project(script: Path, *, timeout_s: float | None = None) -> VivadoResult:
    """Run a project that ``write_project`` wrote.

    Raises:
        ToolError: Vivado is missing, failed, took too long, or left no result.
    """
    vivado = tools.require("vivado")
    tools.run(
        [*vivado.argv, "-mode", "batch", "-nojournal", "-source", script.name],
        cwd=script.parent,
        timeout_s=timeout_s,
        log=script.parent / _LOG,
    )
    result = script.parent / _RESULT
    try:
        return msgspec.json.decode(result.read_bytes(), type=VivadoResult)
    except (OSError, msgspec.MsgspecError) as error:
        raise ToolError(
            f"{result}: vivado ended well but left no result ({error}); see {script.parent / _LOG}"
        ) from None
