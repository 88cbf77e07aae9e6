"""Run emitted Verilog on Icarus or Verilator, with the cocotb bench of ``sim/bench_design.py``."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, NoReturn

import numpy as np

from hwaccel import resources, tools
from hwaccel.emit.netlist import Edge, Netlist
from hwaccel.errors import ToolError
from hwaccel.verify.beats import Ints, from_beats, to_beats
from hwaccel.verify.result import SimResult

Simulator = Literal["icarus", "verilator"]
PATTERNS = ("none", "some", "heavy", "bursts")
# Cycles without a transfer on any stream after which the design counts as stuck.
PATIENCE_CYCLES = 200_000
TIMEOUT_S = 600.0

_RUNNER = Path(__file__).with_name("_cocotb_run.py")


@dataclass(frozen=True, slots=True)
class Stalls:
    """How often the two sides of a design wait: ``none``, ``some``, ``heavy`` or ``bursts``."""

    idle: str = "none"
    backpressure: str = "none"
    seed: int = 1

    def __post_init__(self) -> None:
        for name, pattern in (("idle", self.idle), ("backpressure", self.backpressure)):
            if pattern not in PATTERNS:
                raise ToolError(f"{name}={pattern!r} is not one of {', '.join(PATTERNS)}")


@dataclass(frozen=True, slots=True, eq=False)
class Bench:
    """Frames for one design. ``prefix`` stands before its ports where a top holds several."""

    netlist: Netlist
    xs: tuple[Ints, ...]
    expected: tuple[Ints, ...] = ()
    prefix: str = ""
