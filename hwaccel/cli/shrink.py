"""``hwaccel shrink``: a cheaper model, for as long as the loss allows it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

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

Drop = Annotated[
    float, typer.Option("--accuracy-drop", help="Points of accuracy that may be lost in all.")
]


def shrink(
    model: Factory,
    output: Output = Path("shrunk"),
    weights: Start = None,
    data: DataName = "digits",
    accuracy_drop: Drop = 0.5,
    epochs: Annotated[
        int, typer.Option(min=1, help="Passes over the training samples for every trial.")
    ] = 2,
    samples: Annotated[
        int | None, typer.Option(min=1, help="Training samples of a trial (default: all).")
    ] = None,
    final_epochs: Annotated[
        int, typer.Option(min=0, help="Passes over all training samples at the end.")
    ] = 5,
    enough: Annotated[
        float | None, typer.Option(help="Stop where the work is so many times less.")
    ] = None,
    tries: Annotated[int, typer.Option(min=1, help="Trials for every bottleneck.")] = 3,
    rate: Rate = 2e-3,
    batch: Batch = 128,
    seed: Seed = 0,
    config: Hardware = None,
) -> None:
    """Replace the costliest layers by cheaper ones, as far as the loss allows."""
    need_torch()
    from hwaccel.compress.bound import Bound
    from hwaccel.compress.checkpoint import check_output, write_checkpoint
    from hwaccel.compress.data import load_data
    from hwaccel.compress.shrink import shrink as make_smaller
    from hwaccel.compress.training import Recipe

    check_output(output)
    chosen = hardware_of(config)
    bound = Bound(accuracy_drop=accuracy_drop)
    found = load_data(data)
    start = begun(model, weights, found, seed)
    recipe = Recipe(epochs=epochs, rate=rate, batch=batch, seed=seed)
    final = Recipe(epochs=final_epochs, rate=rate, batch=batch, seed=seed)
    with steps("shrinking") as step:
        made, shrunk = make_smaller(
            start,
            found,
            recipe,
            bound,
            chosen,
            tries=tries,
            samples=samples,
            enough=enough,
            final=final if final_epochs else None,
            progress=step,
        )
    record: dict[str, Any] = {"command": "shrink", "data": data, "seed": seed}
    record |= {"accuracy_drop": accuracy_drop, "factor": shrunk.factor}
    write_checkpoint(output, made, found.example, record | asdict(shrunk))
    table = Table(title="trials", title_justify="left")
    for column in ("bottleneck", "tried", "result"):
        table.add_column(column, overflow="fold")
    for trial in shrunk.trials:
        if trial.score is not None:
            table.add_row(*map(printable, (trial.layer, trial.what, trial.reason)))
    out.print(table)
    say(f"before: {shrunk.cost_before}; test samples: {shrunk.test_before}")
    say(f"after: {shrunk.cost_after}; test samples: {shrunk.test_after}")
    say(f"{shrunk.factor:.1f} times less area times cycles; written to {output}/")
