"""Print a circuit as C++: one constant for every node, the same names as in the Verilog.

HLS C++ computes in ``ap_int`` of exactly the width of a node; CUDA in 32-bit integers, and in
64-bit ones where a node or a shifted operand needs them. Both compute modulo two to that width,
and the interval of a node says that its value fits.
"""

from __future__ import annotations

import textwrap
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

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
from hwaccel.emit.circuit_names import Named
from hwaccel.emit.env import render
from hwaccel.emit.literals import c_int
from hwaccel.emit.names import Namer

_LINE = 96


@dataclass(frozen=True, slots=True)
class Values:
    """A table: an array of constants of the C++ type ``ctype``."""

    ctype: str
    name: str
    values: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Body:
    """The statements of one origin."""

    title: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Function:
    """All that the templates place."""

    name: str
    banner: tuple[str, ...]
    namespace: str
    parameters: tuple[str, ...]
    arrays: tuple[str, ...]
    tables: tuple[Values, ...]
    bodies: tuple[Body, ...]
    results: tuple[str, ...]


class Dialect(ABC):
    """What differs between the targets: types, shifts up, tables."""

    template: ClassVar[str]

    @abstractmethod
    def element(self, lanes: Lanes) -> str:
        """Return the type of an element of an array."""

    @abstractmethod
    def type(self, node: Node, operands: tuple[Node, ...]) -> str:
        """Return the type in which ``node`` is computed and kept."""

    @abstractmethod
    def table(self, bits: int) -> str:
        """Return the type of the elements of a table of signed ``bits``."""

    def cast(self, kind: str, text: str) -> str:
        """Convert to ``kind``."""
        grouped = text.startswith("(") and text.endswith(")")
        return f"{kind}{text}" if grouped else f"{kind}({text})"

    def compared(self, nodes: tuple[Node, ...], texts: Sequence[str]) -> Sequence[str]:
        """Return the operands of a comparison in types that can be compared."""
        return texts

    def up(self, kind: str, text: str, amount: int) -> str:
        """Multiply by ``2^amount`` in ``kind``."""
        return f"({kind}({text}) << {amount})" if amount else f"{kind}({text})"


class Hls(Dialect):
    """``ap_int`` and ``ap_uint`` of exact widths."""

    template = "hls/circuit.h.j2"

    def element(self, lanes: Lanes) -> str:
        """Return the type of exactly a lane."""
        return f"ap_{'' if lanes.signed else 'u'}int<{lanes.width}>"

    def type(self, node: Node, operands: tuple[Node, ...]) -> str:
        """Return the type of exactly the node."""
        return f"ap_{'' if node.signed else 'u'}int<{node.width}>"

    def compared(self, nodes: tuple[Node, ...], texts: Sequence[str]) -> Sequence[str]:
        """Give both a sign where one has it.

        The headers for g++ compare as C does: beside an ``ap_uint`` of 32 bits or more, a
        negative number counts as a large one.
        """
        if len({node.signed for node in nodes if not isinstance(node, Constant)}) == 1:
            return texts
        kind = f"ap_int<{max(node.width + (not node.signed) for node in nodes)}>"
        return [self.cast(kind, text) for text in texts]

    def table(self, bits: int) -> str:
        """Return what the library keeps constants in."""
        return f"hwa::constant<{bits}>::type"


class Cuda(Dialect):
    """C integers; a product takes the place of a shift, which is not defined for negatives."""

    template = "cuda/circuit.h.j2"

    def element(self, lanes: Lanes) -> str:
        """Return the smallest C integer that holds a lane."""
        bits = next(bits for bits in (8, 16, 32, 64) if lanes.width <= bits)
        return f"{'' if lanes.signed else 'u'}int{bits}_t"

    def type(self, node: Node, operands: tuple[Node, ...]) -> str:
        """Return the 32-bit integer where node and operands fit it, shifted ones included."""
        widths = [node.width + (not node.signed)]
        ups = node.ups if isinstance(node, Sum | Sum3) else (0, 0)
        for operand, up in zip(operands, ups, strict=False):
            widths.append(operand.width + up + (not operand.signed))
        if isinstance(node, Sum3):  # what two of three add up to may need a bit more than all
            widths.append(max(widths[1:]) + 1)
        if isinstance(node, Clip | Wrap):  # one more for what is compared and for what is added
            widths = [width + 1 for width in widths]
            widths.append(node.bits + 1 if isinstance(node, Wrap) else _bits(node) + 1)
        return "int32_t" if max(widths) <= 32 else "int64_t"

    def table(self, bits: int) -> str:
        """Return the smallest C integer."""
        return f"int{next(size for size in (8, 16, 32, 64) if bits <= size)}_t"

    def cast(self, kind: str, text: str) -> str:
        """Leave conversions to the language where they lose nothing."""
        return text if kind == "int32_t" else super().cast(kind, text)

    def up(self, kind: str, text: str, amount: int) -> str:
        """Multiply."""
        wide = self.cast(kind, text)  # without a shift too: two operands may carry out of theirs
        return f"{wide} * {c_int(1 << amount)}" if amount else wide


DIALECTS: Mapping[str, type[Dialect]] = {"hls": Hls, "cuda": Cuda}


def emit_circuit_c(
    unit: Unit, target: str = "hls", *, namespace: str = "circuits", banner: tuple[str, ...] = ()
) -> str:
    """Return a header with the function ``unit.name``: one array per entry of ``ins``, ``outs``.

    ``target`` is ``hls`` or ``cuda``. Arrays are in the order of the circuit, outputs last.
    """
    dialect = DIALECTS[target]()
    function = _Writer(unit, dialect).function(namespace, banner)
    return render(dialect.template, function=function)


@dataclass(slots=True)
class _Writer:
    """Writes one function."""

    unit: Unit
    dialect: Dialect
    tables: dict[tuple[int, ...], Values] = field(default_factory=dict)
    namer: Namer = field(init=False)
    named: Named = field(init=False)
    outs: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        self.namer = Namer((self.unit.name, "hwa", *(lanes.name for lanes in self.unit.ins)))
        self.outs = tuple(self.namer.name(lanes.name) for lanes in self.unit.outs)
        self.named = Named.of(self.unit, self.namer)

    def function(self, namespace: str, banner: tuple[str, ...]) -> Function:
        """Write everything."""
        unit = self.unit
        bodies = [Body("inputs", tuple(self._inputs()))]
        bodies += [
            Body(part.title, tuple(line for i in part.nodes for line in self._node(i)))
            for part in self.named.parts
        ]
        parameters = [
            f"const {self.dialect.element(lanes)} {lanes.name}[{lanes.count}]" for lanes in unit.ins
        ]
        parameters += [
            f"{self.dialect.element(lanes)} {name}[{lanes.count}]"
            for lanes, name in zip(unit.outs, self.outs, strict=True)
        ]
        return Function(
            unit.name,
            banner,
            namespace,
            tuple(parameters),
            (*(lanes.name for lanes in unit.ins), *self.outs),
            tuple(self.tables.values()),
            tuple(body for body in bodies if body.lines),
            tuple(self._results()),
        )

    def _inputs(self) -> Iterator[str]:
        places = [f"{lanes.name}[{i}]" for lanes in self.unit.ins for i in range(lanes.count)]
        read: set[str] = set()
        for number, node in enumerate(self.unit.piped.circuit.nodes):
            if isinstance(node, Input):
                read.add(places[node.index].partition("[")[0])
                name = self.named.names[number]
                yield f"const {self._type(number)} {name} = {places[node.index]};"
        yield from (f"(void){lanes.name};" for lanes in self.unit.ins if lanes.name not in read)

    def _results(self) -> Iterator[str]:
        places = [
            f"{name}[{i}]"
            for lanes, name in zip(self.unit.outs, self.outs, strict=True)
            for i in range(lanes.count)
        ]
        for place, number in zip(places, self.unit.piped.circuit.outputs, strict=True):
            yield f"{place} = {self._operand(number)};"

    def _node(self, number: int) -> Iterator[str]:
        kind, name = self._type(number), self.named.names[number]
        text = f"{self._expression(number, kind)};"
        line = f"const {kind} {name} = {text}"
        note = self.named.formula(number)
        if len(line) + len(note) + 5 <= _LINE:
            yield f"{line}  // {note}"
            return
        yield f"// {note}"
        if len(line) <= _LINE:
            yield line
            return
        yield f"const {kind} {name} ="
        parts = textwrap.wrap(text, _LINE - 4, break_long_words=False, break_on_hyphens=False)
        yield from (f"    {part}" for part in parts)

    def _type(self, number: int) -> str:
        nodes = self.unit.piped.circuit.nodes
        node = nodes[number]
        return self.dialect.type(node, tuple(nodes[i] for i in node.operands))

    def _operand(self, number: int) -> str:
        node = self.unit.piped.circuit.nodes[number]
        return c_int(node.lo) if isinstance(node, Constant) else self.named.names[number]

    def _expression(self, number: int, kind: str) -> str:
        nodes, dialect = self.unit.piped.circuit.nodes, self.dialect
        node = nodes[number]
        of = [self._operand(i) for i in node.operands]
        match node:
            case Sum():
                left, right = (
                    dialect.up(kind, name, up) for name, up in zip(of, node.ups, strict=True)
                )
                if right.startswith("-"):
                    right = f"({right})"
                if isinstance(dialect, Cuda) and node.subtract and of[0] == "0":
                    return f"hwa::negated({right})"  # a plain sign gets lost, see hwa/types.h
                return f"{left} {'-' if node.subtract else '+'} {right}"
            case Sum3(ups=ups):
                terms = [dialect.up(kind, name, up) for name, up in zip(of, ups, strict=True)]
                terms = [f"({term})" if term.startswith("-") else term for term in terms]
                signs = ["-" if negative else "+" for negative in node.negative]
                return f"{terms[0]} {signs[1]} {terms[1]} {signs[2]} {terms[2]}"
            case Shift(amount=amount):
                if amount >= 0:
                    return dialect.up(kind, of[0], amount)
                return _down(of[0], nodes[node.a], -amount)
            case Even(shift=shift):
                dropped = f"{of[0]} & {c_int((1 << shift) - 1)}"
                kept = dialect.cast(kind, _down(of[0], nodes[node.a], shift))
                return f"{kept} & {dialect.cast(kind, f'(({dropped}) != 0 ? -1 : -2)')}"
            case Clip():
                return self._clip(node, kind, of[0])
            case Wrap(bits=bits, base=base):
                if isinstance(dialect, Hls):
                    return f"{kind}({of[0]})"
                text = f"({of[0]} - {c_int(base)})" if base > 0 else f"({of[0]} + {c_int(-base)})"
                return f"({text if base else of[0]} & {c_int((1 << bits) - 1)}) - {c_int(-base)}"
            case Max():
                one, other = (dialect.cast(kind, text) for text in of)
                left, right = dialect.compared(tuple(nodes[i] for i in node.operands), of)
                return f"{left} > {right} ? {one} : {other}"
            case Times():
                # What ap_int multiplies needs no more bits than it has; C integers do.
                left = of[0] if isinstance(dialect, Hls) else dialect.cast(kind, of[0])
                return f"{left} * {of[1]}"
            case Choose():
                one, other = (dialect.cast(kind, text) for text in of[1:])
                return f"{of[0]} < 0 ? {one} : {other}"
            case Table():
                table = self._table(node)
                place, away = f"int({of[0]})", ""
                if node.first:
                    away = f" {'-' if node.first > 0 else '+'} {c_int(abs(node.first))}"
                if max(abs(node.first), abs(node.first + len(node.values))) >= 1 << 31:
                    place = f"int({of[0]}{away})"  # the operand alone does not fit
                else:
                    place += away
                return dialect.cast(kind, f"{table.name}[{place}]")
        raise AssertionError(f"{node.kind} has no C++")

    def _clip(self, node: Clip, kind: str, name: str) -> str:
        x = self.unit.piped.circuit.nodes[node.a]
        cast = self.dialect.cast
        text = cast(kind, name)
        if x.hi > node.ceiling:
            text = f"{name} > {c_int(node.ceiling)} ? {cast(kind, c_int(node.ceiling))} : {text}"
        if x.lo < node.floor:
            text = f"{name} < {c_int(node.floor)} ? {cast(kind, c_int(node.floor))} : {text}"
        return text

    def _table(self, node: Table) -> Values:
        known = self.tables.get(node.values)
        if known is None:
            bits = 1 + max(max(v, ~v).bit_length() for v in node.values)
            # The name of the unit in full keeps the tables of one namespace apart.
            label = f"{self.unit.name}_table{len(self.tables)}"
            known = self.tables[node.values] = Values(self.dialect.table(bits), label, node.values)
        return known


def _bits(node: Clip) -> int:
    return 1 + max(max(v, ~v).bit_length() for v in (node.floor, node.ceiling))


def _down(name: str, x: Node, amount: int) -> str:
    """Shift down; by less than the width, which is all that C++ defines."""
    if amount >= x.width:
        return f"({name} >> {x.width - 1})" if x.signed else "0"
    return f"({name} >> {amount})"
