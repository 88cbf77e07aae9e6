"""Functions of one node of few bits become tables where that is smaller."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hwaccel.circuit.builder import Builder
from hwaccel.circuit.circuit import Circuit
from hwaccel.circuit.lay_out import pruned
from hwaccel.circuit.node import Constant, Input, Node, Table, Times


def with_tables(circuit: Circuit, bits: int) -> Circuit:
    """Return the circuit with small functions of one node as tables.

    ``bits`` is the number of inputs of the target's LUT: a table of so many bits costs one LUT
    per output bit. What is replaced is a cone of adders and comparisons that nobody else reads;
    a cone without any is left to logic synthesis, which sees it anyway.
    """
    nodes = circuit.nodes
    support = _support(nodes, bits)
    readers = [len(r) for r in circuit.uses()]
    for output in circuit.outputs:
        readers[output] += 1
    build = Builder()
    new: dict[int, int] = {}
    values: dict[int, np.ndarray] = {}
    for number, node in enumerate(nodes):
        build.origin = circuit.origins[number]
        root = support[number]
        if root is None or root == number:
            new[number] = build.again(node, new)
        else:
            values[number] = _values(nodes, number, root, values)
            small = _small(nodes, number, root, support, readers)
            new[number] = (
                build.table(new[root], tuple(int(v) for v in values[number]))
                if small
                else build.again(node, new)
            )
        if circuit.elements[number] >= 0:
            build.elements.setdefault(
                new[number], (circuit.origins[number], circuit.elements[number])
            )
    return pruned(build, circuit.inputs, [new[i] for i in circuit.outputs])


def _support(nodes: Sequence[Node], bits: int) -> list[int | None]:
    """Return, for every node, the one node of few bits it is a function of, or ``None``.

    A node of few bits that is a function of another small one keeps the earlier one.
    """
    found: list[int | None] = []
    for number, node in enumerate(nodes):
        roots = {found[i] for i in node.operands if not isinstance(nodes[i], Constant)}
        if isinstance(node, Constant):
            found.append(None)
        elif len(roots) == 1 and None not in roots:
            found.append(roots.pop())
        else:
            found.append(number if node.width <= bits else None)
    return found


def _values(
    nodes: Sequence[Node], number: int, root: int, values: dict[int, np.ndarray]
) -> np.ndarray:
    """Return the value of a node for every value of ``root``."""
    span = np.arange(nodes[root].lo, nodes[root].hi + 1, dtype=np.int64)
    known = []
    for operand in nodes[number].operands:
        node = nodes[operand]
        if operand == root:
            known.append(span)
        elif isinstance(node, Constant):
            known.append(np.full(len(span), node.lo, dtype=np.int64))
        else:
            known.append(values[operand])
    return nodes[number].evaluate(*known)


def _small(
    nodes: Sequence[Node],
    number: int,
    root: int,
    support: Sequence[int | None],
    readers: Sequence[int],
) -> bool:
    """Tell whether a table is cheaper than the carry chains that only lead to the node."""
    chain, pending, seen = 0, [number], {root}
    while pending:
        at = pending.pop()
        if at in seen:
            continue
        seen.add(at)
        node = nodes[at]
        if isinstance(node, Constant | Input | Table):
            continue
        chain += node.width if node.kind in ("sum", "max") else 0
        if isinstance(node, Times):
            chain += node.width * min(nodes[i].width for i in node.operands)
        pending += [i for i in node.operands if support[i] == root and readers[i] == 1]
    return chain > nodes[number].width
