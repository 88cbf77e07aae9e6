"""``Edit``: a graph while a pass changes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from hwaccel.errors import HwaccelError
from hwaccel.ir import Graph, Node, Op, TensorType, Value

Rule = Callable[["Edit", Node], bool]


class Edit:
    """Nodes by name, in order; types follow every change.

    The names of graph outputs never change: where the node of an output goes away, the node
    that takes its place takes its name.
    """

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._nodes = {node.name: node for node in graph.nodes}
        self._types = graph.types()
        self._stale: set[str] = set()
        self._readers: dict[str, tuple[str, ...]] | None = None
        self._changed = False

    # --- look ------------------------------------------------------------------------------------

    @property
    def nodes(self) -> tuple[Node, ...]:
        """Return the nodes as they are now."""
        return tuple(self._nodes.values())

    def type(self, name: str) -> TensorType:
        """Return the type of a value as it is now."""
        self._infer(name)
        return self._types[name]

    def types(self, node: Node) -> tuple[TensorType, ...]:
        """Return the types of a node's operands."""
        return tuple(self.type(name) for name in node.inputs)

    def __getitem__(self, name: str) -> Node:
        return self._nodes[name]

    def node(self, name: str) -> Node | None:
        """Return the node that makes ``name``; ``None`` for a graph input or a node now gone."""
        return self._nodes.get(name)

    def is_output(self, name: str) -> bool:
        """Tell whether ``name`` is a graph output."""
        return name in self._graph.outputs

    def readers(self, name: str) -> tuple[Node, ...]:
        """Return the nodes that read ``name``."""
        if self._readers is None:
            found: dict[str, list[str]] = {}
            for node in self._nodes.values():
                for operand in dict.fromkeys(node.inputs):
                    found.setdefault(operand, []).append(node.name)
            self._readers = {operand: tuple(names) for operand, names in found.items()}
        return tuple(self._nodes[reader] for reader in self._readers.get(name, ()))

    def only_reader(self, name: str) -> Node | None:
        """Return the one node that reads ``name``; ``None`` when anything else needs it too."""
        readers = self.readers(name)
        return readers[0] if len(readers) == 1 and not self.is_output(name) else None

    def legal(self, op: Op, *inputs: str) -> bool:
        """Tell whether ``op`` accepts these operands."""
        ins = tuple(self.type(name) for name in inputs)
        try:
            op.verify(*ins)
            op.infer(*ins).fixed  # noqa: B018 - raises when the interval needs too many bits
        except HwaccelError:
            return False
        return True

    # --- change ----------------------------------------------------------------------------------

    def set(self, name: str, op: Op, *inputs: str) -> None:
        """Give a node another op and, if any are named, other operands defined before it."""
        node = self._nodes[name]
        self._nodes[name] = replace(node, op=op, inputs=inputs or node.inputs)
        self._touch(name)

    def bypass(self, name: str) -> bool:
        """Remove a node; what read it reads its only operand instead.

        Returns ``False``, and changes nothing, where a graph output would lose its name.
        """
        (source,) = self._nodes[name].inputs
        if self.is_output(name):
            if self.node(source) is None or self.is_output(source):
                return False
            self._remove(name)
            self._rename(source, name)
        else:
            self._remove(name)
            self._redirect(name, source)
        return True

    def merge(self, first: str, second: str) -> bool:
        """Let ``first`` take the place of an equal later node.

        Returns ``False``, and changes nothing, where both are graph outputs.
        """
        if self.is_output(first) and self.is_output(second):
            return False
        self._remove(second)
        if self.is_output(second):
            self._rename(first, second)
        else:
            self._redirect(second, first)
        return True

    def swap(self, first: str, second: str) -> None:
        """Exchange a node and its only reader, both of one operand."""
        a, b = self._nodes[first], self._nodes[second]
        if self.is_output(second):
            self._nodes[first] = replace(a, op=b.op, path=b.path)
            self._nodes[second] = replace(b, op=a.op, path=a.path)
            self._touch(first, second)
            return
        del self._nodes[second]
        order: dict[str, Node] = {}
        for name, node in self._nodes.items():
            if name == first:
                order[second] = replace(b, inputs=a.inputs)
            order[name] = node
        self._nodes = order
        self._redirect(second, first, but=second)
        self._nodes[first] = replace(a, inputs=(second,))
        self._touch(first, second)

    def drop(self, name: str) -> None:
        """Remove a node that nobody reads."""
        self._remove(name)
        self._touch()

    def sweep(self, *rules: Rule) -> None:
        """Offer every node to every rule until none fires any more."""
        fired = True
        while fired:
            fired = False
            for name in tuple(self._nodes):
                for rule in rules:
                    node = self.node(name)
                    if node is not None and rule(self, node):
                        fired = True

    def graph(self) -> Graph:
        """Return the result: the graph as given when nothing changed."""
        if not self._changed:
            return self._graph
        nodes = tuple(
            replace(node, output=Value(name, self.type(name))) for name, node in self._nodes.items()
        )
        return replace(self._graph, nodes=nodes)

    def _remove(self, name: str) -> None:
        del self._nodes[name]
        self._stale.discard(name)

    def _redirect(self, old: str, new: str, but: str = "") -> None:
        for name, node in self._nodes.items():
            if old in node.inputs and name != but:
                inputs = tuple(new if operand == old else operand for operand in node.inputs)
                self._nodes[name] = replace(node, inputs=inputs)
                self._stale.add(name)
        self._touch()

    def _rename(self, old: str, new: str) -> None:
        self._nodes = {
            (new if name == old else name): (
                replace(node, output=Value(new, node.output.type)) if name == old else node
            )
            for name, node in self._nodes.items()
        }
        self._stale.discard(old)
        self._stale.add(new)
        self._redirect(old, new)

    def _touch(self, *names: str) -> None:
        self._stale.update(names)
        self._readers = None
        self._changed = True

    def _infer(self, upto: str) -> None:
        """Bring types up to date as far as ``upto``; what stands behind may change again."""
        if not self._stale or upto not in self._nodes:
            return
        for name, node in self._nodes.items():
            if name in self._stale:
                self._stale.remove(name)
                inferred = node.op.infer(*(self._types[operand] for operand in node.inputs))
                if inferred != self._types.get(name):
                    self._types[name] = inferred
                    self._stale.update(reader.name for reader in self.readers(name))
            if name == upto:
                return
