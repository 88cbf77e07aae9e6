"""Factor scales out of a float graph, until every quantizer counts in powers of two.

Each value ``v`` becomes ``v = factor * v'`` with a positive factor, one number or one per channel,
and the graph computes ``v'``: quantizers and weights give integers times powers of two, and factors
go on to what reads them. They meet in the next quantizer, which divides by its own scale anyway.
Elsewhere (at outputs, in sums of values with different factors, in front of what is not linear)
they are multiplied in by a ``Rescale``. The factor of powers of two is one, so nothing changes
there.

(B. Jacob et al., *Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference*, CVPR 2018, section 2.2, multiply like this behind each layer.)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import torch

from hwaccel.frontend.compare import Compare, Select
from hwaccel.frontend.contract import Contract
from hwaccel.frontend.extrema import MinPool2d, Place
from hwaccel.frontend.floatgraph import (
    Add,
    Affine,
    AvgPool2d,
    Clip,
    Concat,
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
    MinMax,
    Multiply,
    Relu,
    Reshape,
    Role,
    Round,
    Subtract,
    ZeroPad2d,
)
from hwaccel.frontend.formats import exact_frac
from hwaccel.frontend.fuse import needed
from hwaccel.frontend.indices import Lookup
from hwaccel.frontend.piecewise import Leaky
from hwaccel.frontend.quantizers import Mode, Quantize, is_power, narrowed
from hwaccel.frontend.requantize import Rescale
from hwaccel.frontend.units import bits_of, units
from hwaccel.ir import unique_name

# Numbers that float32 cannot tell apart are taken as equal.
_SAME = 2.0**-22
# Bits of the integers that take the place of factors outside of quantizers.
RESCALE_BITS = 20
# The same at outputs.
OUTPUT_BITS = 24
_GUARD = 4
_ONE = np.ones(1)
_LINEAR = (Relu, MaxPool2d, MinPool2d, ZeroPad2d, Leaky, Round)


def factor_scales(graph: FloatGraph) -> FloatGraph:
    """Return the graph with powers of two as the only scales of values.

    A graph that states no formats is returned as it is.
    """
    if not any(node.op.role is Role.QUANTIZE for node in graph.nodes):
        return graph
    return _Scales(graph).run()


class _Scales:
    """``_now`` names what stands for each value, ``_factor`` what that is to be multiplied by.

    ``_grid`` are the fraction bits of what quantizers gave, which is narrow.
    """

    def __init__(self, graph: FloatGraph) -> None:
        self._graph = graph
        self._shapes = {value.name: value.shape for value in graph.inputs}
        self._shapes |= {node.name: node.output.shape for node in graph.nodes}
        self._nodes: list[FloatNode] = []
        self._now = {value.name: value.name for value in graph.inputs}
        self._factor: dict[str, Floats] = {value.name: _ONE for value in graph.inputs}
        self._grid: dict[str, int] = {}
        self._settled = settled(graph)

    def run(self) -> FloatGraph:
        """Rewrite node by node."""
        for node in self._graph.nodes:
            rule = _RULES.get(type(node.op), _Scales._other)
            if isinstance(node.op, Function):
                rule = _Scales._function
            op, inputs, factor = rule(self, node, *node.inputs)
            if op is None:
                self._now[node.name] = inputs[0]
            else:
                self._now[node.name] = node.name
                self._nodes.append(replace(node, op=op, inputs=inputs))
            self._note(node, factor)
        outputs = tuple(self._named(name) for name in self._graph.outputs)
        return needed(replace(self._graph, nodes=tuple(self._nodes), outputs=outputs))

    def _note(self, node: FloatNode, factor: Floats) -> None:
        factor = factor[:1] if (factor == factor[0]).all() else factor
        self._factor[node.name] = factor
        op = self._nodes[-1].op if self._nodes else None
        if node.op.role is Role.QUANTIZE:
            frac = op.frac if isinstance(op, FakeQuant) else None
            if isinstance(op, Quantize):
                frac = round(float(-np.log2(op.step[0]))) + int((op.back % 1).any())
            if frac is not None:
                self._grid[node.name] = frac
        elif node.op.role is Role.KEEP and all(name in self._grid for name in node.inputs):
            self._grid[node.name] = max(self._grid[name] for name in node.inputs)

    # --- bringing factors together -----------------------------------------------------------

    def _to(self, name: str, target: Floats, path: str, bits: int = RESCALE_BITS) -> str:
        """Return what times ``target`` is ``name``."""
        ratio = _snapped(self._factor[name] / target)
        if (ratio == 1).all():
            return self._now[name]
        shape = self._shapes[name]
        made = unique_name(f"{self._now[name]}_rescale", self._shapes)
        self._shapes[made] = shape
        inputs = (self._now[name],)
        self._nodes.append(
            FloatNode(FloatValue(made, shape), Rescale(ratio, bits), inputs, path, _GUARD)
        )
        return made

    def _named(self, name: str) -> str:
        """Return an output, with its factor multiplied in."""
        path = next((n.path for n in self._graph.nodes if n.name == name), "")
        return self._to(name, _ONE, path, OUTPUT_BITS)

    def _scalar(self, name: str, path: str) -> tuple[str, Floats]:
        """Return a value with one factor for all channels."""
        factor = self._factor[name]
        if len(factor) == 1:
            return self._now[name], factor
        target = factor[factor.argmax()][None]
        return self._to(name, target, path), target

    def _common(self, a: str, b: str, path: str) -> tuple[tuple[str, ...], Floats]:
        """Return two values with the same factors; what quantizers gave is multiplied."""
        first, second = self._factor[a], self._factor[b]
        if a in self._grid and b not in self._grid:
            return (self._to(a, second, path), self._now[b]), second
        return (self._now[a], self._to(b, first, path)), first

    # --- rules: what takes the place of an op, its operands, and the factor of the result ------

    def _other(self, node: FloatNode, *xs: str) -> _Rewritten:
        return node.op, tuple(self._to(x, _ONE, node.path) for x in xs), _ONE

    def _linear(self, node: FloatNode, x: str) -> _Rewritten:
        return node.op, (self._now[x],), self._factor[x]

    def _quantize(self, node: FloatNode, x: str) -> _Rewritten:
        op = node.op
        if isinstance(op, FakeQuant):
            if (self._factor[x] == 1).all():
                return op, (self._now[x],), _ONE
            step, zero = np.array([2.0**-op.frac]), np.zeros(1)
            op = Quantize(step, step, zero, zero, op.lo, op.hi, Mode.HALF_EVEN)
        assert isinstance(op, Quantize)
        _, exponent = np.frexp(op.step.max())
        step = np.array([2.0 ** (int(exponent) - 1)])
        scale = step * _snapped(op.scale / self._factor[x] / step)
        made = narrowed(replace(op, scale=scale, step=step))
        return made.plain() or made, (self._now[x],), op.step / step

    def _dense(self, node: FloatNode, x: str) -> _Rewritten:
        op = node.op
        assert isinstance(op, Dense | Conv2d)
        found = units(op.weight)
        if found is None:
            name, factor = self._scalar(x, node.path)
            return replace(op, bias=op.bias / factor), (name,), factor
        weight, bits = found.exact, found.bits
        name, factor = self._operand(op, x, node.path)
        if len(factor) > 1 and _groups(op) == 1:
            ratio = factor / factor.max()
            weight = weight * ratio.reshape(1, -1, *[1] * (weight.ndim - 2))
            factor, bits = factor.max()[None], bits_of(weight)
        elif len(factor) > 1:
            factor = factor[:: len(factor) // _groups(op)].repeat(len(weight) // _groups(op))
        factor = factor * found.factor
        bias = self._bias(op.bias / factor, weight, x)
        return replace(op, weight=weight, bias=bias, bits=bits), (name,), factor

    def _operand(self, op: FloatOp, x: str, path: str) -> tuple[str, Floats]:
        """Return an operand of weights; its factors may differ where weights can take them."""
        factor, groups = self._factor[x], _groups(op)
        rows = factor.reshape(groups, -1) if len(factor) > 1 else factor[None]
        apart = groups > 1 and bool((rows == rows[:, :1]).all())
        if apart or (groups == 1 and is_power(factor / factor.max()).all()):
            return self._now[x], factor
        return self._scalar(x, path)

    def _bias(self, bias: Floats, weight: Floats, x: str) -> Floats:
        """Return a bias that is an integer of the accumulator's, but for float32, as that."""
        if x not in self._grid:
            return bias
        unit = np.ldexp(1.0, -self._grid[x] - int(exact_frac(weight.reshape(1, -1))[0]))
        whole = np.rint(bias / unit) * unit
        return np.where(np.abs(whole - bias) <= _SAME * np.abs(bias), whole, bias)

    def _affine(self, node: FloatNode, x: str) -> _Rewritten:
        op, factor = node.op, self._factor[x]
        assert isinstance(op, Affine)
        if node.name not in self._settled and np.ptp(op.scale) > 0:
            return Affine(op.scale * factor, op.offset), (self._now[x],), _ONE
        factor = factor * np.where(op.scale == 0, 1.0, np.abs(op.scale))
        if (op.scale > 0).all() and not op.offset.any():
            return None, (self._now[x],), factor
        return Affine(np.sign(op.scale), op.offset / factor), (self._now[x],), factor

    def _average(self, node: FloatNode, x: str) -> _Rewritten:
        op, factor = node.op, self._factor[x]
        assert isinstance(op, AvgPool2d)
        odd = op.divisor // (op.divisor & -op.divisor)
        if node.name not in self._settled:
            odd = 1
        return replace(op, divisor=op.divisor // odd), (self._now[x],), factor / odd

    def _moved(self, node: FloatNode, x: str) -> _Rewritten:
        op, shape = node.op, self._shapes[x]
        assert isinstance(op, Reshape | Gather)
        if isinstance(op, Gather) and op.fill and (op.source.a < 0).any():
            name, factor = self._scalar(x, node.path)
            return replace(op, fill=op.fill / float(factor[0])), (name,), factor
        if len(self._factor[x]) == 1:
            return op, (self._now[x],), self._factor[x]
        each = self._factor[x].reshape(-1, *[1] * (len(shape) - 1))
        flat = np.broadcast_to(each, shape).ravel()
        places = op.source.a if isinstance(op, Gather) else np.arange(len(flat))
        rows = np.where(places < 0, np.nan, flat[places]).reshape(op.shape[0], -1)
        # What is filled with zeros may have any factor.
        factor = np.nanmax(rows, axis=1, initial=0.0, where=~np.isnan(rows))
        factor = np.where(factor == 0, flat[0], factor)
        if ((rows == factor[:, None]) | np.isnan(rows)).all():
            return op, (self._now[x],), factor
        name, factor = self._scalar(x, node.path)
        return op, (name,), factor

    def _concat(self, node: FloatNode, a: str, b: str) -> _Rewritten:
        parts = [np.broadcast_to(self._factor[x], (self._shapes[x][0],)) for x in (a, b)]
        return node.op, (self._now[a], self._now[b]), np.concatenate(parts)

    def _same(self, node: FloatNode, a: str, b: str) -> _Rewritten:
        return node.op, *self._common(a, b, node.path)

    def _select(self, node: FloatNode, condition: str, a: str, b: str) -> _Rewritten:
        names, factor = self._common(a, b, node.path)
        return node.op, (self._now[condition], *names), factor

    def _product(self, node: FloatNode, a: str, b: str) -> _Rewritten:
        return node.op, (self._now[a], self._now[b]), self._factor[a] * self._factor[b]

    def _contract(self, node: FloatNode, a: str, b: str) -> _Rewritten:
        (x, first), (y, second) = (self._scalar(name, node.path) for name in (a, b))
        return node.op, (x, y), first * second

    def _clip(self, node: FloatNode, x: str) -> _Rewritten:
        assert isinstance(node.op, Clip)
        name, factor = self._scalar(x, node.path)
        lo, hi = node.op.lo / float(factor[0]), node.op.hi / float(factor[0])
        return Clip(lo, hi), (name,), factor

    def _compare(self, node: FloatNode, x: str) -> _Rewritten:
        assert isinstance(node.op, Compare)
        op = replace(node.op, limit=node.op.limit / self._factor[x])
        return op, (self._now[x],), _ONE

    def _place(self, node: FloatNode, x: str) -> _Rewritten:
        return node.op, (self._scalar(x, node.path)[0],), _ONE

    def _lookup(self, node: FloatNode, x: str) -> _Rewritten:
        op = node.op
        assert isinstance(op, Lookup)
        found = units(op.weight.reshape(1, -1))
        if found is None:
            return op, (self._now[x],), _ONE
        weight = found.exact.reshape(op.weight.shape)
        return Lookup(weight, found.bits), (self._now[x],), found.factor

    def _function(self, node: FloatNode, x: str) -> _Rewritten:
        assert isinstance(node.op, Function)
        name, factor = self._scalar(x, node.path)
        if factor[0] == 1:
            return node.op, (name,), _ONE
        return Function(partial(_scaled, node.op.call, float(factor[0]))), (name,), _ONE


_Rewritten = tuple[FloatOp | None, tuple[str, ...], Floats]
_RULES: dict[type[FloatOp], Callable[..., _Rewritten]] = {
    **dict.fromkeys(_LINEAR, _Scales._linear),
    **dict.fromkeys((Quantize, FakeQuant), _Scales._quantize),
    **dict.fromkeys((Dense, Conv2d), _Scales._dense),
    **dict.fromkeys((Reshape, Gather), _Scales._moved),
    **dict.fromkeys((Add, Subtract, MinMax), _Scales._same),
    Affine: _Scales._affine,
    AvgPool2d: _Scales._average,
    Concat: _Scales._concat,
    Select: _Scales._select,
    Multiply: _Scales._product,
    Contract: _Scales._contract,
    Clip: _Scales._clip,
    Compare: _Scales._compare,
    Place: _Scales._place,
    Lookup: _Scales._lookup,
}


def settled(graph: FloatGraph) -> set[str]:
    """Return the values that only quantizers read, through ops that are linear or monotone."""
    readers, found = graph.consumers(), set[str]()
    for node in reversed(graph.nodes):
        inner = bool(readers[node.name]) and node.name not in graph.outputs
        if inner and all(
            reader.op.role is Role.QUANTIZE
            or (
                (reader.op.role in (Role.KEEP, Role.SUM) or isinstance(reader.op, Affine))
                and reader.name in found
            )
            for reader in readers[node.name]
        ):
            found.add(node.name)
    return found


def _groups(op: FloatOp) -> int:
    return op.groups if isinstance(op, Conv2d) else 1


def _scaled(
    call: Callable[[torch.Tensor], torch.Tensor], factor: float, x: torch.Tensor
) -> torch.Tensor:
    return call(x * factor)


def _snapped(ratio: Floats) -> Floats:
    """Return ratios that float32 cannot tell from a power of two as that."""
    power = 2.0 ** np.rint(np.log2(ratio))
    return np.where(np.abs(ratio - power) <= _SAME * power, power, ratio)
