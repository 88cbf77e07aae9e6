"""``hwaccel simplify``: what exact rewrites save, and cheaper operations within a bound."""

from __future__ import annotations

from collections.abc import Sequence
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
    Start,
    begun,
    need_torch,
)
from hwaccel.cli.console import Seed, hardware_of, out, printable, say, steps
from hwaccel.cli.shrink import Drop

if TYPE_CHECKING:
    from hwaccel.compress.operations import Rewrite
    from hwaccel.compress.simplify import Change


def simplify(
    model: Factory,
    output: Output = Path("simplified"),
    weights: Start = None,
    data: DataName = "digits",
    accuracy_drop: Drop = 0.5,
    epochs: Annotated[
        int, typer.Option(min=0, help="Passes over the training samples where a change needs it.")
    ] = 2,
    rate: Rate = 2e-3,
    batch: Batch = 128,
    seed: Seed = 0,
    config: Hardware = None,
) -> None:
    """Show what exact rewrites save, and make operations cheaper as far as the loss allows."""
    need_torch()
    from hwaccel.compress.bound import Bound
    from hwaccel.compress.checkpoint import check_output, write_checkpoint
    from hwaccel.compress.data import load_data
    from hwaccel.compress.operations import exact_rewrites
    from hwaccel.compress.simplify import simplify as make_simpler
    from hwaccel.compress.training import Recipe

    check_output(output)
    chosen = hardware_of(config)
    bound = Bound(accuracy_drop=accuracy_drop)
    found = load_data(data)
    start = begun(model, weights, found, seed)
    recipe = Recipe(epochs=epochs, rate=rate, batch=batch, seed=seed)
    with steps("simplifying") as step:
        made, done = make_simpler(start, found, recipe, bound, chosen, progress=step)
        step("exact rewrites, pass by pass")
        rewrites = (done.merged, *exact_rewrites(made.model, found, chosen))
    record: dict[str, Any] = {"command": "simplify", "data": data, "seed": seed}
    record |= {"accuracy_drop": accuracy_drop, "rewrites": [asdict(r) for r in rewrites]}
    write_checkpoint(output, made, found.example, record | asdict(done))
    _print_changes(done.changes)
    _print_rewrites(rewrites)
    say(f"before: {done.cost_before}; test samples: {done.test_before}")
    say(f"after: {done.cost_after}; test samples: {done.test_after}; written to {output}/")


def _print_changes(changes: Sequence[Change]) -> None:
    if not changes:
        say("no operation could be cheaper: there are no tables, pools and pairs of layers")
        return
    table = Table(title="cheaper operations", title_justify="left")
    table.add_column("change", overflow="fold")
    for column in ("same function", "area", "cycles"):
        table.add_column(column, justify="right")
    table.add_column("result", overflow="fold")
    for change in changes:
        before, after = change.before, change.after
        area = f"{after.area - before.area:+,}" if after else ""
        cycles = f"{after.interval - before.interval:+,}" if after else ""
        exact = "yes" if change.exact else "no"
        reason = f"{change.reason} (trained)" if change.trained else change.reason
        table.add_row(printable(change.what), exact, area, cycles, printable(reason))
    out.print(table)


def _print_rewrites(rewrites: Sequence[Rewrite]) -> None:
    table = Table(title="exact rewrites", title_justify="left")
    table.add_column("rewrite", overflow="fold")
    for column in ("changes", "nodes", "mult.", "area", "adders"):
        table.add_column(column, justify="right")
    for rewrite in rewrites:
        if not rewrite.changes:
            continue
        saved = rewrite.saved
        numbers = (saved.nodes, saved.multiplications, saved.area, saved.adders)
        texts = ("" if number is None else f"{-number:+,}" for number in numbers)
        table.add_row(
            f"{rewrite.stage}, {rewrite.name}: {rewrite.what}", f"{rewrite.changes:,}", *texts
        )
    out.print(table)
