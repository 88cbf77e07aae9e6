"""The golden model: run a graph by calling ``op.golden`` node by node."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hwaccel.errors import VerifyError
from hwaccel.fxp.arith import Array, namespace
from hwaccel.ir.graph import Graph

# Integers up to these magnitudes are exact in the mantissa of the carrier.
_CARRIERS = ((1 << 24, "float32"), (1 << 53, "float64"))


class Interpreter:
    """A graph made ready to run: the carrier of every node is chosen once.

    The carrier is the fastest element type in which the op's stated bound proves every
    intermediate exact: float32, float64, or int64.
    """

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        types = graph.types()
        self._carriers: dict[str, str] = {}
        for node in graph.nodes:
            bound = node.op.bound(*(types[name] for name in node.inputs))
            fits = (name for limit, name in _CARRIERS if bound <= limit)
            self._carriers[node.name] = next(fits, "int64")
        last_use = {name: i for i, node in enumerate(graph.nodes) for name in node.inputs}
        self._dead_after: list[list[str]] = [[] for _ in graph.nodes]
        for name, i in last_use.items():
            if name not in graph.outputs:
                self._dead_after[i].append(name)

    def carrier(self, name: str) -> str:
        """Return the element type in which node ``name`` is computed."""
        return self._carriers[name]

    def run(self, *xs: Array) -> tuple[Array, ...]:
        """Compute the outputs for integer batches ``(N, *shape)``, one per graph input.

        Raises:
            VerifyError: a batch has the wrong shape or holds integers outside the input range.
        """
        env = self.environment(xs)
        for i, node in enumerate(self._graph.nodes):
            operands = [_carry(env[name], self._carriers[node.name]) for name in node.inputs]
            env[node.name] = node.op.golden(*operands)
            for name in self._dead_after[i]:
                del env[name]
        return tuple(_carry(env[name], "int64") for name in self._graph.outputs)

    def trace(self, *xs: Array) -> dict[str, Array]:
        """Compute every value; int64 arrays by name."""
        env = self.environment(xs)
        for node in self._graph.nodes:
            operands = [_carry(env[name], self._carriers[node.name]) for name in node.inputs]
            env[node.name] = node.op.golden(*operands)
        return {name: _carry(x, "int64") for name, x in env.items()}

    def environment(self, xs: Sequence[Array]) -> dict[str, Array]:
        """Check the input batches and bind them to the graph's inputs."""
        graph = self._graph
        if len(xs) != len(graph.inputs):
            raise VerifyError(f"{graph.name}: takes {len(graph.inputs)} inputs, found {len(xs)}")
        for value, x in zip(graph.inputs, xs, strict=True):
            if tuple(x.shape[1:]) != value.type.shape:
                raise VerifyError(
                    f"{value.name}: expected shape (N, {', '.join(map(str, value.type.shape))}), "
                    f"found {tuple(x.shape)}; the first axis is the batch"
                )
            if x.shape[0] != xs[0].shape[0]:
                raise VerifyError(
                    f"{value.name}: has {x.shape[0]} frames, {graph.inputs[0].name} has "
                    f"{xs[0].shape[0]}; give as many for each input"
                )
            if x.shape[0] and (x.min() < value.type.lo or x.max() > value.type.hi):
                raise VerifyError(
                    f"{value.name}: integers run from {int(x.min())} to {int(x.max())}, expected "
                    f"[{value.type.lo}, {value.type.hi}]; quantize the input first"
                )
        return {value.name: x for value, x in zip(graph.inputs, xs, strict=True)}


def _carry(x: Array, carrier: str) -> Array:
    if isinstance(x, np.ndarray):
        return x if x.dtype == carrier else x.astype(carrier)
    xp: Any = namespace(x)
    dtype = getattr(xp, carrier)
    return x if x.dtype == dtype else xp.astype(x, dtype)


def interpret(graph: Graph, *xs: Array) -> tuple[Array, ...]:
    """Run ``graph`` once; see ``Interpreter.run``."""
    return Interpreter(graph).run(*xs)
