"""What HLS and CUDA share: nodes as calls of library functions, and regions as circuits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from hwaccel import resources
from hwaccel.circuit import Lanes
from hwaccel.emit.circuit_c import DIALECTS, emit_circuit_c
from hwaccel.emit.literals import comment
from hwaccel.emit.names import Namer
from hwaccel.errors import EmitError
from hwaccel.fxp import IntArray
from hwaccel.ir import Graph, Node, TensorType, Value
from hwaccel.ir.hardware import Kernel
from hwaccel.ir.lines import Lines
from hwaccel.schedule.spatial import Spatial

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


@dataclass(frozen=True, slots=True)
class Edge:
    """A tensor at the edge of a circuit: ``count`` elements at a time in an array ``name``.

    The array is in the order in which tensors stream: pixel by pixel, channels innermost.
    """

    name: str
    value: str
    element: str
    count: int
    tensor: TensorType

    @property
    def channels(self) -> int:
        """Elements of a pixel."""
        return self.tensor.channels

    @property
    def pixels(self) -> int:
        """Pixels of the tensor."""
        return self.tensor.size // self.tensor.channels

    @property
    def taken(self) -> int:
        """Pixels at a time."""
        return self.count // self.channels


@dataclass(frozen=True, slots=True)
class CircuitCode:
    """The nodes of a region as one function ``NAME_circuit``, called ``calls`` times per frame.

    ``text`` is the file with that function. With ``geometry`` a window slides over the only
    input; the array holds its taps, the channels of each together.
    """

    region: str
    name: str
    titles: tuple[str, ...]
    calls: int
    inputs: tuple[Edge, ...]
    outputs: tuple[Edge, ...]
    geometry: tuple[Constant, ...]
    text: str

    @property
    def edges(self) -> tuple[Edge, ...]:
        """Inputs, then outputs: the arguments of the function."""
        return (*self.inputs, *self.outputs)


def circuit_codes(
    spatial: Mapping[str, Spatial],
    names: Mapping[str, str],
    types: Mapping[str, TensorType],
    *,
    target: str,
    design: str,
    banner: tuple[str, ...],
) -> dict[str, CircuitCode]:
    """Return the circuit of every region in the C++ of ``target``: the graphs that Verilog prints.

    They stand in the namespace of the nodes of ``design``.
    """
    return {
        name: _circuit_code(item, names, types, target, f"{design}_nodes", banner)
        for name, item in spatial.items()
    }


def _circuit_code(
    spatial: Spatial,
    names: Mapping[str, str],
    types: Mapping[str, TensorType],
    target: str,
    namespace: str,
    banner: tuple[str, ...],
) -> CircuitCode:
    region, unit, lines = spatial.region, spatial.unit, spatial.lines
    name = names[region.name]

    def edges(prefix: str, values: tuple[str, ...], sides: tuple[Lanes, ...]) -> tuple[Edge, ...]:
        element = DIALECTS[target]().element
        return tuple(
            Edge(f"{prefix}{i}", value, element(side), side.count, types[value])
            for i, (value, side) in enumerate(zip(values, sides, strict=True))
        )

    outs = edges("out", region.outputs, unit.outs)
    named = replace(
        unit,
        name=f"{name}_circuit",
        outs=tuple(replace(u, name=e.name) for u, e in zip(unit.outs, outs, strict=True)),
    )
    return CircuitCode(
        region.name,
        name,
        tuple(title(node) for node in region.nodes),
        types[region.outputs[0]].size // outs[0].count,
        edges("in", region.inputs, unit.ins),
        outs,
        _geometry(lines, types[region.inputs[0]]) if lines else (),
        emit_circuit_c(named, target, namespace=namespace, banner=banner),
    )


def _geometry(lines: Lines, x: TensorType) -> tuple[Constant, ...]:
    return integer_constants(
        {
            "channels": x.channels,
            "height": lines.height,
            "width": lines.width,
            "out_height": lines.out_height,
            "out_width": lines.out_width,
            "kernel_height": lines.kernel[0],
            "kernel_width": lines.kernel[1],
            "stride_y": lines.stride[0],
            "stride_x": lines.stride[1],
            "dilation_y": lines.dilation[0],
            "dilation_x": lines.dilation[1],
            "pad_top": lines.padding[0],
            "pad_left": lines.padding[1],
            "pad": lines.pad,
        }
    )


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
    # One more than any format has: a table may hold unsigned numbers of 62 bits.
    lo, hi = array.range()
    return max(hi, -lo - 1).bit_length() + 1


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
