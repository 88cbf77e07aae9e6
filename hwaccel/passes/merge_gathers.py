"""One move of elements where several follow one another."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import ClassVar

import numpy as np

from hwaccel.fxp import IntArray
from hwaccel.ir import Graph, Node, Op, TensorType
from hwaccel.ops import Gather, Relu, Requant, Reshape
from hwaccel.passes.base import Pass
from hwaccel.passes.edit import Edit


@dataclass(frozen=True, slots=True)
class MergeGathers(Pass):
    """Compose gathers and reshapes that follow one another, and drop those that do nothing.

    Each one stands for a buffer of a whole frame in hardware. Two stay where one would take
    longer, because fewer lanes stay together in it. A gather also changes places with
    a requant or a relu in front of which it stands, where that lets it meet another: both treat
    all elements alike. Exact: elements are moved, not changed; a constant between them is
    changed as they are.

    ``%a = gather(%x) {source=[1,0]}; %b = gather(%a) {source=[1,0]}`` becomes ``%x``.
    """

    name: ClassVar[str] = "merge_gathers"

    def run(self, graph: Graph) -> Graph:
        """Compose until nothing more fits."""
        edit = Edit(graph)
        edit.sweep(_simple, _compose, _sink)
        return edit.graph()


def _move(node: Node | None) -> bool:
    """Tell whether a node moves elements in C order."""
    return node is not None and (
        isinstance(node.op, Gather) or (isinstance(node.op, Reshape) and not node.op.channels_last)
    )


def _simple(edit: Edit, node: Node) -> bool:
    """Turn a gather that moves nothing into a reshape, and drop a reshape to the same shape."""
    if not _move(node):
        return False
    x = edit.type(node.inputs[0])
    op = node.op
    if isinstance(op, Gather) and np.array_equal(op.source.a, np.arange(x.size)):
        edit.set(node.name, Reshape(op.shape))
        return True
    return isinstance(op, Reshape) and op.shape == x.shape and edit.bypass(node.name)


def _compose(edit: Edit, node: Node) -> bool:
    """Let the second of two moves read what the first reads; the first goes when nobody else does.

    Two reshapes stay as they are unless the first is read by the second alone, and so does a
    gather of a part that others read as well.
    """
    before = edit.node(node.inputs[0])
    if not _move(node) or before is None or not _move(before):
        return False
    stays = edit.only_reader(before.name) is None
    if stays and not isinstance(before.op, Gather):
        return False
    if stays and edit.type(before.name).size < edit.type(before.inputs[0]).size:
        return False  # what stays and is smaller takes less to read from
    made = _composed(before.op, node.op)
    if made is None or not edit.legal(made, *before.inputs) or _slower(edit, made, before, node):
        return False
    edit.set(node.name, made, *before.inputs)
    if not edit.readers(before.name) and not edit.is_output(before.name):
        edit.drop(before.name)
    return True


def _composed(first: Op, second: Op) -> Op | None:
    """Return one op for both, or ``None`` where two constants would stand between elements."""
    shape = second.shape  # type: ignore[attr-defined]
    if isinstance(first, Reshape):
        return Reshape(shape) if isinstance(second, Reshape) else second
    assert isinstance(first, Gather)
    if isinstance(second, Reshape):
        return Gather(first.source, shape, first.fill)
    assert isinstance(second, Gather)
    if first.fills and second.fills and first.fill != second.fill:
        return None
    inner = first.source.a
    source = np.where(second.source.a < 0, -1, inner[np.maximum(second.source.a, 0)])
    fill = first.fill if first.fills else second.fill
    return Gather(IntArray(source), shape, fill) if (source >= 0).any() else None


def _slower(edit: Edit, made: Op, first: Node, second: Node) -> bool:
    """Tell whether one move takes longer than each of two: where lanes part, then repeat together.

    What follows a transposition may move many lanes at a time, and one move for both only one.
    """
    x, between = edit.type(first.inputs[0]), edit.type(first.name)
    if made.infer(x).size <= max(x.size, between.size):
        return False
    cycles = _cycles(made, x)
    return cycles > max(_cycles(first.op, x), _cycles(second.op, between))


def _cycles(op: Op, x: TensorType) -> int:
    """Return the beats per frame of a move, as many lanes at a time as it has."""
    return max(x.size, op.infer(x).size) // max(fold.pe for fold in op.folds(x))


def _sink(edit: Edit, node: Node) -> bool:
    """Move a gather behind the elementwise op that alone reads it, towards another move."""
    if not isinstance(node.op, Gather):
        return False
    x = edit.type(node.inputs[0])
    if node.op.fills or prod(node.op.shape) < x.size:
        return False  # less is computed behind it
    reader = edit.only_reader(node.name)
    if reader is None or not isinstance(reader.op, Requant | Relu):
        return False
    after = edit.only_reader(reader.name)
    if not _leads_to_a_move(edit, after):
        return False
    edit.swap(node.name, reader.name)
    return True


def _leads_to_a_move(edit: Edit, node: Node | None) -> bool:
    while node is not None and isinstance(node.op, Requant | Relu):
        node = edit.only_reader(node.name)
    return _move(node)
