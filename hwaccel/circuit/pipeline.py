"""Cut a circuit into clock cycles: a stage per node, then as few registers as possible.

The stage of a node is an integer variable. A pair of nodes whose path takes longer than the clock
period must be a stage apart; all other rules are differences of two variables as well. The number
of register bits under such rules is the dual of a minimum cost flow (Leiserson and Saxe, "Retiming
synchronous circuitry", 1991), so the optimum of the linear program is integral.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hwaccel.circuit.circuit import Circuit
from hwaccel.circuit.delay import DelayModel, is_wire
from hwaccel.circuit.node import Constant, Input
from hwaccel.circuit.timing import EPSILON, Timing, far_pairs, name_of
from hwaccel.circuit.unit import Pipelined
from hwaccel.errors import ScheduleError

# Rules of the largest linear program, pairs aside: about 20 seconds.
_LARGEST = 60_000
# Pairs beyond which only those are looked at that an answer breaks.
_MANY_PAIRS = 40_000


def pipeline(
    circuit: Circuit,
    model: DelayModel,
    *,
    clock_ns: float | None = None,
    latency: int | None = None,
) -> Pipelined:
    """Return ``circuit`` with a stage for every node.

    With ``clock_ns``: the smallest latency at which no path is longer. With ``latency``: so many
    layers of registers, the longest stage as short as possible; 0 is combinational. With both: that
    latency at that clock. In each case with the fewest register bits.

    Raises:
        ScheduleError: the clock cannot be reached, or not at that latency.
    """
    if latency is not None and latency < 0:
        raise ScheduleError(f"pipeline: latency {latency} is negative; ask for 0 or more cycles")
    if clock_ns is not None and clock_ns <= 0:
        raise ScheduleError(f"pipeline: a clock period of {clock_ns} ns; expected more than 0")
    if clock_ns is None and latency is None:
        raise ScheduleError("pipeline: neither a clock nor a latency is given; give one of them")
    if clock_ns is not None and latency == 0:
        raise ScheduleError(
            f"pipeline: no register at latency 0, so no clock of {1000 / clock_ns:.1f} MHz; "
            "ask for a latency of at least 1, or drop the clock"
        )
    if latency == 0:
        return Pipelined(circuit, (0,) * len(circuit.nodes), 0)
    timing = Timing(circuit, model)
    period = timing.shortest(latency) if clock_ns is None and latency else clock_ns
    assert period is not None
    early = timing.early(period)
    if early is None:
        raise ScheduleError(timing.too_slow(period))
    least = timing.latency(early)
    latency = least if latency is None else latency
    if latency < least:
        reached = 1000 / timing.shortest(latency)
        raise ScheduleError(
            f"pipeline: {1000 / period:.1f} MHz needs a latency of {least}, asked for {latency}; "
            f"at {latency} the clock can be {reached:.1f} MHz"
        )
    return Pipelined(circuit, _fewest_registers(timing, early, latency, period), latency)


def check(
    piped: Pipelined, model: DelayModel | None = None, clock_ns: float | None = None
) -> float | None:
    """Return the longest stage in nanoseconds, or ``None`` without a model.

    Raises:
        ScheduleError: an operand is computed after its reader, an output leaves no register, or a
            stage is longer than ``clock_ns``.
    """
    circuit, stages, latency = piped.circuit, piped.stages, piped.latency
    if latency < 0 or len(stages) != len(circuit.nodes):
        raise ScheduleError(
            f"pipeline: latency {latency} and {len(stages)} stages for {len(circuit.nodes)} nodes; "
            "convert again"
        )
    for number in range(len(stages)):
        _check_stage(piped, number)
    if model is None:
        return None
    number, time = Timing(circuit, model).longest(stages)
    if clock_ns is not None and time > clock_ns + EPSILON:
        raise ScheduleError(
            f"{name_of(circuit, number)}: its path takes {time:.2f} ns, the clock is "
            f"{clock_ns:.2f} ns; lower the clock to {1000 / time:.1f} MHz"
        )
    return time


def _check_stage(piped: Pipelined, number: int) -> None:
    nodes, stages = piped.circuit.nodes, piped.stages
    node, stage = nodes[number], stages[number]
    if isinstance(node, Constant):
        return
    last = piped.latency if is_wire(node) else max(0, piped.latency - 1)
    last = 0 if isinstance(node, Input) else last
    if not 0 <= stage <= last:
        raise ScheduleError(
            f"{name_of(piped.circuit, number)}: {node.kind} in stage {stage} of latency "
            f"{piped.latency}, expected 0 to {last}; convert again"
        )
    if any(stages[i] > stage for i in node.operands if not isinstance(nodes[i], Constant)):
        raise ScheduleError(
            f"{name_of(piped.circuit, number)}: stage {stage} is before that of an operand; "
            "convert again"
        )


def earliest(circuit: Circuit, model: DelayModel, clock_ns: float) -> Pipelined:
    """Return ``circuit`` with every node as early as its operands allow: what needs no search."""
    timing = Timing(circuit, model)
    stages = timing.early(clock_ns)
    if stages is None:
        raise ScheduleError(timing.too_slow(clock_ns))
    return Pipelined(circuit, tuple(stages), timing.latency(stages))


def least_latency(circuit: Circuit, model: DelayModel, clock_ns: float) -> float:
    """Return the fewest layers of registers at a clock; infinite where one node is too slow."""
    timing = Timing(circuit, model)
    stages = timing.early(clock_ns)
    return float("inf") if stages is None else timing.latency(stages)


def _fewest_registers(
    timing: Timing, early: Sequence[int], latency: int, period: float
) -> tuple[int, ...]:
    """Return stages with the fewest register bits; for large circuits, few."""
    late = timing.late(period, latency)
    pairs = far_pairs(timing, early, late, period)
    program = _Program(timing.circuit, early, late, latency, pairs)
    if program.size <= _LARGEST:
        return program.solve()
    ends = [Pipelined(timing.circuit, tuple(_inside(timing, s)), latency) for s in (early, late)]
    best = min(ends, key=lambda piped: piped.register_bits).stages
    # Move the nodes of two neighbouring stages at a time; all others stay.
    for first in range(latency - 1, -1, -1):
        free = [first <= s <= first + 1 for s in best]
        lower = [max(e, s - 1) if f else s for f, s, e in zip(free, best, early, strict=True)]
        upper = [min(e, s + 1) if f else s for f, s, e in zip(free, best, late, strict=True)]
        part = _Program(timing.circuit, lower, upper, latency, pairs)
        if part.size <= _LARGEST:
            best = part.solve()
    return best


def _inside(timing: Timing, stages: Sequence[int]) -> list[int]:
    """Return stages with inputs and constants where they are: at the start."""
    nodes = timing.circuit.nodes
    return [0 if isinstance(n, Constant | Input) else s for n, s in zip(nodes, stages, strict=True)]


class _Program:
    """The linear program: stages as variables, register bits as the objective.

    A value with several readers has one more variable, the stage of the last of them.
    """

    def __init__(
        self,
        circuit: Circuit,
        early: Sequence[int],
        late: Sequence[int],
        latency: int,
        pairs: Sequence[tuple[int, int]],
    ) -> None:
        nodes = circuit.nodes
        self._count = len(nodes)
        fixed = [isinstance(node, Constant | Input) for node in nodes]
        self._lower = [0 if f else e for f, e in zip(fixed, early, strict=True)]
        self._upper = [0 if f else e for f, e in zip(fixed, late, strict=True)]
        self._cost = [0] * self._count
        # Variable x minus variable y is at least z.
        rules = [(v, u, 1) for u, v in pairs]
        outputs = set(circuit.outputs)
        for number, readers in enumerate(circuit.uses()):
            if isinstance(nodes[number], Constant):
                continue
            rules += [(reader, number, 0) for reader in readers]
            rules += self._charge(number, nodes[number].width, readers, number in outputs)
        self._low, self._high = np.array(self._lower), np.array(self._upper)
        table = np.array(rules, dtype=np.int64).reshape(-1, 3)
        # What the bounds imply needs no rule.
        open_rules = self._low[table[:, 0]] < self._high[table[:, 1]] + table[:, 2]
        self._rules = table[open_rules]
        self._far = self._rules[:, 2] == 1

    def _charge(
        self, number: int, width: int, readers: Sequence[int], output: bool
    ) -> list[tuple[int, int, int]]:
        """Charge the registers behind a node: up to its last reader, or up to the end."""
        self._cost[number] -= width
        if output:
            return []
        if len(readers) == 1:
            self._cost[readers[0]] += width
            return []
        last = len(self._cost)
        self._cost.append(width)
        self._lower.append(max((self._lower[i] for i in readers), default=self._lower[number]))
        self._upper.append(max((self._upper[i] for i in readers), default=self._upper[number]))
        return [(last, reader, 0) for reader in readers]

    @property
    def size(self) -> int:
        """Rules that every solution is made with."""
        return int((~self._far).sum())

    def solve(self) -> tuple[int, ...]:
        """Return the stage of every node."""
        # Many pairs, of which few matter: start without, add those that are broken.
        used = ~self._far if self._far.sum() > _MANY_PAIRS else np.ones(len(self._rules), bool)
        while True:
            stages = self._solve(self._rules[used])
            broken = stages[self._rules[:, 0]] - stages[self._rules[:, 1]] < self._rules[:, 2]
            if not broken.any():
                return tuple(int(s) for s in stages[: self._count])
            used |= broken

    def _solve(self, rules: NDArray[np.int64]) -> NDArray[np.int64]:
        # Loading SciPy takes a third of a second, which nobody else should wait for.
        from scipy.optimize import linprog
        from scipy.sparse import csr_array

        if not len(rules):
            return np.where(np.array(self._cost) > 0, self._low, self._high)
        rows, ones = np.arange(len(rules)), np.ones(len(rules))
        entries = np.concatenate([-ones, ones])
        places = (np.tile(rows, 2), np.concatenate([rules[:, 0], rules[:, 1]]))
        found = linprog(
            self._cost,
            A_ub=csr_array((entries, places), shape=(len(rules), len(self._low))),
            b_ub=-rules[:, 2],
            bounds=np.stack([self._low, self._high], axis=1),
            # Its answers are corners, and those are integers here.
            method="highs-ds",
        )
        if found.x is None:
            raise ScheduleError(f"pipeline: the linear program has no solution ({found.message})")
        stages: NDArray[np.int64] = np.rint(found.x).astype(np.int64)
        return stages
