"""Commands that put a design on several devices, or several times side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from hwaccel.api import load
from hwaccel.cli.console import out, printable, say, steps
from hwaccel.cli.design import Project
from hwaccel.report.text import every

if TYPE_CHECKING:
    from hwaccel.devices.split import Split

Output = Annotated[Path, typer.Option("--output", "-o", help="Folder of the system to write.")]


def partition(
    project: Project,
    output: Output = Path("system"),
    devices: Annotated[
        int, typer.Option("--devices", "-k", min=1, help="Devices to split over.")
    ] = 2,
    target: Annotated[
        list[str] | None,
        typer.Option(help="What each device is, like ecp5-25k: once, or once for each in order."),
    ] = None,
    fill: Annotated[float, typer.Option(help="Share of each target that may be used.")] = 0.8,
    luts: Annotated[int | None, typer.Option(help="LUTs of each device.")] = None,
    dsp: Annotated[int | None, typer.Option(help="Multipliers of each device.")] = None,
    rams: Annotated[int | None, typer.Option(help="Memories of 18 kbit of each device.")] = None,
    link_width: Annotated[int, typer.Option(help="Bits of a word of a link.")] = 32,
    link_latency: Annotated[int, typer.Option(help="Cycles of a link's wire, each way.")] = 8,
    credits: Annotated[
        int | None, typer.Option(help="Words under way on a link (default: for full rate).")
    ] = None,
    interval: Annotated[
        int | None, typer.Option(help="Cycles per frame that a link may take (default: project's).")
    ] = None,
    after: Annotated[
        list[str] | None, typer.Option(help="Cut behind this layer; once for each cut, no search.")
    ] = None,
) -> None:
    """Split a design over several devices with the least traffic between them."""
    from hwaccel.devices.limits import Limits
    from hwaccel.devices.partition import Wish, partition
    from hwaccel.devices.wish import devices_of, link_of
    from hwaccel.emit.project import SYSTEM, check_folder

    limits = devices_of(devices, target or (), fill, Limits(luts, dsp, rams))
    link = link_of(link_width, link_latency, credits)
    check_folder(output, SYSTEM)
    with steps("reading the project") as step:
        design = load(project)
        wish = Wish(limits, link, interval, tuple(after or ()))
        split = partition(design, wish, step)
        step("writing the system")
        split.write(output)
    _print_split(split, output)


def _print_split(split: Split, folder: Path) -> None:
    table = Table(title=f"{split.name} (system {split.hash})", title_justify="left")
    for column in ("device", "layers", "LUT", "DSP", "RAM", "cycles"):
        table.add_column(column)
    for name, design, area in zip(split.folders(), split.designs, split.areas, strict=True):
        paths = dict.fromkeys(node.path or node.name for node in design.graph.nodes)
        cells = [name, printable(", ".join(paths))]
        cells += [f"{n:,}" for n in (area.luts, area.dsps, area.rams)]
        table.add_row(*cells, f"{design.plan.bottleneck.cycles:,}")
    out.print(table)
    links = Table()
    for column in ("link", "value", "from", "to", "bits per frame", "words", "bits", "cycles"):
        links.add_column(column)
    for way in split.ways:
        join, channel = way.join, way.channel
        type = split.graph.types()[join.value]
        links.add_row(
            str(way.number),
            printable(join.value),
            f"device{join.source}",
            f"device{join.target}",
            f"{type.size * type.fixed.width:,}",
            f"{channel.beats:,}",
            str(way.word_bits),
            f"{channel.cycles:,}",
        )
    if split.ways:
        out.print(links)
    timing = split.plan.timing()
    say(
        f"latency {timing.latency:,} cycles, one frame {every(timing.interval)}, "
        f"{split.traffic:,} bits per frame between devices; areas are estimates; "
        f"written to {folder}/"
    )


def replicate(
    project: Project,
    output: Output = Path("farm"),
    engines: Annotated[
        int, typer.Option("--engines", "-n", min=1, help="Engines side by side.")
    ] = 2,
) -> None:
    """Put several engines of a design behind a scatter and an in-order gather."""
    from hwaccel.devices.farm import replicate
    from hwaccel.devices.limits import described
    from hwaccel.emit.project import SYSTEM, check_folder

    check_folder(output, SYSTEM)
    with steps("reading the project") as step:
        design = load(project)
        farm = replicate(design, engines, step)
        step("writing the system")
        farm.write(output)
    one, pace = design.plan.timing().interval, farm.plan.pace
    say(
        f"{farm.name} (system {farm.hash}): {engines} engines, a frame every {pace:,.1f} cycles on "
        f"average, {one / pace:.2f} x one engine; {described(farm.area)} estimated; "
        f"written to {output}/"
    )
