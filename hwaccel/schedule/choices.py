"""The choices a plan is made of, as a small document that can be saved and edited."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Annotated, Literal

import msgspec

from hwaccel.config import Config
from hwaccel.errors import ScheduleError
from hwaccel.ir import Graph
from hwaccel.ir.hardware import Fold, Style
from hwaccel.schedule.blocks import Segment
from hwaccel.schedule.buffers import fork_copies, size_buffers, with_buffer
from hwaccel.schedule.fold import choose_folds
from hwaccel.schedule.plan import Plan, build_plan
from hwaccel.schedule.regions import regions
from hwaccel.schedule.spatial import Found, Maker, Say

Depth = Annotated[int, msgspec.Meta(ge=1, le=1 << 24)]


class Choices(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Folding (outputs, inputs per cycle) of each node and depth of each memory, in beats.

    ``styles`` names the nodes that do not stream, ``packs`` counts the outputs that share a
    multiplier, ``skips`` lists the nodes that skip zeros. ``rings`` and ``fifos`` are keyed by
    segment, ``buffers`` by the forked stream they end.
    """

    version: Literal[1] = 1
    folds: dict[str, tuple[Depth, Depth]]
    rings: dict[str, Depth]
    fifos: dict[str, Depth]
    buffers: dict[str, Depth]
    styles: dict[str, Style] = {}
    packs: dict[str, Depth] = {}
    skips: list[str] = []


def schedule(graph: Graph, config: Config, say: Say = lambda _: None) -> Plan:
    """Choose folding and buffer sizes for ``graph``; lay out what does not stream.

    Raises:
        ScheduleError: no legal choice meets the configuration.
    """
    return size_buffers(_built(graph, choose_folds(graph, config), Maker(graph, config, say=say)))


def _built(graph: Graph, folds: Mapping[str, Fold], maker: Maker) -> Plan:
    made = maker.make(regions(graph, folds))
    found = maker.found(made)
    return replace(build_plan(graph, folds, made), found=found, family=maker.config.family)


def choices_of(plan: Plan) -> Choices:
    """Return what distinguishes ``plan`` from other plans of its graph."""
    computing = [s for s in plan.segments if s.nodes]
    return Choices(
        folds={name: (fold.pe, fold.simd) for name, fold in plan.folds.items()},
        rings={s.name: s.window.depth for s in computing if s.window},
        fifos={s.name: s.depth for s in computing},
        buffers={s.inputs[0]: s.depth for s in plan.segments if not s.nodes},
        styles={n: f.style for n, f in plan.folds.items() if f.style is not Style.STREAM},
        packs={n: f.pack for n, f in plan.folds.items() if f.pack > 1},
        skips=[n for n, f in plan.folds.items() if f.skip],
    )


def plan_from(
    graph: Graph, choices: Choices, config: Config | None = None, found: Found | None = None
) -> Plan:
    """Return the plan that ``choices`` describes, with what an earlier search found.

    Raises:
        ScheduleError: a name is unknown, a fold is not legal, a depth is too small, or the
            design would deadlock.
    """
    plan = sized(laid_out(graph, choices, config, found), choices)
    plan.timing(2)  # raises when the design would deadlock
    return plan


def laid_out(
    graph: Graph, choices: Choices, config: Config | None = None, found: Found | None = None
) -> Plan:
    """Return the plan with the folding of ``choices`` and the smallest buffers.

    Raises:
        ScheduleError: a name is unknown, or a fold is not legal.
    """
    folds = _folds(graph, choices)
    plan = _built(graph, folds, Maker(graph, config or Config(), found or Found()))
    for node in graph.nodes:
        if plan.folds[node.name] != folds[node.name]:
            raise ScheduleError(
                f"{node.where}: {folds[node.name]} is not the folding {plan.folds[node.name]} of "
                "the node in front, which it follows; convert again"
            )
    return plan


def sized(plan: Plan, choices: Choices) -> Plan:
    """Return a plan that is laid out, with the depths of ``choices``.

    Raises:
        ScheduleError: a name is unknown, or a depth is missing or too small.
    """
    computing = {s.name for s in plan.segments}
    windowed = {s.name for s in plan.segments if s.window}
    copies = fork_copies(plan)
    _check_names(choices.fifos, computing, "a segment")
    _check_names(choices.rings, windowed, "a segment with a window")
    _check_names(choices.buffers, copies, "a forked stream")
    for segment in plan.segments:
        plan = plan.replaced(segment, _sized(segment, choices))
    for stream in copies:
        if stream in choices.buffers:
            plan = with_buffer(plan, stream, choices.buffers[stream])
    return plan


def _folds(graph: Graph, choices: Choices) -> dict[str, Fold]:
    types = graph.types()
    _check_names(choices.folds, {node.name for node in graph.nodes}, "a node")
    _check_names(choices.styles, {node.name for node in graph.nodes}, "a node")
    _check_names(choices.skips, {node.name for node in graph.nodes}, "a node")
    _check_names(choices.packs, {node.name for node in graph.nodes}, "a node")
    folds = {}
    for node in graph.nodes:
        if node.name not in choices.folds:
            raise ScheduleError(f"{node.where}: has no folding in the plan; convert again")
        fold = Fold(*choices.folds[node.name], skip=node.name in choices.skips)
        if node.name in choices.styles:
            folds[node.name] = Fold(style=choices.styles[node.name])
            continue
        if fold not in node.op.folds(*(types[name] for name in node.inputs)):
            raise ScheduleError(f"{node.where}: {fold} is not a legal folding; convert again")
        pack = choices.packs.get(node.name, 1)
        if pack > fold.pe:
            raise ScheduleError(
                f"{node.where}: {pack} outputs cannot share a multiplier where {fold} are computed "
                "side by side; convert again"
            )
        folds[node.name] = replace(fold, pack=pack)
    return folds


def _check_names(names: Iterable[str], known: Collection[str], what: str) -> None:
    for name in names:
        if name not in known:
            raise ScheduleError(f"{name}: is not {what} of this graph; convert again")


def _sized(segment: Segment, choices: Choices) -> Segment:
    depth = choices.fifos.get(segment.name)
    if depth is None:
        raise ScheduleError(f"{segment.name}: has no FIFO depth in the plan; convert again")
    segment = segment.with_depth(depth)
    if segment.window is None:
        return segment
    least, ring = segment.window.min_depth(), choices.rings.get(segment.name, 0)
    if ring < least:
        raise ScheduleError(
            f"{segment.name}: ring of {ring} beats is too small, the window needs {least}"
        )
    return segment.with_ring(ring)
