"""Sums of many single bits as chains that take a third bit in at the bottom.

An adder of ``k`` bits has room for a carry into its lowest place. So two counts of ``2^k - 1`` bits
and one bit more give a count of ``2^(k+1) - 1`` bits, and ``n`` bits take about ``n - log2(n)``
places of carry chains, where a tree of two-operand adders takes up to twice as many. The way is
that of parallel counters (E. Swartzlander, *IEEE Trans. Computers* C-22, 1973), made of carry
chains. As the carry into a chain has no port of its own in a circuit, both operands get the bit as
an additional lowest one: ``2a + c`` and ``2b + c`` add up to ``2 (a + b + c)``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from hwaccel.circuit.builder import Builder
from hwaccel.circuit.node import Node, Table
from hwaccel.cmvm import Problem

# A LUT that adds has one input for the other operand.
_LUT_INPUTS = 6


def countable(problem: Problem) -> bool:
    """Tell whether every term is a bit times a power of two."""
    bits = all(ends == (0, 1) for ends in zip(problem.lo, problem.hi, strict=True))
    size = np.abs(problem.matrix.a.astype(np.int64))
    return bits and not (size & (size - 1)).any()


def counts(build: Builder, problem: Problem, xs: Sequence[int]) -> list[int]:
    """Return the rows of a countable problem for the nodes ``xs``."""
    rows = zip(problem.matrix.a.tolist(), problem.bias.a.tolist(), strict=True)
    return [_row(build, row, xs, bias) for row, bias in rows]


def _row(build: Builder, weights: Sequence[int], xs: Sequence[int], bias: int) -> int:
    groups: dict[int, list[int]] = defaultdict(list)
    for number, weight in zip(xs, weights, strict=True):
        if weight:
            groups[weight].append(number)
    signs = []
    for sign in (1, -1):
        total = build.constant(0)
        for place in sorted(abs(w) for w in groups if w * sign > 0):
            group = count(build, groups[sign * place])
            total = build.sum(total, group, place.bit_length() - 1)
        signs.append(total)
    plus, minus = signs
    return build.offset(build.sum(plus, minus, 0, subtract=True), bias)


def count(build: Builder, bits: Sequence[int]) -> int:
    """Return how many of ``bits``, one or more nodes of [0, 1], are 1."""
    narrow = [i for i in bits if _narrow(build.nodes[i], build.nodes)]
    chosen = set(narrow)
    return _count(build, len(bits), [i for i in bits if i not in chosen], narrow)


def _narrow(node: Node, nodes: Sequence[Node]) -> bool:
    """Tell whether the LUT of an adder has room for the table that the node is."""
    return isinstance(node, Table) and nodes[node.a].width < _LUT_INPUTS


def _count(build: Builder, size: int, wide: list[int], narrow: list[int]) -> int:
    """Count ``size`` bits, taken from the two lists.

    Carries and first operands are signals of their own; a second operand that nobody else reads
    is made in the LUT that adds it. So that is where the narrow tables go.
    """
    if size == 1:
        return (wide or narrow).pop()
    if size <= 3:
        a, b = (wide or narrow).pop(), (narrow or wide).pop()
        return build.sum(a, b) if size == 2 else with_carry(build, a, b, (wide or narrow).pop())
    # As many as fill all places of their count.
    full = (1 << (size.bit_length() - 1)) - 1
    left = _count(build, full, wide, narrow)
    if size == full + 1:
        return build.sum(left, (narrow or wide).pop())
    right = _count(build, size - full - 1, wide, narrow)
    return with_carry(build, left, right, (wide or narrow).pop())


def with_carry(build: Builder, a: int, b: int, carry: int) -> int:
    """Return ``a + b + carry`` for a carry of [0, 1], by one chain."""
    x, y, c = (build.nodes[i] for i in (a, b, carry))
    ends = (2 * (x.lo + y.lo + c.lo), 2 * (x.hi + y.hi + c.hi))
    left, right = (build.sum(carry, i, 1) for i in (a, b))
    return build.shift(build.exact_sum(left, right, 0, False, *ends), -1)
