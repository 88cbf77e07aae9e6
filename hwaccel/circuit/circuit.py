"""``Circuit``: nodes in order, what is read, what is put out, and where each came from."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from hwaccel.circuit.node import Constant, Input, Ints, Node, Table
from hwaccel.errors import VerifyError


@dataclass(frozen=True, slots=True)
class Circuit:
    """A combinational circuit over integers.

    ``nodes`` are in topological order. ``inputs`` are the intervals of the input vector;
    ``outputs`` the nodes of the output vector. ``origins`` gives, for every node, the graph node
    it computes a part of, ``elements`` the index of the element it is the value of, or -1.
    """

    nodes: tuple[Node, ...]
    inputs: tuple[tuple[int, int], ...]
    outputs: tuple[int, ...]
    origins: tuple[str, ...]
    elements: tuple[int, ...]

    def evaluate(self, x: Ints) -> Ints:
        """Return the outputs ``(N, outputs)`` for inputs ``(N, inputs)``."""
        values: list[Ints] = []
        for node in self.nodes:
            if isinstance(node, Input):
                values.append(x[:, node.index])
            else:
                values.append(node.evaluate(*(values[i] for i in node.operands)))
        shape = (x.shape[0],)
        if not self.outputs:
            return np.empty((x.shape[0], 0), dtype=np.int64)
        return np.stack([np.broadcast_to(values[i], shape) for i in self.outputs], axis=1)

    def check(self) -> None:
        """Raise ``VerifyError`` unless nodes are in order and intervals fit the operands."""
        for number, node in enumerate(self.nodes):
            if any(not 0 <= i < number for i in node.operands):
                raise VerifyError(f"circuit node {number} reads a later node")
            if node.lo > node.hi:
                raise VerifyError(f"circuit node {number} has an empty interval")
            if node.width > 63:
                raise VerifyError(f"circuit node {number} needs {node.width} bits, more than 63")
            if isinstance(node, Table):
                x, count = self.nodes[node.a], len(node.values)
                if (node.first, node.first + count - 1) != (x.lo, x.hi):
                    raise VerifyError(f"circuit node {number} is a table of another interval")
            if isinstance(node, Input) and self.inputs[node.index] != (node.lo, node.hi):
                raise VerifyError(f"circuit node {number} is not its input's interval")

    def counts(self) -> Counter[str]:
        """Return the number of nodes of each kind."""
        return Counter(node.kind for node in self.nodes)

    def uses(self) -> list[list[int]]:
        """Return the readers of every node."""
        readers: list[list[int]] = [[] for _ in self.nodes]
        for number, node in enumerate(self.nodes):
            for operand in dict.fromkeys(node.operands):
                readers[operand].append(number)
        return readers

    @property
    def logic(self) -> tuple[int, ...]:
        """The nodes that are neither inputs nor constants."""
        return tuple(
            i for i, node in enumerate(self.nodes) if not isinstance(node, Input | Constant)
        )
