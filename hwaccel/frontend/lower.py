"""``Lowering``: one float node at a time to IR nodes, with formats from calibration."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from typing import Any

import numpy as np

from hwaccel import ops
from hwaccel.config import Config
from hwaccel.errors import ConfigError, FrontendError, HwaccelError
from hwaccel.frontend.calibrate import Observed, Progress
from hwaccel.frontend.floatgraph import (
    AvgPool2d,
    FloatGraph,
    FloatNode,
    FloatOp,
    Floats,
    Role,
)
from hwaccel.frontend.formats import (
    MAX_SHIFT,
    Method,
    activation_type,
    exact_frac,
    quantize_weights,
)
from hwaccel.frontend.indices import whole
from hwaccel.frontend.placement import Placement
from hwaccel.frontend.program import identifier, reason, where
from hwaccel.fxp import MAX_WIDTH, FixedType, IntArray, Rounding
from hwaccel.ir import Graph, GraphBuilder, Op, TensorType

# Bits of a bias below the last bit of what is made of the sum.
_BIAS_GUARD = 4
# The same where the model states how many bits the weights have, so that outputs have them all.
_STATED_GUARD = 8
_MAX_INPUT = 32
_MOST_ENTRIES = 1 << 16
# Intermediates stay below 2^62; this leaves room for a bias and a sign.
MAX_PRODUCT = 60


# Adds the IR nodes of a float node and returns the value that stands for it.
Lower = Callable[..., str]


class Lowering:
    """Builds the graph; ``_now`` names the value readers see, ``_exact`` that before rounding."""

    def __init__(
        self,
        graph: FloatGraph,
        placement: Placement,
        seen: Mapping[str, Observed],
        config: Config,
        how: Mapping[type[FloatOp], Lower],
    ) -> None:
        self._how = how
        self._graph = graph
        self._placement = placement
        self._seen = seen
        self._config = config
        self._builder = GraphBuilder(identifier(config.name or graph.name))
        self._now: dict[str, str] = {}
        self._exact: dict[str, str] = {}
        # Indices and truth values, which an output does not round.
        self.whole: set[str] = set()
        self.truths: set[str] = set()

    def run(self, progress: Progress | None) -> Graph:
        """Return the finished graph."""
        for value in self._graph.inputs:
            type = self._input_type(value.name, value.shape)
            self._now[value.name] = self._exact[value.name] = self._builder.input(value.name, type)
        total = len(self._graph.nodes)
        for done, node in enumerate(self._graph.nodes):
            if progress is not None:
                progress(done, total, "quantizing")
            self._node(node)
        outputs = tuple(self._output(name) for name in self._graph.outputs)
        if progress is not None:
            progress(total, total, "quantizing")
        return self._builder.build(*outputs)

    @property
    def names(self) -> Mapping[str, str]:
        """The value of the graph that readers of each float value see."""
        return self._now

    # --- formats ----------------------------------------------------------------------------

    def _input_type(self, name: str, shape: tuple[int, ...]) -> TensorType:
        stated = self._placement.inputs.get(name)
        if name in self._placement.indices:
            indices = self._placement.indices[name]
            return TensorType(shape, indices.frac, indices.lo, indices.hi)
        if self._config.input is not None:
            fixed = FixedType.parse(self._config.input)
            if fixed.width > _MAX_INPUT:
                raise ConfigError(f"input {fixed} is too wide; use at most {_MAX_INPUT} bits")
            return TensorType.full(shape, fixed)
        if stated is not None:
            return TensorType(shape, stated.frac, stated.lo, stated.hi)
        seen = self._seen[name]
        fixed = activation_type(
            seen,
            self._config.activation_bits,
            signed=seen.lo < 0,
            method=self._config.calibration,
            where=f"input {name}",
        )
        return TensorType.full(shape, fixed)

    def _format(self, name: str, type: TensorType, bits: int, path: str) -> FixedType:
        signed = type.lo < 0 and name not in self._placement.rectified
        seen = self._seen[name]
        if seen.lo == seen.hi == 0:
            # Nothing was seen, so nothing that can occur is clipped.
            ends = np.ldexp([float(type.lo), float(type.hi)], -type.frac)
            seen = Observed(float(ends[0]), float(ends[1]), ends)
        method = self._config.calibration
        return activation_type(seen, bits, signed=signed, method=method, where=where(path))

    def result_format(self, node: FloatNode, *, signed: bool) -> FixedType:
        """Return the format of a result that is rounded where it is made.

        That is the one the model states behind it, if it does.
        """
        bits = self._bits(node)
        if self._config.output_bits is not None and node.name in self._graph.outputs:
            bits = self._config.output_bits
        seen, method = self._seen[node.name], self._config.calibration
        fixed = activation_type(
            seen, max(bits, 1 + signed), signed=signed, method=method, where=where(node.path)
        )
        stated = self._placement.fracs.get(node.name)
        if stated is None or stated <= fixed.frac:
            return fixed
        return FixedType(signed, fixed.width + stated - fixed.frac, stated)

    def activation_bits(self, node: FloatNode) -> int:
        """Return the bits of results of the layer that ``node`` is a step of."""
        return self._config.layer(node.path).activation_bits or self._config.activation_bits

    def _bits(self, node: FloatNode) -> int:
        """Return the bits to which the result of ``node`` is rounded."""
        return self.activation_bits(node) + node.guard

    def target_frac(self, node: FloatNode) -> int:
        """Return the finest fraction to which the result of ``node`` will be rounded."""
        name = self._placement.ends[node.name]
        stated = self._placement.fracs.get(name)
        if name not in self._placement.rounded and stated is not None:
            return stated
        bits = self._bits(node)
        signed = self._seen[name].lo < 0 and name not in self._placement.rectified
        method = self._config.calibration
        return activation_type(
            self._seen[name], max(bits, 2), signed=signed, method=method, where=""
        ).frac

    # --- building ---------------------------------------------------------------------------

    def _node(self, node: FloatNode) -> None:
        # What the model itself rounds must not be rounded before.
        states = node.op.role is Role.QUANTIZE
        inputs = tuple((self._exact if states else self._now)[name] for name in node.inputs)
        try:
            result = self._how[node.op.__class__](self, node, node.op, *inputs)
            self._now[node.name] = self._exact[node.name] = result
            keeps = node.op.role is Role.KEEP and self.whole.issuperset(node.inputs)
            if keeps or whole(node.op):
                self.whole.add(node.name)
            if node.op.truth or (keeps and self.truths.issuperset(node.inputs)):
                self.truths.add(node.name)
            if node.name in self._placement.rounded:
                self._now[node.name] = self._round(node, result)
        except FrontendError:
            raise
        except HwaccelError as error:
            raise FrontendError(f"{where(node.path)}: {node.op.kind}: {error}") from None
        except (ArithmeticError, LookupError, ValueError) as error:
            raise FrontendError(
                f"{where(node.path)}: {node.op.kind}: numbers run out of range ({reason(error)}); "
                "rescale the layer"
            ) from None

    def add(self, node: FloatNode, op: Op, *inputs: str, suffix: str = "") -> str:
        """Add an IR node on behalf of ``node``."""
        name = identifier(f"{node.path}_{suffix}") if suffix else node.name
        return self._builder.add(name, op, *inputs, path=node.path)

    def type(self, name: str) -> TensorType:
        """Return the type of an IR value."""
        return self._builder.type(name)

    def _round(self, node: FloatNode, value: str) -> str:
        widened = self._placement.rounded[node.name]
        bits, type = self._bits(widened), self.type(value)
        if type.fixed.width <= bits:
            return value
        path = widened.path
        return self._requant(value, self._format(node.name, type, bits, path), path)

    def finish(self, node: FloatNode, value: str, *, signed: bool) -> str:
        """Round the result of ``node``, which has more bits than anybody needs, to its format."""
        signed = signed and node.name not in self._placement.rectified
        return self._requant(value, self.result_format(node, signed=signed), node.path)

    def _requant(self, value: str, fixed: FixedType, path: str) -> str:
        rounding = Rounding(self._config.rounding)
        op = ops.Requant(self.type(value).frac - fixed.frac, fixed.lo, fixed.hi, rounding)
        return self._builder.add(identifier(f"{path}_requant"), op, value, path=path)

    def _output(self, name: str) -> str:
        value = self._exact[name]
        if any(value == self._now[v.name] for v in self._graph.inputs):
            raise FrontendError(
                f"output {name} is an input of the model in its own format; leave it out"
            )
        bits, type = self._config.output_bits, self.type(value)
        if bits is None or type.fixed.width <= bits or name in self.whole:
            return value
        path = next(node.path for node in self._graph.nodes if node.name == name)
        return self._requant(value, self._format(name, type, bits, path), path)

    # --- ops --------------------------------------------------------------------------------

    @property
    def rounding(self) -> Rounding:
        """How sums are rounded."""
        return Rounding(self._config.rounding)

    @property
    def method(self) -> Method:
        """How scales are chosen."""
        return self._config.calibration

    def grid(self, node: FloatNode, x: str) -> Floats:
        """Return every number that ``x`` can be, for a table.

        Raises:
            FrontendError: there are too many.
        """
        type = self.type(x)
        if type.hi - type.lo >= _MOST_ENTRIES:
            raise FrontendError(
                f"{where(node.path)}: a table for {type.fixed.width} bits is too large; give the "
                "operand fewer bits, for example with activation_bits=8"
            )
        grid: Floats = np.ldexp(np.arange(type.lo, type.hi + 1, dtype=np.float64), -type.frac)
        return grid

    def weight_bits(self, path: str) -> int:
        """Return the bits of the weights of module ``path``."""
        return self._config.layer(path).weight_bits or self._config.weight_bits

    def bias_bits(self, node: FloatNode, bias: Floats, acc_frac: int) -> int:
        """Return the fraction bits that the bias needs below those of the accumulator.

        The bias is exact unless it has bits more than a guard below the last bit of what the sum
        is rounded to.
        """
        guard = _STATED_GUARD if getattr(node.op, "bits", 0) else _BIAS_GUARD
        needed = int(exact_frac(bias[None, :])[0])
        stated = node.name in self._placement.only
        wanted = needed if stated else min(needed, self.target_frac(node) + guard)
        return max(0, wanted - acc_frac)

    def _settled(self, node: FloatNode, bias: Floats, acc_frac: int) -> Floats:
        """Return a bias of few bits with which the only quantizers behind round as they should.

        They change their result at multiples of half their step only. Any other bias between the
        same two multiples does not matter, and the middle needs one bit more than these.
        """
        if node.name not in self._placement.only:
            return bias
        grid = max(acc_frac, self._placement.fracs[node.name] + 1)
        if int(exact_frac(bias[None, :])[0]) <= grid + 1:
            return bias
        steps = np.floor(np.ldexp(bias, grid))
        whole = steps == np.ldexp(bias, grid)
        return np.ldexp(np.where(whole, steps, steps + 0.5), -grid)

    def linear_fields(
        self, node: FloatNode, x: str, weight: Floats, bias: Floats
    ) -> dict[str, Any]:
        """Return weight, shift, bias and weight_frac of a linear op."""
        bits = self._config.layer(node.path).weight_bits or getattr(node.op, "bits", 0)
        made = quantize_weights(weight, bits or self.weight_bits(node.path), self.method)
        acc_frac = self.type(x).frac + made.frac
        bias = self._settled(node, bias, acc_frac)
        extra = min(self.bias_bits(node, bias, acc_frac), MAX_SHIFT - int(made.shift.max()))
        reach = np.abs(made.ints).reshape(len(bias), -1).sum(axis=1)
        bound = max(int(r) << int(s + extra) for r, s in zip(reach, made.shift, strict=True))
        if (bound * self.type(x).magnitude).bit_length() > MAX_PRODUCT:
            raise FrontendError(
                f"{where(node.path)}: {node.op.kind}: sums need more than {MAX_PRODUCT} bits; use "
                "fewer bits for weights and activations, or scales that differ less"
            )
        return {
            "weight": IntArray(made.ints),
            "shift": IntArray(made.shift + extra),
            "bias": integers(node, bias, acc_frac + extra),
            "weight_frac": made.frac + extra,
        }

    def average(self, node: FloatNode, op: AvgPool2d, x: str) -> str:
        """Sum, then multiply by an integer close to ``2^k / divisor`` unless that is a power of 2.

        With ``k`` below, the product is so close to the quotient that both round to the same
        integer, except at exact ties, where they may differ by one unit.
        """
        odd = op.divisor // (op.divisor & -op.divisor)
        gain = (op.divisor // odd).bit_length() - 1
        pool = ops.SumPool2d(op.kernel, op.stride, op.padding, gain)
        total = self.add(node, pool, x, suffix="" if odd == 1 else "sum")
        if odd == 1:
            return total
        type = self.type(total)
        # Quotients that are no ties are at least 2^-finer / odd away from one.
        finer = max(0, 1 + self.target_frac(node) - type.frac)
        k = (type.magnitude * odd).bit_length() - 1 + finer
        k = min(k, MAX_PRODUCT + odd.bit_length() - 1 - type.magnitude.bit_length())
        mult = round((1 << k) / odd)
        channels = type.channels
        scale = ops.Scale(IntArray([mult] * channels), IntArray([0] * channels), k)
        return self.add(node, scale, total)


def wired(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return a shape of one to three axes with the same elements in the same order."""
    return (shape or (1,)) if len(shape) <= 3 else (*shape[:2], prod(shape[2:]))


def integers(node: FloatNode, values: Floats, frac: int) -> IntArray:
    """Return ``values`` as integers counted in steps of ``2^-frac``.

    Raises:
        FrontendError: they are too large for that.
    """
    scaled = np.rint(np.ldexp(values, frac))
    if np.abs(scaled).max(initial=0) >= 2.0**MAX_WIDTH:
        raise FrontendError(
            f"{where(node.path)}: {node.op.kind}: a bias of {np.abs(values).max():g} is too large "
            f"beside weights and inputs counted in steps of 2^-{frac}; rescale the layer"
        )
    return IntArray(scaled.astype(np.int64))
