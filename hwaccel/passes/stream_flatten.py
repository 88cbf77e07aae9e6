"""Flatten in the order in which the hardware streams, and permute the weights instead."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from hwaccel.ir import Graph, Node, Op
from hwaccel.ops import Reshape
from hwaccel.passes.base import Pass
from hwaccel.passes.edit import Edit


@dataclass(frozen=True, slots=True)
class StreamFlatten(Pass):
    """Let a flatten count channels last where everything behind it can be permuted.

    PyTorch flattens channel by channel, hardware streams pixel by pixel; in between stands a
    buffer of the whole frame. Elementwise ops behind the flatten do not care (their constants
    move along), and a ``dense`` takes its columns in the new order. Exact: a sum does not depend
    on the order of its terms. Not done where the flattened value is a graph output or reaches
    any other op.

    ``%f = reshape(%x) {shape=(8,)}; %y = dense(%f) {weight=W}`` becomes
    ``%f = reshape(%x) {shape=(8,), channels_last=True}; %y = dense(%f) {weight=W[:, order]}``.
    """

    name: ClassVar[str] = "stream_flatten"

    def run(self, graph: Graph) -> Graph:
        """Turn every reshape that allows it."""
        edit = Edit(graph)
        edit.sweep(_turn)
        return edit.graph()


def _turn(edit: Edit, node: Node) -> bool:
    op = node.op
    if not isinstance(op, Reshape) or op.channels_last or len(op.shape) != 1:
        return False
    turned = replace(op, channels_last=True)
    order = turned.source(*edit.types(node))
    if np.array_equal(order, np.arange(order.size)):
        return False
    moved: dict[str, Op] = {}
    if not _permute(edit, node.name, order, moved):
        return False
    edit.set(node.name, turned)
    for name, permuted in moved.items():
        edit.set(name, permuted)
    return True


def _permute(edit: Edit, name: str, order: NDArray[np.int64], moved: dict[str, Op]) -> bool:
    """Collect in ``moved`` the permuted ops of all readers; ``False`` where there is none."""
    if edit.is_output(name):
        return False
    for reader in edit.readers(name):
        if reader.op.elementwise:
            permuted = reader.op.keep(order, order)
            free = _permute(edit, reader.name, order, moved)
        else:
            ties = reader.op.ties(*edit.types(reader))
            free = ties is not None and ties.size == 0
            permuted = reader.op.keep(order, np.arange(edit.type(reader.name).channels))
        if permuted is None or not free:
            return False
        moved[reader.name] = permuted
    return True
