"""What the page says of one box of the dataflow graph when it is chosen."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from hwaccel.emit.netlist import Netlist, sections_of
from hwaccel.fxp import IntArray
from hwaccel.ir import Node, TensorType
from hwaccel.ir.codec import attributes
from hwaccel.report.diagram import Diagram, key_of
from hwaccel.report.errors import LayerLoss
from hwaccel.report.pipeline import Pipeline, waits
from hwaccel.report.results import PartRow
from hwaccel.report.stages import Stage, nodes_in
from hwaccel.report.text import clean, count, listed, megahertz, percent, plural, shape_of
from hwaccel.schedule.plan import Plan

_MOST_ATTRIBUTES = 12
_MOST_INSTANCES = 24


@dataclass(frozen=True, slots=True)
class Step:
    """One node of a stage: what it computes in integers, and on what."""

    name: str
    op: str
    path: str
    operands: tuple[str, ...]
    result: str
    formula: str
    attributes: tuple[tuple[str, str], ...]
    error: str


@dataclass(frozen=True, slots=True)
class Detail:
    """A box of the graph by its key: facts as pairs of words, steps, instances in the Verilog."""

    key: str
    title: str
    kind: str
    facts: tuple[tuple[str, str], ...]
    steps: tuple[Step, ...]
    instances: tuple[tuple[str, str], ...]


def details_of(
    plan: Plan,
    netlist: Netlist | None,
    diagram: Diagram,
    stages: tuple[Stage, ...],
    pipeline: Pipeline,
    losses: Mapping[str, LayerLoss],
    parts: Mapping[str, PartRow],
) -> tuple[Detail, ...]:
    """Return a detail for every box, in order; ``parts`` is what stages were found to take."""
    return tuple(
        _port(plan, number, box.name)
        if box.stage is None
        else _stage(plan, netlist, number, stages[box.stage], pipeline, losses, parts)
        for number, box in enumerate(diagram.boxes)
    )


def _port(plan: Plan, number: int, name: str) -> Detail:
    graph, types = plan.graph, plan.graph.types()
    ends = [*((v.name, s, "in") for v, s in zip(graph.inputs, plan.inputs, strict=True))]
    ends += [*((v, s, "out") for v, s in zip(graph.outputs, plan.outputs, strict=True))]
    inputs = len(plan.inputs)
    # Inputs are the first boxes, outputs the last ones.
    known = [end for end in ends if clean(end[0]) == name]
    value, stream, way = known[0] if number < inputs else known[-1]
    info = plan.streams[stream]
    facts = (
        ("Tensor", _type(types[value])),
        ("Beat", f"{info.lanes} × {info.width} bit"),
        ("Beats per frame", count(info.beats)),
    )
    words = "input stream" if way == "in" else "output stream"
    return Detail(key_of(number), name, words, facts, (), ())


def _stage(
    plan: Plan,
    netlist: Netlist | None,
    number: int,
    stage: Stage,
    pipeline: Pipeline,
    losses: Mapping[str, LayerLoss],
    parts: Mapping[str, PartRow],
) -> Detail:
    block = next(b for b in plan.blocks if nodes_in(b) and clean(nodes_in(b)[-1]) == stage.name)
    types = plan.graph.types()
    nodes = [plan.graph.node(name) for name in nodes_in(block)]
    steps = tuple(_step(node, types, losses) for node in nodes if node is not None)
    return Detail(
        key_of(number),
        stage.title,
        stage.kind.value,
        _facts(stage, pipeline, parts.get(stage.name)),
        steps,
        _instances(plan, netlist, block.name),
    )


def _facts(stage: Stage, pipeline: Pipeline, found: PartRow | None) -> tuple[tuple[str, str], ...]:
    layer, area = stage.layers[0], stage.estimated_area
    facts = [
        ("Outputs × inputs per cycle", layer.fold),
        ("Cycles per frame", f"{count(stage.cycles)}, {percent(stage.busy)} of the interval"),
        ("Latency", plural(stage.latency, "cycle")),
    ]
    if layer.weights:
        zeros = f", {percent(layer.zeros / layer.weights)} of them zero" if layer.zeros else ""
        facts.append(("Weights", f"{count(layer.weights)}{zeros}"))
    work = sum(one.multiplications for one in stage.layers)
    if work:
        facts.append(("Multiplications per frame", count(work)))
    if area:
        amounts = ((area.luts, "LUT"), (area.ffs, "FF"), (area.dsps, "DSP"), (area.rams, "RAM"))
        facts.append(("Area, estimated", listed([f"{count(n)} {u}" for n, u in amounts if n])))
    if found:
        units = zip(found, ("LUT", "FF", "DSP", "RAM"), strict=True)
        facts.append(("Area, synthesized", listed([f"{count(n)} {u}" for n, u in units if n])))
    if stage.estimated_speed:
        speed = stage.estimated_speed
        said = f"≈ {megahertz(speed.fmax_mhz)} MHz, limited by its {speed.what}"
        facts.append(("Fmax, estimated", said))
    row = next((row for row in pipeline.rows if row.name == stage.title), None)
    if row:
        facts.append(("Steady state", waits(row, pipeline.cycles)))
    queue = next((queue for queue in pipeline.queues if queue.name == stage.title), None)
    if queue:
        facts.append(
            ("Output FIFO", f"holds at most {queue.most} of {plural(queue.depth, 'beat')}")
        )
    return tuple(facts)


def _step(node: Node, types: Mapping[str, TensorType], losses: Mapping[str, LayerLoss]) -> Step:
    name = clean(node.name)
    return Step(
        name,
        node.op.name,
        clean(node.path),
        tuple(f"{clean(i)} {_type(types[i])}" for i in node.inputs),
        _type(node.output.type),
        _formula(node),
        tuple((k, _value(v)) for k, v in attributes(node.op).items())[:_MOST_ATTRIBUTES],
        losses[name].words if name in losses else "",
    )


def _formula(node: Node) -> str:
    """Return what the op computes, from the first sentence of its description."""
    said = (type(node.op).__doc__ or "").split("\n\n")[0]
    return re.sub(r"\s+", " ", said).replace("``", "").strip()


def _value(value: object) -> str:
    """Write an attribute: small arrays whole, of large ones the shape and the range."""
    if not isinstance(value, IntArray):
        return clean(str(value), 80)
    if value.a.size <= 8:
        return str(value.a.tolist())
    shape = "×".join(str(n) for n in value.shape)
    return f"{shape} integers, {value.a.min()} to {value.a.max()}"


def _type(type: TensorType) -> str:
    return f"{shape_of(type)} {type.fixed}, {count(type.lo)} to {count(type.hi)}"


def _instances(plan: Plan, netlist: Netlist | None, name: str) -> tuple[tuple[str, str], ...]:
    """Return names and files of the modules that a block consists of."""
    if netlist is None:
        return ()
    section = next(s for b, s in sections_of(netlist, plan) if b.name == name)
    made = ((i.name, f"rtl/{i.module}.v") for i in section.instances)
    return tuple(made)[:_MOST_INSTANCES]
