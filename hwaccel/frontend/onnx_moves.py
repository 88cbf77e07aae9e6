"""What ONNX operators that move elements, or only change shapes, are in ATen calls."""

from __future__ import annotations

from math import prod

import torch

from hwaccel.frontend.onnx_file import AGAIN
from hwaccel.frontend.onnx_step import Convert, Result, Step
from hwaccel.frontend.program import Ref

# Elements of a tensor that is made from a shape, and of one that counts.
_MOST = 1 << 25
_MOST_COUNTED = 1 << 20


# --- constants and shapes -------------------------------------------------------------------------


def _constant(s: Step) -> Result:
    if s.given("value"):
        stored = s.stored("value")
        return s.constant(stored.tensor, stored.kind)
    if s.given("value_float"):
        return s.constant(torch.tensor(s.real("value_float", None)))
    if s.given("value_int"):
        return s.constant(torch.tensor(s.integer("value_int", None)))
    for name, dtype in (("value_floats", torch.float32), ("value_ints", torch.int64)):
        values = s.attribute(name)
        if isinstance(values, tuple) and all(isinstance(v, int | float) for v in values):
            return s.constant(torch.tensor(values, dtype=dtype))
    raise s.refuse("holds no numbers; use a dense tensor")


def _filled(s: Step) -> Result:
    shape = _lengths(s, s.integers(0))
    value = s.stored("value").tensor if s.given("value") else torch.zeros(1)
    if value.numel() != 1:
        raise s.refuse(f"attribute value has {value.numel()} elements, expected 1; {AGAIN}")
    return s.constant(value.reshape(()).expand(shape))


def _lengths(s: Step, shape: tuple[int, ...]) -> tuple[int, ...]:
    if any(n < 0 for n in shape) or prod(shape) > _MOST:
        raise s.refuse(f"makes a tensor of shape {shape}; keep tensors below {_MOST} elements")
    return shape


def _shape(s: Step) -> Result:
    shape = s.shape(s.input(0))
    start, end = s.integer("start", 0), s.integer("end", len(shape))
    return s.constant(torch.tensor(shape[start:end], dtype=torch.int64))


def _size(s: Step) -> Result:
    return s.constant(torch.tensor(prod(s.shape(s.input(0)))))


def _range(s: Step) -> Result:
    start, limit, step = (s.tensor(k).reshape(-1) for k in range(3))
    if min(start.numel(), limit.numel(), step.numel()) != 1 or not bool(step[0]):
        raise s.refuse(f"takes three numbers, the last of them not zero; {AGAIN}")
    first, end, by = (v[0].item() for v in (start, limit, step))
    if not 0 <= (end - first) / by <= _MOST_COUNTED:
        raise s.refuse(f"makes more than {_MOST_COUNTED} numbers, or none; make it smaller")
    return s.constant(torch.arange(first, end, by, dtype=start.dtype))


# --- shapes ---------------------------------------------------------------------------------------


def _reshape(s: Step) -> Result:
    x = s.input(0)
    before, wanted = s.shape(x), list(s.integers(1))
    if not s.integer("allowzero", 0):
        if any(n == 0 and axis >= len(before) for axis, n in enumerate(wanted)):
            raise s.refuse(f"keeps an axis that an operand of shape {before} has not; {AGAIN}")
        wanted = [before[axis] if n == 0 else n for axis, n in enumerate(wanted)]
    if any(n < -1 for n in wanted) or wanted.count(-1) > 1:
        raise s.refuse(f"has the target shape {tuple(wanted)}; {AGAIN}")
    return s.call("reshape.default", self=x, shape=tuple(wanted))


def _flatten(s: Step) -> Result:
    x = s.input(0)
    shape = s.shape(x)
    axis = s.integer("axis", 1)
    axis = axis if axis == len(shape) else s.axis(axis, len(shape))
    flat = (prod(shape[:axis]), prod(shape[axis:]))
    return s.call("reshape.default", self=x, shape=flat)


def _transpose(s: Step) -> Result:
    x = s.input(0)
    order = s.sizes("perm", range(s.rank(x))[::-1])
    return s.call("permute.default", self=x, dims=order)


def _squeeze(s: Step) -> Result:
    x = s.input(0)
    shape = s.shape(x)
    axes = s.integers(1) if s.version >= 13 and s.has(1) else s.sizes("axes", ())
    # Of all axes of length 1, the batch is kept: it has that length by chance.
    dims = tuple(s.axis(a, len(shape)) for a in axes) or tuple(
        a for a, n in enumerate(shape) if n == 1 and a
    )
    if any(shape[a] != 1 for a in dims):
        raise s.refuse(f"squeezes axes {dims} of shape {shape}, which are longer than 1; {AGAIN}")
    return s.call("squeeze.dims", self=x, dim=dims)


def _unsqueeze(s: Step) -> Result:
    x = s.input(0)
    axes = s.integers(1) if s.version >= 13 else s.sizes("axes", None)
    rank = s.rank(x) + len(axes)
    for axis in sorted(s.axis(a, rank) for a in axes):
        x = s.call("unsqueeze.default", self=x, dim=axis)
    return x


def _expand(s: Step) -> Result:
    x = s.input(0)
    shape = s.shape(x)
    wanted = _lengths(s, s.integers(1))
    longer = (1,) * (len(wanted) - len(shape)) + shape
    wanted = (1,) * (len(longer) - len(wanted)) + wanted
    sizes = tuple(max(a, b) for a, b in zip(longer, wanted, strict=True))
    return s.call("expand.default", self=x, size=sizes)


def _tile(s: Step) -> Result:
    repeats = _lengths(s, s.integers(1))
    return s.call("repeat.default", self=s.input(0), repeats=repeats)


# --- parts ----------------------------------------------------------------------------------------


def _concat(s: Step) -> Result:
    xs = s.inputs()
    axis = s.axis(s.integer("axis", None), s.rank(xs[0]))
    return s.call("cat.default", tensors=xs, dim=axis)


def _split(s: Step) -> Result:
    x = s.input(0)
    axis = s.axis(s.integer("axis", 0), s.rank(x))
    length, parts = s.shape(x)[axis], len(s.node.outputs)
    sizes = s.integers(1) if s.version >= 13 and s.has(1) else s.sizes("split", ())
    if s.integer("num_outputs", parts) != parts or not parts:
        raise s.refuse(f"has {parts} outputs, which is not what num_outputs says; {AGAIN}")
    if not sizes:
        each = -(-length // parts)
        sizes = (*[each] * (parts - 1), length - each * (parts - 1))
    if len(sizes) != parts or min(sizes) < 0:
        raise s.refuse(f"splits {length} elements into {sizes} for {parts} outputs; {AGAIN}")
    return s.several("split_with_sizes.default", self=x, split_sizes=sizes, dim=axis)


def _slice(s: Step) -> Result:
    x = s.input(0)
    rank = s.rank(x)
    if s.version < 10:
        starts, ends = s.sizes("starts", None), s.sizes("ends", None)
        axes, steps = s.sizes("axes", range(len(starts))), (1,) * len(starts)
    else:
        starts, ends = s.integers(1), s.integers(2)
        axes = s.integers(3) if s.has(3) else tuple(range(len(starts)))
        steps = s.integers(4) if s.has(4) else (1,) * len(starts)
    if not len(starts) == len(ends) == len(axes) == len(steps) or 0 in steps:
        raise s.refuse(f"has starts, ends, axes and steps that do not fit together; {AGAIN}")
    for start, end, a, step in zip(starts, ends, axes, steps, strict=True):
        axis = s.axis(a, rank)
        picked = range(s.shape(x)[axis])[slice(start, end, step)]
        if step > 0 or not len(picked):
            stop, step = (picked.stop, step) if len(picked) else (picked.start, 1)
            x = s.call("slice.Tensor", self=x, dim=axis, start=picked.start, end=stop, step=step)
        else:
            x = select(s, x, axis, torch.arange(picked.start, picked.stop, picked.step))
    return x if starts else s.call("alias.default", self=x)


def select(s: Step, x: Ref, axis: int, index: torch.Tensor) -> Ref:
    """Return the elements of ``x`` at ``index``, a vector, along an axis."""
    return s.call("index_select.default", self=x, dim=axis, index=s.constant(index))


def _gather(s: Step) -> Result:
    x, where = s.input(0), s.input(1)
    shape = s.shape(x)
    axis = s.axis(s.integer("axis", 0), len(shape))
    index = s.known(where)
    if index is None:
        if s.known(x) is None or axis or len(shape) != 2:
            raise s.refuse("takes indices that are computed; use them for the rows of a constant")
        return s.call("embedding.default", weight=x, indices=where)
    if index.is_floating_point() or not bool(
        ((index >= -shape[axis]) & (index < shape[axis])).all()
    ):
        raise s.refuse(f"has indices that an axis of length {shape[axis]} has not; {AGAIN}")
    index = torch.where(index < 0, index + shape[axis], index).to(torch.int64)
    if not index.dim():
        return s.call("select.int", self=x, dim=axis, index=int(index))
    picked = select(s, x, axis, index.reshape(-1))
    if index.dim() == 1:
        return picked
    result = (*shape[:axis], *index.shape, *shape[axis + 1 :])
    return s.call("reshape.default", self=picked, shape=result)


def _pad(s: Step) -> Result:
    x = s.input(0)
    rank = s.rank(x)
    mode, value = s.text("mode", "constant"), 0.0
    if s.version < 11:
        pads, value = s.sizes("pads", None), s.real("value", 0.0)
    else:
        pads = s.integers(1)
        value = s.number(2) if s.has(2) else 0.0
    axes = s.integers(3) if s.version >= 18 and s.has(3) else tuple(range(rank))
    if len(pads) != 2 * len(axes):
        raise s.refuse(f"has {len(pads)} pads for {len(axes)} axes; {AGAIN}")
    sides = [(0, 0)] * rank
    for place, a in enumerate(axes):
        sides[s.axis(a, rank)] = (pads[place], pads[place + len(axes)])
    modes = {"constant": "constant", "reflect": "reflect", "edge": "replicate", "wrap": "circular"}
    if mode not in modes:
        raise s.refuse(f"mode is {mode[:40]}, expected one of {', '.join(modes)}; use one of these")
    return padded(s, x, sides, value, modes[mode])


def padded(
    s: Step, x: Ref, sides: list[tuple[int, int]], value: float = 0.0, mode: str = "constant"
) -> Ref:
    """Return ``x`` with so many elements before and behind each axis; negative ones crop."""
    while sides and sides[0] == (0, 0):
        sides = sides[1:]
    if not sides:
        return x
    if mode != "constant" and len(sides) > 2:
        raise s.refuse(
            f"pads {len(sides)} axes by {mode}, expected the last two at most; use these"
        )
    pads = tuple(n for pair in reversed(sides) for n in pair)
    if mode == "constant":
        return s.call("constant_pad_nd.default", self=x, pad=pads, value=value)
    return s.call("pad.default", self=x, pad=pads, mode=mode)


# --- channels and space ---------------------------------------------------------------------------


def _image(s: Step) -> tuple[Ref, tuple[int, ...], int]:
    x, block = s.input(0), s.integer("blocksize", None)
    shape = s.shape(x)
    if len(shape) != 4 or block < 1:
        raise s.refuse(f"takes images and a positive blocksize, found {shape}, {block}; {AGAIN}")
    return x, shape, block


def _depth_to_space(s: Step) -> Result:
    x, (n, c, h, w), b = _image(s)
    mode = s.text("mode", "DCR")
    if mode == "CRD":
        return s.call("pixel_shuffle.default", self=x, upscale_factor=b)
    if mode != "DCR" or c % (b * b):
        raise s.refuse(f"mode {mode[:40]} does not fit {c} channels in blocks of {b}; {AGAIN}")
    y = s.call("reshape.default", self=x, shape=(n, b, b, c // (b * b), h, w))
    y = s.call("permute.default", self=y, dims=(0, 3, 4, 1, 5, 2))
    return s.call("reshape.default", self=y, shape=(n, c // (b * b), h * b, w * b))


def _space_to_depth(s: Step) -> Result:
    x, (n, c, h, w), b = _image(s)
    if h % b or w % b:
        raise s.refuse(f"cuts an image of {h} by {w} into blocks of {b}; {AGAIN}")
    y = s.call("reshape.default", self=x, shape=(n, c, h // b, b, w // b, b))
    y = s.call("permute.default", self=y, dims=(0, 3, 5, 1, 2, 4))
    return s.call("reshape.default", self=y, shape=(n, c * b * b, h // b, w // b))


OPS: dict[str, Convert] = {
    "Constant": _constant,
    "ConstantOfShape": _filled,
    "Shape": _shape,
    "Size": _size,
    "Range": _range,
    "Reshape": _reshape,
    "Flatten": _flatten,
    "Transpose": _transpose,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Expand": _expand,
    "Tile": _tile,
    "Concat": _concat,
    "Split": _split,
    "Slice": _slice,
    "Gather": _gather,
    "Pad": _pad,
    "DepthToSpace": _depth_to_space,
    "SpaceToDepth": _space_to_depth,
}
