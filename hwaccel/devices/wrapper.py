"""The netlist of one device: its design, and the ends of the links that begin and end there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hwaccel.devices.nets import CLOCK, master, module_name, padded, slave, stream
from hwaccel.devices.ways import Way
from hwaccel.emit import literals
from hwaccel.emit.netlist import Instance, Netlist, Port, Section, Wire
from hwaccel.schedule.blocks import Block, Pack, Unpack
from hwaccel.schedule.channels import Channel

UNUSED = (
    "Padding to whole bytes and words carries nothing; frames are counted at both ends of a link."
)


@dataclass(frozen=True, slots=True)
class Device:
    """A wrapped design: ``inputs`` and ``outputs`` are its edges that are not links."""

    netlist: Netlist
    sends: tuple[Way, ...]
    receives: tuple[Way, ...]


def wrap(core: Netlist, number: int, ways: Sequence[Way]) -> Device:
    """Return device ``number``, whose design has the netlist ``core``."""
    sends = tuple(way for way in ways if way.join.source == number)
    receives = tuple(way for way in ways if way.join.target == number)
    return Device(_Wrapping(core, sends, receives).netlist(), sends, receives)


def channel_params(channel: Channel, word_bits: int) -> tuple[tuple[str, str], ...]:
    """Return the parameters of both ends of a link."""
    return (("DATA_W", str(word_bits)), ("CREDITS", str(channel.credits)))


def link_ports(way: Way, end: str) -> tuple[Port, ...]:
    """Return the ports of one end of a link: ``tx`` or ``rx``."""
    forward, back = ("output", "input") if end == "tx" else ("input", "output")
    stem, channel = f"link{way.number}_{end}", way.channel
    said = "sends" if end == "tx" else "receives"
    text = f"link {way.number} {said} {way.join.value}, {channel.beats} words a frame"
    return (
        Port(forward, f"{stem}_valid", 1, literals.comment(text, 80)),
        Port(forward, f"{stem}_data", way.word_bits),
        Port(back, f"{stem}_credit", 1),
    )


class _Wrapping:
    """Builds the netlist section by section."""

    def __init__(self, core: Netlist, sends: Sequence[Way], receives: Sequence[Way]) -> None:
        self._core, self._sends, self._receives = core, sends, receives
        self._unused: list[str] = []
        self._linked = {core.outputs[way.join.output].prefix for way in sends}
        self._linked |= {core.inputs[way.join.input].prefix for way in receives}

    def netlist(self) -> Netlist:
        """Return the netlist of the device."""
        core = self._core
        inputs = tuple(edge for edge in core.inputs if edge.prefix not in self._linked)
        outputs = tuple(edge for edge in core.outputs if edge.prefix not in self._linked)
        kept = [p for p in core.ports if not any(self._of(p.name, s) for s in self._linked)]
        ports = [port for port in kept if port.name != "frame_error"]
        ports += [port for way in self._sends for port in link_ports(way, "tx")]
        ports += [port for way in self._receives for port in link_ports(way, "rx")]
        ports += [port for port in kept if port.name == "frame_error"]
        sections = [self._receiver(way) for way in self._receives]
        sections.append(self._design())
        sections += [self._sender(way) for way in self._sends]
        return Netlist(
            module_name(core, "linked"),
            tuple(ports),
            tuple(sections),
            tuple(self._unused),
            {},
            inputs,
            outputs,
            unused_why=UNUSED,
        )

    @staticmethod
    def _of(port: str, prefix: str) -> bool:
        return port in {f"{prefix}_{s}" for s in ("tvalid", "tready", "tdata", "tlast")}

    def _design(self) -> Section:
        wires = []
        for edge in (*self._core.inputs, *self._core.outputs):
            if edge.prefix in self._linked:
                names = ("tvalid", 1), ("tready", 1), ("tdata", edge.axis_bits), ("tlast", 1)
                wires += [Wire(f"{edge.prefix}_{name}", width) for name, width in names]
        ports = tuple((port.name, port.name) for port in self._core.ports)
        instance = Instance(self._core.name, "u_design", (), ports)
        return Section(("the design",), tuple(wires), (instance,))

    def _sender(self, way: Way) -> Section:
        """Return what takes a stream of the design and puts it on its link."""
        edge = self._core.outputs[way.join.output]
        stem = f"link{way.number}"
        wires: list[Wire] = []
        assigns: list[tuple[str, str]] = []
        self._unused.append(f"{edge.prefix}_tlast")
        if edge.axis_bits > edge.bits:
            self._unused.append(f"{edge.prefix}_tdata[{edge.axis_bits - 1}:{edge.bits}]")
        nets, data = edge.prefix, _bits(f"{edge.prefix}_tdata", edge.bits, edge.axis_bits)
        instances = []
        for block in way.before:
            assert isinstance(block, Unpack)
            whole = block.ratio * way.word_bits
            out = f"{stem}_words"
            wires += [Wire(f"{out}_whole", whole), *stream(out, way.word_bits)]
            assigns.append((f"{out}_whole", padded(data, edge.bits, whole)))
            instances.append(_adapter(block, way.word_bits, nets, f"{out}_whole", out))
            nets, data = out, f"{out}_tdata"
        instances.append(
            Instance(
                "hwa_link_tx",
                f"u_{stem}_tx",
                channel_params(way.channel, way.word_bits),
                (*CLOCK, *slave(nets, data), *_link(f"{stem}_tx")),
            )
        )
        title = literals.comment(f"link {way.number}: {way.join.value} leaves")
        return Section((title,), tuple(wires), tuple(instances), tuple(assigns))

    def _receiver(self, way: Way) -> Section:
        """Return what takes words from a link and makes the stream that the design reads."""
        edge = self._core.inputs[way.join.input]
        stem = f"link{way.number}"
        nets = f"{stem}_came"
        wires = [*stream(nets, way.word_bits)]
        assigns: list[tuple[str, str]] = []
        instances = [
            Instance(
                "hwa_link_rx",
                f"u_{stem}_rx",
                channel_params(way.channel, way.word_bits),
                (*CLOCK, *_link(f"{stem}_rx"), *master(nets, f"{nets}_tdata")),
            )
        ]
        data = f"{nets}_tdata"
        for at, block in enumerate(way.behind):
            have, want = (way.streams[name] for name in (block.inputs[0], block.outputs[0]))
            packed = want.bits
            if at == 0 and way.before:  # words put together, with the padding of the last one
                assert isinstance(block, Pack)
                packed = block.ratio * have.bits
            out = f"{stem}_step{at}"
            wires += stream(out, packed)
            instances.append(_adapter(block, min(have.bits, packed), nets, data, out))
            nets, data = out, _bits(f"{out}_tdata", want.bits, packed)
            if packed > want.bits:
                self._unused.append(f"{out}_tdata[{packed - 1}:{want.bits}]")
        bare = f"{edge.prefix}_bits"
        wires.append(Wire(bare, edge.bits))
        assigns.append((f"{edge.prefix}_tdata", padded(bare, edge.bits, edge.axis_bits)))
        instances.append(
            Instance(
                "hwa_frame_out",
                f"u_{stem}_frame",
                (("DATA_W", str(edge.bits)), ("BEATS", str(edge.beats))),
                (
                    *CLOCK,
                    *slave(nets, data),
                    *master(edge.prefix, bare),
                    ("m_axis_tlast", f"{edge.prefix}_tlast"),
                ),
            )
        )
        title = literals.comment(f"link {way.number}: {way.join.value} comes in")
        return Section((title,), tuple(wires), tuple(instances), tuple(assigns))


def _bits(net: str, bits: int, width: int) -> str:
    """Return the low ``bits`` of a net that has ``width``."""
    return net if bits == width else f"{net}[{bits - 1}:0]"


def _link(stem: str) -> tuple[tuple[str, str], ...]:
    return tuple((f"link_{name}", f"{stem}_{name}") for name in ("valid", "data", "credit"))


def _adapter(block: Block, bits: int, nets: str, data: str, out: str) -> Instance:
    """Return the instance of a block that joins or splits beats; ``bits`` is the narrow side."""
    assert isinstance(block, Pack | Unpack)
    module = "hwa_pack" if isinstance(block, Pack) else "hwa_unpack"
    params = (("DATA_W", str(bits)), ("RATIO", str(block.ratio)))
    ports = (*CLOCK, *slave(nets, data), *master(out, f"{out}_tdata"))
    return Instance(module, f"u_{out}", params, ports)
