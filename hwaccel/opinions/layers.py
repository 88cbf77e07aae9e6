"""A graph as layers that other tools know, with exact numbers and the types they need.

A layer is what hls4ml computes in one call: an op, and the rounding behind it. Its numbers are real
ones, so per-channel shifts are in the weights. What has no such layer is left out and says why;
what reads its result is given the golden one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwaccel.fxp import FixedType, Overflow, Rounding
from hwaccel.ir import Graph, Node
from hwaccel.ir.op import Op
from hwaccel.ir.types import TensorType
from hwaccel.ops import (
    Add,
    Concat,
    Conv2d,
    Dense,
    MaxPool2d,
    Multiply,
    Relu,
    Requant,
    Reshape,
    Scale,
    SumPool2d,
)
from hwaccel.ops.reshape import stream_order

Floats = NDArray[np.float64]

_MODES = {
    Rounding.FLOOR: "AP_TRN",
    Rounding.HALF_UP: "AP_RND",
    Rounding.HALF_EVEN: "AP_RND_CONV",
}


@dataclass(frozen=True, slots=True)
class Source:
    """A value that the layers are given: an input of the graph, or what is not converted."""

    name: str
    value: str
    type: TensorType


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """One layer: what it is called in torch, its operands, numbers, and types by their use.

    ``nodes`` are those of the graph that it stands for; the last makes what the layer gives.
    ``fracs`` are the bits behind the point of its operands. The graph may flatten images pixel by
    pixel, PyTorch goes channel by channel: ``order`` says where the elements of the operand are.
    """

    name: str
    kind: str
    inputs: tuple[str, ...]
    nodes: tuple[Node, ...]
    fracs: tuple[int, ...] = ()
    order: tuple[int, ...] = ()
    arguments: dict[str, Any] = field(default_factory=dict)
    arrays: dict[str, Floats] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)

    @property
    def value(self) -> str:
        """The value of the graph that the layer gives."""
        return self.nodes[-1].name

    @property
    def path(self) -> str:
        """The module it came from, or the node."""
        return next((node.path for node in self.nodes if node.path), self.nodes[0].name)


@dataclass(frozen=True, slots=True)
class Refused:
    """A node that is not converted, and why."""

    node: Node
    why: str


@dataclass(frozen=True, slots=True)
class Layers:
    """A graph as layers, in order."""

    sources: tuple[Source, ...]
    layers: tuple[Layer, ...]
    refused: tuple[Refused, ...]


class _RefusedError(Exception):
    """Why a node has no layer."""


def layers_of(graph: Graph) -> Layers:
    """Return the layers of ``graph``; nothing is computed."""
    return _Translator(graph).run()


def ap_type(fixed: FixedType, mode: str = "", overflow: str = "") -> str:
    """Return the name of a format in C++: ``ap_fixed<W,I>``, with its roundings."""
    kind = "ap_fixed" if fixed.signed else "ap_ufixed"
    more = f",{mode},{overflow}" if mode else ""
    return f"{kind}<{fixed.width},{fixed.width - fixed.frac}{more}>"


class _Translator:
    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._types = graph.types()
        self._uses = graph.uses()
        self._layers: list[Layer] = []
        self._refused: list[Refused] = []
        # Values that layers give, by the name of the layer.
        self._made: dict[str, int] = {}
        self._sources: dict[str, Source] = {}
        # Where the elements of a flattened image are, for each one of the graph's.
        self._orders: dict[str, tuple[int, ...]] = {}

    def run(self) -> Layers:
        """Translate node by node."""
        for node in self._graph.nodes:
            try:
                self._node(node)
            except _RefusedError as error:
                self._refused.append(Refused(node, str(error)))
        return Layers(tuple(self._sources.values()), tuple(self._layers), tuple(self._refused))

    def _node(self, node: Node) -> None:
        if isinstance(node.op, Requant):
            self._round(node, node.op)
            return
        translate = _LAYERS.get(type(node.op))
        if translate is None:
            raise _RefusedError(f"hls4ml has no layer that does what {node.op.name} does")
        ins = tuple(self._types[name] for name in node.inputs)
        kind, arguments, arrays, types = translate(node.op, ins, node.output.type)
        order = self._orders.get(node.inputs[0], ())
        if isinstance(node.op, Reshape) and node.op.channels_last:
            self._orders[node.name] = tuple(stream_order(ins[0].shape).tolist())
        elif order and not isinstance(node.op, Dense):
            raise _RefusedError("only a matrix product reads what is flattened pixel by pixel")
        elif order:
            arrays = arrays | {"weight": _placed(arrays["weight"], order)}
        self._add(Layer("", kind, (), (node,), (), order, arguments, arrays, types))

    def _add(self, layer: Layer) -> None:
        name = f"n{len(self._layers)}"
        inputs = tuple(self._operand(value) for value in layer.nodes[0].inputs)
        self._made[layer.value] = len(self._layers)
        fracs = tuple(self._types[value].frac for value in layer.nodes[0].inputs)
        self._layers.append(replace(layer, name=name, inputs=inputs, fracs=fracs))

    def _operand(self, value: str) -> str:
        if value in self._made:
            return self._layers[self._made[value]].name
        if value not in self._sources:
            name = f"x{len(self._sources)}"
            self._sources[value] = Source(name, value, self._types[value])
        return self._sources[value].name

    def _round(self, node: Node, op: Requant) -> None:
        """Let the layer in front round, or a rectifier, if that is what it does."""
        (value,) = node.inputs
        if value in self._orders:
            raise _RefusedError("only a matrix product reads what is flattened pixel by pixel")
        result = ap_type(*self._rounding(node, op))
        x = self._types[value]
        rectifies = op.lo == 0 and x.lo < 0 and op.overflow is Overflow.SATURATE
        at = self._made.get(value)
        if rectifies:
            self._add(Layer("", "ReLU", (), (node,), types={"result": result}))
            return
        if at is not None and self._uses[value] == 1 and len(self._layers[at].nodes) == 1:
            layer = self._layers[at]
            if layer.kind not in ("Flatten", "cat"):
                self._made[node.name] = at
                self._layers[at] = replace(
                    layer, nodes=(*layer.nodes, node), types=layer.types | {"result": result}
                )
                return
        if x.lo < 0:
            raise _RefusedError(
                "hls4ml rounds only at the end of a layer, and this rounds what others read as it "
                "is, or what no layer gives"
            )
        self._add(Layer("", "ReLU", (), (node,), types={"result": result}))

    def _rounding(self, node: Node, op: Requant) -> tuple[FixedType, str, str]:
        """Return format, rounding and saturation that do what ``op`` does."""
        x = self._types[node.inputs[0]]
        mode = _MODES[op.rounding] if op.shift > 0 else "AP_TRN"
        fixed = FixedType.of_range(op.lo, op.hi, x.frac - op.shift)
        if op.fits(x):
            return fixed, mode, "AP_WRAP"
        if op.overflow is Overflow.WRAP:
            return fixed, mode, "AP_WRAP"
        if (op.lo, op.hi) == (fixed.lo, fixed.hi):
            return fixed, mode, "AP_SAT"
        if op.lo == -op.hi and op.hi == fixed.hi:
            return fixed, mode, "AP_SAT_SYM"
        raise _RefusedError(f"clips to [{op.lo}, {op.hi}], where no ap_fixed saturates")


def _placed(weight: Floats, order: tuple[int, ...]) -> Floats:
    made = np.empty_like(weight)
    made[:, list(order)] = weight
    return made


# --- layers -----------------------------------------------------------------------------------

_Made = tuple[str, dict[str, Any], dict[str, Floats], dict[str, str]]


def _real(ints: NDArray[np.int64], frac: int) -> Floats:
    made: Floats = np.ldexp(ints.astype(np.float64), -frac)
    return made


def _weight_type(ints: NDArray[np.int64], frac: int) -> str:
    return ap_type(FixedType.of_range(int(ints.min()), int(ints.max()), frac))


def _signed(type: TensorType, factor: int = 1) -> str:
    """Return the type in which sums that end in ``type`` are made; it wraps, and ends right."""
    return ap_type(FixedType.of_range(min(type.lo * factor, -1), type.hi * factor, type.frac))


def _sums(
    op: Dense | Conv2d, weight: NDArray[np.int64], x: TensorType, y: TensorType
) -> tuple[dict[str, Floats], dict[str, str]]:
    shifted = weight << op.shift.a.reshape(-1, *[1] * (weight.ndim - 1))
    arrays = {"weight": _real(shifted, op.weight_frac), "bias": _real(op.bias.a, y.frac)}
    types = {
        "weight": _weight_type(shifted, op.weight_frac),
        "bias": _weight_type(op.bias.a, y.frac),
        "accum": _signed(y),
        "result": ap_type(y.fixed),
    }
    return arrays, types


def _dense(op: Dense, ins: tuple[TensorType, ...], y: TensorType) -> _Made:
    if len(ins[0].shape) != 1:
        raise _RefusedError("hls4ml computes a matrix product with a vector only")
    outputs, inputs = op.weight.shape
    arguments = {"in_features": inputs, "out_features": outputs}
    return ("Linear", arguments, *_sums(op, op.weight.a, ins[0], y))


def _conv2d(op: Conv2d, ins: tuple[TensorType, ...], y: TensorType) -> _Made:
    if len(ins[0].shape) != 3:
        raise _RefusedError("a convolution of sequences is not translated")
    top, left, bottom, right = op.padding
    if (top, left) != (bottom, right):
        raise _RefusedError("PyTorch pads both sides alike, and this pads them differently")
    weight = _ungrouped(op.weight.a, op.groups)
    arguments = {
        "in_channels": weight.shape[1],
        "out_channels": weight.shape[0],
        "kernel_size": list(weight.shape[2:]),
        "stride": list(op.stride),
        "padding": [top, left],
        "dilation": list(op.dilation),
    }
    return ("Conv2d", arguments, *_sums(op, weight, ins[0], y))


def _ungrouped(weight: NDArray[np.int64], groups: int) -> NDArray[np.int64]:
    """Return the weights of the convolution without groups that computes the same.

    hls4ml's PyTorch converter takes none with groups; between groups the weights are zero.
    """
    outputs, inputs = weight.shape[:2]
    made = np.zeros((outputs, inputs * groups, *weight.shape[2:]), np.int64)
    for group, rows in enumerate(np.split(np.arange(outputs), groups)):
        made[rows, group * inputs : (group + 1) * inputs] = weight[rows]
    return made


def _scale(op: Scale, ins: tuple[TensorType, ...], y: TensorType) -> _Made:
    kind = "BatchNorm2d" if len(y.shape) == 3 else "BatchNorm1d"
    arrays = {"weight": _real(op.mult.a, op.mult_frac), "bias": _real(op.add.a, y.frac)}
    types = {
        "scale": _weight_type(op.mult.a, op.mult_frac),
        "bias": _weight_type(op.add.a, y.frac),
        "accum": _signed(y),
        "result": ap_type(y.fixed),
    }
    return kind, {"num_features": len(op.mult.a), "eps": 0.0}, arrays, types


def _relu(op: Relu, ins: tuple[TensorType, ...], y: TensorType) -> _Made:
    return "ReLU", {}, {}, {"result": ap_type(y.fixed)}


def _max_pool(op: MaxPool2d, ins: tuple[TensorType, ...], y: TensorType) -> _Made:
    if any(op.padding):
        raise _RefusedError("a pool that pads is not translated: hls4ml pads as Keras does")
    arguments = {"kernel_size": list(op.kernel_size), "stride": list(op.stride)}
    return "MaxPool2d", arguments, {}, {"accum": ap_type(y.fixed), "result": ap_type(y.fixed)}


def _average(op: SumPool2d, ins: tuple[TensorType, ...], y: TensorType) -> _Made:
    taps = op.kernel_size[0] * op.kernel_size[1]
    if any(op.padding):
        raise _RefusedError("a pool that pads is not translated: hls4ml pads as Keras does")
    if 1 << op.gain != taps:
        raise _RefusedError(f"a sum of {taps} values is no average, and hls4ml pools averages only")
    arguments = {"kernel_size": list(op.kernel_size), "stride": list(op.stride)}
    # The sum is made before it is divided.
    return "AvgPool2d", arguments, {}, {"accum": _signed(y, taps), "result": ap_type(y.fixed)}


def _function(name: str) -> Callable[[Op, tuple[TensorType, ...], TensorType], _Made]:
    def made(op: Op, ins: tuple[TensorType, ...], y: TensorType) -> _Made:
        if len({t.shape for t in ins}) != 1 and name != "cat":
            raise _RefusedError("operands of different shapes are not translated")
        return name, {}, {}, {"result": ap_type(y.fixed)}

    return made


def _add(op: Add, ins: tuple[TensorType, ...], y: TensorType) -> _Made:
    return _function("sub" if op.subtract else "add")(op, ins, y)


def _reshape(op: Reshape, ins: tuple[TensorType, ...], y: TensorType) -> _Made:
    if len(y.shape) != 1:
        raise _RefusedError("of reshapes, only a flattening is translated")
    return "Flatten", {}, {}, {"result": ap_type(y.fixed)}


_LAYERS: dict[type[Op], Any] = {
    Dense: _dense,
    Conv2d: _conv2d,
    Scale: _scale,
    Relu: _relu,
    MaxPool2d: _max_pool,
    SumPool2d: _average,
    Add: _add,
    Multiply: _function("mul"),
    Concat: _function("cat"),
    Reshape: _reshape,
}
