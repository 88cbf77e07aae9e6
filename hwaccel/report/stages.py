"""Stages: the parts of a plan as a reader counts them, each with the layers computed in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum

import numpy as np

from hwaccel.circuit.cost import breakdown
from hwaccel.ir import Graph, Node, TensorType
from hwaccel.ir.hardware import Area, Fold, Style
from hwaccel.ir.lines import Lines
from hwaccel.report.text import clean, shape_of
from hwaccel.schedule.blocks import Block, Reorder, Segment
from hwaccel.schedule.estimate import block_area, edge_area
from hwaccel.schedule.plan import Plan
from hwaccel.schedule.speed import Speed


class Kind(Enum):
    """What a stage does, as far as its picture is concerned."""

    MULTIPLY = "multiplies"
    WINDOW = "slides a window"
    JOIN = "joins streams"
    ELEMENTWISE = "element by element"
    REORDER = "changes the order"
    WIRES = "wires only"
    PORT = "input or output"


@dataclass(frozen=True, slots=True)
class Layer:
    """One node of the graph. ``fold`` is outputs × inputs per cycle, empty for wires."""

    name: str
    op: str
    path: str
    shape: str
    format: str
    weights: int
    zeros: int
    multiplications: int
    fold: str


@dataclass(frozen=True, slots=True)
class Stage:
    """Layers that share one segment. Cycles are exact, its area and Fmax are estimates.

    ``name`` is that of the segment, as in the Verilog and in ``plan.json``. ``busy`` is the share
    of the design's interval in which the stage works; ``latency`` counts the cycles from the read
    that completes a result to its valid output.
    """

    name: str
    kind: Kind
    layers: tuple[Layer, ...]
    cycles: int
    latency: int
    busy: float
    bottleneck: bool
    estimated_area: Area | None
    estimated_speed: Speed | None = None

    @property
    def title(self) -> str:
        """Name of the layer that gives the stage its work."""
        return self.layers[0].name


@dataclass(frozen=True, slots=True)
class Buffer:
    """A memory between stages: ``depth`` beats of ``bits`` bits."""

    name: str
    role: str
    depth: int
    bits: int

    @property
    def total_bits(self) -> int:
        """Bits it holds."""
        return self.depth * self.bits


@dataclass(frozen=True, slots=True)
class Logic:
    """What the nodes of one kind cost in a stage that is laid out in logic, estimated."""

    stage: str
    kind: str
    nodes: int
    luts: int
    ffs: int


def stages_of(plan: Plan, interval: int, speeds: Mapping[str, Speed]) -> tuple[Stage, ...]:
    """Return the stages in the order of the graph; every node is in exactly one.

    ``speeds`` are estimates by the name of a block.
    """
    types = plan.graph.types()
    blocks = {name: block for block in plan.blocks for name in nodes_in(block)}
    slowest = max((_cycles(block) for block in blocks.values()), default=0)
    stages: list[Stage] = []
    for node in plan.graph.nodes:
        block = blocks.get(node.name)
        if block is not None and nodes_in(block)[0] != node.name:
            continue  # rides on an earlier node
        stage = _stage(plan, block, node, types, interval)
        speed = speeds.get(block.name) if block else None
        hot = 0 < stage.cycles == slowest
        stages.append(replace(stage, bottleneck=hot, estimated_speed=speed))
    return tuple(stages)


def _cycles(block: Block | None) -> int:
    if isinstance(block, Reorder):
        return max(block.order.length, len(block.order.beats))
    return block.cycles if isinstance(block, Segment) else 0


def nodes_in(block: Block) -> tuple[str, ...]:
    """Return the nodes computed in ``block``; none for what only moves beats."""
    if isinstance(block, Segment):
        return block.nodes
    return (block.name,) if isinstance(block, Reorder) else ()


def _stage(
    plan: Plan,
    block: Block | None,
    node: Node,
    types: Mapping[str, TensorType],
    interval: int,
) -> Stage:
    names = nodes_in(block) if block else (node.name,)
    layers = tuple(_layer(plan.graph, name, types, plan, block is not None) for name in names)
    cycles = _cycles(block)
    return Stage(
        clean(names[-1]),
        _kind(block, node, types),
        layers,
        cycles,
        block.latency if isinstance(block, Segment) else 0,
        cycles / interval if interval else 0.0,
        False,
        block_area(block, plan) if isinstance(block, Segment) else None,
    )


def _kind(block: Block | None, node: Node, types: Mapping[str, TensorType]) -> Kind:
    if not isinstance(block, Segment):
        return Kind.REORDER if block else Kind.WIRES
    if node.op.multiplications(*(types[name] for name in node.inputs)):
        return Kind.MULTIPLY
    if block.issuer is not None:
        return Kind.WINDOW
    return Kind.JOIN if len(block.inputs) > 1 else Kind.ELEMENTWISE


def _layer(
    graph: Graph, name: str, types: Mapping[str, TensorType], plan: Plan, built: bool
) -> Layer:
    node = graph.node(name)
    assert node is not None
    ins = tuple(types[i] for i in node.inputs)
    weight = dict(node.op.kernel(*ins).arrays).get("weight")
    out = node.output.type
    return Layer(
        clean(name),
        node.op.name,
        clean(node.path),
        shape_of(out),
        str(out.fixed),
        weight.a.size if weight else 0,
        int(np.count_nonzero(weight.a == 0)) if weight else 0,
        node.op.multiplications(*ins),
        _folded(plan.folds[name]) if built else "",
    )


def _folded(fold: Fold) -> str:
    """Write what a node does per cycle."""
    return f"{fold.pe}×{fold.simd}" if fold.style is Style.STREAM else str(fold)


def logic_of(plan: Plan, family: str) -> tuple[Logic, ...]:
    """Return where the LUTs of the laid-out stages go, largest kind of node first."""
    found = []
    for name, spatial in plan.spatial.items():
        parts = [
            Logic(clean(name), kind, part.count, round(part.luts), part.ffs)
            for kind, part in breakdown(spatial.unit.piped, family).items()
            if part.luts or part.ffs
        ]
        found += sorted(parts, key=lambda part: -part.luts)
    return tuple(found)


def adapter_area(plan: Plan) -> Area:
    """Estimate what stands between the stages and at the edges: buffers, forks, converters."""
    between = (b for b in plan.blocks if not (isinstance(b, Segment) and b.nodes))
    return sum((block_area(block, plan) for block in between), edge_area(plan))


def buffers_of(plan: Plan) -> tuple[Buffer, ...]:
    """Return every ring, FIFO and reorder bank, in the order of the blocks."""
    found = []
    for block in plan.blocks:
        if isinstance(block, Reorder):
            bits = plan.streams[block.inputs[0]].bits
            found.append(Buffer(clean(block.name), "reorder banks", 2 * block.order.length, bits))
        elif isinstance(block, Segment):
            found += _segment_buffers(block, plan)
    return tuple(found)


def _segment_buffers(segment: Segment, plan: Plan) -> list[Buffer]:
    found = []
    if isinstance(segment.issuer, Lines):
        bits = plan.streams[segment.inputs[0]].bits
        rows = segment.issuer.memory_bits(bits) // bits
        found.append(Buffer(clean(segment.nodes[0]), "line buffer", rows, bits))
    elif segment.issuer is not None:
        bits = plan.streams[segment.inputs[0]].bits
        found.append(Buffer(clean(segment.nodes[0]), "window ring", segment.issuer.depth, bits))
    role = "output FIFO" if segment.nodes else "branch FIFO"
    name = segment.nodes[0] if segment.nodes else segment.inputs[0]
    bits = plan.streams[segment.outputs[0]].bits
    found.append(Buffer(clean(name), role, segment.depth, bits))
    return found
