"""Map Verilog to the cells of a Liberty file with Yosys, and count what it takes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from hwaccel import tools
from hwaccel._version import __version__
from hwaccel.emit import env
from hwaccel.errors import ToolError
from hwaccel.synth.gates import one_bit_assigns, read_memories
from hwaccel.synth.liberty import Library
from hwaccel.synth.names import checked_identifier
from hwaccel.synth.pnr_report import read_ports
from hwaccel.synth.staging import stage
from hwaccel.synth.yosys import FATAL_WARNINGS, run_script

LIBERTY, MODELS = "cells.lib", "cells.v"
# The module of the library in whose place an ASIC puts its memories.
MEMORY = "hwa_ram"
_SIGNED = re.compile(r"^(  (?:input|output|wire) )signed ", re.MULTILINE)
_PARAMETERS = re.compile(rf"^( +){MEMORY} #\(.*?\n +\) ", re.MULTILINE | re.DOTALL)
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
    has none. ``macros`` are the memories that were left out, words by bits, and how many of each;
    ``timed_netlist`` is the netlist without what OpenSTA does not read: their parameters, signs.
    """

    top: str
    area: float
    register_area: float
    gate_equivalents: float | None
    kinds: tuple[tuple[str, int], ...]
    cells: tuple[tuple[str, int], ...]
    macros: tuple[tuple[str, int], ...]
    netlist: Path
    timed_netlist: Path
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
    macros: bool = False,
    timeout_s: float | None = None,
) -> Mapped:
    """Synthesize module ``top`` to the cells of ``library`` within ``workdir``.

    With ``macros``, memories (``hwa_ram``) are left out, for macros to take their place. The
    library's file is written there as ``cells.lib``: no path or name of it gets into a script.

    Raises:
        ConfigError: the top or a file has an impossible name.
        ToolError: Yosys is missing, failed or took too long, or something is left that is no cell.
    """
    staged = stage(sources, (), workdir)
    job = _job(staged, top, clock_mhz, macros)
    yosys = tools.require("yosys-native")
    (workdir / LIBERTY).write_bytes(library.text)
    (workdir / _STAT).unlink(missing_ok=True)
    script = env.render("synth/asic.ys.j2", job=job)
    try:
        seconds = run_script(yosys, script, workdir, top, timeout_s=timeout_s)
    except ToolError as error:
        raise ToolError(_abc_complaint(library, workdir) or str(error)) from None
    found = _statistics(workdir / _STAT, top)
    cells = {name: number for name, number in found.items() if not macros or name != MEMORY}
    kinds = _kinds(cells, library, top)
    area = {name: number * library.cells[name].area for name, number in cells.items()}
    netlist, netlist_json = workdir / job.verilog_file, workdir / job.json_file
    ports = read_ports(netlist_json, top)
    text = one_bit_assigns(netlist.read_text(), ports)
    netlist.write_text(text)
    timed = workdir / f"{top}_timed.v"
    timed.write_text(_SIGNED.sub(r"\1", _PARAMETERS.sub(rf"\1{MEMORY} ", text)))
    return Mapped(
        top=top,
        area=sum(area.values()),
        register_area=sum(a for c, a in area.items() if library.kind(c) == "flip-flop"),
        gate_equivalents=sum(area.values()) / library.nand2_area if library.nand2_area else None,
        kinds=kinds,
        cells=tuple(sorted(cells.items())),
        macros=read_memories(netlist_json, top, MEMORY),
        netlist=netlist,
        timed_netlist=timed,
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
    job = _job((), top, 1.0, False)
    yosys = tools.require("yosys-native")
    script = env.render("synth/cells.ys.j2", job=job)
    run_script(yosys, script, workdir, top, name="cells.ys", timeout_s=timeout_s)
    return workdir / MODELS


def _job(staged: Sequence[str], top: str, clock_mhz: float, macros: bool) -> AsicJob:
    checked_identifier(top, "top module")
    files = {f"{MEMORY}.v"} if macros else set()
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


def _abc_complaint(library: Library, workdir: Path) -> str:
    """Return one line about a library that ABC did not take; "" where something else went wrong."""
    log = workdir / "yosys.log"
    text = log.read_text(errors="replace") if log.is_file() else ""
    if 'Reading SCL library from file "cells.lib" has failed' not in text:
        return ""
    said = [line.removeprefix("ABC: ") for line in text.splitlines() if line.startswith("ABC: ")]
    signs = ("cannot be found", "not found", "rror", "is expected")
    why = next((line for line in said if any(sign in line for sign in signs)), "no reason given")
    return (
        f"{library.name}: its timing cannot be read by ABC: {why}; expected tables of two "
        f"dimensions (NLDM) for every cell (log: {log})"
    )


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
