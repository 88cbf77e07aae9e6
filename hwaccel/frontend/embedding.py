"""Rows of a table by index: embeddings, one-hot codes, constants indexed by a value."""

from __future__ import annotations

from math import prod

import numpy as np

from hwaccel import ops
from hwaccel.frontend import moves
from hwaccel.frontend.floatgraph import FloatNode, Floats
from hwaccel.frontend.formats import exact_frac
from hwaccel.frontend.importer import Handler, Importer, Result
from hwaccel.frontend.indices import Lookup
from hwaccel.frontend.lower import Lowering
from hwaccel.frontend.program import Call, Ref
from hwaccel.fxp import FixedType, IntArray

_MOST = 1 << 16


def embedding(i: Importer, call: Call) -> str:
    """``embedding(weight, indices)``."""
    return _rows(i, call, i.value(call, "indices"), i.constant(call, "weight"))


def one_hot(i: Importer, call: Call) -> str:
    """``one_hot`` with a stated number of classes."""
    classes = int(call.number("num_classes"))
    if classes < 1:
        raise i.refuse(call, "takes the number of classes from the data; state num_classes")
    return _rows(i, call, i.value(call, "self"), np.eye(classes))


def index(i: Importer, call: Call) -> Result | tuple[Result, ...]:
    """Indexing: of a constant by a value, or of a value by constants, which only moves."""
    if not i.is_constant(call, "self"):
        return moves.copy(i, call)
    indices = call.args["indices"]
    table = i.constant(call, "self")
    if not isinstance(indices, tuple) or len(indices) != 1 or not isinstance(indices[0], Ref):
        raise i.refuse(call, "indexes several axes of a constant; flatten it and use one index")
    named = Call(call.target, {"indices": indices[0]}, call.results, call.shapes, call.path)
    x = i.value(named, "indices")
    if table.ndim == 1:
        return i.reshape(call, _rows(i, call, x, table[:, None]), i.shape(x))
    y = _rows(i, call, x, table.reshape(len(table), -1))
    return i.reshape(call, y, (*i.shape(x), *table.shape[1:]))


def _rows(i: Importer, call: Call, x: str, weight: Floats) -> str:
    shape, (rows, width) = i.shape(x), weight.shape
    if weight.size > _MOST:
        raise i.refuse(
            call,
            f"a table of {rows} rows of {width} numbers is too large, expected at most {_MOST} "
            "numbers; use fewer or shorter rows",
        )
    count = prod(shape)
    y = i.add(call, Lookup(weight), i.reshape(call, x, (count,)), shape=(width, count))
    turned = moves.permute(i, call, y, (1, 0))
    return i.reshape(call, turned, (*shape, width))


def lower(low: Lowering, node: FloatNode, op: Lookup, x: str) -> str:
    """Repeat every index, add the place of its row's number, and look up: one table for all."""
    rows, width = op.weight.shape
    (count,) = low.type(x).shape
    if op.bits and op.weight.any():
        fixed = FixedType(True, op.bits, int(exact_frac(op.weight.reshape(1, -1))[0]))
    else:
        fixed = low.result_format(node, signed=bool((op.weight < 0).any()))
    source = np.broadcast_to(np.arange(count), (width, count))
    index = low.add(node, ops.Gather(IntArray(source.ravel()), (width, count)), x, suffix="index")
    # Whole numbers that the model rounds more coarsely count in larger units.
    coarse, first = -low.type(x).frac, np.arange(width) * rows
    units = ops.Scale(IntArray([1 << coarse] * width), IntArray(first), coarse)
    place = low.add(node, units, index, suffix="place")
    scaled = np.clip(np.rint(np.ldexp(op.weight.T, fixed.frac)), fixed.lo, fixed.hi)
    table = ops.Tabulate(IntArray(scaled.ravel().astype(np.int64)), 0, fixed.frac)
    return low.add(node, table, place)


HANDLERS: dict[str, Handler] = {
    "aten.embedding.default": embedding,
    "aten.one_hot.default": one_hot,
    "aten.index.Tensor": index,
}
