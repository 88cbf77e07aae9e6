"""``AdderGraph``: two-operand adders and subtractors with shifts, and what they compute exactly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwaccel.cmvm.cost import CostModel, Interval, adder_cost, negation_cost, ternary_cost
from hwaccel.cmvm.problem import Problem
from hwaccel.errors import VerifyError

Ints = NDArray[np.int64]
MAX_SHIFT = 62
_MAX_COEFFICIENT = 1 << 62


@dataclass(frozen=True, slots=True)
class Adder:
    """``(a << max(0, -shift)) + (b << max(0, shift))``, or the difference of the two."""

    a: int
    b: int
    shift: int
    subtract: bool


@dataclass(frozen=True, slots=True)
class Tap:
    """An output: ``(node, or its negative) << shift``. Node -1 is zero."""

    node: int
    shift: int
    negate: bool


@dataclass(frozen=True, slots=True)
class AdderGraph:
    """Nodes are numbered inputs, then constants, then adders, each after its operands."""

    inputs: int
    constants: tuple[int, ...]
    adds: tuple[Adder, ...]
    outputs: tuple[Tap, ...]

    @property
    def first_add(self) -> int:
        """Number of the node of the first adder."""
        return self.inputs + len(self.constants)

    @property
    def nodes(self) -> int:
        """Number of nodes."""
        return self.first_add + len(self.adds)

    def form(self) -> tuple[Ints, Ints]:
        """Return every node as an exact linear form: its coefficients and its constant part.

        Raises:
            VerifyError: a node refers to a later one, or a coefficient needs more than 63 bits.
        """
        table = np.zeros((self.nodes, self.inputs + 1), dtype=np.int64)
        table[np.arange(self.inputs), np.arange(self.inputs)] = 1
        table[self.inputs : self.first_add, -1] = self.constants
        largest = [1] * self.inputs + [abs(c) for c in self.constants]
        for node, add in enumerate(self.adds, self.first_add):
            left, right = self._shifts(node, add)
            if max(largest[add.a] << left, largest[add.b] << right) >= _MAX_COEFFICIENT:
                raise VerifyError(f"cmvm: node {node}: a coefficient needs more than 63 bits")
            a, b = table[add.a] << left, table[add.b] << right
            row = a - b if add.subtract else a + b
            table[node] = row
            largest.append(int(np.abs(row).max()))
        return table[:, :-1], table[:, -1]

    def evaluate(self, x: Ints) -> Ints:
        """Return the outputs for a batch of inputs, ``(n, inputs)`` to ``(n, outputs)``."""
        batch = np.asarray(x, dtype=np.int64)
        values = [batch[:, i] for i in range(self.inputs)]
        values += [np.full(len(batch), c, dtype=np.int64) for c in self.constants]
        for node, add in enumerate(self.adds, self.first_add):
            left, right = self._shifts(node, add)
            a, b = values[add.a] << left, values[add.b] << right
            values.append(a - b if add.subtract else a + b)
        out = np.zeros((len(batch), len(self.outputs)), dtype=np.int64)
        for i, tap in enumerate(self.outputs):
            if tap.node >= 0:
                value = values[tap.node] << tap.shift
                out[:, i] = -value if tap.negate else value
        return out

    def intervals(self, problem: Problem) -> list[Interval]:
        """Return the exact interval of every node, from its linear form.

        Raises:
            VerifyError: an interval does not fit 63 bits.
        """
        form, constant = self.form()
        lo = np.array(problem.lo, dtype=np.int64)
        hi = np.array(problem.hi, dtype=np.int64)
        reach = np.maximum(np.abs(lo), np.abs(hi)).astype(np.float64)
        size = np.abs(form).astype(np.float64) @ reach + np.abs(constant)
        if size.size and size.max() >= 2.0**62:
            raise VerifyError(f"cmvm: node {int(size.argmax())}: its values do not fit 63 bits")
        up, down = np.maximum(form, 0), np.minimum(form, 0)
        low = up @ lo + down @ hi + constant
        high = up @ hi + down @ lo + constant
        return list(zip(low.tolist(), high.tolist(), strict=True))

    def depths(self, problem: Problem) -> list[int]:
        """Return the adder depth of every node; constants have depth 0."""
        depths = [*problem.depth, *(0 for _ in self.constants)]
        for add in self.adds:
            depths.append(max(depths[add.a], depths[add.b]) + 1)
        return depths

    def depth(self, problem: Problem) -> int:
        """Return the depth of the deepest output."""
        depths = self.depths(problem)
        return max((depths[tap.node] for tap in self.outputs if tap.node >= 0), default=0)

    def costs(self, problem: Problem, model: CostModel) -> tuple[list[float], list[float]]:
        """Return the cost of every adder and of every output's negation."""
        spans = self.intervals(problem)
        adders = [
            adder_cost(model, spans[add.a], spans[add.b], add.shift, add.subtract, spans[node])
            for node, add in enumerate(self.adds, self.first_add)
        ]
        signs = [
            negation_cost(model, spans[tap.node]) if tap.negate and tap.node >= 0 else 0.0
            for tap in self.outputs
        ]
        return adders, signs

    def cost(self, problem: Problem, model: CostModel) -> float:
        """Return the cost of all adders and negations.

        Where the model has chains for three numbers, adders take in those that nobody else reads:
        what ``hwaccel.circuit.ternary`` saves at least.
        """
        adders, signs = self.costs(problem, model)
        total = self._in_threes(problem, model, adders) if model.ternary else sum(adders)
        return total + sum(signs)

    def _in_threes(self, problem: Problem, model: CostModel, costs: list[float]) -> float:
        """Return the least cost of the adders where one with a single reader may go into it."""
        spans, first = self.intervals(problem), self.first_add
        readers = [0] * self.nodes
        for node in (i for add in self.adds for i in (add.a, add.b)):
            readers[node] += 1
        for tap in self.outputs:
            if tap.node >= 0:
                readers[tap.node] += 1
        spent: dict[int, float] = {}  # of an adder and all below it that it alone reads
        inner: set[int] = set()
        for node, add in enumerate(self.adds, first):
            own = [i for i in (add.a, add.b) if i >= first and readers[i] == 1]
            inner.update(own)
            below = sum(spent[i] for i in own)
            best = costs[node - first] + below
            for i in own:
                taken = self.adds[i - first]
                parts = (taken.a, taken.b)
                deeper = sum(spent[k] for k in parts if k in inner)
                chain = ternary_cost(model, self._three(node, i), spans[node])
                best = min(best, chain + below - spent[i] + deeper)
            spent[node] = best
        return sum(cost for node, cost in spent.items() if node not in inner)

    def _three(self, node: int, operand: int) -> list[tuple[int, bool]]:
        """Return shift up, and subtracted or not, of the terms of an adder with an operand's."""
        terms: list[tuple[int, bool]] = []
        add, taken = self.adds[node - self.first_add], self.adds[operand - self.first_add]
        (left, right), (low, high) = self._shifts(node, add), self._shifts(operand, taken)
        for end, up, negative in ((add.a, left, False), (add.b, right, add.subtract)):
            if end == operand:
                terms += [(up + low, negative), (up + high, negative != taken.subtract)]
            else:
                terms.append((up, negative))
        return terms

    def check(self, problem: Problem) -> None:
        """Compare with the problem, exactly.

        Inputs of one value may appear as inputs or as part of a constant.

        Raises:
            VerifyError: an output differs, is too deep, or a value does not fit.
        """
        if self.inputs != problem.inputs or len(self.outputs) != problem.outputs:
            raise VerifyError(
                f"cmvm: expected {problem.outputs} outputs of {problem.inputs} inputs, "
                f"found {len(self.outputs)} of {self.inputs}"
            )
        self.intervals(problem)
        form, constant = self.form()
        expected = problem.folded()
        fixed = np.array([a == b for a, b in zip(problem.lo, problem.hi, strict=True)], dtype=bool)
        values = np.where(fixed, np.array(problem.lo, dtype=np.int64), 0)
        depths = self.depths(problem)
        for i, tap in enumerate(self.outputs):
            if not -1 <= tap.node < self.nodes or not 0 <= tap.shift <= MAX_SHIFT:
                raise VerifyError(f"cmvm: output {i}: there is no node {tap.node} << {tap.shift}")
            row, offset = form[tap.node], constant[tap.node] + form[tap.node] @ values
            factor = 0 if tap.node < 0 else (-1 if tap.negate else 1) << tap.shift
            if (np.where(fixed, 0, row) * factor != expected.matrix.a[i]).any():
                raise VerifyError(f"cmvm: output {i}: another row than the matrix has")
            if offset * factor != expected.bias.a[i]:
                raise VerifyError(f"cmvm: output {i}: another bias than the problem has")
            limit = problem.depth_limit
            if limit is not None and tap.node >= 0 and depths[tap.node] > limit:
                raise VerifyError(f"cmvm: output {i}: depth {depths[tap.node]}, limit {limit}")

    def _shifts(self, node: int, add: Adder) -> tuple[int, int]:
        if not (0 <= add.a < node and 0 <= add.b < node and abs(add.shift) <= MAX_SHIFT):
            raise VerifyError(f"cmvm: node {node}: {add} does not refer to earlier nodes")
        return max(0, -add.shift), max(0, add.shift)
