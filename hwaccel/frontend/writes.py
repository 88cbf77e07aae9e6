"""Handlers for what writes into a part of a tensor: scatters, and all in-place calls.

As with moves, PyTorch itself says where each element comes from: the call runs on tensors that
hold the places of their elements. A number that is written becomes the filling of a gather; a
tensor that is written is one operand of a concatenation, and the gather takes from both.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from hwaccel.frontend import batch, moves
from hwaccel.frontend.floatgraph import Concat
from hwaccel.frontend.importer import Handler, Importer, Result
from hwaccel.frontend.program import Arg, Call, Ref, Turned, overload, reason

Places = NDArray[np.int64]

_APART = "slice_scatter.default select_scatter.default index_put.default"
_IN_PLACE = """
index_put_.default copy_.default fill_.Scalar fill_.Tensor zero_.default
"""
# Arguments that are written, where they are no tensors that the model computes.
_WRITTEN = ("value", "values", "src", "self", "other")


def apart(i: Importer, call: Call) -> Result:
    """Calls whose result is a tensor of its own."""
    values, fill, rows = _codes(i, call)
    return moves.gather(i, call, _joined(i, call, values), rows.ravel(), rows.shape, fill)


def in_place(i: Importer, call: Call) -> Result:
    """Calls that write into their operand, which may be a view of another tensor."""
    values, fill, rows = _codes(i, call)
    old = i.first(call)
    root, places = i.view_of(old)
    whole, size = prod(i.shape(root)), prod(i.shape(old))
    own, codes = _listed(places, size), rows.ravel()
    source = np.arange(whole)
    from_old = own[np.clip(codes, 0, size - 1)]
    source[own] = np.where(codes < 0, -1, np.where(codes < size, from_old, whole + codes - size))
    if (source < 0).all():
        raise i.refuse(call, "writes a number everywhere; use a constant instead")
    joined = _joined(i, call, [root, *values[1:]])
    made = moves.gather(i, call, joined, source, i.shape(root), fill)
    return _rebound(i, call, root, made, old)


def elementwise(handler: Handler) -> Handler:
    """Return a handler of an in-place function that is known apart."""

    def handle(i: Importer, call: Call) -> Result | tuple[Result, ...]:
        old = i.first(call)
        result = handler(i, call)
        assert isinstance(result, str)
        root, places = i.view_of(old)
        if places is None:
            made = i.copy(call, i.reshape(call, result, i.shape(root)))
        else:
            whole = prod(i.shape(root))
            source = np.arange(whole)
            source[places] = whole + np.arange(len(places))
            joined = _joined(i, call, [root, result])
            made = moves.gather(i, call, joined, source, i.shape(root))
        return _rebound(i, call, root, made, old)

    return handle


def _rebound(i: Importer, call: Call, root: str, made: str, old: str) -> str:
    """Let every name of the tensor ``root`` and of its views read ``made``; return that of one."""
    batch.outdate(i, call, root)
    fresh = {root: made}
    for name, found in i.bound().items():
        value = found.value if isinstance(found, Turned) else found
        of, places = i.view_of(value)
        if of != root:
            continue
        if value not in fresh:
            fresh[value] = _view(i, call, made, places, i.shape(value))
        view = fresh[value]
        i.bind(name, Turned(view, found.axis) if isinstance(found, Turned) else view)
    return fresh[old]


def _view(i: Importer, call: Call, x: str, places: Places | None, shape: tuple[int, ...]) -> str:
    source = _listed(places, prod(shape))
    return moves.gather(i, call, x, source, shape, shares=True)


def _listed(places: Places | None, size: int) -> Places:
    return np.arange(size) if places is None else places


def _joined(i: Importer, call: Call, values: list[str]) -> str:
    """Return the elements of one or two values, one behind the other."""
    flat = [i.reshape(call, value, (prod(i.shape(value)),)) for value in values]
    if len(flat) == 1:
        return flat[0]
    return i.add(call, Concat(), *flat, shape=(sum(prod(i.shape(v)) for v in flat),))


def _codes(i: Importer, call: Call) -> tuple[list[str], float, Places]:
    """Return the values that are read, the number that is written, and where each element is from.

    Elements of the values are counted one value behind the other; -1 stands for the number.
    """
    values = [i.value(call, name) for name in call.args if _is_value(i, call, name)]
    sizes = [prod(i.shape(value)) for value in values]
    if len(values) > 2:
        raise i.refuse(call, "reads more than two computed tensors; do it in two steps")
    total, first, fills = sum(sizes), 0, set()
    positional, keywords = [], {}
    for argument in overload(call.target)._schema.arguments:  # type: ignore[union-attr]
        name, arg = argument.name, call.args.get(argument.name)
        if _is_value(i, call, name):
            shape = i.shape(i.value(call, name))
            frames = np.arange(i.batch)[:, None] * total
            places = frames + first + np.arange(prod(shape))
            value: Any = torch.from_numpy(places.reshape(i.batch, *shape).astype(np.float64))
            first += prod(shape)
        elif name in _WRITTEN and arg is not None:
            number, value = _number(i, call, name, arg)
            fills.add(number)
        else:
            value = _constant(i, call, name, arg)
        if argument.kwarg_only:
            keywords[name] = value
        else:
            positional.append(value)
    if call.target == "aten.zero_.default":
        fills.add(0.0)
    if len(fills) > 1:
        raise i.refuse(call, "writes two different numbers; do it in two steps")
    rows = _run(i, call, positional, keywords)
    fill = fills.pop() if fills else 0.0
    return values, fill, moves.frame(i, call, rows, total)


def _run(i: Importer, call: Call, positional: list[Any], keywords: dict[str, Any]) -> Places:
    try:
        with torch.no_grad():
            found = overload(call.target)(*positional, **keywords)  # type: ignore[misc]
    except (RuntimeError, IndexError, TypeError, ValueError) as error:
        raise i.refuse(
            call, f"cannot be followed ({reason(error)}); build the tensor with torch.cat instead"
        ) from None
    if call.target == "aten.zero_.default":
        found = torch.full_like(found, -1.0)
    places: Places = found.to(torch.int64).numpy()
    return places


def _is_value(i: Importer, call: Call, name: str) -> bool:
    return isinstance(call.args.get(name), Ref) and not i.is_constant(call, name)


def _number(i: Importer, call: Call, name: str, arg: Arg) -> tuple[float, Any]:
    """Return what is written, and what stands for it among places."""
    if isinstance(arg, int | float):
        number, stand_in = float(arg), -1.0
    else:
        array = i.constant(call, name)
        if array.size == 0 or (array != array.ravel()[0]).any():
            raise i.refuse(
                call,
                f"{name} is a constant that differs from place to place; multiply by a mask and "
                "add the constant instead",
            )
        number, stand_in = float(array.ravel()[0]), -torch.ones(array.shape, dtype=torch.float64)
    if not np.isfinite(number):
        raise i.refuse(call, f"writes {number}; use a finite number")
    return number, stand_in


def _constant(i: Importer, call: Call, name: str, arg: Arg) -> Any:
    if isinstance(arg, Ref):
        return i.tensor(call, name, arg)
    return [_constant(i, call, name, a) for a in arg] if isinstance(arg, tuple) else arg


def wrapped(handlers: dict[str, Handler]) -> dict[str, Handler]:
    """Return ``handlers`` with those here, and with all in-place ones aware of views."""
    changing = {
        name: elementwise(handler)
        for name, handler in handlers.items()
        if name.split(".")[1].endswith("_")
    }
    here = {f"aten.{name}": apart for name in _APART.split()}
    return {**handlers, **changing, **here, **{f"aten.{n}": in_place for n in _IN_PLACE.split()}}
