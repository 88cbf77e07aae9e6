"""Compute what depends on parameters only: pruning masks, parametrized weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch

from hwaccel.errors import FrontendError
from hwaccel.frontend.program import (
    Arg,
    Call,
    Constant,
    Program,
    Ref,
    overload,
    reason,
    references,
    short,
    where,
)

# Functions of their operands and nothing else. Programs may come from untrusted files, so this
# is a list of what may run, not of what may not. What it would allocate is asked first.
_NAMES = """
_to_copy _weight_norm abs add alias amax amin argmax bitwise_and bitwise_not bitwise_or bmm cat ceil
chunk clamp clamp_max clamp_min clone concat concatenate contiguous cos cumsum detach detach_ div
embedding eq erf exp exp2 expand fake_quantize_per_channel_affine fake_quantize_per_tensor_affine
flatten flip floor floor_divide ge gt index index_select le lift_fresh_copy linalg_norm
linalg_vector_norm log log2 logical_and logical_not logical_or lt mT masked_fill matmul max maximum
mean min minimum mm mul narrow ne neg norm numpy_T outer permute pow prod reciprocal relu remainder
reshape roll round rsqrt rsub select sigmoid sign sin slice softmax split split_with_sizes sqrt
squeeze stack std sub sum t tan tanh to transpose tril triu trunc unbind unflatten unsqueeze var
view where
"""
_PURE = frozenset(_NAMES.split())
_PRODUCTS = frozenset(["bmm", "matmul", "mm"])
# Functions of sizes and numbers.
_FACTORIES = frozenset("arange eye full linspace logspace ones scalar_tensor zeros".split())
# The same for the size of an operand, whose numbers do not matter; what fills them, if no argument.
_LIKE = {"zeros_like": 0.0, "ones_like": 1.0, "new_zeros": 0.0, "new_ones": 1.0}
_FILLED = frozenset(["full_like", "new_full"])
# Elements of one result, and of all; multiplications of all products.
_MAX_ELEMENTS = 1 << 25
_MAX_COMPUTED = 1 << 27
_MAX_WORK = 1 << 33


class Constants(dict[str, Constant]):
    """The constants of a program, and what is computed on them, by name."""

    def __init__(self, known: Mapping[str, Constant]) -> None:
        super().__init__(known)
        # New tensors that nothing has read: a call in place changes them and nothing else.
        self._fresh: set[str] = set()
        self._computed = 0
        self._work = 0

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
        self._spend(call, results)
        self.update(
            (n, Constant(found.name, t)) for n, t in zip(call.results, results, strict=False) if n
        )
        if name.endswith("_") and isinstance(first, Ref):
            self[first.name] = self[call.results[0]]
        if name in _FACTORIES or name in _LIKE or name in _FILLED:
            self._fresh.add(call.results[0])
        return True

    def _spend(self, call: Call, results: Sequence[torch.Tensor]) -> None:
        """Refuse a program that computes without end; each of its calls may be a small one."""
        elements = sum(tensor.numel() for tensor in results)
        self._computed += elements
        if short(call.target) in _PRODUCTS:
            first = next(name for arg in call.args.values() for name in references(arg))
            self._work += elements * self[first].tensor.shape[-1]
        if self._computed > _MAX_COMPUTED or self._work > _MAX_WORK:
            raise FrontendError(
                f"{where(call.path)}: {short(call.target)}: constants take too long to compute; "
                "store the final values in the model"
            )


def is_constant(call: Call, constants: Mapping[str, Constant]) -> bool:
    """Tell whether ``call`` may be computed on ``constants`` right away."""
    name = short(call.target)
    if not call.target.startswith("aten.") or call.target.endswith("out"):
        return False
    if name in _LIKE or name in _FILLED:
        return isinstance(call.args.get("fill_value", 0), bool | int | float)
    # Sizes of results are known, also where they follow from the size of the batch.
    read = {key: arg for key, arg in call.args.items() if key != "size"}
    names = [n for arg in read.values() for n in references(arg)]
    return all(n in constants for n in names) and name in (_PURE if names else _FACTORIES)


def constant_calls(program: Program) -> int:
    """Return how many calls of a program depend on its constants alone; none is computed."""
    known, count = dict(program.constants), 0
    for call in program.calls:
        if is_constant(call, known):
            count += 1
            known |= {name: Constant(name, torch.empty(0)) for name in call.results if name}
    return count


def fold(call: Call, constants: Mapping[str, Constant]) -> Constant:
    """Return the result of a pure call on constants.

    Raises:
        FrontendError: PyTorch cannot compute it.
    """
    op = overload(call.target)
    positional: list[Any] = []
    keywords: dict[str, Any] = {}
    names: list[str] = []
    args = dict(call.args)
    if references(args.get("size")):
        args["size"] = call.shapes[0]
    try:
        if short(call.target) in _LIKE or short(call.target) in _FILLED:
            return Constant(short(call.target), _filled(call))
        for argument in op._schema.arguments:  # type: ignore[union-attr]
            value = _bound(args.get(argument.name), constants, names)
            if argument.kwarg_only:
                keywords[argument.name] = value
            else:
                positional.append(value)
        # A rounded tensor is as large as its operand, and PyTorch cannot tell its size alone.
        asked = not short(call.target).startswith("fake_quantize_")
        elements = _elements(op, positional, keywords) if asked else 0
        if elements > _MAX_ELEMENTS:
            raise MemoryError(f"more than {_MAX_ELEMENTS} elements")
        if short(call.target) in _PRODUCTS and elements * positional[0].shape[-1] > _MAX_WORK:
            raise MemoryError(f"more than {_MAX_WORK} multiplications")
        with torch.no_grad():
            result = op(*positional, **keywords)  # type: ignore[misc]
    except Exception as error:
        raise FrontendError(
            f"{where(call.path)}: {short(call.target)} cannot be computed on constants: "
            f"{reason(error)}; store the final values in the model"
        ) from None
    return Constant(names[0] if names else short(call.target), result)


def _filled(call: Call) -> torch.Tensor:
    """Return equal numbers in the shape of the result; they take the memory of one."""
    value = _LIKE.get(short(call.target), call.args.get("fill_value"))
    return torch.tensor(value, dtype=torch.float64).expand(call.shapes[0])


def _elements(op: Any, positional: list[Any], keywords: dict[str, Any]) -> int:
    """Return the size of what a call would make, without making it."""
    if "device" in keywords:
        keywords = {**keywords, "device": "meta"}
    with torch.no_grad():
        made = op(*map(_meta, positional), **keywords)
    return sum(t.numel() for t in (made if isinstance(made, list | tuple) else [made]))


def _meta(value: Any) -> Any:
    if isinstance(value, list):
        return [_meta(v) for v in value]
    return value.to("meta") if isinstance(value, torch.Tensor) else value


def _bound(arg: Arg, constants: Mapping[str, Constant], names: list[str]) -> Any:
    if isinstance(arg, Ref):
        names.append(constants[arg.name].name)
        return constants[arg.name].tensor
    if isinstance(arg, tuple):
        return [_bound(a, constants, names) for a in arg]
    if isinstance(arg, str) and arg.startswith("torch."):
        return getattr(torch, arg.removeprefix("torch."))
    return arg
