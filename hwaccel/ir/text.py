"""The graph as text, one node per line: for people, for ``diff``, and for tests.

::

    graph mlp
    input %x : 16 u8.8
    %fc1 = dense(%x) {weight=#3fa2c1d0, shift=[0, 0], bias=[5, -3]} : 2 s17.8 [-9, 58]  // fc1
    output %fc1
    constants
    #3fa2c1d0 : 2x16
      1 2 3 ...

Fields at their default are left out. What stands behind ``//`` is the PyTorch module path. Names
and paths of other than the usual characters are written as JSON strings. Empty lines and lines
that begin with ``//`` mean nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from math import prod
from typing import TypeVar

import numpy as np

from hwaccel.errors import HwaccelError, VerifyError
from hwaccel.fxp import FixedType, IntArray
from hwaccel.ir.codec import Plain, attributes, build
from hwaccel.ir.graph import Graph, Node, Value
from hwaccel.ir.op import Op
from hwaccel.ir.types import TensorType
from hwaccel.ir.verify import verify, verify_node

_T = TypeVar("_T")

# Arrays up to this many elements stand in the line of their node.
_INLINE = 8
_COLUMNS = 98

_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_PATH = re.compile(r"[A-Za-z0-9_.:/\[\]-]+")
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_INT = re.compile(r"-?[0-9]{1,20}(?![0-9])")
_LABEL = re.compile(r"#[0-9a-f]{1,64}")
_SHAPE = re.compile(r"scalar|[0-9]{1,9}(?:x[0-9]{1,9}){0,7}")
_FLAG = re.compile(r"(?:true|false)\b")
_FIXED = re.compile(r"[su][0-9]{1,3}\.-?[0-9]{1,4}")


# --- print ---------------------------------------------------------------------------------------


def print_graph(graph: Graph) -> str:
    """Return the text; ``parse_graph`` makes an equal graph of it."""
    labels = _labels(graph)
    lines = [f"graph {_word(graph.name)}"]
    lines += [f"input {_value(value)}" for value in graph.inputs]
    for node in graph.nodes:
        plain = attributes(node.op, defaults=False)
        fields = ", ".join(f"{name}={_plain(value, labels)}" for name, value in plain.items())
        operands = ", ".join(f"%{_word(name)}" for name in node.inputs)
        line = f"%{_word(node.name)} = {node.op.name}({operands})"
        line += f" {{{fields}}}" if fields else ""
        line += f" : {node.output.type}"
        line += f"  // {_quoted(node.path, _PATH)}" if node.path else ""
        lines.append(line)
    lines += [f"output %{_word(name)}" for name in graph.outputs]
    lines += ["constants"] if labels else []
    for array, label in sorted(labels.items(), key=lambda item: item[1]):
        lines.append(f"{label} : {'x'.join(map(str, array.shape)) or 'scalar'}")
        lines += _rows(array)
    return "\n".join(lines) + "\n"


def _labels(graph: Graph) -> dict[IntArray, str]:
    """Name the arrays that are too large for a line by the first digits of their digest."""
    values = [value for node in graph.nodes for value in attributes(node.op).values()]
    arrays = dict.fromkeys(v for v in values if isinstance(v, IntArray) and not _inline(v))
    digits = 8
    while len({array.digest[:digits] for array in arrays}) < len(arrays):
        digits += 1
    return {array: f"#{array.digest[:digits]}" for array in arrays}


def _inline(array: IntArray) -> bool:
    return 0 < array.a.size <= _INLINE and array.shape != ()


def _plain(value: Plain, labels: Mapping[IntArray, str]) -> str:
    match value:
        case IntArray():
            return labels.get(value) or str(value.a.tolist())
        case bool():
            return str(value).lower()
        case str():
            return json.dumps(value) if _FLAG.fullmatch(value) else _word(value)
    return str(value)


def _rows(array: IntArray) -> list[str]:
    """Wrap the integers; every index of the first axis starts a line."""
    rows = array.a.reshape(array.shape[0], -1) if array.a.size and array.a.ndim > 1 else [array.a]
    lines = []
    for row in rows:
        line = " "
        for number in map(str, row.ravel().tolist()):
            if len(line) + 1 + len(number) > _COLUMNS:
                lines.append(line)
                line = " "
            line += f" {number}"
        lines.append(line)
    return [line for line in lines if line.strip()]


def _value(value: Value) -> str:
    return f"%{_word(value.name)} : {value.type}"


def _word(text: str) -> str:
    return _quoted(text, _WORD)


def _quoted(text: str, plain: re.Pattern[str]) -> str:
    return text if plain.fullmatch(text) else json.dumps(text)


# --- parse ---------------------------------------------------------------------------------------


def parse_graph(text: str, ops: Mapping[str, type[Op]]) -> Graph:
    """Return the graph; types are inferred again and must be those stated.

    Raises:
        VerifyError: the text is not a graph, or not a legal one; the message names the line.
    """
    return _Parser(text, ops).graph()


class _Cursor:
    """What is left of one line."""

    def __init__(self, number: int, text: str) -> None:
        self.number = number
        self._rest = text.strip()

    def expected(self, what: str) -> VerifyError:
        rest = self._rest if len(self._rest) <= 32 else self._rest[:29] + "..."
        return VerifyError(f"expected {what}, found {rest!r}")

    def accept(self, token: str) -> bool:
        if not self._rest.startswith(token):
            return False
        self._rest = self._rest[len(token) :].lstrip()
        return True

    def expect(self, token: str) -> None:
        if not self.accept(token):
            raise self.expected(repr(token))

    def match(self, pattern: re.Pattern[str]) -> str | None:
        found = pattern.match(self._rest)
        if found is None:
            return None
        self._rest = self._rest[found.end() :].lstrip()
        return found[0]

    def read(self, pattern: re.Pattern[str], what: str) -> str:
        found = self.match(pattern)
        if found is None:
            raise self.expected(what)
        return found

    def word(self, what: str, plain: re.Pattern[str] = _WORD) -> str:
        """Read a bare word or a JSON string."""
        quoted = self.match(_STRING)
        if quoted is None:
            return self.read(plain, what)
        try:
            return str(json.loads(quoted))
        except ValueError:
            raise VerifyError(f"{quoted} is not a JSON string") from None

    def name(self) -> str:
        self.expect("%")
        return self.word("a name")

    def integer(self) -> int:
        return int(self.read(_INT, "an integer"))

    def items(self, close: str, item: Callable[[], _T]) -> list[_T]:
        """Read items between commas up to ``close``."""
        found: list[_T] = []
        while not self.accept(close):
            found.append(item())
            if not self.accept(","):
                self.expect(close)
                break
        return found

    def shape(self) -> tuple[int, ...]:
        text = self.read(_SHAPE, "a shape like 4x8x8")
        return () if text == "scalar" else tuple(int(n) for n in text.split("x"))

    def type(self) -> TensorType:
        shape, fixed = self.shape(), FixedType.parse(self.read(_FIXED, "a format like s8.4"))
        ends = self.items("]", self.integer) if self.accept("[") else [fixed.lo, fixed.hi]
        if len(ends) != 2 or not fixed.holds(*ends):
            raise VerifyError(f"{ends} is not an interval of {fixed}")
        return TensorType(shape, fixed.frac, *ends)

    def integers(self) -> list[int]:
        """Read integers up to the end of the line."""
        words = self._rest.split()
        if not all(_INT.fullmatch(word) for word in words):
            raise self.expected("integers")
        return [int(word) for word in words]

    def at(self, token: str) -> bool:
        return self._rest.startswith(token)

    def end(self) -> None:
        if self._rest:
            raise self.expected("the end of the line")


class _Parser:
    def __init__(self, text: str, ops: Mapping[str, type[Op]]) -> None:
        self._ops = ops
        self._lines = [
            _Cursor(number, line)
            for number, line in enumerate(text.split("\n"), start=1)
            if line.strip() and not line.strip().startswith("//")
        ]
        self._constants: dict[str, IntArray] = {}
        self._types: dict[str, TensorType] = {}

    def graph(self) -> Graph:
        start = next((i for i, line in enumerate(self._lines) if line.accept("constants")), None)
        body, tail = self._lines[:start], self._lines[len(self._lines[:start]) + 1 :]
        self._read_constants(tail)
        head = body[0] if body else _Cursor(1, "")
        with _located(head):
            head.expect("graph ")
            name = head.word("the name of the graph")
            head.end()
        inputs: list[Value] = []
        nodes: list[Node] = []
        outputs: list[str] = []
        for line in body[1:]:
            with _located(line):
                if line.accept("input "):
                    inputs.append(self._input(line))
                elif line.accept("output "):
                    outputs.append(line.name())
                else:
                    nodes.append(self._node(line))
                line.end()
        graph = Graph(name, tuple(inputs), tuple(nodes), tuple(outputs))
        verify(graph)
        return graph

    def _input(self, line: _Cursor) -> Value:
        name = line.name()
        line.expect(":")
        if name in self._types:
            raise VerifyError(f"{name}: defined twice; every value needs its own name")
        self._types[name] = line.type()
        return Value(name, self._types[name])

    def _node(self, line: _Cursor) -> Node:
        name = line.name()
        line.expect("=")
        op = line.read(_WORD, "an op")
        if op not in self._ops:
            raise VerifyError(f"unknown op {op!r}; known are {', '.join(self._ops)}")
        line.expect("(")
        inputs = tuple(line.items(")", line.name))
        fields = line.items("}", lambda: self._field(line)) if line.accept("{") else []
        line.expect(":")
        value = Value(name, line.type())
        path = line.word("a module path", _PATH) if line.accept("//") else ""
        made = build(self._ops[op], dict(fields), self._constants.get)
        node = Node(value, made, inputs, path)
        verify_node(node, self._types)
        self._types[name] = value.type
        return node

    def _field(self, line: _Cursor) -> tuple[str, object]:
        name = line.read(_WORD, "a field")
        line.expect("=")
        label = line.match(_LABEL)
        if label is not None:
            if label not in self._constants:
                raise VerifyError(f"constant {label} is not in the constants section")
            return name, self._constants[label]
        if line.accept("["):
            return name, _array(_nested(line), None)
        if line.accept("("):
            return name, tuple(line.items(")", line.integer))
        number = line.match(_INT)
        if number is not None:
            return name, int(number)
        flag = line.match(_FLAG)
        return name, line.word("a value") if flag is None else flag == "true"

    def _read_constants(self, lines: Sequence[_Cursor]) -> None:
        heads = [i for i, line in enumerate(lines) if line.at("#")]
        for line in lines[: heads[0] if heads else None]:
            with _located(line):
                raise line.expected("a constant like '#3fa2c1d0 : 2x3'")
        for start, stop in pairwise([*heads, len(lines)]):
            values: list[int] = []
            for line in lines[start + 1 : stop]:
                with _located(line):
                    values += line.integers()
            with _located(lines[start]):
                label = lines[start].read(_LABEL, "the name of a constant")
                lines[start].expect(":")
                shape = lines[start].shape()
                lines[start].end()
                if label in self._constants:
                    raise VerifyError(f"constant {label} is defined twice")
                self._constants[label] = _array(values, shape)


@contextmanager
def _located(line: _Cursor) -> Iterator[None]:
    """Put the line number in front of every error."""
    try:
        yield
    except HwaccelError as error:
        raise VerifyError(f"line {line.number}: {error}") from None


def _nested(line: _Cursor, depth: int = 1) -> list[object]:
    if depth > 8:
        raise VerifyError("an array has at most 8 axes")

    def item() -> object:
        return _nested(line, depth + 1) if line.accept("[") else line.integer()

    return line.items("]", item)


def _array(values: list[int] | list[object], shape: tuple[int, ...] | None) -> IntArray:
    if shape is not None and prod(shape) != len(values):
        raise VerifyError(f"{len(values)} integers, expected {prod(shape)} for shape {shape}")
    try:
        array = np.array(values, dtype=np.int64)
    except (OverflowError, ValueError):
        raise VerifyError("an array is ragged or holds integers of more than 64 bits") from None
    return IntArray(array if shape is None else array.reshape(shape))
