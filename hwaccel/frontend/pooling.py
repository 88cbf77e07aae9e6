"""Handlers for pooling, means, zero padding, and changes of shape. A sequence is one row."""

from __future__ import annotations

from collections.abc import Callable
from math import prod

from hwaccel.frontend import moves
from hwaccel.frontend.floatgraph import AvgPool2d, FloatOp, MaxPool2d, Padding, Pair, ZeroPad2d
from hwaccel.frontend.importer import Importer
from hwaccel.frontend.program import Call

_NO_PADDING: Padding = (0, 0, 0, 0)


def _window(i: Importer, call: Call) -> tuple[Pair, Pair, Pair]:
    kernel = i.sizes(call, "kernel_size", 1)
    stride = kernel if call.args["stride"] == () else i.sizes(call, "stride", 1)
    return kernel, stride, i.sizes(call, "padding", 0)


def _overhang(i: Importer, call: Call, x: str, kernel: Pair, stride: Pair, pad: Pair) -> Pair:
    """Return by how many pixels the last window reaches beyond the padded input."""
    image, out = i.shape(x)[1:], i.result_image(call)[1:]
    reach = (
        (out[axis] - 1) * stride[axis] + kernel[axis] - image[axis] - 2 * pad[axis]
        for axis in (0, 1)
    )
    bottom, right = (max(0, r) for r in reach)
    return bottom, right


def max_pool(i: Importer, call: Call) -> str:
    """``max_pool``; ``ceil_mode`` becomes padding at the bottom and right."""
    x = i.image(call, i.value(call, "self"))
    kernel, stride, pad = _window(i, call)
    dilation = i.sizes(call, "dilation", 1)
    reach = (dilation[0] * (kernel[0] - 1) + 1, dilation[1] * (kernel[1] - 1) + 1)
    bottom, right = _overhang(i, call, x, reach, stride, pad)
    padding: Padding = (*pad, pad[0] + bottom, pad[1] + right)
    return i.add_image(call, MaxPool2d(kernel, stride, padding, dilation), x)


def avg_pool(i: Importer, call: Call) -> str:
    """``avg_pool`` where every window has one divisor."""
    x = i.image(call, i.value(call, "self"))
    kernel, stride, pad = _window(i, call)
    override = call.args.get("divisor_override") is not None
    if not override and any(pad) and not call.args["count_include_pad"]:
        raise i.refuse(
            call,
            "count_include_pad=False with padding divides border windows by another number; "
            "use count_include_pad=True",
        )
    if any(_overhang(i, call, x, kernel, stride, pad)):
        raise i.refuse(
            call,
            "ceil_mode=True leaves partial windows at the border, which have another divisor; "
            "use ceil_mode=False or a window that divides the input",
        )
    divisor = int(call.number("divisor_override")) if override else kernel[0] * kernel[1]
    if divisor < 1:
        raise i.refuse(call, f"divisor_override is {divisor}; use a positive one")
    return i.add_image(call, AvgPool2d(kernel, stride, pad * 2, divisor), x)


def adaptive_avg_pool(i: Importer, call: Call) -> str:
    """``adaptive_avg_pool`` to a size that divides the input's."""
    x = i.image(call, i.value(call, "self"))
    _, height, width = i.shape(x)
    _, oh, ow = i.result_image(call)
    if height % oh or width % ow:
        raise i.refuse(
            call,
            f"output {oh}x{ow} does not divide the input {height}x{width}, so windows differ in "
            "size; choose an output size that divides it",
        )
    kernel = (height // oh, width // ow)
    return i.add_image(call, _average(kernel, kernel[0] * kernel[1]), x)


def mean(i: Importer, call: Call) -> str:
    """``mean`` over all or some of the axes behind the channels."""
    return _over_axes(i, call, lambda kernel: _average(kernel, kernel[0] * kernel[1]))


def total(i: Importer, call: Call) -> str:
    """``sum`` over all or some of the axes behind the channels."""
    return _over_axes(i, call, lambda kernel: _average(kernel, 1))


def maximum(i: Importer, call: Call) -> str:
    """``amax`` over all or some of the axes behind the channels."""
    return _over_axes(i, call, lambda kernel: MaxPool2d(kernel, kernel, _NO_PADDING, (1, 1)))


def _average(kernel: Pair, divisor: int) -> AvgPool2d:
    return AvgPool2d(kernel, kernel, _NO_PADDING, divisor)


def _over_axes(i: Importer, call: Call, make: Callable[[Pair], FloatOp]) -> str:
    x = i.value(call, "self")
    shape = i.shape(x)
    rank = len(shape) + 1
    dims = call.integers("dim") if call.args.get("dim") not in (None, ()) else range(rank)
    axes = sorted({d % rank - 1 for d in dims})
    if axes[0] < 0:
        raise i.refuse(call, f"dim is {tuple(dims)}, which has the batch in it; leave it out")
    # Channels stay in front where they are not reduced: then nothing moves.
    kept = [a for a in range(len(shape)) if a not in axes]
    inner = tuple(shape[a] for a in kept)
    if axes[0] > 0 and len(shape) <= 3:
        image = i.image(call, x)
        over = {axis - len(shape) for axis in axes}
        channels, height, width = i.shape(image)
        kernel = (height if -2 in over else 1, width if -1 in over else 1)
    else:
        front, _ = moves.in_front(i, call, x, kept)
        channels, height, width = prod(inner), 1, prod(shape) // prod(inner)
        image = i.reshape(call, front, (channels, height, width))
        kernel = (1, width)
    result = (channels, height // kernel[0], width // kernel[1])
    return i.reshape(call, i.add(call, make(kernel), image, shape=result), i.inner(call))


def pad(i: Importer, call: Call) -> str | tuple[str, ...]:
    """Padding with zeros at the borders of an image; any other moves elements."""
    sizes = call.integers("pad")
    mode, value = call.args.get("mode", "constant"), call.args.get("value") or 0
    axes = len(i.shape(i.value(call, "self")))
    simple = mode == "constant" and value == 0 and len(sizes) <= 2 * (axes - 1) <= 4
    if not simple or min(sizes, default=0) < 0:
        return moves.copy(i, call)
    x = i.image(call, i.value(call, "self"))
    left, right, top, bottom = (*sizes, 0, 0, 0, 0)[:4]
    return i.add_image(call, ZeroPad2d((top, left, bottom, right)), x)


def reshape(i: Importer, call: Call) -> str:
    """Flatten, view, reshape, squeeze, unsqueeze: whatever keeps the batch axis and the order."""
    return i.reshape(call, i.first(call), i.inner(call))


def same(i: Importer, call: Call) -> str:
    """Calls that return their operand."""
    return i.first(call)


def copy(i: Importer, call: Call) -> str:
    """Calls that copy: the copy is a value of its own, so in-place calls do not reach across."""
    return i.copy(call, i.first(call))


def cast(i: Importer, call: Call) -> str:
    """Change of the float type, which has no meaning in fixed point."""
    dtype = call.args.get("dtype")
    if dtype not in (None, "torch.float64", "torch.float32", "torch.float16", "torch.bfloat16"):
        raise i.refuse(call, f"casts to {dtype}; use float types throughout")
    return i.first(call)


def dropout(i: Importer, call: Call) -> str:
    """Dropout that is switched off."""
    if call.args["train"]:
        raise i.refuse(
            call,
            "is active although the model is in eval mode; pass training=self.training, or use "
            "nn.Dropout",
        )
    return i.first(call)
