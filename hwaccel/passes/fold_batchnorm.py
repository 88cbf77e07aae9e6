"""Fold per-channel scales into the weights beside them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from hwaccel.fxp import IntArray
from hwaccel.ir import Graph, Node
from hwaccel.ops import Conv2d, Dense, Scale
from hwaccel.ops.family import signed_width, trailing_zeros
from hwaccel.passes.base import Pass
from hwaccel.passes.edit import Edit

Ints = NDArray[np.int64]

# The largest shift of a row.
MAX_SHIFT = 31


@dataclass(frozen=True, slots=True)
class FoldBatchnorm(Pass):
    """Make ``scale`` part of the ``dense``, ``conv2d`` or ``scale`` before or behind it.

    Exact, because multiplication distributes:
    ``((W x << s) + b) * m + a = ((W m) x << s) + (b m + a)``, and
    ``W (m x + a) = (W m) x + W a``. The second needs every window inside the image where
    ``a`` is not zero. Trailing zeros of a row move into its shift where that makes the weights
    narrower. Done where they then have at most ``bits`` bits and twice as many as before, or no
    more than before: the ROM of a layer of few bits would cost more than a multiplier behind it.

    ``%d = dense(%x) {weight=[[3]], bias=[1]}; %y = scale(%d) {mult=[5], add=[2]}`` becomes
    ``%y = dense(%x) {weight=[[15]], bias=[7]}``.
    """

    name: ClassVar[str] = "fold_batchnorm"

    # Two 18 bit operands is what a multiplier of most FPGAs takes.
    bits: int = 18

    def run(self, graph: Graph) -> Graph:
        """Fold every scale that can be."""
        edit = Edit(graph)
        edit.sweep(_drop_identity, self._fold_into_producer, self._fold_into_reader)
        return edit.graph()

    def _fold_into_producer(self, edit: Edit, node: Node) -> bool:
        first = edit.node(node.inputs[0])
        if not isinstance(node.op, Scale) or first is None:
            return False
        if edit.only_reader(first.name) is None:
            return False
        match first.op:
            case Dense() | Conv2d():
                folded: Dense | Conv2d | Scale | None = self._scaled(first.op, node.op)
            case Scale():
                folded = self._composed(first.op, node.op)
            case _:
                return False
        if folded is None or not edit.legal(folded, *first.inputs):
            return False
        edit.set(first.name, folded)
        return edit.bypass(node.name)

    def _fold_into_reader(self, edit: Edit, node: Node) -> bool:
        if not isinstance(node.op, Scale):
            return False
        reader = edit.only_reader(node.name)
        if reader is None or not isinstance(reader.op, Dense | Conv2d):
            return False
        folded = self._prescaled(node.op, reader.op)
        if folded is None or not edit.legal(folded, *node.inputs):
            return False
        edit.set(reader.name, folded, *node.inputs)
        edit.drop(node.name)
        return True

    def _scaled(self, op: Dense | Conv2d, scale: Scale) -> Dense | Conv2d | None:
        """Return ``scale(op(x))`` as one op."""
        mult = scale.mult.a.reshape(-1, *[1] * (op.weight.a.ndim - 1))
        bias = IntArray(op.bias.a * scale.mult.a + scale.add.a)
        return self._weighted(op, op.weight.a * mult, bias, scale.mult_frac)

    def _prescaled(self, scale: Scale, op: Dense | Conv2d) -> Dense | Conv2d | None:
        """Return ``op(scale(x))`` as one op."""
        mult, add = scale.mult.a, scale.add.a
        if isinstance(op, Conv2d):
            if add.any() and any(op.padding):
                return None
            # One row per output channel: the operand channels of its group.
            per_out = op.weight.shape[0] // op.groups
            mult, add = (
                np.repeat(v.reshape(op.groups, -1), per_out, axis=0)[:, :, None, None]
                for v in (mult, add)
            )
        sums = (op.weight.a * add).reshape(op.weight.shape[0], -1).sum(axis=1)
        bias = IntArray(op.bias.a + (sums << op.shift.a))
        return self._weighted(op, op.weight.a * mult, bias, scale.mult_frac)

    def _composed(self, first: Scale, second: Scale) -> Scale | None:
        mult = first.mult.a * second.mult.a
        old = max(_width(first.mult.a), _width(second.mult.a))
        if _width(mult) > max(self.bits, old):
            return None
        add = IntArray(first.add.a * second.mult.a + second.add.a)
        return Scale(IntArray(mult), add, first.mult_frac + second.mult_frac)

    def _weighted(
        self, op: Dense | Conv2d, weight: Ints, bias: IntArray, frac: int
    ) -> Dense | Conv2d | None:
        """Return ``op`` with these weights, in rows that may be shifted; ``None`` if too wide."""
        before = _width(op.weight.a)
        limit = max(min(self.bits, 2 * before), before)
        rows = weight.reshape(weight.shape[0], -1)
        widths = np.array([_width(row) for row in rows])
        zeros = np.array([trailing_zeros(row) for row in rows])
        full, bare = int(widths.max()), int((widths - zeros).max())
        # One bit of weight does not pay for a shifter, and what all rows have in common can go
        # without one.
        pays = full - bare - trailing_zeros(rows) >= 2
        target = bare if pays or full > limit else full
        moved = np.maximum(widths - target, 0)
        shift = op.shift.a + moved
        if target > limit or shift.max() > MAX_SHIFT:
            return None
        return replace(
            op,
            weight=IntArray((rows >> moved[:, None]).reshape(weight.shape)),
            shift=IntArray(shift),
            bias=bias,
            weight_frac=op.weight_frac + frac,
        )


def _width(values: Ints) -> int:
    return signed_width(int(values.min()), int(values.max()))


def _drop_identity(edit: Edit, node: Node) -> bool:
    """``x * 1 + 0`` in the same units is ``x``."""
    op = node.op
    if not isinstance(op, Scale) or op.mult_frac != 0 or op.add.a.any():
        return False
    return bool((op.mult.a == 1).all()) and edit.bypass(node.name)
