"""Normalization that the model spells out: ``(x - mean) / sqrt(var + eps)`` in calls of its own.

Rounding the variance to few bits, then its root, then the inverse would lose what makes
normalization work. So the whole is found in the float graph and becomes the one op that
``layer_norm`` is. Nothing is matched by name: moves of elements are followed element by element,
and the function of the mean square that is multiplied with may be any that falls.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch

from hwaccel.frontend.floatgraph import (
    Affine,
    AvgPool2d,
    Clip,
    FloatGraph,
    FloatNode,
    FloatOp,
    FloatValue,
    Function,
    Gather,
    Multiply,
    Reshape,
    Subtract,
)
from hwaccel.frontend.formats import Ints
from hwaccel.frontend.fuse import Call, elementwise, merge_equal, needed, uniform
from hwaccel.frontend.moments import Moment, Root, Standardize
from hwaccel.fxp import IntArray

# Where functions are compared, and where they must fall.
_PROBES = torch.logspace(-8, 8, 65, dtype=torch.float64, base=2.0)
_RANGE = torch.logspace(-40, 60, 401, dtype=torch.float64, base=2.0)
_GUARD = 4


@dataclass(frozen=True, slots=True)
class _Seen:
    """Element ``e`` of a value is ``call`` of element ``source[e]`` of value ``name``."""

    name: str
    source: Ints
    call: Call


@dataclass(frozen=True, slots=True)
class _Sums:
    """Sums over groups of elements of ``x``, divided; ``x[e]`` goes into sum ``group[e]``."""

    x: str
    group: Ints
    divisor: int


@dataclass(frozen=True, slots=True)
class _Behind:
    """Element ``e`` of a value is a multiple of element ``source[e]`` of ``name``.

    ``chain`` are the nodes that make it, in order.
    """

    name: str
    source: Ints
    chain: tuple[FloatNode, ...]


def recognize(graph: FloatGraph) -> FloatGraph:
    """Return the graph with one op for every normalization that is spelled out."""
    return _Spelled(merge_equal(graph)).run() or graph


class _Spelled:
    def __init__(self, graph: FloatGraph) -> None:
        self._graph = graph
        self._consumers = graph.consumers()
        self._nodes = {node.name: node for node in graph.nodes}
        self._shapes = {value.name: value.shape for value in graph.inputs}
        self._shapes |= {node.name: node.output.shape for node in graph.nodes}

    def run(self) -> FloatGraph | None:
        """Replace the last product of each; return nothing where there is none."""
        made: list[FloatNode] = []
        for node in self._graph.nodes:
            made += self._normalized(node) or [node]
        if len(made) == len(self._graph.nodes):
            return None
        return needed(replace(self._graph, nodes=tuple(made)))

    def _op(self, name: str) -> FloatOp | None:
        return self._nodes[name].op if name in self._nodes else None

    # --- what is found ----------------------------------------------------------------------

    def _normalized(self, node: FloatNode) -> list[FloatNode]:
        """Return what ``x * falling(sums of squares of x)`` becomes; nothing where it is not."""
        if not isinstance(node.op, Multiply):
            return []
        for x, factor in (node.inputs, node.inputs[::-1]):
            seen = self._through(factor, functions=True)
            sums = self._squares(seen.name)
            is_root = isinstance(self._op(seen.name), Root)
            call = _after_root(seen.call) if is_root else seen.call
            if sums is None or not _falls(call):
                continue
            for behind in self._behind(x):
                if np.array_equal(sums.group[behind.source], seen.source):
                    found = self._rows(behind.name, sums, seen.name)
                    if found is not None:
                        centered = found.x != behind.name
                        op = Standardize(centered, sums.divisor, call, _offset(call))
                        return self._made(node, found, op, behind)
        return []

    def _behind(self, name: str) -> Iterator[_Behind]:
        """Yield ``name`` and what it is a move, or a multiple by constants, of."""
        source = np.arange(_size(self._shapes[name]))
        chain: tuple[FloatNode, ...] = ()
        yield _Behind(name, source, chain)
        while name in self._nodes:
            node = self._nodes[name]
            if isinstance(node.op, Gather):
                if not np.array_equal(np.sort(node.op.source.a), np.arange(len(source))):
                    return
                source = node.op.source.a[source]
            elif not isinstance(node.op, Affine | Reshape) or _shifts(node.op):
                return
            name, chain = node.inputs[0], (node, *chain)
            if len(source) != _size(self._shapes[name]):
                return
            yield _Behind(name, source, chain)

    def _rows(self, x: str, sums: _Sums, name: str) -> _Sums | None:
        """Return what is standardized if ``x`` is that, or that less its mean."""
        below = self._centered(x, sums.group)
        op = self._op(name)
        if isinstance(op, Moment | Root) and op.centered:
            return sums if below == sums.x else None
        return replace(sums, x=below or x) if sums.x == x else None

    def _squares(self, name: str) -> _Sums | None:
        """Return the sums of squares that value ``name`` is."""
        op = self._op(name)
        if isinstance(op, Moment | Root):
            image = self._nodes[name].inputs[0]
            size = self._shapes[image][-1]
            return self._traced(image, np.arange(_size(self._shapes[image])) // size, op.divisor)
        sums = self._pool(name)
        if sums is None or sums.x not in self._nodes:
            return None
        square = self._nodes[sums.x]
        if isinstance(square.op, Multiply) and len(set(square.inputs)) == 1:
            return replace(sums, x=square.inputs[0])
        if isinstance(square.op, Function) and _squares(square.op):
            return replace(sums, x=square.inputs[0])
        return None

    def _pool(self, name: str) -> _Sums | None:
        """Return the sums over windows side by side that value ``name`` is."""
        op = self._op(name)
        if not isinstance(op, AvgPool2d) or op.stride != op.kernel or any(op.padding):
            return None
        image = self._nodes[name].inputs[0]
        _, height, width = self._shapes[image]
        if height % op.kernel[0] or width % op.kernel[1]:
            return None
        pooled = np.arange(_size(self._shapes[name])).reshape(self._shapes[name])
        group = pooled.repeat(op.kernel[0], 1).repeat(op.kernel[1], 2)
        return self._traced(image, group.ravel(), op.divisor)

    def _traced(self, image: str, group: Ints, divisor: int) -> _Sums | None:
        """Return groups of elements of ``image`` as groups of those of what it is a move of."""
        seen = self._through(image, functions=False)
        if not np.array_equal(np.sort(seen.source), np.arange(_size(self._shapes[seen.name]))):
            return None
        return _Sums(seen.name, group[np.argsort(seen.source)], divisor)

    def _centered(self, name: str, group: Ints) -> str | None:
        """Return ``x`` where ``name`` is ``x`` minus its mean over each group."""
        node = self._nodes.get(name)
        if node is None or not isinstance(node.op, Subtract):
            return None
        x, mean = node.inputs
        seen = self._through(mean, functions=False)
        sums = self._pool(seen.name)
        if sums is None or sums.x != x or sums.divisor != len(group) // (1 + int(group.max())):
            return None
        same = np.array_equal(seen.source, sums.group)
        return x if same and np.array_equal(_canonical(sums.group), _canonical(group)) else None

    def _through(self, name: str, *, functions: bool) -> _Seen:
        """Follow moves backwards, and functions of one number where they may be in between."""
        source = np.arange(_size(self._shapes[name]))
        calls: list[Call] = []
        while name in self._nodes:
            node = self._nodes[name]
            if isinstance(node.op, Gather):
                if (node.op.source.a < 0).any():
                    break
                source = node.op.source.a[source]
            elif functions and isinstance(node.op, Function | Clip | Affine) and uniform(node.op):
                calls.append(elementwise(node.op))
            elif not isinstance(node.op, Reshape):
                break
            name = node.inputs[0]
        return _Seen(name, source, _chain(calls[::-1]))

    # --- what it becomes --------------------------------------------------------------------

    def _made(
        self, node: FloatNode, sums: _Sums, op: Standardize, behind: _Behind
    ) -> list[FloatNode]:
        """Return the nodes that bring the groups into rows, standardize these, and turn back.

        The moves and multiples in front of the product come behind it.
        """
        group = _canonical(sums.group)
        order = np.argsort(group, kind="stable")
        groups = 1 + int(group.max())
        size = len(order) // groups
        kept = np.array_equal(order, np.arange(len(order)))
        shape = (groups, 1, size) if kept else (1, groups, size)
        result = self._shapes[behind.name]
        there = Reshape(shape) if kept else Gather(IntArray(order), shape)
        back = Reshape(result) if kept else Gather(IntArray(np.argsort(order)), result)
        scaled = any(isinstance(n.op, Affine) for n in behind.chain)
        guard = _GUARD if scaled or self._only_scaled(node.name) else node.guard
        made = [self._named(node, "rows", shape, there, sums.x)]
        made.append(replace(self._named(node, "rooted", shape, op, made[0].name), guard=guard))
        made.append(self._named(node, "turned", result, back, made[1].name))
        for step in behind.chain:
            made.append(self._named(node, "moved", step.output.shape, step.op, made[-1].name))
        return [*made[:-1], replace(made[-1], output=node.output)]

    def _named(
        self, node: FloatNode, suffix: str, shape: tuple[int, ...], op: FloatOp, x: str
    ) -> FloatNode:
        name, number = f"{node.name}_{suffix}", 1
        while name in self._shapes:
            number += 1
            name = f"{node.name}_{suffix}_{number}"
        self._shapes[name] = shape
        return FloatNode(FloatValue(name, shape), op, (x,), node.path)

    def _only_scaled(self, name: str) -> bool:
        readers = self._consumers[name]
        inside = bool(readers) and name not in self._graph.outputs
        return inside and all(
            isinstance(r.op, Affine)
            or (isinstance(r.op, Gather | Reshape) and self._only_scaled(r.name))
            for r in readers
        )


def _shifts(op: FloatOp) -> bool:
    return isinstance(op, Affine) and bool(op.offset.any())


def _size(shape: tuple[int, ...]) -> int:
    return int(np.prod(shape))


def _canonical(group: Ints) -> Ints:
    """Number groups in the order of their first elements."""
    _, first, inverse = np.unique(group, return_index=True, return_inverse=True)
    rank: Ints = np.argsort(np.argsort(first))[inverse]
    return rank


def _chain(calls: list[Call]) -> Call:
    def chain(x: torch.Tensor) -> torch.Tensor:
        for call in calls:
            x = call(x)
        return x

    return chain


def _after_root(call: Call) -> Call:
    return lambda x: call(x.sqrt())


def _squares(op: Function) -> bool:
    both = torch.cat([-_PROBES, _PROBES])
    return bool((op.run(both) == both * both).all())


def _falls(call: Call) -> bool:
    """Tell whether ``call`` is positive and falls, nowhere faster than ``1 / x``.

    So its relative error is no larger than that of its operand.
    """
    y = call(_RANGE)
    proper = bool(torch.isfinite(y).all() and (y > 0).all() and y[0] > y[-1])
    ratio, slowest = y[1:] / y[:-1], _RANGE[:-1] / _RANGE[1:]
    return proper and bool(((ratio <= 1) & (ratio >= slowest * (1 - 1e-9))).all())


def _offset(call: Call) -> float:
    """Return ``eps`` where ``call`` is ``1 / sqrt(x + eps)``, and 0 elsewhere."""
    eps = float(call(torch.zeros(1, dtype=torch.float64))) ** -2
    if not 0 < eps < np.inf:
        return 0.0
    at = torch.tensor([eps, 3 * eps], dtype=torch.float64)
    return eps if torch.allclose(call(at), torch.rsqrt(at + eps), rtol=1e-9) else 0.0
