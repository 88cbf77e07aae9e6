"""Map Verilog to the cells of a Liberty file with Yosys, and count what it takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from hwaccel import tools
from hwaccel._version import __version__
from hwaccel.emit import env
from hwaccel.errors import ToolError
from hwaccel.synth.gates import one_bit_assigns
from hwaccel.synth.liberty import Library
from hwaccel.synth.names import checked_identifier
from hwaccel.synth.pnr_report import read_ports
from hwaccel.synth.staging import stage
from hwaccel.synth.yosys import FATAL_WARNINGS, run_script

LIBERTY, MODELS = "cells.lib", "cells.v"
_STAT = "stat.json"
# Make the logic small, map it for speed, buffer what has many readers, then size for the clock.
_ABC = (
    "read_lib,-w,{liberty}",
    *("strash", "&get,-n", "&fraig,-x", "&put", "scorr", "dc2", "strash"),
    *("&get,-n", "&dch,-f", "&nf", "&put"),
    *("buffer,-c", "topo", "upsize,-D,{delay}", "dnsize,-D,{delay}", "stime"),
)
# What ABC leaves to registers: their own delay and what they need before the clock.
_LOGIC_SHARE = 0.8


@dataclass(frozen=True, slots=True)
class AsicJob:
    """All that the script templates place."""

    banner: str
    fatal_warnings: tuple[str, ...]
    sources: tuple[str, ...]
    boxes: tuple[str, ...]
    top: str
    liberty_file: str
    abc_commands: str
    stat_file: str
    json_file: str
    verilog_file: str
    models_file: str


@dataclass(frozen=True, slots=True)
class Mapped:
    """A netlist of cells. ``area`` is in the library's unit, which is um2 in all those known here.

    ``kinds`` is the number of cells by kind (``logic``, ``inverter``, ``buffer``, ``flip-flop``),
    ``cells`` by type. ``gate_equivalents`` is the area in two-input NANDs; None where the library
    has none. ``macros`` are instances of modules that were read as black boxes, of no known area.
    """

    top: str
    area: float
    register_area: float
    gate_equivalents: float | None
    kinds: tuple[tuple[str, int], ...]
    cells: tuple[tuple[str, int], ...]
    macros: tuple[tuple[str, int], ...]
    netlist: Path
    netlist_json: Path
    seconds: float
    tool_version: str

    def count(self, kind: str) -> int:
        """Return the number of cells of one kind."""
        return dict(self.kinds).get(kind, 0)


def map_to_cells(
    sources: Sequence[Path],
    top: str,
    library: Library,
    workdir: Path,
    *,
    clock_mhz: float,
    boxes: Sequence[str] = (),
    timeout_s: float | None = None,
) -> Mapped:
    """Synthesize module ``top`` to the cells of ``library`` within ``workdir``.

    Modules called ``boxes`` are read as black boxes, as macros are. The library's file is written
    there as ``cells.lib``: no other name or path of it gets into a script.

    Raises:
        ConfigError: the top or a file has an impossible name.
        ToolError: Yosys is missing, failed or took too long, or something is left that is no cell.
    """
    staged = stage(sources, (), workdir)
    job = _job(staged, top, clock_mhz, boxes)
    yosys = tools.require("yosys-native")
    (workdir / LIBERTY).write_bytes(library.text)
    (workdir / _STAT).unlink(missing_ok=True)
    script = env.render("synth/asic.ys.j2", job=job)
    seconds = run_script(yosys, script, workdir, top, timeout_s=timeout_s)
    found = _statistics(workdir / _STAT, top)
    cells = {name: number for name, number in found.items() if name not in boxes}
    kinds = _kinds(cells, library, top)
    area = {name: number * library.cells[name].area for name, number in cells.items()}
    netlist, netlist_json = workdir / job.verilog_file, workdir / job.json_file
    ports = read_ports(netlist_json, top)
    netlist.write_text(one_bit_assigns(netlist.read_text(), ports))
    return Mapped(
        top=top,
        area=sum(area.values()),
        register_area=sum(a for c, a in area.items() if library.kind(c) == "flip-flop"),
        gate_equivalents=sum(area.values()) / library.nand2_area if library.nand2_area else None,
        kinds=kinds,
        cells=tuple(sorted(cells.items())),
        macros=tuple((name, number) for name, number in sorted(found.items()) if name in boxes),
        netlist=netlist,
        netlist_json=netlist_json,
        seconds=seconds,
        tool_version=tools.version(yosys) or "unknown",
    )


def write_models(top: str, workdir: Path, *, timeout_s: float | None = None) -> Path:
    """Write Verilog models of the cells, made of the functions in the Liberty file; return it.

    ``workdir`` is that of ``map_to_cells``.

    Raises:
        ToolError: Yosys is missing or failed, or cannot read the functions.
    """
    job = _job((), top, 1.0, ())
    yosys = tools.require("yosys-native")
    script = env.render("synth/cells.ys.j2", job=job)
    run_script(yosys, script, workdir, top, name="cells.ys", timeout_s=timeout_s)
    return workdir / MODELS


def _job(staged: Sequence[str], top: str, clock_mhz: float, boxes: Sequence[str]) -> AsicJob:
    checked_identifier(top, "top module")
    files = {f"{checked_identifier(name, 'macro')}.v" for name in boxes}
    delay_ps = max(1, round(1e6 / clock_mhz * _LOGIC_SHARE))
    return AsicJob(
        banner=f"Written by hwaccel {__version__} for {top}; do not edit.",
        fatal_warnings=FATAL_WARNINGS,
        sources=tuple(name for name in staged if name not in files),
        boxes=tuple(name for name in staged if name in files),
        top=top,
        liberty_file=LIBERTY,
        abc_commands=";".join(_ABC).format(liberty=LIBERTY, delay=delay_ps),
        stat_file=_STAT,
        json_file=f"{top}.json",
        verilog_file=f"{top}_netlist.v",
        models_file=MODELS,
    )


class _Design(msgspec.Struct):
    num_cells_by_type: dict[str, int] = {}


class _Stat(msgspec.Struct):
    design: _Design


def _statistics(path: Path, top: str) -> dict[str, int]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Stat).design.num_cells_by_type
    except (OSError, msgspec.MsgspecError) as error:
        raise ToolError(
            f"{top}: yosys left no statistics that can be read ({error}); expected Yosys 0.40 or "
            f"later; see {path.parent / 'yosys.log'}"
        ) from None


def _kinds(cells: dict[str, int], library: Library, top: str) -> tuple[tuple[str, int], ...]:
    totals: dict[str, int] = {}
    for cell, number in cells.items():
        if cell not in library.cells:
            raise ToolError(
                f"{top}: {number} x {cell} left in the netlist, for which {library.name} has no "
                "cell; give a library with flip-flops that store at the rising edge"
            )
        kind = library.kind(cell)
        if kind == "latch":
            raise ToolError(f"{top}: {number} x {cell} in the netlist: latches; none is expected")
        totals[kind] = totals.get(kind, 0) + number
    return tuple(sorted(totals.items()))
