"""Tensors whose batch is not the first axis: moved there and back, around whatever computes.

PyTorch's attention works on ``(L, N, E)`` and ``(N * heads, L, D)``. A tensor whose batch is an
axis of its own is ``Turned``; one whose batch is part of an axis is remembered by the places of its
elements. What computes gets the tensor with the batch in front, and its result goes back to where
the batch was. Each is a move, and moves become one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from typing import TypeAlias

import numpy as np
import torch

from hwaccel.errors import FrontendError
from hwaccel.frontend import functions, moves, pooling, quantize_calls
from hwaccel.frontend.importer import Handler, Importer, Result
from hwaccel.frontend.program import Arg, Call, Constant, Ref, Turned, is_turned, short
from hwaccel.ops.family import Ints, divisors

# What may compute on such tensors, and how many axes at the end it takes as they are.
_ELEMENTWISE = """
add.Tensor add.Scalar sub.Tensor sub.Scalar rsub.Scalar rsub.Tensor mul.Tensor mul.Scalar
div.Tensor div.Scalar neg.default relu.default relu6.default clamp.default clamp_min.default
clamp_max.default hardtanh.default maximum.default minimum.default
"""
_LAST = {
    "embedding.default": 0,
    "softmax.int": 0,
    "_softmax.default": 0,
    "log_softmax.int": 0,
    "_log_softmax.default": 0,
    "linear.default": 1,
    "mm.default": 1,
    "addmm.default": 1,
    "layer_norm.default": 1,
    "native_layer_norm.default": 1,
    "rms_norm.default": 1,
    "matmul.default": 2,
    "bmm.default": 2,
    "baddbmm.default": 2,
    "scaled_dot_product_attention.default": 2,
    "_scaled_dot_product_flash_attention_for_cpu.default": 2,
}
_LAST |= dict.fromkeys(_ELEMENTWISE.split(), 0)
_LAST |= {target.removeprefix("aten."): 0 for target in quantize_calls.ELEMENTWISE}
_LAST |= {target.removeprefix("aten."): 0 for target in functions.targets() if "_." not in target}
_STRETCHED = frozenset([*_ELEMENTWISE.split(), "baddbmm.default"])
_REDUCING = frozenset(["mean.dim", "sum.dim_IntList", "amax.default"])
# What returns its operand, or a copy of it.
_SAME = frozenset(
    """
alias.default detach.default to.dtype to.dtype_layout dropout.default feature_dropout.default
alpha_dropout.default
""".split()
)
_KEEPING = _SAME | {"clone.default", "contiguous.default", "_to_copy.default"}
# They keep the order, so that the shape of the result says it all.
_RESHAPES = frozenset("flatten unflatten view _unsafe_view reshape squeeze unsqueeze".split())
_MOVING = (moves.view, moves.copy, pooling.pad, pooling.reshape)


@dataclass(frozen=True, slots=True, eq=False)
class Scattered:
    """A tensor of elements of ``value``: place ``n * size + p`` is element ``p`` of frame ``n``."""

    value: str
    places: Ints
    # What is said where the batch is needed in front.
    refusal: FrontendError
    # The tensor was changed in place behind its back.
    stale: bool = False


@dataclass(frozen=True, slots=True)
class Seat:
    """Where the batch is: axis ``axis`` has length ``before * batch * behind``."""

    axis: int
    before: int
    behind: int

    @property
    def extra(self) -> tuple[int, ...]:
        """Axes that are left of it without the batch."""
        return tuple(n for n in (self.before, self.behind) if n > 1)

    def inner(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return ``shape`` without the batch."""
        return (*shape[: self.axis], *self.extra, *shape[self.axis + 1 :])

    def front(self, array: Ints, batch: int) -> Ints:
        """Return ``array`` with the batch in front of everything."""
        shape, axis = array.shape, self.axis
        split = (*shape[:axis], self.before, batch, self.behind, *shape[axis + 1 :])
        turned = np.moveaxis(array.reshape(split), axis + 1, 0)
        return turned.reshape(batch, *self.inner(shape))

    def back(self, array: Ints, shape: tuple[int, ...]) -> Ints:
        """Undo ``front``."""
        batch, axis = len(array), self.axis
        split = (*shape[:axis], self.before, self.behind, *shape[axis + 1 :])
        turned = np.moveaxis(array.reshape(batch, *split), 0, axis + 1)
        return turned.reshape(shape)

    def dim(self, dim: int) -> int:
        """Return where axis ``dim`` is with the batch in front."""
        return dim + 1 if dim < self.axis else dim + len(self.extra)


Results: TypeAlias = Result | tuple[Result, ...]


def anywhere(handler: Handler, plain: Handler) -> Handler:
    """Return ``handler`` for calls on tensors with the batch in front, widened to any others.

    ``plain`` is what it does, without what others have wrapped around it. Handlers of moves and
    of recurrent layers know themselves what to do with an axis that is the batch.
    """

    def handle(i: Importer, call: Call) -> Results:
        name = call.target.removeprefix("aten.")
        merged = [ref for ref in _refs(call) if ref in i.scattered]
        for ref in merged:
            if i.scattered[ref].stale:
                raise i.scattered[ref].refusal
        found = {r: s for r in _refs(call) if (s := _scattered(i, r)) is not None}
        if found and name in _KEEPING:
            return _kept(i, call, handler, next(iter(found.values())))
        if plain in _MOVING:
            return _moved(i, call, handler, i.scattered[merged[0]] if merged else None)
        if found and (name in _LAST or name in _REDUCING):
            return _compute(i, call, handler, found)
        if merged:
            raise i.scattered[merged[0]].refusal
        return handler(i, call)

    return handle


def _refs(call: Call) -> list[str]:
    args = [a for arg in call.args.values() for a in (arg if isinstance(arg, tuple) else (arg,))]
    return [a.name for a in args if isinstance(a, Ref)]


def _scattered(i: Importer, name: str) -> Scattered | None:
    """Return a tensor whose batch is not in front by the places of its elements."""
    turned = i.turned(Ref(name))
    if turned is None:
        return i.scattered.get(name)
    shape = (i.batch, *i.shape(turned.value))
    places = np.moveaxis(np.arange(prod(shape)).reshape(shape), 0, turned.axis)
    return Scattered(turned.value, places, FrontendError(f"{name} {is_turned(turned)}"))


def _result(i: Importer, call: Call, place: int, found: Scattered) -> Result:
    """Return what result ``place`` of a move is: turned, or else remembered by its places."""
    size, places = prod(i.shape(found.value)), found.places
    axis = moves.batch_axis(places, i.batch, size) if places.ndim > 1 else None
    if axis is None:
        i.scattered[call.results[place]] = found
        return ""
    frame = np.moveaxis(places, axis, 0)[0]
    value = moves.gather(i, call, found.value, frame.ravel(), frame.shape or (1,))
    return Turned(value, axis) if axis else value


# --- moves --------------------------------------------------------------------------------------


def _kept(i: Importer, call: Call, handler: Handler, x: Scattered) -> Results:
    """Call a handler that returns its operand, as it is."""
    first = next(iter(call.args))
    front = (i.batch, *i.shape(x.value))
    handler(i, replace(call, args={**call.args, first: i.ref(x.value)}, shapes=(front,)))
    turned = i.turned(call.args[first])
    if turned is not None and call.target.removeprefix("aten.") in _SAME:
        return turned
    return _result(i, call, 0, x)


def _moved(i: Importer, call: Call, handler: Handler, x: Scattered | None) -> Results:
    """Move a tensor, also so that the batch becomes part of an axis, or its order is lost."""
    if x is not None:
        return _move(i, call, x)
    try:
        return handler(i, call)
    except FrontendError as error:
        first = next(iter(call.args), "")
        arg = call.args.get(first)
        empty = any(0 in shape for shape in call.shapes)
        if empty or not isinstance(arg, Ref) or i.is_constant(call, first):
            raise
        known = _scattered(i, arg.name)
        if known is None:
            value = i.first(call)
            shape = (i.batch, *i.shape(value))
            known = Scattered(value, np.arange(prod(shape)).reshape(shape), error)
        try:
            return _move(i, call, replace(known, refusal=error))
        except FrontendError:
            raise error from None


def _move(i: Importer, call: Call, x: Scattered) -> Results:
    if short(call.target).endswith("_"):
        raise i.refuse(call, "changes a tensor in place whose first axis is not the batch; copy it")
    if "pad" in call.args:
        raise i.refuse(call, "pads a tensor whose first axis is not the batch; transpose it first")
    if call.target.split(".")[1] in _RESHAPES:
        found = [x.places.reshape(call.shapes[0])]
    else:
        found = moves.run(i, call, dict(call.args), torch.from_numpy(x.places.copy()).double())
    results = tuple(
        _result(i, call, place, replace(x, places=places)) if call.results[place] else ""
        for place, places in enumerate(found)
    )
    return results if len(results) > 1 else results[0]


def outdate(i: Importer, call: Call, root: str) -> None:
    """Refuse from now on what remembers elements of ``root``, which ``call`` changes in place."""
    for name, x in i.scattered.items():
        if i.view_of(x.value)[0] == root:
            refusal = i.refuse(
                call,
                "changes a tensor in place, a view of which without the batch in front is read "
                "later; copy it",
            )
            i.scattered[name] = replace(x, stale=True, refusal=refusal)


# --- computing ----------------------------------------------------------------------------------


def _compute(i: Importer, call: Call, handler: Handler, found: dict[str, Scattered]) -> Results:
    """Call ``handler`` with the batch of all operands in front."""
    name = call.target.removeprefix("aten.")
    seats = {ref: _seat(i, call, x) for ref, x in found.items()}
    seat = next(iter(seats.values()))
    shapes = [x.places.shape for x in found.values()]
    rank = len(shapes[0])
    if len(set(seats.values())) > 1 or len({len(s) for s in shapes}) > 1:
        raise i.refuse(call, f"operands have their batches at different axes; {_WAY_OUT}")
    last = _LAST.get(name, 0)
    if seat.axis >= rank - last:
        raise i.refuse(call, f"takes the batch as axis {seat.axis} of {rank}; {_WAY_OUT}")

    def operand(arg: Arg) -> Arg:
        if isinstance(arg, tuple):
            return tuple(operand(a) for a in arg)
        if not isinstance(arg, Ref):
            return arg
        if arg.name in seats:
            return i.ref(_in_front(i, call, found[arg.name], seat))
        constant = i.constants.get(arg.name)
        if constant is None:
            raise i.refuse(call, f"operands have their batches at different axes; {_WAY_OUT}")
        if name not in _STRETCHED:
            return arg
        i.constants[f"{arg.name}@"] = _spread(i, call, constant, seat, rank)
        return Ref(f"{arg.name}@")

    args = {key: operand(arg) for key, arg in call.args.items()}
    shape, result = call.shapes[0], seat
    if name in _REDUCING or "softmax" in name:
        dims = [d % rank for d in call.integers("dim")]
        if seat.axis in dims:
            raise i.refuse(call, f"dim is {tuple(dims)}, the batch; use another axis")
        moved = tuple(seat.dim(d) for d in dims)
        args["dim"] = moved if name in _REDUCING else moved[0]
        if name in _REDUCING and not call.args.get("keepdim"):
            lost = sum(d < seat.axis for d in dims)
            result = Seat(seat.axis - lost, seat.before, seat.behind)
    inner = result.inner(shape)
    front = replace(call, args=args, shapes=((i.batch, *inner), *call.shapes[1:]))
    value = handler(i, front)
    if not isinstance(value, str):
        raise i.refuse(call, f"takes the batch as axis {seat.axis} of {rank}; {_WAY_OUT}")
    if not result.extra:
        return Turned(value, result.axis) if result.axis else value
    places = result.back(np.arange(i.batch * prod(inner)).reshape(i.batch, *inner), shape)
    refusal = next(iter(found.values())).refusal
    i.scattered[call.results[0]] = Scattered(value, places, refusal)
    return ""


_WAY_OUT = "give every operand the batch as its first axis, for example with batch_first=True"


def _seat(i: Importer, call: Call, x: Scattered) -> Seat:
    """Find the axis that holds the batch."""
    frames = x.places // prod(i.shape(x.value))
    wanted = np.arange(i.batch).reshape(-1, 1)
    for axis, length in enumerate(x.places.shape):
        for before in divisors(length // i.batch) if length % i.batch == 0 else ():
            seat = Seat(axis, before, length // i.batch // before)
            if (seat.front(frames, i.batch).reshape(i.batch, -1) == wanted).all():
                return seat
    raise i.refuse(call, f"takes an operand in which frames are mixed; {_WAY_OUT}")


def _in_front(i: Importer, call: Call, x: Scattered, seat: Seat) -> str:
    places = seat.front(x.places, i.batch)
    rows = places.reshape(i.batch, -1)
    if not moves.own(rows, prod(i.shape(x.value))) or places.ndim < 2:
        raise i.refuse(call, f"takes an operand in which frames are mixed; {_WAY_OUT}")
    return moves.gather(i, call, x.value, rows[0], places.shape[1:])


def _spread(i: Importer, call: Call, constant: Constant, seat: Seat, rank: int) -> Constant:
    """Return a constant that stretches to the other operand, now that this has other axes."""
    tensor = constant.tensor
    if tensor.ndim < rank - seat.axis:
        return constant
    shape = (1,) * (rank - tensor.ndim) + tuple(tensor.shape)
    if len(shape) != rank or shape[seat.axis] != 1:
        raise i.refuse(
            call,
            f"a constant of shape {tuple(tensor.shape)} differs from frame to frame; give it "
            f"length 1 along the batch, axis {seat.axis}",
        )
    ones = (1,) * len(seat.extra)
    return Constant(
        constant.name,
        tensor.reshape(1, *shape[: seat.axis], *ones, *shape[seat.axis + 1 :]),
    )


def widened(handlers: dict[str, Handler], plain: dict[str, Handler]) -> dict[str, Handler]:
    """Return all handlers for tensors with the batch at any axis; ``plain`` are the unwrapped."""
    return {
        target: anywhere(handler, plain.get(target, handler))
        for target, handler in handlers.items()
    }
