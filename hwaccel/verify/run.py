"""One way in for every simulation: pick the simulator, run, compare every bit."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from hwaccel.emit.netlist import Netlist
from hwaccel.errors import ConfigError, MismatchError
from hwaccel.verify.beats import Ints
from hwaccel.verify.compare import require_equal
from hwaccel.verify.fastsim import build_fast
from hwaccel.verify.jobs import PATTERNS
from hwaccel.verify.result import SimResult
from hwaccel.verify.rtl import simulate as simulate_cocotb

SIMULATORS = ("verilator", "icarus", "fast")


def simulate(
    files: Mapping[str, str],
    netlist: Netlist,
    xs: Sequence[Ints],
    expected: Sequence[Ints],
    *,
    simulator: str,
    idle: str = "none",
    backpressure: str = "none",
    seed: int = 1,
    waves: Path | None = None,
    workdir: Path | None = None,
    command: str = "",
) -> SimResult:
    """Simulate and compare with ``expected``; see ``Design.simulate``."""
    check_choices(simulator, idle, backpressure, waves)
    if simulator == "fast":
        result = _fast(files, netlist, xs, idle, backpressure, seed, workdir)
    else:
        result = simulate_cocotb(
            files,
            netlist,
            xs,
            simulator="icarus" if simulator == "icarus" else "verilator",
            idle=idle,
            backpressure=backpressure,
            seed=seed,
            waves=waves,
            workdir=workdir,
            expected=expected,
            repeat=command,
        )
    for want, found, edge in zip(expected, result.outputs, netlist.outputs, strict=True):
        require_equal(
            want,
            found,
            edge.type,
            edge.value,
            what=result.simulator,
            lanes=edge.lanes,
            seed=seed,
            repeat=command,
        )
    if result.frame_error:
        raise MismatchError(f"{netlist.name}: frame_error is high after correct frames")
    return result


def check_choices(simulator: str, idle: str, backpressure: str, waves: Path | None = None) -> None:
    """Do nothing when a run can be made so.

    Raises:
        ConfigError: something has no such name, or the simulator writes no such waves.
    """
    if simulator not in SIMULATORS:
        raise ConfigError(f"simulator {simulator!r} is not one of {', '.join(SIMULATORS)}")
    for label, name in (("idle", idle), ("backpressure", backpressure)):
        if name not in PATTERNS:
            raise ConfigError(f"{label} {name!r} is not one of {', '.join(PATTERNS)}")
    if simulator == "icarus" and waves is not None and waves.suffix.lower() == ".vcd":
        raise ConfigError(f"{waves}: icarus writes FST; call the file {waves.stem}.fst")
    if simulator == "fast" and waves is not None:
        raise ConfigError("the fast path writes no waves; use verilator or icarus")


def _fast(
    files: Mapping[str, str],
    netlist: Netlist,
    xs: Sequence[Ints],
    idle: str,
    backpressure: str,
    seed: int,
    workdir: Path | None,
) -> SimResult:
    if workdir is not None:
        model = build_fast(files, netlist, workdir)
        return model.run(xs, idle=idle, backpressure=backpressure, seed=seed)
    with tempfile.TemporaryDirectory(prefix="hwaccel-") as folder:
        model = build_fast(files, netlist, Path(folder))
        return model.run(xs, idle=idle, backpressure=backpressure, seed=seed)
