"""What ONNX operators on images and sequences are in ATen calls: windows and normalization.

PyTorch pads both ends of an axis alike. Where ONNX does not, windows that begin at the same places
and are as many give the same; anything else gets its padding in a call in front.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from hwaccel.frontend.onnx_file import AGAIN
from hwaccel.frontend.onnx_moves import padded
from hwaccel.frontend.onnx_step import Convert, Result, Step
from hwaccel.frontend.program import Ref

# Lengths in an image, and elements of all windows along an axis: more would be no network.
_MOST = 1 << 16
_MOST_ELEMENTS = 1 << 22


@dataclass(frozen=True, slots=True)
class Window:
    """Kernel, stride, dilation and padding along each axis behind the channels."""

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]

    @property
    def even(self) -> bool:
        """Tell whether both ends are padded alike."""
        return self.before == self.after

    def reach(self, axis: int) -> int:
        """Return the length of the window with its gaps."""
        return self.dilation[axis] * (self.kernel[axis] - 1) + 1

    def count(self, sizes: tuple[int, ...], *, ceil: bool) -> tuple[int, ...]:
        """Return how many windows there are; none begins in the padding behind."""
        counts = []
        for axis, size in enumerate(sizes):
            room = size + self.before[axis] + self.after[axis] - self.reach(axis)
            count = (-(-room // self.stride[axis]) if ceil else room // self.stride[axis]) + 1
            if ceil and (count - 1) * self.stride[axis] >= size + self.before[axis]:
                count -= 1
            counts.append(count)
        return tuple(counts)


def _window(s: Step, x: Ref, kernel: tuple[int, ...]) -> Window:
    """Return the window that the attributes state for an operand."""
    sizes = s.shape(x)[2:]
    axes = len(kernel)
    if len(sizes) != axes or not 1 <= axes <= 3:
        raise s.refuse(f"has a window of {axes} axes for an operand of shape {s.shape(x)}; {AGAIN}")
    ones = (1,) * axes
    stride, dilation = s.sizes("strides", ones), s.sizes("dilations", ones)
    pads = s.sizes("pads", (0,) * (2 * axes))
    if s.given("kernel_shape") and s.sizes("kernel_shape", ()) != kernel:
        raise s.refuse(f"states a kernel_shape other than that of its weight, {kernel}; {AGAIN}")
    lengths = (len(stride), len(dilation), len(pads))
    if lengths != (axes, axes, 2 * axes) or min(*kernel, *stride, *dilation) < 1 or min(pads) < 0:
        raise s.refuse(f"has strides, dilations or pads that do not fit {axes} axes; {AGAIN}")
    if max(*kernel, *stride, *dilation, *pads) > _MOST:
        raise s.refuse(f"has strides, dilations or pads beyond {_MOST}; {AGAIN}")
    auto = s.text("auto_pad", "NOTSET")
    before, after = pads[:axes], pads[axes:]
    if auto in ("SAME_UPPER", "SAME_LOWER"):
        totals = [
            max(0, (-(-n // stride[a]) - 1) * stride[a] + dilation[a] * (kernel[a] - 1) + 1 - n)
            for a, n in enumerate(sizes)
        ]
        small, large = tuple(t // 2 for t in totals), tuple(t - t // 2 for t in totals)
        before, after = (small, large) if auto == "SAME_UPPER" else (large, small)
    elif auto == "VALID":
        before = after = (0,) * axes
    elif auto != "NOTSET":
        raise s.refuse(f"auto_pad is {auto[:40]}, which is not known; {AGAIN}")
    return Window(kernel, stride, dilation, before, after)


def _sides(before: tuple[int, ...], after: tuple[int, ...]) -> list[tuple[int, int]]:
    return [(0, 0), (0, 0), *zip(before, after, strict=True)]


# --- convolutions ---------------------------------------------------------------------------------


def _conv(s: Step) -> Result:
    x, weight, bias = s.input(0), s.input(1), s.optional(2)
    w = _window(s, x, s.shape(weight)[2:])
    padding = w.before
    if not w.even:
        x, padding = padded(s, x, _sides(w.before, w.after)), (0,) * len(w.kernel)
    return s.call(
        f"conv{len(w.kernel)}d.default",
        input=x,
        weight=weight,
        bias=bias,
        stride=w.stride,
        padding=padding,
        dilation=w.dilation,
        groups=s.integer("group", 1),
    )


def _conv_transpose(s: Step) -> Result:
    x, weight, bias = s.input(0), s.input(1), s.optional(2)
    kernel = s.shape(weight)[2:]
    axes, sizes = len(kernel), s.shape(x)[2:]
    auto = s.text("auto_pad", "NOTSET")
    extra = s.sizes("output_padding", (0,) * axes)
    stated = s.sizes("output_shape", ())
    w = _window(s, x, kernel)
    before, after = w.before, w.after
    if (stated or auto.startswith("SAME")) and len(stated) in (0, axes) and len(extra) == axes:
        wanted = stated or tuple(n * w.stride[a] for a, n in enumerate(sizes))
        totals = [
            w.stride[a] * (sizes[a] - 1) + extra[a] + w.reach(a) - wanted[a] for a in range(axes)
        ]
        small, large = tuple(t // 2 for t in totals), tuple(t - t // 2 for t in totals)
        before, after = (small, large) if auto == "SAME_UPPER" else (large, small)
        if min(totals) < 0:
            raise s.refuse(f"states the output_shape {wanted}, larger than its windows; {AGAIN}")
    made = s.call(
        "conv_transpose2d.input" if axes == 2 else f"conv_transpose{axes}d.default",
        input=x,
        weight=weight,
        bias=bias,
        stride=w.stride,
        padding=before if before == after else (0,) * axes,
        output_padding=extra,
        groups=s.integer("group", 1),
        dilation=w.dilation,
    )
    if before == after:
        return made
    return padded(s, made, _sides(tuple(-n for n in before), tuple(-n for n in after)))


# --- pooling --------------------------------------------------------------------------------------


def _like_torch(s: Step, x: Ref, w: Window, ceil: bool) -> bool | None:
    """Return the ``ceil_mode`` in which PyTorch has the same windows; ``None`` if it has not."""
    sizes, wanted = s.shape(x)[2:], w.count(s.shape(x)[2:], ceil=ceil)
    if min(wanted) < 1:
        raise s.refuse(f"has windows of {w.kernel}, larger than the padded operand; {AGAIN}")
    if any(2 * b > k for b, k in zip(w.before, w.kernel, strict=True)):
        return None
    even = Window(w.kernel, w.stride, w.dilation, w.before, w.before)
    return next((c for c in (ceil, not ceil) if even.count(sizes, ceil=c) == wanted), None)


def _max_pool(s: Step) -> Result:
    x = s.input(0)
    w, ceil = _window(s, x, s.sizes("kernel_shape", None)), bool(s.integer("ceil_mode", 0))
    found, before = _like_torch(s, x, w, ceil), w.before
    if found is None:
        # A window that reaches into the padding holds the border, unless it has gaps.
        fits = all(b < k and a < k for b, a, k in zip(w.before, w.after, w.kernel, strict=True))
        if ceil or not fits or max(w.dilation) > 1:
            raise s.refuse("pads both ends so that no window of PyTorch's does; use even pads")
        x, before, found = padded(s, x, _sides(w.before, w.after), mode="replicate"), (), False
    axes = len(w.kernel)
    return s.call(
        f"max_pool{axes}d.default",
        self=x,
        kernel_size=w.kernel,
        stride=w.stride,
        padding=before or (0,) * axes,
        dilation=w.dilation,
        ceil_mode=found,
    )


def _average_pool(s: Step) -> Result:
    x = s.input(0)
    w, ceil = _window(s, x, s.sizes("kernel_shape", None)), bool(s.integer("ceil_mode", 0))
    counted = bool(s.integer("count_include_pad", 0))
    if max(w.dilation) > 1:
        raise s.refuse("averages windows with gaps; use a convolution")
    found = _like_torch(s, x, w, ceil)
    if found is None or (counted and not w.even):
        return _averages(s, x, w, ceil, counted)
    return s.call(
        f"avg_pool{len(w.kernel)}d.default",
        self=x,
        kernel_size=w.kernel,
        stride=w.stride,
        padding=w.before,
        ceil_mode=found,
        count_include_pad=counted,
    )


def _averages(s: Step, x: Ref, w: Window, ceil: bool, counted: bool) -> Ref:
    """Pad, add up, and divide every sum by the number of elements that count."""
    sizes = s.shape(x)[2:]
    counts = w.count(sizes, ceil=ceil)
    if any(n * k > _MOST_ELEMENTS for n, k in zip(counts, w.kernel, strict=True)):
        raise s.refuse("averages too many elements; use smaller windows")
    divisors, after = torch.ones(()), []
    for a, size in enumerate(sizes):
        end = (counts[a] - 1) * w.stride[a] + w.kernel[a]
        after.append(end - size - w.before[a])
        inside = torch.zeros(max(end, w.before[a] + size + w.after[a]))
        inside[w.before[a] : w.before[a] + size] = 1
        if counted:
            inside[: w.before[a] + size + w.after[a]] = 1
        starts = torch.arange(counts[a]) * w.stride[a]
        per = inside[starts[:, None] + torch.arange(w.kernel[a])].sum(1)
        divisors = divisors[..., None] * per
    if not bool(divisors.all()):
        raise s.refuse("averages windows of nothing but padding; use smaller pads")
    x = padded(s, x, _sides(w.before, tuple(after)))
    total = s.call(
        f"avg_pool{len(w.kernel)}d.default",
        self=x,
        kernel_size=w.kernel,
        stride=w.stride,
        **({"divisor_override": 1} if len(w.kernel) > 1 else {}),
    )
    if len(w.kernel) == 1:
        # PyTorch has no sum of windows along one axis.
        divisors = divisors / w.kernel[0]
    return s.call("div.Tensor", self=total, other=s.constant(divisors[None, None]))


def _global(target: str) -> Convert:
    def convert(s: Step) -> Result:
        x = s.input(0)
        return s.call(target, self=x, dim=tuple(range(2, s.rank(x))), keepdim=True)

    return convert


# --- normalization --------------------------------------------------------------------------------


def _batch_norm(s: Step) -> Result:
    weight, bias, mean, var = (s.input(k) for k in range(1, 5))
    if s.integer("training_mode", 0):
        raise s.refuse("uses the statistics of the batch; export the model in eval mode")
    return s.call(
        "batch_norm.default",
        input=s.input(0),
        weight=weight,
        bias=bias,
        running_mean=mean,
        running_var=var,
        training=False,
        momentum=0.0,
        eps=s.real("epsilon", 1e-5),
        cudnn_enabled=False,
    )


def _instance_norm(s: Step) -> Result:
    return s.call(
        "instance_norm.default",
        input=s.input(0),
        weight=s.input(1),
        bias=s.input(2),
        running_mean=None,
        running_var=None,
        use_input_stats=True,
        momentum=0.0,
        eps=s.real("epsilon", 1e-5),
        cudnn_enabled=False,
    )


def _group_norm(s: Step) -> Result:
    """Before opset 21, weights and biases are those of groups."""
    x, groups = s.input(0), s.integer("num_groups", None)
    weight, bias = s.tensor(1), s.tensor(2)
    channels = s.shape(x)[1] if s.rank(x) > 1 else 0
    if s.version < 21 and weight.shape == bias.shape == (groups,) and channels % groups == 0:
        weight, bias = (v.repeat_interleave(channels // groups) for v in (weight, bias))
    return s.call(
        "group_norm.default",
        input=x,
        num_groups=groups,
        weight=s.constant(weight),
        bias=s.constant(bias),
        eps=s.real("epsilon", 1e-5),
        cudnn_enabled=False,
    )


def _layer_norm(s: Step) -> Result:
    x = s.input(0)
    shape = s.shape(x)
    last = shape[s.axis(s.integer("axis", -1), len(shape)) :]
    given = {}
    for place, name in ((1, "weight"), (2, "bias")):
        ref = s.optional(place)
        given[name] = None if ref is None else s.call("expand.default", self=ref, size=last)
    eps = s.real("epsilon", 1e-5)
    if s.node.op == "RMSNormalization":
        weight = given["weight"]
        return s.call("rms_norm.default", input=x, normalized_shape=last, weight=weight, eps=eps)
    return s.call("layer_norm.default", input=x, normalized_shape=last, eps=eps, **given)


OPS: dict[str, Convert] = {
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "MaxPool": _max_pool,
    "AveragePool": _average_pool,
    "GlobalAveragePool": _global("mean.dim"),
    "GlobalMaxPool": _global("amax.default"),
    "BatchNormalization": _batch_norm,
    "InstanceNormalization": _instance_norm,
    "GroupNormalization": _group_norm,
    "LayerNormalization": _layer_norm,
    "RMSNormalization": _layer_norm,
}
