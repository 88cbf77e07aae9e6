"""Calls on values whose batch is not in front, which treat all places along it alike."""

from __future__ import annotations

from dataclasses import replace

from hwaccel.frontend.functions import targets
from hwaccel.frontend.importer import Handler, Importer, Result
from hwaccel.frontend.program import Call, Ref, Turned

# Element by element, except that ``linear`` takes the last axis.
ELEMENTWISE = """
relu.default clamp.default clamp_min.default clamp_max.default hardtanh.default relu6.default
add.Tensor add.Scalar sub.Tensor sub.Scalar rsub.Scalar mul.Tensor mul.Scalar div.Tensor
div.Scalar neg.default maximum.default minimum.default linear.default dropout.default
clone.default contiguous.default alias.default detach.default to.dtype _to_copy.default
"""


def wrapped(handlers: dict[str, Handler]) -> dict[str, Handler]:
    """Return ``handlers`` whose elementwise ones take the batch on any axis."""
    names = [f"aten.{name}" for name in ELEMENTWISE.split()]
    pure = [name for name in targets() if not name.split(".")[1].endswith("_")]
    return {**handlers, **{name: _anywhere(handlers[name]) for name in (*names, *pure)}}


def _anywhere(handler: Handler) -> Handler:
    def handle(i: Importer, call: Call) -> Result | tuple[Result, ...]:
        found = {name: t for name, arg in call.args.items() if (t := i.turned(arg)) is not None}
        axis = min((t.axis for t in found.values()), default=0)
        return _in_front(i, call, handler, found, axis) if found else handler(i, call)

    return handle


def _in_front(
    i: Importer, call: Call, handler: Handler, found: dict[str, Turned], axis: int
) -> Result:
    """Let ``handler`` compute with the batch in front, and say where it belongs."""
    shape = list(call.shapes[0])
    rank = len(shape)
    for name, arg in call.args.items():
        turned = found.get(name)
        if turned is not None:
            fits = turned.axis == axis and len(i.shape(turned.value)) + 1 == rank
        elif isinstance(arg, Ref) and call.target != "aten.linear.default":
            # Axes of constants count from the last, and those behind the batch keep their places.
            fits = i.is_constant(call, name) and i.tensor(call, name, arg).ndim < rank - axis
        else:
            fits = True
        if not fits or (call.target == "aten.linear.default" and axis == rank - 1):
            raise i.refuse(
                call,
                f"an operand has the batch on axis {axis}; bring it in front, for example with "
                f"x.transpose(0, {axis})",
            )
    shape.insert(0, shape.pop(axis))
    args = {**call.args, **{name: i.ref(t.value) for name, t in found.items()}}
    result = handler(i, replace(call, args=args, shapes=(tuple(shape),)))
    assert isinstance(result, str)
    return Turned(result, axis)
