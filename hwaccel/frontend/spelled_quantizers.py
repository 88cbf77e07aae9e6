"""Quantizers that a model spells out: divide, add, round, clip, subtract, multiply.

Every step is a line, a limit or the rounding itself, of single numbers, so the order does not
matter: limits in front of the rounding are rounded, and lines on either side are one each. A number
that is one of two by a comparison is a quantizer of one bit.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod

import numpy as np
import torch

from hwaccel.frontend.compare import Compare
from hwaccel.frontend.floatgraph import (
    Affine,
    Clip,
    FakeQuant,
    FloatGraph,
    FloatNode,
    FloatOp,
    Floats,
    FloatValue,
    Gather,
    Relu,
    Reshape,
)
from hwaccel.frontend.formats import Ints
from hwaccel.frontend.fuse import needed
from hwaccel.frontend.quantize_calls import Rounded
from hwaccel.frontend.quantizers import Mode, Quantize, simplified
from hwaccel.fxp import IntArray

# Constants are float32 numbers: what they should give is known so far.
_NEAR = 1e-6
_MOST = 1 << 16


def recognize_quantizers(graph: FloatGraph) -> FloatGraph:
    """Return the graph with one op for every quantizer that is spelled out."""
    if not any(isinstance(node.op, Rounded | Compare) for node in graph.nodes):
        return graph
    return _Spelled(graph).run()


@dataclass(frozen=True, slots=True)
class _Line:
    """Element ``e`` of a value is ``scale[e] * x[source[e]] + offset[e]``, for ``x`` in limits.

    In front of a rounding the limits are those of the value instead.
    """

    source: Ints
    scale: Floats
    offset: Floats
    lo: float = -np.inf
    hi: float = np.inf

    def then(self, step: _Line) -> _Line:
        """Return the line of what ``step`` makes of the value."""
        at = step.source
        scale, offset = self.scale[at] * step.scale, self.offset[at] * step.scale + step.offset
        return replace(self, source=self.source[at], scale=scale, offset=offset)

    def within(self, lo: float, hi: float) -> _Line | None:
        """Return the line with limits of the value, which must be rising and one for all."""
        if np.ptp(self.scale) or np.ptp(self.offset) or self.scale[0] <= 0:
            return None
        a, b = float(self.scale[0]), float(self.offset[0])
        return replace(self, lo=max(self.lo, (lo - b) / a), hi=min(self.hi, (hi - b) / a))


class _Spelled:
    def __init__(self, graph: FloatGraph) -> None:
        self._graph = graph
        self._readers = graph.consumers()
        self._nodes = {node.name: node for node in graph.nodes}
        self._shapes = {value.name: value.shape for value in graph.inputs}
        self._shapes |= {node.name: node.output.shape for node in graph.nodes}

    def run(self) -> FloatGraph:
        """Put a quantizer in the place of the last step of each."""
        made: dict[str, list[FloatNode]] = {}
        for node in self._graph.nodes:
            if isinstance(node.op, Rounded | Compare):
                name, front = self._front(node)
                for last, behind in reversed(self._behind(node)):
                    op = _binary(node.op, front, behind) or _quantizer(node.op, front, behind)
                    if op is not None:
                        made[last.name] = self._placed(last, name, front, behind, op)
                        break
        nodes = [n for node in self._graph.nodes for n in made.get(node.name, [node])]
        return needed(replace(self._graph, nodes=tuple(nodes)))

    def _front(self, node: FloatNode) -> tuple[str, _Line]:
        """Follow lines, limits and moves backwards from what is rounded, or compared."""
        name = node.inputs[0]
        line = _itself(self._shapes[name])
        while name in self._nodes and isinstance(node.op, Rounded):
            maker = self._nodes[name]
            step, limits = _step(maker), _limits(maker.op)
            if limits is not None and _uniform(line):
                a, b = float(line.scale[0]), float(line.offset[0])
                lo, hi = (a * limit + b for limit in limits)
                line = replace(line, lo=max(line.lo, lo), hi=min(line.hi, hi))
            elif step is not None:
                line = replace(step.then(line), lo=line.lo, hi=line.hi)
            else:
                break
            name = maker.inputs[0]
        return name, line

    def _behind(self, node: FloatNode) -> list[tuple[FloatNode, _Line]]:
        """Return what only readers make of an integer, step by step, without moves at the end."""
        line = _itself(node.output.shape)
        found = [(node, line)]
        while len(self._readers[node.name]) == 1 and node.name not in self._graph.outputs:
            (node,) = self._readers[node.name]
            step, limits = _step(node), _limits(node.op)
            next = line.within(*limits) if limits is not None else step and line.then(step)
            if next is None:
                break
            line = next
            if isinstance(node.op, Affine) or limits is not None:
                found.append((node, line))
        return found

    def _placed(
        self, last: FloatNode, x: str, front: _Line, behind: _Line, op: Quantize
    ) -> list[FloatNode]:
        """Return moves of ``x``, the quantizer, and a reshape where channels are not apart."""
        shape, size = last.output.shape, len(behind.source)
        source = front.source[behind.source]
        made: list[FloatNode] = []

        def add(name: str, shape: tuple[int, ...], op: FloatOp) -> None:
            output = FloatValue(f"{last.name}_{name}" if name else last.name, shape)
            made.append(replace(last, output=output, op=op, inputs=(made[-1].name if made else x,)))

        if not np.array_equal(source, np.arange(prod(self._shapes[x]))):
            add("moved", shape, Gather(IntArray(source), shape))
        elif self._shapes[x] != shape:
            add("shaped", shape, Reshape(shape))
        rows = [v.reshape(shape[0], -1) for v in op.arrays]
        if all((row == row[:, :1]).all() for row in rows):
            add("", shape, _plain(op.of([row[:, 0] for row in rows])))
            return made
        add("flat", (size,), Reshape((size,)))
        add("rounded", (size,), _plain(op))
        add("", shape, Reshape(shape))
        return made


def _itself(shape: tuple[int, ...]) -> _Line:
    size = prod(shape)
    return _Line(np.arange(size), np.ones(size), np.zeros(size))


def _uniform(line: _Line) -> bool:
    return not np.ptp(line.scale) and not np.ptp(line.offset) and bool(line.scale[0] > 0)


def _step(node: FloatNode) -> _Line | None:
    """Return what an op does to each element, if that is a line or a move."""
    op, line = node.op, _itself(node.output.shape)
    if isinstance(op, Affine):
        each = len(line.source) // len(op.scale)
        return replace(line, scale=op.scale.repeat(each), offset=op.offset.repeat(each))
    if isinstance(op, Gather) and (op.source.a >= 0).all():
        return replace(line, source=op.source.a)
    return line if isinstance(op, Reshape) else None


def _limits(op: FloatOp) -> tuple[float, float] | None:
    if isinstance(op, Clip):
        return op.lo, op.hi
    return (0.0, np.inf) if isinstance(op, Relu) else None


def _plain(op: Quantize) -> FakeQuant | Quantize:
    made = simplified(op)
    return made.plain() or made


def _near(values: Floats, unit: float) -> Floats:
    """Return multiples of ``unit`` in the place of numbers close to one."""
    whole = np.rint(values / unit) * unit
    return np.where(np.abs(values - whole) <= _NEAR * np.maximum(1.0, np.abs(whole)), whole, values)


def _quantizer(op: FloatOp, front: _Line, behind: _Line) -> Quantize | None:
    """Return what rounds like ``op`` between two lines, one element of each per element."""
    at = behind.source
    if not isinstance(op, Rounded) or (front.scale <= 0).any() or (behind.scale <= 0).any():
        return None
    mode, offset = op.mode, _near(front.offset[at], 0.5)
    if mode is Mode.FLOOR and (offset % 1 == 0.5).all():
        mode, offset = Mode.HALF_UP, offset - 0.5
    ends = np.array([front.lo, front.hi])
    if np.isfinite(ends).any():
        ends = op.mode.round(torch.from_numpy(ends)).numpy()
    lo, hi = max(float(ends[0]), behind.lo), min(float(ends[1]), behind.hi)
    if not 0 < hi - lo < _MOST:
        return None
    back = _near(-behind.offset / behind.scale, 0.5)
    whole = _near(np.array([lo, hi]), 1.0)
    if (back % 0.5).any() or (whole % 1).any():
        return None
    scale, step = _float32(1.0 / front.scale[at]), _float32(behind.scale)
    if np.allclose(scale, step, rtol=_NEAR, atol=0):
        scale = step
    return Quantize(scale, step, offset, back, int(whole[0]), int(whole[1]), mode)


def _binary(op: FloatOp, front: _Line, behind: _Line) -> Quantize | None:
    """Return what is one of two numbers by a comparison."""
    if not isinstance(op, Compare) or (behind.scale <= 0).any():
        return None
    size = len(behind.source)
    limit = op.limit if len(op.limit) == 1 else op.limit.repeat(size // len(op.limit))
    above = 0.0 if op.strict else 1.0
    back = _near(-behind.offset / behind.scale, 0.5) - above
    if op.opposite or (back % 0.5).any() or not behind.offset.any():
        return None
    offset = -np.broadcast_to(limit, (len(front.source),))[behind.source]
    mode = Mode.CEIL if op.strict else Mode.FLOOR
    ones = np.ones(size)
    lo = 0 if op.strict else -1
    return Quantize(ones, behind.scale, offset, back, lo, lo + 1, mode)


def _float32(values: Floats) -> Floats:
    """Return float32 numbers in the place of what differs from them by float64 arithmetic."""
    near = values.astype(np.float32).astype(np.float64)
    return np.where(np.abs(near - values) <= 1e-12 * np.abs(values), near, values)
