"""The line that a figure is: name, figure, seed and the versions of the tools that made it."""

from __future__ import annotations

import platform

import numpy as np

from hwaccel import __version__, tools


def print_line(
    name: str, figure: str, *, seed: int | None = None, using: tuple[str, ...] = ()
) -> None:
    """Print a figure on one line; ``using`` names tools of the catalogue, such as ``iverilog``."""
    parts = [name, figure] + ([] if seed is None else [f"seed {seed}"])
    print("; ".join([*parts, versions(using)]), flush=True)


def versions(using: tuple[str, ...] = ()) -> str:
    """Return ``hwaccel V, Python V, numpy V`` and the version of each tool in ``using``."""
    named = [
        f"hwaccel {__version__}",
        f"Python {platform.python_version()}",
        f"numpy {np.__version__}",
    ]
    return ", ".join(named + [f"{name} {tools.version(tools.require(name))}" for name in using])
