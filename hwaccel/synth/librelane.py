"""Write what LibreLane reads: one file of variables beside the Verilog."""

from __future__ import annotations

from collections.abc import Sequence

from hwaccel.emit.project import pretty_json
from hwaccel.synth.constraints import Clock
from hwaccel.synth.names import checked_identifier

# Cells take this share of the core, in percent; LibreLane's own default is 50.
_UTILIZATION = 40


def librelane_config(sources: Sequence[str], top: str, clock: Clock, sdc: str) -> str:
    """Return ``librelane.json`` for a project: ``sources`` and ``sdc`` are paths within it."""
    return pretty_json(
        {
            "meta": {"version": 2},
            "DESIGN_NAME": checked_identifier(top, "top module"),
            "VERILOG_FILES": [f"dir::{name}" for name in sources],
            "CLOCK_PORT": clock.port,
            "CLOCK_PERIOD": clock.period_ns,
            "PNR_SDC_FILE": f"dir::{sdc}",
            "SIGNOFF_SDC_FILE": f"dir::{sdc}",
            "FP_CORE_UTIL": _UTILIZATION,
        }
    )


def tile_config(clock: Clock) -> str:
    """Return ``src/config.json`` of a Tiny Tapeout project, whose tools add the rest.

    The values below the clock are those that the tiles of their chips ask for.
    """
    return pretty_json(
        {
            "PL_TARGET_DENSITY_PCT": 60,
            "CLOCK_PERIOD": clock.period_ns,
            "CLOCK_PORT": clock.port,
            "PL_RESIZER_HOLD_SLACK_MARGIN": 0.1,
            "GRT_RESIZER_HOLD_SLACK_MARGIN": 0.05,
            "RUN_LINTER": 1,
            "LINTER_INCLUDE_PDK_MODELS": 1,
            "RUN_KLAYOUT_XOR": 0,
            "RUN_KLAYOUT_DRC": 0,
            "DESIGN_REPAIR_BUFFER_OUTPUT_PORTS": 0,
            "TOP_MARGIN_MULT": 1,
            "BOTTOM_MARGIN_MULT": 1,
            "LEFT_MARGIN_MULT": 6,
            "RIGHT_MARGIN_MULT": 6,
            "FP_SIZING": "absolute",
            "GRT_ALLOW_CONGESTION": 1,
            "FP_IO_HLENGTH": 2,
            "FP_IO_VLENGTH": 2,
            "FP_PDN_VPITCH": 38.87,
            "RUN_CTS": 1,
            "FP_PDN_MULTILAYER": 0,
            "MAGIC_DEF_LABELS": 0,
            "MAGIC_WRITE_LEF_PINONLY": 1,
        }
    )
