"""What every project folder holds for tools that synthesize it: constraints, and lists of files."""

from __future__ import annotations

from collections.abc import Sequence

from hwaccel.synth.constraints import Clock, Constraints
from hwaccel.synth.fusesoc import core_file
from hwaccel.synth.librelane import librelane_config

# Every tool that reads one of the three languages takes such a comment.
_CLOCK_ONLY = """\
# The clock alone, for the top module by itself. Pins, and the delays of ports (a design that is a
# part of another has none), belong into a file of yours: convert replaces this one.
"""


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
    head = f"# {banner}\n{_CLOCK_ONLY}"
    return {
        f"{top}.core": core_file(files, top, design_hash, banner),
        "librelane.json": librelane_config(sources, top, clock, sdc),
        f"constraints/{top}.lpf": head + constraints.lpf(),
        f"constraints/{top}.xdc": head + constraints.xdc(),
        sdc: head + constraints.sdc(),
    }
