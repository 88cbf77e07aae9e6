"""Graph to CUDA C++: one kernel launch per node, one thread per element of the result.

A region that does not stream is one launch, with a thread per call of the circuit that the
Verilog design has. Tensors are in C order, in the smallest C integers that hold their intervals.
The generated arithmetic compiles with nvcc and with g++ alike: ``NAME_host.cpp`` is the same
network on the host.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hwaccel.emit import kernels
from hwaccel.emit.env import render
from hwaccel.emit.kernels import Alias, CircuitCode, NodeCode
from hwaccel.emit.literals import comment
from hwaccel.emit.names import Namer
from hwaccel.fxp import FixedType
from hwaccel.ir import Graph, Node, TensorType
from hwaccel.schedule.regions import Region, in_order
from hwaccel.schedule.spatial import Spatial

# Samples that one call takes through device memory at a time.
CHUNK = 4096


@dataclass(frozen=True, slots=True)
class Buffer:
    """A tensor in memory: a parameter of the API, or a part of the workspace."""

    name: str
    title: str
    ctype: str
    size: int


@dataclass(frozen=True, slots=True)
class Launch:
    """One node or circuit at work: ``FUNCTION<NODE>(count * SIZE, ARGUMENTS)``.

    ``fill`` takes the target, then the sources; ``each`` the inputs, then the outputs.
    """

    titles: tuple[str, ...]
    function: str
    node: str
    size: int
    arguments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Copy:
    """An output that another buffer holds already."""

    target: Buffer
    source: str


@dataclass(frozen=True, slots=True)
class CudaNode:
    """A node and its place in the batch: sizes of a sample, and the arguments of its function."""

    code: NodeCode
    parameters: tuple[str, ...]
    arguments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CudaDesign:
    """All the templates need."""

    name: str
    banner: tuple[str, ...]
    chunk: int
    inputs: tuple[Buffer, ...]
    outputs: tuple[Buffer, ...]
    inner: tuple[Buffer, ...]
    nodes: tuple[CudaNode, ...]
    circuits: tuple[CircuitCode, ...]
    launches: tuple[Launch, ...]
    copies: tuple[Copy, ...]

    @property
    def tensors(self) -> tuple[Buffer, ...]:
        """Inputs, then outputs."""
        return (*self.inputs, *self.outputs)

    @property
    def functions(self) -> tuple[str, ...]:
        """Library files in use, sorted."""
        calls = {node.code.function for node in self.nodes}
        return tuple(sorted(calls | ({"pixels"} if self.circuits else set())))


def storage(fixed: FixedType) -> str:
    """Return the smallest NumPy integer type that holds ``fixed``; in C it ends in ``_t``."""
    bits = next(bits for bits in (8, 16, 32, 64) if fixed.width <= bits)
    return f"{'' if fixed.signed else 'u'}int{bits}"


def emit_cuda(
    graph: Graph, spatial: Mapping[str, Spatial] | None = None, *, name: str, banner: str
) -> dict[str, str]:
    """Return the CUDA files by relative name.

    ``spatial`` holds the circuit of every region that does not stream, by name.
    ``NAME_cuda.h`` declares the C interface, ``NAME_cuda.cu`` implements it on the GPU and
    ``NAME_host.cpp`` on the host.
    """
    design = _design(graph, spatial or {}, name, banner)
    files = kernels.library("cuda", "hwa")
    for suffix, template in (
        ("_cuda.h", "api.h"),
        ("_nodes.h", "nodes.h"),
        ("_run.h", "run.h"),
        ("_cuda.cu", "device.cu"),
        ("_host.cpp", "host.cpp"),
    ):
        files[design.name + suffix] = render(f"cuda/{template}.j2", design=design)
    for circuit in design.circuits:
        files[f"circuits/{circuit.name}.h"] = circuit.text
    return dict(sorted(files.items()))


def _design(graph: Graph, spatial: Mapping[str, Spatial], name: str, banner: str) -> CudaDesign:
    design_name, names = kernels.code_names(graph, name)
    types, lines = graph.types(), kernels.banner_lines(banner)
    items = in_order(graph, tuple(item.region for item in spatial.values()))
    nodes = [item for item in items if isinstance(item, Node)]
    circuits = kernels.circuit_codes(
        spatial, names, types, target="cuda", design=design_name, banner=lines
    )
    made = [node.name for node in nodes]
    made += [edge.value for circuit in circuits.values() for edge in circuit.outputs]
    namer = Namer(("count", "queue", "workspace", "stream"))

    def buffer(value: str, suffix: str) -> Buffer:
        tensor = types[value]
        title = comment(f"{value}: {tensor}")
        ctype = f"{storage(tensor.fixed)}_t"
        return Buffer(namer.name(f"{names[value]}_{suffix}"), title, ctype, tensor.size)

    inputs = {value.name: buffer(value.name, "in") for value in graph.inputs}
    outputs = tuple(buffer(value, "out") for value in graph.outputs)
    # Every value lies in one buffer: a node that makes an output writes it there at once.
    place = dict(inputs)
    copies = []
    for value, target in zip(graph.outputs, outputs, strict=True):
        if value in place:
            copies.append(Copy(target, place[value].name))
        else:
            place[value] = target
    inner = {value: buffer(value, "buffer") for value in made if value not in place}
    place |= inner
    return CudaDesign(
        design_name,
        lines,
        CHUNK,
        tuple(inputs.values()),
        outputs,
        tuple(inner.values()),
        tuple(_node(node, names[node.name], types) for node in nodes),
        tuple(circuits.values()),
        tuple(
            _call(circuits[item.name], place)
            if isinstance(item, Region)
            else _launch(item, names[item.name], place)
            for item in items
        ),
        tuple(copies),
    )


def _launch(node: Node, name: str, place: Mapping[str, Buffer]) -> Launch:
    buffers = (place[node.name], *(place[operand] for operand in node.inputs))
    arguments = tuple(buffer.name for buffer in buffers)
    titles = (kernels.title(node),)
    return Launch(titles, "fill", f"{name}_node", node.output.type.size, arguments)


def _call(circuit: CircuitCode, place: Mapping[str, Buffer]) -> Launch:
    arguments = tuple(place[edge.value].name for edge in circuit.edges)
    return Launch(circuit.titles, "each", f"{circuit.name}_node", circuit.calls, arguments)


def _node(node: Node, name: str, types: Mapping[str, TensorType]) -> CudaNode:
    ins = tuple(types[operand] for operand in node.inputs)
    kernel = node.op.kernel(*ins)
    aliases: list[Alias] = []
    constants = {"out_size": node.output.type.size}
    for i, tensor in enumerate(ins):
        aliases.append(Alias(f"{storage(tensor.fixed)}_t", f"in{i}_t"))
        constants |= {
            f"in{i}_size": tensor.size,
            f"in{i}_lo": tensor.lo,
            f"in{i}_signed": int(tensor.fixed.signed),
        }
    aliases.append(Alias(f"{storage(node.output.type.fixed)}_t", "out_t"))
    small = node.op.bound(*ins) < 1 << 31
    aliases.append(Alias("int32_t" if small else "int64_t", "acc_t"))
    tables = kernels.tables(name, kernel)
    code = NodeCode(
        name,
        kernels.title(node),
        kernel.function,
        tuple(aliases),
        kernels.integer_constants(constants | dict(kernel.params)),
        tables,
    )
    operands = range(len(ins))
    return CudaNode(
        code,
        tuple(f"const in{i}_t *in{i}" for i in operands),
        (
            *(f"in{i} + sample * in{i}_size" for i in operands),
            *(table.name for table in tables),
        ),
    )
