"""What Verilog expressions mean: bits that are only wired, sums of weighted bits, numbers.

Where Verilog would extend an operand silently, these refuse: ``emit_unit`` extends in the open.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwaccel.errors import MismatchError
from hwaccel.verify.parsed import Module, number

Ints = NDArray[np.int64]
Net = tuple[str, int]  # a wire, and by how many registers it is delayed
Bit = tuple[Net, int] | int  # a bit of a net, or a constant 0 or 1


class NotWired(Exception):
    """An expression computes something."""


@dataclass(frozen=True, slots=True)
class Form:
    """A sum of weighted bits and a constant, modulo ``2^width``; ``exact`` if never reduced."""

    width: int
    weights: Mapping[tuple[Net, int], int]
    constant: int
    exact: bool


@dataclass(frozen=True, slots=True)
class Number:
    """Patterns of ``width`` bits."""

    pattern: Ints
    width: int
    signed: bool

    @property
    def value(self) -> Ints:
        """The integers that the patterns stand for."""
        if not self.signed:
            return self.pattern
        sign = np.int64(1 << (self.width - 1)) if self.width < 64 else np.int64(0)
        return (self.pattern ^ sign) - sign


class Reader:
    """Reads the expressions of a module. Wires in ``inside`` count as part of who reads them."""

    def __init__(self, module: Module) -> None:
        self._module = module
        self.inside: set[str] = set()
        self._nets: dict[str, Net] = {}

    def net(self, name: str) -> Net:
        """Return the wire behind the registers that end in ``name``, and their number."""
        if name not in self._nets:
            moved = self._module.moves.get(name)
            if moved is None:
                self._nets[name] = name, 0
            else:
                before, delay = self.net(self._name(moved))
                self._nets[name] = before, delay + 1
        return self._nets[name]

    def _name(self, node: Any) -> str:
        name = str(getattr(node, "name", ""))
        if name not in self._module.nets:
            raise self._module.wrong(f"line {node.lineno}: expected a net, found {name or node}")
        return name

    # --- bits ------------------------------------------------------------------------------------

    def bits(self, node: Any) -> list[Bit]:
        """Return the bits of wiring, the lowest first.

        Raises:
            NotWired: there is an operator.
        """
        match type(node).__name__:
            case "Identifier":
                name = self._name(node)
                if name in self.inside:
                    return self.bits(self._module.nets[name].value)
                net = self.net(name)
                return [(net, i) for i in range(self._module.nets[name].width)]
            case "Partselect" | "Pointer":
                if getattr(node.var, "name", "") in self._module.constants:
                    raise NotWired
                every, (low, high) = self.bits(node.var), self._range(node)
                if high >= len(every):
                    raise self._module.wrong(f"line {node.lineno}: bit {high} is not there")
                return every[low : high + 1]
            case "Concat":
                return [bit for part in reversed(node.list) for bit in self.bits(part)]
            case "Repeat":
                return self.bits(node.value) * number(node.times)[0]
            case "IntConst" | "Uminus":
                if type(node).__name__ == "Uminus" and type(node.right).__name__ != "IntConst":
                    raise NotWired
                value, width, _ = number(node)
                return [value >> i & 1 for i in range(width)]
        raise NotWired

    def _range(self, node: Any) -> tuple[int, int]:
        if type(node).__name__ == "Pointer":
            low = high = number(node.ptr)[0]
        else:
            low, high = number(node.lsb)[0], number(node.msb)[0]
        return low, high

    # --- sums ------------------------------------------------------------------------------------

    def form(self, node: Any) -> Form:
        """Return a sum of bits.

        Raises:
            NotWired: there is an operator that is no sum.
        """
        kind = type(node).__name__
        if kind in ("Plus", "Minus", "Xor"):
            left, right = self.form(node.left), self.form(node.right)
            self._equal(node, left.width, right.width)
            if kind == "Xor" and left.width != 1:
                raise NotWired
            sign = -1 if kind == "Minus" else 1
            weights = dict(left.weights)
            for bit, weight in right.weights.items():
                weights[bit] = weights.get(bit, 0) + sign * weight
            return Form(left.width, weights, left.constant + sign * right.constant, False)
        if kind == "Concat":
            return self._joined([self.form(part) for part in node.list])
        if kind == "Identifier" and node.name in self.inside:
            declared = self._module.nets[node.name]
            inner = self.form(declared.value)
            self._equal(node, declared.width, inner.width)
            return inner
        return wired(self.bits(node))

    def _joined(self, parts: list[Form]) -> Form:
        """Join parts, the highest first: only that one may have lost a carry."""
        if not all(part.exact for part in parts[1:]):
            raise NotWired
        weights: dict[tuple[Net, int], int] = {}
        constant = place = 0
        for part in reversed(parts):
            for bit, weight in part.weights.items():
                weights[bit] = weights.get(bit, 0) + (weight << place)
            constant += part.constant << place
            place += part.width
        return Form(place, weights, constant, parts[0].exact)

    def _equal(self, node: Any, left: int, right: int) -> None:
        if left != right:
            raise self._module.wrong(
                f"line {node.lineno}: operands of {left} and {right} bits, expected equal widths"
            )

    # --- numbers ---------------------------------------------------------------------------------

    def number(self, node: Any, known: Mapping[Net, Number], width: int = 0) -> Number:
        """Return the patterns of an expression for the patterns of nets.

        ``width`` is that of the wire it is given to, which products are extended to.
        """
        kind = type(node).__name__
        if kind in ("And", "Or", "Xor", "Plus", "Minus", "GreaterThan", "LessThan"):
            left, right = self.number(node.left, known), self.number(node.right, known)
            self._equal(node, left.width, right.width)
            return _binary(kind, left, right)
        if kind == "Times":
            left, right = self.number(node.left, known), self.number(node.right, known)
            return _product(left, right, max(width, left.width, right.width))
        if kind == "Cond":
            chosen = self.number(node.cond, known)
            left, right = (self.number(n, known) for n in (node.true_value, node.false_value))
            self._equal(node, left.width, right.width)
            pattern = np.where(chosen.pattern != 0, left.pattern, right.pattern)
            return Number(pattern, left.width, left.signed and right.signed)
        if kind in ("Unot", "Uand", "Uor", "Unand", "Unor"):
            return _unary(kind, self.number(node.right, known))
        if kind == "SystemCall" and node.syscall == "signed":
            inner = self.number(node.args[0], known)
            return Number(inner.pattern, inner.width, True)
        if kind == "FunctionCall":
            return self._called(node, known)
        return self._wired(node, known)

    def _wired(self, node: Any, known: Mapping[Net, Number]) -> Number:
        kind = type(node).__name__
        if kind == "Identifier":
            name = self._name(node)
            declared = self._module.nets[name]
            if name in self.inside:
                inner = self.number(declared.value, known, declared.width)
                self._equal(node, declared.width, inner.width)
                return Number(inner.pattern, declared.width, declared.signed)
            net = self.net(name)
            if net not in known:
                raise self._module.wrong(
                    f"line {node.lineno}: reads {name}, which is no operand in that cycle"
                )
            return Number(known[net].pattern, declared.width, declared.signed)
        if kind in ("IntConst", "Uminus"):
            value, width, signed = number(node)
            return Number(np.full(1, value, dtype=np.int64), width, signed)
        if kind in ("Partselect", "Pointer"):
            if getattr(node.var, "name", "") in self._module.constants:
                width, word = self._module.constants[node.var.name]
                index = self.number(node.ptr, known)
                if index.signed:
                    raise self._module.wrong(f"line {node.lineno}: an index with a sign")
                entries = np.array([word >> i & 1 for i in range(width)], dtype=np.int64)
                return Number(self._looked_up(node, entries, index), 1, False)
            inner, (low, high) = self.number(node.var, known), self._range(node)
            if high >= inner.width:
                raise self._module.wrong(f"line {node.lineno}: bit {high} is not there")
            return Number(inner.pattern >> low & _mask(high - low + 1), high - low + 1, False)
        if kind == "Concat":
            parts = [self.number(part, known) for part in node.list]
        elif kind == "Repeat":
            parts = [self.number(node.value, known)] * number(node.times)[0]
        else:
            raise self._module.wrong(f"line {node.lineno}: a {kind} is no part of a circuit")
        pattern, width = np.zeros(1, dtype=np.int64), 0
        for part in reversed(parts):
            pattern = pattern | part.pattern << width
            width += part.width
        return Number(pattern, width, False)

    def _called(self, node: Any, known: Mapping[Net, Number]) -> Number:
        bits, width, entries, default = self._module.functions[node.name.name]
        index = self.number(node.args[0], known)
        self._equal(node, bits, index.width)
        table = np.full(1 << bits, -1 if default is None else default, dtype=np.int64)
        for at, value in entries.items():
            table[at] = value
        return Number(self._looked_up(node, table, index), width, False)

    def _looked_up(self, node: Any, table: Ints, index: Number) -> Ints:
        if index.pattern.max(initial=0) >= len(table):
            raise self._module.wrong(f"line {node.lineno}: an index leaves its table")
        found = table[index.pattern]
        if found.min(initial=0) < 0:
            raise self._module.wrong(f"line {node.lineno}: a table lacks an entry")
        return found


def wired(bits: list[Bit]) -> Form:
    """Return wired bits as a sum."""
    weights: dict[tuple[Net, int], int] = {}
    constant = 0
    for place, bit in enumerate(bits):
        if isinstance(bit, int):
            constant += bit << place
        else:
            weights[bit] = weights.get(bit, 0) + (1 << place)
    return Form(len(bits), weights, constant, True)


def _mask(width: int) -> np.int64:
    if width > 63:
        raise MismatchError(f"an expression of {width} bits, more than 63")
    return np.int64((1 << width) - 1)


def _binary(kind: str, left: Number, right: Number) -> Number:
    signed = left.signed and right.signed
    if kind in ("GreaterThan", "LessThan"):
        a, b = (left.value, right.value) if signed else (left.pattern, right.pattern)
        return Number((a > b if kind == "GreaterThan" else a < b).astype(np.int64), 1, False)
    operation = {
        "And": np.bitwise_and,
        "Or": np.bitwise_or,
        "Xor": np.bitwise_xor,
        "Plus": np.add,
        "Minus": np.subtract,
    }[kind]
    return Number(operation(left.pattern, right.pattern) & _mask(left.width), left.width, signed)


def _product(left: Number, right: Number, width: int) -> Number:
    signed = left.signed and right.signed
    a, b = (left.value, right.value) if signed else (left.pattern, right.pattern)
    return Number(a * b & _mask(width), width, signed)


def _unary(kind: str, x: Number) -> Number:
    if kind == "Unot":
        return Number(~x.pattern & _mask(x.width), x.width, x.signed)
    found = x.pattern == _mask(x.width) if kind.endswith("and") else x.pattern != 0
    return Number((found != kind.startswith("Un")).astype(np.int64), 1, False)
