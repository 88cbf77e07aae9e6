"""What all commands share: two consoles, steps of long work, common options."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from hwaccel.config import Config, read_config

# Files and pipes get lines of a fixed width, whatever the size of the terminal behind them.
_PIPE_WIDTH = None if sys.stdout.isatty() else 120
# Names and paths come from models and users; brackets in them are no markup.
out = Console(width=_PIPE_WIDTH, emoji=False, markup=False)
# For tables of paths: a path that is broken over two lines cannot be found or copied.
wide = out if sys.stdout.isatty() else Console(width=1000, emoji=False, markup=False)
err = Console(stderr=True, emoji=False, markup=False, soft_wrap=True)

Weights = Annotated[Path | None, typer.Option(help="State dict for a factory (.pt, .safetensors).")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of all that is random.")]


def hardware_of(config: Path | None) -> Config:
    """Return the options of the hardware: those of a file, or what they are by default."""
    return read_config(config) if config else Config()


def say(line: str) -> None:
    """Print one line of results; pipes get it unbroken."""
    out.print(line, highlight=False, soft_wrap=True)


def printable(text: str) -> str:
    """Return ``text`` without what a terminal would obey."""
    return text if text.isprintable() else text.encode("unicode_escape").decode("ascii")


class Steps:
    """The live line of long work; plain lines where there is no terminal."""

    def __init__(self, progress: Progress, title: str) -> None:
        self._progress = progress
        self._task = progress.add_task(title, total=None)

    def __call__(self, text: str) -> None:
        """Say what is going on now."""
        self._progress.update(self._task, description=text)
        if self._progress.disable:
            err.print(text, style="dim", highlight=False)


@contextmanager
def steps(title: str) -> Iterator[Steps]:
    """Show what is going on: a live line on a terminal, plain lines elsewhere."""
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        TimeElapsedColumn(),
        console=err,
        transient=True,
        disable=not err.is_terminal,
    ) as progress:
        yield Steps(progress, title)
