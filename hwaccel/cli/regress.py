"""The command that runs a whole suite."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from hwaccel.cli.console import err, printable, say, steps

# Runs that did not pass, as the terminal shows them; the page has more.
_LINES = 20


def regress(
    suite: Annotated[Path, typer.Argument(help="TOML file that says what is run.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder of the results; a suite there goes on.")
    ] = Path("regress"),
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes on this machine (default: its cores).")
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option(help="Dask scheduler whose workers do the runs, tcp://HOST:PORT.")
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Forget the results of this suite, and run all anew.")
    ] = False,
    waves: Annotated[
        int, typer.Option(min=0, help="Failing runs that are made once more, with waves.")
    ] = 10,
) -> None:
    """Run a suite of simulations in parallel; keep every result, and go on where it was."""
    from hwaccel.regress.plan import plan_of
    from hwaccel.regress.run import need_tools
    from hwaccel.regress.run import regress as run_suite
    from hwaccel.regress.suite import read_suite

    read = read_suite(suite)
    plan = plan_of(read)
    connect = None
    if scheduler is None:
        need_tools(read)
    else:
        from hwaccel.farm.cluster import Cluster
        from hwaccel.regress.work import TRADE, Answer, Request

        def connect() -> Cluster[Request, Answer]:
            return Cluster(TRADE, scheduler, read.time_limit_s)

    say(f"{read.name}: {plan.line}")
    try:
        with steps("making the designs") as step:
            found = run_suite(
                read, plan, output,
                workers=workers or os.cpu_count() or 1, again=again, waves=waves,
                connect=connect, progress=lambda text: step(printable(text)),
            )  # fmt: skip
    except KeyboardInterrupt:
        err.print("finished results are kept; the same command goes on from there")
        raise
    bad = [(run, r.answer) for run, r in found.results.items() if r.answer.status != "passed"]
    for run, answer in bad[:_LINES]:
        say(printable(f"{run.source.name}, {run.how}: {answer.status}: {answer.message}"))
    if len(bad) > _LINES:
        say(f"and {len(bad) - _LINES} more that did not pass")
    say(found.line)
    say(f"written to {output}/: index.html shows all, junit.xml is for CI servers")
    if not found.passed:
        raise typer.Exit(1)
