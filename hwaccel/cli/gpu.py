"""``hwaccel gpu``: the network on a GPU, and beside the hardware."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer
from rich.table import Table

from hwaccel.api import load
from hwaccel.cli.console import Seed, err, out, printable, say, steps
from hwaccel.cli.design import Data, Frames, Project
from hwaccel.errors import ConfigError
from hwaccel.report.text import every

if TYPE_CHECKING:
    from hwaccel.report.results import HardwareRow, SpeedRecord

gpu = typer.Typer(
    name="gpu",
    help="Run the network on a GPU, and compare it there with the hardware.",
    no_args_is_help=True,
)


@gpu.command()
def run(
    project: Project,
    batch: Annotated[int, typer.Option(min=1, help="Frames per batch.")] = 1024,
    seed: Seed = 1,
) -> None:
    """Run the golden model as integer-exact torch, on a CUDA device when there is one."""
    from hwaccel import stages

    with steps("running the golden model on torch"):
        design = load(project)
        record, speed = stages.gpu(design, project, batch, seed)
    say(
        f"{speed.device}: {record.frames} frames, {record.mismatches} mismatches, "
        f"{speed.frames_per_second:,.0f} frames/s at batch {speed.batch}; the hardware takes one "
        f"frame {every(design.plan.timing().interval)}"
    )


@gpu.command()
def compare(
    project: Project,
    batch: Annotated[
        list[int] | None,
        typer.Option(min=1, help="Frames per batch (default: 1024 on a GPU, 32 on a CPU)."),
    ] = None,
    seconds: Annotated[
        float, typer.Option(min=0.01, help="How long each executor is timed at each batch size.")
    ] = 1.0,
    device: Annotated[
        str | None, typer.Option(help="cuda or cpu (default: cuda where there is a GPU).")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(help="package.module:factory of the float model, to time it as well."),
    ] = None,
    weights: Annotated[
        Path | None, typer.Option(help="State dict or checkpoint folder of that model.")
    ] = None,
    frames: Frames = 32,
    data: Data = None,
    seed: Seed = 1,
    json: Annotated[bool, typer.Option("--json", help="Print the record in place of a table.")] = (
        False
    ),
) -> None:
    """Time the emitted kernels and torch, compare every bit, and set the hardware beside them."""
    from hwaccel import speed, stages

    if weights is not None and model is None:
        raise ConfigError("--weights: belong to a model; give --model package.module:factory")
    with steps("reading the project") as step:
        design = load(project)
        where = speed.device_of(device)
        xs = stages.frames(design, frames, seed, data or ())
        floats = None
        if model is not None:
            step("reading the float model")
            floats = speed.float_model(model, weights, design)
        source = f"{model or ''}{f' --weights {weights}' if weights else ''}"
        settings = speed.Settings(
            tuple(batch or ()), seconds, where, floats, source, with_data=bool(data)
        )
        record = speed.run(design, project, xs, settings, seed=seed, progress=step)
    if not record.on_gpu:
        why = "as asked" if device == "cpu" else "no CUDA device"
        err.print(
            f"{why}: compared on the CPU, with the kernels compiled for the host; "
            "that is no figure of a GPU",
            style="yellow",
        )
    if json:
        out.print(msgspec.json.encode(record).decode(), highlight=False, soft_wrap=True)
    else:
        _print(design.name, record)


def _print(name: str, record: SpeedRecord) -> None:
    from hwaccel.report.text import NONE, count, duration, rate

    table = Table(title=f"{name} on {record.device}", title_justify="left")
    table.add_column("executor", overflow="fold")
    for column in ("batch", "frames/s", "one frame", "energy per frame", "mismatches"):
        table.add_column(column, justify="right")
    for row in record.executors:
        wrong = NONE if row.mismatches is None else f"{row.mismatches} in {record.frames}"
        for i, at in enumerate(row.batches):
            energy = "no counter" if at.joules_per_frame is None else _joules(at.joules_per_frame)
            first = (row.executor, duration(row.latency_s), wrong) if i == 0 else ("", "", "")
            speed = rate(at.frames_per_second)
            table.add_row(first[0], count(at.batch), speed, first[1], energy, first[2])
    for hardware in record.hardware:
        wrong = f"0 in {hardware.simulated}" if hardware.simulated else "not simulated"
        table.add_row(
            f"hardware, {_clock(hardware)}",
            "1",
            rate(hardware.frames_per_second),
            duration(hardware.latency_s),
            "no counter",
            wrong,
        )
    out.print(table)
    shown = record.hardware[0]
    say(
        f"hardware: one frame {every(shown.interval_cycles)}, latency "
        f"{shown.latency_cycles:,} cycles, {_basis(shown)}"
    )
    for row in record.executors:
        if row.difference is not None:
            say(f"{row.executor}: differs from the golden model by {row.difference:.3g} at most")
    say(f"energy: {printable(record.meter)}")


def _clock(row: HardwareRow) -> str:
    if not row.target:
        return f"{row.clock_mhz:g} MHz as configured"
    return f"{'at most ' * row.upper_bound}{row.clock_mhz:.1f} MHz, routed on {row.target}"


def _basis(row: HardwareRow) -> str:
    return "predicted; simulated the same" if row.simulated else "predicted; not simulated yet"


def _joules(value: float) -> str:
    for unit, step in (("J", 1.0), ("mJ", 1e-3), ("µJ", 1e-6)):
        if value >= step:
            return f"{value / step:.3g} {unit}"
    return f"{value * 1e9:.3g} nJ"
