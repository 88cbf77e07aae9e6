"""Graph to CUDA C++: one kernel launch per node and what follows it element by element.

Rounding, clipping and scaling happen where an element is made, so that nothing between a matrix
product and its requantized result is in memory. A thread makes one element of the result, or four
channels of a pixel where the products are of bytes: those are taken four at a time, from words of
four channels. A region that does not stream is one launch, with a thread per call of the circuit
that the Verilog design has. Tensors are in C order, in the smallest C integers that hold their
intervals. The generated arithmetic compiles with nvcc and with g++ alike: ``NAME_host.cpp`` is the
same network on the host.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hwaccel.emit import kernels
from hwaccel.emit.cuda_nodes import Chain, Packing, chains, node_code, storage
from hwaccel.emit.env import render
from hwaccel.emit.kernels import CircuitCode, NodeCode
from hwaccel.emit.literals import comment
from hwaccel.emit.names import Namer
from hwaccel.ir import Graph, TensorType
from hwaccel.schedule.regions import Region, in_order
from hwaccel.schedule.spatial import Spatial

__all__ = ["CHUNK", "emit_cuda", "storage"]

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
    """One chain or circuit at work: ``FUNCTION<NODE>(count * SIZE, ARGUMENTS)``.

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
class CudaStep:
    """A node of a chain: its code, the variable of its element, and what its function takes."""

    code: NodeCode
    result: str
    tables: tuple[str, ...]
    arguments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CudaNode:
    """A chain and its place in the batch: what its function takes after the number of the call.

    A ``packed`` chain works on words, and writes the tensor ``in_order``, as ``words``, or both.
    """

    name: str
    steps: tuple[CudaStep, ...]
    parameters: tuple[str, ...]
    packed: bool
    in_order: bool = True
    words: bool = False

    @property
    def first(self) -> CudaStep:
        """The node that reads the operands."""
        return self.steps[0]

    @property
    def rest(self) -> tuple[CudaStep, ...]:
        """The nodes that take its element."""
        return self.steps[1:]

    @property
    def last(self) -> CudaStep:
        """The node whose element is the result."""
        return self.steps[-1]


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
        calls = {step.code.function for node in self.nodes for step in node.steps}
        return tuple(sorted(calls | ({"pixels"} if self.circuits else set())))


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
    parts = chains(graph, items, names)
    circuits = kernels.circuit_codes(
        spatial, names, types, target="cuda", design=design_name, banner=lines
    )
    memory = _Memory(graph, parts, names)
    launches = [pack for value in graph.inputs for pack in memory.packs(value.name)]
    nodes = []
    for part in parts:
        if isinstance(part, Region):
            launches.append(_call(circuits[part.name], memory.place))
            launches += [pack for value in part.outputs for pack in memory.packs(value)]
            continue
        node = _node(part, names, types, memory)
        nodes.append(node)
        launches.append(_launch(part, node, memory))
        launches += memory.packs(part.value)
    return CudaDesign(
        design_name,
        lines,
        CHUNK,
        memory.inputs,
        memory.outputs,
        memory.inner,
        tuple(nodes),
        tuple(circuits.values()),
        tuple(launches),
        memory.copies,
    )


class _Memory:
    """Where every value lies: in C order, as words, or both."""

    def __init__(self, graph: Graph, parts: list[Chain | Region], names: Mapping[str, str]) -> None:
        self._types, self._names = graph.types(), names
        self._namer = Namer(("count", "queue", "workspace", "stream"))
        self.inputs = tuple(self._buffer(value.name, "in") for value in graph.inputs)
        self.outputs = tuple(self._buffer(name, "out") for name in graph.outputs)
        # A node that makes an output writes it there at once.
        self.place = dict(zip((v.name for v in graph.inputs), self.inputs, strict=True))
        copies = []
        for value, target in zip(graph.outputs, self.outputs, strict=True):
            if value in self.place:
                copies.append(Copy(target, self.place[value].name))
            else:
                self.place[value] = target
        self.copies = tuple(copies)
        self.words = self._wanted(parts)
        self._direct = self._made_as_words(parts)
        inner = {
            value: self._buffer(value, "buffer")
            for value in self._kept_in_order(graph, parts)
            if value not in self.place
        }
        self.place |= inner
        self.inner = (*inner.values(), *self.words.values())

    def _buffer(self, value: str, suffix: str) -> Buffer:
        tensor = self._types[value]
        title = comment(f"{value}: {tensor}")
        name = self._namer.name(f"{self._names[value]}_{suffix}")
        return Buffer(name, title, f"{storage(tensor.fixed)}_t", tensor.size)

    def _wanted(self, parts: list[Chain | Region]) -> dict[tuple[str, Packing], Buffer]:
        made: dict[tuple[str, Packing], Buffer] = {}
        for part in parts:
            if isinstance(part, Chain) and part.dot and not part.dot.packing.in_place:
                value, packing = part.nodes[0].inputs[0], part.dot.packing
                if (value, packing) not in made:
                    name = self._namer.name(f"{self._names[value]}_words")
                    title = comment(f"{value}: words of four channels")
                    made[value, packing] = Buffer(name, title, "uint32_t", packing.words)
        return made

    def _made_as_words(self, parts: list[Chain | Region]) -> frozenset[tuple[str, Packing]]:
        return frozenset(
            (part.value, part.dot.made)
            for part in parts
            if isinstance(part, Chain)
            and part.dot
            and part.dot.made
            and (part.value, part.dot.made) in self.words
        )

    def _kept_in_order(self, graph: Graph, parts: list[Chain | Region]) -> list[str]:
        """Return the values that somebody reads in C order, or nobody at all."""
        read = set(graph.outputs) | {value for value, _ in self.words.keys() - self._direct}
        for part in parts:
            first = part if isinstance(part, Region) else part.nodes[0]
            if isinstance(part, Region) or part.dot is None or part.dot.packing.in_place:
                read.update(first.inputs)
        uses, kept = graph.uses(), []
        for part in parts:
            made = part.outputs if isinstance(part, Region) else (part.value,)
            kept += [value for value in made if value in read or not uses[value]]
        return kept

    def words_of(self, value: str, packing: Packing | None) -> Buffer | None:
        """Return the words of ``value`` that its own chain makes, if somebody wants them."""
        if packing is None or (value, packing) not in self._direct:
            return None
        return self.words[value, packing]

    def source(self, value: str, packing: Packing) -> Buffer:
        """Return what a chain reads that wants ``value`` as words."""
        return self.place[value] if packing.in_place else self.words[value, packing]

    def packs(self, value: str) -> list[Launch]:
        """Return the launches that make words of ``value`` once it is there in C order."""
        return [
            Launch(
                (buffer.title,),
                "fill",
                f"hwa::packing<{packing.groups}, {packing.group_size}, {packing.pixels}>",
                packing.words,
                (buffer.name, self.place[value].name),
            )
            for (packed, packing), buffer in self.words.items()
            if packed == value and (packed, packing) not in self._direct
        ]


def _launch(chain: Chain, node: CudaNode, memory: _Memory) -> Launch:
    titles = tuple(kernels.title(item) for item in chain.nodes)
    value, sources = chain.value, chain.nodes[0].inputs
    struct = f"{node.name}_node"
    if chain.dot is None:
        buffers = (memory.place[value], *(memory.place[operand] for operand in sources))
        size = chain.nodes[-1].output.type.size
        return Launch(titles, "fill", struct, size, tuple(buffer.name for buffer in buffers))
    arguments = [memory.source(sources[0], chain.dot.packing).name]
    if node.in_order:
        arguments.append(memory.place[value].name)
    words = memory.words_of(value, chain.dot.made)
    if words is not None:
        arguments.append(words.name)
    return Launch(titles, "each", struct, chain.dot.calls, tuple(arguments))


def _call(circuit: CircuitCode, place: Mapping[str, Buffer]) -> Launch:
    arguments = tuple(place[edge.value].name for edge in circuit.edges)
    return Launch(circuit.titles, "each", f"{circuit.name}_node", circuit.calls, arguments)


def _node(
    chain: Chain, names: Mapping[str, str], types: Mapping[str, TensorType], memory: _Memory
) -> CudaNode:
    name, operands = names[chain.nodes[0].name], range(len(chain.nodes[0].inputs))
    taken = tuple(f"in{i} + sample * {name}_config::in{i}_size" for i in operands)
    steps = []
    for i, node in enumerate(chain.nodes):
        code = node_code(node, names[node.name], types, None if i else chain.dot)
        tables = tuple(table.name for table in code.tables)
        steps.append(CudaStep(code, f"y{i}", tables, ("index", *taken, *tables)))
        taken = (f"hwa::only(y{i})",)
    value = names[chain.value]
    if chain.dot is None:
        parameters = tuple(f"const {name}_config::in{i}_t *in{i}" for i in operands)
        return CudaNode(value, tuple(steps), parameters, packed=False)
    in_order = chain.value in memory.place
    words = memory.words_of(chain.value, chain.dot.made) is not None
    written = ("out_t *y",) * in_order + ("uint32_t *words",) * words
    return CudaNode(
        value,
        tuple(steps),
        ("const void *x", *written),
        packed=True,
        in_order=in_order,
        words=words,
    )
