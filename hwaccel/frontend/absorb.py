"""What quantizers take over from the ops in front of them.

A bias goes into the offset of the multiplication that a quantizer of another scale needs anyway,
where it has all bits that matter. A relu becomes the lower limit of the clip. A function becomes a
table whose entries are quantized: rounded once, like the model does it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar

import numpy as np
import torch

from hwaccel import ops
from hwaccel.frontend.floatgraph import (
    Add,
    Affine,
    Conv2d,
    Dense,
    FakeQuant,
    FloatGraph,
    FloatNode,
    FloatOp,
    Floats,
    FloatValue,
    Function,
    Gather,
    MaxPool2d,
    Relu,
    Reshape,
    Subtract,
)
from hwaccel.frontend.functions import values
from hwaccel.frontend.fuse import needed
from hwaccel.frontend.lower import Lower, Lowering
from hwaccel.frontend.quantizers import Quantize, is_power, narrowed
from hwaccel.frontend.requantize import Rescale
from hwaccel.fxp import IntArray

# Bits beyond activation_bits of what a function reads whose result is quantized.
_GUARD = 4


@dataclass(frozen=True, slots=True, eq=False)
class Entries(Function):
    """A function whose results are integers from ``lo`` to ``hi`` times ``2^-frac``."""

    kind: ClassVar[str] = "table"

    frac: int
    lo: int
    hi: int


def _entries(low: Lowering, node: FloatNode, op: Entries, x: str) -> str:
    """Tabulate; where the function has no value, any will do."""
    grid = low.grid(node, x)
    found = np.nan_to_num(np.ldexp(values(op, grid), op.frac), posinf=op.hi, neginf=op.lo)
    table = np.clip(np.rint(found), op.lo, op.hi).astype(np.int64)
    return low.add(node, ops.Tabulate(IntArray(table), low.type(x).lo, op.frac), x)


LOWER: dict[type[FloatOp], Lower] = {Entries: _entries}


def before_moves(graph: FloatGraph) -> FloatGraph:
    """Return the graph with quantizers, and relus, in front of moves instead of behind them.

    There the channels are those of the layer, which may have factors of their own.
    """
    if not any(isinstance(node.op, Quantize) for node in graph.nodes):
        return graph
    uses, made = graph.uses(), dict[str, FloatNode]()
    shapes = {value.name: value.shape for value in graph.inputs}
    for node in graph.nodes:
        made[node.name] = node
        maker = made.get(node.inputs[0])
        alike = isinstance(node.op, Relu | FakeQuant) or (
            isinstance(node.op, Quantize) and all(len(a) == 1 for a in node.op.arrays)
        )
        moves = maker is not None and (
            isinstance(maker.op, Reshape)
            or (isinstance(maker.op, Gather) and bool((maker.op.source.a >= 0).all()))
        )
        if alike and moves and maker is not None and uses[maker.name] == 1:
            (x,) = maker.inputs
            inner = FloatValue(maker.name, made[x].output.shape if x in made else shapes[x])
            made[maker.name] = replace(node, output=inner, inputs=(x,))
            made[node.name] = replace(maker, output=node.output, inputs=(maker.name,))
    return replace(graph, nodes=tuple(made.values()))


def absorb(graph: FloatGraph) -> FloatGraph:
    """Return the graph with fewer ops in front of quantizers."""
    return _Absorber(graph).run()


class _Absorber:
    def __init__(self, graph: FloatGraph) -> None:
        self._graph = graph
        self._uses = graph.uses()
        self._nodes = {node.name: node for node in graph.nodes}

    def run(self) -> FloatGraph:
        """Look at every quantizer."""
        for node in self._graph.nodes:
            node = self._nodes[node.name]
            if isinstance(node.op, Quantize):
                node = self._rectified(node)
                self._unbiased(node)
            if isinstance(self._nodes[node.name].op, Quantize | FakeQuant):
                self._tabled(self._nodes[node.name])
        return needed(replace(self._graph, nodes=tuple(self._nodes.values())))

    def _maker(self, name: str) -> FloatNode | None:
        """Return what makes a value that is read once."""
        return self._nodes.get(name) if self._uses[name] == 1 else None

    def _chain(self, node: FloatNode) -> list[FloatNode]:
        """Return the ops in front of ``node``, its own first, that keep channels and order."""
        found: list[FloatNode] = []
        maker = self._maker(node.inputs[0])
        while maker is not None:
            found.append(maker)
            same = maker.output.shape[:1] == self._shape(maker.inputs[0])[:1]
            if not isinstance(maker.op, Relu | MaxPool2d | Reshape) or not same:
                break
            maker = self._maker(maker.inputs[0])
        return found

    def _shape(self, name: str) -> tuple[int, ...]:
        inputs = {value.name: value.shape for value in self._graph.inputs}
        return inputs[name] if name in inputs else self._nodes[name].output.shape

    def _rectified(self, node: FloatNode) -> FloatNode:
        """Clip at what zero becomes in place of the first relu."""
        op = node.op
        assert isinstance(op, Quantize)
        zero = np.unique(op.mode.round(torch.from_numpy(op.offset)).numpy())
        for maker in self._chain(node):
            if not isinstance(maker.op, Relu) or len(zero) > 1:
                continue
            least = int(np.clip(zero[0], op.lo, op.hi))
            reader = next(n for n in self._nodes.values() if maker.name in n.inputs)
            self._uses[maker.inputs[0]] += self._uses[maker.name] - 1
            made = replace(reader, inputs=maker.inputs)
            self._nodes[reader.name] = made
            del self._nodes[maker.name]
            node = replace(self._nodes[node.name], op=replace(op, lo=least))
            self._nodes[node.name] = node
            break
        return node

    def _unbiased(self, node: FloatNode) -> None:
        """Move the bias of what is quantized, unless powers of two need no multiplication."""
        op, chain = node.op, self._chain(node)
        assert isinstance(op, Quantize)
        if not chain or (is_power(op.scale).all() and not op.offset.any()):
            return
        last = chain[-1]
        bias = _bias(last.op)
        if bias is None or not bias.any() or any(isinstance(n.op, Relu) for n in chain[:-1]):
            return
        name = "offset" if isinstance(last.op, Affine) else "bias"
        moved = replace(op, offset=op.offset + bias / op.scale)
        self._nodes[node.name] = replace(node, op=narrowed(moved))
        self._nodes[last.name] = replace(last, op=replace(last.op, **{name: np.zeros(len(bias))}))

    def _tabled(self, node: FloatNode) -> None:
        """Let a table hold what a quantizer makes of a function."""
        maker = self._maker(node.inputs[0])
        quantizer = node.op
        if maker is None or type(maker.op) is not Function:
            return
        if isinstance(quantizer, Quantize):
            back = quantizer.back[0]
            if any(len(a) > 1 for a in quantizer.arrays):
                return
            finer = int(back % 1 != 0)
            frac = round(float(-np.log2(quantizer.step[0]))) + finer
            ends = [int((end - back) * 2**finer) for end in (quantizer.lo, quantizer.hi)]
        else:
            assert isinstance(quantizer, FakeQuant)
            frac, ends = quantizer.frac, [quantizer.lo, quantizer.hi]
        call = partial(_single, maker.op.call, quantizer.run)
        self._nodes[node.name] = replace(
            node, op=Entries(call, frac, *ends), inputs=maker.inputs, path=maker.path
        )
        source = self._nodes.get(maker.inputs[0])
        if source is not None and isinstance(source.op, _WIDER):
            self._nodes[source.name] = replace(source, guard=max(source.guard, _GUARD))


_WIDER = (Dense, Conv2d, Affine, Rescale, Add, Subtract)


def _single(
    call: Callable[[torch.Tensor], torch.Tensor],
    quantize: Callable[[torch.Tensor], torch.Tensor],
    x: torch.Tensor,
) -> torch.Tensor:
    """Compute in float32, as the model does."""
    return quantize(call(x.to(torch.float32))).to(x.dtype)


def _bias(op: FloatOp) -> Floats | None:
    if isinstance(op, Dense | Conv2d):
        return op.bias
    return op.offset if isinstance(op, Affine) and (op.scale == 1).all() else None
