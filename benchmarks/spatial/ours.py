"""RTL of hwaccel for the workloads: the free-running module of a spatial design."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from benchmarks.spatial.workloads import Workload
from hwaccel import Config, FixedType, design_from
from hwaccel.api import Design
from hwaccel.circuit.delay import model_for
from hwaccel.circuit.pipeline import check
from hwaccel.fxp import IntArray, Rounding
from hwaccel.ir import Graph, GraphBuilder, TensorType
from hwaccel.ops import Dense, Requant

Rtl = tuple[list[Path], str, dict[str, Any]]
Effort = Literal["fast", "normal", "high"]
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


def rtl(
    workload: Workload, target: str, outdir: Path, *, latency: int, extra_depths: Sequence[int]
) -> Rtl:
    """Return sources, top and facts of a workload with ``latency`` register ranks.

    ``latency`` 0 is combinational; the registers of the outputs count, the inputs have none.
    ``extra_depths`` are the adder levels allowed beyond the least possible (-1: no limit). Of
    several, the one with the shortest stage by our own delay model is taken; nothing is placed.
    """
    started = time.perf_counter()
    designs = [(_design(workload, target, latency, extra), extra) for extra in extra_depths]
    design, extra = min(designs, key=lambda made: _stage_ns(made[0])) if latency else designs[0]
    (unit,) = design.netlist.units
    sources = []
    for name, text in design.verilog().items():
        if name.startswith(unit.name) or name == "hwa_add3.v":
            sources.append(outdir / name)
            sources[-1].write_text(text)
    seconds = time.perf_counter() - started
    return sources, unit.name, {**_facts(design), "extra_depth": extra, "seconds": seconds}


def _design(workload: Workload, target: str, latency: int, extra_depth: int) -> Design:
    extra = None if extra_depth < 0 else extra_depth
    config = Config(
        name="dut",
        style="spatial",
        target=target,
        latency=latency,
        extra_depth=extra,
        effort=EFFORT,
    )
    return design_from(graph_of(workload), config)


def _stage_ns(design: Design) -> float:
    """Return the longest stage by the delay model."""
    (unit,) = design.netlist.units
    return check(unit.piped, model_for(design.config.family)) or 0.0


def _facts(design: Design) -> dict[str, Any]:
    (unit,) = design.netlist.units
    circuit = unit.piped.circuit
    levels = [0] * len(circuit.nodes)
    for number, node in enumerate(circuit.nodes):
        before = max((levels[i] for i in node.operands), default=0)
        levels[number] = before + {"sum": 1, "max": 1, "sum3": 2}.get(node.kind, 0)
    (given,) = unit.ins
    made = [(int(x.signed), x.width - x.signed, 0) for x in unit.outs for _ in range(x.count)]
    return {
        "adders": circuit.counts()["sum"] + 2 * circuit.counts()["sum3"],
        "depth": max((levels[i] for i in circuit.outputs), default=0),
        "latency": unit.piped.latency,
        "reg_bits": unit.piped.register_bits,
        "stage_ns": _stage_ns(design) if unit.piped.latency else None,
        "in_port": given.name,
        "out_port": "out_data",
        "in_widths": [given.width] * given.count,
        "out_kifs": made,
    }
