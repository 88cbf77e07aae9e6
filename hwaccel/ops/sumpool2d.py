"""Sum over a sliding window: the exact half of average pooling."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import ClassVar

import numpy as np

from hwaccel.circuit import Builder
from hwaccel.errors import VerifyError
from hwaccel.fxp import FixedType
from hwaccel.fxp.arith import Array
from hwaccel.ir.hardware import Area, Fold, Hardware, Kernel, Pipe, Window
from hwaccel.ir.lines import Lines
from hwaccel.ir.op import Example, Interval, Op
from hwaccel.ir.types import TensorType
from hwaccel.ops.family import (
    Ints,
    check_window,
    divisors,
    line_buffer,
    out_image,
    tap_patterns,
    tap_slices,
)


@dataclass(frozen=True, slots=True)
class SumPool2d(Op):
    """``y = sum`` over the taps of each window that lie inside the image.

    Every channel by itself. The ``frac`` of the result is ``x.frac + gain``: a window of
    ``2^gain`` taps is thus an exact average without any arithmetic.
    """

    name: ClassVar[str] = "sumpool2d"
    homogeneous: ClassVar[bool] = True

    kernel_size: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    gain: int = 0

    def verify(self, *ins: TensorType) -> None:
        """Check the geometry."""
        Op.verify(self, *ins)
        if len(ins[0].shape) != 3:
            raise VerifyError(f"expected shape (C, H, W), found {ins[0].shape}")
        check_window(ins[0].image, self.kernel_size, self.stride, self.padding, (1, 1))

    def _out_image(self, x: TensorType) -> tuple[int, int]:
        return out_image(x.image, self.kernel_size, self.stride, self.padding)

    def _taps(self, x: TensorType) -> tuple[int, int]:
        """Return the fewest and the most taps of a window inside the image."""
        top, left, bottom, right = self.padding
        (kh, kw), (h, w) = self.kernel_size, x.image
        rows = tap_patterns(h, (top, bottom), kh, self.stride[0], 1).sum(axis=1)
        cols = tap_patterns(w, (left, right), kw, self.stride[1], 1).sum(axis=1)
        counts = np.outer(rows, cols)
        return int(counts.min()), int(counts.max())

    def infer(self, *ins: TensorType) -> TensorType:
        """Return the exact interval over all border patterns."""
        (x,) = ins
        few, many = self._taps(x)
        return TensorType(
            (x.channels, *self._out_image(x)),
            x.frac + self.gain,
            min(few * x.lo, many * x.lo),
            max(few * x.hi, many * x.hi),
        )

    def intervals(self, ins: tuple[TensorType, ...], *operands: Interval) -> Interval:
        """Sum the ends over the fewest and the most taps."""
        lo, hi = operands[0]
        few, many = self._taps(ins[0])
        return np.minimum(few * lo, many * lo), np.maximum(few * hi, many * hi)

    def golden(self, *xs: Array) -> Array:
        """Add shifted views; ``(N, C, H, W)`` in and out."""
        taps = tap_slices(xs[0], self.kernel_size, self.stride, self.padding, (1, 1), 0)
        return reduce(lambda a, b: a + b, taps)

    def bound(self, *ins: TensorType) -> int:
        """Bound any partial sum."""
        return self.kernel_size[0] * self.kernel_size[1] * ins[0].magnitude

    def additions(self, *ins: TensorType) -> int:
        """One less than the pixels of a window, padding included, for every sum."""
        return (self.kernel_size[0] * self.kernel_size[1] - 1) * self.infer(*ins).size

    def folds(self, *ins: TensorType) -> tuple[Fold, ...]:
        """Any number of lanes that divides the channels."""
        return tuple(Fold(n, n) for n in divisors(ins[0].channels))

    @property
    def channelwise(self) -> bool:
        """Always."""
        return True

    def keep(self, operand: Ints, result: Ints) -> SumPool2d:
        """Return the op itself: it treats all channels alike."""
        return self

    def hardware(self, ins: tuple[TensorType, ...], fold: Fold) -> Hardware:
        """Slide a window over a ring of pixels; add its beats."""
        (x,) = ins
        out, lanes = self.infer(x), fold.pe
        window = Window(
            *x.image,
            groups=x.channels // lanes,
            group_beats=1,
            repeat=1,
            kernel=self.kernel_size,
            stride=self.stride,
            padding=(self.padding[0], self.padding[1]),
            out_height=out.image[0],
            out_width=out.image[1],
        )
        width = out.fixed.width
        params = {
            "LANES": lanes,
            "IN_W": x.fixed.width,
            "IN_SIGNED": int(x.fixed.signed),
            "OUT_W": width,
        }
        area = Area(luts=width * lanes, ffs=width * lanes)
        pipe = Pipe("hwa_sumpool", tuple(params.items()), 1, lanes, width, framed=True, area=area)
        return Hardware((lanes,), lanes, (pipe,), window)

    def unroll(self, build: Builder, *xs: Ints) -> Ints:
        """Add the taps of every window."""
        zero = build.constant(0)
        taps = tap_slices(xs[0][None], self.kernel_size, self.stride, self.padding, (1, 1), zero)
        windows = np.stack(taps, axis=-1)[0]
        flat = windows.reshape(-1, len(taps))
        ones = np.ones((1, len(taps)), dtype=np.int64)
        return build.windows(ones, flat, np.zeros(1, dtype=np.int64)).reshape(windows.shape[:-1])

    def pixel(self, *ins: TensorType) -> tuple[Lines | None, Op]:
        """Buffer lines; add all taps at once."""
        (x,) = ins
        lines = line_buffer(x.image, self.kernel_size, self.stride, self.padding)
        return lines, SumPool2d(self.kernel_size, (1, 1), gain=self.gain)

    def kernel(self, *ins: TensorType) -> Kernel:
        """Call ``sumpool2d``."""
        (x,) = ins
        oh, ow = self._out_image(x)
        params = {
            "channels": x.channels,
            "height": x.image[0],
            "width": x.image[1],
            "out_height": oh,
            "out_width": ow,
            "kernel_height": self.kernel_size[0],
            "kernel_width": self.kernel_size[1],
            "stride_y": self.stride[0],
            "stride_x": self.stride[1],
            "pad_top": self.padding[0],
            "pad_left": self.padding[1],
        }
        return Kernel("sumpool2d", tuple(params.items()))

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        """Overlap, gaps, padding; signed and unsigned."""

        def make(label: str, op: SumPool2d, shape: tuple[int, ...], fixed: str) -> Example:
            return Example(label, op, (TensorType.full(shape, FixedType.parse(fixed)),))

        return (
            make("2x2", cls((2, 2), (2, 2), gain=2), (4, 4, 6), "u8.8"),
            make("3x3", cls((3, 3), (3, 3)), (2, 7, 6), "s8.4"),
            make("overlap", cls((3, 3), (1, 1), (1, 1, 1, 1)), (2, 4, 4), "s8.4"),
            make("stride-skips", cls((1, 2), (2, 3), gain=1), (3, 5, 8), "u4.0"),
            make("global", cls((4, 3), (1, 1)), (6, 4, 3), "s8.0"),
            make("asymmetric", cls((2, 2), (2, 2), (0, 1, 1, 0)), (2, 3, 3), "s5.0"),
            make("one", cls((1, 1), (1, 1)), (2, 1, 1), "u1.0"),
            Example(
                "interval", cls((2, 2), (1, 1), (1, 1, 1, 1)), (TensorType((2, 3, 3), 0, 3, 9),)
            ),
        )
