"""Sums of three numbers on one carry chain, where two chains stood before.

An adder whose sum only adders read can go into all of these: each adds three numbers then instead
of two. A LUT with six inputs adds three bits before the carry chain, so that takes no LUT more.
Which adders go is a choice: a reader takes one of its operands in, and not if it goes itself. The
choice that saves most is an integer program, a set packing with one row for every adder.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hwaccel.circuit.circuit import Circuit
from hwaccel.circuit.cost import adds_three, empty_bits, luts
from hwaccel.circuit.delay import DelayModel, model_for
from hwaccel.circuit.node import Node, Sum, Sum3
from hwaccel.circuit.timing import EPSILON, Timing
from hwaccel.circuit.unit import Pipelined

# A term of a sum: operand, shift up, subtracted or not.
_Term = tuple[int, int, bool]
# Branches of the search; what has been found by then is close to the best. No clock decides.
_NODES = 2000
_GAP = 1e-3
# How often is chosen anew among what did not make a stage too long.
_ROUNDS = 8


def with_ternary(
    piped: Pipelined, family: str, clock_ns: float | None = None, *, free: bool = False
) -> Pipelined:
    """Return the same circuit with sums of three numbers where ``family`` has them.

    No register moves: only sums that are read in the cycle in which they are made go. No stage gets
    longer than ``clock_ns`` or, without it, than the longest one was; with ``free`` any may.
    """
    if not adds_three(family):
        return piped
    gains = _gains(piped, family)
    if not free:
        model = model_for(family)
        limit = max(clock_ns or 0.0, Timing(piped.circuit, model).longest(piped.stages)[1])
        gone = _in_time_and_best(piped, gains, model, limit)
    else:
        gone = _chosen(piped.circuit.nodes, gains)
    return _without(piped, gone) if gone else piped


def fused(circuit: Circuit, family: str, *, timely: bool = False) -> Circuit:
    """Return a circuit that has no registers yet with sums of three numbers.

    ``timely`` makes those only with which its longest path gets no longer.
    """
    piped = Pipelined(circuit, (0,) * len(circuit.nodes), 0)
    return with_ternary(piped, family, free=not timely).circuit


def _in_time_and_best(
    piped: Pipelined, gains: dict[int, float], model: DelayModel, limit: float
) -> set[int]:
    """Return the nodes that go without any stage longer than ``limit``, after some rounds.

    What had to stay in one round is no choice in the next, so that others may go in its place.
    """
    best: set[int] = set()
    saved = 0.0
    for _ in range(_ROUNDS):
        wanted = _chosen(piped.circuit.nodes, gains)
        gone = _in_time(piped, wanted, model, limit)
        total = sum(gains[number] for number in gone)
        if total > saved:
            best, saved = gone, total
        if gone == wanted:
            break
        gains = {i: gain for i, gain in gains.items() if i not in wanted - gone}
    return best


def _in_time(piped: Pipelined, gone: set[int], model: DelayModel, limit: float) -> set[int]:
    """Return the nodes that may go without any stage longer than ``limit``.

    The operand of a sum that came last now waits for a LUT and a wire more, and what two sums took
    in loads its operands twice. Where that takes too long, what is on or beside the longest paths
    stays, from round to round.
    """
    nodes = piped.circuit.nodes
    while gone:
        made = _without(piped, gone)
        slacks = Timing(made.circuit, model).slacks(made.stages, limit)
        least = min(slacks)
        if least >= -EPSILON:
            break
        kept = [number for number in range(len(nodes)) if number not in gone]
        late = {number for number, slack in zip(kept, slacks, strict=True) if slack <= least / 2}
        taken = {i for number in late for i in nodes[number].operands if i in gone}
        loading = {number for number in gone if late.intersection(nodes[number].operands)}
        fewer = gone - (taken or loading)
        gone = fewer if len(fewer) < len(gone) else set()
    return gone


def _gains(piped: Pipelined, family: str) -> dict[int, float]:
    """Return what it saves, in LUTs, to take each node into its readers; only what saves."""
    circuit = piped.circuit
    nodes, delays, readers = circuit.nodes, piped.delays(), circuit.uses()
    empty = empty_bits(nodes)
    costs = [luts(node, nodes, family, empty) for node in nodes]
    outputs = set(circuit.outputs)
    gains = {}
    for number, node in enumerate(nodes):
        if not isinstance(node, Sum) or number in outputs or delays[number]:
            continue
        if not readers[number] or not all(_may_take(nodes[r]) for r in readers[number]):
            continue
        gain = costs[number]
        for reader in readers[number]:
            taken = _fused(nodes, reader, number)
            gain += costs[reader] - luts(taken, nodes, family, empty)
        if gain > 0:
            gains[number] = gain
    return gains


def _may_take(reader: Node) -> bool:
    return isinstance(reader, Sum) and reader.a != reader.b


def _fused(nodes: Sequence[Node], number: int, operand: int) -> Sum3:
    """Return sum ``number`` with what its ``operand``, a sum as well, adds."""
    node = nodes[number]
    terms: list[_Term] = []
    for end, up, negative in _terms(node):
        if end == operand:
            terms += [(x, up + u, negative != n) for x, u, n in _terms(nodes[operand])]
        else:
            terms.append((end, up, negative))
    # Stable, and no sum subtracts everything: the first is added.
    (a, first, _), (b, second, _), (c, third, _) = sorted(terms, key=lambda term: term[2])
    subtract = sum(negative for _, _, negative in terms)
    ups = (first, second, third)
    return Sum3(a=a, b=b, c=c, ups=ups, subtract=subtract, lo=node.lo, hi=node.hi)


def _terms(node: Node) -> list[_Term]:
    assert isinstance(node, Sum)
    return list(zip(node.operands, node.ups, node.negative, strict=True))


def _chosen(nodes: Sequence[Node], gains: dict[int, float]) -> set[int]:
    """Return the nodes that go: of a sum and its two operands at most one."""
    # A second of every start of the command line, for what few designs need.
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import csr_array

    places = {number: place for place, number in enumerate(gains)}
    rows = [
        [places[i] for i in dict.fromkeys((number, *node.operands)) if i in places]
        for number, node in enumerate(nodes)
        if isinstance(node, Sum)
    ]
    rows = [row for row in rows if len(row) > 1]
    if not rows:
        return set(gains)
    starts = np.cumsum([0, *map(len, rows)])
    flat = np.concatenate([np.array(row) for row in rows])
    matrix = csr_array((np.ones(len(flat)), flat, starts), shape=(len(rows), len(gains)))
    found = milp(
        -np.array(list(gains.values())),
        constraints=LinearConstraint(matrix, ub=1),
        integrality=np.ones(len(gains)),
        bounds=Bounds(0, 1),
        options={"node_limit": _NODES, "mip_rel_gap": _GAP},
    )
    if found.x is None:
        return set()
    return {number for number, place in places.items() if found.x[place] > 0.5}


def _without(piped: Pipelined, gone: set[int]) -> Pipelined:
    """Return the circuit whose sums have taken in the nodes that go."""
    circuit = piped.circuit
    nodes: list[Node] = []
    new: dict[int, int] = {}
    kept = [number for number in range(len(circuit.nodes)) if number not in gone]
    for number in kept:
        node = circuit.nodes[number]
        inner = next((i for i in node.operands if i in gone), None)
        if inner is not None:
            node = _fused(circuit.nodes, number, inner)
        new[number] = len(nodes)
        nodes.append(node.moved(new))
    made = Circuit(
        tuple(nodes),
        circuit.inputs,
        tuple(new[i] for i in circuit.outputs),
        tuple(circuit.origins[i] for i in kept),
        tuple(circuit.elements[i] for i in kept),
    )
    made.check()
    return Pipelined(made, tuple(piped.stages[i] for i in kept), piped.latency)
