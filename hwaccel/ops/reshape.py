"""The same elements in another shape."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from hwaccel.circuit import Builder
from hwaccel.errors import VerifyError
from hwaccel.fxp import FixedType
from hwaccel.fxp.arith import Array, namespace
from hwaccel.ir.hardware import Fold, Hardware, Kernel, Order
from hwaccel.ir.op import Example, Interval, Op
from hwaccel.ir.types import TensorType
from hwaccel.ops.family import Ints, divisors


def stream_order(shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Return, for each place in the stream, the index of that element in C order."""
    return np.arange(prod(shape)).reshape(shape[0], -1).T.ravel()


@dataclass(frozen=True, slots=True)
class Reshape(Op):
    """``y.flat[i] = x.flat[i]`` in C order, where ``channels_last`` counts ``x`` pixel by pixel.

    Pixel by pixel is the C order of ``(H, W, C)``: all channels of the first pixel come first.
    A flatten that counts channels last is the order in which the hardware streams an image, and
    so costs nothing there; the ``stream_flatten`` pass turns the one into the other.
    """

    name: ClassVar[str] = "reshape"
    homogeneous: ClassVar[bool] = True
    renames: ClassVar[bool] = True

    shape: tuple[int, ...]
    channels_last: bool = False

    def verify(self, *ins: TensorType) -> None:
        """Check that no element is lost or invented."""
        Op.verify(self, *ins)
        if prod(self.shape) != ins[0].size:
            raise VerifyError(
                f"cannot reshape {ins[0].shape} ({ins[0].size} elements) to {self.shape} "
                f"({prod(self.shape)} elements)"
            )
        if self.channels_last and len(self.shape) != 1:
            raise VerifyError(f"channels_last flattens to one axis, found shape {self.shape}")

    def infer(self, *ins: TensorType) -> TensorType:
        """Keep the interval."""
        return ins[0].reshaped(self.shape)

    def intervals(self, ins: tuple[TensorType, ...], *operands: Interval) -> Interval:
        """Spread over elements, then gather over the channels of the result."""
        (x,) = ins
        lo, hi = (
            np.repeat(end, x.size // x.channels)[self.source(x)].reshape(self.shape[0], -1)
            for end in operands[0]
        )
        return lo.min(axis=1), hi.max(axis=1)

    def ties(self, *ins: TensorType) -> Ints:
        """Tie every two channels that share an element."""
        (x,) = ins
        operand = self.source(x) // (x.size // x.channels)
        result = np.arange(x.size) // (x.size // self.shape[0])
        return np.unique(np.stack([operand, result], axis=1), axis=0)

    def keep(self, operand: Ints, result: Ints) -> Reshape:
        """Shorten the first axis; what is kept keeps its order."""
        return replace(self, shape=(result.size, *self.shape[1:]))

    def golden(self, *xs: Array) -> Array:
        """Reshape, channels moved last first where asked."""
        (x,) = xs
        xp = namespace(x)
        if self.channels_last:
            x = xp.moveaxis(x, 1, -1)
        return xp.reshape(x, (x.shape[0], *self.shape))

    def source(self, x: TensorType) -> NDArray[np.int64]:
        """Return, for each output element in C order, the C-order index of its input element."""
        return stream_order(x.shape) if self.channels_last else np.arange(x.size)

    def _moves(self, x: TensorType) -> NDArray[np.int64]:
        place = np.empty(x.size, dtype=np.int64)
        place[stream_order(x.shape)] = np.arange(x.size)
        return place[self.source(x)[stream_order(self.shape)]]

    def folds(self, *ins: TensorType) -> tuple[Fold, ...]:
        """Any lanes that divide both channel counts when nothing moves; one lane otherwise."""
        moves = self._moves(ins[0])
        if np.array_equal(moves, np.arange(moves.size)):
            common = np.gcd(ins[0].channels, self.shape[0])
            return tuple(Fold(n, n) for n in divisors(int(common)))
        return (Fold(),)

    def hardware(self, ins: tuple[TensorType, ...], fold: Fold) -> Hardware:
        """Wires, or a two-bank buffer of the whole frame when elements move."""
        moves = self._moves(ins[0])
        if np.array_equal(moves, np.arange(moves.size)):
            return Hardware((fold.pe,), fold.pe)
        return Hardware((1,), 1, reorder=Order(tuple(moves.tolist()), moves.size))

    def unroll(self, build: Builder, *xs: Ints) -> Ints:
        """Rename."""
        x = np.moveaxis(xs[0], 0, -1) if self.channels_last else xs[0]
        return x.reshape(self.shape)

    def kernel(self, *ins: TensorType) -> Kernel:
        """Call ``reshape`` with the channel counts and sizes of both sides."""
        (x,) = ins
        params = {
            "size": x.size,
            "channels": x.channels,
            "out_channels": self.shape[0],
            "channels_last": int(self.channels_last),
        }
        return Kernel("reshape", tuple(params.items()))

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        """Flatten both ways, unflatten, ranks up and down."""

        def make(
            label: str, shape: tuple[int, ...], to: tuple[int, ...], last: bool = False
        ) -> Example:
            x = TensorType.full(shape, FixedType.parse("s6.3"))
            return Example(label, cls(to, last), (x,))

        return (
            make("flatten", (4, 2, 3), (24,)),
            make("flatten-stream", (4, 2, 3), (24,), True),
            make("flatten-pixel", (6, 1, 1), (6,)),
            make("unflatten", (12,), (3, 2, 2)),
            make("same", (4, 3), (4, 3)),
            make("split-rows", (2, 6), (2, 2, 3)),
            make("merge-channels", (4, 2, 2), (2, 4, 2)),
            make("one", (1,), (1, 1, 1)),
        )
