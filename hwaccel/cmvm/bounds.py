"""Lower bounds: no graph of two-operand adders can do better."""

from __future__ import annotations

from hwaccel.cmvm.problem import Problem, digit_weight, minimum_depth


def depth_bound(problem: Problem) -> int:
    """Return a lower bound on the depth; it is reached (see ``minimum_depth``)."""
    return minimum_depth(problem)


def adder_bound(problem: Problem) -> int:
    """Return a lower bound on the number of adders.

    Call two rows the same if they agree up to a shift and a sign, and a row trivial if it is zero,
    a constant, or one input up to shift and sign. Each distinct nontrivial row is the value of an
    adder of its own. A row of ``t`` leaves (its inputs, and one for a bias) and ``w`` minimal
    signed digits has at least ``max(t - 1, ceil(log2(w)))`` adders at or below it: an adder joins
    at most two parts of a connected graph, and the digit weight at most doubles from operands to
    sum.
    Take any set of ``k`` distinct rows and the one that comes first in topological order: the
    adders at or below it hold none of the other ``k - 1``, so the count is at least the least of
    these numbers over the set, plus ``k - 1``. The best set holds the ``k`` largest numbers.
    """
    folded = problem.folded()
    rows: dict[tuple[int, ...], int] = {}
    for entries, bias in zip(folded.matrix.a.tolist(), folded.bias.a.tolist(), strict=True):
        leaves = sum(1 for c in entries if c)
        if leaves == 0 or (leaves == 1 and bias == 0 and sum(map(digit_weight, entries)) == 1):
            continue
        digits = sum(map(digit_weight, entries)) + int(bias != 0)
        needed = max(leaves + int(bias != 0) - 1, (digits - 1).bit_length())
        rows[_normal((*entries, bias))] = needed
    sizes = sorted(rows.values(), reverse=True)
    return max((size + k for k, size in enumerate(sizes)), default=0)


def _normal(values: tuple[int, ...]) -> tuple[int, ...]:
    together = 0
    for value in values:
        together |= abs(value)
    shift = (together & -together).bit_length() - 1
    sign = -1 if next(v for v in values if v) < 0 else 1
    return tuple(sign * v >> shift for v in values)
