"""The module of a circuit as a parser that is not ours reads it: nets, registers, tables."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from hwaccel.errors import MismatchError
from hwaccel.verify.structure import parsed_modules

_NUMBER = re.compile(r"(?:(\d+)'(s?)([bdh]))?([0-9a-fA-F]+)")
_BASES = {"b": 2, "d": 10, "h": 16}


@dataclass(frozen=True, slots=True)
class Declared:
    """A port, wire or register: its width, its sign, and what a wire is given."""

    width: int
    signed: bool
    value: Any = None


@dataclass(slots=True)
class Module:
    """What a module holds. ``moves`` are registers with what they take over in each clock."""

    name: str
    ports: dict[str, tuple[str, int]] = field(default_factory=dict)
    nets: dict[str, Declared] = field(default_factory=dict)
    moves: dict[str, Any] = field(default_factory=dict)
    clears: dict[str, tuple[str, Any]] = field(default_factory=dict)
    assigns: dict[str, Any] = field(default_factory=dict)
    constants: dict[str, tuple[int, int]] = field(default_factory=dict)
    # Width of index and result, entries by index, the entry of every other index.
    functions: dict[str, tuple[int, int, dict[int, int], int | None]] = field(default_factory=dict)

    def wrong(self, text: str) -> MismatchError:
        """Return the error that says what is wrong with the module."""
        return MismatchError(f"{self.name}.v: {text}")


def read_module(text: str, name: str) -> Module:
    """Read the text of one module of the kind that ``emit_unit`` writes.

    Raises:
        MismatchError: it is not Verilog, or holds something else.
        ToolError: pyverilog is not installed.
    """
    found = Module(name)
    modules = parsed_modules(text, name)
    if [module.name for module in modules] != [name]:
        raise found.wrong(f"holds {', '.join(module.name for module in modules)}")
    for port in modules[0].portlist.ports:
        signal = port.first
        _once(found, signal.name, found.ports)
        found.ports[signal.name] = type(signal).__name__.lower(), _width(signal)
        found.nets[signal.name] = Declared(_width(signal), bool(signal.signed))
    for item in modules[0].items:
        _item(found, item)
    for name, declared in found.nets.items():
        if declared.value is None and name not in {*found.ports, *found.moves}:
            raise found.wrong(f"{name} has no value")
    return found


def _item(found: Module, item: Any) -> None:
    kind = type(item).__name__
    if kind == "Decl":
        _declaration(found, item)
    elif kind == "Assign":
        _once(found, item.left.var.name, found.assigns)
        found.assigns[item.left.var.name] = item.right.var
    elif kind == "Always":
        sens = item.sens_list.list
        if [(s.type, getattr(s.sig, "name", "")) for s in sens] != [("posedge", "clk")]:
            raise found.wrong(f"line {item.lineno}: another clock than posedge clk")
        for statement in item.statement.statements:
            _clocked(found, statement)
    elif kind == "InstanceList":
        _adder(found, item)
    elif kind == "Function":
        found.functions[item.name] = _function(found, item)
    else:
        raise found.wrong(f"line {item.lineno}: a {kind} is no part of a circuit")


def _declaration(found: Module, item: Any) -> None:
    head, *rest = item.list
    kind = type(head).__name__
    if kind == "Localparam":
        found.constants[head.name] = _width(head), number(head.value.var)[0]
        return
    value = rest[0].right.var if rest and type(rest[0]).__name__ == "Assign" else None
    if kind not in ("Wire", "Reg") or len(rest) > 1 or (kind == "Reg" and value is not None):
        raise found.wrong(f"line {item.lineno}: a {kind} is no part of a circuit")
    _once(found, head.name, found.nets)
    found.nets[head.name] = Declared(_width(head), bool(head.signed), value)


def _adder(found: Module, item: Any) -> None:
    """Take an instance of ``hwa_add3`` as what it computes: the value of the wire it drives."""
    (instance,) = item.instances
    chosen = {p.paramname: number(p.argname)[0] for p in instance.parameterlist}
    ports = {p.portname: p.argname for p in instance.portlist}
    if item.module != "hwa_add3" or set(chosen) != {"WIDTH", "SUBTRACT"} or set(ports) != {*"abcy"}:
        raise found.wrong(f"line {item.lineno}: {instance.name} is no adder of three numbers")
    name = ports["y"].name
    driven = found.nets.get(name)
    if driven is None or driven.value is not None or driven.width != chosen["WIDTH"]:
        raise found.wrong(f"line {item.lineno}: {instance.name} drives {name}, expected a wire")
    ast = importlib.import_module("pyverilog.vparser.ast")
    kinds = [ast.Minus if chosen["SUBTRACT"] > n else ast.Plus for n in (1, 0)]
    value = ports["a"]
    for kind, operand in zip(kinds, (ports["b"], ports["c"]), strict=True):
        value = kind(value, operand, item.lineno)
    found.nets[name] = Declared(driven.width, driven.signed, value)


def _clocked(found: Module, statement: Any) -> None:
    """Note ``target <= value``, and ``if (rst) target <= value`` behind it."""
    kind = type(statement).__name__
    if kind == "IfStatement" and statement.false_statement is None:
        inner, condition = statement.true_statement, getattr(statement.cond, "name", "")
        target = inner.left.var.name
        _once(found, target, found.clears)
        found.clears[target] = condition, inner.right.var
    elif kind == "NonblockingSubstitution":
        target = statement.left.var.name
        _once(found, target, found.moves)
        found.moves[target] = statement.right.var
    else:
        raise found.wrong(f"line {statement.lineno}: a {kind} is no part of a circuit")


def _function(found: Module, item: Any) -> tuple[int, int, dict[int, int], int | None]:
    declaration, case = item.statement
    (index,) = declaration.list
    entries: dict[int, int] = {}
    default = None
    if getattr(case.comp, "name", "") != index.name:
        raise found.wrong(f"function {item.name}: its case is not over its argument")
    for one in case.caselist:
        if one.statement.left.var.name != item.name:
            raise found.wrong(f"function {item.name}: assigns {one.statement.left.var.name}")
        value = number(one.statement.right.var)[0]
        if one.cond is None:
            default = value
        for at in one.cond or ():
            # The first of equal labels counts.
            entries.setdefault(number(at)[0], value)
    return _width(index), _width(item), entries, default


def _once(found: Module, name: str, where: dict[str, Any]) -> None:
    if name in where:
        raise found.wrong(f"{name} is there twice, expected once")


def _width(signal: Any) -> int:
    range_ = getattr(signal, "width", None) or getattr(signal, "retwidth", None)
    if range_ is None:
        return 1
    if number(range_.lsb)[0] != 0:
        raise MismatchError(f"line {signal.lineno}: a range ends at {range_.lsb}, expected 0")
    return number(range_.msb)[0] + 1


def number(node: Any) -> tuple[int, int, bool]:
    """Return value, width and sign of a constant; the value is a pattern of that width."""
    if type(node).__name__ == "Uminus":
        value, width, signed = number(node.right)
        return -value & ((1 << width) - 1), width, signed
    match = _NUMBER.fullmatch(str(getattr(node, "value", "")))
    if match is None:
        raise MismatchError(f"line {node.lineno}: expected a constant, found {node}")
    width = int(match[1]) if match[1] else 32
    value = int(match[4], _BASES[match[3]] if match[3] else 10)
    if value >> width:
        raise MismatchError(f"line {node.lineno}: {node.value} does not fit its {width} bits")
    return value, width, bool(match[2]) or match[1] is None


def operands(node: Any) -> Iterator[Any]:
    """Yield an expression and all expressions inside of it."""
    yield node
    for inner in node.children():
        yield from operands(inner)
