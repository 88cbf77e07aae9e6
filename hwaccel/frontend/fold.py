"""Compute what depends on parameters only: pruning masks, parametrized weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from hwaccel.errors import FrontendError
from hwaccel.frontend.program import Arg, Call, Constant, Ref, overload, short, shown, where

# Functions of their operands and nothing else. Programs may come from untrusted files, so this
# is a list of what may run, not of what may not; nothing here allocates more than broadcasting.
_NAMES = """
abs add alias amax amin cat ceil clamp clamp_max clamp_min clone contiguous cos detach div eq erf
exp exp2 expand fake_quantize_per_channel_affine fake_quantize_per_tensor_affine flatten floor ge
gt index_select le lift_fresh_copy linalg_vector_norm log log2 lt max maximum mean min minimum mul
ne neg norm permute pow reciprocal relu reshape round rsqrt rsub select sigmoid sign sin slice sqrt
squeeze stack sub sum t tanh to transpose unsqueeze view where _to_copy _weight_norm
"""
_PURE = frozenset(_NAMES.split())


def is_pure(target: str) -> bool:
    """Tell whether ``target`` may be computed on constants."""
    return target.startswith("aten.") and not target.endswith("out") and short(target) in _PURE


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
