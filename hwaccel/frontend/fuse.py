"""One table where several calls together are a function of one number: ``x * sigmoid(x)``.

PyTorch exports some of its own functions in pieces, softsign among them, and people write others
by hand. Each piece would round; one table rounds once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import partial
from math import prod
from typing import Any

import numpy as np
import torch

from hwaccel.frontend.floatgraph import (
    Add,
    Affine,
    Clip,
    FloatGraph,
    FloatNode,
    FloatOp,
    Function,
    Gather,
    MinMax,
    Multiply,
    Relu,
    Reshape,
    Subtract,
)
from hwaccel.frontend.formats import Ints

Call = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True, slots=True)
class Expression:
    """``call`` of ``root``, out of ``steps`` calls, of which ``tables`` have tables anyway."""

    root: str
    call: Call
    steps: int = 0
    tables: int = 0


def fuse_functions(graph: FloatGraph) -> FloatGraph:
    """Return the graph with one function for what its calls compute of a single value.

    Only calls of one module are taken together: the bits of each module remain what they are.
    A relu, a clip or a sum at the front stays, for it need not have a rounded operand.
    """
    made: dict[str, FloatNode] = {}
    found: dict[str, Expression] = {}
    for node in graph.nodes:
        parts = [_part(made, found, node, name) for name in node.inputs]
        joined = _joined(node, parts)
        if joined is not None:
            found[node.name] = joined
            if joined.tables and joined.steps > 1:
                node = replace(node, op=Function(joined.call), inputs=(joined.root,))
        made[node.name] = node
    return needed(replace(graph, nodes=tuple(made.values())))


def merge_equal(graph: FloatGraph) -> FloatGraph:
    """Return the graph with one node where a module computes the same twice."""
    made: dict[tuple[Any, ...], FloatNode] = {}
    rename: dict[str, str] = {}
    for node in graph.nodes:
        inputs = tuple(rename.get(name, name) for name in node.inputs)
        values = tuple(getattr(node.op, field.name) for field in fields(node.op))
        # Arrays of floats are weights, which nobody writes down twice.
        unique = (node.name,) if any(isinstance(v, np.ndarray) for v in values) else ()
        key = (type(node.op), values if not unique else (), unique, inputs, node.path, node.guard)
        first = made.setdefault(key, replace(node, inputs=inputs))
        rename[node.name] = first.name
    outputs = tuple(rename.get(name, name) for name in graph.outputs)
    return replace(graph, nodes=tuple(made.values()), outputs=outputs)


def cancel_moves(graph: FloatGraph) -> FloatGraph:
    """Return the graph without moves that put everything back where earlier ones took it from.

    So what stands on either side meets: a factor and an offset along the last axis, for example.
    """
    shapes = {value.name: value.shape for value in graph.inputs}
    shapes |= {node.name: node.output.shape for node in graph.nodes}
    moved: dict[str, tuple[str, Ints]] = {}
    rename: dict[str, str] = {}
    made: list[FloatNode] = []
    for node in graph.nodes:
        node = replace(node, inputs=tuple(rename.get(name, name) for name in node.inputs))
        made.append(node)
        (first, *_) = node.inputs
        root, places = moved.get(first, (first, np.arange(prod(shapes[first]))))
        if isinstance(node.op, Gather) and (node.op.source.a >= 0).all():
            places = places[node.op.source.a]
        elif not isinstance(node.op, Reshape):
            continue
        moved[node.name] = root, places
        same = shapes[root] == node.output.shape and node.name not in graph.outputs
        if same and np.array_equal(places, np.arange(prod(shapes[root]))):
            rename[node.name] = root
    return needed(replace(graph, nodes=tuple(made)))


def needed(graph: FloatGraph) -> FloatGraph:
    """Return the graph without nodes that nobody reads."""
    wanted, kept = set(graph.outputs), []
    for node in reversed(graph.nodes):
        if node.name in wanted:
            wanted.update(node.inputs)
            kept.append(node)
    return replace(graph, nodes=tuple(reversed(kept)))


def _part(
    made: dict[str, FloatNode], found: dict[str, Expression], node: FloatNode, name: str
) -> Expression:
    same = name in made and made[name].path == node.path
    return found[name] if same and name in found else Expression(name, _itself)


def _itself(x: torch.Tensor) -> torch.Tensor:
    return x


def _joined(node: FloatNode, parts: list[Expression]) -> Expression | None:
    """Return the expression that ``node`` makes of those of its operands, if it is one."""
    op = node.op
    rounds = isinstance(op, Function | Multiply | Affine) and uniform(op)
    alike = isinstance(op, Add | Subtract | MinMax | Relu | Clip)
    if not rounds and not (alike and any(part.steps for part in parts)):
        return None
    if len({part.root for part in parts}) > 1:
        return None
    calls = [part.call for part in parts]
    return Expression(
        parts[0].root,
        partial(_run, elementwise(op), calls),
        1 + sum(part.steps for part in parts),
        isinstance(op, Function) + sum(part.tables for part in parts),
    )


def _run(outer: Callable[..., torch.Tensor], calls: list[Call], x: torch.Tensor) -> torch.Tensor:
    return outer(*(call(x) for call in calls))


def elementwise(op: FloatOp) -> Callable[..., torch.Tensor]:
    """Return what ``op`` does with tensors of any shape."""
    return partial(_line, op) if isinstance(op, Affine) else op.run


def _line(op: Affine, x: torch.Tensor) -> torch.Tensor:
    return x * float(op.scale[0]) + float(op.offset[0])


def uniform(op: FloatOp) -> bool:
    """Tell whether ``op`` treats all channels alike; only those of ``Affine`` may differ."""
    return not isinstance(op, Affine) or bool(np.ptp(op.scale) == 0 and np.ptp(op.offset) == 0)
