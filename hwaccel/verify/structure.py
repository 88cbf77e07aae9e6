"""Read an emitted top module with a parser that is not ours and compare it with its netlist.

Both sides become the same flat list of facts ("wire x_tdata" is "[7:0]"), so whatever one has and
the other has not is found, and the message is one fact.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import io
import re
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from hwaccel.emit.netlist import Instance, Netlist
from hwaccel.errors import MismatchError, ToolError

Fact = tuple[str, str]

_ATTRIBUTE = re.compile(r'\(\*\s*(\w+)\s*=\s*("[^"]*")\s*\*\)')
_PORT_BEHIND = re.compile(r"\s*(?:input|output)\s+wire\s*(?:\[[^\]]*\]\s*)?(\w+)")


def check_structure(rtl: Path | str, netlist: Netlist) -> None:
    """Compare the top module in ``rtl``, a file or its text, with the netlist it was made from.

    Name, ports, wires, assignments and instances with every parameter and connection must be
    equal, and nothing else may be there.

    Raises:
        MismatchError: something differs; the line names the first difference.
        ToolError: pyverilog is not installed.
    """
    text = rtl.read_text(encoding="ascii") if isinstance(rtl, Path) else rtl
    bare, attributes = _without_attributes(text)
    found: dict[str, str] = {}
    for name, value in (*attributes, *_parsed_facts(bare, netlist.name)):
        if name in found:
            raise MismatchError(f"{netlist.name}.v: {name} is there twice, expected once")
        found[name] = value
    for name, value in _netlist_facts(netlist):
        if name not in found:
            raise MismatchError(f"{netlist.name}.v: {name} is missing, expected {value}")
        if found[name] != value:
            raise MismatchError(f"{netlist.name}.v: {name}: expected {value}, found {found[name]}")
        del found[name]
    for name, value in found.items():
        raise MismatchError(f"{netlist.name}.v: {name} is not in the netlist, found {value}")


# --- what should be there ------------------------------------------------------------------------


def _netlist_facts(netlist: Netlist) -> Iterator[Fact]:
    yield "module", netlist.name
    for at, port in enumerate(netlist.ports):
        yield f"port {at}", f"{port.direction} {_range(port.width)} {port.name}"
        for key, value in port.attributes:
            yield f"attribute {key} of {port.name}", f'"{value}"'
    for section in netlist.sections:
        for wire in section.wires:
            yield f"wire {wire.name}", _range(wire.width)
        for target, value in section.assigns:
            yield f"assign {target}", _squeezed(value)
        for instance in section.instances:
            yield from _instance_facts(instance)
    if netlist.unused:
        yield "wire unused", _range(1)
        yield "assign unused", _squeezed(f"&{{1'b0, {', '.join(netlist.unused)}}}")


def _instance_facts(instance: Instance) -> Iterator[Fact]:
    yield f"instance {instance.name}", instance.module
    for key, value in instance.params:
        yield f"instance {instance.name}, parameter {key}", _squeezed(value)
    for key, value in instance.ports:
        yield f"instance {instance.name}, port {key}", _squeezed(value)


def _range(width: int) -> str:
    return f"[{width - 1}:0]"


def _squeezed(expression: str) -> str:
    """Drop the white space outside of strings."""
    parts = expression.split('"')
    parts[::2] = ["".join(part.split()) for part in parts[::2]]
    return '"'.join(parts)


# --- what is there -------------------------------------------------------------------------------


def _without_attributes(text: str) -> tuple[str, tuple[Fact, ...]]:
    """Take out the attributes, which pyverilog 1.3.0 does not read, each with its port."""
    bare = _ATTRIBUTE.sub(lambda found: " " * len(found[0]), text)
    facts = []
    for found in _ATTRIBUTE.finditer(text):
        port = _PORT_BEHIND.match(bare, found.end())
        facts.append((f"attribute {found[1]} of {port[1] if port else 'no port'}", found[2]))
    return bare, tuple(facts)


def parsed_modules(text: str, name: str) -> Any:
    """Return the modules in ``text`` as pyverilog describes them.

    Raises:
        MismatchError: it is not Verilog.
        ToolError: pyverilog is not installed.
    """
    parser = _parser()
    try:
        return parser.parse(text).description.definitions
    except Exception as error:  # pyverilog's own, but also TypeErrors from inside its grammar
        said = " ".join(str(error).split())
        raise MismatchError(f"{name}.v: is not Verilog to pyverilog: {said}") from None


def _parsed_facts(text: str, name: str) -> Iterator[Fact]:
    modules = parsed_modules(text, name)
    for module in modules[1:]:
        yield f"second module {module.name}", f"at line {module.lineno}"
    yield "module", modules[0].name
    for at, port in enumerate(modules[0].portlist.ports):
        yield f"port {at}", _port(port)
    for parameter in modules[0].paramlist.params:
        yield "parameter of the top", f"at line {parameter.lineno}"
    for item in modules[0].items:
        yield from _item_facts(item)


def _port(port: Any) -> str:
    signal = getattr(port, "first", port)
    direction = type(signal).__name__.lower()
    signed = " signed" if getattr(signal, "signed", False) else ""
    return f"{direction}{signed} {_declared(signal)} {signal.name}"


def _item_facts(item: Any) -> Iterator[Fact]:
    kind = type(item).__name__
    if kind == "Decl":
        for declared in item.list:
            yield from _declaration_facts(declared)
    elif kind == "Assign":
        yield _assignment(item)
    elif kind == "InstanceList":
        for instance in item.instances:
            yield from _parsed_instance(instance)
    else:
        yield f"{kind.lower()} at line {item.lineno}", "no structure"


def _declaration_facts(declared: Any) -> Iterator[Fact]:
    kind = type(declared).__name__.lower()
    if kind == "assign":
        yield _assignment(declared)
    else:
        signed = "signed " if getattr(declared, "signed", False) else ""
        array = " array" if getattr(declared, "dimensions", None) else ""
        yield f"{kind} {declared.name}", signed + _declared(declared) + array


def _assignment(item: Any) -> Fact:
    return f"assign {_text(item.left.var)}", _text(item.right.var)


def _declared(signal: Any) -> str:
    if signal.width is None:
        return _range(1)
    return f"[{_text(signal.width.msb)}:{_text(signal.width.lsb)}]"


def _parsed_instance(instance: Any) -> Iterator[Fact]:
    array = " array" if instance.array is not None else ""
    yield f"instance {instance.name}", instance.module + array
    for at, parameter in enumerate(instance.parameterlist):
        key = parameter.paramname or f"number {at}"
        yield f"instance {instance.name}, parameter {key}", _text(parameter.argname)
    for at, port in enumerate(instance.portlist):
        key = port.portname or f"number {at}"
        yield f"instance {instance.name}, port {key}", _text(port.argname)


def _text(node: Any) -> str:
    """Return an expression without spaces; parentheses are kept around nested operators."""
    kind = type(node).__name__
    if node is None:
        return "nothing"
    if kind == "Identifier":
        return str(node.name)
    if kind == "StringConst":
        return f'"{node.value}"'
    if kind in ("IntConst", "FloatConst"):
        return str(node.value)
    if kind in ("Concat", "LConcat"):
        return "{" + ",".join(_text(part) for part in node.list) + "}"
    if kind == "Repeat":
        return f"{{{_text(node.times)}{_text(node.value)}}}"  # the value is a Concat
    if kind == "Partselect":
        return f"{_text(node.var)}[{_text(node.msb)}:{_text(node.lsb)}]"
    if kind == "Pointer":
        return f"{_text(node.var)}[{_text(node.ptr)}]"
    mark = _marks().get(kind)
    if mark is None:
        return f"a {kind}"
    if getattr(node, "left", None) is None:
        return mark + _text(node.right)
    return _operand(node, node.left) + mark + _operand(node, node.right)


def _operand(parent: Any, node: Any) -> str:
    """Put parentheses around an operator inside another one, but not along a chain of one kind."""
    nested = type(node).__name__ in _marks() and getattr(node, "left", None) is not None
    return f"({_text(node)})" if nested and type(node) is not type(parent) else _text(node)


@cache
def _marks() -> dict[str, str]:
    marks: dict[str, str] = importlib.import_module("pyverilog.utils.op2mark").operator_mark
    return marks


@cache
def _parser() -> Any:
    """Return the parser; making its tables takes a second or two, once for each process.

    It would leave the tables in the current folder, and complains about its own grammar.
    """
    if importlib.util.find_spec("pyverilog") is None:
        raise ToolError(
            "pyverilog: not found; it reads Verilog to check its structure; "
            "install it with: pip install 'hwaccel[sim]'"
        )
    module = importlib.import_module("pyverilog.vparser.parser")
    with (
        tempfile.TemporaryDirectory(prefix="hwaccel-parser-") as folder,
        contextlib.redirect_stderr(io.StringIO()),
    ):
        return module.VerilogParser(outputdir=folder, debug=False)
