"""Networks to split and to make several times."""

from __future__ import annotations

import numpy as np

from hwaccel.api import Design, design_from
from hwaccel.config import Config
from hwaccel.devices.limits import Limits
from hwaccel.devices.links import LinkSpec, full_rate
from hwaccel.devices.partition import Wish, partition
from hwaccel.devices.split import Split
from hwaccel.fxp import FixedType, IntArray
from hwaccel.ir import Graph, GraphBuilder, TensorType
from hwaccel.ops import Add, Conv2d, Requant


def link(width: int = 32, latency: int = 3, credits: int | None = None) -> LinkSpec:
    return LinkSpec(width=width, latency=latency, credits=credits or full_rate(latency))


def blocks(count: int, size: int = 6, name: str = "blocks", bits: int = 4) -> Graph:
    """``count`` residual blocks in a row, so that any cut inside of one is crossed twice."""
    rng = np.random.default_rng(count)
    zeros = IntArray([0, 0])
    b = GraphBuilder(name)
    top = (1 << (bits - 1)) - 1
    x = b.input("x", TensorType.full((2, size, size), FixedType(True, bits, 2)))
    for i in range(count):
        y = x
        for part in ("one", "two"):
            weight = IntArray(rng.integers(-3, 4, (2, 2, 3, 3)))
            conv = Conv2d(weight, zeros, zeros, 0, padding=(1, 1, 1, 1))
            y = b.add(f"{part}{i}", conv, y, path=f"body.{i}.{part}")
            y = b.add(f"{part}{i}_q", Requant(2, -top - 1, top), y, path=f"body.{i}.{part}")
        x = b.add(f"sum{i}", Add.of(b.type(y), b.type(x)), y, x, path=f"body.{i}")
        x = b.add(f"sum{i}_q", Requant(2, -top - 1, top), x, path=f"body.{i}")
    return b.build(x)


def two_ways() -> Graph:
    """Two inputs, both read in the first layer and in the last, and two outputs."""
    rng = np.random.default_rng(7)
    zeros = IntArray([0, 0, 0])
    b = GraphBuilder("two_ways")
    type = TensorType.full((3, 4, 4), FixedType(True, 5, 2))
    x, z = b.input("x", type), b.input("z", type)
    weight = IntArray(rng.integers(-3, 4, (3, 3, 3, 3)))
    y = b.add("sum", Add.of(type, type), x, z)
    y = b.add("conv", Conv2d(weight, zeros, zeros, 0, padding=(1, 1, 1, 1)), y)
    y = b.add("small", Requant(2, -16, 15), y)
    last = b.add("last", Add.of(b.type(y), type), y, z)
    return b.build(last, y)


def design(graph: Graph, **options: object) -> Design:
    return design_from(graph, Config(**options))  # type: ignore[arg-type]


def split(graph: Graph, count: int, spec: LinkSpec, **options: object) -> Split:
    """A network over ``count`` devices, with links of any speed."""
    made = design(graph, **options)
    return partition(made, Wish((Limits(),) * count, spec, interval=1 << 40))
