"""Print a circuit as Verilog: a wire for every node, adders only where operands overlap.

The module is a pipe in the sense of ``docs/explanation/streaming-hardware.md``.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import singledispatchmethod

from hwaccel.circuit.node import (
    Choose,
    Clip,
    Constant,
    Even,
    Input,
    Max,
    Node,
    Shift,
    Sum,
    Sum3,
    Table,
    Times,
    Wrap,
)
from hwaccel.circuit.unit import Lanes, Unit
from hwaccel.emit.circuit_bits import (
    Literal,
    Net,
    exceeds,
    falls_below,
    joined,
    literal,
    shifted,
)
from hwaccel.emit.circuit_names import Named
from hwaccel.emit.circuit_sums import sum3_text, sum_text
from hwaccel.emit.env import render
from hwaccel.emit.names import Namer

# Names that nets must not take.
PORTS = ("clk", "rst", "in_valid", "out_valid", "out_data", "valid", "unused")
# Of a line of text, less the indent of four.
_WIDTH = 96
_DECLARATION = 18
# Index bits up to which a table of single bits is one constant.
_CONSTANT = 6


@dataclass(frozen=True, slots=True)
class Section:
    """The wires of one origin, and the registers behind them as (target, source)."""

    title: str
    lines: tuple[str, ...]
    moves: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Module:
    """All that the template places."""

    name: str
    banner: tuple[str, ...]
    latency: int
    ports: tuple[str, ...]
    sections: tuple[Section, ...]
    results: tuple[str, ...]
    unused: tuple[str, ...]

    @property
    def valid_range(self) -> str:
        """The range of the registers of the valid bit."""
        return f"[{self.latency - 1}:0] " if self.latency > 1 else ""

    @property
    def valid_next(self) -> str:
        """What these registers take over."""
        if self.latency == 1:
            return "in_valid"
        rest = "valid[0]" if self.latency == 2 else f"valid[{self.latency - 2}:0]"
        return f"{{{rest}, in_valid}}"

    @property
    def out_valid(self) -> str:
        """The valid bit of the results."""
        if self.latency < 2:
            return "valid" if self.latency else "in_valid"
        return f"valid[{self.latency - 1}]"


def emit_unit(unit: Unit, banner: tuple[str, ...]) -> dict[str, str]:
    """Return the Verilog of ``unit`` as file name to text."""
    module = _Writer(unit).module(banner)
    return {f"{unit.name}.v": render("verilog/circuit.v.j2", module=module)}


class _Writer:
    """Writes one module: nodes in the order of their parts, then the outputs."""

    def __init__(self, unit: Unit) -> None:
        self._unit = unit
        self._circuit = unit.piped.circuit
        self._namer = Namer((*PORTS, *(lanes.name for lanes in unit.ins)))
        self._named = Named.of(unit, self._namer)
        self._delays = unit.piped.delays()
        self._ports = [Net(lanes.name, lanes.bits, False) for lanes in unit.ins]
        # The wire of every node, then its copies one cycle later and so on.
        self._nets: dict[int, list[Net | Literal]] = {}
        self._tables: dict[tuple[int, int, tuple[int, ...]], str] = {}
        self._products: list[Net] = []

    def module(self, banner: tuple[str, ...]) -> Module:
        """Write everything."""
        piped = self._unit.piped
        for number, node in enumerate(self._circuit.nodes):
            if isinstance(node, Constant):
                self._nets[number] = [Literal(node.lo)]
        sections = [self._inputs()]
        sections += [self._section(part.title, part.nodes) for part in self._named.parts]
        results = tuple(self._results())
        nets = [net for chain in self._nets.values() for net in chain if isinstance(net, Net)]
        unread = [] if piped.latency else ["clk", "rst"]
        unread += [bits for net in (*self._ports, *self._products, *nets) for bits in net.unread()]
        return Module(
            self._unit.name,
            banner,
            piped.latency,
            tuple(_port_lines(self._unit.ins, self._unit.outs)),
            tuple(section for section in sections if section.lines),
            results,
            tuple(_wrapped(", ".join(unread), 30)) if unread else (),
        )

    def _inputs(self) -> Section:
        places = [
            (port, i * lanes.width, lanes)
            for port, lanes in zip(self._ports, self._unit.ins, strict=True)
            for i in range(lanes.count)
        ]
        lines: list[str] = []
        moves: list[tuple[str, str]] = []
        for number, node in enumerate(self._circuit.nodes):
            if isinstance(node, Input):
                port, low, lanes = places[node.index]
                assert node.width <= lanes.width, "an input fits its lane"
                text = port.bits(low, node.width)
                lines += self._declare(number, node, text, "")
                moves += self._moves(number, node, lines)
        return Section("inputs", tuple(lines), tuple(moves))

    def _section(self, title: str, numbers: Sequence[int]) -> Section:
        lines: list[str] = []
        moves: list[tuple[str, str]] = []
        for number in numbers:
            node = self._circuit.nodes[number]
            operands = [self._at(i, self._unit.piped.stages[number]) for i in node.operands]
            text, before = self._expression(node, self._named.names[number], *operands)
            lines += before
            lines += self._declare(number, node, text, self._named.formula(number))
            moves += self._moves(number, node, lines)
        return Section(title, tuple(lines), tuple(moves))

    def _at(self, number: int, stage: int) -> Net | Literal:
        """Return node ``number`` as it is seen in ``stage``."""
        chain = self._nets[number]
        if isinstance(chain[0], Literal):
            return chain[0]
        return chain[stage - self._unit.piped.stages[number]]

    def _declare(self, number: int, node: Node, text: str, note: str) -> Iterator[str]:
        name = self._named.names[number]
        self._nets[number] = [Net(name, node.width, node.signed, self._zeros(node))]
        yield from _statement(_declaration("wire", node), name, text, note)

    def _moves(self, number: int, node: Node, lines: list[str]) -> Iterator[tuple[str, str]]:
        """Declare the registers behind a node; yield what they take over in each clock."""
        chain = self._nets[number]
        name = self._named.names[number]
        for delay in range(1, self._delays[number] + 1):
            copy = self._namer.name(f"{name}_d{delay}")
            lines.append(f"{_declaration('reg', node):{_DECLARATION}} {copy};")
            before = chain[-1]
            yield copy, before.bits(0, node.width)
            chain.append(Net(copy, node.width, node.signed, self._zeros(node)))

    def _zeros(self, node: Node) -> int:
        """Return how many of the lowest bits of ``node`` are always 0."""
        operands = [self._nets[i][0].zeros for i in node.operands]
        return min(node.empty(*operands), node.width)

    # --- expressions: the text of a node, and lines that must stand before it ------------------

    @singledispatchmethod
    def _expression(self, node: Node, name: str, *operands: Net | Literal) -> tuple[str, list[str]]:
        raise AssertionError(f"{node.kind} has no Verilog")

    @_expression.register
    def _(self, node: Sum, name: str, *operands: Net | Literal) -> tuple[str, list[str]]:
        return sum_text(node, *operands), []

    @_expression.register
    def _(self, node: Sum3, name: str, *operands: Net | Literal) -> tuple[str, list[str]]:
        names = self._namer.name(f"{name}_sum"), self._namer.name(f"{name}_add")
        return sum3_text(node, names, *operands)

    @_expression.register
    def _(self, node: Shift, name: str, *operands: Net | Literal) -> tuple[str, list[str]]:
        (a,) = operands
        up, down = max(0, node.amount), max(0, -node.amount)
        return shifted(a, up, down, node.width), []

    @_expression.register
    def _(self, node: Wrap, name: str, *operands: Net | Literal) -> tuple[str, list[str]]:
        return operands[0].bits(0, node.width), []

    @_expression.register
    def _(self, node: Even, name: str, *operands: Net | Literal) -> tuple[str, list[str]]:
        (a,) = operands
        dropped = a.bits(0, node.shift)
        last = f"{a.bits(node.shift, 1)} & {dropped if node.shift == 1 else f'(|{dropped})'}"
        if node.width == 1:
            return last, []
        return joined([a.bits(node.shift + 1, node.width - 1), last]), []

    @_expression.register
    def _(self, node: Clip, name: str, *operands: Net | Literal) -> tuple[str, list[str]]:
        (a,) = operands
        x = self._circuit.nodes[node.a]
        assert isinstance(a, Net)
        before: list[str] = []

        def flag(suffix: str, condition: str) -> str:
            if " " not in condition and condition[0] not in "&|~":
                return condition
            wire = self._namer.name(f"{name}_{suffix}")
            before.extend(_statement("wire", wire, condition, ""))
            return wire

        text = a.bits(0, node.width)
        half = 1 << (node.width - 1)
        if x.lo < node.floor == -half and x.hi > node.ceiling == half - 1:
            # One flag for both ends: the bits above the sign of the result differ from it.
            high = a.bits(node.width - 1, x.width - node.width + 1)
            over = flag("over", f"(|{high}) & ~(&{high})")
            ends = f"~{a.sign}" if node.width == 2 else f"{{{node.width - 1}{{~{a.sign}}}}}"
            ends = joined([a.sign, ends] if node.width > 1 else [a.sign])
            return f"{over} ? {ends} : {text}", before
        if x.hi > node.ceiling:
            over = flag("over", exceeds(a, node.ceiling))
            text = f"{over} ? {literal(node.ceiling, node.width)} : {text}"
        if x.lo < node.floor:
            under = flag("under", falls_below(a, node.floor))
            text = f"{under} ? {literal(node.floor, node.width)} : {text}"
        return text, before

    @_expression.register
    def _(self, node: Max, name: str, *operands: Net | Literal) -> tuple[str, list[str]]:
        both = [self._circuit.nodes[i] for i in node.operands]
        signed = any(x.signed for x in both)
        width = max(x.width + (signed and not x.signed) for x in both)
        left, right = (x.bits(0, width) for x in operands)
        if signed:
            # An unsigned comparison with the sign bits exchanged: no gates before the carry chain.
            tops = [x.bits(width - 1, 1) for x in operands]
            lows = [[x.bits(0, width - 1)] if width > 1 else [] for x in operands]
            left, right = (
                f"{{{', '.join([top, *low])}}}"
                for top, low in zip(reversed(tops), lows, strict=True)
            )
        one, other = (x.bits(0, node.width) for x in operands)
        return f"{left} > {right} ? {one} : {other}", []

    @_expression.register
    def _(self, node: Times, name: str, *operands: Net | Literal) -> tuple[str, list[str]]:
        both = [self._circuit.nodes[i] for i in node.operands]
        signed = any(x.signed for x in both)
        widths = [x.width + (signed and not x.signed) for x in both]
        # Both factors with signs or both without; Verilog knows no mixed product.
        factors = [x.bits(0, width) for x, width in zip(operands, widths, strict=True)]
        text = " * ".join(f"$signed({factor})" if signed else factor for factor in factors)
        if sum(widths) == node.width:
            return text, []
        full = Net(self._namer.name(f"{name}_full"), sum(widths), signed)
        self._products.append(full)
        kind = f"wire {'signed ' if signed else ''}[{full.width - 1}:0]"
        return full.bits(0, node.width), list(_statement(kind, full.name, text, ""))

    @_expression.register
    def _(self, node: Choose, name: str, *operands: Net | Literal) -> tuple[str, list[str]]:
        a, b, c = operands
        sign = a.bits(self._circuit.nodes[node.a].width - 1, 1)
        return f"{sign} ? {b.bits(0, node.width)} : {c.bits(0, node.width)}", []

    @_expression.register
    def _(self, node: Table, name: str, *operands: Net | Literal) -> tuple[str, list[str]]:
        x, (a,) = self._circuit.nodes[node.a], operands
        key = (x.width, node.width, (node.first, *node.values))
        before: list[str] = []
        single = node.width == 1 and x.width <= _CONSTANT
        if key not in self._tables:
            self._tables[key] = self._namer.name(f"{name}_table")
            write = _bits if single else _function
            before = list(write(self._tables[key], node, x.width))
        index = a.bits(0, x.width)
        if not single:
            return f"{self._tables[key]}({index})", before
        # A signed index would be one below the constant; what stands in braces is unsigned.
        return f"{self._tables[key]}[{f'{{{index}}}' if x.lo < 0 else index}]", before

    def _results(self) -> Iterator[str]:
        """Return the elements of ``out_data``, the last first: it stands highest."""
        latency = self._unit.piped.latency
        widths = [lanes.width for lanes in self._unit.outs for _ in range(lanes.count)]
        elements = [
            self._at(number, latency).bits(0, width)
            for number, width in zip(self._circuit.outputs, widths, strict=True)
        ]
        return _wrapped(", ".join(reversed(elements)), 8)


def _bits(name: str, node: Table, width: int) -> Iterator[str]:
    """Return a table of single bits as one constant: quicker to read than a case for each."""
    size = 1 << width
    entries = [node.values[-1]] * size
    for i, value in enumerate(node.values, node.first):
        entries[i & (size - 1)] = value
    word = sum((value & 1) << i for i, value in enumerate(entries))
    yield f"localparam [{size - 1}:0] {name} = {size}'h{word:0{max(1, size // 4)}x};"


def _function(name: str, node: Table, width: int) -> Iterator[str]:
    yield f"function [{node.width - 1}:0] {name};"
    yield f"    input [{width - 1}:0] index;"
    yield "    case (index)"
    for i, value in enumerate(node.values, node.first):
        yield f"        {width}'d{i & ((1 << width) - 1)}: {name} = {literal(value, node.width)};"
    if len(node.values) < 1 << width:
        yield f"        default: {name} = {literal(node.values[-1], node.width)};"
    yield "    endcase"
    yield "endfunction"


def _declaration(kind: str, node: Node) -> str:
    bits = f"[{node.width - 1}:0]" if node.width > 1 else ""
    return " ".join(word for word in (kind, "signed" if node.signed else "", bits) if word)


def _statement(declaration: str, name: str, text: str, note: str) -> Iterator[str]:
    """Return a wire with its value, the comment behind it or, where that is too long, above."""
    line = f"{declaration:{_DECLARATION}} {name} = {text};"
    if note and len(line) + len(note) + 5 <= _WIDTH:
        yield f"{line}  // {note}"
        return
    if note:
        yield from (f"// {part}" for part in textwrap.wrap(note, _WIDTH - 3))
    if len(line) <= _WIDTH:
        yield line
        return
    yield f"{declaration:{_DECLARATION}} {name} ="
    yield from (f"    {part}" for part in _wrapped(f"{text};", 8))


def _wrapped(text: str, indent: int) -> Iterator[str]:
    yield from textwrap.wrap(
        text, _WIDTH + 4 - indent, break_long_words=False, break_on_hyphens=False
    )


def _port_lines(ins: Sequence[Lanes], outs: Sequence[Lanes]) -> Iterator[str]:
    bits = sum(lanes.bits for lanes in outs)
    yield "input  wire          clk,"
    yield "// synchronous, active high"
    yield "input  wire          rst,"
    yield "input  wire          in_valid,"
    for lanes in ins:
        yield f"// {_described(lanes)}"
        yield f"input  wire {f'[{lanes.bits - 1}:0]':8} {lanes.name},"
    yield "output wire          out_valid,"
    yield from (f"// {_described(lanes)}" for lanes in outs)
    yield f"output wire {f'[{bits - 1}:0]':8} out_data"


def _described(lanes: Lanes) -> str:
    sign = "signed" if lanes.signed else "unsigned"
    return f"{lanes.name}: {lanes.count} of {lanes.width} bits, {sign}, the first in the low bits"
