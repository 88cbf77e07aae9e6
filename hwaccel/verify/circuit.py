"""Compare the Verilog of a circuit, as another parser reads it, with the circuit, node for node.

Sums, shifts and wraps are compared exactly: both sides are sums of weighted bits modulo a power of
two. What is no sum is computed from the parsed text for every value of its operands where there
are few, and else for the ends of everything, what lies beside them and random values. Which
register of an operand a node reads is part of the comparison.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from math import prod

import numpy as np

from hwaccel.circuit.node import Clip, Constant, Even, Input, Node, Shift, Sum, Sum3, Wrap
from hwaccel.circuit.unit import Unit
from hwaccel.emit.circuit import PORTS
from hwaccel.emit.circuit_names import Named
from hwaccel.emit.names import Namer
from hwaccel.errors import MismatchError
from hwaccel.verify.expressions import Bit, Form, Ints, Net, NotWired, Number, Reader, wired
from hwaccel.verify.parsed import Module, number, operands, read_module

# Values of the operands of a node, up to which all are tried; random ones beyond.
EVERY = 1 << 12
RANDOM = 400


def check_circuit(text: str, unit: Unit) -> None:
    """Compare ``text``, the Verilog of ``unit``, with the circuit it was made from.

    Raises:
        MismatchError: a port, net, register, node or output differs.
        ToolError: pyverilog is not installed.
    """
    try:
        _Check(read_module(text, unit.name), unit).run()
    except (NotWired, AttributeError, LookupError, TypeError, ValueError):
        # A form of text that no circuit is printed in: the readers found something else there.
        raise MismatchError(f"{unit.name}.v: is no circuit as hwaccel prints them") from None


class _Check:
    def __init__(self, module: Module, unit: Unit) -> None:
        self._module, self._unit = module, unit
        self._nodes = unit.piped.circuit.nodes
        self._reader = Reader(module)
        namer = Namer((*PORTS, *(lanes.name for lanes in unit.ins)))
        self._names = Named.of(unit, namer).names
        # Lowest bits of every node that the text makes 0.
        self._zeros: dict[str, int] = {}
        self._unexplained = set(module.nets) - {*module.ports, *self._names, "valid", "unused"}
        self._random = np.random.default_rng(0)

    def run(self) -> None:
        """Compare everything."""
        self._check_ports()
        self._check_valid()
        places = self._lanes()
        for n, node in enumerate(self._nodes):
            if isinstance(node, Constant):
                continue
            name = self._names[n]
            declared = self._module.nets.get(name)
            if declared is None or declared.value is None:
                raise self._module.wrong(f"{name} is missing")
            if (declared.width, declared.signed) != (node.width, node.signed):
                raise self._module.wrong(f"{name}: expected {_kind(node)}, found another range")
            self._explain(name)
            if isinstance(node, Input):
                expected = wired(places[node.index][: node.width])
                self._equal(name, self._reader.form(declared.value), expected)
                self._zeros[name] = 0
            elif isinstance(node, Sum | Sum3 | Shift | Wrap):
                self._check_sum(n, node)
            else:
                self._check_values(n, node)
        self._check_outputs()
        self._check_rest()

    # --- around the nodes ------------------------------------------------------------------------

    def _check_ports(self) -> None:
        expected = {"clk": ("input", 1), "rst": ("input", 1), "in_valid": ("input", 1)}
        expected |= {lanes.name: ("input", lanes.bits) for lanes in self._unit.ins}
        bits = sum(lanes.bits for lanes in self._unit.outs)
        expected |= {"out_valid": ("output", 1), "out_data": ("output", bits)}
        if self._module.ports != expected:
            raise self._module.wrong(f"ports: expected {expected}, found {self._module.ports}")

    def _check_valid(self) -> None:
        """See that ``out_valid`` is ``in_valid`` as many clocks later, all of them cleared."""
        latency, module = self._unit.piped.latency, self._module
        stages: list[Bit] = [(("valid", 0), i) for i in range(latency)]
        chain: list[Bit] = [(("in_valid", 0), 0), *stages]
        reader = Reader(Module(module.name, nets=module.nets))
        if latency:
            moved = reader.bits(module.moves.get("valid"))
            condition, cleared = module.clears.get("valid", ("", None))
            if moved != chain[:-1] or condition != "rst" or number(cleared)[:2] != (0, latency):
                raise module.wrong("valid: is no chain of registers with a reset")
        if reader.bits(module.assigns.get("out_valid")) != chain[-1:]:
            raise module.wrong(f"out_valid: is not in_valid {latency} clocks later")

    def _lanes(self) -> list[list[Bit]]:
        """Return the bits of every element of the input vector."""
        return [
            [((lanes.name, 0), i * lanes.width + bit) for bit in range(lanes.width)]
            for lanes in self._unit.ins
            for i in range(lanes.count)
        ]

    def _check_outputs(self) -> None:
        expected: list[Bit] = []
        outputs = iter(self._unit.piped.circuit.outputs)
        for lanes in self._unit.outs:
            for _ in range(lanes.count):
                expected += self._bits(next(outputs), self._unit.piped.latency, lanes.width)
        found = self._reader.bits(self._module.assigns.get("out_data"))
        for place, (want, have) in enumerate(zip(expected, found, strict=False)):
            if want != have:
                raise self._module.wrong(f"out_data, bit {place}: expected {want}, found {have}")
        if len(found) != len(expected):
            raise self._module.wrong(f"out_data: {len(found)} bits, expected {len(expected)}")

    def _bits(self, n: int, stage: int, width: int) -> list[Bit]:
        """Return the low ``width`` bits of a node as seen in a stage, its sign repeated."""
        node = self._nodes[n]
        if isinstance(node, Constant):
            return [node.lo >> i & 1 for i in range(width)]
        net = self._net(n, stage)
        own: list[Bit] = [(net, i) for i in range(min(width, node.width))]
        return own + [(net, node.width - 1) if node.signed else 0] * (width - len(own))

    def _net(self, n: int, stage: int) -> Net:
        return self._names[n], stage - self._unit.piped.stages[n]

    def _check_rest(self) -> None:
        """See that every register is one of a node, and that nothing else is there."""
        for name in [name for name in self._module.moves if name != "valid"]:
            before, _ = self._reader.net(name)
            if before not in self._names or self._module.nets.get(name) is None:
                raise self._module.wrong(f"{name} is no register of a node")
            found, source = self._module.nets[name], self._module.nets[before]
            if (found.width, found.signed) != (source.width, source.signed):
                raise self._module.wrong(f"{name}: expected the range of {before}")
            self._unexplained.discard(name)
        extra = self._unexplained | (set(self._module.clears) - {"valid"})
        extra |= set(self._module.assigns) - {"out_valid", "out_data"}
        if extra:
            raise self._module.wrong(f"{min(extra)} belongs to no node")

    # --- nodes -----------------------------------------------------------------------------------

    def _explain(self, name: str) -> None:
        """Take the wires of conditions and whole products as part of the node that reads them."""
        self._reader.inside = inside = set()
        pending = [self._module.nets[name].value]
        while pending:
            for node in operands(pending.pop()):
                used = getattr(node, "name", "") if type(node).__name__ == "Identifier" else ""
                declared = self._module.nets.get(used)
                own = used not in self._names and used not in self._module.ports
                if own and declared is not None and declared.value is not None:
                    inside.add(used)
                    self._unexplained.discard(used)
                    pending.append(declared.value)

    def _check_sum(self, n: int, node: Sum | Sum3 | Shift | Wrap) -> None:
        name = self._names[n]
        try:
            found = self._reader.form(self._module.nets[name].value)
        except NotWired:
            raise self._module.wrong(f"{name}: is no sum of its operands") from None
        up, down, signs = [0], 0, [1]
        if isinstance(node, Sum | Sum3):
            up, signs = list(node.ups), [-1 if negative else 1 for negative in node.negative]
        elif isinstance(node, Shift):
            up, down = [max(0, node.amount)], max(0, -node.amount)
        weights: dict[tuple[Net, int], int] = {}
        constant = 0
        for operand, shift, factor in zip(node.operands, up, signs, strict=True):
            value = self._nodes[operand]
            if isinstance(value, Constant):
                constant += factor * (value.lo << shift >> down)
                continue
            net = self._net(operand, self._unit.piped.stages[n])
            # Shifted down by more than it has, only the sign is left.
            low = min(down, value.width - 1) if value.signed else down
            for i in range(low, value.width):
                place = factor * (1 << i - low << shift)
                top = value.signed and i == value.width - 1
                weights[net, i] = weights.get((net, i), 0) + (-place if top else place)
        self._equal(name, found, Form(node.width, weights, constant, False))
        self._zeros[name] = self._trailing(found)

    def _trailing(self, form: Form) -> int:
        """Return how many of the lowest bits of a sum are 0."""
        together = form.constant
        for (net, i), weight in form.weights.items():
            if i >= self._zeros.get(net[0], 0):
                together |= weight
        return min(form.width, (together & -together).bit_length() - 1 if together else form.width)

    def _equal(self, name: str, found: Form, expected: Form) -> None:
        if found.width != expected.width:
            raise self._module.wrong(
                f"{name}: {found.width} bits for a wire of {expected.width}, expected as many"
            )
        size = (1 << found.width) - 1
        for net, i in {**found.weights, **expected.weights}:
            if i < self._zeros.get(net[0], 0):
                continue
            weights = [form.weights.get((net, i), 0) & size for form in (expected, found)]
            if weights[0] != weights[1]:
                late = f" {net[1]} clocks ago" if net[1] else ""
                raise self._module.wrong(
                    f"{name}: bit {i} of {net[0]}{late} counts {weights[1]}, expected {weights[0]}"
                )
        if (found.constant - expected.constant) & size:
            raise self._module.wrong(
                f"{name}: adds {found.constant & size}, expected {expected.constant & size}"
            )

    def _check_values(self, n: int, node: Node) -> None:
        name = self._names[n]
        declared = self._module.nets[name]
        distinct = list(dict.fromkeys(node.operands))
        columns = dict(zip(distinct, self._samples(node, distinct), strict=True))
        known = {}
        for operand, values in columns.items():
            read = self._nodes[operand]
            if not isinstance(read, Constant):
                net = self._net(operand, self._unit.piped.stages[n])
                known[net] = Number(values & ((1 << read.width) - 1), read.width, read.signed)
        found = self._reader.number(declared.value, known, node.width)
        if found.width != node.width:
            raise self._module.wrong(f"{name}: {found.width} bits for a wire of {node.width}")
        expected = node.evaluate(*(columns[i] for i in node.operands))
        mask = (1 << node.width) - 1
        differs = np.atleast_1d((found.pattern & mask) != (expected & mask))
        if differs.any():
            at = int(differs.argmax())
            given = ", ".join(
                f"{self._names[i] or 'a constant'} = {np.broadcast_to(c, differs.shape)[at]}"
                for i, c in columns.items()
            )
            raise self._module.wrong(f"{name}: is no {node.kind} of its operands where {given}")
        self._zeros[name] = 0

    def _samples(self, node: Node, distinct: Sequence[int]) -> list[Ints]:
        """Return values of the operands side by side: all of them where there are few."""
        reads = [self._nodes[i] for i in distinct]
        if prod(read.hi - read.lo + 1 for read in reads) <= EVERY:
            grid = np.array(list(product(*(range(r.lo, r.hi + 1) for r in reads))), dtype=np.int64)
            return list(grid.reshape(-1, len(reads)).T)
        special = [_special(node, read) for read in reads]
        columns = []
        for values, read in zip(special, reads, strict=True):
            drawn = self._random.integers(read.lo, read.hi, RANDOM, endpoint=True)
            if len(reads) == 1:
                columns.append(np.concatenate([np.array(values), drawn]))
                continue
            picked = self._random.choice(np.array(values), 2 * RANDOM)
            columns.append(np.concatenate([picked, drawn, self._random.permutation(drawn)]))
        if len(reads) > 1:  # neighbours and equals decide comparisons
            step = self._random.integers(-1, 2, RANDOM)
            near = columns[0][-RANDOM:] + step
            columns[1][-RANDOM:] = np.clip(near, reads[1].lo, reads[1].hi)
        return columns


def _special(node: Node, read: Node) -> list[int]:
    """Return the integers of an operand at which something may change."""
    marks = [read.lo, read.hi, 0]
    if isinstance(node, Clip):
        marks += [node.floor, node.ceiling]
    if isinstance(node, Even):
        marks += [k << node.shift for k in range(-8, 9)]
        marks += [(read.lo >> node.shift) << node.shift, (read.hi >> node.shift) << node.shift]
    marks += [sign << k for k in range(read.width + 1) for sign in (1, -1)]
    near = {mark + step for mark in marks for step in (-2, -1, 0, 1, 2)}
    return sorted(v for v in near if read.lo <= v <= read.hi)


def _kind(node: Node) -> str:
    return f"{node.width} {'signed' if node.signed else 'unsigned'} bits"
