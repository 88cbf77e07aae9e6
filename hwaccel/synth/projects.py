"""What every project folder holds for tools that synthesize it: constraints, and lists of files."""

from __future__ import annotations

from collections.abc import Sequence

from hwaccel.synth.constraints import Clock, Constraints
from hwaccel.synth.fusesoc import core_file
from hwaccel.synth.librelane import librelane_config


def tool_files(
    files: Sequence[str], top: str, design_hash: str, banner: str, clock_mhz: float
) -> dict[str, str]:
    """Return the files by their path in the project; ``files`` are the names in ``rtl/``.

    Raises:
        ConfigError: a name or the clock is impossible.
    """
    clock = Clock("clk", clock_mhz)
    constraints = Constraints((clock,))
    sources = [f"rtl/{name}" for name in sorted(files) if name.endswith(".v")]
    sdc = f"constraints/{top}.sdc"
    return {
        f"{top}.core": core_file(files, top, design_hash, banner),
        "librelane.json": librelane_config(sources, top, clock, sdc),
        f"constraints/{top}.lpf": constraints.lpf(),
        f"constraints/{top}.xdc": constraints.xdc(),
        sdc: constraints.sdc(),
    }
