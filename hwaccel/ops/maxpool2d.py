"""Maximum over a sliding window."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import ClassVar

import numpy as np

from hwaccel.circuit import Builder
from hwaccel.errors import VerifyError
from hwaccel.fxp import FixedType
from hwaccel.fxp.arith import Array, namespace
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
class MaxPool2d(Op):
    """``y = max`` over the taps of each window that lie inside the image.

    Every channel by itself; padding never wins, and no window is without a tap in the image.
    """

    name: ClassVar[str] = "maxpool2d"
    homogeneous: ClassVar[bool] = True

    kernel_size: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    dilation: tuple[int, int] = (1, 1)

    def verify(self, *ins: TensorType) -> None:
        """Check the geometry; every window must touch the image."""
        Op.verify(self, *ins)
        (x,) = ins
        if len(x.shape) != 3:
            raise VerifyError(f"expected shape (C, H, W), found {x.shape}")
        check_window(x.image, self.kernel_size, self.stride, self.padding, self.dilation)
        for axis in (0, 1):
            pads = (self.padding[axis], self.padding[axis + 2])
            patterns = tap_patterns(
                x.image[axis],
                pads,
                self.kernel_size[axis],
                self.stride[axis],
                self.dilation[axis],
            )
            if not patterns.any(axis=1).all():
                raise VerifyError(
                    f"padding {self.padding} leaves a window without a pixel; "
                    "pad less than the kernel"
                )

    def _out_image(self, x: TensorType) -> tuple[int, int]:
        return out_image(x.image, self.kernel_size, self.stride, self.padding, self.dilation)

    def infer(self, *ins: TensorType) -> TensorType:
        """Keep the interval."""
        (x,) = ins
        return TensorType((x.channels, *self._out_image(x)), x.frac, x.lo, x.hi)

    def intervals(self, ins: tuple[TensorType, ...], *operands: Interval) -> Interval:
        """Keep every channel's interval."""
        return operands[0]

    def golden(self, *xs: Array) -> Array:
        """Take the maximum over shifted views; ``(N, C, H, W)`` in and out."""
        (x,) = xs
        # The smallest integer of the batch is a neutral element for this batch.
        fill = x.min() if x.shape[0] else 0
        taps = tap_slices(x, self.kernel_size, self.stride, self.padding, self.dilation, fill)
        return reduce(namespace(x).maximum, taps)

    def folds(self, *ins: TensorType) -> tuple[Fold, ...]:
        """Any number of lanes that divides the channels."""
        return tuple(Fold(n, n) for n in divisors(ins[0].channels))

    @property
    def channelwise(self) -> bool:
        """Always."""
        return True

    def keep(self, operand: Ints, result: Ints) -> MaxPool2d:
        """Return the op itself: it treats all channels alike."""
        return self

    def hardware(self, ins: tuple[TensorType, ...], fold: Fold) -> Hardware:
        """Slide a window over a ring of pixels; keep the maximum of its beats."""
        (x,) = ins
        lanes = fold.pe
        oh, ow = self._out_image(x)
        window = Window(
            *x.image,
            groups=x.channels // lanes,
            group_beats=1,
            repeat=1,
            kernel=self.kernel_size,
            stride=self.stride,
            dilation=self.dilation,
            padding=(self.padding[0], self.padding[1]),
            out_height=oh,
            out_width=ow,
            pad=x.lo,
        )
        width = x.fixed.width
        params = (("LANES", lanes), ("W", width), ("SIGNED", int(x.fixed.signed)))
        area = Area(luts=2 * width * lanes, ffs=width * lanes)
        pipe = Pipe("hwa_maxpool", params, 1, lanes, width, framed=True, area=area)
        return Hardware((lanes,), lanes, (pipe,), window)

    def unroll(self, build: Builder, *xs: Ints) -> Ints:
        """Compare the taps of every window in a tree; those outside the image take no part."""
        taps = tap_slices(
            xs[0][None], self.kernel_size, self.stride, self.padding, self.dilation, -1
        )
        windows = np.stack(taps, axis=-1)[0]
        y = [build.highest([int(i) for i in w if i >= 0]) for w in windows.reshape(-1, len(taps))]
        return np.array(y, dtype=np.int64).reshape(windows.shape[:-1])

    def pixel(self, *ins: TensorType) -> tuple[Lines | None, Op]:
        """Buffer lines; compare all taps at once."""
        (x,) = ins
        lines = line_buffer(
            x.image, self.kernel_size, self.stride, self.padding, self.dilation, x.lo
        )
        return lines, MaxPool2d(self.kernel_size, (1, 1))

    def kernel(self, *ins: TensorType) -> Kernel:
        """Call ``maxpool2d``."""
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
            "dilation_y": self.dilation[0],
            "dilation_x": self.dilation[1],
            "pad_top": self.padding[0],
            "pad_left": self.padding[1],
        }
        return Kernel("maxpool2d", tuple(params.items()))

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        """Overlap, gaps, padding, dilation; signed and unsigned."""

        def make(label: str, op: MaxPool2d, shape: tuple[int, ...], fixed: str) -> Example:
            return Example(label, op, (TensorType.full(shape, FixedType.parse(fixed)),))

        return (
            make("2x2", cls((2, 2), (2, 2)), (4, 4, 6), "u8.8"),
            make("odd-edge", cls((2, 2), (2, 2)), (2, 5, 5), "s8.4"),
            make("overlap", cls((3, 3), (1, 1), (1, 1, 1, 1)), (2, 4, 4), "s8.4"),
            make("stride-skips", cls((1, 2), (2, 3)), (3, 5, 8), "u4.0"),
            make("dilated", cls((2, 2), (1, 2), (1, 1, 1, 1), (2, 3)), (2, 5, 6), "s5.0"),
            make("whole", cls((4, 3), (1, 1)), (6, 4, 3), "s8.0"),
            make("one", cls((1, 1), (1, 1)), (2, 1, 1), "u1.0"),
            make("ceil", cls((2, 2), (2, 2), (0, 0, 1, 1)), (2, 5, 3), "s6.1"),
            Example(
                "interval", cls((2, 2), (1, 1), (1, 1, 1, 1)), (TensorType((2, 3, 3), 0, 3, 9),)
            ),
        )
