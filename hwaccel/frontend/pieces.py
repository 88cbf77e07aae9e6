"""What the outputs need of a ``FloatGraph``: no dead steps, no concatenation that is cut again."""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np

from hwaccel.frontend.floatgraph import Concat, FloatGraph, FloatNode, Gather, Reshape
from hwaccel.fxp import IntArray


def needed(graph: FloatGraph) -> FloatGraph:
    """Return ``graph`` with moves that read one operand of a concatenation read that operand.

    What no output needs is left out, so the other operand often goes with all that led to it.
    """
    nodes: dict[str, FloatNode] = {}
    shapes = {value.name: value.shape for value in graph.inputs}
    for node in graph.nodes:
        nodes[node.name] = _past_concat(node, nodes, shapes)
        shapes[node.name] = node.output.shape
    wanted, kept = set(graph.outputs), []
    for node in reversed(nodes.values()):
        if node.name in wanted:
            wanted.update(node.inputs)
            kept.append(node)
    return replace(graph, nodes=tuple(reversed(kept)))


def _past_concat(
    node: FloatNode, nodes: dict[str, FloatNode], shapes: dict[str, tuple[int, ...]]
) -> FloatNode:
    """Concatenation and reshapes keep the C order, so places in the result are those in parts."""
    if not isinstance(node.op, Gather):
        return node
    op, source, name = node.op, node.op.source.a, node.inputs[0]
    lo, hi = int(source.min()), int(source.max())
    while lo >= 0 and name in nodes:
        behind = nodes[name]
        if isinstance(behind.op, Concat):
            first = prod(shapes[behind.inputs[0]])
            if lo < first <= hi:
                break
            part = int(lo >= first)
            lo, hi, source = lo - part * first, hi - part * first, source - part * first
            name = behind.inputs[part]
        elif isinstance(behind.op, Reshape):
            name = behind.inputs[0]
        else:
            break
    if name == node.inputs[0]:
        return node
    size = prod(shapes[name])
    whole = len(source) == size and np.array_equal(source, np.arange(size))
    made = Reshape(op.shape) if whole else Gather(IntArray(source), op.shape, op.fill)
    return replace(node, op=made, inputs=(name,))
