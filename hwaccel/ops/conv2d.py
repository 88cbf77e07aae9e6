"""Two-dimensional convolution, grouped and depthwise included."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from hwaccel.circuit import Builder
from hwaccel.errors import VerifyError
from hwaccel.fxp import FixedType, IntArray
from hwaccel.fxp.arith import Array, constant, namespace
from hwaccel.ir.hardware import Fold, Hardware, Kernel, Multiplier, Window
from hwaccel.ir.lines import Lines
from hwaccel.ir.op import Example, Interval, Op, uniform
from hwaccel.ir.types import TensorType
from hwaccel.ops.family import (
    Ints,
    check_channels,
    check_reach,
    check_window,
    common_factor,
    contributions,
    divisors,
    line_buffer,
    mac_pipe,
    matrix_product,
    out_image,
    signed_width,
    tap_patterns,
    tap_slices,
    without_factor,
)
from hwaccel.ops.mac import borrowed, packing, skip_zeros, skipping

# Elements of windows that are laid out at a time: some hundred kilobytes stay in the cache.
_AT_ONCE = 1 << 17


@lru_cache(maxsize=256)
def _carried_weights(op: Conv2d, dtype: str) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return ``weight << shift`` as ``(groups, outputs / groups, inputs * taps)``, and the bias."""
    outputs = op.weight.shape[0]
    aligned = op.weight.a.reshape(outputs, -1) << op.shift.a[:, None]
    matrix = aligned.reshape(op.groups, outputs // op.groups, -1)
    return matrix.astype(dtype), op.bias.a[:, None, None].astype(dtype)


@dataclass(frozen=True, slots=True)
class Conv2d(Op):
    """``y[o] = ((sum_{i,ky,kx} weight[o, i, ky, kx] * x[g + i, tap]) << shift[o]) + bias[o]``.

    ``weight`` is ``(outputs, inputs / groups, KH, KW)``; ``g`` is the first input channel of the
    group of ``o``, groups being runs of neighbours. Taps outside the image are zero. The
    ``frac`` of the result is ``x.frac + weight_frac``.
    """

    name: ClassVar[str] = "conv2d"

    weight: IntArray
    shift: IntArray
    bias: IntArray
    weight_frac: int = 0
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1

    @property
    def kernel_size(self) -> tuple[int, int]:
        """Height and width of the kernel."""
        return self.weight.shape[2], self.weight.shape[3]

    @property
    def depthwise(self) -> bool:
        """One input and one output channel per group."""
        return self.weight.shape[0] == self.groups and self.weight.shape[1] == 1

    def verify(self, *ins: TensorType) -> None:
        """Check shapes, groups and window geometry."""
        Op.verify(self, *ins)
        if len(self.weight.shape) != 4 or 0 in self.weight.shape:
            raise VerifyError(
                f"weight has shape {self.weight.shape}, expected (outputs, inputs / groups, KH, KW)"
            )
        outputs, per_group = self.weight.shape[:2]
        if self.groups < 1 or outputs % self.groups:
            raise VerifyError(f"{outputs} output channels do not split into {self.groups} groups")
        if len(ins[0].shape) != 3 or ins[0].shape[0] != per_group * self.groups:
            raise VerifyError(
                f"expected shape ({per_group * self.groups}, H, W), found {ins[0].shape}"
            )
        check_window(ins[0].image, self.kernel_size, self.stride, self.padding, self.dilation)
        check_channels(self.shift, self.bias, outputs)
        check_reach(self.weight.a, self.shift.a, self.bias.a, ins[0])

    def _out_image(self, x: TensorType) -> tuple[int, int]:
        return out_image(x.image, self.kernel_size, self.stride, self.padding, self.dilation)

    def infer(self, *ins: TensorType) -> TensorType:
        """Return the exact interval over the actual weights and border patterns."""
        lo, hi = self.intervals(ins, uniform(ins[0]))
        shape = (self.weight.shape[0], *self._out_image(ins[0]))
        return TensorType(shape, ins[0].frac + self.weight_frac, int(lo.min()), int(hi.max()))

    def intervals(self, ins: tuple[TensorType, ...], *operands: Interval) -> Interval:
        """Add the ends of every term, for every pattern of taps inside the image."""
        top, left, bottom, right = self.padding
        (kh, kw), (h, w) = self.kernel_size, ins[0].image
        rows = tap_patterns(h, (top, bottom), kh, self.stride[0], self.dilation[0])
        cols = tap_patterns(w, (left, right), kw, self.stride[1], self.dilation[1])
        per_out = self.weight.shape[0] // self.groups
        lo, hi = (
            # One row per output channel: the operand channels of its group.
            np.repeat(end.reshape(self.groups, -1), per_out, axis=0)[:, :, None, None]
            for end in operands[0]
        )
        low, high = (
            rows.astype(np.int64) @ c.sum(axis=1) @ cols.astype(np.int64).T
            for c in contributions(self.weight.a, lo, hi)
        )
        return (
            (low.min(axis=(1, 2)) << self.shift.a) + self.bias.a,
            (high.max(axis=(1, 2)) << self.shift.a) + self.bias.a,
        )

    def golden(self, *xs: Array) -> Array:
        """Lay the taps of every window side by side, then multiply; ``(N, C, H, W)`` both ways."""
        (x,) = xs
        taps = tap_slices(x, self.kernel_size, self.stride, self.padding, self.dilation, 0)
        n, channels, oh, ow = taps[0].shape
        per_group, outputs = channels // self.groups, self.weight.shape[0]
        window = (self.groups, per_group * len(taps), oh * ow)
        if not isinstance(x, np.ndarray):
            matrix, bias = (constant(v, x) for v in _carried_weights(self, "int64"))
            columns = namespace(x).stack(taps, axis=2).reshape(n, *window)
            return matrix_product(matrix, columns).reshape(n, outputs, oh, ow) + bias
        matrix, bias = _carried_weights(self, x.dtype.char)
        y = np.empty((n, self.groups, outputs // self.groups, oh * ow), x.dtype)
        step = max(1, _AT_ONCE // (channels * len(taps) * oh * ow))
        columns = np.empty((min(step, n), channels, len(taps), oh, ow), x.dtype)
        for first in range(0, n, step):
            part = columns[: n - first]
            for i, tap in enumerate(taps):
                part[:, :, i] = tap[first : first + step]
            np.matmul(matrix, part.reshape(len(part), *window), out=y[first : first + step])
        result = y.reshape(n, outputs, oh, ow)
        result += bias
        return result

    def bound(self, *ins: TensorType) -> int:
        """Bound any partial sum, in any order of addition."""
        reach = np.abs(self.weight.a).sum(axis=(1, 2, 3)) * ins[0].magnitude
        return int(((reach << self.shift.a) + np.abs(self.bias.a)).max())

    def additions(self, *ins: TensorType) -> int:
        """One per product: the sum starts at the bias."""
        return self.multiplications(*ins)

    def multiplications(self, *ins: TensorType) -> int:
        """One per weight and output pixel, padding included."""
        oh, ow = self._out_image(ins[0])
        return self.weight.a.size * oh * ow

    def folds(self, *ins: TensorType) -> tuple[Fold, ...]:
        """Divisors of the channels of one group; lanes for depthwise; zeros may be skipped."""
        outputs, per_group = self.weight.shape[:2]
        per_out = 1 if self.depthwise else outputs // self.groups
        pairs = [Fold(p, s) for p in divisors(per_out) for s in divisors(per_group)]
        if self.depthwise:
            pairs = [Fold(lanes, 1) for lanes in divisors(outputs)]
        pairs += skipping(pairs, self.weight.a, self._words)
        return tuple(sorted(pairs, key=lambda f: (f.pe * f.simd, f.pe)))

    def _acc_width(self, x: TensorType) -> int:
        lo, hi = contributions(self.weight.a, x.lo, x.hi)
        return signed_width(
            int(np.minimum(lo, 0).sum(axis=(1, 2, 3)).min()),
            int(np.maximum(hi, 0).sum(axis=(1, 2, 3)).max()),
        )

    def _words(self, fold: Fold) -> Ints:
        """Arrange the weights in the order in which ``hwa_window`` presents their inputs."""
        outputs, per_group, kh, kw = self.weight.shape
        pe, simd = fold.pe, fold.simd
        if self.depthwise:
            lanes = self.weight.a.reshape(outputs // pe, pe, kh * kw)
            return lanes.transpose(0, 2, 1).reshape(-1, pe)
        repeat = outputs // self.groups // pe
        w = self.weight.a.reshape(self.groups * repeat, pe, per_group // simd, simd, kh * kw)
        return w.transpose(0, 4, 2, 1, 3).reshape(-1, pe * simd)

    def packing(self, ins: tuple[TensorType, ...], fold: Fold, multiplier: Multiplier) -> int:
        """As many as fit: the outputs of a beat share its inputs, unless depthwise."""
        if self.depthwise:
            return 1
        return packing(self.weight.a, self._words, fold, ins[0], multiplier)

    @property
    def channelwise(self) -> bool:
        """Where depthwise."""
        return self.depthwise

    def ties(self, *ins: TensorType) -> Ints | None:
        """Tie nothing when one group, channel to channel when depthwise, all otherwise."""
        if self.groups == 1:
            return np.empty((0, 2), dtype=np.int64)
        return Op.ties(self, *ins) if self.depthwise else None

    def needs(self, x: TensorType, constant: Ints, known: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return the columns with a weight; padding breaks all constants but zero."""
        if self.groups > 1:
            return Op.needs(self, x, constant, known)
        absorbed = known & (constant == 0) if any(self.padding) else known
        return ~absorbed & self.weight.a.any(axis=(0, 2, 3))

    def absorb(self, constant: Ints) -> Conv2d:
        """Add what the constants contribute to the bias."""
        if self.groups > 1:
            return self
        constant_sum = self.weight.a.sum(axis=(2, 3)) @ constant
        return replace(self, bias=IntArray(self.bias.a + (constant_sum << self.shift.a)))

    def keep(self, operand: Ints, result: Ints) -> Conv2d:
        """Take these rows and columns."""
        groups = self.groups if self.groups == 1 else result.size
        columns = operand if self.groups == 1 else np.zeros(1, dtype=np.int64)
        weight = IntArray(self.weight.a[np.ix_(result, columns)])
        shift, bias = IntArray(self.shift.a[result]), IntArray(self.bias.a[result])
        return replace(self, weight=weight, shift=shift, bias=bias, groups=groups)

    def factor(self) -> int:
        """Return ``k`` of the largest ``2^k`` that divides every result."""
        return common_factor(self.weight, self.shift, self.bias)

    def divided(self, k: int) -> Conv2d:
        """Return the op that gives the same values in integers ``2^k`` times smaller."""
        weight, shift = without_factor(self.weight, self.shift, k)
        frac = self.weight_frac - k
        return replace(
            self, weight=weight, shift=shift, bias=IntArray(self.bias.a >> k), weight_frac=frac
        )

    def hardware(self, ins: tuple[TensorType, ...], fold: Fold) -> Hardware:
        """Slide a window over a ring of pixels; multiply and accumulate its beats."""
        outputs, per_group = self.weight.shape[:2]
        pe, simd = fold.pe, fold.simd
        oh, ow = self._out_image(ins[0])
        height, width = ins[0].image
        lanes = pe if self.depthwise else simd
        window = Window(
            height,
            width,
            groups=outputs // pe if self.depthwise else self.groups,
            group_beats=1 if self.depthwise else per_group // simd,
            repeat=1 if self.depthwise else outputs // self.groups // pe,
            kernel=self.kernel_size,
            stride=self.stride,
            dilation=self.dilation,
            padding=(self.padding[0], self.padding[1]),
            out_height=oh,
            out_width=ow,
        )
        words = self._words(fold)
        if fold.skip:
            window, words = skip_zeros(window, words)
        pipe = mac_pipe(
            "hwa_mac_lanes" if self.depthwise else "hwa_mac",
            words if self.depthwise else borrowed(words, pe, fold.pack),
            (self.shift.a, self.bias.a),
            ins[0],
            self.infer(*ins),
            self._acc_width(ins[0]),
            pe,
            1 if self.depthwise else simd,
            1 if self.depthwise else fold.pack,
        )
        return Hardware((lanes,), pe, (pipe,), window)

    def unroll(self, build: Builder, *xs: Ints) -> Ints:
        """One matrix for every window; taps outside the image are zeros."""
        zero = build.constant(0)
        taps = tap_slices(
            xs[0][None], self.kernel_size, self.stride, self.padding, self.dilation, zero
        )
        windows = np.stack(taps, axis=2)[0]  # (C, taps, OH, OW)
        outputs, per_group = self.weight.shape[:2]
        per_out = outputs // self.groups
        matrix = self.weight.a.reshape(outputs, -1) << self.shift.a[:, None]
        y = np.empty((outputs, *windows.shape[2:]), dtype=np.int64)
        for g in range(self.groups):
            rows = slice(g * per_out, (g + 1) * per_out)
            part = windows[g * per_group : (g + 1) * per_group]
            flat = part.reshape(-1, part.shape[2] * part.shape[3]).T
            y[rows] = build.windows(matrix[rows], flat, self.bias.a[rows]).T.reshape(y[rows].shape)
        return y

    def pixel(self, *ins: TensorType) -> tuple[Lines | None, Op]:
        """Buffer lines; every weight of the kernel has logic of its own."""
        at_once = replace(self, stride=(1, 1), padding=(0, 0, 0, 0), dilation=(1, 1))
        if self.kernel_size == (1, 1) and self.stride == (1, 1) and not any(self.padding):
            return None, at_once
        lines = line_buffer(
            ins[0].image, self.kernel_size, self.stride, self.padding, self.dilation
        )
        return lines, at_once

    def kernel(self, *ins: TensorType) -> Kernel:
        """Call ``conv2d``."""
        channels, height, width = ins[0].shape
        oh, ow = self._out_image(ins[0])
        params = {
            "channels": channels,
            "height": height,
            "width": width,
            "outputs": self.weight.shape[0],
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
            "groups": self.groups,
        }
        arrays = (("weight", self.weight), ("shift", self.shift), ("bias", self.bias))
        return Kernel("conv2d", tuple(params.items()), arrays)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        """Every stride, padding, dilation and group class, edge cases included."""
        rng = np.random.default_rng(11)

        def make(
            label: str,
            weight: tuple[int, int, int, int],
            image: tuple[int, int],
            *,
            x: str = "u8.8",
            bits: int = 6,
            stride: tuple[int, int] = (1, 1),
            padding: tuple[int, int, int, int] = (0, 0, 0, 0),
            dilation: tuple[int, int] = (1, 1),
            groups: int = 1,
            shift: int = 0,
            bias: int = 0,
            zeros: int = 1,
        ) -> Example:
            half = 1 << (bits - 1)
            # Each column of taps sees one of ``zeros`` input channels.
            taps = np.arange(weight[1])[:, None, None] + np.arange(weight[3]) + 1
            op = cls(
                IntArray(rng.integers(-half, half, weight) * (taps % zeros == 0)),
                IntArray(rng.integers(0, shift + 1, weight[0])),
                IntArray(rng.integers(-bias, bias + 1, weight[0])),
                bits - 1,
                stride,
                padding,
                dilation,
                groups,
            )
            shape = (weight[1] * groups, *image)
            return Example(label, op, (TensorType.full(shape, FixedType.parse(x)),))

        return (
            make("plain-3x3", (4, 2, 3, 3), (5, 6), bias=100),
            make("same", (4, 4, 3, 3), (4, 4), padding=(1, 1, 1, 1), x="s8.4", shift=2),
            make("stride-2", (2, 2, 3, 3), (7, 5), stride=(2, 2), padding=(1, 1, 1, 1)),
            make("stride-skips", (2, 1, 1, 1), (7, 8), stride=(3, 2)),
            make("dilated", (2, 2, 3, 2), (7, 6), dilation=(2, 3), padding=(2, 2, 2, 2)),
            make("pointwise", (6, 4, 1, 1), (3, 3), x="u4.2", bits=4, bias=9),
            make("grouped", (6, 2, 3, 3), (4, 5), groups=3, padding=(1, 1, 1, 1)),
            make("depthwise", (4, 1, 3, 3), (5, 4), groups=4, padding=(1, 1, 1, 1), shift=1),
            make("multiplier-2", (6, 1, 3, 3), (4, 4), groups=3, x="s6.3"),
            make("rectangle", (3, 2, 1, 4), (2, 9), padding=(0, 2, 0, 1), stride=(1, 2)),
            make("whole-image", (3, 2, 4, 4), (4, 4), bias=7),
            make("kernel-over-image", (2, 1, 5, 5), (2, 3), padding=(2, 2, 2, 2)),
            make("zeros", (4, 4, 3, 3), (4, 5), padding=(1, 1, 1, 1), zeros=2),
            make("one-pixel", (2, 3, 1, 1), (1, 1), bits=1, x="u1.0"),
            make("asymmetric", (2, 2, 2, 2), (3, 4), padding=(0, 1, 2, 0), stride=(2, 1)),
        )
