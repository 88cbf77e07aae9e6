"""What window ops share, and what multiply-accumulate ops share; nothing else."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from hwaccel.errors import VerifyError
from hwaccel.fxp import MAX_WIDTH, FixedType, IntArray
from hwaccel.fxp.arith import Array, constant, namespace
from hwaccel.ir.hardware import Area, Fold, Pipe, Rom, rom_memory
from hwaccel.ir.lines import Lines
from hwaccel.ir.types import TensorType

Ints = NDArray[np.int64]


def divisors(n: int) -> tuple[int, ...]:
    """Return the divisors of ``n`` in ascending order."""
    return tuple(d for d in range(1, n + 1) if n % d == 0)


def clog2(n: int) -> int:
    """Return the number of bits that count ``n`` things."""
    return (n - 1).bit_length()


def signed_width(lo: int, hi: int) -> int:
    """Return the two's complement bits that hold ``lo`` to ``hi``."""
    return max(FixedType.of_range(min(lo, -1), hi, 0).width, 1)


# --- windows -------------------------------------------------------------------------------------


def window_size(size: int, pad: int, kernel: int, stride: int, dilation: int) -> int:
    """Return the number of window positions along one axis; ``pad`` counts both sides."""
    return (size + pad - dilation * (kernel - 1) - 1) // stride + 1


def out_image(
    image: tuple[int, int],
    kernel: tuple[int, int],
    stride: tuple[int, int],
    padding: tuple[int, int, int, int],
    dilation: tuple[int, int] = (1, 1),
) -> tuple[int, int]:
    """Return height and width of the result of sliding a window over ``image``."""
    top, left, bottom, right = padding
    return (
        window_size(image[0], top + bottom, kernel[0], stride[0], dilation[0]),
        window_size(image[1], left + right, kernel[1], stride[1], dilation[1]),
    )


def line_buffer(
    image: tuple[int, int],
    kernel: tuple[int, int],
    stride: tuple[int, int],
    padding: tuple[int, int, int, int],
    dilation: tuple[int, int] = (1, 1),
    pad: int = 0,
) -> Lines:
    """Return the line buffer that presents every window of ``image`` at once."""
    height, width = out_image(image, kernel, stride, padding, dilation)
    return Lines(
        *image,
        kernel=kernel,
        stride=stride,
        dilation=dilation,
        padding=(padding[0], padding[1]),
        out_height=height,
        out_width=width,
        pad=pad,
    )


def check_window(
    image: tuple[int, int],
    kernel: tuple[int, int],
    stride: tuple[int, int],
    padding: tuple[int, int, int, int],
    dilation: tuple[int, int],
) -> None:
    """Raise ``VerifyError`` unless a window fits. ``padding`` is top, left, bottom, right."""
    if min(*kernel, *stride, *dilation) < 1 or min(padding) < 0:
        raise VerifyError(
            f"kernel {kernel}, stride {stride}, dilation {dilation} must be at least 1 and "
            f"padding {padding} at least 0"
        )
    for axis, name in enumerate(("height", "width")):
        span = dilation[axis] * (kernel[axis] - 1) + 1
        padded = image[axis] + padding[axis] + padding[axis + 2]
        if span > padded:
            raise VerifyError(
                f"kernel spans {span} in {name}, but the padded input has only {padded}; "
                "pad the input or drop the layer"
            )
        # Types are inferred over every window position and tap.
        steps = kernel[axis] * window_size(padded, 0, kernel[axis], stride[axis], dilation[axis])
        if steps > 1 << 22:
            raise VerifyError(f"{steps} window steps in {name}, expected at most {1 << 22}")
        pads = (padding[axis], padding[axis + 2])
        if not tap_patterns(image[axis], pads, kernel[axis], stride[axis], dilation[axis]).any():
            raise VerifyError(
                f"no window touches the image in {name}: kernel {kernel}, stride {stride}, "
                f"padding {padding}; pad less"
            )


def tap_patterns(
    size: int, pads: tuple[int, int], kernel: int, stride: int, dilation: int
) -> NDArray[np.bool_]:
    """Return the distinct patterns of taps that lie inside the image, ``(patterns, kernel)``."""
    count = window_size(size, sum(pads), kernel, stride, dilation)
    taps = np.arange(kernel) * dilation
    # The pattern changes only where a tap enters the image or leaves it.
    turns = [-((taps - pads[0]) // stride), -((taps - pads[0] - size) // stride)]
    windows = np.unique(np.clip(np.concatenate([[0], *turns]), 0, count - 1))
    at = windows[:, None] * stride - pads[0] + taps
    return np.unique((at >= 0) & (at < size), axis=0)


def tap_slices(
    x: Array,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    padding: tuple[int, int, int, int],
    dilation: tuple[int, int],
    fill: int,
) -> list[Array]:
    """Return one view of ``x`` ``(N, C, H, W)`` per kernel tap, each ``(N, C, OH, OW)``."""
    top, left, bottom, right = padding
    height, width = x.shape[2] + top + bottom, x.shape[3] + left + right
    if any(padding):
        shape = (x.shape[0], x.shape[1], height, width)
        xp = namespace(x)
        if xp is np:
            padded = np.full(shape, fill, dtype=x.dtype)
        else:
            padded = xp.full(shape, fill, dtype=x.dtype, device=x.device)
        padded[:, :, top : height - bottom, left : width - right] = x
        x = padded
    oh = window_size(height, 0, kernel[0], stride[0], dilation[0])
    ow = window_size(width, 0, kernel[1], stride[1], dilation[1])
    return [
        x[
            :,
            :,
            ky * dilation[0] : ky * dilation[0] + (oh - 1) * stride[0] + 1 : stride[0],
            kx * dilation[1] : kx * dilation[1] + (ow - 1) * stride[1] + 1 : stride[1],
        ]
        for ky in range(kernel[0])
        for kx in range(kernel[1])
    ]


# --- two operands of different fractions ----------------------------------------------------------


def alignment(a: TensorType, b: TensorType) -> tuple[int, int]:
    """Return the left shifts that give both operands the finer of their fractions."""
    frac = max(a.frac, b.frac)
    return frac - a.frac, frac - b.frac


def check_alignment(a: TensorType, b: TensorType, a_shift: int, b_shift: int) -> None:
    """Raise ``VerifyError`` unless these shifts are legal and align the operands."""
    if max(a_shift, b_shift) > MAX_WIDTH:
        raise VerifyError(
            f"shifts {a_shift} and {b_shift}, expected at most {MAX_WIDTH}; requantize one operand"
        )
    if min(a_shift, b_shift) < 0 or a.frac + a_shift != b.frac + b_shift:
        raise VerifyError(
            f"shifts {a_shift} and {b_shift} do not align the fractions {a.frac} and {b.frac}"
        )


# --- multiply and accumulate ---------------------------------------------------------------------


def check_channels(shift: IntArray, bias: IntArray, outputs: int) -> None:
    """Raise ``VerifyError`` unless shift and bias have one legal entry per output channel."""
    for label, array in (("shift", shift), ("bias", bias)):
        if array.shape != (outputs,):
            raise VerifyError(f"{label} has shape {array.shape}, expected ({outputs},)")
    lo, hi = shift.range()
    if lo < 0 or hi > 31:
        raise VerifyError(f"shift runs from {lo} to {hi}, expected 0 to 31")


def check_reach(weight: Ints, shift: Ints | int, bias: Ints, x: TensorType) -> None:
    """Raise ``VerifyError`` when an accumulator might need more bits than int64 can carry.

    ``weight`` is ``(outputs, ...)``. Computed in floating point, because the integers
    themselves would overflow.
    """
    rows = np.abs(weight.reshape(weight.shape[0], -1).astype(np.float64)).sum(axis=1)
    reach = np.ldexp(rows * float(x.magnitude), shift) + np.abs(bias.astype(np.float64))
    most = float(reach.max())
    if most >= 2.0 ** (MAX_WIDTH - 1):
        raise VerifyError(
            f"the accumulator needs {int(np.log2(most)) + 2} bits, more than {MAX_WIDTH}; use "
            "fewer bits for weights or activations"
        )


@lru_cache(maxsize=512)
def aligned_matrix(matrix: IntArray, shift: IntArray, dtype: str) -> NDArray[np.generic]:
    """Return ``(matrix << shift)^T`` for rows of output channels, ready for ``x @ m``."""
    return np.ascontiguousarray((matrix.a << shift.a[:, None]).T.astype(dtype))


@lru_cache(maxsize=512)
def carried(vector: IntArray, dtype: str) -> NDArray[np.generic]:
    """Return ``vector`` in another element type."""
    return vector.a.astype(dtype)


def affine(x: Array, matrix: IntArray, shift: IntArray, bias: IntArray) -> Array:
    """Return ``((x @ matrix^T) << shift) + bias`` for ``x`` of shape ``(..., K)``."""
    if isinstance(x, np.ndarray):
        y = x @ aligned_matrix(matrix, shift, x.dtype.char)
        y += carried(bias, x.dtype.char)
        return y
    aligned = constant(matrix.a << shift.a[:, None], x)
    return matrix_product(aligned, x[..., None])[..., 0] + constant(bias.a, x)


def matrix_product(matrix: Array, x: Array) -> Array:
    """Return ``matrix @ x`` of torch tensors."""
    # CUDA has no int64 matrix product: there, wide integers are multiplied and summed.
    if "int" in str(x.dtype) and "cuda" in str(x.device):
        return (matrix[..., None] * x[..., None, :, :]).sum(-2)
    return matrix @ x


def contributions(taps: Ints, lo: Ints | int, hi: Ints | int) -> tuple[Ints, Ints]:
    """Return the smallest and largest ``weight * x`` for every weight and ``x`` in [lo, hi]."""
    a, b = taps * lo, taps * hi
    return np.minimum(a, b), np.maximum(a, b)


def trailing_zeros(values: Ints) -> int:
    """Return ``k`` of the largest ``2^k`` that divides all ``values``; 0 when all are zero."""
    bits = int(np.bitwise_or.reduce(values, axis=None))
    return (bits & -bits).bit_length() - 1 if bits else 0


def common_factor(weight: IntArray, shift: IntArray, bias: IntArray) -> int:
    """Return ``k`` of the largest ``2^k`` that divides every ``(weight * x << shift) + bias``."""
    rows = weight.a.reshape(weight.shape[0], -1)
    row_bits = np.bitwise_or.reduce(rows, axis=1)
    used = row_bits != 0
    zeros = [trailing_zeros(row_bits[i]) + int(shift.a[i]) for i in np.flatnonzero(used)]
    zeros += [trailing_zeros(bias.a)] if bias.a.any() else []
    return min(zeros, default=0)


def without_factor(weight: IntArray, shift: IntArray, k: int) -> tuple[IntArray, IntArray]:
    """Return weight and shift with ``(weight << shift) / 2^k``, taken from the shift first."""
    from_shift = np.minimum(shift.a, k)
    left = (k - from_shift).reshape(-1, *[1] * (weight.a.ndim - 1))
    return IntArray(weight.a >> left), IntArray(shift.a - from_shift)


def mac_pipe(
    module: str,
    words: Ints,
    channels: tuple[Ints, Ints],
    x: TensorType,
    out: TensorType,
    acc_width: int,
    pe: int,
    simd: int,
    pack: int = 1,
) -> Pipe:
    """Describe ``hwa_mac``, with ``pack`` outputs to a multiplier, or ``hwa_mac_lanes``.

    ``words`` is ``(ROM words, weights per word)``, as ``borrowed`` makes it where packed;
    ``channels`` are shift and bias in the order in which output lanes leave, both ``(outputs,)``.
    """
    shift, bias = (c.reshape(-1, pe) for c in channels)
    shift_w = int(shift.max()).bit_length()
    bias_w = signed_width(int(bias.min()), int(bias.max())) if bias.any() else 0
    w_w = signed_width(int(words.min()), int(words.max()))
    weights = Rom("WEIGHTS", IntArray(words), (w_w,))
    fields = [f for f, w in ((bias, bias_w), (shift, shift_w)) if w]
    roms: tuple[Rom, ...] = (weights,)
    if fields:
        table = np.stack(fields, axis=2).reshape(shift.shape[0], -1)
        widths = tuple(w for w in (bias_w, shift_w) if w)
        roms = (weights, Rom("CHANNELS", IntArray(table), widths))
    lanes = "LANES" if module == "hwa_mac_lanes" else "PE"
    params = {
        lanes: pe,
        **({"SIMD": simd} if lanes == "PE" else {}),
        "X_W": x.fixed.width,
        "X_SIGNED": int(x.fixed.signed),
        "W_W": w_w,
        "WORDS": words.shape[0],
        "ACC_W": acc_width,
        "OUT_W": out.fixed.width,
        "SHIFT_W": shift_w,
        "BIAS_W": bias_w,
        "CHANNEL_WORDS": shift.shape[0],
        **({"PACK": pack} if pack > 1 else {}),
    }
    return Pipe(
        module,
        tuple(params.items()),
        latency=5 + clog2(simd),
        lanes=pe,
        width=out.fixed.width,
        framed=True,
        roms=roms,
        area=mac_area(pe, simd, x, w_w, acc_width, weights, pack),
    )


def rom_area(rom: Rom) -> Area:
    """Estimate a ROM."""
    return rom_memory(rom.fields.shape[0], rom.word_bits)


def factor_bits(width: int, signed: bool) -> int:
    """Return the bits of a factor in a product of signed numbers, as Yosys takes it."""
    return width + (not signed)


def in_dsp(x_w: int, w_w: int, soft_bits: int = 8) -> bool:
    """Tell whether Yosys takes a DSP block for a product of factors so wide."""
    return x_w + w_w > soft_bits and min(x_w, w_w) >= 2


def mac_area(
    pe: int, simd: int, x: TensorType, w_w: int, acc_w: int, weights: Rom, pack: int = 1
) -> Area:
    """Estimate multipliers, adder trees and accumulators."""
    x_w = x.fixed.width
    product, count = x_w + w_w, pe * simd
    hard = in_dsp(factor_bits(x_w, x.fixed.signed), w_w)
    dsps = Fold(pe, simd, pack=pack).multipliers if hard else 0
    soft = 0 if dsps else x_w * w_w
    tree = (product + clog2(simd)) * pe * (simd - 1)
    return Area(
        luts=soft * count + tree + 3 * acc_w * pe,
        ffs=product * count + tree + 2 * acc_w * pe + x_w * simd,
        dsps=dsps,
    ) + rom_area(weights)
