"""The command that asks another tool what it makes of the same quantized model."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from hwaccel.cli.console import Seed, Weights, hardware_of, out, printable, say, steps
from hwaccel.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from hwaccel.api import Design
    from hwaccel.opinions.record import LayerOpinion, Opinion

_TOOLS = ("hls4ml",)


def compare(
    model: Annotated[
        str,
        typer.Argument(help="Project folder, or a model as hwaccel convert takes it."),
    ],
    tool: Annotated[str, typer.Option("--with", help="Tool that is asked: hls4ml.")] = "hls4ml",
    frames: Annotated[int, typer.Option(min=1, help="Random frames to run.")] = 16,
    data: Annotated[
        list[Path] | None,
        typer.Option(help=".npy file of numbers, once for each input, or one .npz file."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Folder for the comparison and the tool's sources."),
    ] = None,
    weights: Weights = None,
    example: Annotated[
        list[str] | None,
        typer.Option(help="Input shape with batch, like 1x3x32x32, or a .npy file (a model)."),
    ] = None,
    calibration: Annotated[
        list[Path] | None, typer.Option(help=".npy file with representative inputs (a model).")
    ] = None,
    config: Annotated[Path | None, typer.Option(help="TOML file of options (a model).")] = None,
    own_types: Annotated[
        bool, typer.Option("--own-types", help="Let the tool choose types, as it does by itself.")
    ] = False,
    python: Annotated[
        Path | None, typer.Option(help="Python that has the tool and torch (default: this one).")
    ] = None,
    seed: Seed = 1,
) -> None:
    """Let another tool convert the same model, and report differences layer by layer."""
    from hwaccel import stages
    from hwaccel._version import __version__
    from hwaccel.emit.project import OPINION, check_folder, write_project
    from hwaccel.opinions.hls4ml import Settings, ask

    if tool not in _TOOLS:
        raise ConfigError(f"--with {tool}: expected {' or '.join(_TOOLS)}")
    if output is not None:
        check_folder(output, OPINION)
    with steps("reading the model") as step:
        design = _design(model, weights, example, calibration, config, step)
        xs = stages.frames(design, frames, seed, data or ())
        settings = Settings(python=python or Path(sys.executable), types=not own_types)
        asked = ask(design.graph, design.hash, xs, settings, progress=step)
        if output is not None:
            write_project(output, design.name, __version__, dict(asked.files), OPINION)
    _print(asked.opinion)
    say(asked.opinion.line)
    if output is not None:
        say(f"written to {output}/: comparison.json, and what {tool} wrote")
    if asked.opinion.asked and not asked.opinion.same:
        raise typer.Exit(1)


def _design(
    model: str,
    weights: Path | None,
    example: list[str] | None,
    calibration: list[Path] | None,
    config: Path | None,
    step: Callable[[str], None],
) -> Design:
    """Load a project, or convert a model."""
    from hwaccel import inputs
    from hwaccel.api import convert, load

    given = {
        "--weights": weights, "--example": example, "--calibration": calibration,
        "--config": config,
    }  # fmt: skip
    if Path(model).is_dir():
        used = [name for name, value in given.items() if value]
        if used:
            raise ConfigError(f"{model}: is a project, which has its own; leave out {used[0]}")
        return load(model)
    loaded = inputs.read_model(model, weights)
    shown = inputs.read_examples(example) if example else None
    arrays = tuple(array for _, array in inputs.read_arrays(calibration or ()))
    data = arrays or inputs.stand_in(loaded, shown)
    return convert(loaded, shown, calibration=data, config=hardware_of(config), progress=step)


def _print(opinion: Opinion) -> None:
    table = Table(title=f"layer by layer, {opinion.tool} against golden", title_justify="left")
    for column in ("layer", "as"):
        table.add_column(column, overflow="fold")
    for column in ("values", "differ", "largest", "alone"):
        table.add_column(column, justify="right")
    table.add_column("why", overflow="fold")
    for layer in opinion.layers:
        table.add_row(printable(layer.path), layer.kind, f"{layer.values:,}", *_numbers(layer))
    for path in opinion.unseen:
        table.add_row(printable(path), "", "", "", "", "", f"not shown by {opinion.tool}")
    for left in opinion.not_converted:
        name = printable(left.path or left.node)
        table.add_row(name, left.op, "", "", "", "", printable(f"not converted: {left.why}"))
    out.print(table)


def _numbers(layer: LayerOpinion) -> tuple[str, str, str, str]:
    if not layer.different:
        return "same", "", "", ""
    alone = "" if layer.alone is None else f"{layer.alone:,}"
    return f"{layer.different:,}", f"{layer.largest:g}", alone, printable(layer.reason)
