"""What a circuit costs on an FPGA family: LUTs, registers, DSP blocks, before synthesis.

The estimates follow what Yosys makes of the emitted Verilog, with ``keep_adders``; only products of
two nodes take DSP blocks. Constants marked as fitted come from ``benchmarks/spatial_models.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from hwaccel.circuit.delay import decision_bits, factor_widths, model_for
from hwaccel.circuit.moved import with_moved_tables
from hwaccel.circuit.node import (
    Choose,
    Clip,
    Constant,
    Even,
    Max,
    Node,
    Sum,
    Sum3,
    Table,
    Times,
    first_bit,
)
from hwaccel.circuit.unit import Pipelined
from hwaccel.errors import ScheduleError


@dataclass(frozen=True, slots=True)
class Cost:
    """LUTs (LUT4 equivalents on ECP5, iCE40 and Gowin), registers and DSP blocks."""

    luts: float
    ffs: int
    dsps: int = 0


@dataclass(frozen=True, slots=True)
class Part:
    """All nodes of one kind: how many, their LUTs, the registers behind them, DSP blocks."""

    count: int
    luts: float
    ffs: int
    dsps: int = 0


@dataclass(frozen=True, slots=True)
class _Device:
    """One family. A carry cell holds ``granule`` bits, each of which takes a LUT.

    ``merged`` is the share of a multiplexer's LUTs left after its neighbours took some of them in.
    A carry chain takes ``chain`` LUTs more than its bits, and ``registered`` more where a register
    follows; where ``carried``, a place with the same signal in both operands takes none. Chains of
    at least ``shift_register`` registers become a LUT each; 0 for never. Where ``ternary``, a chain
    adds three numbers as well as two (see ``templates/synth/add3_xilinx.v.j2``).
    """

    family: str
    lut_inputs: int
    granule: int
    merged: float = 1.0
    chain: float = 0.0
    registered: float = 0.0
    shift_register: int = 0
    carried: bool = False
    ternary: bool = False


_DEVICES = (
    _Device("ecp5", 4, 2),
    *(
        _Device(name, 6, 1, chain=0.2, registered=0.4, shift_register=3, carried=True, ternary=True)
        for name in ("xcup", "xc7")
    ),
    _Device("ice40", 4, 1, carried=True),
    _Device("ice40hx", 4, 1, carried=True),
    # Gowin: as iCE40, not fitted.
    _Device("gw1n", 4, 1),
    _Device("gw2a", 4, 1),
)


def adds_three(family: str) -> bool:
    """Tell whether a carry chain of the family adds three numbers."""
    return _device(family).ternary


def estimate(piped: Pipelined, family: str) -> Cost:
    """Return the cost of a circuit with registers, its valid bits included."""
    parts = breakdown(piped, family).values()
    ffs = sum(part.ffs for part in parts) + piped.latency
    return Cost(sum(part.luts for part in parts), ffs, sum(part.dsps for part in parts))


def breakdown(piped: Pipelined, family: str) -> dict[str, Part]:
    """Return what the nodes of every kind cost, in order of the first of each."""
    device = _device(family)
    nodes = piped.circuit.nodes
    empty = empty_bits(nodes)
    made = with_moved_tables(piped)
    taps = _taps(made) if device.shift_register else []
    parts: dict[str, Part] = {}
    for number, (node, length) in enumerate(zip(nodes, made.delays(), strict=True)):
        bits = node.width - empty[number]
        if isinstance(node, Table):
            bits = _table(node, nodes[node.a].width, nodes[node.a].width)
        logic = luts(node, nodes, family, empty)
        ffs = bits * length
        if isinstance(node, Sum | Sum3) and logic > 1 and length:
            logic += device.registered
        if device.shift_register:
            long = [d for d in taps[number] if d >= device.shift_register]
            logic += bits * len(long)
            ffs -= bits * sum(long)
        old = parts.get(node.kind, Part(0, 0.0, 0))
        dsps = model_for(family).blocks(node, nodes) if isinstance(node, Times) else 0
        parts[node.kind] = Part(old.count + 1, old.luts + logic, old.ffs + ffs, old.dsps + dsps)
    return parts


def total_luts(nodes: Sequence[Node], family: str) -> float:
    """Return the LUTs of all nodes."""
    empty = empty_bits(nodes)
    return sum(luts(node, nodes, family, empty) for node in nodes)


def luts(
    node: Node, nodes: Sequence[Node], family: str, empty: Sequence[int] | None = None
) -> float:
    """Return the LUTs of one node. ``empty`` are the low bits of each node known to be zero."""
    device = _device(family)
    zeros = empty_bits(nodes) if empty is None else empty
    if isinstance(node, Sum):
        return _sum(node, nodes, zeros, device)
    if isinstance(node, Sum3):
        bits = node.width - first_bit(node, [zeros[i] for i in node.operands])
        return device.chain + bits if device.ternary else 2 * _chain(bits, device)
    if isinstance(node, Clip):
        return _clip(node, nodes[node.a], device)
    if isinstance(node, Max):
        width = max(nodes[i].width for i in node.operands)
        return _chain(width, device) + device.merged * node.width
    if isinstance(node, Times):
        return _product(node, nodes, device)
    if isinstance(node, Choose):
        return device.merged * node.width
    if isinstance(node, Even):
        return _tree(node.shift + 1, device.lut_inputs)
    if isinstance(node, Table):
        return float(_table(node, nodes[node.a].width, device.lut_inputs))
    return 0.0


def _table(node: Table, inputs: int, lut_inputs: int) -> int:
    """Return the LUTs of a table: one for each function of as many bits as a LUT has.

    Bits that are constant or one and the same, inverted or not, take none of their own. Of a wide
    operand only the bits count that tell its few values apart.
    """
    inputs = min(inputs, len(node.values).bit_length() + 1)
    values = np.full(1 << inputs, node.values[-1], dtype=np.int64)
    values[np.arange(node.first, node.first + len(node.values)) & (values.size - 1)] = node.values
    bits = (values[:, None] >> np.arange(node.width)) & 1
    found = 0
    for start in range(0, values.size, 1 << lut_inputs):
        part = bits[start : start + (1 << lut_inputs)]
        part = part ^ part[:1]
        found += np.unique(part[:, part.any(axis=0)], axis=1).shape[1]
    return found


def empty_bits(nodes: Sequence[Node]) -> list[int]:
    """Return how many of the lowest bits of every node are zero for structural reasons."""
    found: list[int] = []
    for node in nodes:
        found.append(min(node.empty(*(found[i] for i in node.operands)), node.width))
    return found


def _sum(node: Sum, nodes: Sequence[Node], zeros: Sequence[int], device: _Device) -> float:
    """Return the carry chain over the bits in which both operands may differ from zero."""
    a, b = nodes[node.a], nodes[node.b]
    up, down = node.ups
    cut = first_bit(node, (zeros[node.a], zeros[node.b]))
    bits = node.width - cut
    if bits <= 0 or _apart(node, a, b, cut, up, down):
        return 0.0
    if bits == 1:
        return 1.0
    if device.granule > 1:
        return _chain(bits, device)
    alike = device.carried and _same_bottom(node, nodes)
    return device.chain + _propagate(node, (a.width + up, a), (b.width + down, b), cut) - alike


def _same_bottom(node: Sum, nodes: Sequence[Node]) -> bool:
    """Tell whether the lowest bit of both operands is the same signal: a carry into the chain."""
    bottoms = set()
    for end in (nodes[node.a], nodes[node.b]):
        if not isinstance(end, Sum) or end.shift <= 0 or nodes[end.a].width > 1:
            return False
        bottoms.add(end.a)
    return not node.shift and len(bottoms) == 1


def _propagate(node: Sum, a: tuple[int, Node], b: tuple[int, Node], cut: int) -> float:
    """Return the LUTs beside a carry chain that is no LUT itself: one per bit that needs one.

    Above both operands all bits are as the last; above one without a sign the other one passes.
    Of two possible inverters for each bit of a constant one is needed on average.
    """
    (low, first), (high, second) = sorted((a, b), key=lambda end: end[0])
    low, high = (min(max(top, cut), node.width) for top in (low, high))
    if isinstance(a[1], Constant) or isinstance(b[1], Constant):
        return 0.5 * (high - cut)
    inverted = node.subtract and second is b[1]
    return (low - cut) + (high - low) * float(first.signed or inverted)


def _apart(node: Sum, a: Node, b: Node, cut: int, up: int, down: int) -> bool:
    """Tell whether the upper operand starts above the lower one, so that wires are enough."""
    if not b.signed and b.width + down <= cut:
        return True
    return not node.subtract and not a.signed and a.width + up <= cut


def _product(node: Times, nodes: Sequence[Node], device: _Device) -> float:
    """Return one carry chain for every two rows that meet, or for every two DSP blocks."""
    narrow, wide = factor_widths(node, nodes)
    blocks = model_for(device.family).blocks(node, nodes)
    if blocks:
        return (blocks - 1) * _chain(wide, device)
    if narrow == 1:
        return float(node.width)
    return (narrow - 1) * _chain(wide + 1, device)


def _chain(bits: int, device: _Device) -> float:
    return float(-(-bits // device.granule) * device.granule)


def _clip(node: Clip, x: Node, device: _Device) -> float:
    """Return a multiplexer per bit, and what decides it where a single bit does not."""
    decided = sum(_tree(bits, device.lut_inputs) for bits in decision_bits(node, x))
    return device.merged * node.width + decided


def _tree(inputs: int, lut_inputs: int) -> float:
    """Return the LUTs of a function of many bits that can be computed step by step."""
    return float(-(-max(0, inputs - 1) // (lut_inputs - 1)))


def _taps(piped: Pipelined) -> list[list[int]]:
    """Return the lengths of the pieces of each register chain between the points it is read at."""
    nodes, stages = piped.circuit.nodes, piped.stages
    read: list[set[int]] = [{0} for _ in nodes]
    for number, node in enumerate(nodes):
        for operand in node.operands:
            read[operand].add(stages[number] - stages[operand])
    for output in piped.circuit.outputs:
        read[output].add(piped.latency - stages[output])
    pieces = []
    for node, points in zip(nodes, read, strict=True):
        places = [] if isinstance(node, Constant) else sorted(points)
        pieces.append([y - x for x, y in pairwise(places)])
    return pieces


def _device(family: str) -> _Device:
    for device in _DEVICES:
        if device.family == family:
            return device
    known = ", ".join(device.family for device in _DEVICES)
    raise ScheduleError(f"cost model: none for family {family!r}; choose one of {known}")
