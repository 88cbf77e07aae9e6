"""``hwaccel profile``: what a model costs, module by module."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from hwaccel.api import Design, load
from hwaccel.cli.console import hardware_of, out, printable, say, steps
from hwaccel.config import Config, override
from hwaccel.errors import ConfigError

if TYPE_CHECKING:
    from hwaccel.report.profile import Part, Profile


def profile(
    model: Annotated[
        str,
        typer.Argument(help="package.module:factory, model.pt2, or a folder of hwaccel convert."),
    ],
    weights: Annotated[
        Path | None,
        typer.Option(help="State dict, or a checkpoint folder of an earlier command."),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(help="digits, or an .npz file of x_train, y_train, x_test and y_test."),
    ] = None,
    example: Annotated[
        list[str] | None,
        typer.Option(help="Without data: input shape with batch, like 1x1x28x28; once for each."),
    ] = None,
    config: Annotated[Path | None, typer.Option(help="TOML file of options.")] = None,
    multipliers: Annotated[int | None, typer.Option(help="Multipliers to spend.")] = None,
    target_interval: Annotated[
        int | None, typer.Option(help="Clock cycles per frame to reach.")
    ] = None,
) -> None:
    """Show what every module of a model costs as hardware, and where the bottlenecks are."""
    from hwaccel.report.profile import profile_of

    chosen = {"multipliers": multipliers, "target_interval": target_interval}
    with steps("reading the model") as step:
        if Path(model).is_dir():
            given = (weights, data, example, config, multipliers, target_interval)
            if any(item is not None for item in given):
                raise ConfigError(f"{model}: is converted already; give the folder alone")
            design = load(model)
        else:
            options = override(hardware_of(config), chosen)
            design = _converted(model, weights, data, example, options)
        step("adding up")
        found = profile_of(design.plan)
    _print(design.name, found)


def _converted(
    model: str, weights: Path | None, data: str | None, example: list[str] | None, config: Config
) -> Design:
    from hwaccel import inputs
    from hwaccel.api import convert

    shown = inputs.read_examples(example) if example else None
    if data is None and (weights is None or not weights.is_dir()):
        loaded = inputs.read_model(model, weights)
        return convert(loaded, shown, calibration=inputs.stand_in(loaded, shown), config=config)
    if data is None:
        raise ConfigError(
            f"--weights {weights}: is a checkpoint; give --data, which it was made for"
        )
    if example:
        raise ConfigError("--example and --data exclude each other; give one")
    from hwaccel.compress.checkpoint import read_checkpoint
    from hwaccel.compress.cost import hardware
    from hwaccel.compress.data import load_data

    samples = load_data(data)
    if model.endswith(".pt2"):
        loaded = inputs.read_model(model, weights)
        return convert(loaded, None, calibration=samples.calibration(), config=config)
    return hardware(read_checkpoint(model, weights, samples.example).model, samples, config)


def _print(name: str, found: Profile) -> None:
    table = Table(title=name, title_justify="left")
    table.add_column("module", overflow="fold")
    for column in _COLUMNS:
        table.add_column(column, justify="right")
    for part in found.parts:
        table.add_row(printable(part.path) or "(itself)", *_numbers(part, found.work or 1))
    between = found.between
    areas = (between.luts, between.ffs, between.dsps, between.rams)
    blanks = [""] * (len(_COLUMNS) - len(areas) - 2)
    table.add_row("between them", *blanks, *(f"{n:,}" for n in areas), "", "")
    out.print(table)
    for by, text in found.bottlenecks():
        say(f"bottleneck by {by}: {printable(text)}")


_COLUMNS = (
    "param.",
    "zero",
    "mult.",
    "add.",
    "held, bit",
    "moved, bit",
    "LUT",
    "FF",
    "DSP",
    "RAM",
    "cycles",
    "work",
)


def _numbers(part: Part, work: int) -> list[str]:
    area = part.area
    zero = f"{100 * part.sparsity:.0f} %" if part.weights else ""
    counts = (part.multiplications, part.additions, part.memory_bits, part.moved_bits)
    sizes = (area.luts, area.ffs, area.dsps, area.rams, part.cycles)
    parameters = f"{part.parameters:,}" if part.parameters else ""
    texts = (f"{n:,}" for n in (*counts, *sizes))
    return [parameters, zero, *texts, f"{100 * part.work / work:.0f} %"]
