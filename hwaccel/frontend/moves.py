"""Handlers for whatever only moves elements: axes, slices, padding, shuffles, repetition.

PyTorch itself says where each element comes from: the call runs on a tensor that holds the places
of its elements. So every variant means what it means in PyTorch, and nothing is written twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from hwaccel.frontend.floatgraph import Gather
from hwaccel.frontend.importer import Importer, Result
from hwaccel.frontend.program import Arg, Call, Ref, Turned, overload, reason
from hwaccel.fxp import IntArray

# Calls whose result shares memory with the operand: in-place calls reach through.
VIEWS = """
chunk.default expand.default mT.default movedim.int movedim.intlist narrow.default
numpy_T.default permute.default select.int slice.Tensor split.Tensor split_with_sizes.default
split.sizes swapaxes.default swapdims.default t.default tensor_split.sections
transpose.int unbind.int unfold.default unsafe_chunk.default unsafe_split.Tensor diagonal.default
"""
COPIES = """
channel_shuffle.default constant_pad_nd.default flip.default fliplr.default flipud.default
index.Tensor index_select.default pad.default pixel_shuffle.default pixel_unshuffle.default
reflection_pad1d.default reflection_pad2d.default repeat.default repeat_interleave.self_int
replication_pad1d.default replication_pad2d.default roll.default rot90.default tile.default
upsample_nearest1d.default upsample_nearest1d.vec upsample_nearest2d.default
upsample_nearest2d.vec _upsample_nearest_exact1d.vec _upsample_nearest_exact2d.vec
_upsample_nearest_exact1d.default _upsample_nearest_exact2d.default _unsafe_index.Tensor
native_channel_shuffle.default
"""
Places = NDArray[np.int64]

# A gather keeps one number per element; beyond, tables grow past use.
_MOST = 1 << 22
_MIXED = "moves elements from one frame of the batch to another"


def view(i: Importer, call: Call) -> Result | tuple[Result, ...]:
    """Calls whose result is another view of the operand."""
    return _moved(i, call, shares=True)


def copy(i: Importer, call: Call) -> Result | tuple[Result, ...]:
    """Calls whose result is a tensor of its own."""
    return _moved(i, call, shares=False)


def _moved(i: Importer, call: Call, *, shares: bool) -> Result | tuple[Result, ...]:
    turned = i.turned(next(iter(call.args.values())))
    x = Turned(i.first(call), 0) if turned is None else turned
    if sum(prod(shape) for shape in call.shapes) > _MOST:
        raise i.refuse(call, f"gives more than {_MOST} elements; make the tensor smaller")
    fill = 0.0
    args = dict(call.args)
    if call.args.get("mode", "constant") == "constant" and "pad" in call.args:
        fill = float(call.args.get("value") or 0.0)  # type: ignore[arg-type]
        args["value"] = -1.0
    found = run(i, call, args, _places(i, x, i.batch))
    axes = _axes(i, call, args, x, found)
    values: list[Result] = []
    for place, (rows, axis) in enumerate(zip(found, axes, strict=True)):
        if not call.results[place]:
            values.append("")
            continue
        if not axis and rows.shape != (i.batch,):
            i.inner(call, place)
        if axis is None or rows.shape != call.shapes[place]:
            raise i.refuse(call, _MIXED)
        frame = np.moveaxis(rows, axis, 0)[0]
        shape = frame.shape or (1,)  # one number per frame
        value = gather(i, call, x.value, frame.ravel(), shape, fill, shares=shares)
        values.append(Turned(value, axis) if axis else value)
    return tuple(values) if len(call.results) > 1 else values[0]


def _places(i: Importer, x: Turned, batch: int) -> torch.Tensor:
    """Return ``batch`` frames of ``x`` that hold the places of elements."""
    shape = (batch, *i.shape(x.value))
    places = torch.arange(prod(shape), dtype=torch.float64).reshape(shape)
    return places.movedim(0, x.axis).contiguous()


def run(i: Importer, call: Call, args: dict[str, Arg], places: torch.Tensor) -> list[Places]:
    """Return the results of the call on a tensor that holds the places of elements."""
    first = next(iter(call.args))
    op = overload(call.target)
    positional, keywords = [], {}
    for argument in op._schema.arguments:  # type: ignore[union-attr]
        if argument.name == first:
            value: Any = places
        else:
            value = _bound(i, call, argument.name, args.get(argument.name))
        if argument.kwarg_only:
            keywords[argument.name] = value
        else:
            positional.append(value)
    try:
        with torch.no_grad():
            meta = op(*(_meta(v) for v in positional), **keywords)  # type: ignore[misc]
            if sum(r.numel() for r in _listed(meta)) > _MOST:
                raise i.refuse(call, f"gives more than {_MOST} elements; make the tensor smaller")
            found = op(*positional, **keywords)  # type: ignore[misc]
    except (RuntimeError, IndexError, TypeError, ValueError) as error:
        raise i.refuse(
            call, f"cannot be followed ({reason(error)}); reorder the axes outside the model"
        ) from None
    return [r.to(torch.int64).numpy() for r in _listed(found)]


def _listed(found: Any) -> list[torch.Tensor]:
    return list(found) if isinstance(found, list | tuple) else [found]


def _meta(value: Any) -> Any:
    if isinstance(value, list):
        return [_meta(v) for v in value]
    return value.to("meta") if isinstance(value, torch.Tensor) else value


def _bound(i: Importer, call: Call, name: str, arg: Arg) -> Any:
    if isinstance(arg, Ref):
        return i.tensor(call, name, arg)
    if isinstance(arg, tuple):
        return [_bound(i, call, name, a) for a in arg]
    return arg


def _axes(
    i: Importer,
    call: Call,
    args: dict[str, Arg],
    x: Turned,
    found: list[Places],
) -> list[int | None]:
    """Return where the batch of every result is; ``None`` where frames are mixed.

    One frame alone does not show it, so three are tried unless the call is made for one.
    """
    size = prod(i.shape(x.value))
    axes = [batch_axis(rows, i.batch, size) for rows in found]
    if i.batch > 1:
        return axes
    try:
        more = run(i, call, args, _places(i, x, 3))
    except Exception:  # sizes of one frame are written into the call
        return axes
    for place, rows in enumerate(more):
        axis = batch_axis(rows, 3, size)
        if axis is not None or rows.shape[:1] == (3,):
            axes[place] = axis
    return axes


def frame(i: Importer, call: Call, rows: Places, size: int) -> Places:
    """Return what the first frame of a result holds; refuse one that mixes frames."""
    if rows.shape[0] != i.batch or not own(rows.reshape(i.batch, -1), size):
        raise i.refuse(call, _MIXED)
    first: Places = rows[0]
    return first


def batch_axis(rows: Places, batch: int, size: int) -> int | None:
    """Return the axis along which every frame holds the same places, each of its own frame."""
    for axis, length in enumerate(rows.shape):
        frames = np.moveaxis(rows, axis, 0)
        if length == batch and own(frames.reshape(batch, -1), size):
            return axis
    return None


def own(rows: Places, size: int) -> bool:
    """Tell whether every frame holds the same places, each of its own frame, or padding."""
    offset = np.arange(len(rows))[:, None] * size
    local = np.where(rows < 0, -1, rows - offset)
    inside = ((local >= 0) & (local < size)) | (rows < 0)
    return bool(inside.all() and (local == local[:1]).all())


def gather(
    i: Importer,
    call: Call,
    x: str,
    source: Places,
    shape: tuple[int, ...],
    fill: float = 0.0,
    *,
    shares: bool = False,
) -> str:
    """Return the elements of ``x`` at ``source``, in ``shape``; a reshape where nothing moves."""
    if np.array_equal(source, np.arange(prod(i.shape(x)))):
        same = i.reshape(call, x, shape)
        return same if shares else i.copy(call, same)
    result = i.add(call, Gather(IntArray(source), shape, fill), x, shape=shape)
    if shares:
        i.share(result, x, source)
    return result


def permute(i: Importer, call: Call, x: str, axes: Sequence[int]) -> str:
    """Return ``x`` with its axes, counted without the batch, in another order."""
    shape = i.shape(x)
    places = np.arange(prod(shape)).reshape(shape).transpose(axes)
    return gather(i, call, x, places.ravel(), places.shape)


def in_front(i: Importer, call: Call, x: str, axes: Sequence[int]) -> tuple[str, tuple[int, ...]]:
    """Return ``x`` with ``axes`` in front of the others, and the order that turns it back."""
    rank = len(i.shape(x))
    order = (*axes, *(a for a in range(rank) if a not in axes))
    return permute(i, call, x, order), tuple(int(a) for a in np.argsort(order))


def broadcast(i: Importer, call: Call, x: str, shape: tuple[int, ...]) -> str:
    """Return ``x``, of equal rank, repeated along its axes of length 1."""
    have = i.shape(x)
    if have == shape:
        return x
    if len(have) != len(shape) or any(a not in (1, b) for a, b in zip(have, shape, strict=True)):
        raise i.refuse(
            call,
            f"an operand of shape {have} without the batch axis does not stretch to {shape}; "
            "give both the same number of axes",
        )
    places = np.broadcast_to(np.arange(prod(have)).reshape(have), shape)
    return gather(i, call, x, places.ravel(), shape)
