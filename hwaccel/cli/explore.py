"""The command that searches the configurations of a model."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from hwaccel.cli.console import Seed, err, hardware_of, out, printable, say, steps
from hwaccel.config import override
from hwaccel.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from hwaccel.explore.result import Explored
    from hwaccel.explore.work import Answer, Request
    from hwaccel.farm.cluster import Cluster


def explore(
    model: Annotated[str, typer.Argument(help=".pt2, .onnx or package.module:factory.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder of the search; one there goes on.")
    ] = Path("explored"),
    weights: Annotated[
        Path | None, typer.Option(help="State dict for a factory (.pt, .safetensors).")
    ] = None,
    example: Annotated[
        list[str] | None, typer.Option(help="Shape with batch (1x3x32x32), .npy or .npz.")
    ] = None,
    calibration: Annotated[
        list[Path] | None, typer.Option(help="Inputs that formats follow (.npy, .npz).")
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(help="Labelled samples, for accuracy: digits, or an .npz file."),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="TOML file; what it says is held fixed.")
    ] = None,
    target: Annotated[str | None, typer.Option(help="Device, like ecp5-85k.")] = None,
    objectives: Annotated[
        str, typer.Option(help="What should be small, with commas: latency, interval, lut, ff, "
                               "dsp, ram, power, strain, error.")
    ] = "latency,lut",
    styles: Annotated[
        str, typer.Option(help="Styles to choose from.")
    ] = "stream,pixel,spatial",
    clocks: Annotated[
        str | None,
        typer.Option(help="Clocks to choose from, in MHz (default: that of the configuration, "
                          "three quarters and half of it)."),
    ] = None,
    bits: Annotated[
        str | None, typer.Option(help="Widths to choose from, for each layer; needs --data.")
    ] = None,
    max_lut: Annotated[float | None, typer.Option(help="Most LUTs, as predicted.")] = None,
    max_ff: Annotated[float | None, typer.Option(help="Most registers, as predicted.")] = None,
    max_dsp: Annotated[float | None, typer.Option(help="Most multipliers.")] = None,
    max_ram: Annotated[float | None, typer.Option(help="Most block RAMs.")] = None,
    max_latency: Annotated[float | None, typer.Option(help="Most microseconds.")] = None,
    min_fps: Annotated[float | None, typer.Option(help="Fewest frames per second.")] = None,
    meet_clock: Annotated[
        bool, typer.Option("--meet-clock", help="Only clocks below the estimated Fmax.")
    ] = False,
    min_accuracy: Annotated[float | None, typer.Option(help="Least accuracy, percent.")] = None,
    budget: Annotated[int, typer.Option(min=1, help="Points to predict.")] = 40,
    batch: Annotated[int, typer.Option(min=1, help="Points that are chosen together.")] = 8,
    survivors: Annotated[
        int, typer.Option(min=0, help="Points of the front to synthesize, and to place and route.")
    ] = 3,
    no_pnr: Annotated[bool, typer.Option("--no-pnr", help="Stop after Yosys.")] = False,
    write: Annotated[int, typer.Option(min=0, help="Points of the front to write.")] = 0,
    workers: Annotated[int, typer.Option(min=1, help="Processes on this machine.")] = 1,
    scheduler: Annotated[
        str | None, typer.Option(help="Dask scheduler whose workers do the work, tcp://HOST:PORT.")
    ] = None,
    time_limit: Annotated[
        float, typer.Option(min=1, help="Seconds that a point may take.")
    ] = 3600.0,
    again: Annotated[
        bool, typer.Option("--again", help="Forget the results that are there.")
    ] = False,
    seed: Seed = 0,
) -> None:  # fmt: skip
    """Search foldings, styles, clocks and widths for designs that nothing beats."""
    from hwaccel.explore.goal import goal_of
    from hwaccel.explore.run import Settings, need_tools, write_points
    from hwaccel.explore.run import explore as explore_model
    from hwaccel.explore.space import Wishes, check_wishes
    from hwaccel.explore.work import Source
    from hwaccel.report.facts import device_of
    from hwaccel.schedule.fits import DELAYS
    from hwaccel.synth.target import target as find_target

    chosen = override(hardware_of(config), {"target": target})
    found = find_target(chosen.target)
    if survivors and scheduler is None:
        need_tools(found, pnr=not no_pnr)
    if bits and not data:
        raise ConfigError(
            "--bits: narrower layers lose accuracy; give labelled samples with --data"
        )
    if meet_clock and chosen.family not in DELAYS:
        raise ConfigError(
            f"--meet-clock: no Fmax is estimated for target {chosen.target}, only for "
            f"{', '.join(DELAYS)}; drop it"
        )
    goal = goal_of(
        _words(objectives),
        {
            "lut": max_lut, "ff": max_ff, "dsp": max_dsp, "ram": max_ram, "latency": max_latency,
            "interval": _upper("--min-fps", min_fps, 1e6), "error": _error(min_accuracy),
            "strain": 1.0 if meet_clock else None,
        },
        device_of(chosen.target),
        measured=data is not None,
    )  # fmt: skip
    wishes = Wishes(
        styles=_words(styles),
        clocks=tuple(_numbers("--clocks", clocks)),
        bits=_whole("--bits", bits),
        most=goal.limits,
    )
    check_wishes(chosen, wishes)
    source = Source(
        model=model, weights=str(weights) if weights else None, example=tuple(example or ()),
        calibration=tuple(map(str, calibration or ())), data=data or "",
    )  # fmt: skip
    settings = Settings(
        budget=budget, batch=batch, survivors=survivors, pnr=not no_pnr, seed=seed,
        workers=workers, time_limit_s=time_limit, again=again,
    )  # fmt: skip
    if not (calibration or data):
        err.print(
            "no --calibration: formats follow 64 random frames, so accuracy will suffer",
            style="yellow",
        )
    try:
        with steps("exploring") as step:
            explored = explore_model(
                source, output, goal, wishes, chosen, settings,
                connect=_connect(scheduler, time_limit) if scheduler else None,
                progress=lambda text: step(printable(text)),
            )  # fmt: skip
            if write:
                step("writing projects")
            places = write_points(explored, output, explored.spread(write))
    except KeyboardInterrupt:
        err.print("finished points are kept; the same command goes on from there")
        raise
    _print(explored)
    for place in places:
        say(f"written to {place}/")
    say(f"written to {output}/: index.html shows all points, front.json has their configurations")


def _connect(scheduler: str, time_limit_s: float) -> Callable[[], Cluster[Request, Answer]]:
    from hwaccel.explore.work import TRADE
    from hwaccel.farm.cluster import Cluster

    return lambda: Cluster(TRADE, scheduler, time_limit_s)


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _numbers(option: str, text: str | None) -> list[float]:
    try:
        found = [float(word) for word in _words(text or "")]
        if not all(map(math.isfinite, found)):
            raise ValueError
    except ValueError:
        raise ConfigError(f"{option} {text}: expected numbers with commas between them") from None
    return found


def _whole(option: str, text: str | None) -> tuple[int, ...]:
    numbers = _numbers(option, text)
    if any(number != round(number) for number in numbers):
        raise ConfigError(f"{option} {text}: expected whole numbers with commas between them")
    return tuple(int(number) for number in numbers)


def _upper(option: str, least: float | None, whole: float) -> float | None:
    """Return the most of what ``whole`` over ``least`` is."""
    if least is not None and not least > 0:
        raise ConfigError(f"{option} {least:g}: expected a number above 0")
    return whole / least if least is not None else None


def _error(accuracy: float | None) -> float | None:
    if accuracy is not None and not 0 <= accuracy <= 100:
        raise ConfigError(f"--min-accuracy {accuracy:g}: expected percent, from 0 to 100")
    return 100 - accuracy if accuracy is not None else None


def _print(explored: Explored) -> None:
    from hwaccel.explore.page import described
    from hwaccel.report.text import count, plural

    for line in explored.damaged:
        err.print(printable(line), style="yellow")
    table = Table(title="front", title_justify="left")
    table.add_column("point")
    for column in ("latency us", "interval us", "MHz", "LUT", "FF", "DSP", "RAM", "built"):
        table.add_column(column, justify="right")
    for tried in explored.front:
        facts, built = tried.facts, tried.built
        assert facts is not None
        cost = facts.cost
        made = f"{built.luts} LUT" if built else tried.message
        if built and built.fmax_mhz:
            made += f", {built.fmax_mhz:.1f} MHz"
        table.add_row(
            tried.name, f"{facts.latency_us:.2f}", f"{facts.interval_us:.2f}",
            f"{facts.clock_mhz:g}", *map(str, (cost.luts, cost.ffs, cost.dsps, cost.rams)),
            printable(made),
        )  # fmt: skip
    out.print(table)
    (best,) = explored.spread(1)
    say(f"least product of the objectives: {best.name}: {printable(described(explored, best))}")
    say(
        f"{plural(len(explored.tried), 'point')} of {count(explored.space.size)}, "
        f"{len(explored.front)} on the front; {explored.made} answers made, {explored.taken} known "
        "from before"
    )
