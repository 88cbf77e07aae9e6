"""Handlers for pooling, means, and changes of shape."""

from __future__ import annotations

from hwaccel.frontend.floatgraph import AvgPool2d, MaxPool2d, Padding, Pair
from hwaccel.frontend.importer import Importer
from hwaccel.frontend.layers import pair
from hwaccel.frontend.program import Call


def _image(i: Importer, call: Call, x: str) -> tuple[int, int, int]:
    shape = i.shape(x)
    if len(shape) != 3:
        raise i.refuse(
            call,
            f"takes images (N, C, H, W), found an operand of shape {shape} without the batch axis; "
            "reshape it first",
        )
    return shape[0], shape[1], shape[2]


def _window(call: Call) -> tuple[Pair, Pair, Pair]:
    kernel = pair(call.args["kernel_size"])
    stride = pair(call.args["stride"]) if call.args["stride"] != () else kernel
    return kernel, stride, pair(call.args["padding"])


def _overhang(size: int, out: int, kernel: int, stride: int, pad: int, dilation: int = 1) -> int:
    """Return by how many pixels the last window reaches beyond the padded input."""
    return max(0, (out - 1) * stride + dilation * (kernel - 1) + 1 - size - 2 * pad)


def max_pool2d(i: Importer, call: Call) -> str:
    """``max_pool2d``; ``ceil_mode`` becomes padding at the bottom and right."""
    if len(call.results) > 1 and call.results[1]:
        raise i.refuse(call, "return_indices=True is not supported; return the maximum only")
    x = i.value(call, "self")
    _, height, width = _image(i, call, x)
    kernel, stride, pad = _window(call)
    dilation = pair(call.args["dilation"])
    _, oh, ow = i.result_shape(call)
    bottom = _overhang(height, oh, kernel[0], stride[0], pad[0], dilation[0])
    right = _overhang(width, ow, kernel[1], stride[1], pad[1], dilation[1])
    padding: Padding = (*pad, pad[0] + bottom, pad[1] + right)
    return i.add(call, MaxPool2d(kernel, stride, padding, dilation), x)


def avg_pool2d(i: Importer, call: Call) -> str:
    """``avg_pool2d`` where every window has one divisor."""
    x = i.value(call, "self")
    _, height, width = _image(i, call, x)
    kernel, stride, pad = _window(call)
    _, oh, ow = i.result_shape(call)
    divisor = call.args["divisor_override"]
    if divisor is None and any(pad) and not call.args["count_include_pad"]:
        raise i.refuse(
            call,
            "count_include_pad=False with padding divides border windows by another number; "
            "use count_include_pad=True",
        )
    if _overhang(height, oh, kernel[0], stride[0], pad[0]) or _overhang(
        width, ow, kernel[1], stride[1], pad[1]
    ):
        raise i.refuse(
            call,
            "ceil_mode=True leaves partial windows at the border, which have another divisor; "
            "use ceil_mode=False or a window that divides the input",
        )
    taps = kernel[0] * kernel[1] if divisor is None else int(divisor)  # type: ignore[call-overload]
    if taps < 1:
        raise i.refuse(call, f"divisor_override is {taps}, expected at least 1")
    return i.add(call, AvgPool2d(kernel, stride, pair(pad) * 2, taps), x)


def adaptive_avg_pool2d(i: Importer, call: Call) -> str:
    """``adaptive_avg_pool2d`` to a size that divides the input's."""
    x = i.value(call, "self")
    _, height, width = _image(i, call, x)
    _, oh, ow = i.result_shape(call)
    if height % oh or width % ow:
        raise i.refuse(
            call,
            f"output {oh}x{ow} does not divide the input {height}x{width}, so windows differ in "
            "size; choose an output size that divides it",
        )
    kernel = (height // oh, width // ow)
    return i.add(call, AvgPool2d(kernel, kernel, (0, 0, 0, 0), kernel[0] * kernel[1]), x)


def mean(i: Importer, call: Call) -> str:
    """``mean`` over the height, the width, or both."""
    x = i.value(call, "self")
    channels, height, width = _image(i, call, x)
    dims = call.args.get("dim") or ()
    axes = {int(d) % 4 for d in (dims if isinstance(dims, tuple) else (dims,))}  # type: ignore[arg-type]
    if not axes or not axes <= {2, 3}:
        raise i.refuse(
            call, f"dim is {dims}, expected the height and width axes; use x.mean((2, 3))"
        )
    kernel = (height if 2 in axes else 1, width if 3 in axes else 1)
    op = AvgPool2d(kernel, kernel, (0, 0, 0, 0), kernel[0] * kernel[1])
    pooled = i.add(call, op, x, shape=(channels, height // kernel[0], width // kernel[1]))
    return i.reshape(call, pooled, i.result_shape(call))


def reshape(i: Importer, call: Call) -> str:
    """Flatten, view, reshape, squeeze, unsqueeze: whatever keeps the batch axis and the order."""
    return i.reshape(call, i.value(call, "self"), i.result_shape(call))


def same(i: Importer, call: Call) -> str:
    """Calls that return their operand."""
    return i.value(call, "self" if "self" in call.args else "input")


def dropout(i: Importer, call: Call) -> str:
    """Dropout that is switched off."""
    if call.args["train"]:
        raise i.refuse(
            call,
            "is active although the model is in eval mode; pass training=self.training, or use "
            "nn.Dropout",
        )
    return i.value(call, "input")
