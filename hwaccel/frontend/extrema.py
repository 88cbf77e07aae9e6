"""Where the largest or smallest element is, the smallest element, and pools of uneven windows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from hwaccel import ops
from hwaccel.frontend import moves, reduction
from hwaccel.frontend.floatgraph import FloatNode, FloatOp, MaxPool2d, Pair, Role
from hwaccel.frontend.formats import Ints
from hwaccel.frontend.importer import Handler, Importer
from hwaccel.frontend.lower import Lower, Lowering
from hwaccel.frontend.program import Call
from hwaccel.fxp import IntArray, Overflow

_SIDES = (0, 0, 0, 0)


@dataclass(frozen=True, slots=True, eq=False)
class Place(FloatOp):
    """Index along axis 0 of ``(n, G)`` of the largest, or smallest, element: the first of them."""

    kind: ClassVar[str] = "place"
    role: ClassVar[Role] = Role.COMPARE

    largest: bool

    def run(self, *xs: torch.Tensor) -> torch.Tensor:
        """Find it; PyTorch on the CPU takes the first of equal ones as well."""
        (x,) = xs
        return (x if self.largest else -x).argmax(1).to(x.dtype)


@dataclass(frozen=True, slots=True, eq=False)
class MinPool2d(FloatOp):
    """Minimum of each window."""

    kind: ClassVar[str] = "minpool2d"
    # Rounding and clipping at zero are monotone, so they commute with it.
    role: ClassVar[Role] = Role.KEEP

    kernel: Pair

    def run(self, *xs: torch.Tensor) -> torch.Tensor:
        """Take the minimum."""
        return -torch.nn.functional.max_pool2d(-xs[0], self.kernel, self.kernel)


def _place(low: Lowering, node: FloatNode, op: Place, x: str) -> str:
    """Put ``2^k - 1 - index`` below the last bit, take the largest, and keep what is below.

    Among equal elements the smallest index is the largest number.
    """
    size, groups = low.type(x).shape
    bits = (size - 1).bit_length()
    if not bits:
        return low.add(
            node, ops.Reshape((groups,)), _scaled(low, node, x, 0, np.zeros(1, np.int64))
        )
    last = (1 << bits) - 1
    below = last - np.arange(size)
    keys = _scaled(low, node, x, (1 if op.largest else -1) << bits, below)
    source = np.arange(size * groups).reshape(size, groups).T.ravel()
    keys = low.add(node, ops.Gather(IntArray(source), (1, groups, size)), keys, suffix="rows")
    best = low.add(node, ops.MaxPool2d((1, size), (1, size)), keys, suffix="best")
    kept = ops.Requant(0, 0, last, overflow=Overflow.WRAP)
    rest = low.add(node, kept, best, suffix="rest")
    index = _scaled(low, node, rest, -1, np.array([last]))
    return low.add(node, ops.Reshape((groups,)), index)


def _scaled(low: Lowering, node: FloatNode, x: str, factor: int, add: Ints) -> str:
    """Return ``x * factor + add``, one ``add`` per channel, as integers without a fraction."""
    type = low.type(x)
    mult = IntArray([factor] * type.channels)
    op = ops.Scale(mult, IntArray(np.broadcast_to(add, mult.shape)), -type.frac)
    return low.add(node, op, x, suffix="key")


def _minpool(low: Lowering, node: FloatNode, op: MinPool2d, x: str) -> str:
    channels = low.type(x).channels
    minus = ops.Scale(IntArray([-1] * channels), IntArray([0] * channels))
    best = ops.MaxPool2d(op.kernel, op.kernel)
    negated = low.add(node, minus, x, suffix="minus")
    return low.add(node, minus, low.add(node, best, negated, suffix="best"))


LOWER: dict[type[FloatOp], Lower] = {Place: _place, MinPool2d: _minpool}


def largest_place(i: Importer, call: Call) -> str:
    """``argmax`` over one axis."""
    return _index(i, call, True, 0)


def smallest_place(i: Importer, call: Call) -> str:
    """``argmin`` over one axis."""
    return _index(i, call, False, 0)


def _index(i: Importer, call: Call, largest: bool, result: int) -> str:
    if call.args.get("dim") is None:
        raise i.refuse(call, "compares all frames of the batch; give a dim, after flatten(1)")
    x, axes = i.first(call), reduction.axes_of(i, call)
    front, _ = moves.in_front(i, call, x, axes)
    size, *rest = i.shape(front)
    flat = i.reshape(call, front, (size, int(np.prod(rest, dtype=np.int64))))
    y = i.add(call, Place(largest), flat, shape=i.shape(flat)[1:])
    return i.reshape(call, y, i.inner(call, result))


def _value(i: Importer, call: Call, largest: bool, result: int) -> str:
    return reduction.over(i, call, _largest if largest else MinPool2d, result)


def _largest(kernel: Pair) -> FloatOp:
    return MaxPool2d(kernel, kernel, _SIDES, (1, 1))


def minimum(i: Importer, call: Call) -> str:
    """``amin`` over some of the axes behind the batch."""
    return _value(i, call, False, 0)


def largest(i: Importer, call: Call) -> tuple[str, ...]:
    """``max`` over one axis: values and indices."""
    return _both(i, call, True)


def smallest(i: Importer, call: Call) -> tuple[str, ...]:
    """``min`` over one axis: values and indices."""
    return _both(i, call, False)


def _both(i: Importer, call: Call, most: bool) -> tuple[str, ...]:
    parts = (_value, _index)
    return tuple(
        part(i, call, most, place) if name else ""
        for place, (name, part) in enumerate(zip(call.results, parts, strict=True))
    )


def top(i: Importer, call: Call) -> tuple[str, ...]:
    """``topk`` with ``k`` of 1: values and indices."""
    if call.args["k"] != 1:
        raise i.refuse(call, f"k is {call.args['k']}, expected 1; choose outside the model")
    return _both(i, call, bool(call.args.get("largest", True)))


def ends(i: Importer, call: Call) -> tuple[str, ...]:
    """``aminmax`` over one axis."""
    if call.args.get("dim") is None:
        raise i.refuse(call, "compares all frames of the batch; give a dim, after flatten(1)")
    return _value(i, call, False, 0), _value(i, call, True, 1)


def all_frames(i: Importer, call: Call) -> str:
    """``max`` and ``min`` without an axis."""
    raise i.refuse(call, "compares all frames of the batch; give a dim, after flatten(1)")


def adaptive_max_pool(i: Importer, call: Call) -> str:
    """``adaptive_max_pool`` to any size; short windows repeat their last element."""
    x = i.image(call, i.first(call))
    channels, height, width = i.shape(x)
    result = i.result_image(call)
    rows, columns = _windows(height, result[1]), _windows(width, result[2])
    kernel = (rows.shape[1], columns.shape[1])
    places = np.arange(channels * height * width).reshape(channels, height, width)
    places = places[:, rows.ravel()][:, :, columns.ravel()]
    wide = moves.gather(i, call, x, places.ravel(), places.shape)
    return i.add_image(call, _largest(kernel), wide)


def _windows(size: int, windows: int) -> Ints:
    """Return the elements of every window; from ``floor(w * size / windows)`` up to the next."""
    first = [w * size // windows for w in range(windows)]
    last = [-(-(w + 1) * size // windows) - 1 for w in range(windows)]
    longest = max(b - a for a, b in zip(first, last, strict=True)) + 1
    found = np.add.outer(first, np.arange(longest))
    inside: Ints = np.minimum(found, np.array(last)[:, None])
    return inside


HANDLERS: dict[str, Handler] = {
    "aten.argmax.default": largest_place,
    "aten.argmin.default": smallest_place,
    "aten.amin.default": minimum,
    "aten.max.dim": largest,
    "aten.min.dim": smallest,
    "aten.max.default": all_frames,
    "aten.min.default": all_frames,
    "aten.topk.default": top,
    "aten.aminmax.default": ends,
    "aten.adaptive_max_pool1d.default": adaptive_max_pool,
    "aten.adaptive_max_pool2d.default": adaptive_max_pool,
}
