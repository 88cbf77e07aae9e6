"""The command that makes a trained model fit a budget."""

from __future__ import annotations

from dataclasses import astuple
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from hwaccel.cli.compress import (
    Batch,
    DataName,
    Epochs,
    Factory,
    Hardware,
    Rate,
    Shift,
    Start,
    begun,
    need_torch,
)
from hwaccel.cli.console import Seed, hardware_of, out, printable, say, steps
from hwaccel.emit.project import replace_file

if TYPE_CHECKING:
    from hwaccel.compress.budget import Budget
    from hwaccel.compress.fit import Fitted

# The fields of a cost.
_COLUMNS = ("LUT", "FF", "DSP", "RAM", "latency", "interval")


def fit(
    model: Factory,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder of the search; one there goes on.")
    ] = Path("fitted"),
    weights: Start = None,
    data: DataName = "digits",
    luts: Annotated[int | None, typer.Option(help="Most LUTs, as predicted.")] = None,
    ffs: Annotated[int | None, typer.Option(help="Most registers, as predicted.")] = None,
    dsp: Annotated[int | None, typer.Option(help="Most multipliers.")] = None,
    ram: Annotated[int | None, typer.Option(help="Most block RAMs.")] = None,
    latency: Annotated[int | None, typer.Option(help="Most cycles of latency.")] = None,
    interval: Annotated[int | None, typer.Option(help="Most cycles between frames.")] = None,
    accuracy_drop: Annotated[
        float | None, typer.Option(help="Points of accuracy that may be lost.")
    ] = None,
    points: Annotated[int, typer.Option(min=1, help="Points to train in full.")] = 10,
    epochs: Epochs = 8,
    rate: Rate = 2e-3,
    batch: Batch = 128,
    shift: Shift = 0,
    temperature: Annotated[
        float, typer.Option(help="Temperature of the start, which teaches every point.")
    ] = 4.0,
    hard: Annotated[float, typer.Option(help="Share of the labels in the loss.")] = 0.3,
    config: Hardware = None,
    seed: Seed = 0,
) -> None:
    """Prune, quantize and teach a model until it fits a budget; show what can be had for what."""
    need_torch()
    from hwaccel.compress.bound import Bound
    from hwaccel.compress.budget import Budget
    from hwaccel.compress.data import load_data
    from hwaccel.compress.distill import Teaching
    from hwaccel.compress.fit import fit as fit_model
    from hwaccel.compress.training import Recipe

    budget = Budget(luts, ffs, dsp, ram, latency, interval)
    bound, teaching = Bound(accuracy_drop=accuracy_drop), Teaching(temperature, hard)
    chosen = hardware_of(config)
    found = load_data(data)
    start = begun(model, weights, found, seed)
    recipe = Recipe(epochs=epochs, rate=rate, batch=batch, shift=shift, seed=seed)
    with steps("fitting") as step:
        fitted = fit_model(
            start, found, budget, bound, output, recipe, chosen,
            points=points, teaching=teaching, progress=step,
        )  # fmt: skip
    replace_file(output / "front.html", page(model, fitted, budget).encode())
    _print(fitted, budget)
    best = fitted.best
    say(f"samples for choices: {fitted.before} before, {best.valid} after")
    say(f"{best.point}: {best.cost}; test samples: {best.test}")
    say(
        f"written to {output}/: points/{best.point.name} is the best, its model.pt2 is for hwaccel "
        "convert; front.html shows all"
    )


def _print(fitted: Fitted, budget: Budget) -> None:
    from hwaccel.compress.fit import front

    table = Table(title="front", title_justify="left")
    table.add_column("point")
    for column in (*_COLUMNS, "choices", "test"):
        table.add_column(column, justify="right")
    for found in front(fitted.points, budget):
        table.add_row(
            printable(found.point.name),
            *map(str, astuple(found.cost)),
            *(f"{score.accuracy:.2f} %" for score in (found.valid, found.test)),
        )
    out.print(table)


def page(model: str, fitted: Fitted, budget: Budget) -> str:
    """Return the page with the plot and the table of a search."""
    from hwaccel.compress.fit import front
    from hwaccel.report.front import Front, Tried, front_page

    best = {found.point for found in front(fitted.points, budget)}
    points = []
    for found in fitted.points:
        price = float(found.cost.luts if budget.luts else found.cost.work)
        on_front, chosen = found.point in best, found.point == fitted.best.point
        texts = tuple(f"{n:,}" for n in astuple(found.cost))
        points.append(Tried(str(found.point), price, found.valid.accuracy, texts, on_front, chosen))
    axis = "predicted LUTs" if budget.luts else "area times cycles, predicted"
    lead = (
        f"Budget: {budget}. Before: {fitted.before}.",
        f"Chosen: {fitted.best.point}: {fitted.best.cost}; test samples: {fitted.best.test}.",
    )
    limit = float(budget.luts) if budget.luts else None
    return front_page(Front(model, lead, axis, limit, _COLUMNS, tuple(points)))
