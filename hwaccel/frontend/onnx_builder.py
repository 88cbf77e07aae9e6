"""``Builder``: a program made from the nodes of an ONNX file; names, shapes, constants.

Shapes come from PyTorch itself: every call runs on tensors without memory (the ``meta`` device).
What depends on constants only is computed at once, so shapes that a model computes are numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import prod
from typing import Any

import torch

from hwaccel.errors import FrontendError
from hwaccel.frontend.export import module_prefixes
from hwaccel.frontend.fold import Constants, is_constant
from hwaccel.frontend.onnx_file import AGAIN, OnnxModel, OnnxNode
from hwaccel.frontend.program import (
    Arg,
    Call,
    Constant,
    Placeholder,
    Program,
    Ref,
    overload,
    reason,
    references,
    short,
    shown,
)

# Elements of one tensor, and of all that are computed; multiplications that constants may take,
# where an element counts as many as it takes to move one.
_MAX_ELEMENTS = 1 << 25
_MAX_COMPUTED = 1 << 28
_MAX_WORK = 1 << 31
_PER_ELEMENT = 32
_PRODUCTS = frozenset(["matmul", "mm", "bmm"])
# Calls that only look at their operand in another way.
_FREE = frozenset(["alias", "expand", "permute", "reshape", "select", "squeeze", "t", "unsqueeze"])
_ORDINALS = ("first", "second", "third")


class Builder:
    """A program that grows node by node."""

    def __init__(self, model: OnnxModel) -> None:
        self.model = model
        self.constants = Constants({n: Constant(n, t.tensor) for n, t in model.tensors.items()})
        # Element types of constants that torch holds as another one.
        self.kinds = {name: tensor.kind for name, tensor in model.tensors.items()}
        # What integers stand for: the quantized value, its scale and zero point.
        self.quantized: dict[Ref, tuple[Ref, torch.Tensor, torch.Tensor]] = {}
        self._names = {name: Ref(name) for name in (*model.tensors, *model.inputs)}
        self._closed: dict[str, str] = {}
        outputs = [name for node in model.nodes for name in node.outputs if name]
        self._later = set(outputs)
        self._taken = {*self._names, *outputs}
        self._number = 0
        self._spent = 0
        self._computed = 0
        self._meta: dict[str, torch.Tensor] = {
            name: torch.empty(shape, dtype=dtype, device="meta")
            for name, (shape, dtype) in model.inputs.items()
        }
        self._calls: list[Call] = []

    # --- names ------------------------------------------------------------------------------

    def find(self, node: OnnxNode, name: str) -> Ref:
        """Return what ``name`` stands for where ``node`` reads it."""
        if name in self._closed:
            raise FrontendError(f"{node.label}: reads {self._closed[name]}")
        if name not in self._names:
            why = "is computed behind it; sort the graph" if name in self._later else f"is {_LOST}"
            raise FrontendError(f"{node.label}: reads {shown(name)!r}, which {why}")
        return self._names[name]

    def bind(self, node: OnnxNode, results: Sequence[Ref]) -> None:
        """Let the outputs of ``node`` stand for ``results``; further ones cannot be read."""
        for place, name in enumerate(node.outputs):
            if not name:
                continue
            if name in self._names or name in self._closed:
                raise FrontendError(
                    f"{node.label}: names its output {shown(name)!r}, a name that is taken; {AGAIN}"
                )
            if place < len(results):
                self._names[name] = results[place]
            else:
                number = _ORDINALS[place] if place < len(_ORDINALS) else "further"
                self._closed[name] = (
                    f"the {number} output of {node.label}, which is not supported; leave it out"
                )

    def fresh(self) -> str:
        """Return a name that the file has not."""
        self._number += 1
        while f"t{self._number}" in self._taken:
            self._number += 1
        return f"t{self._number}"

    def meta(self, ref: Ref) -> torch.Tensor:
        """Return a value without memory."""
        known = self.constants.get(ref.name)
        return self._meta[ref.name] if known is None else known.tensor.to("meta")

    # --- calls ------------------------------------------------------------------------------

    def call(self, node: OnnxNode, target: str, args: Mapping[str, Arg]) -> tuple[Ref, ...]:
        """Add a call, or compute it where it depends on constants only."""
        op = overload(target)
        assert op is not None, target
        every = {a.name: _default(a.default_value) for a in op._schema.arguments} | dict(args)
        found = self._shaped(node, op, every)
        return self.add(node, target, every, found if isinstance(found, list | tuple) else [found])

    def add(
        self, node: OnnxNode, target: str, args: Mapping[str, Arg], like: Sequence[torch.Tensor]
    ) -> tuple[Ref, ...]:
        """Add a call whose results have the shapes and types of ``like``."""
        if sum(t.numel() for t in like) > _MAX_ELEMENTS:
            raise FrontendError(
                f"{node.label}: gives more than {_MAX_ELEMENTS} elements; make the tensor smaller"
            )
        names = tuple(self.fresh() for _ in like)
        shapes = tuple(tuple(t.shape) for t in like)
        call = Call(target, args, names, shapes, node.path)
        if is_constant(call, self.constants):
            self.spend(node, self._work(call))
            self.constants.take(call)
        else:
            self._computed += sum(map(prod, shapes))
            if self._computed > _MAX_COMPUTED:
                raise FrontendError(
                    f"{node.label}: brings the elements of all results beyond {_MAX_COMPUTED}; "
                    "make the model smaller"
                )
            self._meta.update(zip(names, like, strict=True))
            self._calls.append(call)
        return tuple(map(Ref, names))

    def _shaped(self, node: OnnxNode, op: Any, args: Mapping[str, Arg]) -> Any:
        positional, keywords = [], {}
        for argument in op._schema.arguments:
            value = self._without_memory(args.get(argument.name))
            if argument.kwarg_only:
                keywords[argument.name] = value
            else:
                positional.append(value)
        try:
            with torch.no_grad():
                return op(*positional, **keywords)
        except Exception as error:  # whatever a file can make of the arguments
            raise FrontendError(
                f"{node.label}: operands and attributes do not fit together ({reason(error)}); "
                f"{AGAIN}"
            ) from None

    def _without_memory(self, arg: Arg) -> Any:
        if isinstance(arg, Ref):
            return self.meta(arg)
        if isinstance(arg, tuple):
            return [self._without_memory(a) for a in arg]
        if isinstance(arg, str) and arg.startswith("torch."):
            return getattr(torch, arg.removeprefix("torch."))
        return arg

    def _work(self, call: Call) -> int:
        if short(call.target) in _FREE:
            return 0
        operands = [self.meta(Ref(n)) for arg in call.args.values() for n in references(arg)]
        work: int = _PER_ELEMENT * (sum(map(prod, call.shapes)) + sum(t.numel() for t in operands))
        if short(call.target) in _PRODUCTS:
            work += prod(call.shapes[0]) * operands[0].shape[-1]
        return work

    def spend(self, node: OnnxNode, work: int) -> None:
        """Refuse constants that take long to compute; ``work`` counts multiplications."""
        self._spent += work
        if self._spent > _MAX_WORK:
            raise FrontendError(
                f"{node.label}: takes too long to compute on constants; store the final values in "
                "the model"
            )

    # --- the result -------------------------------------------------------------------------

    def program(self, name: str) -> Program:
        """Return the program, with the outputs under their own names."""
        end = OnnxNode("", "", (), (), {}, "", "the outputs")
        found = [self.find(end, output) for output in self.model.outputs]
        rename: dict[str, str] = {}
        for ref, output in zip(found, self.model.outputs, strict=True):
            if ref.name in self._meta and ref.name not in self.model.inputs:
                rename.setdefault(ref.name, output)
        calls = tuple(_renamed(call, rename) for call in self._calls)
        used = {n for call in calls for arg in call.args.values() for n in references(arg)}
        constants = {n: c for n, c in self.constants.items() if n in used}
        inputs = tuple(Placeholder(n, shape) for n, (shape, _) in self.model.inputs.items())
        outputs = tuple(rename.get(ref.name, ref.name) for ref in found)
        modules = module_prefixes(call.path for call in calls)
        return Program(name, inputs, constants, calls, outputs, modules)


_LOST = f"no input, no tensor and no output of a node; {AGAIN}"


def _default(value: Any) -> Arg:
    if isinstance(value, list):
        return tuple(value)
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def _renamed(call: Call, rename: Mapping[str, str]) -> Call:
    def arg(a: Arg) -> Arg:
        if isinstance(a, Ref):
            return Ref(rename.get(a.name, a.name))
        return tuple(map(arg, a)) if isinstance(a, tuple) else a

    args = {key: arg(a) for key, a in call.args.items()}
    return replace(call, args=args, results=tuple(rename.get(n, n) for n in call.results))
