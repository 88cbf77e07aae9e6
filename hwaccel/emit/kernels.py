"""What HLS and CUDA share: nodes as calls of library functions with named constants and tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hwaccel import resources
from hwaccel.emit.literals import comment
from hwaccel.emit.names import Namer
from hwaccel.errors import EmitError
from hwaccel.fxp import FixedType, IntArray
from hwaccel.ir import Graph, Node, TensorType, Value
from hwaccel.ir.hardware import Kernel

# What C libraries may define as macros, and the library's own namespace; identifiers made here
# are lower case.
_C_NAMES = ("assert", "errno", "hwa", "linux", "stderr", "stdin", "stdout", "unix")


@dataclass(frozen=True, slots=True)
class Constant:
    """An integer constant in a struct: ``static const CTYPE NAME = VALUE;``."""

    ctype: str
    name: str
    value: int


@dataclass(frozen=True, slots=True)
class Alias:
    """A type in a struct: ``typedef TYPE NAME;``."""

    type: str
    name: str


@dataclass(frozen=True, slots=True)
class Table:
    """An array of constants; ``bits`` hold every element in two's complement."""

    name: str
    bits: int
    values: IntArray

    @property
    def shape(self) -> tuple[int, ...]:
        """Dimensions of the array."""
        return self.values.shape

    @property
    def storage_bits(self) -> int:
        """Width of the smallest C integer that holds every element."""
        return next(bits for bits in (8, 16, 32, 64) if self.bits <= bits)

    @property
    def flat(self) -> list[int]:
        """Elements in C order."""
        return [int(value) for value in self.values.a.ravel()]


@dataclass(frozen=True, slots=True)
class NodeCode:
    """One node as a struct of types and constants, its tables, and the function it calls."""

    name: str
    title: str
    function: str
    aliases: tuple[Alias, ...]
    constants: tuple[Constant, ...]
    tables: tuple[Table, ...]


def code_names(graph: Graph, name: str) -> tuple[str, dict[str, str]]:
    """Return a legal C++ name for the design and for every value of ``graph``.

    The names of values are unique among themselves; every identifier made of one appends a
    suffix, and no two kinds of identifier share one.
    """
    design = Namer(_C_NAMES).name(name, "design")
    namer = Namer((*_C_NAMES, design))
    values = (*graph.inputs, *(node.output for node in graph.nodes))
    return design, {value.name: namer.name(value.name, "v") for value in values}


def integer_constants(values: Mapping[str, int]) -> tuple[Constant, ...]:
    """Return constants of sufficient C type."""
    return tuple(
        Constant("int" if -(1 << 31) < v < 1 << 31 else "long long", k, int(v))
        for k, v in values.items()
    )


def tables(name: str, kernel: Kernel) -> tuple[Table, ...]:
    """Return the arrays of ``kernel``, named after the node ``name``."""
    return tuple(
        Table(f"{name}_{label}", _signed_bits(array), array) for label, array in kernel.arrays
    )


def _signed_bits(array: IntArray) -> int:
    lo, hi = array.range()
    return FixedType.of_range(min(lo, -1), hi, 0).width


def title(node: Node) -> str:
    """Return the comment of a node: name, op, type and PyTorch module."""
    origin = f", from {node.path}" if node.path else ""
    return comment(f"{node.name}: {node.op.name} {node.output.type}{origin}")


def value_title(value: Value) -> str:
    """Return the comment of an input."""
    return comment(f"{value.name}: {value.type}")


def accumulator_bits(node: Node, ins: tuple[TensorType, ...]) -> int:
    """Return the two's complement width that holds every intermediate of the node's op.

    64 bits are enough for any: results have at most 62, and arithmetic modulo 2^64 is exact.
    """
    return min(64, node.op.bound(*ins).bit_length() + 1)


def library(target: str, into: str) -> dict[str, str]:
    """Return the hand-written library of ``target`` (``hls``, ``cuda``) as files under ``into``."""
    folder: Path = resources.templates() / target / "lib"
    return {f"{into}/{path.name}": path.read_text("utf-8") for path in sorted(folder.glob("*.h"))}


def banner_lines(banner: str) -> tuple[str, ...]:
    """Return the lines of the banner without their ``//``, harmless inside any comment."""
    return tuple(comment(line.removeprefix("//").strip()) for line in banner.splitlines())


def source_folder(files: Mapping[str, str] | Path, scratch: Path) -> Path:
    """Return the folder that holds ``files``, writing them under ``scratch`` if they are text."""
    if isinstance(files, Path):
        return files
    for name, text in files.items():
        path = scratch / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return scratch


def one_file(folder: Path, suffix: str) -> Path:
    """Return the absolute path of the only file of ``folder`` whose name ends in ``suffix``.

    Raises:
        EmitError: there is none, or there are several.
    """
    found = sorted(folder.resolve().glob(f"*{suffix}"))
    if len(found) != 1:
        raise EmitError(f"{folder}: expected one file *{suffix}, found {len(found)}; emit it again")
    return found[0]
