"""Many small designs in one simulation: start-up and compilation are paid once for all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from hwaccel.emit.design import build_netlist
from hwaccel.emit.netlist import Edge, Netlist
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
    waves: Path | None = None,
) -> list[list[Outcome]]:
    """Run every design with every set of stalls, in one simulation."""
    files, top = pack([one.netlist for one in designs])
    for one in designs:
        files.update(one.files)
    benches = [Bench(one.netlist, one.xs, one.expected, f"d{i}_") for i, one in enumerate(designs)]
    return run_benches(
        files, top, benches, stalls, simulator=simulator, workdir=workdir, patience_cycles=5000,
        waves=waves,
    )  # fmt: skip


def pack(netlists: Sequence[Netlist], monitors: str = "") -> tuple[dict[str, str], str]:
    """Return a module that holds one of each, and its name.

    Its ports are theirs, with the number of the design before the name. ``monitors`` is Verilog
    that goes into it.
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
    head, body = ",\n".join(ports), "\n".join([*instances, monitors])
    text = f"module all_designs (\n{head}\n);\n{body}\nendmodule\n"
    return {"all_designs.v": text}, "all_designs"


def side_by_side(netlists: Sequence[Netlist]) -> tuple[str, Netlist]:
    """Return a module that holds one of each, with one clock and one reset, and its netlist.

    The streams of design ``i`` are called ``d{i}_``; ``frame_error`` is high when any of them is.
    """
    ports, instances = ["    input wire clk", "    input wire rst"], []
    for i, netlist in enumerate(netlists):
        own = [port for port in netlist.ports if port.name not in ("clk", "rst", "frame_error")]
        ports += [f"    {p.direction} wire [{p.width - 1}:0] d{i}_{p.name}" for p in own]
        pins = [f".{p.name}(d{i}_{p.name})" for p in own]
        pins += [".clk(clk)", ".rst(rst)", f".frame_error(errors[{i}])"]
        instances.append(f"    {netlist.name} d{i} ({', '.join(pins)});")
    errors = [f"    wire [{len(netlists) - 1}:0] errors;", "    assign frame_error = |errors;"]
    head = ",\n".join([*ports, "    output wire frame_error"])
    body = "\n".join([*errors, *instances])

    def edges(side: str) -> tuple[Edge, ...]:
        return tuple(
            replace(edge, prefix=f"d{i}_{edge.prefix}")
            for i, netlist in enumerate(netlists)
            for edge in getattr(netlist, side)
        )

    whole = Netlist("side_by_side", (), (), (), {}, edges("inputs"), edges("outputs"))
    return f"module side_by_side (\n{head}\n);\n{body}\nendmodule\n", whole
