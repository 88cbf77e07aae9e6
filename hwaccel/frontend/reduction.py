"""What reductions over any axes behind the batch share: which axes, and the shape to pool in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

from hwaccel.frontend import moves
from hwaccel.frontend.floatgraph import FloatOp, Pair
from hwaccel.frontend.importer import Importer
from hwaccel.frontend.program import Call


def axes_of(i: Importer, call: Call, name: str = "dim") -> tuple[int, ...]:
    """Return the axes that argument ``name`` means, counted without the batch, in order."""
    rank = len(i.shape(i.first(call))) + 1
    given = call.args.get(name)
    dims = range(rank) if given in (None, ()) else call.integers(name)
    axes = sorted({d % rank - 1 for d in dims})
    if axes[0] < 0:
        raise i.refuse(call, f"{name} is {tuple(dims)}, which has the batch in it; leave it out")
    return tuple(axes)


def over(i: Importer, call: Call, make: Callable[[Pair], FloatOp], place: int = 0) -> str:
    """Return the first argument reduced over ``dim`` by the pool that ``make`` gives."""
    x, axes = i.first(call), axes_of(i, call)
    return i.reshape(call, pooled(i, call, x, axes, make), i.inner(call, place))


def pooled(
    i: Importer, call: Call, x: str, axes: Sequence[int], make: Callable[[Pair], FloatOp]
) -> str:
    """Return ``x`` reduced over ``axes``; the result has the other axes, in an image's shape."""
    shape = i.shape(x)
    if axes[0] > 0 and len(shape) <= 3:
        # Channels stay in front where they are not reduced: then nothing moves.
        image = i.image(call, x)
        over = {axis - len(shape) for axis in axes}
        channels, height, width = i.shape(image)
        kernel = (height if -2 in over else 1, width if -1 in over else 1)
    else:
        image, _ = rows(i, call, x, axes)
        channels, height, width = i.shape(image)
        kernel = (1, width)
    result = (channels, height // kernel[0], width // kernel[1])
    return i.add(call, make(kernel), image, shape=result)


def rows(i: Importer, call: Call, x: str, axes: Sequence[int]) -> tuple[str, tuple[int, ...]]:
    """Return ``x`` in three axes, of which the last holds ``axes``, and how to turn it back.

    Where the others come behind ``axes``, the result has one channel: it streams pixel by pixel,
    which is the order in which ``x`` does, so often nothing moves.
    """
    shape = i.shape(x)
    kept = [a for a in range(len(shape)) if a not in axes]
    order = (*kept, *axes)
    moved = moves.permute(i, call, x, order)
    groups, size = prod(shape[a] for a in kept), prod(shape[a] for a in axes)
    in_front = axes[0] == 0
    result = i.reshape(call, moved, (1, groups, size) if in_front else (groups, 1, size))
    return result, order


def unrowed(i: Importer, call: Call, y: str, like: str, order: Sequence[int]) -> str:
    """Return what ``rows`` made, computed element by element, in the shape of ``like``."""
    shape = i.shape(like)
    y = i.reshape(call, y, tuple(shape[a] for a in order))
    back = sorted(range(len(order)), key=lambda place: order[place])
    return moves.permute(i, call, y, back)
