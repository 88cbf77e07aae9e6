"""Which nodes share one circuit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hwaccel.ir import Graph, Node
from hwaccel.ir.hardware import Fold, Style

# hwa_join brings two streams together.
MAX_INPUTS = 2


@dataclass(frozen=True, slots=True)
class Region:
    """Nodes laid out in one circuit, in the order of the graph.

    ``inputs`` are the values read from outside, ``outputs`` those read outside.
    """

    style: Style
    nodes: tuple[Node, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    @property
    def name(self) -> str:
        """Name of the last node."""
        return self.nodes[-1].name


def regions(graph: Graph, folds: Mapping[str, Fold]) -> tuple[Region, ...]:
    """Return the regions of all nodes that are not streaming.

    Whole-frame nodes join the regions of their operands where the result stays convex (no
    path leaves it and comes back) and reads no more than two streams. A pixel node heads a
    region of its own, which the elementwise nodes that alone read it join.
    """
    members: list[list[str]] = []
    at: dict[str, int] = {}
    uses = graph.uses()
    for node in graph.nodes:
        style = folds[node.name].style
        if style is Style.STREAM:
            continue
        if style is Style.SPATIAL:
            _join(graph, folds, members, at, node)
            continue
        source = node.inputs[0]
        known = at.get(source)
        rides = node.op.elementwise and uses[source] == 1 and known is not None
        if rides and known is not None and folds[source].style is Style.PIXEL:
            members[known].append(node.name)
            at[node.name] = known
        else:
            at[node.name] = len(members)
            members.append([node.name])
    return tuple(_region(graph, names, folds) for names in members if names)


def _join(
    graph: Graph,
    folds: Mapping[str, Fold],
    members: list[list[str]],
    at: dict[str, int],
    node: Node,
) -> None:
    """Put ``node`` into the region of its operands, merging as many of them as stay legal."""
    joined = [node.name]
    for source in dict.fromkeys(node.inputs):
        known = at.get(source)
        if known is None or folds[source].style is not Style.SPATIAL:
            continue
        if not members[known]:  # joined a moment ago, with another operand
            continue
        merged = [*members[known], *joined]
        if _legal(graph, set(merged)):
            joined = merged
            members[known] = []
    place = {n.name: i for i, n in enumerate(graph.nodes)}
    members.append(sorted(joined, key=place.__getitem__))
    for name in joined:
        at[name] = len(members) - 1


def _legal(graph: Graph, inside: set[str]) -> bool:
    outside = {i for n in graph.nodes if n.name in inside for i in n.inputs} - inside
    if len(outside) > MAX_INPUTS:
        return False
    after: set[str] = set()  # outside nodes that depend on the inside
    for node in graph.nodes:
        depends = any(i in inside or i in after for i in node.inputs)
        if node.name in inside:
            if any(i in after for i in node.inputs):
                return False
        elif depends:
            after.add(node.name)
    return True


def _region(graph: Graph, names: list[str], folds: Mapping[str, Fold]) -> Region:
    nodes = tuple(n for n in graph.nodes if n.name in names)
    inside = set(names)
    inputs = dict.fromkeys(i for n in nodes for i in n.inputs if i not in inside)
    read = {i for n in graph.nodes if n.name not in inside for i in n.inputs} | set(graph.outputs)
    outputs = tuple(n.name for n in nodes if n.name in read)
    return Region(folds[nodes[0].name].style, nodes, tuple(inputs), outputs)


def in_order(graph: Graph, parts: tuple[Region, ...]) -> list[Node | Region]:
    """Return nodes and regions so that each comes after what it reads."""
    owner = {n.name: region for region in parts for n in region.nodes}
    order: list[Node | Region] = []
    done: set[str] = {value.name for value in graph.inputs}

    def visit(name: str) -> None:
        if name in done:
            return
        item = owner.get(name) or graph.node(name)
        assert item is not None
        for source in item.inputs:
            visit(source)
        done.update(n.name for n in item.nodes) if isinstance(item, Region) else done.add(name)
        order.append(item)

    for node in graph.nodes:
        visit(node.name)
    return order
