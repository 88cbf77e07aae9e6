"""Sums as linear forms: what a matrix product was laid out as, compared with its matrix."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hwaccel.circuit.node import Constant, Ints, Node, Shift, Sum
from hwaccel.cmvm import Problem
from hwaccel.errors import VerifyError

_MOST = 1 << 61


def check_rows(
    nodes: Sequence[Node], xs: Sequence[int], made: Sequence[int], problem: Problem
) -> None:
    """Compare the nodes ``made`` for the rows of ``problem`` with its matrix, exactly.

    ``xs`` are the nodes of its inputs. Every node on the way must be a sum, a shift that drops
    nothing, or a constant, and its interval must hold what its linear form can reach.

    Raises:
        VerifyError: a row is another one than the matrix has, or an interval is too narrow.
    """
    form = _Form(nodes, xs)
    where = [form.of(number) for number in made]
    table = np.array(form.table, dtype=np.int64).reshape(-1, form.width)
    inputs = table[[form.place[x] for x in xs]]
    expected = problem.matrix.a @ inputs
    expected[:, -1] += problem.bias.a
    differs = (table[where] != expected).any(axis=1)
    if differs.any():
        row = int(differs.argmax())
        raise VerifyError(f"circuit node {made[row]}: computes another row than row {row} has")
    _check_intervals(nodes, form, table)


class _Form:
    """Linear forms over the inputs of a product, each a row: coefficients, then a constant.

    An input that is itself a shift upward counts as a multiple of what it shifts, because a
    builder joins shifts.
    """

    def __init__(self, nodes: Sequence[Node], xs: Sequence[int]) -> None:
        self._nodes = nodes
        self.table: list[Ints] = []
        self.place: dict[int, int] = {}
        self.leaves = tuple(dict.fromkeys(base for base, _ in map(self._base, xs)))
        self.width = len(self.leaves) + 1
        for column, leaf in enumerate(self.leaves):
            row = np.zeros(self.width, dtype=np.int64)
            if isinstance(constant := nodes[leaf], Constant):
                row[-1] = constant.lo
            else:
                row[column] = 1
            self._keep(leaf, row)
        for x in xs:
            base, amount = self._base(x)
            if x != base:
                self._keep(x, self.table[self.place[base]] << amount)

    def _base(self, number: int) -> tuple[int, int]:
        node = self._nodes[number]
        return (node.a, node.amount) if isinstance(node, Shift) and node.amount > 0 else (number, 0)

    def _keep(self, number: int, row: Ints) -> None:
        if number not in self.place:
            self.place[number] = len(self.table)
            self.table.append(row)

    def of(self, number: int) -> int:
        """Return the place of a node in the table."""
        pending = [number]
        while pending:
            at = pending[-1]
            node = self._nodes[at]
            ahead = [i for i in node.operands if i not in self.place]
            if at in self.place or not ahead:
                pending.pop()
                if at not in self.place:
                    rows = [self.table[self.place[i]] for i in node.operands]
                    self._keep(at, _row(at, node, rows, self.width))
            else:
                pending += ahead
        return self.place[number]


def _row(number: int, node: Node, rows: Sequence[Ints], width: int) -> Ints:
    if isinstance(node, Constant):
        row = np.zeros(width, dtype=np.int64)
        row[-1] = node.lo
        return row
    if isinstance(node, Sum):
        left, right = (_shifted(number, row, up) for row, up in zip(rows, node.ups, strict=True))
        return left - right if node.subtract else left + right
    if isinstance(node, Shift):
        return _shifted(number, rows[0], node.amount)
    raise VerifyError(f"circuit node {number}: a {node.kind} is no part of a matrix product")


def _shifted(number: int, row: Ints, amount: int) -> Ints:
    if amount < 0:
        if (row & ((1 << -amount) - 1)).any():
            raise VerifyError(f"circuit node {number}: a sum loses its lowest bits")
        return row >> -amount
    largest = int(np.abs(row).max(initial=0)) << amount
    if largest >= _MOST:
        raise VerifyError(f"circuit node {number}: a coefficient needs more than 62 bits")
    return row << amount


def _check_intervals(nodes: Sequence[Node], form: _Form, table: Ints) -> None:
    numbers = list(form.place)
    lo = np.array([nodes[i].lo for i in form.leaves] + [1], dtype=np.int64)
    hi = np.array([nodes[i].hi for i in form.leaves] + [1], dtype=np.int64)
    up, down = np.maximum(table, 0), np.minimum(table, 0)
    reach = np.abs(table).astype(np.float64) @ np.maximum(np.abs(lo), np.abs(hi)).astype(np.float64)
    ends = np.array([(nodes[i].lo, nodes[i].hi) for i in numbers], dtype=np.int64).reshape(-1, 2)
    wrong = (up @ lo + down @ hi < ends[:, 0]) | (up @ hi + down @ lo > ends[:, 1])
    wrong |= reach >= 2.0**62
    if wrong.any():
        number = numbers[int(wrong.argmax())]
        raise VerifyError(f"circuit node {number}: its sum leaves its interval")
