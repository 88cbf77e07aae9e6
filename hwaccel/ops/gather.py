"""Elements of one tensor in any order, repeated or left out, with constants between them."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from hwaccel.circuit import Builder
from hwaccel.errors import VerifyError
from hwaccel.fxp import FixedType, IntArray
from hwaccel.fxp.arith import Array, namespace
from hwaccel.ir.hardware import Fold, Hardware, Kernel, Order
from hwaccel.ir.op import Example, Interval, Op
from hwaccel.ir.types import TensorType
from hwaccel.ops.family import Ints, divisors
from hwaccel.ops.reshape import stream_order


@dataclass(frozen=True, slots=True)
class Gather(Op):
    """``y.flat[i] = x.flat[source[i]]``, or ``fill`` where ``source[i]`` is -1; in C order.

    Permutation, slice, flip, padding of any mode, nearest upsampling, pixel shuffle and the
    repetition that broadcasting asks for are all of this form, and so is any chain of them.
    """

    name: ClassVar[str] = "gather"
    renames: ClassVar[bool] = True

    source: IntArray
    shape: tuple[int, ...]
    fill: int = 0

    def verify(self, *ins: TensorType) -> None:
        """Check that every source is an element of the operand."""
        Op.verify(self, *ins)
        size = prod(self.shape)
        if self.source.shape != (size,):
            raise VerifyError(
                f"source has shape {self.source.shape}, expected ({size},) for a result of shape "
                f"{self.shape}"
            )
        lo, hi = self.source.range()
        if lo < -1 or hi >= ins[0].size:
            raise VerifyError(
                f"source runs from {lo} to {hi}, expected -1 to {ins[0].size - 1} for an operand "
                f"of shape {ins[0].shape}"
            )
        fixed = ins[0].fixed
        if not self.holds(*ins):
            raise VerifyError(
                f"fill is {self.fill}, expected {fixed.lo} to {fixed.hi}, what the operand's "
                f"format {fixed} holds; pad with another value or widen the operand"
            )
        if hi < 0:
            raise VerifyError("the result is nothing but padding; use a constant instead")

    def holds(self, *ins: TensorType) -> bool:
        """Tell whether the operand's format, which is that of the result, holds ``fill``."""
        fixed = ins[0].fixed
        return not self.fills or fixed.lo <= self.fill <= fixed.hi

    @property
    def fills(self) -> bool:
        """Tell whether some elements are ``fill``."""
        return bool((self.source.a < 0).any())

    def infer(self, *ins: TensorType) -> TensorType:
        """Keep the interval, and take in the constant."""
        (x,) = ins
        lo, hi = (min(x.lo, self.fill), max(x.hi, self.fill)) if self.fills else (x.lo, x.hi)
        return TensorType(self.shape, x.frac, lo, hi)

    def intervals(self, ins: tuple[TensorType, ...], *operands: Interval) -> Interval:
        """Spread over elements, then gather over the channels of the result."""
        (x,) = ins
        source = self.source.a
        lo, hi = (
            np.where(
                source < 0, self.fill, np.repeat(end, x.size // x.channels)[np.maximum(source, 0)]
            ).reshape(self.shape[0], -1)
            for end in operands[0]
        )
        return lo.min(axis=1), hi.max(axis=1)

    def bound(self, *ins: TensorType) -> int:
        """Nothing is computed."""
        return self.infer(*ins).magnitude

    def golden(self, *xs: Array) -> Array:
        """Index, then put the constant where nothing was read."""
        (x,) = xs
        xp = namespace(x)
        flat = xp.reshape(x, (x.shape[0], -1))
        source = np.maximum(self.source.a, 0)
        index = source if xp is np else xp.asarray(source.copy(), device=x.device)
        y = flat[:, index]
        if self.fills:
            holes = np.flatnonzero(self.source.a < 0)
            y[:, holes if xp is np else xp.asarray(holes.copy(), device=x.device)] = self.fill
        return xp.reshape(y, (x.shape[0], *self.shape))

    def _moves(self, x: TensorType) -> NDArray[np.int64]:
        """Return, for each place in the stream of the result, the place it comes from, or -1."""
        place = np.empty(x.size + 1, dtype=np.int64)
        place[stream_order(x.shape)] = np.arange(x.size)
        place[-1] = -1
        return place[self.source.a[stream_order(self.shape)]]

    def folds(self, *ins: TensorType) -> tuple[Fold, ...]:
        """As many lanes as always move together."""
        moves = self._moves(ins[0])
        common = int(np.gcd(ins[0].channels, self.shape[0]))
        return tuple(Fold(n, n) for n in divisors(common) if _together(moves, n) is not None)

    def hardware(self, ins: tuple[TensorType, ...], fold: Fold) -> Hardware:
        """Wires where the order of the stream does not change, else a two-bank frame buffer."""
        (x,) = ins
        beats = _together(self._moves(x), fold.pe)
        assert beats is not None
        length = x.size // fold.pe
        if np.array_equal(beats, np.arange(length)):
            return Hardware((fold.pe,), fold.pe)
        order = Order(tuple(beats.tolist()), length, self.fill)
        return Hardware((fold.pe,), fold.pe, reorder=order)

    def unroll(self, build: Builder, *xs: Ints) -> Ints:
        """Rename."""
        flat = np.append(xs[0].ravel(), build.constant(self.fill) if self.fills else 0)
        return flat[self.source.a].reshape(self.shape)

    def kernel(self, *ins: TensorType) -> Kernel:
        """Call ``gather`` with the places in the stream that those of the result come from."""
        (x,) = ins
        moves = self._moves(x)
        params = {
            "in_size": x.size,
            "in_channels": x.channels,
            "size": moves.size,
            "channels": self.shape[0],
            "fill": self.fill,
            "unchanged": int(np.array_equal(moves, np.arange(x.size))),
        }
        return Kernel("gather", tuple(params.items()), (("order", IntArray(moves)),))

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        """Every use there is a name for, and lanes that move together."""

        def make(label: str, shape: tuple[int, ...], result: Ints, fill: int = 0) -> Example:
            op = cls(IntArray(result.ravel()), result.shape, fill)
            return Example(label, op, (TensorType.full(shape, FixedType.parse("s6.3")),))

        def places(*shape: int) -> Ints:
            return np.arange(prod(shape)).reshape(shape)

        def padded(shape: tuple[int, ...], *pads: tuple[int, int]) -> Ints:
            return np.pad(places(*shape), pads, constant_values=-1)

        shuffled = places(8, 2, 3).reshape(2, 2, 2, 2, 3).transpose(0, 3, 1, 4, 2).reshape(2, 4, 6)
        return (
            make("transpose", (4, 6), places(4, 6).T),
            make("permute", (4, 2, 3), places(4, 2, 3).transpose(0, 2, 1)),
            make("rotate-axes", (2, 3, 4), places(2, 3, 4).transpose(2, 0, 1)),
            make("slice", (4, 5), places(4, 5)[:, 1:4]),
            make("some-channels", (6, 2, 2), places(6, 2, 2)[1:3]),
            make("select-one", (3,), places(3)[2:]),
            make("flip", (2, 3, 3), places(2, 3, 3)[:, ::-1, ::-1]),
            make("reflect", (2, 4), np.pad(places(2, 4), ((0, 0), (2, 1)), "reflect")),
            make("zeros", (4, 2, 2), padded((4, 2, 2), (0, 0), (1, 1), (0, 2))),
            make("pad-channels", (2, 3), padded((2, 3), (1, 3), (0, 0)), -7),
            make("pad-lowest", (1, 2), padded((1, 2), (0, 0), (3, 3)), -32),
            make("upsample", (4, 2, 2), places(4, 2, 2).repeat(2, 1).repeat(2, 2)),
            make("broadcast", (3, 1), np.broadcast_to(places(3, 1), (3, 4)).copy()),
            make("broadcast-one", (1,), np.zeros((5, 2), np.int64)),
            make("pixel-shuffle", (8, 2, 3), shuffled),
            make("flatten", (3, 2, 2), places(3, 2, 2).reshape(12)),
            make("same", (4, 3), places(4, 3)),
            Example(
                "one-bit",
                cls(IntArray([1, 0, -1]), (3,), 1),
                (TensorType((2, 1), 0, 0, 1),),
            ),
            Example(
                "interval",
                cls(IntArray([2, 2, 0]), (1, 3)),
                (TensorType((3,), 2, -9, 30),),
            ),
        )


def _together(moves: NDArray[np.int64], lanes: int) -> NDArray[np.int64] | None:
    """Return the order of beats of ``lanes`` elements; ``None`` where some beat falls apart."""
    if moves.size % lanes:
        return None
    rows = moves.reshape(-1, lanes)
    first = rows[:, 0]
    whole = np.where(first[:, None] < 0, -1, first[:, None] + np.arange(lanes))
    aligned = (first < 0) | (first % lanes == 0)
    if not (aligned.all() and np.array_equal(rows, whole)):
        return None
    beats: NDArray[np.int64] = np.where(first < 0, -1, first // lanes)
    return beats
