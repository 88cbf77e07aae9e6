"""Cut a circuit into clock cycles: a stage per node, then as few registers as possible.

The stage of a node is an integer variable. A pair of nodes whose path takes longer than the clock
period must be a stage apart; all other rules are differences of two variables as well. The number of
register bits under such rules is the dual of a minimum cost flow (Leiserson and Saxe, "Retiming
synchronous circuitry", 1991), so the optimum of the linear program is integral.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from hwaccel.circuit.circuit import Circuit
from hwaccel.circuit.delay import NEVER, Arc, DelayModel, is_wire
from hwaccel.circuit.node import Constant, Input
from hwaccel.circuit.unit import Pipelined
from hwaccel.errors import ScheduleError

# Of a nanosecond: far below what any model can tell, far above rounding.
_EPSILON = 1e-6
# Sources whose paths are followed together.
_BLOCK = 512


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
    if clock_ns is None and latency is None:
        raise ScheduleError("pipeline: neither a clock nor a latency is given; give one of them")
    if clock_ns is not None and latency == 0:
        raise ScheduleError(
            f"pipeline: no register at latency 0, so no clock of {1000 / clock_ns:.1f} MHz; "
            "ask for a latency of at least 1, or drop the clock"
        )
    if latency == 0:
        return Pipelined(circuit, (0,) * len(circuit.nodes), 0)
    timing = _Timing(circuit, model)
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
    nodes = circuit.nodes
    if len(stages) != len(nodes):
        raise ScheduleError(f"pipeline: {len(stages)} stages for {len(nodes)} nodes; convert again")
    for number, node in enumerate(nodes):
        last = max(0, latency - 1) if not is_wire(node) else latency
        if isinstance(node, Input) and stages[number] != 0:
            raise ScheduleError(f"{_name(circuit, number)}: an input in stage {stages[number]}, not 0")
        if isinstance(node, Constant):
            continue
        if not 0 <= stages[number] <= last:
            raise ScheduleError(
                f"{_name(circuit, number)}: stage {stages[number]} of latency {latency}, expected "
                f"0 to {last}; convert again"
            )
        if any(
            stages[i] > stages[number] for i in node.operands if not isinstance(nodes[i], Constant)
        ):
            raise ScheduleError(
                f"{_name(circuit, number)}: stage {stages[number]} is before that of an operand; "
                "convert again"
            )
    if model is None:
        return None
    number, time = _Timing(circuit, model).longest(stages)
    if clock_ns is not None and time > clock_ns + _EPSILON:
        raise ScheduleError(
            f"{_name(circuit, number)}: its path takes {time:.2f} ns, the clock is {clock_ns:.2f} ns; "
            f"lower the clock to {1000 / time:.1f} MHz"
        )
    return time


@dataclass
class _Timing:
    """A circuit and the time between its nodes."""

    circuit: Circuit
    model: DelayModel
    arcs: list[tuple[Arc, ...]] = field(init=False)
    fresh: list[tuple[float, float]] = field(init=False)
    wire: list[bool] = field(init=False)

    def __post_init__(self) -> None:
        self.arcs = self.model.arcs(self.circuit)
        self.wire = [is_wire(node) for node in self.circuit.nodes]
        start = self.model.launch_ns
        # Times of a node all of whose operands come from registers.
        self.fresh = [
            (
                max(max(a.low_low, a.high_low) for a in arcs) + start,
                max(max(a.low_high, a.high_high) for a in arcs) + start,
            )
            if arcs
            else (start, start)
            for arcs in self.arcs
        ]
        for number, node in enumerate(self.circuit.nodes):
            if isinstance(node, Constant):
                self.fresh[number] = (NEVER, NEVER)

    def early(self, period: float) -> list[int] | None:
        """Return the earliest stage of every node, or ``None`` where one is slower than that."""
        last = period - self.model.capture_ns + _EPSILON
        stages = [0] * len(self.arcs)
        lows, highs = [0.0] * len(stages), [0.0] * len(stages)
        for number, arcs in enumerate(self.arcs):
            stage = max((stages[a.operand] for a in arcs), default=0)
            low, high = self._arrival(arcs, stages, lows, highs, stage)
            if not arcs:
                low, high = self.fresh[number]
            if not self.wire[number] and max(low, high) > last:
                stage += 1
                low, high = self.fresh[number]
                if max(low, high) > last:
                    return None
            stages[number], lows[number], highs[number] = stage, low, high
        return stages

    def late(self, period: float, latency: int) -> list[int]:
        """Return the latest stage of every node."""
        last = period - self.model.capture_ns + _EPSILON
        count = len(self.arcs)
        stages = [latency if wire else latency - 1 for wire in self.wire]
        lows, highs = [0.0] * count, [0.0] * count
        for number in range(count - 1, -1, -1):
            first, top = self.fresh[number]
            if max(first + lows[number], top + highs[number]) > last:
                stages[number] -= 1
                lows[number] = highs[number] = 0.0
            low, high, stage = lows[number], highs[number], stages[number]
            for arc in self.arcs[number]:
                at = arc.operand
                if stage < stages[at]:
                    stages[at], lows[at], highs[at] = stage, 0.0, 0.0
                if stage == stages[at]:
                    lows[at] = max(lows[at], low + arc.low_low, high + arc.low_high)
                    highs[at] = max(highs[at], low + arc.high_low, high + arc.high_high)
        return stages

    def longest(self, stages: Sequence[int]) -> tuple[int, float]:
        """Return the node that settles last within its stage, and the time of its stage."""
        lows, highs = [0.0] * len(stages), [0.0] * len(stages)
        worst, time = 0, 0.0
        for number, arcs in enumerate(self.arcs):
            low, high = self._arrival(arcs, stages, lows, highs, stages[number])
            if not arcs:
                low, high = self.fresh[number]
            lows[number], highs[number] = low, high
            if not self.wire[number] and max(low, high) > time:
                worst, time = number, max(low, high)
        return worst, max(time + self.model.capture_ns, self.model.around_ns)

    def _arrival(
        self,
        arcs: Sequence[Arc],
        stages: Sequence[int],
        lows: Sequence[float],
        highs: Sequence[float],
        stage: int,
    ) -> tuple[float, float]:
        start = self.model.launch_ns
        low = high = NEVER
        for arc in arcs:
            at = arc.operand
            first, top = (lows[at], highs[at]) if stages[at] == stage else (start, start)
            low = max(low, first + arc.low_low, top + arc.high_low)
            high = max(high, first + arc.low_high, top + arc.high_high)
        return low, high

    def latency(self, stages: Sequence[int]) -> int:
        """Return the latency of stages that are as early as possible."""
        nodes = self.circuit.nodes
        read = (stages[i] for i in self.circuit.outputs if not isinstance(nodes[i], Constant))
        return 1 + max(read, default=0)

    def shortest(self, latency: int) -> float:
        """Return the shortest period of which ``latency`` layers of registers are enough."""
        low = self._slowest()[1]
        high = max(low, self.longest([0] * len(self.arcs))[1])
        best = high
        while high - low > _EPSILON:
            period = (low + high) / 2
            stages = self.early(period)
            if stages is not None and self.latency(stages) <= latency:
                # The longest stage itself is a period that does, and often much shorter.
                best = high = min(period, self.longest(stages)[1])
            else:
                low = period
        return best

    def _slowest(self) -> tuple[int, float]:
        logic = [i for i in self.circuit.logic if not self.wire[i]]
        times = [max(self.fresh[i]) + self.model.capture_ns for i in logic]
        if not times:
            return 0, self.model.around_ns
        worst = int(np.argmax(times))
        return logic[worst], times[worst]

    def too_slow(self, period: float) -> str:
        """Return what to tell when one node alone takes longer than ``period``."""
        number, time = self._slowest()
        node = self.circuit.nodes[number]
        return (
            f"{_name(self.circuit, number)}: one {node.width}-bit {node.kind} takes {time:.2f} ns on "
            f"{self.model.family}, the clock of {1000 / period:.1f} MHz leaves {period:.2f} ns; "
            f"lower the clock to {_rounded_down(1000 / time)} MHz, or use fewer bits"
        )


def _rounded_down(mhz: float) -> str:
    return f"{np.floor(mhz * 10) / 10:.1f}"


def _name(circuit: Circuit, number: int) -> str:
    """Name a node after the element it is, or the graph node it is a part of."""
    origin, element = circuit.origins[number], circuit.elements[number]
    if not origin:
        return f"node {number}"
    return f"{origin}[{element}]" if element >= 0 else f"{origin} (node {number})"


def _far_pairs(
    timing: _Timing, early: Sequence[int], late: Sequence[int], period: float
) -> list[tuple[int, int]]:
    """Return the pairs of nodes that cannot share a stage, as few as imply all of them.

    Nodes far apart in any case need no rule, nor do pairs around another pair.
    """
    last = period - timing.model.capture_ns + _EPSILON
    nodes = timing.circuit.nodes
    sources = [i for i in timing.circuit.logic if early[i] < late[i] or not timing.wire[i]]
    pairs: list[tuple[int, int]] = []
    for start in range(0, len(sources), _BLOCK):
        pairs += _block_pairs(timing, early, late, sources[start : start + _BLOCK], last)
    known = set(pairs)
    readers: list[list[int]] = [[] for _ in nodes]
    for number, arcs in enumerate(timing.arcs):
        for arc in arcs:
            readers[arc.operand].append(number)
    return [(u, v) for u, v in pairs if not any((w, v) in known for w in readers[u])]


def _block_pairs(
    timing: _Timing,
    early: Sequence[int],
    late: Sequence[int],
    sources: Sequence[int],
    last: float,
) -> list[tuple[int, int]]:
    """Follow all paths out of some sources until they are too long."""
    place = {number: i for i, number in enumerate(sources)}
    latest = np.array([late[i] for i in sources])
    reach = int(latest.max())
    ends: dict[int, int] = {}
    lows: dict[int, np.ndarray] = {}
    highs: dict[int, np.ndarray] = {}
    over: dict[int, np.ndarray] = {}
    pairs: list[tuple[int, int]] = []
    for number in range(sources[0], len(timing.arcs)):
        if early[number] > reach:
            continue
        arcs = timing.arcs[number]
        low = high = past = None
        for arc in arcs:
            at = arc.operand
            if at in over:
                past = over[at] if past is None else past | over[at]
            if at not in lows:
                continue
            first, top = lows[at], highs[at]
            lower = first + arc.low_low
            upper = np.maximum(first + arc.low_high, top + arc.high_high)
            if arc.high_low != NEVER:
                lower = np.maximum(lower, top + arc.high_low)
            low = lower if low is None else np.maximum(low, lower)
            high = upper if high is None else np.maximum(high, upper)
        if number in place:
            if low is None or high is None:
                low, high = np.full((2, len(sources)), NEVER)
            low[place[number]], high[place[number]] = timing.fresh[number]
        if past is not None:
            over[number] = past
        if low is None or high is None:
            continue
        if not timing.wire[number]:
            late_here = np.maximum(low, high) > last
            if late_here.any():
                found = late_here & (latest >= early[number])
                found = found & ~past if past is not None else found
                pairs += [(sources[i], number) for i in np.flatnonzero(found)]
                over[number] = late_here if past is None else late_here | past
        if number in over:
            low[over[number]] = high[over[number]] = NEVER
        if (high > NEVER).any():
            lows[number], highs[number] = low, high
    del ends
    return pairs


def _fewest_registers(
    timing: _Timing, early: Sequence[int], latency: int, period: float
) -> tuple[int, ...]:
    late = timing.late(period, latency)
    pairs = _far_pairs(timing, early, late, period)
    return _Program(timing.circuit, early, late, latency, pairs).solve()


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
        self.count = len(nodes)
        fixed = [isinstance(node, Constant | Input) for node in nodes]
        self.lower = [0 if f else e for f, e in zip(fixed, early, strict=True)]
        self.upper = [0 if f else e for f, e in zip(fixed, late, strict=True)]
        self.cost = [0] * self.count
        # Rows: variable x minus variable y is at least z.
        self.rules: list[tuple[int, int, int]] = [(v, u, 1) for u, v in pairs]
        read_last = set(circuit.outputs)
        for number, readers in enumerate(circuit.uses()):
            if isinstance(nodes[number], Constant):
                continue
            for reader in readers:
                self.rules.append((reader, number, 0))
            self._charge(number, nodes[number].width, readers, latency if number in read_last else 0)

    def _charge(self, number: int, width: int, readers: Sequence[int], output: int) -> None:
        self.cost[number] -= width
        if output:
            return
        if len(readers) == 1:
            self.cost[readers[0]] += width
            return
        last = len(self.cost)
        self.cost.append(width)
        self.lower.append(max((self.lower[i] for i in readers), default=0))
        self.upper.append(max((self.upper[i] for i in readers), default=0))
        self.rules += [(last, reader, 0) for reader in readers]

    def solve(self) -> tuple[int, ...]:
        """Return the stage of every node."""
        # Loading SciPy takes a third of a second, which nobody else should wait for.
        from scipy.optimize import linprog
        from scipy.sparse import csr_array

        lower, upper = np.array(self.lower), np.array(self.upper)
        rules = np.array(self.rules, dtype=np.int64).reshape(-1, 3)
        open_rules = rules[lower[rules[:, 0]] < upper[rules[:, 1]] + rules[:, 2]]
        if not len(open_rules):
            best = np.where(np.array(self.cost) > 0, lower, upper)
            return tuple(int(s) for s in best[: self.count])
        rows = np.arange(len(open_rules))
        ones = np.ones(len(open_rules))
        matrix = csr_array(
            (
                np.concatenate([-ones, ones]),
                (np.tile(rows, 2), np.concatenate([open_rules[:, 0], open_rules[:, 1]])),
            ),
            shape=(len(open_rules), len(lower)),
        )
        found = linprog(
            self.cost,
            A_ub=matrix,
            b_ub=-open_rules[:, 2],
            bounds=np.stack([lower, upper], axis=1),
            method="highs",
        )
        if found.x is None:
            raise ScheduleError(f"pipeline: the linear program has no solution ({found.message})")
        return tuple(round(float(s)) for s in found.x[: self.count])
