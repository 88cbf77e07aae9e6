"""Fold batch normalization into the linear op in front of it, before weights are quantized."""

from __future__ import annotations

from dataclasses import replace

from hwaccel.frontend.floatgraph import Affine, Conv2d, Dense, FloatGraph, FloatNode


def fold_batchnorm(graph: FloatGraph) -> FloatGraph:
    """Return the graph with every ``scale`` that is the only reader of a linear op folded into it.

    ``(W x + b) * s + o`` becomes ``(s W) x + (s b + o)``. The linear op keeps its path and takes
    the place of the ``scale``.
    """
    uses = graph.uses()
    made: dict[str, FloatNode] = {}
    rename: dict[str, str] = {}
    for node in graph.nodes:
        inputs = tuple(rename.get(name, name) for name in node.inputs)
        source = made.get(inputs[0])
        op = source.op if source is not None else None
        if (
            isinstance(node.op, Affine)
            and source is not None
            and isinstance(op, Dense | Conv2d)
            and uses[node.inputs[0]] == 1
        ):
            made[source.name] = replace(source, op=_folded(op, node.op))
            rename[node.name] = source.name
        else:
            made[node.name] = replace(node, inputs=inputs)
    outputs = tuple(rename.get(name, name) for name in graph.outputs)
    return replace(graph, nodes=tuple(made.values()), outputs=outputs)


def _folded(op: Dense | Conv2d, norm: Affine) -> Dense | Conv2d:
    column = norm.scale.reshape(-1, *([1] * (op.weight.ndim - 1)))
    return replace(op, weight=op.weight * column, bias=op.bias * norm.scale + norm.offset)
