"""How long the nodes of a circuit take: a model of carry chains, LUTs and wires per FPGA family.

A value is late at its low end and later at its top, because carries ripple. Two times describe it:
when the lowest bit settles and when the highest does. A chain of adders then costs one ripple, not
one per adder, as in the device.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hwaccel.circuit.circuit import Circuit
from hwaccel.circuit.node import (
    Choose,
    Clip,
    Constant,
    Even,
    Max,
    Node,
    Shift,
    Sum,
    Sum3,
    Table,
    Times,
    Wrap,
)
from hwaccel.errors import ScheduleError

NEVER = float("-inf")


@dataclass(frozen=True, slots=True)
class Arc:
    """What node ``operand`` adds to the two times of its reader, in nanoseconds.

    ``low_high`` is from the low end of the operand to the high end of the result.
    """

    operand: int
    low_low: float
    high_low: float
    low_high: float
    high_high: float


@dataclass(frozen=True, slots=True)
class DelayModel:
    """Delays of one FPGA family in nanoseconds, after placement.

    ``launch_ns`` is clock to output of a register, ``capture_ns`` the setup time of the next one
    and the wire to it. A net takes ``route_ns`` plus ``fanout_ns`` for every doubling of its
    readers. A carry chain takes ``sum_ns`` plus ``carry_ns`` per bit, a LUT ``lut_ns``; these
    are multiplied by ``margin``, against unlucky placements. A DSP block multiplies ``block`` bits
    in ``block_ns``, the wire behind it included; products of at most ``soft_bits`` are made of
    LUTs, as Yosys does. Sums of at most ``narrow_bits`` bits are LUTs without a carry chain, too;
    registers are placed as if there were none of them.
    """

    family: str
    lut_inputs: int
    launch_ns: float
    capture_ns: float
    route_ns: float
    fanout_ns: float
    sum_ns: float
    carry_ns: float
    lut_ns: float
    margin: float = 1.0
    block: tuple[int, int] = (0, 0)
    block_ns: float = 0.0
    soft_bits: int = 8
    narrow_bits: int = 0

    def arcs(self, circuit: Circuit) -> list[tuple[Arc, ...]]:
        """Return the arcs into every node; none from constants, which are always there."""
        nodes = circuit.nodes
        readers = _fan_outs(circuit)
        made = []
        for node in nodes:
            arcs = []
            for operand in dict.fromkeys(node.operands):
                if isinstance(nodes[operand], Constant):
                    continue
                if is_wire(node):
                    arcs.append(self._wire(node, operand))
                else:
                    route = self.route_ns + self.fanout_ns * (readers[operand].bit_length() - 1)
                    arcs.append(self._logic(node, nodes, operand, route))
            made.append(tuple(arcs))
        return made

    def blocks(self, node: Times, nodes: Sequence[Node]) -> int:
        """Return how many DSP blocks a product takes; 0 where it is made of LUTs."""
        narrow, wide = factor_widths(node, nodes)
        small, large = self.block
        if small == 0 or narrow == 1 or node.width <= self.soft_bits:
            return 0
        return -(-narrow // small) * -(-wide // large)

    @property
    def around_ns(self) -> float:
        """Time of a stage without any logic."""
        return self.launch_ns + self.capture_ns

    def _wire(self, node: Node, operand: int) -> Arc:
        """Return the arc of a shift: dropped low bits no longer hide the ripple behind them."""
        dropped = max(0, -node.amount) if isinstance(node, Shift) else 0
        ripple = self.margin * self.carry_ns * dropped
        return Arc(operand, ripple, NEVER, ripple, 0.0)

    def _logic(self, node: Node, nodes: Sequence[Node], operand: int, route: float) -> Arc:
        if isinstance(node, Sum) and node.width <= self.narrow_bits:
            time = self.margin * (route + self.lut_ns)
            if sum(nodes[i].width for i in node.operands) > self.lut_inputs:
                time += self.margin * (self.route_ns / 2 + self.lut_ns)
            return Arc(operand, time, time, time, time)
        if isinstance(node, Sum):
            start = self.margin * (route + self.sum_ns)
            top = start + self.margin * self.carry_ns * chain_bits(node, nodes)
            return Arc(operand, start, NEVER, top, start)
        if isinstance(node, Sum3):
            # The LUT before adds three bits into two, of which one goes to the next place.
            start = self.margin * (route + self.lut_ns + self.route_ns + self.sum_ns)
            top = start + self.margin * self.carry_ns * node.width
            return Arc(operand, start, NEVER, top, start)
        if isinstance(node, Times):
            return self._product(node, nodes, operand, route)
        if isinstance(node, Choose) and operand == node.a:
            # The sign goes to all bits of the result.
            route += self.fanout_ns * (node.width.bit_length() - 1)
        # Every bit of the result depends on the highest of the operand.
        chain, levels = self._decision(node, nodes)
        # What is decided goes to all bits of the result.
        fan_out = self.route_ns + self.fanout_ns * (node.width.bit_length() - 1)
        steps = levels + (1 if chain else 0)
        time = route + levels * self.lut_ns + (self.sum_ns if chain else 0.0)
        time = self.margin * (time + max(0, steps - 1) * fan_out)
        ripple = self.margin * self.carry_ns * chain
        return Arc(operand, time + ripple, time, time + ripple, time)

    def _product(self, node: Times, nodes: Sequence[Node], operand: int, route: float) -> Arc:
        """Return the arc of a product: a tree of adders over its rows, or over its DSP blocks."""
        narrow, _ = factor_widths(node, nodes)
        blocks = self.blocks(node, nodes)
        levels = ((blocks or narrow) - 1).bit_length()
        if blocks:
            start = self.block_ns + levels * (self.route_ns + self.sum_ns)
        elif levels == 0:
            start = self.lut_ns
        else:
            start = levels * self.sum_ns + (levels - 1) * self.route_ns
        start = self.margin * (route + start)
        top = start + self.margin * self.carry_ns * (node.width if levels else 0)
        return Arc(operand, start, start, top, top)

    def _decision(self, node: Node, nodes: Sequence[Node]) -> tuple[int, int]:
        """Return the bits of the carry chain and the LUT levels of a node that is not a sum."""
        if isinstance(node, Max):
            return max(nodes[i].width for i in node.operands), 1
        if isinstance(node, Clip):
            bits = max((bits for bits in decision_bits(node, nodes[node.a])), default=0)
            return 0, 1 + (_levels(bits, self.lut_inputs) if bits >= self.lut_inputs else 0)
        if isinstance(node, Even):
            return 0, _levels(node.shift + 1, self.lut_inputs)
        if isinstance(node, Choose):
            return 0, 1
        assert isinstance(node, Table)
        # Beyond one LUT, multiplexers double the reach; they cost about half a level each.
        return 0, 1 + max(0, nodes[node.a].width - self.lut_inputs + 1) // 2


def model_for(family: str) -> DelayModel:
    """Return the delays of an FPGA family.

    Raises:
        ScheduleError: there is no model for it.
    """
    for model in _MODELS:
        if model.family == family:
            return model
    known = ", ".join(model.family for model in _MODELS)
    raise ScheduleError(f"delay model: none for family {family!r}; choose one of {known}")


def is_wire(node: Node) -> bool:
    """Tell whether a node is wiring only: shifted or dropped bits."""
    return isinstance(node, Shift | Wrap)


def chain_bits(node: Sum, nodes: Sequence[Node]) -> int:
    """Return the bits of the carry chain of a sum.

    Low bits of ``a`` below a shifted ``b`` pass, unless ``a`` has to be subtracted from.
    """
    free = node.shift if node.shift > 0 else 0
    if node.shift < 0 and not node.subtract:
        free = -node.shift
    return max(1, node.width - free)


def factor_widths(node: Times, nodes: Sequence[Node]) -> tuple[int, int]:
    """Return the bits of both factors, the narrower first; beside a signed one all have a sign."""
    factors = [nodes[i] for i in node.operands]
    signed = any(x.signed for x in factors)
    narrow, wide = sorted(x.width + (signed and not x.signed) for x in factors)
    return narrow, wide


def decision_bits(node: Clip, x: Node) -> list[int]:
    """Return how many bits of ``x`` tell that a bound is passed, for each bound that may be.

    Of a power of two only those above it count, of zero only the sign.
    """
    bits = []
    for bound, passed in ((node.ceiling, x.hi > node.ceiling), (~node.floor, x.lo < node.floor)):
        if passed and bound == -1:
            bits.append(1)
        elif passed:
            bits.append(x.width if bound & (bound + 1) else x.width - bound.bit_length())
    return bits


def _levels(inputs: int, lut_inputs: int) -> int:
    """Return the depth of a tree of LUTs."""
    levels = 0
    while inputs > 1:
        inputs = -(-inputs // lut_inputs)
        levels += 1
    return levels


def _fan_outs(circuit: Circuit) -> list[int]:
    """Return how many readers every node drives, wires looked through; at least one."""
    counts = [0] * len(circuit.nodes)
    for output in circuit.outputs:
        counts[output] += 1
    for number in range(len(circuit.nodes) - 1, -1, -1):
        node = circuit.nodes[number]
        for operand in dict.fromkeys(node.operands):
            counts[operand] += counts[number] if is_wire(node) else 1
    # A wire drives what its source drives.
    for number, node in enumerate(circuit.nodes):
        if is_wire(node):
            counts[number] = counts[node.operands[0]]
    return [max(1, count) for count in counts]


# ecp5: fitted to nextpnr-ecp5 results on the slowest speed grade, see docs/explanation/
# spatial-timing.md. The others follow data sheets and are not measured.
_MODELS = (
    DelayModel(
        "ecp5",
        lut_inputs=4,
        launch_ns=0.52,
        capture_ns=0.1,
        route_ns=1.2,
        fanout_ns=0.12,
        sum_ns=0.9,
        carry_ns=0.036,
        lut_ns=0.24,
        margin=1.04,
        block=(18, 18),
        block_ns=5.1,
    ),
    DelayModel(
        "xcup",
        lut_inputs=6,
        launch_ns=0.08,
        capture_ns=0.06,
        route_ns=0.32,
        fanout_ns=0.05,
        sum_ns=0.22,
        carry_ns=0.008,
        lut_ns=0.1,
        block=(18, 27),
        block_ns=1.9,
    ),
    DelayModel(
        "xc7",
        lut_inputs=6,
        launch_ns=0.4,
        capture_ns=0.1,
        route_ns=0.6,
        fanout_ns=0.1,
        sum_ns=0.5,
        carry_ns=0.03,
        lut_ns=0.12,
        block=(18, 25),
        block_ns=4.4,
    ),
    DelayModel(
        "ice40",
        lut_inputs=4,
        launch_ns=1.4,
        capture_ns=0.6,
        route_ns=1.8,
        fanout_ns=0.2,
        sum_ns=1.3,
        carry_ns=0.28,
        lut_ns=1.2,
        block=(16, 16),
        block_ns=8.0,
        soft_bits=10,
    ),
    # iCE40 HX has the cells of UltraPlus, faster, and no DSP blocks.
    DelayModel(
        "ice40hx",
        lut_inputs=4,
        launch_ns=0.54,
        capture_ns=0.4,
        route_ns=1.0,
        fanout_ns=0.1,
        sum_ns=0.6,
        carry_ns=0.13,
        lut_ns=0.45,
    ),
    # Gowin: cells as in Apicula's data, wires guessed.
    DelayModel(
        "gw1n",
        lut_inputs=4,
        launch_ns=0.46,
        capture_ns=0.4,
        route_ns=0.9,
        fanout_ns=0.1,
        sum_ns=1.5,
        carry_ns=0.06,
        lut_ns=1.0,
        block=(18, 18),
        block_ns=5.0,
    ),
    DelayModel(
        "gw2a",
        lut_inputs=4,
        launch_ns=0.23,
        capture_ns=0.1,
        route_ns=0.6,
        fanout_ns=0.1,
        sum_ns=0.9,
        carry_ns=0.035,
        lut_ns=0.6,
        block=(18, 18),
        block_ns=3.0,
    ),
)
