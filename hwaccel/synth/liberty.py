"""Read what must be known of a Liberty file before tools are given it.

The file comes from outside. It is read within bounds; it may name no other file; and every name of
a cell or a pin in it is a plain identifier, so that none of them means anything to a tool's script.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from hwaccel.errors import ConfigError
from hwaccel.untrusted import Damaged, read_file

MAX_BYTES = 1 << 26
# Nested groups; tables of current sources have six levels.
_MAX_DEPTH = 16
_LONGEST_FUNCTION = 200
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,254}")
# Pins may be bits of a bus; libraries have corners in their names.
_PIN = re.compile(_NAME.pattern + r"(\[\d{1,4}(:\d{1,4})?\])?")
_LIBRARY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,254}")
_NAMED = {"library": _LIBRARY, "cell": _NAME, "pin": _PIN, "bus": _NAME, "bundle": _NAME}
_HEAD = re.compile(r"([A-Za-z_]\w*)\s*\(([^()]*)\)\s*$")
# A string with its escapes, a comment, or what opens, closes and ends.
_TOKEN = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:[^"\\]|\\.)*"|[{};]|/\*|"', re.DOTALL)
_ATTRIBUTE = re.compile(r'(\w+)\s*:\s*(?:"([^"]*)"|([^\s;"]+))')
_INCLUDE = re.compile(r"\binclude_file\b")
_GROUPS = ("library", "cell", "pin", "ff", "latch", "ff_bank", "latch_bank", "statetable")
_NONE = "is no Liberty file: it does not begin with `library (NAME) {`"
_SIMPLE: dict[tuple[int, ...], str] = {(1, 0): "inverter", (0, 1): "buffer"}
_REMEDY = "give the Liberty file (.lib) of a standard cell library"


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: its area as the library states it, and what its pins are.

    ``outputs`` are pins and the functions they have. ``kind`` is ``logic``, ``flip-flop``,
    ``latch`` or ``other``.
    """

    name: str
    area: float
    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[tuple[str, str], ...]
    usable: bool = True

    @property
    def table(self) -> tuple[int, ...] | None:
        """Return the truth table of a gate with one output and one or two inputs."""
        if self.kind != "logic" or len(self.outputs) != 1 or not 1 <= len(self.inputs) <= 2:
            return None
        try:
            function = _function(self.outputs[0][1])
            rows = itertools.product((0, 1), repeat=len(self.inputs))
            return tuple(function(dict(zip(self.inputs, row, strict=True))) for row in rows)
        except (KeyError, ValueError):
            return None


@dataclass(frozen=True)
class Library:
    """A standard cell library: the text of its file and the cells in it."""

    name: str
    text: bytes
    cells: dict[str, Cell]

    @cached_property
    def nand2_area(self) -> float | None:
        """Return the area of the smallest two-input NAND, the unit of gate equivalents."""
        return min((c.area for c in self._like((1, 1, 1, 0))), default=None)

    def _like(self, table: tuple[int, ...]) -> Iterator[Cell]:
        return (c for c in self.cells.values() if c.usable and c.area > 0 and c.table == table)

    @cached_property
    def register_pins(self) -> dict[str, frozenset[str]]:
        """Return the output pins of each flip-flop."""
        return {
            name: frozenset(pin for pin, _ in cell.outputs)
            for name, cell in self.cells.items()
            if cell.kind == "flip-flop"
        }

    def kind(self, cell: str) -> str:
        """Return what a cell is counted as: inverters and buffers apart from other logic."""
        found = self.cells[cell]
        return _SIMPLE.get(found.table or (), found.kind)


def read_library(path: Path) -> Library:
    """Read the library in the Liberty file ``path``.

    Raises:
        ConfigError: it is missing, no Liberty file, cut off or too large, or a design cannot be
            mapped to it: no flip-flop, or no inverter.
    """
    try:
        data = read_file(path, MAX_BYTES)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); {_REMEDY}") from None
    except Damaged as error:
        raise ConfigError(f"{path}: {error}; {_REMEDY}") from None
    try:
        library = parse_library(data)
    except Damaged as error:
        raise ConfigError(f"{path}: {error}; {_REMEDY}") from None
    usable = [cell for cell in library.cells.values() if cell.usable]
    if not any(cell.kind == "flip-flop" for cell in usable):
        raise ConfigError(
            f"{path}: holds no flip-flop among {len(usable)} cells that may be used; expected a "
            f"cell with a group `ff`; {_REMEDY}"
        )
    if not any(cell.table == (1, 0) for cell in usable):
        raise ConfigError(
            f"{path}: holds no inverter among {len(usable)} cells that may be used; expected a "
            f"cell with the function `!A`; {_REMEDY}"
        )
    return library


def parse_library(data: bytes) -> Library:
    """Read the text of a Liberty file.

    Raises:
        Damaged: it is none, is cut off, names other files, or has names that are no identifiers.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Damaged(f"is not text (byte {error.start} is no UTF-8)") from None
    reader = _Reader()
    reader.read(text)
    return Library(reader.name, data, reader.cells)


@dataclass(slots=True)
class _Group:
    """A group that is open: its kind and name, and the attributes that stood in it so far."""

    kind: str
    name: str
    attributes: dict[str, str]
    pins: list[tuple[str, dict[str, str]]]
    states: set[str]


class _Reader:
    """Walks over the groups of a file, and keeps cells, pins and what remembers a state."""

    def __init__(self) -> None:
        self.name = ""
        self.cells: dict[str, Cell] = {}
        self._open: list[_Group] = []
        self._done = False

    def read(self, text: str) -> None:
        start = 0
        for token in _TOKEN.finditer(text):
            mark = token[0]
            if mark in ("/*", '"'):
                what = "a comment" if mark == "/*" else "a string"
                line = text.count("\n", 0, token.start()) + 1
                raise Damaged(f"is cut off: ends inside {what} that begins in line {line}")
            if mark in ("{", "}", ";"):
                self._step(mark, _bare(text[start : token.start()]))
                start = token.end()
        if not self._done:
            inside = ", in ".join(f"{g.kind} {g.name}".strip() for g in reversed(self._open))
            raise Damaged(f"is cut off: ends inside {inside}" if inside else _NONE)

    def _step(self, mark: str, before: str) -> None:
        if _INCLUDE.search(before):
            raise Damaged("names another file with include_file, which is not read")
        if mark == "{":
            self._enter(before)
            return
        if not self._open:
            if self._done and mark == ";":
                return
            raise Damaged(_NONE)
        group = self._open[-1]
        if group.kind in _GROUPS:
            for name, quoted, plain in _ATTRIBUTE.findall(before):
                group.attributes[name] = quoted or plain
        if mark == "}":
            self._leave()

    def _enter(self, before: str) -> None:
        if self._done:
            raise Damaged("holds more than one library")
        head = _HEAD.search(before)
        if not self._open and (head is None or head[1] != "library"):
            raise Damaged(_NONE)
        if len(self._open) >= _MAX_DEPTH:
            raise Damaged(f"has groups in groups, more than {_MAX_DEPTH} deep")
        kind, name = (head[1], head[2].strip().strip('"').strip()) if head else ("", "")
        if kind in _NAMED:
            for each in name.split(","):
                _check_name(each.strip().strip('"'), kind)
        self._open.append(_Group(kind, name, {}, [], set()))

    def _leave(self) -> None:
        group = self._open.pop()
        parent = self._open[-1] if self._open else None
        if parent is None:
            self.name, self._done = group.name, True
        elif group.kind == "cell" and parent.kind == "library":
            if group.name in self.cells:
                raise Damaged(f"holds two cells called {group.name}")
            self.cells[group.name] = _cell(group)
        elif parent.kind == "cell" and group.kind == "pin":
            parent.pins += [(one.strip(' "'), group.attributes) for one in group.name.split(",")]
        elif parent.kind == "cell":
            parent.states.add(group.kind)


def _check_name(name: str, kind: str) -> None:
    if not _NAMED[kind].fullmatch(name):
        raise Damaged(f"has a {kind} {name[:80]!r}; expected a name of letters, digits and _")


def _bare(text: str) -> str:
    """Return the text without comments."""
    if "/*" not in text and "//" not in text:
        return text
    return _TOKEN.sub(lambda token: " " if token[0][0] == "/" else token[0], text)


def _cell(group: _Group) -> Cell:
    try:
        area = float(group.attributes.get("area", "0"))
    except ValueError:
        raise Damaged(
            f"cell {group.name}: area {group.attributes['area'][:80]!r} is no number"
        ) from None
    if not 0 <= area < 1e12:
        raise Damaged(f"cell {group.name}: area {area:g}; expected 0 or more")
    kinds = {"ff": "flip-flop", "latch": "latch"}
    kind = next((kinds.get(k, "other") for k in _GROUPS[3:] if k in group.states), "logic")
    inputs = tuple(n for n, a in group.pins if a.get("direction") == "input")
    outputs = tuple(
        (n, a.get("function", "")) for n, a in group.pins if a.get("direction") == "output"
    )
    if any("three_state" in a for _, a in group.pins):
        kind = "other"
    unused = group.attributes.get("dont_use", "false").lower() == "true"
    return Cell(group.name, area, kind, inputs, outputs, usable=not unused)


# --- functions -----------------------------------------------------------------------------------

_WORD = re.compile(r"\s*([A-Za-z_]\w*|[01]|[()!'&*|+^])")
_Values = dict[str, int]


def _function(text: str) -> Callable[[_Values], int]:
    """Return a boolean function in Liberty's syntax.

    From strongest to weakest: ``!`` and ``'``; ``^``; ``&``, ``*`` and a blank; ``+`` and ``|``.

    Raises:
        ValueError: it is none, or longer than any gate of two inputs is.
    """
    if len(text) > _LONGEST_FUNCTION:
        raise ValueError("too long")
    words, place = [], 0
    while place < len(text.rstrip()):
        word = _WORD.match(text, place)
        if word is None:
            raise ValueError(text[place])
        words.append(word[1])
        place = word.end()
    parser = _Parser(words)
    function = parser.sum()
    if parser.words:
        raise ValueError(parser.words[0])
    return function


class _Parser:
    """Takes words off the front, one method for each strength."""

    def __init__(self, words: list[str]) -> None:
        self.words = words

    def _next(self) -> str:
        return self.words[0] if self.words else ""

    def sum(self) -> Callable[[_Values], int]:
        terms = [self._product()]
        while self._next() in ("+", "|"):
            self.words.pop(0)
            terms.append(self._product())
        return lambda v: int(any(term(v) for term in terms))

    def _product(self) -> Callable[[_Values], int]:
        factors = [self._exclusive()]
        while self._next() not in ("", "+", "|", ")"):
            if self._next() in ("&", "*"):
                self.words.pop(0)
            factors.append(self._exclusive())
        return lambda v: int(all(factor(v) for factor in factors))

    def _exclusive(self) -> Callable[[_Values], int]:
        operands = [self._operand()]
        while self._next() == "^":
            self.words.pop(0)
            operands.append(self._operand())
        return lambda v: sum(operand(v) for operand in operands) & 1

    def _operand(self) -> Callable[[_Values], int]:
        if not self.words:
            raise ValueError("ends early")
        word = self.words.pop(0)
        if word == "!":
            inner = self._operand()
            return lambda v: 1 - inner(v)
        if word == "(":
            value = self.sum()
            if not self.words or self.words.pop(0) != ")":
                raise ValueError("no )")
        elif word in ("0", "1"):
            value = _constant(int(word))
        elif _NAME.fullmatch(word):
            value = _variable(word)
        else:
            raise ValueError(word)
        while self._next() == "'":
            self.words.pop(0)
            value = _inverse(value)
        return value


def _constant(bit: int) -> Callable[[_Values], int]:
    return lambda _: bit


def _variable(name: str) -> Callable[[_Values], int]:
    return lambda values: values[name]


def _inverse(inner: Callable[[_Values], int]) -> Callable[[_Values], int]:
    return lambda values: 1 - inner(values)
