"""RTL of hwaccel for the workloads: the free-running module of a spatial design."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from benchmarks.spatial.workloads import Layer, Workload
from hwaccel import Config, FixedType, design_from
from hwaccel.api import Design
from hwaccel.fxp import IntArray, Rounding
from hwaccel.ir import Graph, GraphBuilder, TensorType
from hwaccel.ops import Dense, Requant

Rtl = tuple[list[Path], str, dict[str, Any]]
Effort = Literal["fast", "normal", "high"]
TARGETS = {"ecp5": "ecp5-85k", "xcup": "xcup"}
EFFORT: Effort = "normal"


def graph_of(workload: Workload) -> Graph:
    """Return the workload as a graph."""
    builder = GraphBuilder("dut")
    fixed = FixedType(workload.signed, workload.bits, 0)
    value = builder.input("x", TensorType.full((workload.layers[0].weight.shape[1],), fixed))
    for number, layer in enumerate(workload.layers):
        zeros = IntArray(np.zeros(len(layer.weight), dtype=np.int64))
        dense = Dense(IntArray(layer.weight), zeros, IntArray(layer.bias))
        value = builder.add(f"fc{number}", dense, value)
        if layer.shift is not None:
            op = Requant(layer.shift, layer.lo, layer.hi, Rounding.HALF_UP)
            value = builder.add(f"act{number}", op, value)
    return builder.build(value)


def matrix_rtl(workload: Workload, depth_extra: int, outdir: Path) -> Rtl:
    """Return sources, top and facts of combinational ``y = W x``.

    ``depth_extra`` is the adder levels allowed beyond the least possible (-1: no limit).
    """
    extra = None if depth_extra < 0 else depth_extra
    return _rtl(workload, outdir, latency=0, extra_depth=extra)


def mlp_rtl(
    workload: Workload,
    layers: Sequence[Layer],
    outdir: Path,
    *,
    latency: int | None = None,
    levels: int | None = None,
) -> Rtl:
    """Return sources, top and facts of the network, with ``latency`` register ranks.

    ``latency`` 0 is combinational. ``levels`` instead asks for a register every that many adder
    levels. ``facts["latency"]`` holds the ranks that were made, inputs and outputs included.
    """
    del layers
    if latency is None:
        depth = int(_rtl(workload, outdir, latency=0)[2]["depth"])
        latency = -(-depth // (levels or depth))
    return _rtl(workload, outdir, latency=latency)


def _rtl(workload: Workload, outdir: Path, *, latency: int, extra_depth: int | None = None) -> Rtl:
    started = time.perf_counter()
    config = Config(
        name="dut", style="spatial", latency=latency, extra_depth=extra_depth, effort=EFFORT
    )
    design = design_from(graph_of(workload), config)
    (unit,) = design.netlist.units
    files = [name for name in design.verilog() if name.startswith(unit.name)]
    sources = []
    for name in files:
        path = outdir / name
        path.write_text(design.verilog()[name])
        sources.append(path)
    return sources, unit.name, {**_facts(design), "seconds": time.perf_counter() - started}


def _facts(design: Design) -> dict[str, Any]:
    (unit,) = design.netlist.units
    circuit = unit.piped.circuit
    levels = [0] * len(circuit.nodes)
    for number, node in enumerate(circuit.nodes):
        before = max((levels[i] for i in node.operands), default=0)
        levels[number] = before + (node.kind in ("sum", "max"))
    return {
        "adders": circuit.counts()["sum"],
        "depth": max((levels[i] for i in circuit.outputs), default=0),
        "latency": unit.piped.latency,
        "reg_bits": unit.piped.register_bits,
    }
