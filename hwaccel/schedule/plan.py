"""``Plan``: the blocks, streams and buffer sizes of a design, and when everything happens."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import gcd

from hwaccel.errors import ScheduleError
from hwaccel.ir import Graph, Node, TensorType
from hwaccel.ir.hardware import Fold, Hardware, Pipe, Style
from hwaccel.schedule.blocks import (
    Block,
    Fork,
    Pack,
    Reorder,
    Segment,
    Unpack,
)
from hwaccel.schedule.regions import Region, in_order
from hwaccel.schedule.spatial import Found, Spatial
from hwaccel.schedule.timing import Run, Timing, run


@dataclass(frozen=True, slots=True)
class Stream:
    """One link: ``lanes`` elements of ``width`` bits per beat, ``beats`` per frame."""

    name: str
    value: str
    lanes: int
    width: int
    beats: int

    @property
    def bits(self) -> int:
        """Width of a beat."""
        return self.lanes * self.width


@dataclass(frozen=True, slots=True)
class Plan:
    """A scheduled graph. ``inputs`` and ``outputs`` name the streams at the edge.

    ``spatial`` holds the circuit of every region that does not stream, by name. ``family`` is that
    of the target, which estimates of area depend on.
    """

    graph: Graph
    folds: Mapping[str, Fold]
    blocks: tuple[Block, ...]
    streams: Mapping[str, Stream]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    spatial: Mapping[str, Spatial] = field(default_factory=dict)
    found: Found = field(default_factory=Found)
    family: str = ""

    def run(self, frames: int = 4, arrivals: Mapping[str, list[int]] | None = None) -> Run:
        """Return when every beat moves; the source never waits unless ``arrivals`` says so."""
        beats = {name: self.streams[name].beats for name in self.inputs}
        return run(self.blocks, beats, self.outputs, frames, arrivals)

    def timing(self, frames: int = 4, arrivals: Mapping[str, list[int]] | None = None) -> Timing:
        """Return exact handshake times at the edges, as ``run`` does."""
        return Timing.of(self.run(frames, arrivals), self.inputs, self.outputs, frames)

    @property
    def segments(self) -> tuple[Segment, ...]:
        """The blocks that compute or buffer."""
        return tuple(block for block in self.blocks if isinstance(block, Segment))

    @property
    def bottleneck(self) -> Segment:
        """The segment that needs the most cycles per frame."""
        return max(self.segments, key=lambda segment: segment.cycles)

    def replaced(self, old: Block, new: Block) -> Plan:
        """Return the plan with one block exchanged."""
        return replace(self, blocks=tuple(new if b is old else b for b in self.blocks))


def build_plan(
    graph: Graph, folds: Mapping[str, Fold], spatial: Mapping[str, Spatial] | None = None
) -> Plan:
    """Lay out blocks and streams, with buffers of the smallest size that cannot deadlock alone.

    ``spatial`` holds the circuit of every region that does not stream, by name.
    """
    return _Layout(graph, folds, spatial or {}).plan()


class _Layout:
    """Walks the graph once and collects blocks and streams."""

    def __init__(
        self, graph: Graph, folds: Mapping[str, Fold], spatial: Mapping[str, Spatial]
    ) -> None:
        self._graph = graph
        self._spatial = spatial
        self._types = graph.types()
        self._uses = graph.uses()
        self._reads = _stream_readers(graph, spatial)
        self._folds = dict(folds)
        self._blocks: list[Block] = []
        self._streams: dict[str, Stream] = {}
        # Streams still to be consumed, per value: one for each reader.
        self._open: dict[str, list[str]] = defaultdict(list)

    def plan(self) -> Plan:
        """Lay out inputs, nodes and outputs in order."""
        inputs = [self._input(value.name) for value in self._graph.inputs]
        done: set[str] = set()
        for item in in_order(self._graph, tuple(s.region for s in self._spatial.values())):
            if isinstance(item, Region):
                self._region(self._spatial[item.name])
            elif item.name not in done:
                done |= self._node(item)
        outputs = tuple(self._open[name].pop(0) for name in self._graph.outputs)
        folds = {node.name: self._folds[node.name] for node in self._graph.nodes}
        return Plan(
            self._graph,
            folds,
            tuple(self._blocks),
            self._streams,
            tuple(inputs),
            outputs,
            self._spatial,
        )

    def _hardware(self, node: Node) -> Hardware:
        ins = tuple(self._types[name] for name in node.inputs)
        return node.op.hardware(ins, self._folds[node.name])

    def _lanes(self, node: Node, value: str) -> int:
        """Return the lanes in which ``node`` reads ``value``."""
        style = self._folds[node.name].style
        if style is Style.STREAM:
            return self._hardware(node).in_lanes[node.inputs.index(value)]
        type = self._types[value]
        return type.size if style is Style.SPATIAL else type.channels

    def _input(self, name: str) -> str:
        readers = self._graph.consumers(name)
        if not readers:
            raise ScheduleError(f"{name}: is an input that no node reads; drop it from the model")
        lanes = max(self._lanes(n, name) for n in readers)
        stream = self._stream(name, name, self._types[name], lanes)
        self._publish(name, stream)
        return stream

    def _node(self, node: Node) -> set[str]:
        """Lay out ``node`` and the elementwise nodes that ride on it; return their names."""
        hardware = self._hardware(node)
        if hardware.reorder:
            self._reorder(node, hardware)
            return {node.name}
        if not hardware.pipes and not node.op.elementwise:
            return self._alias(node)
        sources = [
            self._adapted(name, lanes, node.name)
            for name, lanes in zip(node.inputs, hardware.in_lanes, strict=True)
        ]
        members, pipes = [node], list(hardware.pipes)
        while (rider := self._rider(members[-1])) is not None:
            self._folds[rider.name] = Fold(hardware.out_lanes, 1)
            pipes += self._hardware(rider).pipes
            members.append(rider)
        if not pipes and hardware.issuer is None and len(sources) == 1:
            # Elementwise nodes that turn out to be wires.
            self._rename(sources[0], members[-1].name)
            return {m.name for m in members}
        last = members[-1]
        out = self._stream(last.name, last.name, last.output.type, hardware.out_lanes)
        issuer = hardware.issuer
        if issuer is not None:
            issuer = issuer.with_depth(issuer.min_depth())
        segment = Segment(
            last.name,
            tuple(sources),
            (out,),
            tuple(m.name for m in members),
            issuer,
            tuple(pipes),
            self._streams[out].beats,
            depth=1,
        )
        self._blocks.append(segment.with_depth(_full_rate_depth(segment)))
        self._publish(last.name, out)
        return {m.name for m in members}

    def _region(self, spatial: Spatial) -> None:
        """Lay out a circuit as the one pipe of a segment; several results leave side by side."""
        region, unit = spatial.region, spatial.unit
        taps = spatial.lines.taps if spatial.lines else 1
        sources = tuple(
            self._adapted(name, unit.ins[i].count // taps, region.name)
            for i, name in enumerate(region.inputs)
        )
        beats = self._types[region.outputs[0]].size // unit.outs[0].count
        bits = sum(lanes.bits for lanes in unit.outs)
        whole = len(region.outputs) == 1
        lanes, width = (unit.outs[0].count, unit.outs[0].width) if whole else (1, bits)
        pipe = Pipe(
            region.name,
            (),
            unit.piped.latency,
            lanes,
            width,
            operands=tuple(lanes.name for lanes in unit.ins),
            area=spatial.area,
            unit=unit,
        )
        if whole:
            type = self._types[region.outputs[0]]
            out = self._stream(region.outputs[0], region.outputs[0], type, lanes)
        else:
            out = f"{region.name}_all"
            self._streams[out] = Stream(out, region.name, 1, bits, beats)
        segment = Segment(
            region.name,
            sources,
            (out,),
            tuple(n.name for n in region.nodes),
            spatial.lines,
            (pipe,),
            beats,
            depth=1,
        )
        self._blocks.append(segment.with_depth(_full_rate_depth(segment)))
        if whole:
            self._publish(region.outputs[0], out)
            return
        parts, low = [], 0
        for group in unit.outs:
            parts.append(low)
            low += group.bits
        ends = tuple(
            self._stream(name, name, self._types[name], group.count)
            for name, group in zip(region.outputs, unit.outs, strict=True)
        )
        self._blocks.append(Fork(f"{region.name}_split", (out,), ends, beats, tuple(parts)))
        for name, end in zip(region.outputs, ends, strict=True):
            self._publish(name, end)

    def _rider(self, node: Node) -> Node | None:
        """Return the elementwise node that alone reads ``node``, if there is one."""
        readers = self._graph.consumers(node.name)
        if self._uses[node.name] != 1 or not readers or not readers[0].op.elementwise:
            return None
        if self._folds[readers[0].name].style is Style.STREAM:
            return readers[0]
        return None

    def _alias(self, node: Node) -> set[str]:
        self._rename(self._open[node.inputs[0]].pop(0), node.name)
        return {node.name}

    def _rename(self, stream: str, value: str) -> None:
        """Let ``value`` be carried by a stream that exists already."""
        self._publish(value, stream)

    def _reorder(self, node: Node, hardware: Hardware) -> None:
        assert hardware.reorder is not None
        source = self._adapted(node.inputs[0], hardware.in_lanes[0], node.name)
        out = self._stream(node.name, node.name, node.output.type, hardware.out_lanes)
        self._blocks.append(Reorder(node.name, (source,), (out,), hardware.reorder))
        self._publish(node.name, out)

    def _publish(self, value: str, stream: str) -> None:
        """Make the stream of ``value`` available to each of its readers."""
        count = self._reads[value]
        if count <= 1:
            self._open[value] = [stream]
            return
        source = self._streams[stream]
        copies = tuple(
            self._stream(f"{value}_to_{i}", value, self._types[value], source.lanes)
            for i in range(count)
        )
        self._blocks.append(Fork(f"{value}_fork", (stream,), copies, source.beats))
        self._open[value] = list(copies)

    def _adapted(self, value: str, lanes: int, reader: str) -> str:
        """Return a stream of ``value`` with ``lanes`` lanes, packing or unpacking as needed."""
        name = self._open[value].pop(0)
        steps = lane_steps(self._streams[name].lanes, lanes, self._types[value].size)
        for target in steps:
            name = self._converted(name, value, target, reader)
        return name

    def _converted(self, name: str, value: str, lanes: int, reader: str) -> str:
        have = self._streams[name].lanes
        if have == lanes:
            return name
        out = self._stream(f"{reader}_in", value, self._types[value], lanes)
        beats = self._streams[out].beats
        if lanes > have:
            self._blocks.append(Pack(f"{out}_pack", (name,), (out,), lanes // have, beats))
        else:
            self._blocks.append(Unpack(f"{out}_unpack", (name,), (out,), have // lanes, beats))
        return out

    def _stream(self, name: str, value: str, type: TensorType, lanes: int) -> str:
        unique, number = name, 1
        while unique in self._streams:
            number += 1
            unique = f"{name}_{number}"
        beats = type.size // lanes
        self._streams[unique] = Stream(unique, value, lanes, type.fixed.width, beats)
        return unique


def lane_steps(have: int, want: int, size: int) -> tuple[int, int]:
    """Return the lanes through which a tensor of ``size`` elements goes from ``have`` to ``want``.

    Each is a multiple of the one before, or the other way round.
    """
    common = gcd(have, want)
    if have != want and common not in (have, want) and size // common > size // want:
        # Through the common multiple no beat rate rises above that of either side.
        multiple = have * want // common
        common = multiple if size % multiple == 0 else common
    return common, want


def _stream_readers(graph: Graph, spatial: Mapping[str, Spatial]) -> Counter[str]:
    """Count who reads the stream of every value; a region reads each of its inputs once."""
    reads = Counter(graph.outputs)
    laid_out: set[str] = set()
    for item in spatial.values():
        reads.update(item.region.inputs)
        laid_out.update(node.name for node in item.region.nodes)
    for node in graph.nodes:
        if node.name not in laid_out:
            reads.update(node.inputs)
    return reads


def _full_rate_depth(segment: Segment) -> int:
    """Return the FIFO depth with which credits never slow the issuer down.

    A credit is away from its fire until the cycle after the beat has left; results leave at most
    every ``shortest`` reduction. One more place absorbs a consumer that is busy at the moment.
    """
    spacing = segment.window.shortest if segment.window else 1
    away = segment.latency + 1
    return -(-away // spacing) + 1
