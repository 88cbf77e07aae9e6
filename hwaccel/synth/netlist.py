"""Simulate what was synthesized: the netlist, and models of the cells it is made of."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hwaccel.emit import env
from hwaccel.errors import ToolError
from hwaccel.synth.yosys import SynthResult

_ECP5_MODELS = "ecp5_cells.v"
# The pins of a hard block are single bits: name and width of each group.
_PINS = (
    ("A", 18),
    ("B", 18),
    ("C", 18),
    ("P", 36),
    ("DIA", 18),
    ("DIB", 18),
    ("DOA", 18),
    ("DOB", 18),
    ("ADA", 14),
    ("ADB", 14),
)


@dataclass(frozen=True, slots=True)
class _InitBlock:
    """One of the parameters that hold the first contents of a block RAM."""

    index: int
    name: str


@dataclass(frozen=True, slots=True)
class GateLevel:
    """What a simulator must read, in Verilog-2005."""

    top: str
    files: tuple[Path, ...]


def netlist_verilog(result: SynthResult) -> GateLevel:
    """Return the Verilog netlist of ``result`` and models of its cells, written beside it.

    Raises:
        ToolError: the family has no such models.
    """
    family = result.target.family.name
    if family != "ecp5":
        raise ToolError(
            f"{result.top}: no cell models for {family}, only for ecp5; synthesize for an ECP5 "
            "target to simulate the netlist"
        )
    models = _write_ecp5_models(result.netlist_verilog.parent)
    return GateLevel(result.top, (models, result.netlist_verilog))


def _write_ecp5_models(folder: Path) -> Path:
    path = folder / _ECP5_MODELS
    groups = {name: [f"{name}{i}" for i in range(width)] for name, width in _PINS}
    pins = {name: _wrapped(bits) for name, bits in groups.items()}
    bus = {name: "{" + _wrapped(bits[::-1]) + "}" for name, bits in groups.items()}
    blocks = tuple(_InitBlock(number, f"INITVAL_{number:02X}") for number in range(64))
    text = env.render(f"synth/{_ECP5_MODELS}.j2", pins=pins, bus=bus, init_blocks=blocks)
    path.write_text(text)
    return path


def _wrapped(names: Sequence[str]) -> str:
    return textwrap.fill(", ".join(names), 80, subsequent_indent=" " * 8)
