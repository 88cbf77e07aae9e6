"""Graph and folds to HLS C++: one dataflow process per node or circuit, joined by streams.

The order of elements and the AXI-Stream ports are those of the Verilog design
(``docs/explanation/streaming-hardware.md``). Node functions are hand-written templates under
``templates/hls/lib``; what is generated instantiates and wires them. Nodes that do not stream
are one process per region, around the circuit that the Verilog design has.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import gcd

from hwaccel.emit import kernels
from hwaccel.emit.env import render
from hwaccel.emit.hls_design import LARGEST_BITS, Call, HlsDesign, Port, Process, Stream
from hwaccel.emit.kernels import Alias, NodeCode
from hwaccel.emit.literals import comment
from hwaccel.emit.names import Namer
from hwaccel.errors import EmitError
from hwaccel.fxp import FixedType
from hwaccel.ir import Graph, Node, TensorType
from hwaccel.ir.hardware import Fold, Hardware
from hwaccel.schedule.regions import Region, in_order
from hwaccel.schedule.spatial import Spatial

# ap_int allows 1024 bits unless told otherwise.
_DEFAULT_MAX_BITS = 1024
_LINK_DEPTH = 2


def emit_hls(
    graph: Graph,
    folds: Mapping[str, Fold],
    spatial: Mapping[str, Spatial] | None = None,
    *,
    name: str,
    banner: str,
    clock_mhz: float,
) -> dict[str, str]:
    """Return the files of an HLS project by relative name.

    ``folds`` gives the parallelism of nodes by name; elementwise nodes and nodes that are only
    wires take that of their producer. ``spatial`` holds the circuit of every region that does
    not stream, by name. ``NAME_csim.cpp`` is the test bench.

    Raises:
        EmitError: a fold does not divide its tensor, or a beat is wider than the tools allow.
    """
    design = _Builder(graph, folds, spatial or {}, name, banner).design(clock_mhz)
    files = kernels.library("hls", "hwa")
    files[f"{design.name}.h"] = render("hls/top.h.j2", design=design)
    files[f"{design.name}.cpp"] = render("hls/top.cpp.j2", design=design)
    files[f"{design.name}_csim.cpp"] = render("hls/csim.cpp.j2", design=design)
    files["vitis_hls.tcl"] = render("hls/vitis_hls.tcl.j2", design=design)
    for node in design.nodes:
        files[f"nodes/{node.name}.h"] = render("hls/node.h.j2", design=design, node=node)
    for process in design.processes:
        stem = process.circuit.name
        files[f"circuits/{stem}.h"] = process.circuit.text
        files[f"nodes/{stem}.h"] = render("hls/process.h.j2", design=design, process=process)
    return dict(sorted(files.items()))


def choose_lanes(
    graph: Graph, folds: Mapping[str, Fold], made: Mapping[str, int]
) -> dict[str, tuple[Fold, Hardware]]:
    """Return fold and hardware of every node that streams.

    ``made`` gives the lanes of the nodes inside of circuits.

    Raises:
        EmitError: the lanes of a node do not divide its tensors.
    """
    types = graph.types()
    chosen: dict[str, tuple[Fold, Hardware]] = {}
    for node in graph.nodes:
        if node.name in made:
            continue
        ins = tuple(types[name] for name in node.inputs)
        fold = folds.get(node.name, Fold())
        hardware = node.op.hardware(ins, fold)
        wires = not hardware.pipes and not hardware.reorder and hardware.issuer is None
        source = node.inputs[0]
        if (node.op.elementwise or wires) and source in chosen:
            lanes = chosen[source][1].out_lanes
            fold, hardware = Fold(lanes, 1), Hardware((lanes,), lanes)
        elif wires and not node.op.elementwise and source in made:
            fold, hardware = Fold(made[source], 1), Hardware((made[source],), made[source])
        sides = [*zip(ins, hardware.in_lanes, strict=True), (node.output.type, hardware.out_lanes)]
        for tensor, lanes in sides:
            if tensor.size % lanes:
                raise EmitError(
                    f"{node.where}: {lanes} elements per cycle do not divide the {tensor.size} "
                    f"elements of {tensor}; use a fold that the op lists"
                )
        chosen[node.name] = fold, hardware
    return chosen


@dataclass(frozen=True, slots=True)
class _Reader:
    """One use of a value: an operand of a node or region, or the stream of an output port."""

    lanes: int
    node: str = ""
    port: str = ""


class _Builder:
    """Walks the graph once and collects streams and calls."""

    def __init__(
        self,
        graph: Graph,
        folds: Mapping[str, Fold],
        spatial: Mapping[str, Spatial],
        name: str,
        banner: str,
    ) -> None:
        self._graph = graph
        self._types = graph.types()
        self._name, self._names = kernels.code_names(graph, name)
        self._banner = kernels.banner_lines(banner)
        self._namer = Namer(("s_axis", "m_axis"))
        codes = kernels.circuit_codes(
            spatial, self._names, self._types, target="hls", design=self._name, banner=self._banner
        )
        self._processes = {name: Process.around(code) for name, code in codes.items()}
        self._items = in_order(graph, tuple(item.region for item in spatial.values()))
        made = {node.name: 0 for item in spatial.values() for node in item.region.nodes}
        for process in self._processes.values():
            made |= {link.edge.value: link.lanes for link in process.outputs}
        self._chosen = choose_lanes(graph, folds, made)
        self._lanes = made | {name: hw.out_lanes for name, (_, hw) in self._chosen.items()}
        self._streams: list[Stream] = []
        self._calls: list[Call] = []
        # Streams that a node or region reads, filled in as its operands are produced.
        self._sources: dict[tuple[str, str], list[str]] = {}

    def design(self, clock_mhz: float) -> HlsDesign:
        """Wire inputs, nodes and outputs."""
        graph = self._graph
        for value in graph.inputs:
            self._lanes[value.name] = max((r.lanes for r in self._operands(value.name)), default=1)
        inputs = self._ports("s_axis", tuple(value.name for value in graph.inputs), 1)
        outputs = self._ports("m_axis", graph.outputs, 1 + len(inputs))
        for value, port in zip(graph.inputs, inputs, strict=True):
            _, routing = self._route(value.name, outputs, port.stream)
            self._calls += routing
        nodes = []
        for item in self._items:
            if isinstance(item, Region):
                self._region(self._processes[item.name], outputs)
            else:
                nodes.append(self._node(item, outputs))
        return HlsDesign(
            self._name,
            self._banner,
            self._max_bits((*inputs, *outputs)),
            f"{1000 / clock_mhz:.3f}",
            inputs,
            outputs,
            tuple(nodes),
            tuple(self._processes.values()),
            tuple(self._streams),
            tuple(self._calls),
        )

    def _ports(self, prefix: str, values: tuple[str, ...], first: int) -> tuple[Port, ...]:
        ports = []
        for number, value in enumerate(values, first):
            tensor, lanes, stem = self._types[value], self._lanes[value], self._names[value]
            axis = prefix if len(values) == 1 else self._namer.name(f"{prefix}_{stem}")
            stream = self._namer.name(f"{stem}_{'in' if prefix == 's_axis' else 'out'}")
            port = Port(
                number,
                axis,
                stream,
                comment(f"{value}: {tensor}, {_per_beat(lanes)}"),
                element_type(tensor.fixed),
                lanes,
                tensor.channels,
                tensor.size // tensor.channels,
                lanes * tensor.fixed.width,
            )
            ports.append(port)
        return tuple(ports)

    def _max_bits(self, ports: tuple[Port, ...]) -> int:
        bits = max((*(s.bits for s in self._streams), *(p.axis_bits for p in ports)))
        if bits > LARGEST_BITS:
            raise EmitError(
                f"{self._graph.name}: a beat of {bits} bits is wider than the {LARGEST_BITS} of "
                "ap_uint; use smaller folds"
            )
        return max(_DEFAULT_MAX_BITS, -(-bits // 1024) * 1024)

    # --- nodes ---------------------------------------------------------------------------------

    def _node(self, node: Node, outputs: tuple[Port, ...]) -> NodeCode:
        """Add the call of ``node`` and what carries its result on."""
        code = self._code(node)
        target, routing = self._route(node.name, outputs)
        sources = [self._sources[node.name, operand].pop(0) for operand in node.inputs]
        arguments = (*sources, target, *(table.name for table in code.tables))
        self._calls.append(Call((code.title,), code.function, f"{code.name}_config", arguments))
        self._calls += routing
        return code

    def _region(self, process: Process, outputs: tuple[Port, ...]) -> None:
        """Add the call of ``process`` and what carries its results on."""
        circuit = process.circuit
        # Side by side results hold a whole frame each, so that none can starve another.
        whole = len(process.outputs) > 1
        routes = [self._route(link.edge.value, outputs, whole=whole) for link in process.outputs]
        sources = [self._sources[circuit.region, e.value].pop(0) for e in circuit.inputs]
        arguments = (*sources, *(target for target, _ in routes))
        self._calls.append(Call(circuit.titles, f"{circuit.name}_process", "", arguments))
        for _, routing in routes:
            self._calls += routing

    def _code(self, node: Node) -> NodeCode:
        ins = tuple(self._types[name] for name in node.inputs)
        kernel, name = node.op.kernel(*ins), self._names[node.name]
        fold, hardware = self._chosen[node.name]
        aliases: list[Alias] = []
        constants: dict[str, int] = {}
        for i, (tensor, lanes) in enumerate(zip(ins, hardware.in_lanes, strict=True)):
            aliases += _beat_aliases(f"in{i}", tensor, lanes)
            constants |= {f"in{i}_lanes": lanes, f"in{i}_lo": tensor.lo}
        aliases += _beat_aliases("out", node.output.type, hardware.out_lanes)
        aliases.append(Alias(f"ap_int<{kernels.accumulator_bits(node, ins)}>", "acc_t"))
        constants |= {"out_lanes": hardware.out_lanes, "pe": fold.pe, "simd": fold.simd}
        return NodeCode(
            name,
            kernels.title(node),
            kernel.function,
            tuple(aliases),
            kernels.integer_constants(constants | dict(kernel.params)),
            kernels.tables(name, kernel),
        )

    # --- streams -------------------------------------------------------------------------------

    def _operands(self, value: str) -> list[_Reader]:
        readers = []
        for item in self._items:
            if isinstance(item, Region):
                lanes = tuple(link.lanes for link in self._processes[item.name].inputs)
            else:
                lanes = self._chosen[item.name][1].in_lanes
            readers += [
                _Reader(count, node=item.name)
                for name, count in zip(item.inputs, lanes, strict=True)
                if name == value
            ]
        return readers

    def _route(
        self, value: str, outputs: tuple[Port, ...], source: str = "", *, whole: bool = False
    ) -> tuple[str, list[Call]]:
        """Carry ``value`` to its readers: return the stream that its producer writes, and calls.

        ``source`` is that stream where it exists already, for an input of the design. ``whole``
        asks for one that holds a frame.
        """
        readers = self._operands(value)
        for port, name in zip(outputs, self._graph.outputs, strict=True):
            if name == value:
                readers.append(_Reader(port.lanes, port=port.stream))
        lanes = self._lanes[value]
        bits, beats = lanes * self._types[value].fixed.width, self._types[value].size // lanes
        calls: list[Call] = []
        if len(readers) == 1 and not (source and readers[0].port):
            head = source or readers[0].port or self._stream(value, bits, beats * whole)
            branches = [head]
        else:
            head = source or self._stream(value, bits, beats * whole)
            # A branch holds a whole frame, so that none can starve another.
            branches = [r.port or self._stream(value, bits, beats) for r in readers]
            calls = self._spread(value, head, branches, (bits, beats))
        for reader, branch in zip(readers, branches, strict=True):
            if reader.node:
                stream = self._adapt(value, branch, reader.lanes, calls)
                self._sources.setdefault((reader.node, value), []).append(stream)
        return head, calls

    def _spread(
        self, value: str, head: str, branches: list[str], frame: tuple[int, int]
    ) -> list[Call]:
        """Copy ``head`` to every branch, two at a time; ``frame`` is bits and beats."""
        bits, beats = frame
        title, parameter = (comment(f"{value}: read by {len(branches)}"),), str(beats)
        if not branches:
            return [Call(title, "drain", parameter, (head,))]
        if len(branches) == 1:
            return [Call(title, "copy", parameter, (head, branches[0]))]
        calls, rest = [], head
        for branch in branches[:-2]:
            other = self._stream(value, bits)
            calls.append(Call(title, "fork", parameter, (rest, branch, other)))
            rest = other
        return [*calls, Call(title, "fork", parameter, (rest, branches[-2], branches[-1]))]

    def _adapt(self, value: str, stream: str, lanes: int, calls: list[Call]) -> str:
        """Return a stream of ``value`` with ``lanes`` lanes, adding what packs or unpacks."""
        tensor, have = self._types[value], self._lanes[value]
        common = gcd(have, lanes)
        multiple = have * lanes // common
        # Through the common multiple no beat rate rises above that of either side.
        fits = tensor.size % multiple == 0 and multiple * tensor.fixed.width <= LARGEST_BITS
        for want in (multiple if fits else common, lanes):
            if want == have:
                continue
            target = self._stream(value, want * tensor.fixed.width)
            wide = max(want, have)
            text = comment(f"{value}: from {have} to {_per_beat(want)}")
            function = "pack" if want > have else "unpack"
            calls.append(Call((text,), function, str(tensor.size // wide), (stream, target)))
            stream, have = target, want
        return stream

    def _stream(self, value: str, bits: int, depth: int = _LINK_DEPTH) -> str:
        name = self._namer.name(f"{self._names[value]}_stream")
        self._streams.append(Stream(name, bits, max(depth, _LINK_DEPTH)))
        return name


def element_type(fixed: FixedType) -> str:
    """Return the HLS type of exactly the width and sign of ``fixed``."""
    return f"ap_{'' if fixed.signed else 'u'}int<{fixed.width}>"


def _per_beat(lanes: int) -> str:
    return f"{lanes} element{'s' if lanes > 1 else ''} per beat"


def _beat_aliases(label: str, tensor: TensorType, lanes: int) -> list[Alias]:
    return [
        Alias(element_type(tensor.fixed), f"{label}_t"),
        Alias(f"ap_uint<{lanes * tensor.fixed.width}>", f"{label}_beat"),
    ]
