"""Cuts where the user wants them: behind layers with these names."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from hwaccel.devices.cut import Cuts, Problem
from hwaccel.errors import ConfigError


def named_cuts(problem: Problem, after: Sequence[str], count: int) -> Cuts:
    """Return the cuts behind the layers ``after``, which are PyTorch modules or nodes.

    Raises:
        ConfigError: a name is not known or stands twice, there are too few or too many, or
            nothing is left to compute between two.
    """
    if len(after) != count - 1:
        raise ConfigError(
            f"{count} devices have {count - 1} cuts between them, found {len(after)} layers to "
            "cut behind; name one for each"
        )
    stops = sorted(_place(problem, name) for name in after)
    cuts = (*stops, len(problem.pieces))
    for run in zip((0, *cuts), cuts, strict=False):
        if run[0] == run[1] or not problem.computes(run):
            raise ConfigError(
                f"cuts behind {', '.join(after)}: a device has nothing to compute; name layers "
                "further apart, and not the last one"
            )
    return cuts


def _place(problem: Problem, name: str) -> int:
    """Return the number of pieces up to the last one with a node or module of this name."""
    known: list[str] = []
    found = 0
    for number, piece in enumerate(problem.pieces, 1):
        names = [*piece.nodes, *piece.paths]
        known += names
        inside = any(path.startswith(f"{name}.") for path in piece.paths)
        if name in names or inside:
            found = number
    if not found:
        near = difflib.get_close_matches(name, known, 1) or known[:1]
        raise ConfigError(
            f"cut behind {name!r}: no layer has this name; the nearest is {near[0]!r}"
        )
    return found
