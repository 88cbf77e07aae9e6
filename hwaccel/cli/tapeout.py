"""The command that writes a Tiny Tapeout project."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hwaccel.api import load
from hwaccel.cli.console import Seed, printable, say, steps
from hwaccel.cli.design import Project


def tapeout(
    project: Project,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder of the Tiny Tapeout project to write.")
    ] = Path("tapeout"),
    target: Annotated[
        str, typer.Option(help="Cells the tiles are estimated with: osu018, or asic (--liberty).")
    ] = "osu018",
    liberty: Annotated[
        Path | None, typer.Option(help="Liberty file of the cells, for --target asic.")
    ] = None,
    clock_mhz: Annotated[float, typer.Option(help="Clock of the chip's board.")] = 50.0,
    top: Annotated[
        str | None, typer.Option(help="Name of the top module (default: tt_um_ and the design's).")
    ] = None,
    title: Annotated[str | None, typer.Option(help="Title of the project.")] = None,
    author: Annotated[str, typer.Option(help="Your name.")] = "unknown",
    description: Annotated[str | None, typer.Option(help="What it does, on one line.")] = None,
    frames: Annotated[int, typer.Option(min=1, max=64, help="Frames of the test.")] = 4,
    seed: Seed = 1,
) -> None:
    """Write a Tiny Tapeout project: the design behind the pins of a tile, with its test."""
    from hwaccel.silicon import cells_of
    from hwaccel.synth.tile import About
    from hwaccel.tapeout import write_tapeout

    with steps("reading the project") as step:
        design = load(project)
        about = About(
            title=title or f"{design.name}, a neural network",
            author=author,
            description=description or "A quantized neural network in fixed point, byte by byte",
            top=top or f"tt_um_{design.name}",
        )
        made = write_tapeout(
            design,
            cells_of(target, liberty),
            output,
            about,
            clock_mhz=clock_mhz,
            frames=frames,
            seed=seed,
            progress=step,
        )
    say(printable(made.line))
