"""LUTs and registers per unit of each term, by family.

Printed by ``python -m benchmarks.estimates.fit TARGET --table``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Cost(NamedTuple):
    """What synthesis makes of one unit of a term."""

    luts: float
    ffs: float


FITS: Mapping[str, Mapping[str, Cost]] = {
    "ecp5": {
        "accumulator": Cost(0.93, 1.32),
        "add": Cost(0.76, 0.58),
        "add once": Cost(4.85, 4.7),
        "bias": Cost(0.07, 1.05),
        "channel shift": Cost(0.84, 0.0),
        "circuit": Cost(0.95, 0.92),
        "circuit once": Cost(9.38, 3.78),
        "clip": Cost(0.57, 0.0),
        "dsp registers": Cost(0.0, 1.07),
        "fifo": Cost(12.85, 7.24),
        "fifo count": Cost(1.18, 1.04),
        "fifo ram": Cost(0.7, 0.0),
        "fifo registers": Cost(1.25, 0.26),
        "fixed products": Cost(0.12, 0.0),
        "fork": Cost(4.59, 3.64),
        "issue": Cost(6.81, 3.27),
        "join": Cost(4.79, 4.32),
        "lines": Cost(7.83, 7.23),
        "lines count": Cost(1.45, 1.3),
        "lines past": Cost(0.0, 0.73),
        "lines ram": Cost(1.75, 1.05),
        "lines rows": Cost(1.29, 1.53),
        "lines turn": Cost(0.31, 0.0),
        "lines window": Cost(0.73, 1.5),
        "mac input": Cost(0.0, 1.63),
        "mac once": Cost(7.34, 7.07),
        "mac_lanes once": Cost(5.48, 5.25),
        "maxpool": Cost(0.98, 0.87),
        "maxpool once": Cost(5.16, 5.17),
        "minmax": Cost(0.78, 3.86),
        "minmax once": Cost(4.93, 4.83),
        "pack": Cost(5.57, 5.46),
        "pack bits": Cost(0.05, 1.19),
        "product registers": Cost(0.0, 1.12),
        "products": Cost(0.96, 0.0),
        "relu": Cost(0.8, 0.36),
        "relu once": Cost(4.65, 5.51),
        "requant in": Cost(0.78, 0.95),
        "requant once": Cost(7.12, 6.02),
        "requant out": Cost(0.57, 0.87),
        "ring": Cost(1.08, 1.62),
        "ring blocks": Cost(0.0, 0.93),
        "rom": Cost(1.68, 1.91),
        "rom address": Cost(1.23, 1.17),
        "rom choice": Cost(0.86, 0.0),
        "rom registers": Cost(0.0, 1.12),
        "sum tree": Cost(0.92, 1.15),
        "sumpool": Cost(1.47, 0.67),
        "sumpool once": Cost(5.24, 4.24),
        "table index": Cost(0.0, 0.58),
        "table once": Cost(4.69, 7.83),
        "unpack": Cost(5.18, 5.28),
        "unpack bits": Cost(0.51, 0.92),
        "unpacking": Cost(0.23, 0.0),
        "window": Cost(8.22, 6.73),
        "window address": Cost(1.71, 1.08),
        "window count": Cost(2.22, 1.26),
        "window edge": Cost(1.58, 4.58),
        "window list": Cost(0.91, 0.46),
        "window loops": Cost(19.0, 7.75),
    },
}
