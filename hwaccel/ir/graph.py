"""The graph: values, nodes, and nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, replace

from hwaccel.errors import ConfigError, VerifyError
from hwaccel.ir.op import Op
from hwaccel.ir.types import TensorType


@dataclass(frozen=True, slots=True)
class Value:
    """A named tensor: a graph input or the result of a node."""

    name: str
    type: TensorType


@dataclass(frozen=True, slots=True)
class Node:
    """One op applied to named values. ``path`` is the PyTorch module it came from."""

    output: Value
    op: Op
    inputs: tuple[str, ...]
    path: str = ""

    @property
    def name(self) -> str:
        """Name of the node, which is that of its result."""
        return self.output.name

    @property
    def where(self) -> str:
        """Name for messages, with the module path."""
        return f"{self.name} ({self.path})" if self.path else self.name


@dataclass(frozen=True, slots=True)
class Graph:
    """A directed acyclic graph; nodes stand in an order in which they can be computed."""

    name: str
    inputs: tuple[Value, ...]
    nodes: tuple[Node, ...]
    outputs: tuple[str, ...]

    def types(self) -> dict[str, TensorType]:
        """Return the type of every value by name."""
        values = [*self.inputs, *(node.output for node in self.nodes)]
        return {value.name: value.type for value in values}

    def node(self, name: str) -> Node | None:
        """Return the node that makes ``name``; ``None`` for a graph input."""
        return next((node for node in self.nodes if node.name == name), None)

    def uses(self) -> Counter[str]:
        """Count the readers of every value; a graph output counts as one."""
        counter = Counter(name for node in self.nodes for name in node.inputs)
        counter.update(self.outputs)
        return counter

    def consumers(self, name: str) -> tuple[Node, ...]:
        """Return the nodes that read ``name``."""
        return tuple(node for node in self.nodes if name in node.inputs)

    def rebuilt(self, nodes: Iterable[Node], rename: Mapping[str, str] | None = None) -> Graph:
        """Return the graph with other nodes, re-inferring types and renaming operands.

        ``rename`` maps a removed value to the one that takes its place.
        """
        rename = rename or {}
        types = {value.name: value.type for value in self.inputs}
        made: list[Node] = []
        for node in nodes:
            inputs = tuple(_follow(rename, name) for name in node.inputs)
            inferred = node.op.infer(*(types[name] for name in inputs))
            types[node.name] = inferred
            made.append(replace(node, inputs=inputs, output=Value(node.name, inferred)))
        outputs = tuple(_follow(rename, name) for name in self.outputs)
        return replace(self, nodes=tuple(made), outputs=outputs)


def _follow(rename: Mapping[str, str], name: str) -> str:
    while name in rename:
        name = rename[name]
    return name


class GraphBuilder:
    """Collect nodes one by one; every ``add`` checks the op and infers the type."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._inputs: list[Value] = []
        self._nodes: list[Node] = []
        self._types: dict[str, TensorType] = {}

    def type(self, name: str) -> TensorType:
        """Return the type of a value already added."""
        return self._types[name]

    def input(self, name: str, type: TensorType) -> str:
        """Add a graph input and return its unique name."""
        name = unique_name(name, self._types)
        self._types[name] = type
        self._inputs.append(Value(name, type))
        return name

    def add(self, name: str, op: Op, *inputs: str, path: str = "") -> str:
        """Add a node and return its unique name.

        Raises:
            VerifyError: the op does not accept these operands, or its result is too wide.
        """
        name = unique_name(name, self._types)
        ins = tuple(self._types[i] for i in inputs)
        op.verify(*ins)
        node = Node(Value(name, op.infer(*ins)), op, inputs, path)
        try:
            node.output.type.fixed  # noqa: B018 - raises when the interval needs too many bits
        except ConfigError as error:
            raise VerifyError(f"{node.where}: {error}") from None
        self._types[name] = node.output.type
        self._nodes.append(node)
        return name

    def build(self, *outputs: str) -> Graph:
        """Return the finished graph."""
        return Graph(self._name, tuple(self._inputs), tuple(self._nodes), outputs)


def unique_name(name: str, taken: Container[str]) -> str:
    """Return ``name``, or with the first number behind it that is not ``taken``."""
    candidate, number = name, 1
    while candidate in taken:
        number += 1
        candidate = f"{name}_{number}"
    return candidate
