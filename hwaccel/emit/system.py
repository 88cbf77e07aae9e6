"""What stands around a design in a system: registers, gates, and the files that others read.

The wrapper is a netlist like the top itself: AXI4-Lite registers beside the design, a gate in front
of every input and a register behind every output. Nothing in it is logic.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, replace

from hwaccel import resources
from hwaccel.emit import literals, registers
from hwaccel.emit.env import render
from hwaccel.emit.names import MAX_LENGTH, Namer
from hwaccel.emit.netlist import Edge, Instance, Netlist, Port, Section, Wire
from hwaccel.emit.registers import Register

# Signals of AXI4-Lite as the slave sees them: direction, name, width; 0 is that of an address.
_BUS = (
    ("input", "awaddr", 0), ("input", "awprot", 3),
    ("input", "awvalid", 1), ("output", "awready", 1),
    ("input", "wdata", 32), ("input", "wstrb", 4),
    ("input", "wvalid", 1), ("output", "wready", 1),
    ("output", "bresp", 2), ("output", "bvalid", 1), ("input", "bready", 1),
    ("input", "araddr", 0), ("input", "arprot", 3),
    ("input", "arvalid", 1), ("output", "arready", 1),
    ("output", "rdata", 32), ("output", "rresp", 2),
    ("output", "rvalid", 1), ("input", "rready", 1),
)  # fmt: skip
_BUS_INFO = "xilinx.com:interface:aximm:1.0 s_axi"
_STREAM_INFO = "xilinx.com:interface:axis:1.0"
# Width of the columns of the C header.
_COLUMN = 44


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream as software sees it."""

    edge: Edge
    number: int
    offset: int

    @property
    def label(self) -> str:
        """Its name in constants."""
        return self.edge.prefix.upper()


@dataclass(frozen=True, slots=True)
class System:
    """A design with registers: all that the templates of ``system/`` place."""

    core: Netlist
    netlist: Netlist
    hash: str
    address_bits: int
    inputs: tuple[Stream, ...]
    outputs: tuple[Stream, ...]
    sources: tuple[str, ...]
    memories: tuple[str, ...]

    @property
    def label(self) -> str:
        """Name of the design in constants."""
        return self.core.name.upper()

    @property
    def streams(self) -> tuple[Stream, ...]:
        """Inputs, then outputs, in the order of their registers."""
        return (*self.inputs, *self.outputs)

    @property
    def address_range(self) -> int:
        """Bytes of the address space."""
        return 1 << self.address_bits

    @property
    def interfaces(self) -> tuple[str, ...]:
        """The bus interfaces by their prefixes."""
        return ("s_axi", *(stream.edge.prefix for stream in self.streams))

    @property
    def constants(self) -> tuple[str, ...]:
        """One aligned ``NAME value`` per constant of the C header."""
        prefix = self.label
        pairs = [("ID", registers.IDENTITY), ("VERSION", registers.MAP_VERSION)]
        pairs += [("HASH_LO", int(self.hash[8:], 16)), ("HASH_HI", int(self.hash[:8], 16))]
        values = [(f"{prefix}_VALUE_{name}", f"0x{value:08X}u") for name, value in pairs]
        values += [
            (f"{prefix}_REG_{register.name}", f"0x{register.offset:03X}u")
            for register in registers.REGISTERS
        ]
        values += [
            (f"{prefix}_{register.name}_{field.name}", f"0x{field.mask:02X}u")
            for register in registers.REGISTERS
            for field in register.fields
        ]
        for stream in self.streams:
            values += [
                (
                    f"{prefix}_REG_{stream.label}_{register.name}",
                    f"0x{stream.offset + register.offset:03X}u",
                )
                for register in registers.STREAM_REGISTERS
            ]
        return tuple(f"{name:{_COLUMN}} {value}" for name, value in values)

    @property
    def registers(self) -> tuple[Register, ...]:
        """Every register with its offset in the whole map, those of streams named after them."""
        return (
            *registers.REGISTERS,
            *(
                replace(r, offset=s.offset + r.offset, name=f"{s.label}_{r.name}")
                for s in self.streams
                for r in registers.STREAM_REGISTERS
            ),
        )

    def wrapper(self, banner: tuple[str, ...]) -> str:
        """Return the Verilog of the wrapper."""
        return render("verilog/top.v.j2", net=self.netlist, lines=banner)

    def files(self, banner: tuple[str, ...]) -> dict[str, str]:
        """Return the wrapper and its library under ``rtl/``, the rest under ``system/``."""
        name = self.core.name
        library = {
            f"rtl/{module}.v": resources.rtl_file(module).read_text(encoding="ascii")
            for module in self.netlist.modules()
        }
        templates = {
            "package_ip.tcl": "package_ip.tcl",
            "block_design.tcl": "block_design.tcl",
            f"{name}_regs.h": "regs.h",
            f"{name}_driver.h": "driver.h",
            f"{name}_litex.py": "litex.py",
        }
        texts = {
            f"system/{file}": render(f"system/{template}.j2", system=self, lines=banner)
            for file, template in templates.items()
        }
        return {f"rtl/{self.netlist.name}.v": self.wrapper(banner), **library, **texts}


def build_system(core: Netlist, design_hash: str) -> System:
    """Return ``core`` behind registers; ``design_hash`` has 16 hex digits."""
    edges = (*core.inputs, *core.outputs)
    streams = [Stream(e, i, registers.stream_offset(i)) for i, e in enumerate(edges)]
    # The top may hold a circuit that is called as the wrapper would be.
    taken = Namer({core.name, *(unit.name for unit in core.units)})
    name = taken.name(f"{core.name[: MAX_LENGTH - 4]}_axi")
    netlist = _Wrapper(core, name, design_hash, registers.address_bits(len(edges))).netlist()
    modules = {*core.modules(), *netlist.modules(), *(unit.name for unit in core.units)}
    return System(
        core,
        netlist,
        design_hash,
        registers.address_bits(len(edges)),
        tuple(streams[: len(core.inputs)]),
        tuple(streams[len(core.inputs) :]),
        tuple(f"{module}.v" for module in sorted({*modules, core.name, name})),
        tuple(sorted(core.memories)),
    )


@dataclass(frozen=True, slots=True)
class _Wrapper:
    """Writes down the wrapper; nets inside are ``inN_*`` and ``outN_*``, which no port is."""

    core: Netlist
    name: str
    hash: str
    address_bits: int

    def netlist(self) -> Netlist:
        """Return ports and sections, in the order in which signals flow."""
        core = self.core
        inputs = [(f"in{i}", edge) for i, edge in enumerate(core.inputs)]
        outputs = [(f"out{i}", edge) for i, edge in enumerate(core.outputs)]
        names = ("rst", "enable", "restart", "resync", "called", "opened", "frame_error")
        wires = tuple(Wire(name, 1) for name in names)
        sections = [Section(("from and to the registers",), wires, (), (("rst", "!aresetn"),))]
        sections += [self._gate(net, edge) for net, edge in inputs]
        sections.append(self._core(inputs, outputs))
        sections += [self._seal(net, edge) for net, edge in outputs]
        sections.append(self._registers(inputs, outputs))
        return Netlist(self.name, self._ports(), tuple(sections), (), {}, core.inputs, core.outputs)

    # --- ports ---------------------------------------------------------------------------------

    def _ports(self) -> tuple[Port, ...]:
        edges = (*self.core.inputs, *self.core.outputs)
        buses = ":".join(("s_axi", *(edge.prefix for edge in edges)))
        clock = ("xilinx.com:signal:clock:1.0 aclk CLK", f"ASSOCIATED_BUSIF {buses}")
        reset = ("xilinx.com:signal:reset:1.0 aresetn RST", "POLARITY ACTIVE_LOW")
        irq = ("xilinx.com:signal:interrupt:1.0 irq INTERRUPT", "SENSITIVITY LEVEL_HIGH")
        ports = [
            Port("input", "aclk", 1, "", _info(clock[0], f"{clock[1]}, ASSOCIATED_RESET aresetn")),
            Port("input", "aresetn", 1, "active low, synchronous to aclk", _info(*reset)),
        ]
        for direction, signal, width in _BUS:
            comment = "AXI4-Lite: the registers" if signal == "awaddr" else ""
            info = _info(f"{_BUS_INFO} {signal.upper()}", _BUS_PARAMETER if comment else "")
            ports.append(
                Port(direction, f"s_axi_{signal}", width or self.address_bits, comment, info)
            )
        for edge in edges:
            ports += [_stream_port(p, edge) for p in self.core.ports if _is_of(p, edge)]
        ports.append(Port("output", "irq", 1, "high while an enabled event pends", _info(*irq)))
        return tuple(ports)

    # --- sections ------------------------------------------------------------------------------

    def _registers(self, inputs: _Nets, outputs: _Nets) -> Section:
        streams = [edge for _, edge in (*inputs, *outputs)]
        every = [net for net, _ in (*inputs, *outputs)]
        ins = [net for net, _ in inputs]
        ports = [("clk", "aclk"), ("rst", "rst")]
        ports += [(f"s_axi_{signal}", f"s_axi_{signal}") for _, signal, _ in _BUS]
        ports += [(signal, signal) for signal in ("irq", "enable", "restart", "resync")]
        ports += [("frame_error", "frame_error"), ("opened", "opened")]
        ports += [(s, _concat([f"{net}_{s}" for net in ins])) for s in ("begun", "skipping")]
        ports.append(("finish", _concat([f"{net}_finish" for net in every])))
        for signal in ("tvalid", "tready"):
            ports.append((signal, _concat([f"{edge.prefix}_{signal}" for edge in streams])))
        params = (
            ("ADDR_W", str(self.address_bits)),
            ("INPUTS", str(len(inputs))),
            ("OUTPUTS", str(len(outputs))),
            ("HASH", f"64'h{self.hash}"),
            ("BEATS", _concat([f"32'd{edge.beats}" for edge in streams])),
            ("BITS", _concat([f"32'd{edge.axis_bits}" for edge in streams])),
        )
        instance = Instance("hwa_regs", "u_regs", params, tuple(ports))
        some = [(s, " || ".join(f"{net}_{t}" for net in ins)) for s, t in _SHARED]
        return Section(("registers",), (), (instance,), tuple(some))

    def _gate(self, net: str, edge: Edge) -> Section:
        signals = ("begun", "calls", "opens", "finish", "skipping")
        instance = Instance(
            "hwa_gate",
            f"u_{net}",
            (("BEATS", str(edge.beats)), ("SHARED", str(int(len(self.core.inputs) > 1)))),
            (
                ("clk", "aclk"),
                ("rst", "rst"),
                *((s, s) for s in ("restart", "resync", "enable", "called", "opened")),
                *((s, f"{net}_{s}") for s in signals),
                *((f"s_axis_{s}", f"{edge.prefix}_{s}") for s in ("tvalid", "tready", "tlast")),
                *((f"m_axis_{s}", f"{net}_{s}") for s in ("tvalid", "tready")),
            ),
        )
        wires = tuple(Wire(f"{net}_{s}", 1) for s in (*signals, "tvalid", "tready"))
        return Section((f"input {literals.comment(edge.value)}: whole frames",), wires, (instance,))

    def _core(self, inputs: _Nets, outputs: _Nets) -> Section:
        ports = [("clk", "aclk"), ("rst", "restart")]
        for net, edge in inputs:
            ports += [(f"{edge.prefix}_{s}", f"{net}_{s}") for s in ("tvalid", "tready")]
            ports += [(f"{edge.prefix}_{s}", f"{edge.prefix}_{s}") for s in ("tdata", "tlast")]
        wires = []
        for net, edge in outputs:
            signals = (("tvalid", 1), ("tready", 1), ("tdata", edge.axis_bits), ("tlast", 1))
            ports += [(f"{edge.prefix}_{s}", f"{net}_{s}") for s, _ in signals]
            wires += [Wire(f"{net}_{s}", width) for s, width in signals]
        ports.append(("frame_error", "frame_error"))
        instance = Instance(self.core.name, "u_core", (), tuple(ports))
        return Section((f"the design, {self.hash}",), tuple(wires), (instance,))

    def _seal(self, net: str, edge: Edge) -> Section:
        signals = ("tvalid", "tready", "tdata", "tlast")
        instance = Instance(
            "hwa_seal",
            f"u_{net}",
            (("DATA_W", str(edge.axis_bits)), ("BEATS", str(edge.beats))),
            (
                ("clk", "aclk"),
                ("rst", "rst"),
                ("restart", "restart"),
                ("finish", f"{net}_finish"),
                *((f"s_axis_{s}", f"{net}_{s}") for s in signals),
                *((f"m_axis_{s}", f"{edge.prefix}_{s}") for s in signals),
            ),
        )
        title = f"output {literals.comment(edge.value)}: whole frames"
        return Section((title,), (Wire(f"{net}_finish", 1),), (instance,))


# What one input says and all hear.
_SHARED = (("called", "calls"), ("opened", "opens"))
_Nets = Sequence[tuple[str, Edge]]
_BUS_PARAMETER = "PROTOCOL AXI4LITE, DATA_WIDTH 32"


def _info(what: str, parameter: str = "") -> tuple[tuple[str, str], ...]:
    """Return the attributes from which Vivado's IP packager learns what a port belongs to."""
    info = (("X_INTERFACE_INFO", what),)
    return (*info, ("X_INTERFACE_PARAMETER", parameter)) if parameter else info


def _is_of(port: Port, edge: Edge) -> bool:
    return port.name in {f"{edge.prefix}_{s}" for s in ("tvalid", "tready", "tdata", "tlast")}


def _stream_port(port: Port, edge: Edge) -> Port:
    signal = port.name.removeprefix(f"{edge.prefix}_").upper()
    return replace(port, attributes=_info(f"{_STREAM_INFO} {edge.prefix} {signal}"))


def _concat(parts: Sequence[str]) -> str:
    """Return a vector of ``parts``, the first in the low bits, on lines that are not too long."""
    if len(parts) == 1:
        return parts[0]
    lines = textwrap.wrap(", ".join(reversed(parts)), 70)
    return "{" + ("\n" + " " * 12).join(lines) + "}"
