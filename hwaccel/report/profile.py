"""``Profile``: what every PyTorch module costs in work, memory and hardware, and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from hwaccel.ir import Node, TensorType
from hwaccel.ir.hardware import Area, Style
from hwaccel.ir.lines import Lines
from hwaccel.report.stages import adapter_area
from hwaccel.report.text import clean, count, megahertz, percent, plural
from hwaccel.schedule.blocks import Block, Reorder, Segment
from hwaccel.schedule.estimate import block_area
from hwaccel.schedule.fits import FMAX_ERRORS
from hwaccel.schedule.plan import Plan
from hwaccel.schedule.speed import Speed, plan_speed


@dataclass(frozen=True, slots=True)
class Part:
    """What one PyTorch module costs, with the modules that share its hardware.

    ``memory_bits`` are those of its rings, line buffers and FIFOs, all of which hold activations.
    ``moved_bits`` are those of operands and results that cross its edges in a frame, and of the
    weights and constants that are read from memories. ``cycles`` and ``latency`` are exact,
    ``area`` is an estimate. ``limit`` says what its cycles are spent on.
    """

    path: str
    others: tuple[str, ...]
    parameters: int
    weights: int
    zeros: int
    multiplications: int
    additions: int
    memory_bits: int
    moved_bits: int
    area: Area
    cycles: int
    latency: int
    limit: str

    @property
    def sparsity(self) -> float:
        """Share of the weights that are zero."""
        return self.zeros / self.weights if self.weights else 0.0

    @property
    def work(self) -> int:
        """Area times cycles: what a frame takes of the device, however the module is folded."""
        return self.area.equivalent * self.cycles


@dataclass(frozen=True, slots=True)
class Profile:
    """All modules that became hardware, in order, and what stands between them.

    ``speed`` is the estimated Fmax, None for a family whose delays were never fitted.
    """

    parts: tuple[Part, ...]
    between: Area
    interval: int
    latency: int
    speed: Speed | None = None
    speed_error: float = 0.0

    @property
    def area(self) -> Area:
        """Estimate of the whole design."""
        return sum((part.area for part in self.parts), self.between)

    @property
    def work(self) -> int:
        """The modules' work added up."""
        return sum(part.work for part in self.parts)

    def bottlenecks(self) -> tuple[tuple[str, str], ...]:
        """Return what a bottleneck is measured by, and a sentence that names it and its cause."""
        if not self.parts:
            return ()
        slowest = max(self.parts, key=lambda part: part.cycles)
        largest = max(self.parts, key=lambda part: part.area.equivalent)
        dearest = max(self.parts, key=lambda part: part.work)
        area = percent(largest.area.equivalent / (self.area.equivalent or 1), 0)
        work = percent(dearest.work / (self.work or 1), 0)
        return (
            (
                "cycles",
                f"{_named(slowest)} needs {plural(slowest.cycles, 'cycle')} of the "
                f"{count(self.interval)} per frame: {slowest.limit}",
            ),
            ("area", f"{_named(largest)} takes {area} of the area, {_most(largest.area)}"),
            (
                "work",
                f"{_named(dearest)} does {work} of area times cycles, {_most(dearest.area)}, for "
                f"{plural(dearest.cycles, 'cycle')}",
            ),
            *self._clock(),
        )

    def _clock(self) -> tuple[tuple[str, str], ...]:
        if self.speed is None:
            return ()
        return (
            (
                "clock",
                f"about {megahertz(self.speed.fmax_mhz)} MHz, an estimate off by "
                f"{percent(self.speed_error, 0)} on average: the {self.speed.what} of "
                f"{clean(self.speed.block)}",
            ),
        )


def profile_of(plan: Plan, speeds: Mapping[str, Speed] | None = None) -> Profile:
    """Return the profile of a scheduled design; ``speeds`` are those of its blocks, if known.

    What is computed in one segment counts for the first module in it.
    """
    types, timing = plan.graph.types(), plan.timing()
    nodes = {node.name: node for node in plan.graph.nodes}
    found: dict[str, Part] = {}
    for block in plan.blocks:
        if isinstance(block, Segment | Reorder):
            part = _part(plan, block, nodes, types)
            found[part.path] = _joined(found[part.path], part) if part.path in found else part
    return Profile(
        tuple(found.values()),
        adapter_area(plan),
        timing.interval,
        timing.latency,
        plan_speed(plan, speeds),
        FMAX_ERRORS.get(plan.family, 0.0),
    )


def _part(
    plan: Plan, block: Segment | Reorder, nodes: Mapping[str, Node], types: Mapping[str, TensorType]
) -> Part:
    inside = [
        nodes[name] for name in ((block.name,) if isinstance(block, Reorder) else block.nodes)
    ]
    paths = list(dict.fromkeys(clean(node.path) for node in inside if node.path))
    moved = _stream_bits(plan, (*block.inputs, *block.outputs))
    weights = [w for node in inside if (w := _arrays(node, types).get("weight")) is not None]
    products = sum(n.op.multiplications(*_ins(n, types)) for n in inside)
    segment = block if isinstance(block, Segment) else None
    return Part(
        path=paths[0] if paths else "",
        others=tuple(paths[1:]),
        parameters=sum(a.size for node in inside for a in _arrays(node, types).values()),
        weights=sum(weight.size for weight in weights),
        zeros=sum(int(np.count_nonzero(weight == 0)) for weight in weights),
        multiplications=products,
        additions=sum(n.op.additions(*_ins(n, types)) for n in inside),
        memory_bits=_memory_bits(plan, block),
        moved_bits=moved + (_rom_bits(segment) if segment else 0),
        # The area of what reorders is counted with what stands between the segments.
        area=block_area(segment, plan) if segment and segment.nodes else Area(),
        cycles=segment.cycles if segment else _reorder_cycles(block),
        latency=segment.latency if segment else 0,
        limit=_limit(plan, block, inside, products),
    )


def _joined(first: Part, second: Part) -> Part:
    """Add up two parts of a module; the slower one says what limits it."""
    slower = max(first, second, key=lambda part: part.cycles)
    others = dict.fromkeys((*first.others, *second.others))
    return Part(
        first.path,
        tuple(path for path in others if path != first.path),
        first.parameters + second.parameters,
        first.weights + second.weights,
        first.zeros + second.zeros,
        first.multiplications + second.multiplications,
        first.additions + second.additions,
        first.memory_bits + second.memory_bits,
        first.moved_bits + second.moved_bits,
        first.area + second.area,
        slower.cycles,
        first.latency + second.latency,
        slower.limit,
    )


def _ins(node: Node, types: Mapping[str, TensorType]) -> tuple[TensorType, ...]:
    return tuple(types[name] for name in node.inputs)


def _arrays(node: Node, types: Mapping[str, TensorType]) -> dict[str, np.ndarray]:
    """Return weights and biases; shifts and tables follow from formats and are no parameters."""
    arrays = dict(node.op.kernel(*_ins(node, types)).arrays)
    return {k: v.a for k, v in arrays.items() if k in ("weight", "bias", "mult", "add")}


def _stream_bits(plan: Plan, names: Iterable[str]) -> int:
    return sum(plan.streams[name].beats * plan.streams[name].bits for name in names)


def _rom_bits(segment: Segment) -> int:
    """Return the bits read from memories per frame: weights per beat, the rest per result."""
    issued = segment.issuer.cycles if segment.issuer else segment.beats
    return sum(
        rom.word_bits * (issued if pipe.framed and rom.parameter == "WEIGHTS" else segment.beats)
        for pipe in segment.pipes
        for rom in pipe.roms
    )


def _memory_bits(plan: Plan, block: Segment | Reorder) -> int:
    read = plan.streams[block.inputs[0]].bits
    if isinstance(block, Reorder):
        return 2 * block.order.length * read
    held = block.depth * plan.streams[block.outputs[0]].bits
    if isinstance(block.issuer, Lines):
        return held + block.issuer.memory_bits(read)
    return held + (block.issuer.depth * read if block.issuer else 0)


def _reorder_cycles(block: Block) -> int:
    assert isinstance(block, Reorder)
    return max(block.order.length, len(block.order.beats))


def _limit(plan: Plan, block: Segment | Reorder, inside: list[Node], products: int) -> str:
    """Say what the cycles of a block are spent on."""
    if isinstance(block, Reorder):
        return "a frame is written and read in another order, a beat per cycle"
    if not block.nodes:
        return "beats wait for another branch"
    if isinstance(block.issuer, Lines):
        return "a pixel enters per cycle"
    fold = plan.folds[inside[0].name]
    if fold.style is not Style.STREAM:
        return f"a {'frame' if fold.style is Style.SPATIAL else 'pixel'} enters per cycle"
    taken = max(plan.streams[name].beats for name in block.inputs)
    issued = block.issuer.cycles if block.issuer else block.beats
    if taken >= issued:
        lanes = plan.streams[block.inputs[0]].lanes
        return f"{plural(taken, 'beat')} of {plural(lanes, 'element')} come in, one per cycle"
    if products:
        at_once = fold.pe * fold.simd
        return f"{plural(products, 'product')}, {count(at_once)} per cycle"
    lanes = plan.streams[block.outputs[0]].lanes
    return f"{plural(issued, 'beat')} of {plural(lanes, 'element')} are read, one per cycle"


def _named(part: Part) -> str:
    return part.path or "the model itself"


def _most(area: Area) -> str:
    """Say what most of an area is."""
    kinds = (
        (Area(luts=area.luts), plural(area.luts, "LUT")),
        (Area(dsps=area.dsps), plural(area.dsps, "multiplier")),
        (Area(rams=area.rams), plural(area.rams, "block RAM")),
    )
    most, text = max(kinds, key=lambda kind: kind[0].equivalent)
    return f"{percent(most.equivalent / (area.equivalent or 1), 0)} of it {text}"
