"""Points with several costs, all of which should be small: which beat which, and by how much."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import log

Costs = Sequence[float]

# Where a cost is nothing at all, a logarithm needs something.
LEAST = 1e-9


def dominates(a: Costs, b: Costs) -> bool:
    """Tell whether ``a`` is nowhere worse than ``b``, and somewhere better."""
    return all(x <= y for x, y in zip(a, b, strict=True)) and tuple(a) != tuple(b)


def nondominated(points: Sequence[Costs]) -> list[int]:
    """Return the places of the points that no other one dominates; of equal ones the first."""
    kept: list[int] = []
    order = sorted(range(len(points)), key=lambda at: (tuple(points[at]), at))
    for at in order:  # nothing that comes later dominates what is here
        if not any(all(x <= y for x, y in zip(points[k], points[at], strict=True)) for k in kept):
            kept.append(at)
    return sorted(kept)


def gain(point: Costs, others: Iterable[Costs]) -> float:
    """Return by what factor, as a logarithm, ``point`` beats the nearest of ``others``.

    That is the multiplicative epsilon indicator of a set of one (E. Zitzler et al., *Performance
    Assessment of Multiobjective Optimizers*, IEEE TEVC 7(2), 2003): above 0 no other one is as
    good in every cost, below 0 one dominates it by that factor.
    """
    logs = _logs(point)
    return min(
        (max(b - a for a, b in zip(logs, _logs(other), strict=True)) for other in others),
        default=float("inf"),
    )


def hypervolume(points: Sequence[Costs], corner: Costs) -> float:
    """Return the volume, on logarithmic axes, that ``points`` dominate up to ``corner``.

    E. Zitzler and L. Thiele, *Multiobjective Evolutionary Algorithms*, IEEE TEVC 3(4), 1999; by
    slices along the last axis.
    """
    end = _logs(corner)
    inside = [_logs(p) for p in points]
    return _volume([p for p in inside if all(a < b for a, b in zip(p, end, strict=True))], end)


def _volume(points: list[tuple[float, ...]], end: tuple[float, ...]) -> float:
    if not points:
        return 0.0
    if len(end) == 1:
        return end[0] - min(p[0] for p in points)
    total, ranked = 0.0, sorted(points, key=lambda p: p[-1])
    for at, point in enumerate(ranked):
        above = ranked[at + 1][-1] if at + 1 < len(ranked) else end[-1]
        if above > point[-1]:
            total += (above - point[-1]) * _volume([p[:-1] for p in ranked[: at + 1]], end[:-1])
    return total


def _logs(point: Costs) -> tuple[float, ...]:
    return tuple(log(max(x, LEAST)) for x in point)
