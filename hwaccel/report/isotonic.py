"""Positions as close as possible to the wanted ones that keep their distances."""

from __future__ import annotations

from collections.abc import Sequence


def spread(
    wanted: Sequence[float], weights: Sequence[float], distances: Sequence[float]
) -> list[float]:
    """Return positions with at least ``distances[i]`` between the i-th and the next.

    Their weighted squared distance to ``wanted`` is the least possible (pool adjacent
    violators; M. Ayer et al., *Ann. Math. Stat.* 26, 1955). Whole numbers are returned, so that
    what should be in line is.
    """
    offsets = [0.0]
    for distance in distances:
        offsets.append(offsets[-1] + distance)
    pools: list[tuple[float, float, int]] = []  # mean, weight, members
    for want, weight, offset in zip(wanted, weights, offsets, strict=False):
        mean, total, members = want - offset, weight, 1
        while pools and pools[-1][0] > mean:
            before, heavy, many = pools.pop()
            mean = (before * heavy + mean * total) / (heavy + total)
            total, members = heavy + total, many + members
        pools.append((mean, total, members))
    means = [mean for mean, _, members in pools for _ in range(members)]
    return [float(round(mean + offset)) for mean, offset in zip(means, offsets, strict=False)]
