"""Handlers for functions of one number: PyTorch itself computes the table."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from hwaccel.frontend.floatgraph import Floats, Function
from hwaccel.frontend.importer import Importer
from hwaccel.frontend.program import Call, overload, short

# What has a table. The operand comes first; whatever else there is must be numbers.
TABLED = """
abs.default acos.default acosh.default asin.default asinh.default atan.default atanh.default
celu.default cos.default cosh.default elu.default erf.default erfc.default exp.default
exp2.default expm1.default frac.default gelu.default hardshrink.default
hardsigmoid.default hardswish.default log.default log10.default log1p.default log2.default
log_sigmoid.default logit.default mish.default pow.Tensor_Scalar reciprocal.default
rsqrt.default selu.default sgn.default sigmoid.default sign.default silu.default sin.default
sinh.default softplus.default softshrink.default sqrt.default square.default tan.default
tanh.default threshold.default
"""
_IN_PLACE = """
abs celu elu exp hardsigmoid hardswish mish reciprocal rsqrt selu sigmoid silu sqrt
square tanh threshold
"""


def targets() -> tuple[str, ...]:
    """Return the ATen targets that ``tabled`` handles."""
    changing = [f"aten.{name}_.default" for name in _IN_PLACE.split()]
    return (*(f"aten.{name}" for name in TABLED.split()), *changing)


def tabled(i: Importer, call: Call) -> str:
    """A function of one number, by table."""
    return i.add(call, Function(function(i, call)), i.first(call))


def function(i: Importer, call: Call) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return what the call does with a tensor; its other arguments must be numbers."""
    name = call.target.replace("_.default", ".default")
    op = overload(name)
    positional, keywords = [], {}
    for argument in op._schema.arguments[1:]:  # type: ignore[union-attr]
        value = call.args.get(argument.name)
        if not isinstance(value, bool | int | float | str | None):
            raise i.refuse(
                call, f"{argument.name} of {short(name)} must be a number; use a constant one"
            )
        if argument.kwarg_only:
            keywords[argument.name] = value
        else:
            positional.append(value)

    def apply(x: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = op(x, *positional, **keywords)  # type: ignore[misc]
        return found

    return apply


def values(op: Function, grid: Floats) -> Floats:
    """Return the function on a grid in float64; NaN where it has no value."""
    with torch.no_grad():
        found: Floats = op.run(torch.from_numpy(np.ascontiguousarray(grid))).numpy()
    return found
