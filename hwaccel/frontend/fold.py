"""Compute what depends on parameters only: pruning masks, parametrized weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch

from hwaccel.errors import FrontendError
from hwaccel.frontend.program import (
    Arg,
    Call,
    Constant,
    Ref,
    overload,
    reason,
    references,
    short,
    where,
)

# Functions of their operands and nothing else. Programs may come from untrusted files, so this
# is a list of what may run, not of what may not; nothing here allocates more than broadcasting.
_NAMES = """
_to_copy _weight_norm abs add alias amax amin argmax bitwise_not cat ceil clamp clamp_max clamp_min
clone concat concatenate contiguous cos detach detach_ div eq erf exp exp2 expand
fake_quantize_per_channel_affine fake_quantize_per_tensor_affine flatten floor floor_divide ge gt
index_select le lift_fresh_copy linalg_norm linalg_vector_norm log log2 logical_and logical_not
logical_or lt max maximum mean min minimum mul ne neg norm numpy_T permute pow prod reciprocal relu
remainder reshape round rsqrt rsub select sigmoid sign sin slice softmax sqrt squeeze stack std sub
sum t tanh to transpose trunc unsqueeze var view where
bmm chunk embedding flip index mT masked_fill matmul mm narrow outer roll split split_with_sizes
tril triu unbind
"""
_PURE = frozenset([*_NAMES.split(), "zeros_like", "ones_like", "full_like"])
# Functions of sizes and numbers; what they would allocate is asked first.
_FACTORIES = frozenset(["arange", "eye", "full", "ones", "scalar_tensor", "zeros"])
_NEW = frozenset(["zeros_like", "ones_like", "full_like"])
_MAX_ELEMENTS = 1 << 26


class Constants(dict[str, Constant]):
    """The constants of a program, and what is computed on them, by name."""

    def __init__(self, known: Mapping[str, Constant]) -> None:
        super().__init__(known)
        # New tensors that nothing has read: a call in place changes them and nothing else.
        self._fresh: set[str] = set()

    def take(self, call: Call) -> bool:
        """Compute ``call`` if it depends on constants only, and tell whether it does."""
        used = {name for arg in call.args.values() for name in references(arg)}
        name, first = short(call.target), next(iter(call.args.values()), None)
        if name.endswith("_") and isinstance(first, Ref) and first.name in self._fresh:
            call = replace(call, target=call.target.replace("_.", ".", 1))
        if not is_constant(call, self):
            return False
        self._fresh -= used
        found = fold(call, self)
        results = found.tensor if isinstance(found.tensor, list | tuple) else [found.tensor]
        self.update(
            (n, Constant(found.name, t)) for n, t in zip(call.results, results, strict=False) if n
        )
        if name.endswith("_") and isinstance(first, Ref):
            self[first.name] = self[call.results[0]]
        if name in _FACTORIES or name in _NEW:
            self._fresh.add(call.results[0])
        return True


def is_constant(call: Call, constants: Mapping[str, Constant]) -> bool:
    """Tell whether ``call`` may be computed on ``constants`` right away."""
    name = short(call.target)
    if not call.target.startswith("aten.") or call.target.endswith("out"):
        return False
    names = [n for arg in call.args.values() for n in references(arg)]
    return all(n in constants for n in names) and name in (_PURE if names else _FACTORIES)


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
        if not names and _elements(op, positional, keywords) > _MAX_ELEMENTS:
            raise MemoryError(f"more than {_MAX_ELEMENTS} elements")
        with torch.no_grad():
            result = op(*positional, **keywords)  # type: ignore[misc]
    except Exception as error:
        raise FrontendError(
            f"{where(call.path)}: {short(call.target)} cannot be computed on constants: "
            f"{reason(error)}; store the final values in the model"
        ) from None
    return Constant(names[0] if names else short(call.target), result)


def _elements(op: Any, positional: list[Any], keywords: dict[str, Any]) -> int:
    """Return the size of what a factory would make, without making it."""
    return int(op(*positional, **{**keywords, "device": "meta"}).numel())


def _bound(arg: Arg, constants: Mapping[str, Constant], names: list[str]) -> Any:
    if isinstance(arg, Ref):
        names.append(constants[arg.name].name)
        return constants[arg.name].tensor
    if isinstance(arg, tuple):
        return [_bound(a, constants, names) for a in arg]
    if isinstance(arg, str) and arg.startswith("torch."):
        return getattr(torch, arg.removeprefix("torch."))
    return arg
