"""Comparisons, what is made of truth values, and choices between two values by one.

A comparison takes its operand as it is, however many bits that has, so it says of the integers
what PyTorch says of the numbers. Truth values are the integers 0 and 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import torch

from hwaccel import ops
from hwaccel.errors import FrontendError
from hwaccel.frontend import attention, layers, moves, pooling
from hwaccel.frontend.floatgraph import Concat, FloatNode, FloatOp, Floats, Role, Subtract
from hwaccel.frontend.importer import Handler, Importer
from hwaccel.frontend.indices import Whole
from hwaccel.frontend.lower import Lower, Lowering
from hwaccel.frontend.program import Call, short, where
from hwaccel.fxp import IntArray

Logic = Literal["and", "or", "xor", "not"]


@dataclass(frozen=True, slots=True, eq=False)
class Compare(FloatOp):
    """1 where ``x[c] > limit[c]``, or ``x[c] >= limit[c]``, and 0 elsewhere; or the opposite."""

    kind: ClassVar[str] = "compare"
    role: ClassVar[Role] = Role.COMPARE
    truth: ClassVar[bool] = True

    limit: Floats
    strict: bool
    opposite: bool = False

    def run(self, *xs: torch.Tensor) -> torch.Tensor:
        """Compare."""
        (x,) = xs
        limit = torch.tensor(self.limit, dtype=x.dtype).reshape(-1, *[1] * (x.ndim - 2))
        found = x > limit if self.strict else x >= limit
        return (found ^ self.opposite).to(x.dtype)


@dataclass(frozen=True, slots=True, eq=False)
class Combine(FloatOp):
    """A logic function of truth values."""

    kind: ClassVar[str] = "logic"
    role: ClassVar[Role] = Role.COMPARE
    truth: ClassVar[bool] = True

    how: Logic

    def run(self, *xs: torch.Tensor) -> torch.Tensor:
        """Combine."""
        a, b = xs[0], xs[-1]
        if self.how == "not":
            return 1 - a
        return {"and": a * b, "or": torch.maximum(a, b), "xor": (a - b).abs()}[self.how]


@dataclass(frozen=True, slots=True, eq=False)
class Select(FloatOp):
    """``a`` where the truth value is 1, ``b`` where it is 0."""

    kind: ClassVar[str] = "select"
    # Rounding and clipping at zero commute with it; its truth value is not rounded.
    role: ClassVar[Role] = Role.KEEP

    def run(self, *xs: torch.Tensor) -> torch.Tensor:
        """Choose."""
        condition, a, b = xs
        return torch.where(condition > 0, a, b)


def _compare(low: Lowering, node: FloatNode, op: Compare, x: str) -> str:
    type = low.type(x)
    scaled = np.ldexp(op.limit, type.frac)
    first = np.floor(scaled) + 1 if op.strict else np.ceil(scaled)
    # The first integer for which it holds; beyond the ends, all or none.
    first = np.clip(first, float(type.lo), type.hi + 1.0).astype(np.int64)
    factor, add = (-1, first) if op.opposite else (1, 1 - first)
    mult = IntArray([factor] * type.channels)
    above = low.add(node, ops.Scale(mult, IntArray(add), -type.frac), x, suffix="above")
    return low.add(node, ops.Requant(0, 0, 1), above)


def _combine(low: Lowering, node: FloatNode, op: Combine, *xs: str) -> str:
    if not low.truths.issuperset(node.inputs):
        raise FrontendError(
            f"{where(node.path)}: {op.how}: takes truth values, found numbers; compare them first"
        )
    if op.how == "not":
        return low.add(node, _opposite(low, xs[0]), xs[0])
    kinds = low.type(xs[0]), low.type(xs[1])
    if op.how != "xor":
        return low.add(node, ops.MinMax.of(*kinds, op.how == "or"), *xs)
    most, least = (
        low.add(node, ops.MinMax.of(*kinds, largest), *xs, suffix="end")
        for largest in (True, False)
    )
    minus = ops.Add.of(low.type(most), low.type(least), subtract=True)
    differs = low.add(node, minus, most, least, suffix="differs")
    # Of two truth values the larger is not below the smaller.
    return low.add(node, ops.Requant(0, 0, 1), differs)


def _opposite(low: Lowering, x: str) -> ops.Scale:
    channels = low.type(x).channels
    return ops.Scale(IntArray([-1] * channels), IntArray([1] * channels))


def _select(low: Lowering, node: FloatNode, op: Select, condition: str, a: str, b: str) -> str:
    """Add two products, of which one is zero."""
    other = low.add(node, _opposite(low, condition), condition, suffix="other")
    x = low.add(node, ops.Multiply(), condition, a, suffix="first")
    y = low.add(node, ops.Multiply(), other, b, suffix="second")
    add = ops.Add.of(low.type(x), low.type(y))
    total = low.add(node, add, x, y, suffix="chosen")
    ends = [
        end << shift
        for name, shift in ((a, add.a_shift), (b, add.b_shift))
        for end in (low.type(name).lo, low.type(name).hi)
    ]
    return low.add(node, ops.Requant(0, min(ends), max(ends)), total)


def _whole(low: Lowering, node: FloatNode, op: Whole, x: str) -> str:
    known = low.truths if op.dtype == "torch.bool" else low.whole
    if not known.issuperset(node.inputs):
        raise FrontendError(
            f"{where(node.path)}: to: casts to {op.dtype}; use float types throughout"
        )
    return x


LOWER: dict[type[FloatOp], Lower] = {
    Compare: _compare,
    Combine: _combine,
    Select: _select,
    Whole: _whole,
}

# What each comparison is: strict, and the opposite of that.
_KINDS = {"gt": (True, False), "le": (True, True), "ge": (False, False), "lt": (False, True)}
_MIRRORED = {"gt": "lt", "le": "ge", "ge": "le", "lt": "gt", "eq": "eq", "ne": "ne"}


def compare(i: Importer, call: Call) -> str:
    """Comparison of two values, or of one and a constant."""
    kind, shape = short(call.target).removesuffix("_"), i.inner(call)
    if i.is_constant(call, "self"):
        operand, limit = "other", i.spread_constant(call, "self", "other")
        kind = _MIRRORED[kind]
    elif i.is_constant(call, "other"):
        operand, limit = "self", i.spread_constant(call, "other", "self")
    else:
        a, b = (moves.broadcast(i, call, i.value(call, n), shape) for n in ("self", "other"))
        return _compared(i, call, kind, i.add(call, Subtract(), a, b), np.zeros(1))
    return _compared(i, call, kind, moves.broadcast(i, call, i.value(call, operand), shape), limit)


def _compared(i: Importer, call: Call, kind: str, x: str, limit: Floats) -> str:
    if kind in _KINDS:
        return _against(i, call, x, limit, *_KINDS[kind])
    parts = ("ge", "le", "and") if kind == "eq" else ("gt", "lt", "or")
    a, b = (_against(i, call, x, limit, *_KINDS[part]) for part in parts[:2])
    return i.add(call, Combine("and" if kind == "eq" else "or"), a, b)


def _against(i: Importer, call: Call, x: str, limit: Floats, strict: bool, opposite: bool) -> str:
    def make(values: Floats) -> FloatOp:
        return Compare(values, strict, opposite)

    return layers.per_channel(i, call, x, [limit], make)


def combine(i: Importer, call: Call) -> str:
    """``&``, ``|`` and ``^`` of truth values."""
    name = short(call.target).strip("_").removeprefix("logical_").removeprefix("bitwise_")
    hows: dict[str, Logic] = {"and": "and", "or": "or", "xor": "xor"}
    shape = i.inner(call)
    a, b = (moves.broadcast(i, call, i.value(call, n), shape) for n in ("self", "other"))
    return i.add(call, Combine(hows[name]), a, b)


def opposite(i: Importer, call: Call) -> str:
    """``~`` of a truth value."""
    return i.add(call, Combine("not"), i.first(call))


def select(i: Importer, call: Call) -> str:
    """``where``, with numbers, constants or values to choose between."""
    return _chosen(i, call, "condition", "self", "other")


def fill(i: Importer, call: Call) -> str:
    """``masked_fill``."""
    return _chosen(i, call, "mask", "value", "self")


def _chosen(i: Importer, call: Call, condition: str, a: str, b: str) -> str:
    if (found := attention.hidden(i, call, condition, a, b)) is not None:
        return found
    shape = i.inner(call)
    names = (condition, a, b)
    computed = [name for name in names if not i.is_constant(call, name)]
    values = {n: moves.broadcast(i, call, i.value(call, n), shape) for n in computed}
    known = {
        name: np.broadcast_to(i.spread_constant(call, name, computed[0]), shape)
        for name in names
        if name not in computed
    }
    if condition in known:
        mask = known[condition] != 0
        if len(computed) == 2:
            return _placed(i, call, values[a], values[b], mask)
        chosen, other = (mask, known[b]) if a in values else (~mask, known[a])
        return layers.affine(i, call, values[computed[0]], chosen, np.where(chosen, 0.0, other))
    if len(known) == 2:
        return layers.affine(i, call, values[condition], known[a] - known[b], known[b])
    parts = [
        values[n] if n in values else layers.affine(i, call, values[condition], 0.0, known[n])
        for n in (a, b)
    ]
    return i.add(call, Select(), values[condition], *parts)


def _placed(i: Importer, call: Call, a: str, b: str, mask: np.ndarray) -> str:
    """Choose by constants: elements are moved, nothing is computed."""
    shape, size = i.shape(a), mask.size
    flat = [i.reshape(call, x, (size,)) for x in (a, b)]
    both = i.add(call, Concat(), *flat, shape=(2 * size,))
    places = np.where(mask.ravel(), np.arange(size), np.arange(size, 2 * size))
    return moves.gather(i, call, both, places, shape)


def cast(i: Importer, call: Call) -> str:
    """Change of type: nothing to do among floats, nor for what is an integer already."""
    dtype = call.args.get("dtype")
    if dtype in ("torch.int64", "torch.int32", "torch.bool"):
        return i.add(call, Whole(str(dtype)), i.first(call))
    return pooling.cast(i, call)


_COMPARISONS = ("gt", "ge", "lt", "le", "eq", "ne")
_LOGIC = ("logical_and", "logical_or", "logical_xor")

HANDLERS: dict[str, Handler] = {
    **{f"aten.{n}.{kind}": compare for n in _COMPARISONS for kind in ("Scalar", "Tensor")},
    **{f"aten.{name}.default": combine for name in _LOGIC},
    **{f"aten.bitwise_{name}.Tensor": combine for name in ("and", "or", "xor")},
    **{f"aten.__{name}__.Tensor": combine for name in ("and", "or", "xor")},
    "aten.to.dtype": cast,
    "aten.to.dtype_layout": cast,
    "aten._to_copy.default": cast,
    "aten.logical_not.default": opposite,
    "aten.bitwise_not.default": opposite,
    "aten.where.self": select,
    "aten.where.Scalar": select,
    "aten.where.ScalarSelf": select,
    "aten.where.ScalarOther": select,
    "aten.masked_fill.Scalar": fill,
    "aten.masked_fill.Tensor": fill,
    "aten.masked_fill_.Scalar": fill,
    "aten.masked_fill_.Tensor": fill,
}
