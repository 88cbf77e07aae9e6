"""``HlsDesign``: processes and the streams between them as plain data, for the HLS templates."""

from __future__ import annotations

from dataclasses import dataclass

from hwaccel.emit.kernels import CircuitCode, Edge, NodeCode
from hwaccel.ops.family import divisors

# The widest ap_int there is.
LARGEST_BITS = 1 << 15


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream between processes; ``depth`` is the number of beats its FIFO holds."""

    name: str
    bits: int
    depth: int


@dataclass(frozen=True, slots=True)
class Port:
    """A tensor at the edge of the design, as an AXI-Stream port and as a plain stream.

    ``number`` counts inputs, then outputs, from 1: the argument of the test bench.
    """

    number: int
    axis: str
    stream: str
    title: str
    element: str
    lanes: int
    channels: int
    pixels: int
    bits: int

    @property
    def axis_bits(self) -> int:
        """Width of TDATA: whole bytes."""
        return -(-self.bits // 8) * 8

    @property
    def size(self) -> int:
        """Elements per frame."""
        return self.channels * self.pixels

    @property
    def beats(self) -> int:
        """Beats per frame."""
        return self.size // self.lanes


@dataclass(frozen=True, slots=True)
class Call:
    """One process: ``hwa::FUNCTION<PARAMETER>(ARGUMENTS);``, or a generated ``FUNCTION``."""

    titles: tuple[str, ...]
    function: str
    parameter: str
    arguments: tuple[str, ...]

    @property
    def callee(self) -> str:
        """The function as it is called."""
        return f"hwa::{self.function}<{self.parameter}>" if self.parameter else self.function


@dataclass(frozen=True, slots=True)
class Link:
    """The stream of an edge: ``lanes`` elements, together ``bits``, per beat."""

    edge: Edge
    lanes: int
    bits: int

    @property
    def stream(self) -> str:
        """The parameter of the process."""
        return f"{self.edge.name}_beats"


@dataclass(frozen=True, slots=True)
class Process:
    """A circuit between its streams."""

    circuit: CircuitCode
    inputs: tuple[Link, ...]
    outputs: tuple[Link, ...]

    @classmethod
    def around(cls, circuit: CircuitCode) -> Process:
        """Choose the beats of ``circuit``: all of an array, where a beat may be that wide."""

        def link(edge: Edge) -> Link:
            width = edge.tensor.fixed.width
            if circuit.geometry and edge in circuit.inputs:
                lanes = edge.channels  # a line buffer takes pixels
            else:
                lanes = max(n for n in divisors(edge.count) if n * width <= LARGEST_BITS)
            return Link(edge, lanes, lanes * width)

        return cls(circuit, tuple(map(link, circuit.inputs)), tuple(map(link, circuit.outputs)))

    @property
    def links(self) -> tuple[Link, ...]:
        """Inputs, then outputs."""
        return (*self.inputs, *self.outputs)


@dataclass(frozen=True, slots=True)
class HlsDesign:
    """All the templates need."""

    name: str
    banner: tuple[str, ...]
    max_bits: int
    period_ns: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    nodes: tuple[NodeCode, ...]
    processes: tuple[Process, ...]
    streams: tuple[Stream, ...]
    calls: tuple[Call, ...]

    @property
    def ports(self) -> tuple[Port, ...]:
        """Inputs, then outputs."""
        return (*self.inputs, *self.outputs)

    @property
    def functions(self) -> tuple[str, ...]:
        """Library functions in use, sorted."""
        return tuple(sorted({call.function for call in self.calls if call.parameter}))

    @property
    def headers(self) -> tuple[str, ...]:
        """Names of the files that hold nodes and processes."""
        return (
            *(node.name for node in self.nodes),
            *(process.circuit.name for process in self.processes),
        )
