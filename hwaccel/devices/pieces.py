"""What a network can be cut into: the nodes that share hardware, in an order to compute them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hwaccel.ir import Graph
from hwaccel.ir.hardware import Area
from hwaccel.schedule.blocks import Block, Reorder, Segment
from hwaccel.schedule.estimate import block_area
from hwaccel.schedule.plan import Plan


@dataclass(frozen=True, slots=True)
class Piece:
    """Nodes that no cut parts, with an estimate of their hardware.

    ``reads`` are the values read from other pieces or the inputs, ``makes`` those of its nodes.
    ``cycles`` is the most that one of its segments takes for a frame; 0 where it is wires only.
    """

    nodes: tuple[str, ...]
    reads: tuple[str, ...]
    makes: frozenset[str]
    area: Area
    cycles: int
    paths: tuple[str, ...]


def pieces_of(plan: Plan) -> tuple[Piece, ...]:
    """Return the pieces of a scheduled graph, each behind those it reads from."""
    groups = _groups(plan)
    owner = {name: at for at, group in enumerate(groups) for name in group}
    areas, cycles = _costs(plan, owner, len(groups))
    made = []
    for at in _order(plan.graph, groups, owner):
        nodes = [node for node in plan.graph.nodes if owner[node.name] == at]
        inside = frozenset(node.name for node in nodes)
        reads = dict.fromkeys(n for node in nodes for n in node.inputs if n not in inside)
        paths = tuple(dict.fromkeys(node.path for node in nodes if node.path))
        names = tuple(node.name for node in nodes)
        made.append(Piece(names, tuple(reads), inside, areas[at], cycles[at], paths))
    return tuple(made)


def _groups(plan: Plan) -> list[list[str]]:
    """Return the nodes of every segment; wires belong to the node whose result they carry."""
    groups = [list(block.nodes) for block in plan.segments if block.nodes]
    groups += [[block.name] for block in plan.blocks if isinstance(block, Reorder)]
    at = {name: group for group in groups for name in group}
    for node in plan.graph.nodes:
        if node.name not in at:
            sources = {id(at[name]): at[name] for name in node.inputs if name in at}
            alone = len(sources) == 1 and all(name in at for name in node.inputs)
            group = next(iter(sources.values())) if alone else []
            if not alone:
                groups.append(group)
            group.append(node.name)
            at[node.name] = group
    return groups


def _order(graph: Graph, groups: list[list[str]], owner: Mapping[str, int]) -> list[int]:
    """Return the groups in an order to compute them, as near to that of the graph as may be."""
    needs: list[set[int]] = [set() for _ in groups]
    for node in graph.nodes:
        needs[owner[node.name]] |= {owner[name] for name in node.inputs if name in owner}
    place = {node.name: i for i, node in enumerate(graph.nodes)}
    left = sorted(range(len(groups)), key=lambda g: max(place[name] for name in groups[g]))
    done: list[int] = []
    while left:
        ready = next(g for g in left if needs[g] - {g} <= set(done))
        left.remove(ready)
        done.append(ready)
    return done


def _costs(plan: Plan, owner: Mapping[str, int], count: int) -> tuple[list[Area], list[int]]:
    areas, cycles = [Area()] * count, [0] * count
    for block in plan.blocks:
        at = _place(plan, block, owner)
        areas[at] += block_area(block, plan)
        if isinstance(block, Segment) and block.nodes:
            cycles[at] = max(cycles[at], block.cycles)
    return areas, cycles


def _place(plan: Plan, block: Block, owner: Mapping[str, int]) -> int:
    """Return whose hardware a block is: what carries a value belongs to the node that made it."""
    if isinstance(block, Segment) and block.nodes:
        return owner[block.nodes[0]]
    if isinstance(block, Reorder):
        return owner[block.name]
    value = plan.streams[block.inputs[0]].value
    if value in owner:
        return owner[value]
    return owner[plan.graph.consumers(value)[0].name]
