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
        "accumulator": Cost(1.89, 1.39),
        "add": Cost(0.92, 0.68),
        "add once": Cost(5.56, 4.94),
        "bias": Cost(0.51, 0.86),
        "channel shift": Cost(0.26, 0.0),
        "circuit": Cost(1.01, 0.94),
        "circuit once": Cost(6.0, 2.94),
        "clip": Cost(0.66, 0.0),
        "concat": Cost(0.0, 0.66),
        "concat once": Cost(5.12, 4.96),
        "dsp registers": Cost(0.0, 0.95),
        "fifo": Cost(1.01, 0.85),
        "fifo count": Cost(0.63, 0.79),
        "fifo ram": Cost(0.52, 0.0),
        "fifo registers": Cost(1.11, 1.17),
        "fixed products": Cost(0.26, 0.0),
        "fork": Cost(7.91, 5.61),
        "frame": Cost(7.37, 3.59),
        "frame count": Cost(1.91, 0.96),
        "issue": Cost(6.25, 0.91),
        "join": Cost(6.46, 5.3),
        "lines": Cost(7.2, 6.82),
        "lines count": Cost(1.31, 1.23),
        "lines past": Cost(0.0, 0.86),
        "lines ram": Cost(1.53, 1.16),
        "lines rows": Cost(1.28, 1.47),
        "lines turn": Cost(0.45, 0.0),
        "lines window": Cost(0.58, 1.25),
        "mac input": Cost(0.0, 1.65),
        "mac once": Cost(6.94, 7.54),
        "mac_lanes once": Cost(5.47, 5.47),
        "maxpool": Cost(1.1, 1.0),
        "maxpool once": Cost(5.87, 5.65),
        "minmax": Cost(0.91, 0.87),
        "minmax once": Cost(5.57, 5.45),
        "multiply": Cost(0.86, 0.77),
        "multiply once": Cost(5.13, 4.94),
        "pack": Cost(5.07, 4.9),
        "pack bits": Cost(0.06, 0.92),
        "product registers": Cost(0.0, 1.05),
        "products": Cost(1.18, 0.0),
        "relu": Cost(0.0, 0.52),
        "relu once": Cost(2.19, 5.28),
        "requant in": Cost(0.81, 0.98),
        "requant once": Cost(7.58, 6.08),
        "requant out": Cost(0.47, 0.99),
        "ring": Cost(1.56, 2.02),
        "ring blocks": Cost(0.0, 0.98),
        "rom": Cost(1.69, 1.91),
        "rom address": Cost(1.53, 1.4),
        "rom choice": Cost(0.15, 0.0),
        "rom registers": Cost(0.0, 1.1),
        "sum tree": Cost(0.69, 1.21),
        "sumpool": Cost(1.92, 0.98),
        "sumpool once": Cost(6.63, 5.49),
        "table index": Cost(0.0, 0.02),
        "table once": Cost(2.35, 3.76),
        "unpack": Cost(6.04, 5.61),
        "unpack bits": Cost(1.19, 1.05),
        "unpacking": Cost(0.28, 0.0),
        "window": Cost(9.9, 9.16),
        "window address": Cost(2.49, 1.64),
        "window count": Cost(2.92, 1.96),
        "window edge": Cost(2.48, 1.16),
        "window list": Cost(1.34, 0.65),
        "window loops": Cost(1.58, 1.3),
    },
    "xcup": {
        "accumulator": Cost(0.32, 1.24),
        "bias": Cost(0.19, 0.58),
        "channel shift": Cost(0.3, 0.0),
        "circuit": Cost(0.98, 0.92),
        "circuit once": Cost(4.51, 2.96),
        "clip": Cost(0.64, 0.0),
        "dsp registers": Cost(0.0, 1.16),
        "fifo": Cost(0.94, 0.83),
        "fifo count": Cost(0.57, 0.66),
        "fifo ram": Cost(0.25, 0.0),
        "fifo registers": Cost(0.0, 1.77),
        "fixed products": Cost(0.19, 0.0),
        "frame": Cost(0.0, 2.5),
        "frame count": Cost(1.97, 1.14),
        "issue": Cost(4.76, 0.91),
        "lines": Cost(7.02, 6.95),
        "lines count": Cost(1.26, 1.26),
        "lines past": Cost(0.0, 0.91),
        "lines ram": Cost(1.4, 1.25),
        "lines rows": Cost(1.26, 1.52),
        "lines turn": Cost(0.42, 0.0),
        "lines window": Cost(0.53, 1.46),
        "mac input": Cost(0.0, 0.42),
        "mac once": Cost(5.87, 4.75),
        "product registers": Cost(0.0, 0.31),
        "products": Cost(1.98, 0.0),
        "relu": Cost(0.07, 0.49),
        "relu once": Cost(2.09, 4.24),
        "requant in": Cost(0.61, 0.36),
        "requant once": Cost(6.34, 5.1),
        "requant out": Cost(0.49, 0.88),
        "ring": Cost(0.8, 1.39),
        "ring blocks": Cost(0.0, 1.05),
        "rom": Cost(2.43, 2.3),
        "rom address": Cost(0.85, 1.13),
        "rom choice": Cost(0.17, 0.0),
        "rom registers": Cost(0.0, 1.12),
        "sum tree": Cost(0.72, 0.8),
        "sumpool": Cost(2.43, 1.46),
        "sumpool once": Cost(6.48, 5.88),
        "table index": Cost(0.58, 0.02),
        "table once": Cost(2.16, 3.26),
        "unpack": Cost(6.27, 5.72),
        "unpack bits": Cost(1.76, 1.29),
        "unpacking": Cost(0.26, 0.0),
        "window": Cost(7.38, 6.14),
        "window address": Cost(2.45, 1.34),
        "window count": Cost(2.65, 2.37),
        "window edge": Cost(2.66, 1.6),
        "window list": Cost(1.68, 0.76),
        "window loops": Cost(1.52, 1.45),
    },
}

# Nanoseconds of each element of a path, by family.
DELAYS: Mapping[str, Mapping[str, float]] = {
    "ecp5": {
        "carry": 0.047, "chain": 1.838, "circuit": 0.764, "copies": 0.057, "distance": 0.014,
        "dsp": 5.402, "level": 0.542, "mux": 0.873, "ram": 5.259, "readers": 0.061,
        "register": 1.273,
    },
}  # fmt: skip

# How far estimates of Fmax are off, on average over the networks that judge them.
FMAX_ERRORS: Mapping[str, float] = {"ecp5": 0.085}
