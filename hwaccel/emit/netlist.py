"""``Netlist``: instances, wires and parameters as plain data, ready for a dumb template."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from hwaccel import resources
from hwaccel.circuit import Unit
from hwaccel.ir import TensorType
from hwaccel.schedule.blocks import Block
from hwaccel.schedule.plan import Plan


@dataclass(frozen=True, slots=True)
class Port:
    """A port of the top module."""

    direction: str
    name: str
    width: int
    comment: str = ""
    attributes: tuple[tuple[str, str], ...] = ()

    @property
    def attribute_lines(self) -> tuple[str, ...]:
        """One Verilog attribute per line."""
        return tuple(f'(* {key} = "{value}" *)' for key, value in self.attributes)


@dataclass(frozen=True, slots=True)
class Wire:
    """A wire of the top module."""

    name: str
    width: int

    @property
    def declaration(self) -> str:
        """The Verilog declaration."""
        return (
            f"wire {_range(self.width):9}{self.name};"
            if self.width > 1
            else (f"wire          {self.name};")
        )


@dataclass(frozen=True, slots=True)
class Instance:
    """A library module with its parameters and connections, all by name."""

    module: str
    name: str
    params: tuple[tuple[str, str], ...]
    ports: tuple[tuple[str, str], ...]

    @property
    def param_lines(self) -> tuple[str, ...]:
        """One aligned ``.NAME(value)`` per parameter."""
        return _named(self.params)

    @property
    def port_lines(self) -> tuple[str, ...]:
        """One aligned ``.name(net)`` per port."""
        return _named(self.ports)


def _range(width: int) -> str:
    return f"[{width - 1}:0]"


def _named(pairs: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    longest = max((len(key) for key, _ in pairs), default=0)
    last = len(pairs) - 1
    return tuple(
        f".{key:{longest}} ({value}){',' if i < last else ''}"
        for i, (key, value) in enumerate(pairs)
    )


@dataclass(frozen=True, slots=True)
class Section:
    """The wires and instances of one block."""

    title: tuple[str, ...]
    wires: tuple[Wire, ...]
    instances: tuple[Instance, ...]
    assigns: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Edge:
    """A stream of the top module: where it attaches and how to read it."""

    value: str
    prefix: str
    lanes: int
    beats: int
    bits: int
    type: TensorType

    @property
    def words(self) -> int:
        """Number of 32-bit words that hold tdata."""
        return -(-self.axis_bits // 32)

    @property
    def axis_bits(self) -> int:
        """Width of tdata: the beat in whole bytes."""
        return byte_bits(self.bits)


@dataclass(frozen=True, slots=True)
class Netlist:
    """Everything the Verilog template needs, and the memory files beside it.

    ``nets`` says how the wires of each stream of the plan begin.
    """

    name: str
    ports: tuple[Port, ...]
    sections: tuple[Section, ...]
    unused: tuple[str, ...]
    memories: Mapping[str, Sequence[str]]
    inputs: tuple[Edge, ...]
    outputs: tuple[Edge, ...]
    units: tuple[Unit, ...] = ()
    unused_why: str = "Padding of the input streams to whole bytes carries nothing."
    nets: Mapping[str, str] = field(default_factory=dict)

    @property
    def port_lines(self) -> tuple[str, ...]:
        """One aligned declaration per port, its comment and attributes on lines above."""
        last = len(self.ports) - 1
        lines = []
        for i, port in enumerate(self.ports):
            bits = _range(port.width) if port.width > 1 else ""
            if port.comment:
                lines.append(f"// {port.comment}")
            lines += port.attribute_lines
            lines.append(f"{port.direction:6} wire {bits:9}{port.name}{',' if i < last else ''}")
        return tuple(lines)

    def modules(self) -> tuple[str, ...]:
        """Return the library modules needed, instantiated ones and those they use."""
        used = {i.module for section in self.sections for i in section.instances}
        used |= {module for unit in self.units for module in unit.modules}
        # No module that is made here has a name like those of the library.
        return library_closure(module for module in used if module.startswith("hwa_"))


def sections_of(netlist: Netlist, plan: Plan) -> Iterator[tuple[Block, Section]]:
    """Yield every block of the plan that ``netlist`` was made of, with its section."""
    yield from zip(plan.blocks, netlist.sections[len(plan.inputs) :], strict=False)


def library_closure(modules: Iterable[str]) -> tuple[str, ...]:
    """Return ``modules`` and every library module they mention, sorted."""
    found: set[str] = set()
    pending = list(modules)
    while pending:
        module = pending.pop()
        if module in found:
            continue
        found.add(module)
        text = resources.rtl_file(module).read_text(encoding="ascii")
        code = re.sub(r"//[^\n]*|`ifdef HWA_FORMAL.*?`endif", "", text, flags=re.DOTALL)
        pending += re.findall(r"^\s*(hwa_\w+)\s*(?:#\(|\w+\s*\()", code, re.MULTILINE)
    return tuple(sorted(found))


def byte_bits(bits: int) -> int:
    """Round a width up to whole bytes."""
    return -(-bits // 8) * 8
