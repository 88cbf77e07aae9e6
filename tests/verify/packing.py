"""Many small designs in one simulation: start-up and compilation are paid once for all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from hwaccel.emit.design import build_netlist
from hwaccel.emit.netlist import Netlist
from hwaccel.emit.verilog import emit_verilog
from hwaccel.ir import Graph, GraphBuilder, Op, TensorType, interpret
from hwaccel.ir.hardware import Fold
from hwaccel.schedule.buffers import size_buffers
from hwaccel.schedule.plan import Plan, build_plan
from hwaccel.verify.beats import Ints
from hwaccel.verify.jobs import Bench, Outcome, Stalls
from hwaccel.verify.rtl import Simulator, run_benches

FRAMES = 4


@dataclass(frozen=True)
class Design:
    """A graph made into hardware, and frames to send through it."""

    plan: Plan
    netlist: Netlist
    xs: tuple[Ints, ...]
    expected: tuple[Ints, ...]
    files: Mapping[str, str] = field(repr=False)


def one_op(name: str, op: Op, ins: tuple[TensorType, ...]) -> Graph:
    """A graph of one node."""
    builder = GraphBuilder(name)
    inputs = [builder.input(f"x{i}", type) for i, type in enumerate(ins)]
    return builder.build(builder.add("y", op, *inputs))


def design(graph: Graph, folds: Mapping[str, Fold], frames: int = FRAMES, seed: int = 1) -> Design:
    plan = build_plan(graph, folds)
    plan = size_buffers(plan) if plan.segments else plan
    netlist = build_netlist(plan)
    xs = tuple(_frames(value.type, frames, seed + i) for i, value in enumerate(graph.inputs))
    files = emit_verilog(netlist, ("made by a test",))
    return Design(plan, netlist, xs, tuple(interpret(graph, *xs)), files)


def _frames(type: TensorType, frames: int, seed: int) -> Ints:
    """Random frames; every other one holds extreme values only."""
    rng = np.random.default_rng(seed)
    x = rng.integers(type.lo, type.hi + 1, (frames, *type.shape))
    x[1::2] = rng.choice([type.lo, type.hi], x[1::2].shape)
    return x


def run_packed(
    designs: Sequence[Design],
    stalls: Sequence[Stalls],
    simulator: Simulator,
    workdir: Path | None = None,
) -> list[list[Outcome]]:
    """Run every design with every set of stalls, in one simulation."""
    files, top = pack([one.netlist for one in designs])
    for one in designs:
        files.update(one.files)
    benches = [Bench(one.netlist, one.xs, one.expected, f"d{i}_") for i, one in enumerate(designs)]
    return run_benches(
        files, top, benches, stalls, simulator=simulator, workdir=workdir, patience_cycles=5000
    )


def pack(netlists: Sequence[Netlist]) -> tuple[dict[str, str], str]:
    """Return a module that holds one of each, and its name.

    Its ports are theirs, with the number of the design before the name.
    """
    assert len({netlist.name for netlist in netlists}) == len(netlists)
    ports, instances = [], []
    for i, netlist in enumerate(netlists):
        ports += [
            f"    {port.direction} wire [{port.width - 1}:0] d{i}_{port.name}"
            for port in netlist.ports
        ]
        pins = ", ".join(f".{port.name}(d{i}_{port.name})" for port in netlist.ports)
        instances.append(f"    {netlist.name} d{i} ({pins});")
    head, body = ",\n".join(ports), "\n".join(instances)
    text = f"module all_designs (\n{head}\n);\n{body}\nendmodule\n"
    return {"all_designs.v": text}, "all_designs"
