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
        "accumulator": Cost(1.44, 1.38),
        "add": Cost(0.83, 0.64),
        "add once": Cost(5.27, 4.86),
        "bias": Cost(0.32, 1.09),
        "channel shift": Cost(0.22, 0.0),
        "circuit": Cost(0.93, 0.92),
        "circuit once": Cost(10.78, 5.63),
        "clip": Cost(0.56, 0.0),
        "concat": Cost(0.0, 0.67),
        "concat once": Cost(5.02, 4.96),
        "dsp registers": Cost(0.0, 1.04),
        "fifo": Cost(1.21, 1.04),
        "fifo count": Cost(1.51, 1.09),
        "fifo ram": Cost(0.81, 0.0),
        "fifo registers": Cost(1.73, 0.64),
        "fixed products": Cost(0.25, 0.0),
        "fork": Cost(6.68, 4.61),
        "issue": Cost(10.7, 6.33),
        "join": Cost(5.84, 4.81),
        "lines": Cost(7.88, 7.16),
        "lines count": Cost(1.48, 1.32),
        "lines past": Cost(0.0, 0.75),
        "lines ram": Cost(1.62, 1.03),
        "lines rows": Cost(1.39, 1.57),
        "lines turn": Cost(0.42, 0.0),
        "lines window": Cost(0.69, 1.48),
        "mac input": Cost(0.0, 1.94),
        "mac once": Cost(9.07, 8.79),
        "mac_lanes once": Cost(5.48, 5.46),
        "maxpool": Cost(0.99, 0.82),
        "maxpool once": Cost(5.66, 5.32),
        "minmax": Cost(0.89, 0.86),
        "minmax once": Cost(5.52, 5.48),
        "multiply": Cost(0.84, 0.76),
        "multiply once": Cost(5.07, 4.9),
        "pack": Cost(4.83, 5.12),
        "pack bits": Cost(0.0, 1.0),
        "product registers": Cost(0.0, 1.13),
        "products": Cost(1.16, 0.0),
        "relu": Cost(0.22, 0.29),
        "relu once": Cost(4.7, 5.68),
        "requant in": Cost(0.59, 0.72),
        "requant once": Cost(7.59, 5.82),
        "requant out": Cost(0.36, 0.89),
        "ring": Cost(1.72, 1.57),
        "ring blocks": Cost(0.0, 0.95),
        "rom": Cost(1.76, 1.92),
        "rom address": Cost(1.65, 1.68),
        "rom choice": Cost(0.48, 0.0),
        "rom registers": Cost(0.0, 1.12),
        "sum tree": Cost(0.62, 1.12),
        "sumpool": Cost(1.54, 0.39),
        "sumpool once": Cost(7.04, 6.29),
        "table index": Cost(0.0, 0.27),
        "table once": Cost(4.47, 7.68),
        "unpack": Cost(5.31, 5.26),
        "unpack bits": Cost(0.48, 0.86),
        "unpacking": Cost(0.41, 0.0),
        "window": Cost(12.25, 10.85),
        "window address": Cost(2.79, 1.89),
        "window count": Cost(3.15, 2.2),
        "window edge": Cost(2.12, 1.11),
        "window list": Cost(1.38, 0.61),
        "window loops": Cost(1.59, 1.38),
    },
    "xcup": {
        "accumulator": Cost(0.0, 1.45),
        "bias": Cost(0.09, 0.71),
        "channel shift": Cost(0.24, 0.0),
        "circuit": Cost(0.91, 0.91),
        "circuit once": Cost(6.77, 4.86),
        "clip": Cost(0.58, 0.0),
        "dsp registers": Cost(0.0, 1.29),
        "fifo": Cost(1.14, 0.98),
        "fifo count": Cost(1.4, 0.92),
        "fifo ram": Cost(0.62, 0.0),
        "fifo registers": Cost(1.5, 1.08),
        "fixed products": Cost(0.14, 0.0),
        "issue": Cost(6.38, 5.21),
        "lines": Cost(8.08, 7.35),
        "lines count": Cost(1.54, 1.37),
        "lines past": Cost(0.0, 0.8),
        "lines ram": Cost(1.76, 1.12),
        "lines rows": Cost(1.41, 1.64),
        "lines turn": Cost(0.45, 0.0),
        "lines window": Cost(0.76, 1.87),
        "mac input": Cost(0.0, 0.67),
        "mac once": Cost(8.25, 6.59),
        "product registers": Cost(0.0, 0.44),
        "products": Cost(1.68, 0.0),
        "relu": Cost(0.12, 0.27),
        "relu once": Cost(4.69, 5.03),
        "requant in": Cost(0.55, 0.14),
        "requant once": Cost(6.34, 4.78),
        "requant out": Cost(0.38, 0.53),
        "ring": Cost(1.08, 0.26),
        "ring blocks": Cost(0.0, 0.91),
        "rom": Cost(2.11, 2.33),
        "rom address": Cost(0.75, 1.05),
        "rom choice": Cost(0.67, 0.0),
        "rom registers": Cost(0.0, 1.12),
        "sum tree": Cost(0.64, 0.73),
        "sumpool": Cost(1.15, 0.35),
        "sumpool once": Cost(6.9, 6.32),
        "table index": Cost(0.63, 0.25),
        "table once": Cost(3.92, 6.06),
        "unpack": Cost(5.5, 5.18),
        "unpack bits": Cost(0.58, 0.72),
        "unpacking": Cost(0.4, 0.0),
        "window": Cost(10.31, 7.59),
        "window address": Cost(3.41, 1.79),
        "window count": Cost(2.97, 3.08),
        "window edge": Cost(1.8, 1.45),
        "window list": Cost(1.76, 0.52),
        "window loops": Cost(1.54, 1.56),
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
