"""Fold batch normalization into what stands in front of it, before weights are quantized."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from hwaccel.frontend.floatgraph import (
    Affine,
    Conv2d,
    Dense,
    FloatGraph,
    FloatNode,
    FloatOp,
    Reshape,
)


def fold_batchnorm(graph: FloatGraph) -> FloatGraph:
    """Return the graph with every ``scale`` folded into the linear op or ``scale`` it alone reads.

    ``(W x + b) * s + o`` becomes ``(s W) x + (s b + o)``; reshapes in between that keep the
    channels do not matter. The linear op keeps its name and path.
    """
    uses = graph.uses()
    made: dict[str, FloatNode] = {}
    rename: dict[str, str] = {}
    for node in graph.nodes:
        inputs = tuple(rename.get(name, name) for name in node.inputs)
        source = _linear(made, inputs[0], uses) if isinstance(node.op, Affine) else None
        if source is None:
            made[node.name] = replace(node, inputs=inputs)
        else:
            made[source.name] = replace(source, op=_folded(source.op, node.op))
            rename[node.name] = inputs[0]
            uses[inputs[0]] = uses[node.name]
    outputs = tuple(rename.get(name, name) for name in graph.outputs)
    return replace(graph, nodes=tuple(made.values()), outputs=outputs)


def _linear(made: dict[str, FloatNode], name: str, uses: Counter[str]) -> FloatNode | None:
    """Return the linear op behind ``name`` if nothing else reads it or what is made of it."""
    node = made.get(name)
    while node is not None and uses[node.name] == 1 and isinstance(node.op, Reshape):
        source = made.get(node.inputs[0])
        if source is None or source.output.shape[0] != node.op.shape[0]:
            return None
        node = source
    if node is not None and uses[node.name] == 1 and isinstance(node.op, Affine | Dense | Conv2d):
        return node
    return None


def _folded(op: FloatOp, norm: FloatOp) -> FloatOp:
    assert isinstance(op, Affine | Dense | Conv2d)
    assert isinstance(norm, Affine)
    if isinstance(op, Affine):
        return Affine(op.scale * norm.scale, op.offset * norm.scale + norm.offset)
    column = norm.scale.reshape(-1, *([1] * (op.weight.ndim - 1)))
    return replace(op, weight=op.weight * column, bias=op.bias * norm.scale + norm.offset)
