"""Lay out matrix products as adders, drop what nobody reads: from a builder to a circuit."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from hwaccel.circuit.builder import Builder, Product
from hwaccel.circuit.circuit import Circuit
from hwaccel.circuit.cost import total_luts
from hwaccel.circuit.counting import countable, counts
from hwaccel.circuit.forms import check_rows
from hwaccel.circuit.node import Dot, Node
from hwaccel.cmvm import AdderGraph, Problem, minimum_depth
from hwaccel.fxp import IntArray

# Solves every problem; the caller decides about caches, processes and progress.
Solver = Callable[[Sequence[Problem]], Sequence[AdderGraph]]


@dataclass(frozen=True, slots=True)
class _Job:
    """The rows of a product that are read: (row, offset) in the order of the problem."""

    product: Product
    rows: tuple[tuple[int, int], ...]
    columns: tuple[int, ...]
    problem: Problem


def lay_out(
    builder: Builder,
    inputs: Sequence[tuple[int, int]],
    outputs: Sequence[int],
    solver: Solver,
    extra_depth: int | None = None,
    family: str | None = None,
) -> Circuit:
    """Return the circuit that computes ``outputs`` of ``builder``.

    ``extra_depth`` limits each product to that many adders more than the shortest possible
    chain; ``None`` sets no limit. Products that are counts of bits are laid out as such where
    that is smaller on ``family``.

    Raises:
        VerifyError: a solver's answer computes another matrix than it was asked for.
    """
    live = _live(builder.nodes, outputs)
    jobs = _jobs(builder, live, extra_depth)
    solved = dict(zip(jobs, solver([job.problem for job in jobs.values()]), strict=True))
    fresh = Builder()
    new: dict[int, int] = {}
    taps: dict[tuple[int, int, int], int] = {}
    for number in live:
        node = builder.nodes[number]
        fresh.origin = builder.origins[number]
        if not isinstance(node, Dot):
            new[number] = fresh.again(node, new)
            continue
        if (node.job, node.row, node.offset) not in taps:
            job = jobs[node.job]
            made = _made(fresh, job, solved[node.job], new, family)
            taps |= {(node.job, *row): tap for row, tap in zip(job.rows, made, strict=True)}
        new[number] = taps[node.job, node.row, node.offset]
    for number, (origin, element) in builder.elements.items():
        if number in new:
            fresh.elements.setdefault(new[number], (origin, element))
    return pruned(fresh, inputs, [new[i] for i in outputs])


def pruned(builder: Builder, inputs: Sequence[tuple[int, int]], outputs: Sequence[int]) -> Circuit:
    """Return the live nodes of a builder without products as a checked circuit."""
    live = _live(builder.nodes, outputs)
    new = {old: number for number, old in enumerate(live)}
    named = {i: builder.elements.get(i, (builder.origins[i], -1)) for i in live}
    circuit = Circuit(
        tuple(builder.nodes[i].moved(new) for i in live),
        tuple(inputs),
        tuple(new[i] for i in outputs),
        tuple(named[i][0] for i in live),
        tuple(named[i][1] for i in live),
    )
    circuit.check()
    return circuit


def _live(nodes: Sequence[Node], outputs: Sequence[int]) -> list[int]:
    """Return the nodes that ``outputs`` depend on, in order."""
    seen, pending = set(outputs), list(outputs)
    while pending:
        for operand in nodes[pending.pop()].operands:
            if operand not in seen:
                seen.add(operand)
                pending.append(operand)
    return sorted(seen)


def _jobs(builder: Builder, live: Sequence[int], extra_depth: int | None) -> dict[int, _Job]:
    rows: dict[int, dict[tuple[int, int], None]] = defaultdict(dict)
    for number in live:
        node = builder.nodes[number]
        if isinstance(node, Dot):
            rows[node.job][node.row, node.offset] = None
    return {
        job: _job(builder, builder.products[job], tuple(wanted), extra_depth)
        for job, wanted in rows.items()
    }


def _job(
    builder: Builder,
    product: Product,
    rows: tuple[tuple[int, int], ...],
    extra_depth: int | None,
) -> _Job:
    matrix = product.matrix[[row for row, _ in rows]]
    columns = tuple(int(c) for c in np.flatnonzero(matrix.any(axis=0)))
    nodes = [builder.nodes[product.xs[c]] for c in columns]
    problem = Problem(
        matrix=IntArray(matrix[:, columns]),
        lo=tuple(node.lo for node in nodes),
        hi=tuple(node.hi for node in nodes),
        bias=IntArray([int(product.bias[row]) + offset for row, offset in rows]),
        depth=(0,) * len(columns),
    )
    if extra_depth is not None:
        problem = replace(problem, depth_limit=minimum_depth(problem) + extra_depth)
    return _Job(product, rows, columns, problem)


def _made(
    fresh: Builder, job: _Job, graph: AdderGraph, new: dict[int, int], family: str | None
) -> list[int]:
    """Add a solved product, or counts where these are smaller; return the node of every row.

    Whatever the adders came from, a search or a file, each row is compared with the matrix.

    Raises:
        VerifyError: they compute another matrix.
    """
    ids = [new[job.product.xs[c]] for c in job.columns]
    if _as_counts(job.problem, graph, family):
        made = counts(fresh, job.problem, ids)
    else:
        made = _expand(fresh, job.problem, graph, ids)
    check_rows(fresh.nodes, ids, made, job.problem)
    return made


def _as_counts(problem: Problem, graph: AdderGraph, family: str | None) -> bool:
    """Tell whether the rows are counts of bits that are smaller as such."""
    if family is None or problem.depth_limit is not None or not countable(problem):
        return False
    counted, added = Builder(), Builder()
    ends = list(enumerate(zip(problem.lo, problem.hi, strict=True)))
    counts(counted, problem, [counted.input(i, lo, hi) for i, (lo, hi) in ends])
    _expand(added, problem, graph, [added.input(i, lo, hi) for i, (lo, hi) in ends])
    return total_luts(counted.nodes, family) < total_luts(added.nodes, family)


def _expand(
    fresh: Builder, problem: Problem, graph: AdderGraph, inputs: Sequence[int]
) -> list[int]:
    """Add the adders of a solved product; return the node of every row."""
    intervals = graph.intervals(problem)
    ids = [*inputs]
    ids += [fresh.constant(c) for c in graph.constants]
    for add, (lo, hi) in zip(graph.adds, intervals[len(ids) :], strict=True):
        ids.append(fresh.exact_sum(ids[add.a], ids[add.b], add.shift, add.subtract, lo, hi))
    made = []
    for tap in graph.outputs:
        if tap.node < 0:
            made.append(fresh.constant(0))
            continue
        node = fresh.shift(ids[tap.node], tap.shift)
        made.append(fresh.sum(fresh.constant(0), node, 0, True) if tap.negate else node)
    return made
