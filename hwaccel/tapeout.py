"""A Tiny Tapeout project of a design: mapped, to know how many tiles it takes, then written."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from hwaccel import stages
from hwaccel._version import __version__
from hwaccel.api import Design
from hwaccel.emit.project import TAPEOUT, check_folder, write_project
from hwaccel.silicon import Cells, write_sources
from hwaccel.synth.asic import Mapped, map_to_cells, write_models
from hwaccel.synth.constraints import Clock
from hwaccel.synth.tile import About, job_of, project_files, sky130_area, tiles_for, wrapped
from hwaccel.verify.beats import to_beats

TIMEOUT_S = 3600.0

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Tapeout:
    """A project that was written: its tiles, and the cells of design and wrapper together."""

    folder: Path
    mapped: Mapped
    tiles: str
    area: float

    @property
    def line(self) -> str:
        """What was found, on one line for the terminal."""
        return (
            f"{self.mapped.top}: {sum(n for _, n in self.mapped.cells)} cells, about "
            f"{self.area:,.0f} um2 in sky130 (estimated), {self.tiles} tiles; written to "
            f"{self.folder}/"
        )


def write_tapeout(
    design: Design,
    cells: Cells,
    folder: Path,
    about: About,
    *,
    clock_mhz: float,
    frames: int = 4,
    seed: int = 1,
    progress: Progress = lambda _: None,
) -> Tapeout:
    """Write a Tiny Tapeout project into ``folder``, whole or not at all.

    Its test sends ``frames`` frames; ``gates/`` holds the netlist in ``cells`` and their models.

    Raises:
        ConfigError: the clock is impossible, the design has several streams in or out, or does not
            fit the largest project.
        EmitError: the folder holds something else, or cannot be written.
        ToolError: Yosys is missing or fails.
    """
    clock = Clock("clk", clock_mhz)
    check_folder(folder, TAPEOUT)
    verilog = design.verilog()
    job = job_of(design.netlist, design.hash, design.banner, about, clock, ())
    src = wrapped(verilog, job)
    with tempfile.TemporaryDirectory(prefix="hwaccel-") as scratch:
        work = Path(scratch)
        progress(f"Yosys: mapping {about.top} to {len(cells.library.cells)} cells")
        mapped = map_to_cells(
            write_sources(src, work / "rtl"),
            about.top,
            cells.library,
            work / "cells",
            clock_mhz=clock.frequency_mhz,
            timeout_s=TIMEOUT_S,
        )
        gates = {
            "netlist.v": mapped.netlist.read_text(),
            "cells.v": write_models(about.top, work / "cells", timeout_s=TIMEOUT_S).read_text(),
        }
    area = sky130_area(mapped, cells.library)
    tiles = tiles_for(area, design.name)
    job = replace(
        job_of(design.netlist, design.hash, design.banner, about, clock, [*src]),
        tiles=tiles,
        area=f"{area:,.0f}",
        library=cells.library.name,
    )
    progress("writing the project")
    vectors = _vectors(design, frames, seed)
    files = project_files(job, src, clock, vectors, gates)
    write_project(folder, about.top, __version__, files, TAPEOUT)
    return Tapeout(folder, mapped, tiles, area)


def _vectors(design: Design, frames: int, seed: int) -> list[tuple[bytes, bytes]]:
    """Return frames as the bytes that go in and those that must come out."""
    xs = stages.frames(design, frames, seed, ())
    (x,), (y,) = design.netlist.inputs, design.netlist.outputs
    given, wanted = to_beats(xs[0], x), to_beats(design.golden.raw(*xs)[0], y)
    return [(a.tobytes(), b.tobytes()) for a, b in zip(given, wanted, strict=True)]
