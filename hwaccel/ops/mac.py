"""How ``hwa_mac`` spends less than a multiplier for every weight and a cycle for every word."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from hwaccel.ir.hardware import Fold, Multiplier, Window
from hwaccel.ir.types import TensorType
from hwaccel.ops.family import Ints, factor_bits, in_dsp, signed_width


def skipping(folds: Sequence[Fold], weight: Ints, words: Callable[[Fold], Ints]) -> list[Fold]:
    """Return those of ``folds``, with ``skip``, of whose ROM ``words`` an eighth is zero."""
    if np.count_nonzero(weight) > weight.size - weight.size / 8:
        return []
    return [replace(f, skip=True) for f in folds if words(f).any(axis=1).mean() <= 7 / 8]


def skip_zeros(window: Window, words: Ints) -> tuple[Window, Ints]:
    """Return window and ROM words of a reduction without the beats that count nothing."""
    window = window.skipping(np.any(words, axis=1))
    assert window.kept is not None
    return window, words[window.kept.a]


def borrowed(words: Ints, pe: int, pack: int) -> Ints:
    """Return ROM words ``(words, pe * simd)`` as ``hwa_mac`` wants them for packed products.

    In a product with ``w[0] + w[1] * 2^K``, a negative ``w[0]`` borrows 1 from ``w[1]``, and so on
    upwards; taken here, no adder in front of the multiplier has to.
    """
    if pack == 1:
        return words
    made = words.reshape(words.shape[0], pe, -1).copy()
    for lane in range(1, pe):
        if lane % pack:
            made[:, lane] -= made[:, lane - 1] < 0
    return made.reshape(words.shape)


def packing(
    weight: Ints,
    words: Callable[[Fold], Ints],
    fold: Fold,
    x: TensorType,
    multiplier: Multiplier,
) -> int:
    """Return how many products with ``x`` fit into one multiplier, side by side.

    Such a product holds them at distances of ``K`` bits, the width of one, so each is there
    whole (Y. Fu et al., *Deep Learning with INT8 Optimization on Xilinx Devices*, 2017). Products
    that Yosys makes of LUTs stay there.
    """
    x_w, w_w = x.fixed.width, signed_width(int(weight.min()), int(weight.max()))
    bits = factor_bits(x_w, x.fixed.signed)
    if bits > multiplier.narrow or not in_dsp(bits, w_w, multiplier.soft_bits):
        return 1
    for pack in range(min(fold.pe, 1 + (multiplier.wide - w_w) // (x_w + w_w)), 1, -1):
        held = borrowed(words(fold), fold.pe, pack)
        w_w = signed_width(int(held.min()), int(held.max()))
        if (pack - 1) * (x_w + w_w) + w_w <= multiplier.wide:
            return pack
    return 1
