"""Compute what depends on parameters only: pruning masks, parametrized or fake-quantized weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from hwaccel.errors import FrontendError
from hwaccel.frontend.program import Arg, Call, Constant, Ref, overload, shown, where

# Functions of their operands and nothing else. Programs may come from untrusted files, so this
# is a list of what may run, not of what may not.
PURE = frozenset(
    f"aten.{name}"
    for name in """
    abs.default add.Scalar add.Tensor alias.default amax.default amin.default
    cat.default ceil.default clamp.default clamp.Tensor clamp_max.default clamp_min.default
    clone.default contiguous.default cos.default detach.default detach_.default div.Scalar
    div.Tensor div.Tensor_mode eq.Scalar eq.Tensor erf.default exp.default exp2.default
    expand.default fake_quantize_per_channel_affine.default
    fake_quantize_per_tensor_affine.default fake_quantize_per_tensor_affine.tensor_qparams
    flatten.using_ints floor.default ge.Scalar ge.Tensor gt.Scalar gt.Tensor index_select.default
    le.Scalar le.Tensor lift_fresh_copy.default linalg_vector_norm.default log.default
    log2.default lt.Scalar lt.Tensor max.default maximum.default mean.default mean.dim
    min.default minimum.default mul.Scalar mul.Tensor ne.Scalar ne.Tensor neg.default
    norm.ScalarOpt_dim permute.default pow.Tensor_Scalar reciprocal.default relu.default
    reshape.default round.default rsqrt.default rsub.Scalar select.int sigmoid.default
    sign.default sin.default slice.Tensor sqrt.default squeeze.default squeeze.dim
    squeeze.dims stack.default sub.Scalar sub.Tensor sum.default sum.dim_IntList t.default
    tanh.default to.dtype to.dtype_layout transpose.int unsqueeze.default view.default
    where.self _to_copy.default _weight_norm.default
    """.split()
)


def fold(call: Call, constants: Mapping[str, Constant]) -> Constant:
    """Return the result of a pure call on constants.

    Raises:
        FrontendError: PyTorch cannot compute it.
    """
    op = overload(call.target)
    positional: list[Any] = []
    keywords: dict[str, Any] = {}
    names: list[str] = []
    try:
        for argument in op._schema.arguments:  # type: ignore[union-attr]
            value = _bound(call.args.get(argument.name), constants, names)
            if argument.kwarg_only:
                keywords[argument.name] = value
            else:
                positional.append(value)
        with torch.no_grad():
            result = op(*positional, **keywords)  # type: ignore[misc]
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise FrontendError(
            f"{where(call.path)}: {call.target} on {', '.join(map(shown, names))} cannot be "
            f"computed: {shown(reason)}; store the final weights in the model"
        ) from None
    return Constant(names[0], result)


def _bound(arg: Arg, constants: Mapping[str, Constant], names: list[str]) -> Any:
    if isinstance(arg, Ref):
        names.append(constants[arg.name].name)
        return constants[arg.name].tensor
    if isinstance(arg, tuple):
        return [_bound(a, constants, names) for a in arg]
    if isinstance(arg, str) and arg.startswith("torch."):
        return getattr(torch, arg.removeprefix("torch."))
    return arg
