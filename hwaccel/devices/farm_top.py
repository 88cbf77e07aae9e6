"""The netlist of a farm: engines, and FIFOs between them and what deals out and takes in."""

from __future__ import annotations

from collections.abc import Sequence

from hwaccel.devices.nets import CLOCK, master, module_name, padded, slave, stream
from hwaccel.emit import literals
from hwaccel.emit.design import axis_ports
from hwaccel.emit.netlist import Edge, Instance, Netlist, Port, Section, Wire

_UNUSED = "Padding to whole bytes carries nothing; frames are counted again where they leave."


def farm_netlist(core: Netlist, count: int, ins: Sequence[int], outs: Sequence[int]) -> Netlist:
    """Return the netlist of ``count`` engines with the netlist ``core``."""
    return _Farming(core, count).netlist(ins, outs)


class _Farming:
    """Builds the netlist section by section."""

    def __init__(self, core: Netlist, count: int) -> None:
        self._core, self._count = core, count
        self._unused: list[str] = []

    def netlist(self, ins: Sequence[int], outs: Sequence[int]) -> Netlist:
        """Return inputs, engines and outputs."""
        core = self._core
        ports = [Port("input", "clk", 1), Port("input", "rst", 1, "synchronous, active high")]
        ports += [p for e in core.inputs for p in axis_ports(e, ("input", "output"))]
        ports += [p for e in core.outputs for p in axis_ports(e, ("output", "input"))]
        ports.append(
            Port("output", "frame_error", 1, "a tlast was missing or misplaced; reset to recover")
        )
        sections = [
            self._input(i, e, d) for i, (e, d) in enumerate(zip(core.inputs, ins, strict=True))
        ]
        sections += [self._engine(number) for number in range(self._count)]
        sections += [
            self._output(i, e, d) for i, (e, d) in enumerate(zip(core.outputs, outs, strict=True))
        ]
        errors = [f"{edge.prefix}_error" for edge in core.inputs]
        errors += [f"e{number}_error" for number in range(self._count)]
        wrong = Section(("frame error",), (), (), (("frame_error", " || ".join(errors)),))
        return Netlist(
            module_name(core, "farm"),
            tuple(ports),
            (*sections, wrong),
            tuple(self._unused),
            {},
            core.inputs,
            core.outputs,
            unused_why=_UNUSED,
        )

    def _input(self, at: int, edge: Edge, depth: int) -> Section:
        """Return what deals out the frames of a stream, and a FIFO for every engine."""
        # Names of models stand in prefixes, and must not meet those of nets.
        prefix, bits, stem = edge.prefix, edge.bits, f"in{at}"
        data, framed = f"{prefix}_tdata", f"{stem}_framed"
        if edge.axis_bits > bits:
            self._unused.append(f"{data}[{edge.axis_bits - 1}:{bits}]")
            data = f"{data}[{bits - 1}:0]"
        sizes = (("DATA_W", str(bits)), ("BEATS", str(edge.beats)))
        wires = [*stream(framed, bits), Wire(f"{prefix}_error", 1), Wire(f"{stem}_dealt", bits)]
        instances = [
            Instance(
                "hwa_frame_in",
                f"u_{prefix}",
                sizes,
                (
                    *CLOCK,
                    *slave(prefix, data),
                    ("s_axis_tlast", f"{prefix}_tlast"),
                    *master(framed, f"{framed}_tdata"),
                    ("frame_error", f"{prefix}_error"),
                ),
            ),
            Instance(
                "hwa_scatter",
                f"u_{stem}_scatter",
                (*sizes, ("OUTPUTS", str(self._count))),
                (
                    *CLOCK,
                    *slave(framed, f"{framed}_tdata"),
                    ("m_axis_tvalid", self._vector(f"{stem}_dealt", "tvalid")),
                    ("m_axis_tready", self._vector(f"{stem}_dealt", "tready")),
                    ("m_axis_tdata", f"{stem}_dealt"),
                ),
            ),
        ]
        assigns: list[tuple[str, str]] = []
        for number in range(self._count):
            dealt, kept, engine = (
                f"{stem}_dealt{number}",
                f"{stem}_kept{number}",
                _engine(number),
            )
            wires += [Wire(f"{dealt}_tvalid", 1), Wire(f"{dealt}_tready", 1)]
            wires += [*stream(kept, bits), Wire(f"{kept}_bits", bits)]
            made, nets = _fifo(kept, bits, depth, dealt, f"{stem}_dealt")
            instances += made
            wires += nets
            instances.append(
                Instance(
                    "hwa_frame_out",
                    f"u_{kept}_frame",
                    sizes,
                    (
                        *CLOCK,
                        *slave(kept, f"{kept}_tdata"),
                        *master(f"{engine}_{prefix}", f"{kept}_bits"),
                        ("m_axis_tlast", f"{engine}_{prefix}_tlast"),
                    ),
                )
            )
            value = padded(f"{kept}_bits", bits, edge.axis_bits)
            assigns.append((f"{engine}_{prefix}_tdata", value))
        title = literals.comment(f"input {edge.value}: a frame for each engine in turn")
        return Section((title,), tuple(wires), tuple(instances), tuple(assigns))

    def _engine(self, number: int) -> Section:
        stem, core = _engine(number), self._core
        wires = [Wire(f"{stem}_error", 1)]
        ports = [*CLOCK]
        for edge in (*core.inputs, *core.outputs):
            name = f"{stem}_{edge.prefix}"
            wires += [*stream(name, edge.axis_bits), Wire(f"{name}_tlast", 1)]
            ports += [
                (f"{edge.prefix}_{s}", f"{name}_{s}")
                for s in ("tvalid", "tready", "tdata", "tlast")
            ]
        ports.append(("frame_error", f"{stem}_error"))
        instance = Instance(core.name, f"u_{stem}", (), tuple(ports))
        return Section((f"engine {number}",), tuple(wires), (instance,))

    def _output(self, at: int, edge: Edge, depth: int) -> Section:
        """Return a FIFO for every engine, and what takes their frames in turn."""
        prefix, bits, stem, count = edge.prefix, edge.bits, f"out{at}", self._count
        sizes = (("DATA_W", str(bits)), ("BEATS", str(edge.beats)))
        gathered, bare = f"{stem}_gathered", f"{prefix}_bits"
        wires = [*stream(gathered, bits), Wire(bare, bits)]
        instances: list[Instance] = []
        for number in range(count):
            name, kept = f"{_engine(number)}_{prefix}", f"{stem}_kept{number}"
            self._unused.append(f"{name}_tlast")
            data = f"{name}_tdata"
            if edge.axis_bits > bits:
                self._unused.append(f"{data}[{edge.axis_bits - 1}:{bits}]")
                data = f"{data}[{bits - 1}:0]"
            wires += stream(kept, bits)
            made, nets = _fifo(kept, bits, depth, name, data)
            instances += made
            wires += nets
        instances += [
            Instance(
                "hwa_gather",
                f"u_{stem}_gather",
                (*sizes, ("INPUTS", str(count))),
                (
                    *CLOCK,
                    *(
                        (f"s_axis_{s}", self._vector(f"{stem}_kept", s))
                        for s in ("tvalid", "tready", "tdata")
                    ),
                    *master(gathered, f"{gathered}_tdata"),
                ),
            ),
            Instance(
                "hwa_frame_out",
                f"u_{prefix}",
                sizes,
                (
                    *CLOCK,
                    *slave(gathered, f"{gathered}_tdata"),
                    *master(prefix, bare),
                    ("m_axis_tlast", f"{prefix}_tlast"),
                ),
            ),
        ]
        title = literals.comment(f"output {edge.value}: a frame from each engine in turn")
        assigns = ((f"{prefix}_tdata", padded(bare, bits, edge.axis_bits)),)
        return Section((title,), tuple(wires), tuple(instances), assigns)

    def _vector(self, stem: str, signal: str) -> str:
        nets = [f"{stem}{number}_{signal}" for number in reversed(range(self._count))]
        return f"{{{', '.join(nets)}}}"


def _engine(number: int) -> str:
    return f"e{number}"


def _fifo(
    out: str, bits: int, depth: int, source: str, data: str
) -> tuple[list[Instance], list[Wire]]:
    """Return a FIFO from the streams ``source`` to ``out``: an issuer and places with credits."""
    credit = (("grant", f"{out}_grant"), ("take", f"{out}_take"))
    issue = (("out_valid", f"{out}_issue_valid"), ("out_data", f"{out}_issue_data"))
    came = (("in_valid", f"{out}_issue_valid"), ("in_data", f"{out}_issue_data"))
    wires = [Wire(f"{out}_{name}", 1) for name in ("grant", "take", "issue_valid")]
    wires.append(Wire(f"{out}_issue_data", bits))
    width = ("DATA_W", str(bits))
    return [
        Instance(
            "hwa_issue", f"u_{out}_issue", (width,), (*CLOCK, *slave(source, data), *credit, *issue)
        ),
        Instance(
            "hwa_fifo",
            f"u_{out}_fifo",
            (width, ("DEPTH", str(depth))),
            (*CLOCK, *credit, *came, *master(out, f"{out}_tdata")),
        ),
    ], wires
