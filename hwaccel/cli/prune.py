"""``hwaccel prune``: fewer weights or channels, as many as the loss allows."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from hwaccel.cli.compress import (
    Batch,
    DataName,
    Factory,
    Hardware,
    Output,
    Rate,
    Shift,
    Start,
    begun,
    need_torch,
)
from hwaccel.cli.console import Seed, out, printable, say, steps
from hwaccel.config import Config, override, read_config
from hwaccel.report.text import percent

if TYPE_CHECKING:
    from hwaccel.compress.cost import Cost
    from hwaccel.compress.prune import PruneRecord


def prune(
    model: Factory,
    output: Output = Path("pruned"),
    weights: Start = None,
    data: DataName = "digits",
    pattern: Annotated[
        str, typer.Option(help="unstructured, channels, N:M (2:4), or outputs x inputs (4x1).")
    ] = "unstructured",
    sparsity: Annotated[
        float | None, typer.Option(help="Share of weights, or of channels, that has to go.")
    ] = None,
    accuracy_drop: Annotated[
        float | None, typer.Option(help="Points of accuracy that may be lost.")
    ] = None,
    loss_rise: Annotated[float | None, typer.Option(help="How much the loss may rise.")] = None,
    scope: Annotated[
        str,
        typer.Option(
            help="global: one threshold; layer: one for each; sensitivity: loss for hardware saved."
        ),
    ] = "global",
    skip: Annotated[
        list[str] | None, typer.Option(help="Layer to leave as it is; once for each.")
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds of pruning and training.")] = 4,
    epochs: Annotated[
        int, typer.Option(min=0, help="Passes over the training samples in a round.")
    ] = 2,
    rate: Rate = 2e-3,
    batch: Batch = 128,
    shift: Shift = 0,
    seed: Seed = 0,
    config: Hardware = None,
    style: Annotated[
        str | None,
        typer.Option(help="stream, pixel, spatial or auto (default: what the pattern helps most)."),
    ] = None,
) -> None:
    """Prune a trained model, with training in between, and write a checkpoint."""
    need_torch()
    from hwaccel.compress.bound import Bound
    from hwaccel.compress.checkpoint import check_output, write_checkpoint
    from hwaccel.compress.data import load_data
    from hwaccel.compress.patterns import parse_pattern
    from hwaccel.compress.prune import Goal, checked_scope
    from hwaccel.compress.prune import prune as pruned
    from hwaccel.compress.training import Recipe

    check_output(output)
    goal = Goal(
        parse_pattern(pattern),
        sparsity,
        Bound(accuracy_drop, loss_rise),
        checked_scope(scope),
        rounds,
        Recipe(epochs=epochs, rate=rate, batch=batch, shift=shift, seed=seed),
        tuple(skip or ()),
    )
    base = read_config(config) if config else Config(style=goal.pattern.style)
    chosen = override(base, {"style": style})
    samples = load_data(data)
    start = begun(model, weights, samples, seed)
    with steps("pruning") as step:
        made = pruned(start, samples, goal, config=chosen, progress=step)
    record: dict[str, Any] = {"command": "prune", "data": data, "seed": seed}
    record |= {"accuracy": made.record.after.accuracy, "style": chosen.style}
    write_checkpoint(output, made.checkpoint, samples.example, record | asdict(made.record))
    _print(made.record)
    say(f"written to {output}/")


def _print(record: PruneRecord) -> None:
    table = Table(title=f"{record.pattern}, {_chosen_by(record.scope)}", title_justify="left")
    for column in (
        "layer",
        "weights",
        "kept",
        "sparsity",
        "area before",
        "after",
        "cycles",
        "after",
    ):
        table.add_column(column, justify="left" if column == "layer" else "right")
    for layer in record.layers:
        table.add_row(
            printable(layer.path),
            str(layer.weights),
            str(layer.kept),
            percent(layer.sparsity),
            *(_number(cost, "area") for cost in (layer.cost_before, layer.cost_after)),
            *(_number(cost, "interval") for cost in (layer.cost_before, layer.cost_after)),
        )
    out.print(table)
    say(f"before: {record.before}; {record.cost_before}")
    say(f"after: {record.after}; {record.cost_after}")
    lost = record.before.accuracy - record.after.accuracy
    left = "" if record.reached else "; the bound ended it before the sparsity asked for"
    say(
        f"total: {percent(record.sparsity, 2)} of the weights gone, "
        f"{abs(lost):.2f} points {'lost' if lost >= 0 else 'won'} on the test samples, "
        f"area {record.cost_before.area} to {record.cost_after.area}, cycles per frame "
        f"{record.cost_before.interval} to {record.cost_after.interval}{left}"
    )


def _number(cost: Cost | None, name: str) -> str:
    return "" if cost is None else str(getattr(cost, name))


def _chosen_by(scope: str) -> str:
    words = {"global": "one threshold for all layers", "layer": "a threshold for each layer"}
    return words.get(scope, "layers chosen by loss for hardware saved")
