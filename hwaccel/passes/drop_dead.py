"""Remove what no output depends on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from hwaccel.ir import Graph, Node
from hwaccel.passes.base import Fact, Pass


def _live(graph: Graph) -> tuple[Node, ...]:
    """Return the nodes from which a path leads to an output."""
    live = set(graph.outputs)
    for node in reversed(graph.nodes):
        if node.name in live:
            live.update(node.inputs)
    return tuple(node for node in graph.nodes if node.name in live)


NO_DEAD_NODES = Fact("no_dead_nodes", lambda graph: len(_live(graph)) == len(graph.nodes))


@dataclass(frozen=True, slots=True)
class DropDead(Pass):
    """Remove nodes from which no path leads to a graph output. Graph inputs stay.

    Exact: a node has no effect but its result.

    ``%a = relu(%x); %b = relu(%x); outputs: %b`` becomes ``%b = relu(%x); outputs: %b``.
    """

    name: ClassVar[str] = "drop_dead"
    ensures: ClassVar[tuple[Fact, ...]] = (NO_DEAD_NODES,)

    def run(self, graph: Graph) -> Graph:
        """Walk back from the outputs."""
        nodes = _live(graph)
        return graph if len(nodes) == len(graph.nodes) else replace(graph, nodes=nodes)
