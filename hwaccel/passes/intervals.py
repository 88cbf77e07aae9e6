"""What every channel can be: the analysis that narrowing and pruning share."""

from __future__ import annotations

from hwaccel.ir import Graph
from hwaccel.ir.op import Interval, uniform


def channel_intervals(graph: Graph) -> dict[str, Interval]:
    """Return for every value the smallest and largest integer of each channel, two ``(C,)``."""
    types = graph.types()
    known = {value.name: uniform(value.type) for value in graph.inputs}
    for node in graph.nodes:
        ins = tuple(types[name] for name in node.inputs)
        known[node.name] = node.op.intervals(ins, *(known[name] for name in node.inputs))
    return known
