"""``Builder``: ops describe their elements with it; equal nodes are made once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hwaccel.circuit.node import (
    Choose,
    Clip,
    Constant,
    Dot,
    Even,
    Input,
    Ints,
    Max,
    Node,
    Shift,
    Sum,
    Table,
    Times,
    Wrap,
)

# Weights of a product that windows share sums in; beyond, the search for them takes too long.
JOINT = 4096


@dataclass(frozen=True, slots=True)
class Product:
    """A matrix product: ``matrix`` ``(rows, columns)`` times the nodes ``xs``, plus ``bias``."""

    xs: tuple[int, ...]
    matrix: Ints
    bias: Ints
    origin: str


class Builder:
    """Collects nodes in topological order. Every method returns the number of a node.

    Simplifies where that needs no search: constants are folded, clips that never clip vanish,
    shifts are absorbed. ``origin`` names the graph node whose parts are being made.
    """

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.origins: list[str] = []
        self.products: list[Product] = []
        self.elements: dict[int, tuple[str, int]] = {}
        self.origin = ""
        self._known: dict[Node, int] = {}

    def add(self, node: Node) -> int:
        """Return the node equal to ``node``, made now if need be."""
        if node.lo == node.hi and not isinstance(node, Constant | Input):
            return self.constant(node.lo)
        known = self._known.get(node)
        if known is None:
            known = self._known[node] = len(self.nodes)
            self.nodes.append(node)
            self.origins.append(self.origin)
        return known

    def again(self, node: Node, new: dict[int, int]) -> int:
        """Add a node of another builder; an operand may reach less far than it did there."""
        if not isinstance(node, Table):
            return self.add(node.moved(new))
        x = self.nodes[new[node.a]]
        low, high = x.lo - node.first, x.hi - node.first
        return self.table(new[node.a], node.values[low : high + 1])

    def label(self, ids: Sequence[int]) -> None:
        """Let each node be known as the element of ``origin`` at its place, first come first."""
        for element, number in enumerate(ids):
            self.elements.setdefault(number, (self.origin, element))

    def input(self, index: int, lo: int, hi: int) -> int:
        """Element ``index`` of the input vector."""
        return self.add(Input(index=index, lo=lo, hi=hi))

    def constant(self, value: int) -> int:
        """Return an integer constant."""
        return self.add(Constant(lo=int(value), hi=int(value)))

    def shift(self, a: int, amount: int) -> int:
        """``a * 2^amount``, rounded down."""
        x = self.nodes[a]
        if amount == 0:
            return a
        if isinstance(x, Shift) and (x.amount > 0) == (amount > 0):
            return self.shift(x.a, x.amount + amount)
        lo, hi = (v << amount if amount > 0 else v >> -amount for v in (x.lo, x.hi))
        return self.add(Shift(a=a, amount=amount, lo=lo, hi=hi))

    def sum(self, a: int, b: int, shift: int = 0, subtract: bool = False) -> int:
        """``a +- (b << shift)``; a negative ``shift`` moves ``a`` instead."""
        x, y = self.nodes[a], self.nodes[b]
        up, down = max(0, -shift), max(0, shift)
        ends = (y.lo << down, y.hi << down)
        low, high = (-ends[1], -ends[0]) if subtract else ends
        return self.exact_sum(a, b, shift, subtract, (x.lo << up) + low, (x.hi << up) + high)

    def exact_sum(self, a: int, b: int, shift: int, subtract: bool, lo: int, hi: int) -> int:
        """Return the sum whose interval is known better than from its operands."""
        x, y = self.nodes[a], self.nodes[b]
        if isinstance(y, Constant) and y.lo == 0:
            return self.shift(a, max(0, -shift))
        if isinstance(x, Constant) and x.lo == 0 and not subtract:
            return self.shift(b, max(0, shift))
        return self.add(Sum(a=a, b=b, shift=shift, subtract=subtract, lo=lo, hi=hi))

    def offset(self, a: int, value: int) -> int:
        """``a + value``; a matrix product takes the value into its bias."""
        x = self.nodes[a]
        if value == 0:
            return a
        if isinstance(x, Constant):
            return self.constant(x.lo + value)
        if isinstance(x, Dot):
            return self.add(
                Dot(
                    job=x.job,
                    row=x.row,
                    offset=x.offset + value,
                    xs=x.xs,
                    lo=x.lo + value,
                    hi=x.hi + value,
                )
            )
        return self.sum(a, self.constant(value))

    def even(self, a: int, shift: int) -> int:
        """``a >> shift`` with bit 0 cleared at ties: half to even of ``a - 2^(shift - 1)``."""
        x = self.nodes[a]
        # Bit 0 is only ever cleared: the lower end may drop by one, the upper end as well.
        ends = np.array([x.lo, x.hi], dtype=np.int64)
        node = Even(a=a, shift=shift, lo=0, hi=0)
        lo, hi = (int(v) for v in node.evaluate(ends))
        return self.add(Even(a=a, shift=shift, lo=lo, hi=hi))

    def clip(self, a: int, lo: int, hi: int) -> int:
        """``min(max(a, lo), hi)``."""
        x = self.nodes[a]
        if lo <= x.lo and x.hi <= hi:
            return a
        if isinstance(x, Clip):
            floor, ceiling = (min(max(v, lo), hi) for v in (x.floor, x.ceiling))
            return self.clip(x.a, floor, ceiling)
        if (lo, hi) == (0, 1) and (bit := self._top_bit(a)) is not None:
            return bit
        low, high = (min(max(v, lo), hi) for v in (x.lo, x.hi))
        floor, ceiling = max(lo, min(x.lo, hi)), min(hi, max(x.hi, lo))
        return self.add(Clip(a=a, floor=floor, ceiling=ceiling, lo=low, hi=high))

    def wrap(self, a: int, lo: int, hi: int) -> int:
        """``a`` modulo ``hi - lo + 1``, a power of two, into ``[lo, hi]``."""
        x = self.nodes[a]
        if lo <= x.lo and x.hi <= hi:
            return a
        bits = (hi - lo).bit_length()
        return self.add(Wrap(a=a, bits=bits, base=lo, lo=lo, hi=hi))

    def maximum(self, a: int, b: int) -> int:
        """``max(a, b)``."""
        x, y = self.nodes[a], self.nodes[b]
        if a == b or x.lo >= y.hi:
            return a
        if y.lo >= x.hi:
            return b
        for one, other in ((x, b), (y, a)):
            if isinstance(one, Constant):
                return self.clip(other, one.lo, self.nodes[other].hi)
        a, b = sorted((a, b))
        return self.add(Max(a=a, b=b, lo=max(x.lo, y.lo), hi=max(x.hi, y.hi)))

    def minimum(self, a: int, b: int) -> int:
        """``min(a, b)``."""
        x, y = self.nodes[a], self.nodes[b]
        if a == b or x.hi <= y.lo:
            return a
        if y.hi <= x.lo:
            return b
        for one, other in ((x, b), (y, a)):
            if isinstance(one, Constant):
                return self.clip(other, self.nodes[other].lo, one.lo)
        a, b = sorted((a, b))
        low, high = min(x.lo, y.lo), min(x.hi, y.hi)
        return self.choose(self.sum(a, b, 0, subtract=True), a, b, low, high)

    def choose(self, a: int, b: int, c: int, lo: int, hi: int) -> int:
        """``b`` where ``a < 0``, else ``c``; known to be in ``[lo, hi]``."""
        x = self.nodes[a]
        if b == c or x.hi < 0:
            return b
        return c if x.lo >= 0 else self.add(Choose(a=a, b=b, c=c, lo=lo, hi=hi))

    def product(self, a: int, b: int) -> int:
        """``a * b``."""
        a, b = sorted((a, b))
        x, y = self.nodes[a], self.nodes[b]
        for one, other in ((x, b), (y, a)):
            if isinstance(one, Constant):
                return self.linear(np.full((1, 1), one.lo), [other], np.zeros(1, np.int64))[0]
            if isinstance(one, Shift) and one.amount > 0:
                return self.shift(self.product(one.a, other), one.amount)
        corners = [m * n for m in (x.lo, x.hi) for n in (y.lo, y.hi)]
        lo, hi = min(corners), max(corners)
        if a == b:  # no square is negative
            lo = 0 if x.lo <= 0 <= x.hi else min(x.lo * x.lo, x.hi * x.hi)
        return self.add(Times(a=a, b=b, lo=lo, hi=hi))

    def table(self, a: int, values: tuple[int, ...]) -> int:
        """``values[a - lo]``; one value for each integer of the interval of ``a``."""
        x = self.nodes[a]
        if isinstance(x, Sum) and isinstance(self.nodes[x.b], Constant) and not x.shift:
            before = self.nodes[x.a]
            if not x.subtract and before.hi - before.lo == x.hi - x.lo:
                return self.table(x.a, values)  # it does not matter where an index starts
        bits = 0
        for value in values:
            bits |= value
        if empty := (bits & -bits).bit_length() - 1 if bits else 0:
            return self.shift(self.table(a, tuple(v >> empty for v in values)), empty)
        node = Table(a=a, first=x.lo, values=values, lo=min(values), hi=max(values))
        return self.add(node)

    def linear(self, matrix: Ints, xs: Sequence[int], bias: Ints) -> list[int]:
        """Return the elements of ``matrix @ xs + bias``; ``matrix`` is ``(rows, len(xs))``.

        Columns of constants go into the bias, columns of equal nodes are added up, shifts of
        nodes go into the weights.
        """
        columns: dict[int, Ints] = {}
        total = bias.astype(np.int64).copy()
        for column, number in zip(matrix.T.astype(np.int64), xs, strict=True):
            node = self.nodes[number]
            if isinstance(node, Constant):
                total = total + column * node.lo
                continue
            if isinstance(node, Shift) and node.amount > 0:
                number, column = node.a, column << node.amount
            columns[number] = columns[number] + column if number in columns else column
        used = tuple(n for n, column in columns.items() if column.any())
        if not used:
            return [self.constant(int(b)) for b in total]
        weights = np.stack([columns[n] for n in used], axis=1)
        self.products.append(Product(used, weights, total, self.origin))
        return [self._row(len(self.products) - 1, r) for r in range(len(total))]

    def windows(self, matrix: Ints, windows: Ints, bias: Ints) -> Ints:
        """Return ``matrix @ w + bias`` for every row ``w`` of ``windows``; ``(windows, rows)``.

        Small ones become one product, in which windows share sums; of large ones each
        becomes its own, and equal ones are solved once.
        """
        count = len(windows)
        if count * np.count_nonzero(matrix) > JOINT:
            return np.array([self.linear(matrix, w.tolist(), bias) for w in windows])
        used, place = np.unique(windows, return_inverse=True)
        joint = np.zeros((count, len(matrix), len(used)), dtype=np.int64)
        for window, places in enumerate(place.reshape(windows.shape)):
            for tap, column in enumerate(places):
                joint[window, :, column] += matrix[:, tap]
        flat = joint.reshape(count * len(matrix), len(used))
        return np.array(self.linear(flat, used.tolist(), np.tile(bias, count))).reshape(count, -1)

    def highest(self, xs: Sequence[int]) -> int:
        """Return the maximum of one or more nodes, by a balanced tree."""
        level = list(xs)
        while len(level) > 1:
            pairs = zip(level[::2], level[1::2], strict=False)
            level = [self.maximum(a, b) for a, b in pairs] + level[len(level) & ~1 :]
        return level[0]

    def _row(self, job: int, row: int) -> int:
        product = self.products[job]
        weights = product.matrix[row]
        at = np.flatnonzero(weights)
        bias = int(product.bias[row])
        if not len(at):
            return self.constant(bias)
        first = int(weights[at[0]])
        if len(at) == 1 and bias == 0 and first > 0 and first & (first - 1) == 0:
            return self.shift(product.xs[at[0]], first.bit_length() - 1)
        joined = self._joined([(int(weights[i]), product.xs[i]) for i in at], bias)
        if joined is not None:
            return joined
        lo = hi = bias
        for i in at:
            node, weight = self.nodes[product.xs[i]], int(weights[i])
            lo += weight * (node.lo if weight > 0 else node.hi)
            hi += weight * (node.hi if weight > 0 else node.lo)
        xs = tuple(product.xs[i] for i in at)
        return self.add(Dot(job=job, row=row, offset=0, xs=xs, lo=lo, hi=hi))

    def _top_bit(self, a: int) -> int | None:
        """Return the bit that says whether ``a > 0``, for ``a = x + 1 - 2^k``, ``x < 2^(k+1)``."""
        dot = self.nodes[a]
        if not isinstance(dot, Dot) or len(dot.xs) != 1:
            return None
        (number,), product = dot.xs, self.products[dot.job]
        x, limit = self.nodes[number], 1 - int(product.bias[dot.row]) - dot.offset
        if product.matrix[dot.row, product.xs.index(number)] != 1 or x.lo < 0 or limit <= 0:
            return None
        top = limit.bit_length() - 1
        return self.shift(number, -top) if limit == 1 << top and x.hi < 2 * limit else None

    def _joined(self, terms: list[tuple[int, int]], bias: int) -> int | None:
        """Return the sum of (weight, node) where no two of them share a place: only wires."""
        if len(terms) == 1 and not bias:
            return None
        total, place = self.constant(0), 0
        for weight, number in sorted(terms):
            if (
                weight <= 0
                or weight & (weight - 1)
                or self.nodes[number].lo < 0
                or not weight >> place
            ):
                return None
            total = self.sum(total, number, weight.bit_length() - 1)
            place = self.nodes[total].hi.bit_length()
        return None if bias % (1 << place) else self.offset(total, bias)
