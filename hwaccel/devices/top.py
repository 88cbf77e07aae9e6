"""The netlist of a system: its devices, and what lies between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hwaccel.devices.nets import CLOCK
from hwaccel.devices.parts import Parts
from hwaccel.devices.ways import Way
from hwaccel.devices.wrapper import Device
from hwaccel.emit import literals
from hwaccel.emit.design import axis_ports
from hwaccel.emit.names import Namer
from hwaccel.emit.netlist import Edge, Instance, Netlist, Port, Section, Wire

Placed = tuple[int, Edge]


def system_netlist(
    name: str,
    devices: Sequence[Device],
    cores: Sequence[Netlist],
    parts: Parts,
    ways: Sequence[Way],
) -> Netlist:
    """Return the netlist ``name``: all devices, and a wire for every link."""
    namer = Namer({"clk", "rst", "unused", "frame_error", "s_axis", "m_axis"})
    ins = [(at, cores[at].inputs[port]) for at, port in parts.inputs]
    outs = [(at, cores[at].outputs[port]) for at, port in parts.outputs]
    named_ins, named_outs = _named(ins, "s_axis", namer), _named(outs, "m_axis", namer)
    ports = [Port("input", "clk", 1), Port("input", "rst", 1, "synchronous, active high")]
    ports += [port for edge in named_ins for port in axis_ports(edge, ("input", "output"))]
    ports += [port for edge in named_outs for port in axis_ports(edge, ("output", "input"))]
    ports.append(
        Port("output", "frame_error", 1, "a tlast was missing or misplaced; reset to recover")
    )
    names = {
        (at, old.prefix): new.prefix
        for placed, edges in ((ins, named_ins), (outs, named_outs))
        for (at, old), new in zip(placed, edges, strict=True)
    }
    sections = [_device(n, device, names) for n, device in enumerate(devices)]
    sections += [_wire(way) for way in ways]
    errors = " || ".join(f"d{n}_error" for n in range(len(devices)))
    sections.append(Section(("frame error",), (), (), (("frame_error", errors),)))
    return Netlist(name, tuple(ports), tuple(sections), (), {}, tuple(named_ins), tuple(named_outs))


def _named(placed: Sequence[Placed], prefix: str, namer: Namer) -> list[Edge]:
    if len(placed) == 1:
        return [replace(placed[0][1], prefix=prefix)]
    return [replace(e, prefix=namer.name(f"{prefix}_{e.value}")) for _, e in placed]


def _device(number: int, device: Device, names: dict[tuple[int, str], str]) -> Section:
    """Return the instance of a device; links have wires of their own on each side."""
    net = device.netlist
    wires = [Wire(f"d{number}_error", 1)]
    ports = [*CLOCK]
    for edge in (*net.inputs, *net.outputs):
        outer = names[number, edge.prefix]
        ports += [
            (f"{edge.prefix}_{s}", f"{outer}_{s}") for s in ("tvalid", "tready", "tdata", "tlast")
        ]
    for ways, end in ((device.sends, "tx"), (device.receives, "rx")):
        for way in ways:
            stem = f"link{way.number}_{end}"
            wires += [
                Wire(f"{stem}_valid", 1),
                Wire(f"{stem}_data", way.word_bits),
                Wire(f"{stem}_credit", 1),
            ]
            ports += [(f"{stem}_{s}", f"{stem}_{s}") for s in ("valid", "data", "credit")]
    ports.append(("frame_error", f"d{number}_error"))
    instance = Instance(net.name, f"u_d{number}", (), tuple(ports))
    return Section((f"device {number}",), tuple(wires), (instance,))


def _wire(way: Way) -> Section:
    stem, join = f"link{way.number}", way.join
    ports = (
        *CLOCK,
        *((f"in_{s}", f"{stem}_tx_{s}") for s in ("valid", "data", "credit")),
        *((f"out_{s}", f"{stem}_rx_{s}") for s in ("valid", "data", "credit")),
    )
    params = (("DATA_W", str(way.word_bits)), ("LATENCY", str(way.channel.wire)))
    instance = Instance("hwa_link_wire", f"u_{stem}", params, ports)
    text = f"link {way.number}: {join.value}, from device {join.source} to {join.target}"
    return Section((literals.comment(text),), (), (instance,))
