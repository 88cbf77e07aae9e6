"""Turn a plan into a netlist: name every stream once, then block after block."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hwaccel.circuit import Unit
from hwaccel.emit import literals
from hwaccel.emit.names import Namer, identifier
from hwaccel.emit.netlist import Edge, Instance, Netlist, Port, Section, Wire
from hwaccel.emit.windows import list_lines, window_params
from hwaccel.ir.hardware import Fold, Pipe, Rom, Style
from hwaccel.ir.lines import Lines
from hwaccel.schedule.blocks import Block, Fork, Pack, Reorder, Segment, Unpack
from hwaccel.schedule.plan import Plan

_CLOCK = (("clk", "clk"), ("rst", "rst"))


def build_netlist(plan: Plan) -> Netlist:
    """Return the netlist of ``plan``."""
    return _Builder(plan).netlist()


class _Builder:
    """Carries the names in use while the blocks are walked once."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._graph = plan.graph
        self._types = plan.graph.types()
        self._name = identifier(plan.graph.name, "design")
        self._namer = Namer({"clk", "rst", "unused", "frame_error", "s_axis", "m_axis", self._name})
        self._nets = {name: self._namer.name(_net(name), "s") for name in plan.streams}
        # The copies of a fork share one data net.
        self._data = {name: f"{net}_tdata" for name, net in self._nets.items()}
        self._memories: dict[str, Sequence[str]] = {}
        self._units: list[Unit] = []

    def netlist(self) -> Netlist:
        """Walk inputs, blocks and outputs."""
        plan, graph = self._plan, self._graph
        ins = [
            self._edge(s, v.name, "s_axis", len(plan.inputs))
            for s, v in zip(plan.inputs, graph.inputs, strict=True)
        ]
        outs = [
            self._edge(s, v, "m_axis", len(plan.outputs))
            for s, v in zip(plan.outputs, graph.outputs, strict=True)
        ]
        ports = [Port("input", "clk", 1), Port("input", "rst", 1, "synchronous, active high")]
        ports += [port for edge in ins for port in axis_ports(edge, ("input", "output"))]
        ports += [port for edge in outs for port in axis_ports(edge, ("output", "input"))]
        ports.append(
            Port("output", "frame_error", 1, "a tlast was missing or misplaced; reset to recover")
        )
        sections = [self._input(e, s) for e, s in zip(ins, plan.inputs, strict=True)]
        sections += [self._block(block) for block in plan.blocks]
        sections += [self._output(e, s) for e, s in zip(outs, plan.outputs, strict=True)]
        errors = " || ".join(f"{edge.prefix}_error" for edge in ins)
        sections.append(Section(("frame error",), (), (), (("frame_error", errors),)))
        unused = tuple(
            f"{e.prefix}_tdata[{e.axis_bits - 1}:{e.bits}]" for e in ins if e.axis_bits > e.bits
        )
        return Netlist(
            self._name,
            tuple(ports),
            tuple(sections),
            unused,
            self._memories,
            tuple(ins),
            tuple(outs),
            tuple(self._units),
            nets=self._nets,
        )

    # --- edges ---------------------------------------------------------------------------------

    def _edge(self, stream: str, value: str, prefix: str, count: int) -> Edge:
        full = prefix if count == 1 else self._namer.name(f"{prefix}_{value}")
        info = self._plan.streams[stream]
        return Edge(value, full, info.lanes, info.beats, info.bits, self._types[value])

    def _input(self, edge: Edge, stream: str) -> Section:
        data = f"{edge.prefix}_tdata"
        if edge.axis_bits > edge.bits:
            data += f"[{edge.bits - 1}:0]"
        instance = Instance(
            "hwa_frame_in",
            f"u_{edge.prefix}",
            (("DATA_W", str(edge.bits)), ("BEATS", str(edge.beats))),
            (
                *_CLOCK,
                ("s_axis_tvalid", f"{edge.prefix}_tvalid"),
                ("s_axis_tready", f"{edge.prefix}_tready"),
                ("s_axis_tdata", data),
                ("s_axis_tlast", f"{edge.prefix}_tlast"),
                *self._ports("m_axis", stream),
                ("frame_error", f"{edge.prefix}_error"),
            ),
        )
        wires = (*self._wires(stream), Wire(f"{edge.prefix}_error", 1))
        return Section((f"input {literals.comment(edge.value)}",), wires, (instance,))

    def _output(self, edge: Edge, stream: str) -> Section:
        bare = f"{edge.prefix}_bits"
        pad = edge.axis_bits - edge.bits
        value = f"{{{pad}'d0, {bare}}}" if pad else bare
        instance = Instance(
            "hwa_frame_out",
            f"u_{edge.prefix}",
            (("DATA_W", str(edge.bits)), ("BEATS", str(edge.beats))),
            (
                *_CLOCK,
                *self._ports("s_axis", stream),
                ("m_axis_tvalid", f"{edge.prefix}_tvalid"),
                ("m_axis_tready", f"{edge.prefix}_tready"),
                ("m_axis_tdata", bare),
                ("m_axis_tlast", f"{edge.prefix}_tlast"),
            ),
        )
        return Section(
            (f"output {literals.comment(edge.value)}",),
            (Wire(bare, edge.bits),),
            (instance,),
            ((f"{edge.prefix}_tdata", value),),
        )

    # --- blocks --------------------------------------------------------------------------------

    def _block(self, block: Block) -> Section:
        if isinstance(block, Segment):
            return self._segment(block)
        if isinstance(block, Fork):
            return self._fork(block)
        name = self._namer.name(f"u_{block.name}")
        bits = [self._plan.streams[s].bits for s in (*block.inputs, *block.outputs)]
        params: list[tuple[str, str]] = [("DATA_W", str(min(bits)))]
        if isinstance(block, Reorder):
            module = "hwa_reorder"
            order = block.order
            lines = literals.order_lines(order)
            info = self._plan.streams[block.inputs[0]]
            params += [("LANES", str(info.lanes)), ("LENGTH", str(order.length))]
            params.append(("OUT_LENGTH", str(len(lines))))
            if -1 in order.beats:
                pad = order.fill & ((1 << info.width) - 1)
                params += [("FILL", "1"), ("PAD", literals.verilog_parameter("PAD", pad))]
            params.append(("ORDER", self._memory(name, "order", lines)))
            title = f"{block.name}: elements change their order"
        else:
            assert isinstance(block, Pack | Unpack)
            module = "hwa_pack" if isinstance(block, Pack) else "hwa_unpack"
            params.append(("RATIO", str(block.ratio)))
            verb = "join" if isinstance(block, Pack) else "split"
            title = f"{block.outputs[0]}: {verb} beats, {block.ratio} to one"
        ports = (
            *_CLOCK,
            *self._ports("s_axis", block.inputs[0]),
            *self._ports("m_axis", block.outputs[0]),
        )
        instance = Instance(module, name, tuple(params), ports)
        return Section((literals.comment(title),), self._wires(block.outputs[0]), (instance,))

    def _fork(self, block: Fork) -> Section:
        source = self._plan.streams[block.inputs[0]]
        nets = [self._nets[o] for o in block.outputs]
        vectors = {
            s: "{" + ", ".join(f"{net}_{s}" for net in reversed(nets)) + "}"
            for s in ("tvalid", "tready")
        }
        data = self._namer.name(f"{block.name}_tdata")
        ports = (
            *_CLOCK,
            *self._ports("s_axis", block.inputs[0]),
            ("m_axis_tvalid", vectors["tvalid"]),
            ("m_axis_tready", vectors["tready"]),
            ("m_axis_tdata", data),
        )
        params = (("DATA_W", str(source.bits)), ("OUTPUTS", str(len(nets))))
        instance = Instance("hwa_fork", self._namer.name(f"u_{block.name}"), params, ports)
        for i, output in enumerate(block.outputs):
            self._data[output] = data
            if block.parts:
                low = block.parts[i]
                self._data[output] += f"[{low + self._plan.streams[output].bits - 1}:{low}]"
        wires = [Wire(f"{net}_{s}", 1) for net in nets for s in ("tvalid", "tready")]
        title = f"{source.value}: read by {len(nets)}"
        return Section((literals.comment(title),), (*wires, Wire(data, source.bits)), (instance,))

    def _segment(self, segment: Segment) -> Section:
        net = self._nets[segment.outputs[0]]
        wires = [*self._wires(segment.outputs[0]), Wire(f"{net}_grant", 1), Wire(f"{net}_take", 1)]
        instances: list[Instance] = []
        valid, data = self._issuer(segment, net, wires, instances)
        framed = segment.window is not None
        for number, pipe in enumerate(segment.pipes):
            stem = f"{net}_p{number}"
            wires += [Wire(f"{stem}_valid", 1), Wire(f"{stem}_data", pipe.lanes * pipe.width)]
            ports = [*_CLOCK, ("in_valid", valid)]
            if pipe.framed and framed:
                ports += [("in_first", f"{net}_first"), ("in_last", f"{net}_last")]
            ports += list(zip(pipe.operands, data, strict=True))
            ports += [("out_valid", f"{stem}_valid"), ("out_data", f"{stem}_data")]
            kind = "circuit" if pipe.unit else pipe.module.removeprefix("hwa_")
            name = self._namer.name(f"u_{net}_{kind}")
            module = self._unit(pipe.unit) if pipe.unit else pipe.module
            instances.append(Instance(module, name, self._params(pipe, name), tuple(ports)))
            valid, data, framed = f"{stem}_valid", [f"{stem}_data"], False
        instances.append(self._fifo(segment, net, valid, data[0]))
        return Section(self._title(segment), tuple(wires), tuple(instances))

    def _unit(self, unit: Unit) -> str:
        """Keep a generated module; return its name, ``NAME_core`` where it is the whole network."""
        whole = len(unit.paths) == len(self._graph.nodes)
        name = self._namer.name(f"{self._name}_{'core' if whole else unit.name}")
        self._units.append(replace(unit, name=name))
        return name

    def _fifo(self, segment: Segment, net: str, valid: str, data: str) -> Instance:
        bits = self._plan.streams[segment.outputs[0]].bits
        ports = (
            *_CLOCK,
            ("grant", f"{net}_grant"),
            ("take", f"{net}_take"),
            ("in_valid", valid),
            ("in_data", data),
            *self._ports("m_axis", segment.outputs[0]),
        )
        params = (("DATA_W", str(bits)), ("DEPTH", str(segment.depth)))
        return Instance("hwa_fifo", self._namer.name(f"u_{net}_fifo"), params, ports)

    def _issuer(
        self, segment: Segment, net: str, wires: list[Wire], instances: list[Instance]
    ) -> tuple[str, list[str]]:
        """Add the issuer; return its valid net and one data net per operand."""
        bits = [self._plan.streams[s].bits for s in segment.inputs]
        credit = (("grant", f"{net}_grant"), ("take", f"{net}_take"))
        valid = f"{net}_issue_valid"
        wires.append(Wire(valid, 1))
        if len(segment.inputs) == 2:
            data = [f"{net}_issue_a", f"{net}_issue_b"]
            module = "hwa_join"
            params: tuple[tuple[str, str], ...] = (("A_W", str(bits[0])), ("B_W", str(bits[1])))
            ports = [
                *self._ports("s_axis_a", segment.inputs[0]),
                *self._ports("s_axis_b", segment.inputs[1]),
                *credit,
                ("out_valid", valid),
                ("out_a_data", data[0]),
                ("out_b_data", data[1]),
            ]
        else:
            data = [f"{net}_issue_data"]
            ports = [*self._ports("s_axis", segment.inputs[0]), *credit, ("out_valid", valid)]
            module, params = "hwa_issue", (("DATA_W", str(bits[0])),)
            if isinstance(segment.issuer, Lines):
                lanes = self._plan.streams[segment.inputs[0]].lanes
                numbers = segment.issuer.params(bits[0], lanes)
                params = tuple((k, literals.verilog_parameter(k, v)) for k, v in numbers)
                bits = [bits[0] * segment.issuer.taps]
                module = "hwa_lines"
            elif segment.issuer is not None:
                wires += [Wire(f"{net}_first", 1), Wire(f"{net}_last", 1)]
                ports += [("out_first", f"{net}_first"), ("out_last", f"{net}_last")]
                lanes = self._plan.streams[segment.inputs[0]].lanes
                numbers = window_params(segment.issuer, bits[0], lanes)
                params = tuple((k, literals.verilog_parameter(k, v)) for k, v in numbers)
                module = "hwa_window"
            ports.append(("out_data", data[0]))
        wires += [Wire(d, b) for d, b in zip(data, bits, strict=True)]
        name = self._namer.name(f"u_{net}_{module.removeprefix('hwa_')}")
        if segment.window is not None and segment.window.kept is not None:
            lines_of_list = list_lines(segment.window)
            params = (*params, ("ORDER", self._memory(name, "order", lines_of_list)))
        instances.append(Instance(module, name, params, (*_CLOCK, *ports)))
        return valid, data

    def _title(self, segment: Segment) -> tuple[str, ...]:
        if not segment.nodes:
            value = self._plan.streams[segment.inputs[0]].value
            return (literals.comment(f"{value}: wait here for the other branch"),)
        lines = []
        for name in segment.nodes:
            node = self._graph.node(name)
            assert node is not None
            origin = f", from {node.path}" if node.path else ""
            lines.append(literals.comment(f"{name}: {node.op.name} {node.output.type}{origin}", 92))
        fold = self._plan.folds[segment.nodes[0]]
        skips = ", zeros skipped" if fold.skip else ""
        lines.append(f"{_pace(fold)}{skips}, {segment.cycles} cycles per frame")
        return tuple(lines)

    # --- details -------------------------------------------------------------------------------

    def _params(self, pipe: Pipe, name: str) -> tuple[tuple[str, str], ...]:
        params = [(key, literals.verilog_parameter(key, value)) for key, value in pipe.params]
        params += [(r.parameter, self._rom(name, r)) for r in pipe.roms]
        return tuple(params)

    def _rom(self, name: str, rom: Rom) -> str:
        return self._memory(name, rom.parameter.lower(), literals.rom_lines(rom))

    def _memory(self, instance: str, kind: str, lines: Sequence[str]) -> str:
        """Keep a memory file; return its name as a Verilog string."""
        file = f"{self._name}_{instance.removeprefix('u_')}_{kind}.mem"
        self._memories[file] = lines
        return f'"{file}"'

    def _wires(self, stream: str) -> tuple[Wire, ...]:
        net = self._nets[stream]
        bits = self._plan.streams[stream].bits
        return Wire(f"{net}_tvalid", 1), Wire(f"{net}_tready", 1), Wire(f"{net}_tdata", bits)

    def _ports(self, prefix: str, stream: str) -> tuple[tuple[str, str], ...]:
        net = self._nets[stream]
        return (
            (f"{prefix}_tvalid", f"{net}_tvalid"),
            (f"{prefix}_tready", f"{net}_tready"),
            (f"{prefix}_tdata", self._data[stream]),
        )


def _pace(fold: Fold) -> str:
    if fold.style is Style.STREAM:
        return f"{fold.pe} outputs and {fold.simd} inputs per cycle"
    return "one pixel per cycle" if fold.style is Style.PIXEL else "one frame per cycle"


def _net(name: str) -> str:
    """Return a name for the wires of a stream; ``u_`` belongs to instances."""
    return f"s_{name}" if identifier(name).startswith("u_") else name


def axis_ports(edge: Edge, directions: tuple[str, str]) -> tuple[Port, ...]:
    """Return the ports of a stream; ``directions`` are those of ``tvalid`` and ``tready``."""
    forward, back = directions
    lanes, width = edge.lanes, edge.type.fixed.width
    bits = f"{width} bit{'s' if width > 1 else ''}"
    beat = f"{lanes} elements of {bits} per beat, the first in the low bits"
    beat = beat if lanes > 1 else f"1 element of {bits} per beat"
    shown = literals.comment(f"{literals.comment(edge.value, 40)}: {edge.type}, {beat}")
    return (
        Port(forward, f"{edge.prefix}_tvalid", 1, shown),
        Port(back, f"{edge.prefix}_tready", 1),
        Port(forward, f"{edge.prefix}_tdata", edge.axis_bits),
        Port(forward, f"{edge.prefix}_tlast", 1),
    )
