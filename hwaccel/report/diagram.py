"""The dataflow graph as a reader draws it: stages and ports, with streams between.

Forks, width converters and branch FIFOs are no boxes of their own; they are written on the
stream they stand in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hwaccel.report.stages import Kind, Stage, nodes_in
from hwaccel.report.text import clean, count, shape_of
from hwaccel.schedule.blocks import Block, Fork, Pack, Segment, Unpack
from hwaccel.schedule.plan import Plan


@dataclass(frozen=True, slots=True)
class Box:
    """A stage, by its place in ``Report.stages``, or a port of the design: ``None``."""

    name: str
    kind: Kind
    stage: int | None = None


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream from one box to another, by their places in ``Diagram.boxes``.

    ``lanes`` are the elements per beat where it leaves and where it arrives; ``parts`` names
    what stands in it.
    """

    source: int
    target: int
    shape: str
    format: str
    width: int
    lanes: tuple[int, int]
    parts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Diagram:
    """Boxes in the order of the graph, and the streams between them."""

    boxes: tuple[Box, ...]
    streams: tuple[Stream, ...]


def key_of(box: int) -> str:
    """Return the key of a box by its place in the diagram."""
    return f"box-{box}"


def diagram_of(plan: Plan, stages: tuple[Stage, ...]) -> Diagram:
    """Return the picture of ``plan``; ``stages`` are those of ``stages_of``."""
    return _Walk(plan, stages).diagram()


@dataclass
class _Walk:
    plan: Plan
    stages: tuple[Stage, ...]
    boxes: list[Box] = field(default_factory=list)
    streams: list[Stream] = field(default_factory=list)

    def diagram(self) -> Diagram:
        plan, graph = self.plan, self.plan.graph
        made_by = {name: block for block in plan.blocks for name in block.outputs}
        sources: dict[str, int] = {}
        for stream, value in zip(plan.inputs, graph.inputs, strict=True):
            sources[stream] = self._box(Box(clean(value.name), Kind.PORT))
        drawn = [block for block in plan.blocks if nodes_in(block)]
        built = [(i, s) for i, s in enumerate(self.stages) if s.kind is not Kind.WIRES]
        targets = []
        for block, (place, stage) in zip(drawn, built, strict=True):
            index = self._box(Box(stage.title, stage.kind, place))
            sources[block.outputs[0]] = index
            node = graph.node(nodes_in(block)[0])
            assert node is not None
            targets.append((block.inputs, node.inputs, index))
        for stream, name in zip(plan.outputs, graph.outputs, strict=True):
            targets.append(((stream,), (name,), self._box(Box(clean(name), Kind.PORT))))
        for inputs, values, index in targets:
            for name, read in zip(inputs, values, strict=True):
                self._stream(name, read, index, sources, made_by)
        return Diagram(tuple(self.boxes), tuple(self.streams))

    def _box(self, box: Box) -> int:
        self.boxes.append(box)
        return len(self.boxes) - 1

    def _stream(
        self,
        name: str,
        value: str,
        target: int,
        sources: Mapping[str, int],
        made_by: Mapping[str, Block],
    ) -> None:
        """Walk back from ``target`` to the box that feeds it and note what is in between."""
        end, parts = self.plan.streams[name], []
        while name not in sources:
            block = made_by[name]
            if part := _part(block):
                parts.append(part)
            (name,) = block.inputs
        type = self.plan.graph.types()[value]
        lanes = self.plan.streams[name].lanes, end.lanes
        self.streams.append(
            Stream(
                sources[name],
                target,
                shape_of(type),
                str(type.fixed),
                end.width,
                lanes,
                tuple(reversed(parts)),
            )
        )


def _part(block: Block) -> str:
    if isinstance(block, Pack):
        return f"pack {block.ratio}:1"
    if isinstance(block, Unpack):
        return f"unpack 1:{block.ratio}"
    if isinstance(block, Fork):
        return ""
    assert isinstance(block, Segment)
    return f"FIFO {count(block.depth)}"
