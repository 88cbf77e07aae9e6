"""How far a converted network may be from PyTorch: computed, node by node.

Three things together say that a conversion is right.

1. The float graph computes what PyTorch computes: in float64, up to 1e-9.
2. Each value of the fixed-point graph is its float op, applied in float64 to the fixed-point values
   in front of it, and rounded once as the documentation says (``check_nodes``). Weights are those
   of the model, rounded to the grid that the documentation promises.
3. So the distance to PyTorch is at most what these roundings add up to. ``bounds`` sums them: the
   distance that each node adds is measured, and carried on by the norm of every op behind it
   (N. Higham, *Accuracy and Stability of Numerical Algorithms*, 2002, chapter 3). Where nothing is
   rounded the bound is zero, and the network has to be exact.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from hwaccel.config import Config
from hwaccel.frontend import quant
from hwaccel.frontend.absorb import Entries
from hwaccel.frontend.calibrate import Observed, Progress
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
    Function,
    Gather,
    MaxPool2d,
    MinMax,
    Multiply,
    Relu,
    Reshape,
    Role,
    Subtract,
    ZeroPad2d,
)
from hwaccel.frontend.formats import limits
from hwaccel.frontend.lower import Lowering
from hwaccel.frontend.piecewise import Leaky
from hwaccel.frontend.quantize_calls import Rounded
from hwaccel.frontend.quantizers import Quantize
from hwaccel.frontend.requantize import Rescale
from hwaccel.frontend.torch_export import trace
from hwaccel.fxp.boundary import dequantize, quantize_input
from hwaccel.ir import Graph, Interpreter, Node, Op
from hwaccel.ops import Requant, Scale

Floats = NDArray[np.float64]
# float64 sums of float64 products: far below any step that is checked.
_NOISE = 1e-9
_FLOAT32 = 2.0**-20
_SAMPLES = 33


@dataclass(frozen=True)
class Lowered:
    """A float graph, what it became, and which IR value stands for which float value."""

    floats: FloatGraph
    graph: Graph
    config: Config
    now: dict[str, str]
    exact: dict[str, str]
    seen: dict[str, Observed]
    only: frozenset[str]

    def bits(self) -> set[int | None]:
        """Return the numbers of bits to which anything may be rounded."""
        layers = [self.config.activation_bits]
        layers += [c.activation_bits for c in self.config.layers.values() if c.activation_bits]
        guards = {node.guard for node in self.floats.nodes}
        return {self.config.output_bits, *(bits + guard for bits in layers for guard in guards)}


def lowered(floats: FloatGraph, calibration: Sequence[Floats], config: Config) -> Lowered:
    """Do what ``quantize`` does, and keep what it knew."""
    kept: list[Lowering] = []

    class Recorder(Lowering):
        def run(self, progress: Progress | None) -> Graph:
            kept.append(self)
            return super().run(progress)

    before = quant.Lowering
    quant.Lowering = Recorder  # type: ignore[misc]
    try:
        graph = quant.quantize(floats, calibration, config)
    finally:
        quant.Lowering = before  # type: ignore[misc]
    (low,) = kept
    return Lowered(
        low._graph, graph, config, low._now, low._exact, dict(low._seen), low._placement.only
    )


def run_floats(graph: FloatGraph, xs: Sequence[Floats]) -> dict[str, torch.Tensor]:
    """Return every value of the float graph in float64."""
    env = {
        v.name: torch.tensor(np.asarray(x, np.float64))
        for v, x in zip(graph.inputs, xs, strict=True)
    }
    with torch.no_grad():
        for node in graph.nodes:
            env[node.name] = node.op.run(*(env[name] for name in node.inputs))
    return env


def check_conversion(
    model: nn.Module,
    calibration: Sequence[Floats],
    config: Config,
    frames: Sequence[Floats] | None = None,
    reference: nn.Module | None = None,
) -> tuple[Lowered, Checker]:
    """Convert ``model`` and compare it with PyTorch on ``frames``; ``reference`` is it in float64.

    Raises:
        AssertionError: a node is not its float op rounded once, or an output is out of bounds.
        HwaccelError: the model is refused.
    """
    low = lowered(trace(model, [x[:1] for x in calibration]), calibration, config)
    xs = calibration if frames is None else frames
    checker = Checker(low, xs)
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        with torch.no_grad():
            answers = (reference or copy.deepcopy(model).double().eval())(
                *(torch.tensor(np.asarray(x, np.float64)) for x in xs)
            )
    finally:
        torch.set_default_dtype(before)
    wanted = answers if isinstance(answers, tuple | list) else (answers,)
    checker.check(wanted)
    return low, checker


class Checker:
    """The values of one conversion on some frames, as numbers, under their float names."""

    def __init__(self, low: Lowered, xs: Sequence[Floats]) -> None:
        self.low = low
        self.types = low.graph.types()
        ints = [
            quantize_input(x, frac=v.type.frac, lo=v.type.lo, hi=v.type.hi)
            for x, v in zip(xs, low.graph.inputs, strict=True)
        ]
        traced = Interpreter(low.graph).trace(*ints)
        shapes = {v.name: v.shape for v in low.floats.inputs}
        shapes |= {n.name: n.output.shape for n in low.floats.nodes}

        def numbers(name: str, place: str) -> torch.Tensor:
            y = dequantize(traced[place], frac=self.types[place].frac)
            return torch.tensor(y.reshape(len(y), *shapes[name]))

        self.now = {name: numbers(name, place) for name, place in low.now.items()}
        self.exact = {name: numbers(name, place) for name, place in low.exact.items()}
        self.outputs = [
            numbers(name, place)
            for name, place in zip(low.floats.outputs, low.graph.outputs, strict=True)
        ]
        self.floats = run_floats(low.floats, xs)

    def made(self, place: str, kind: type[Op] = Op) -> Node:
        """Return the IR node that makes a value; it is of ``kind``."""
        node = self.low.graph.node(place)
        assert node is not None
        assert isinstance(node.op, kind), (place, node.op.name)
        return node

    def operands(self, node: FloatNode) -> list[torch.Tensor]:
        """Return the fixed-point operands of a node."""
        stated = node.op.role is Role.QUANTIZE
        return [(self.exact if stated else self.now)[name] for name in node.inputs]

    def check(self, wanted: Sequence[torch.Tensor]) -> None:
        """Require that each output is as near to what PyTorch gives as its roundings allow."""
        # Weights that are multiples of one number are taken as that, but for float32.
        nodes = self.low.floats.nodes
        factored = any(isinstance(n.op, Quantize | Rescale) or _bits(n.op) for n in nodes)
        share = _FLOAT32 if factored else _NOISE
        noise = [share * (1 + want.abs().max().item()) for want in wanted]
        for name, want, limit in zip(self.low.floats.outputs, wanted, noise, strict=True):
            within((self.floats[name] - want).abs(), limit, f"float graph, {name}")
        self.check_nodes()
        for found, want, bound, limit in zip(
            self.outputs, wanted, self.bounds(), noise, strict=True
        ):
            within((found - want).abs(), bound + limit, "output")

    # --- each node alone -------------------------------------------------------------------------

    def check_nodes(self) -> None:
        """Require that each node is its float op, rounded once."""
        for node in self.low.floats.nodes:
            check = CHECKS.get(type(node.op))
            if check is not None:
                check(self, node)
            self._check_rounding(node, self.low.now[node.name], self.now[node.name])
            for place, name in enumerate(self.low.floats.outputs):
                if name == node.name:
                    self._check_rounding(node, self.low.graph.outputs[place], self.outputs[place])

    def _check_rounding(self, node: FloatNode, place: str, found: torch.Tensor) -> None:
        if place == self.low.exact[node.name]:
            return
        made = self.made(place, Requant)
        # The clip is that of a whole format of as many bits as were asked for.
        bits = made.op.hi.bit_length() + (made.op.lo < 0)
        assert bits in self.low.bits(), (node.name, bits)
        assert (made.op.lo, made.op.hi) == limits(bits, signed=made.op.lo < 0), node.name
        frac = self.types[made.name].frac
        want = rounded(self.exact[node.name], frac, self.low.config.rounding)
        ends = (np.ldexp(float(end), -frac) for end in (made.op.lo, made.op.hi))
        equal(found, want.clamp(*ends), node)
        seen = self.low.seen.get(node.name)
        if seen is not None and self.low.config.calibration == "minmax":
            # What was seen fits; of a rectified value the negative part does not matter.
            assert seen.hi <= np.ldexp(made.op.hi + 0.5, -frac), (node.name, seen.hi, made.op.hi)
            assert made.op.lo == 0 or seen.lo >= np.ldexp(made.op.lo - 0.5, -frac), node.name

    def exactly(self, node: FloatNode, op: FloatOp | None = None) -> None:
        """Require equality with the float op; ``op`` where the numbers in it were rounded."""
        equal(self.exact[node.name], (op or node.op).run(*self.operands(node)), node)

    def weights(self, node: FloatNode) -> None:
        """Require the exact sum of products with weights that are the nearest on their grid."""
        made, op = self.made(self.low.exact[node.name]), node.op
        layer = self.low.config.layer(node.path)
        bits = layer.weight_bits or _bits(op) or self.low.config.weight_bits
        shift, frac = made.op.shift.a, made.op.weight_frac
        step = np.ldexp(1.0, shift - frac).reshape(-1, *[1] * (op.weight.ndim - 1))
        ints = made.op.weight.a
        nearest = np.clip(np.rint(op.weight / step), -(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
        np.testing.assert_array_equal(ints, nearest, err_msg=str(node.name))
        check_grid(op.weight, ints * step, bits)
        acc = self.types[made.inputs[0]].frac + frac
        bias = np.ldexp(made.op.bias.a.astype(float), -acc)
        # In front of quantizers only, any bias does that lies between the same two steps.
        settled = node.name in self.low.only
        assert np.abs(bias - op.bias).max() <= np.ldexp(0.5 + 0.5 * settled, -acc), node.name
        self.exactly(node, replace(op, weight=ints * step, bias=bias))

    def affine(self, node: FloatNode) -> None:
        """Require the exact sum of products, with factors on one common grid."""
        made = self.made(self.low.exact[node.name], Scale)
        acc = self.types[made.inputs[0]].frac + made.op.mult_frac
        factor = np.ldexp(made.op.mult.a.astype(float), -made.op.mult_frac)
        offset = np.ldexp(made.op.add.a.astype(float), -acc)
        layer = self.low.config.layer(node.path)
        bits = (layer.weight_bits or self.low.config.weight_bits) + 2
        check_grid(node.op.scale[None, :], factor[None, :], bits)
        assert np.abs(offset - node.op.offset).max() <= np.ldexp(0.5, -acc), node.name
        self.exactly(node, Affine(factor, offset))

    def average(self, node: FloatNode) -> None:
        """Require the quotient: exact, or such that it rounds like the quotient but at ties."""
        odd = node.op.divisor // (node.op.divisor & -node.op.divisor)
        want = node.op.run(*self.operands(node))
        if odd == 1:
            return equal(self.exact[node.name], want, node)
        made = self.made(self.low.exact[node.name], Scale)
        # The factor is 1 / odd rounded to a multiple of 2^-k.
        error = (self.exact[node.name] - want).abs()
        limit = want.abs() * np.ldexp(float(odd), -made.op.mult_frac - 1) + 1e-12
        within(error, limit, node)
        if self.low.now[node.name] != self.low.exact[node.name]:
            self._near_quotient(node, want)
        return None

    def _near_quotient(self, node: FloatNode, want: torch.Tensor) -> None:
        place = self.made(self.low.now[node.name], Requant)
        frac = self.types[place.name].frac
        scaled = want * 2.0**frac
        # Rounding to nearest jumps at halves, flooring at integers.
        jumps = scaled if self.low.config.rounding == "floor" else scaled + 0.5
        tie = (jumps - jumps.round()).abs() < 1e-6
        best = rounded(want, frac, self.low.config.rounding)
        best = best.clamp(np.ldexp(float(place.op.lo), -frac), np.ldexp(float(place.op.hi), -frac))
        error = (self.now[node.name] - best).abs()
        allowed = torch.where(tie, 2.0**-frac, 0.0)
        within(error, allowed, node)

    def table(self, node: FloatNode) -> None:
        """Require the function's value rounded once, or the nearest end of the table's format."""
        want, found = node.op.run(*self.operands(node)), self.exact[node.name]
        type = self.types[self.low.exact[node.name]]
        lo, hi = (np.ldexp(float(end), -type.frac) for end in (type.lo, type.hi))
        error = (found - want.clamp(lo, hi)).abs()
        sensible = torch.isfinite(want)
        limit = np.ldexp(0.5, -type.frac) * (1 + _NOISE)
        within(torch.where(sensible, error, 0.0), limit, node)

    def rescale(self, node: FloatNode) -> None:
        """Require the product, up to the bits of the largest factor."""
        (x,) = self.operands(node)
        limit = x.abs() * np.ldexp(node.op.ratio.max(), -node.op.bits) + 1e-12
        within((self.exact[node.name] - node.op.run(x)).abs(), limit, node)

    def clip(self, node: FloatNode) -> None:
        """Require exact clipping at the limits, rounded to the operand's grid."""
        frac = self.types[self.low.now[node.inputs[0]]].frac
        lo, hi = (
            float(np.ldexp(np.rint(np.ldexp(end, frac)), -frac)) if np.isfinite(end) else end
            for end in (node.op.lo, node.op.hi)
        )
        self.exactly(node, Clip(lo, hi))

    def gather(self, node: FloatNode) -> None:
        """Require the same elements, and the constant rounded to the operand's grid."""
        frac = self.types[self.low.now[node.inputs[0]]].frac
        fill = float(np.ldexp(np.rint(np.ldexp(node.op.fill, frac)), -frac))
        self.exactly(node, replace(node.op, fill=fill))

    # --- all together ----------------------------------------------------------------------------

    def bounds(self) -> list[torch.Tensor]:
        """Return how far each output may be from the float graph's."""
        now: dict[str, torch.Tensor] = {}
        exact: dict[str, torch.Tensor] = {}
        for value in self.low.floats.inputs:
            error = (self.now[value.name] - self.floats[value.name]).abs()
            now[value.name] = exact[value.name] = error
        for node in self.low.floats.nodes:
            stated = node.op.role is Role.QUANTIZE
            xs = [self.floats[name] for name in node.inputs]
            es = [(exact if stated else now)[name] for name in node.inputs]
            carried = spread(node.op, xs, es)
            local = node.op.run(*self.operands(node))
            for found, into in ((self.now, now), (self.exact, exact)):
                added = torch.nan_to_num((found[node.name] - local).abs(), torch.inf)
                # Infinity times a weight of zero is no number, and no bound either.
                into[node.name] = torch.nan_to_num(carried + added, torch.inf)
        return [
            exact[name] + (found - self.exact[name]).abs()
            for name, found in zip(self.low.floats.outputs, self.outputs, strict=True)
        ]


def _bits(op: FloatOp) -> int:
    return op.bits if isinstance(op, Dense | Conv2d) else 0


def rounded(x: torch.Tensor, frac: int, mode: str) -> torch.Tensor:
    """Return ``x`` rounded to multiples of ``2^-frac``."""
    scaled = x * 2.0**frac
    if mode == "half_even":
        return scaled.round() * 2.0**-frac
    return (scaled + (0.5 if mode == "half_up" else 0.0)).floor() * 2.0**-frac


def equal(found: torch.Tensor, want: torch.Tensor, node: FloatNode) -> None:
    """Require equality, in every bit that float64 holds."""
    within((found - want).abs(), want.abs() * 2.0**-45, node)


def within(error: torch.Tensor, limit: torch.Tensor | float, node: FloatNode | str) -> None:
    """Require that no error exceeds its limit; say where one does."""
    excess = error - limit
    if not bool((excess <= 0).all()):
        at = np.unravel_index(int(torch.nan_to_num(excess, torch.inf).argmax()), excess.shape)
        name = node if isinstance(node, str) else f"{node.name} ({node.op.kind})"
        allowed = limit if isinstance(limit, float) else float(limit[at])
        place = tuple(int(i) for i in at)
        raise AssertionError(f"{name}: off by {float(error[at])} at {place}, allowed {allowed}")


def check_grid(weight: Floats, found: Floats, bits: int) -> None:
    """Require that no channel is worse than on the finest grid that clips nothing.

    A channel much smaller than the others may be as coarse as ``bits`` bits below the coarsest.
    """
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    rows, made = weight.reshape(len(weight), -1), found.reshape(len(found), -1)
    steps = [_step(row, low, high) for row in rows]
    coarsest = max(steps)
    for row, have, step in zip(rows, made, steps, strict=True):
        if step == 0:
            assert not have.any()
            continue
        step = max(step, coarsest * 2.0**-bits)
        nearest = np.clip(np.rint(row / step), low, high) * step
        assert ((have - row) ** 2).sum() <= ((nearest - row) ** 2).sum() * (1 + 1e-9), (row, have)


def _step(row: Floats, low: int, high: int) -> float:
    if not row.any():
        return 0.0
    step = 2.0**-60
    while np.rint(row.max() / step) > high or np.rint(row.min() / step) < low:
        step *= 2
    return step


def spread(op: FloatOp, xs: Sequence[torch.Tensor], es: Sequence[torch.Tensor]) -> torch.Tensor:
    """Bound ``|op(x + d) - op(x)|`` for every ``|d| <= e``."""
    with torch.no_grad():
        return SPREADS.get(type(op), _by_derivative)(op, xs, es)


def _same(op: FloatOp, xs: Sequence[torch.Tensor], es: Sequence[torch.Tensor]) -> torch.Tensor:
    return op.run(*es)


def _first(op: FloatOp, xs: Sequence[torch.Tensor], es: Sequence[torch.Tensor]) -> torch.Tensor:
    return es[0]


def _steepest(op: FloatOp, xs: Sequence[torch.Tensor], es: Sequence[torch.Tensor]) -> torch.Tensor:
    # An error may cross the kink.
    return es[0] * max(1.0, float(np.abs(op.slope).max()))


def _norm(op: FloatOp, xs: Sequence[torch.Tensor], es: Sequence[torch.Tensor]) -> torch.Tensor:
    return replace(op, weight=np.abs(op.weight), bias=np.zeros_like(op.bias)).run(es[0])


def _factor(op: FloatOp, xs: Sequence[torch.Tensor], es: Sequence[torch.Tensor]) -> torch.Tensor:
    return Affine(np.abs(op.scale), np.zeros_like(op.offset)).run(es[0])


def _product(op: FloatOp, xs: Sequence[torch.Tensor], es: Sequence[torch.Tensor]) -> torch.Tensor:
    (a, b), (da, db) = xs, es
    return a.abs() * db + b.abs() * da + da * db


def _moved(op: FloatOp, xs: Sequence[torch.Tensor], es: Sequence[torch.Tensor]) -> torch.Tensor:
    return replace(op, fill=0.0).run(es[0])


def _step_more(op: FloatOp, xs: Sequence[torch.Tensor], es: Sequence[torch.Tensor]) -> torch.Tensor:
    return torch.where(es[0] > 0, es[0] + 2.0**-op.frac, 0.0)


def _sampled(op: FloatOp, xs: Sequence[torch.Tensor], es: Sequence[torch.Tensor]) -> torch.Tensor:
    """Look at the function all over the interval; between samples it may do what it did there."""
    (x,), (e,) = xs, es
    if not bool((e > 0).any()):
        return torch.zeros_like(x)
    at = torch.linspace(-1, 1, _SAMPLES, dtype=x.dtype)
    ys = torch.stack([op.run(x + t * e) for t in at])
    far = (ys - op.run(x)).abs().amax(0) + (ys[1:] - ys[:-1]).abs().amax(0)
    far = torch.nan_to_num(far, torch.inf, torch.inf)
    # Logarithms and powers have their pole at zero.
    if not bool(torch.isfinite(op.run(torch.zeros_like(x))).all()):
        far = torch.where(x.abs() <= e, torch.inf, far)
    return torch.where(e > 0, far, 0.0)


def _by_derivative(
    op: FloatOp, xs: Sequence[torch.Tensor], es: Sequence[torch.Tensor]
) -> torch.Tensor:
    """First order, doubled: for ops that have no rule of their own."""
    rows = []
    for frame in range(len(xs[0])):
        ones = tuple(x[frame : frame + 1] for x in xs)
        with torch.enable_grad():
            slopes = torch.autograd.functional.jacobian(op.run, ones)
        total: torch.Tensor | float = 0.0
        for slope, e in zip(slopes, es, strict=True):
            error = e[frame : frame + 1]
            total = total + torch.tensordot(slope.abs(), error, dims=error.ndim)
        rows.append(2 * total)
    return torch.cat(rows)  # type: ignore[arg-type]


def _step_wider(
    op: FloatOp, xs: Sequence[torch.Tensor], es: Sequence[torch.Tensor]
) -> torch.Tensor:
    each = (-1, *[1] * (es[0].ndim - 2))
    scale, step = (torch.tensor(v).reshape(each) for v in (op.scale, op.step))
    return torch.where(es[0] > 0, (es[0] / scale + 1) * step, 0.0)


def _ratio(op: FloatOp, xs: Sequence[torch.Tensor], es: Sequence[torch.Tensor]) -> torch.Tensor:
    return op.run(es[0])


Spread = Callable[[FloatOp, Sequence[torch.Tensor], Sequence[torch.Tensor]], torch.Tensor]
SPREADS: dict[type[FloatOp], Spread] = {
    Dense: _norm,
    Conv2d: _norm,
    Affine: _factor,
    Add: _same,
    Subtract: lambda op, xs, es: es[0] + es[1],
    Multiply: _product,
    MinMax: lambda op, xs, es: torch.maximum(es[0], es[1]),
    Concat: _same,
    AvgPool2d: _same,
    MaxPool2d: _same,
    ZeroPad2d: _same,
    Relu: _first,
    Leaky: _steepest,
    Clip: _first,
    Reshape: _same,
    Gather: _moved,
    FakeQuant: _step_more,
    Function: _sampled,
    Rounded: _sampled,
    Entries: _sampled,
    Quantize: _step_wider,
    Rescale: _ratio,
}
CHECKS: dict[type[FloatOp], Callable[[Checker, FloatNode], None]] = {
    Dense: Checker.weights,
    Conv2d: Checker.weights,
    Affine: Checker.affine,
    AvgPool2d: Checker.average,
    Function: Checker.table,
    Entries: Checker.exactly,
    Rescale: Checker.rescale,
    Clip: Checker.clip,
    Gather: Checker.gather,
    **dict.fromkeys(
        (Add, Subtract, Multiply, MinMax, Concat, MaxPool2d, ZeroPad2d, Relu, Reshape),
        Checker.exactly,
    ),
    **dict.fromkeys((FakeQuant, Quantize), Checker.exactly),
}
