"""Merge clipping and rounding, and do them where values are buffered."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from hwaccel.fxp import Overflow, Rounding
from hwaccel.ir import Graph, Node, TensorType
from hwaccel.ops import MaxPool2d, Relu, Requant, Reshape
from hwaccel.passes.base import Pass
from hwaccel.passes.edit import Edit


@dataclass(frozen=True, slots=True)
class FuseRequant(Pass):
    """Merge chains of ``relu`` and ``requant``; do them before buffers where that is narrower.

    Buffers are in ``maxpool2d`` (lines) and ``reshape`` (a frame, where elements move).

    Everything here is monotone: ``round`` in each mode, ``clip``, ``max(x, 0)``. A monotone
    function commutes with ``max`` and ``clip``, and ``round(0) = 0``; each rule below is one
    consequence. Wrapping is monotone only where nothing wraps.

    ``%r = relu(%x); %q = requant(%r) {shift=4, lo=-8, hi=7}`` becomes
    ``%q = requant(%x) {shift=4, lo=0, hi=7}``.
    """

    name: ClassVar[str] = "fuse_requant"

    def run(self, graph: Graph) -> Graph:
        """Apply every rule until none fires."""
        edit = Edit(graph)
        edit.sweep(_identity, _relu_requant, _requant_relu, _requant_requant, _buffer)
        return edit.graph()


def monotone(op: Requant, x: TensorType) -> bool:
    """Tell whether ``op`` keeps the order of the values of ``x``."""
    return op.overflow is Overflow.SATURATE or op.fits(x)


def _identity(edit: Edit, node: Node) -> bool:
    """``relu(x) = x`` for ``x >= 0``; ``requant(x) = x`` without shift and clip."""
    match node.op:
        case Relu() if edit.type(node.inputs[0]).lo >= 0:
            return edit.bypass(node.name)
        case Requant(shift=0) if node.op.fits(edit.type(node.inputs[0])):
            return edit.bypass(node.name)
    return False


def _relu_requant(edit: Edit, node: Node) -> bool:
    """``clip(round(max(x, 0)), lo, hi) = clip(round(x), max(lo, 0), hi)`` for ``hi >= 0``."""
    if not isinstance(node.op, Requant):
        return False
    relu = edit.node(node.inputs[0])
    if relu is None or not isinstance(relu.op, Relu) or edit.only_reader(relu.name) is None:
        return False
    if not monotone(node.op, edit.type(relu.name)):
        return False
    # With hi < 0 the result is hi whatever x is, and so it is with lo = hi.
    lo = min(max(node.op.lo, 0), node.op.hi)
    merged = replace(node.op, lo=lo, overflow=Overflow.SATURATE)
    return _replace_pair(edit, relu, node, merged)


def _requant_relu(edit: Edit, node: Node) -> bool:
    """``max(clip(r, lo, hi), 0) = clip(r, max(lo, 0), max(hi, 0))``."""
    if not isinstance(node.op, Relu):
        return False
    first = edit.node(node.inputs[0])
    if first is None or not isinstance(first.op, Requant):
        return False
    if edit.only_reader(first.name) is None or not monotone(first.op, *edit.types(first)):
        return False
    merged = replace(
        first.op, lo=max(first.op.lo, 0), hi=max(first.op.hi, 0), overflow=Overflow.SATURATE
    )
    edit.set(first.name, merged)
    return edit.bypass(node.name)


def _requant_requant(edit: Edit, node: Node) -> bool:
    """Shift once where both roundings are known to equal one; clip to what both clips leave."""
    if not isinstance(node.op, Requant):
        return False
    first = edit.node(node.inputs[0])
    if first is None or not isinstance(first.op, Requant) or edit.only_reader(first.name) is None:
        return False
    merged = merge(first.op, node.op, *edit.types(first))
    return merged is not None and _replace_pair(edit, first, node, merged)


def merge(first: Requant, second: Requant, x: TensorType) -> Requant | None:
    """Return the requant that equals ``second(first(x))``; ``None`` where there is none.

    With ``y = x * 2^-a`` and ``b`` the second shift, rounding twice is rounding once when

    - ``a <= 0``: the first shift loses nothing;
    - ``b == 0``: the second shift does nothing;
    - ``floor`` then ``floor`` or ``half_up``: ``floor((floor(y) + h) * 2^-b) =
      floor((y + h) * 2^-b)`` for integer ``h``, which is 0 or ``2^(b-1)``.

    ``half_even`` after ``floor`` differs: what ``floor`` takes away may decide a tie.
    """
    if not monotone(first, x):
        return None
    once = first.rounding is Rounding.FLOOR and second.rounding is not Rounding.HALF_EVEN
    if first.shift <= 0:
        rounding = second.rounding
    elif second.shift == 0:
        rounding = first.rounding
    elif second.shift > 0 and once:
        rounding = second.rounding
    else:
        return None
    shift = first.shift + second.shift
    if first.fits(x):
        return replace(second, shift=shift, rounding=rounding)
    between = first.infer(x)
    if not monotone(second, between):
        return None
    ends = second.infer(between)
    return Requant(shift, ends.lo, ends.hi, rounding)


def _buffer(edit: Edit, node: Node) -> bool:
    """``f(max(x...)) = max(f(x)...)`` for monotone ``f``: buffer the narrower of the two."""
    first = edit.node(node.inputs[0])
    if first is None or edit.only_reader(first.name) is None:
        return False
    before, after = (edit.type(name).fixed.width for name in (first.inputs[0], node.name))
    match first.op, node.op:
        case MaxPool2d(), Requant():
            swaps = after < before and monotone(node.op, *edit.types(node))
        case MaxPool2d() | Reshape(), Relu() | Requant():
            swaps = after < before
        case Requant(), MaxPool2d():
            swaps = after > before and monotone(first.op, *edit.types(first))
        case Requant(), Reshape():
            swaps = after > before
        case _:
            swaps = False
    if swaps:
        edit.swap(first.name, node.name)
    return swaps


def _replace_pair(edit: Edit, first: Node, second: Node, op: Requant) -> bool:
    """Make ``op`` stand for ``second(first(x))`` where that is legal."""
    if not edit.legal(op, *first.inputs):
        return False
    edit.set(second.name, op, *first.inputs)
    edit.drop(first.name)
    return True
