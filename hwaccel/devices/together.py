"""All devices and links as one plan: so that buffers are sized, and cycles predicted, together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from hwaccel.devices.links import LinkSpec
from hwaccel.devices.parts import Parts
from hwaccel.devices.ways import Way, way_of
from hwaccel.ir import Graph
from hwaccel.schedule.blocks import Block
from hwaccel.schedule.choices import Choices
from hwaccel.schedule.plan import Plan, Stream


def own(number: int, name: str) -> str:
    """Return the name of a block or stream of device ``number`` in the plan of all."""
    return f"d{number}/{name}"


def prefixed(plan: Plan, number: int, moved: Mapping[str, str]) -> tuple[list[Block], list[Stream]]:
    """Return the blocks and streams of a device under other names; those in ``moved`` get these."""

    def name(stream: str) -> str:
        return moved.get(stream, own(number, stream))

    blocks = [
        replace(
            block,
            name=own(number, block.name),
            inputs=tuple(map(name, block.inputs)),
            outputs=tuple(map(name, block.outputs)),
        )
        for block in plan.blocks
    ]
    return blocks, [replace(s, name=name(s.name)) for s in plan.streams.values()]


def ways_of(plans: Sequence[Plan], parts: Parts, link: LinkSpec) -> tuple[Way, ...]:
    """Return the links between devices whose plans are these."""
    ways = []
    for number, join in enumerate(parts.joins):
        source, target = plans[join.source], plans[join.target]
        left = source.streams[source.outputs[join.output]]
        right = target.streams[target.inputs[join.input]]
        left = replace(left, name=own(join.source, left.name))
        ways.append(way_of(number, join, link, left, right))
    return tuple(ways)


def joined(graph: Graph, plans: Sequence[Plan], parts: Parts, ways: Sequence[Way]) -> Plan:
    """Return the plan of all devices: the blocks of each, and those of the links between them."""
    moved: list[dict[str, str]] = [{} for _ in plans]
    blocks: list[Block] = []
    streams: dict[str, Stream] = {}
    for way in ways:
        last = way.blocks[-1].outputs[0]
        moved[way.join.target][plans[way.join.target].inputs[way.join.input]] = last
    for number, plan in enumerate(plans):
        made, named = prefixed(plan, number, moved[number])
        blocks += made
        streams.update((stream.name, stream) for stream in named)
    for way in ways:
        blocks += way.blocks
        streams.update(way.streams)
    inputs = tuple(own(at, plans[at].inputs[port]) for at, port in parts.inputs)
    outputs = tuple(own(at, plans[at].outputs[port]) for at, port in parts.outputs)
    return Plan(graph, {}, tuple(blocks), streams, inputs, outputs)


def depths_of(plan: Plan, number: int, choices: Choices) -> Choices:
    """Return ``choices`` of device ``number`` with the depths that its buffers have in ``plan``."""
    stem = own(number, "")
    mine = [s for s in plan.segments if s.name.startswith(stem)]
    computing = [s for s in mine if s.nodes]

    def bare(name: str) -> str:
        return name.removeprefix(stem)

    buffers = {bare(s.inputs[0]): s.depth for s in mine if not s.nodes}
    return Choices(
        folds=choices.folds,
        rings={bare(s.name): s.window.depth for s in computing if s.window},
        fifos={bare(s.name): s.depth for s in computing},
        buffers=buffers,
        styles=choices.styles,
        packs=choices.packs,
        skips=choices.skips,
    )
