"""Times within a circuit: the earliest and latest stages, and which nodes are too far apart."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hwaccel.circuit.circuit import Circuit
from hwaccel.circuit.delay import NEVER, Arc, DelayModel, is_wire
from hwaccel.circuit.node import Constant

# Of a nanosecond: far below what any model can tell, far above rounding.
EPSILON = 1e-6
# Sources whose paths are followed together.
_BLOCK = 256

Floats = NDArray[np.float64]


@dataclass
class Timing:
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
        last = period - self.model.capture_ns + EPSILON
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
        last = period - self.model.capture_ns + EPSILON
        count = len(self.arcs)
        stages = [latency if wire else latency - 1 for wire in self.wire]
        # Times from a node to the end of its stage; a wire that leads to a register takes none.
        ends = [NEVER if wire else 0.0 for wire in self.wire]
        lows, highs = list(ends), list(ends)
        for number in range(count - 1, -1, -1):
            first, top = self.fresh[number]
            if max(first + lows[number], top + highs[number]) > last:
                stages[number] -= 1
                lows[number] = highs[number] = ends[number]
            low, high, stage = lows[number], highs[number], stages[number]
            for arc in self.arcs[number]:
                at = arc.operand
                if stage < stages[at]:
                    stages[at], lows[at], highs[at] = stage, ends[at], ends[at]
                if stage == stages[at]:
                    lows[at] = max(lows[at], low + arc.low_low, high + arc.low_high)
                    highs[at] = max(highs[at], low + arc.high_low, high + arc.high_high)
        return stages

    def longest(self, stages: Sequence[int]) -> tuple[int, float]:
        """Return the node that settles last within its stage, and the time of its stage."""
        worst, time = 0, 0.0
        for number, (low, high) in enumerate(zip(*self._arrivals(stages), strict=True)):
            if not self.wire[number] and max(low, high) > time:
                worst, time = number, max(low, high)
        return worst, max(time + self.model.capture_ns, self.model.around_ns)

    def stage_times(self, stages: Sequence[int]) -> dict[int, float]:
        """Return the time of the longest path of every stage that has one."""
        times: dict[int, float] = {}
        for number, (low, high) in enumerate(zip(*self._arrivals(stages), strict=True)):
            time = max(low, high)
            if not self.wire[number] and self.arcs[number] and time > 0:
                stage = stages[number]
                times[stage] = max(times.get(stage, 0.0), time + self.model.capture_ns)
        return times

    def slacks(self, stages: Sequence[int], period: float) -> list[float]:
        """Return by how much each node may settle later without its stage exceeding ``period``."""
        last = period - self.model.capture_ns
        # Times from a node to the end of its stage; a wire that leads to a register takes none.
        lows = [NEVER if wire else 0.0 for wire in self.wire]
        highs = list(lows)
        for number in range(len(stages) - 1, -1, -1):
            low, high = lows[number], highs[number]
            for arc in self.arcs[number]:
                at = arc.operand
                if stages[at] == stages[number]:
                    lows[at] = max(lows[at], low + arc.low_low, high + arc.low_high)
                    highs[at] = max(highs[at], low + arc.high_low, high + arc.high_high)
        ends = zip(*self._arrivals(stages), lows, highs, strict=True)
        return [last - max(low + to, high + top) for low, high, to, top in ends]

    def _arrivals(self, stages: Sequence[int]) -> tuple[list[float], list[float]]:
        """Return when the lowest and the highest bit of every node settle within its stage."""
        lows, highs = [0.0] * len(stages), [0.0] * len(stages)
        for number, arcs in enumerate(self.arcs):
            low, high = self._arrival(arcs, stages, lows, highs, stages[number])
            lows[number], highs[number] = (low, high) if arcs else self.fresh[number]
        return lows, highs

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
        while high - low > EPSILON:
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
        what = f"one {node.width}-bit {node.kind} takes {time:.2f} ns on {self.model.family}"
        return (
            f"{name_of(self.circuit, number)}: {what}, the clock of {1000 / period:.1f} MHz leaves "
            f"{period:.2f} ns; lower the clock to {_rounded_down(1000 / time)} MHz, or use fewer "
            "bits"
        )


def _rounded_down(mhz: float) -> str:
    return f"{np.floor(mhz * 10) / 10:.1f}"


def name_of(circuit: Circuit, number: int) -> str:
    """Name a node after the element it is, or the graph node it is a part of."""
    origin, element = circuit.origins[number], circuit.elements[number]
    if not origin:
        return f"node {number}"
    return f"{origin}[{element}]" if element >= 0 else f"{origin} (node {number})"


def far_pairs(
    timing: Timing, early: Sequence[int], late: Sequence[int], period: float
) -> list[tuple[int, int]]:
    """Return the pairs of nodes that cannot share a stage, as few as imply all of them.

    Nodes far apart in any case need no rule, nor do pairs around another pair.
    """
    last = period - timing.model.capture_ns + EPSILON
    readers: list[list[int]] = [[] for _ in early]
    for number, arcs in enumerate(timing.arcs):
        for arc in arcs:
            readers[arc.operand].append(number)
    sources = timing.circuit.logic
    pairs: list[tuple[int, int]] = []
    for start in range(0, len(sources), _BLOCK):
        block = sources[start : start + _BLOCK]
        pairs += _block_pairs(timing, readers, early, late, block, last)
    known = set(pairs)
    return [(u, v) for u, v in pairs if not any((w, v) in known for w in readers[u])]


def _block_pairs(
    timing: Timing,
    readers: Sequence[Sequence[int]],
    early: Sequence[int],
    late: Sequence[int],
    sources: Sequence[int],
    last: float,
) -> list[tuple[int, int]]:
    """Follow all paths out of some sources, side by side, until they are too long."""
    place = {number: i for i, number in enumerate(sources)}
    latest = np.array([late[i] for i in sources])
    reach = int(latest.max())
    lows: dict[int, Floats] = {}
    highs: dict[int, Floats] = {}
    # Sources from which a node cannot be reached within a stage.
    over: dict[int, NDArray[np.bool_]] = {}
    pairs: list[tuple[int, int]] = []
    pending = list(sources)  # ascending, so already a heap
    seen = set(sources)
    while pending:
        number = heapq.heappop(pending)
        if early[number] > reach:
            continue
        low, high = np.full((2, len(sources)), NEVER)
        past = np.zeros(len(sources), dtype=bool)
        for arc in timing.arcs[number]:
            at = arc.operand
            if at in over:
                past |= over[at]
            if at in lows:
                np.maximum(low, lows[at] + arc.low_low, out=low)
                np.maximum(high, lows[at] + arc.low_high, out=high)
                np.maximum(high, highs[at] + arc.high_high, out=high)
                if arc.high_low != NEVER:
                    np.maximum(low, highs[at] + arc.high_low, out=low)
        if number in place:
            low[place[number]], high[place[number]] = timing.fresh[number]
        if not timing.wire[number]:
            far = (np.maximum(low, high) > last) & ~past
            past |= far
            close = far & (latest >= early[number])
            pairs += [(sources[i], number) for i in np.flatnonzero(close).tolist()]
        low[past] = high[past] = NEVER
        over[number] = past
        if high.max() == NEVER:
            continue
        lows[number], highs[number] = low, high
        for reader in readers[number]:
            if reader not in seen:
                seen.add(reader)
                heapq.heappush(pending, reader)
    return pairs
