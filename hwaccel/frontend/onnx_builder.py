"""What turns nodes of an ONNX file into ATen calls: names, shapes, folding, refusals.

Shapes come from PyTorch itself: every call runs on tensors without memory (the ``meta`` device).
What depends on constants only is computed at once, so shapes that a model computes are numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from math import prod
from typing import Any, TypeAlias

import torch

from hwaccel.errors import FrontendError
from hwaccel.frontend.export import module_prefixes
from hwaccel.frontend.fold import Constants, is_constant
from hwaccel.frontend.onnx_file import AGAIN, Attribute, OnnxModel, OnnxNode, Stored
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

# Elements of one tensor, and multiplications or eighths of elements that constants may take.
_MAX_ELEMENTS = 1 << 26
_MAX_WORK = 1 << 31
_PRODUCTS = frozenset(["matmul", "mm", "bmm"])
_ORDINALS = ("first", "second", "third")
# Attributes that say nothing about the result: of training, of memory, of precision.
_IDLE = frozenset(["momentum", "stash_type", "storage_order", "saturate", "cubic_coeff_a"])

Result: TypeAlias = "Ref | tuple[Ref, ...]"
Convert = Callable[["Step"], Result]


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

    def call(
        self, node: OnnxNode, target: str, args: Mapping[str, Arg], like: Ref | None
    ) -> tuple[Ref, ...]:
        """Add a call, or compute it where it depends on constants only.

        ``like`` has the shape and type of the result, for calls that ``meta`` does not know.
        """
        op = overload(target)
        assert op is not None, target
        every = {a.name: _default(a.default_value) for a in op._schema.arguments} | dict(args)
        found = self.meta(like) if like else self._shaped(node, op, every)
        tensors = list(found) if isinstance(found, list | tuple) else [found]
        if sum(t.numel() for t in tensors) > _MAX_ELEMENTS:
            raise FrontendError(
                f"{node.label}: gives more than {_MAX_ELEMENTS} elements; make the tensor smaller"
            )
        names = tuple(self.fresh() for _ in tensors)
        shapes = tuple(tuple(t.shape) for t in tensors)
        call = Call(target, every, names, shapes, node.path)
        if is_constant(call, self.constants):
            self._spend(node, call)
            self.constants.take(call)
        else:
            self._meta.update(zip(names, tensors, strict=True))
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

    def _spend(self, node: OnnxNode, call: Call) -> None:
        """Refuse constants that take long to compute."""
        operands = [self.meta(Ref(n)) for arg in call.args.values() for n in references(arg)]
        work = 8 * (sum(map(prod, call.shapes)) + sum(t.numel() for t in operands))
        if short(call.target) in _PRODUCTS:
            work += prod(call.shapes[0]) * operands[0].shape[-1]
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


class Step:
    """One node, as what converts it sees it: operands, attributes, calls, refusals."""

    def __init__(self, builder: Builder, node: OnnxNode) -> None:
        self.builder = builder
        self.node = node
        self.version = builder.model.opsets.get(node.domain, 1)
        self._read: set[str] = set()
        self._used: set[int] = set()

    def refuse(self, text: str) -> FrontendError:
        """Return the error for the node; ``text`` ends with the way out."""
        return FrontendError(f"{self.node.label}: {text}")

    def finish(self, result: Result) -> None:
        """Bind the outputs; refuse what nothing has looked at, for it may change the result."""
        for name in self.node.attributes:
            if name not in self._read and name not in _IDLE:
                raise self.refuse(f"attribute {shown(name)} is not supported; leave it out")
        for place, name in enumerate(self.node.inputs):
            if name and place not in self._used:
                raise self.refuse(f"input {shown(name)!r} is not supported; leave it out")
        self.builder.bind(self.node, result if isinstance(result, tuple) else (result,))

    # --- operands ---------------------------------------------------------------------------

    @property
    def count(self) -> int:
        """How many inputs there are, absent ones among them."""
        return len(self.node.inputs)

    def has(self, place: int) -> bool:
        """Tell whether input ``place`` is given."""
        return place < self.count and bool(self.node.inputs[place])

    def input(self, place: int) -> Ref:
        """Return input ``place``, which must be given."""
        if not self.has(place):
            raise self.refuse(f"has no input {place}; {AGAIN}")
        self._used.add(place)
        return self.builder.find(self.node, self.node.inputs[place])

    def optional(self, place: int) -> Ref | None:
        """Return input ``place``, or ``None`` where it is absent."""
        return self.input(place) if self.has(place) else None

    def inputs(self) -> tuple[Ref, ...]:
        """Return all inputs, at least one."""
        return tuple(self.input(place) for place in range(max(1, self.count)))

    def shape(self, ref: Ref) -> tuple[int, ...]:
        """Return the shape of a value or constant, with the batch."""
        return tuple(self.builder.meta(ref).shape)

    def rank(self, ref: Ref) -> int:
        """Return the number of axes."""
        return len(self.shape(ref))

    def whole(self, ref: Ref) -> bool:
        """Tell whether elements are integers."""
        found = self.builder.meta(ref).dtype
        return not found.is_floating_point and found is not torch.bool

    def known(self, ref: Ref) -> torch.Tensor | None:
        """Return a constant; ``None`` for what depends on the model's input."""
        found = self.builder.constants.get(ref.name)
        return None if found is None else found.tensor

    def tensor(self, place: int) -> torch.Tensor:
        """Return input ``place``, which must be a constant."""
        found = self.known(self.input(place))
        if found is None:
            raise self.refuse(
                f"input {shown(self.node.inputs[place])!r} depends on the model's input; use a "
                "constant"
            )
        return found

    def kind(self, place: int) -> str:
        """Return the element type of input ``place`` in the file."""
        ref = self.input(place)
        held = str(self.builder.meta(ref).dtype).removeprefix("torch.")
        return self.builder.kinds.get(ref.name, held)

    def number(self, place: int) -> float:
        """Return input ``place``, a constant of one element."""
        found = self.tensor(place)
        if found.numel() != 1:
            raise self.refuse(
                f"input {shown(self.node.inputs[place])!r} has {found.numel()} elements, "
                f"expected 1; {AGAIN}"
            )
        value: float = found.reshape(()).item()
        return value

    def integers(self, place: int) -> tuple[int, ...]:
        """Return input ``place``, a short constant of integers."""
        found = self.tensor(place)
        if found.is_floating_point() or found.dim() > 1 or found.numel() > 64:
            raise self.refuse(
                f"input {shown(self.node.inputs[place])!r} has shape {tuple(found.shape)}, "
                f"expected a few integers; {AGAIN}"
            )
        return tuple(int(v) for v in found.reshape(-1).tolist())

    # --- attributes -------------------------------------------------------------------------

    def attribute(self, name: str) -> Attribute:
        """Return attribute ``name``, or ``None``."""
        self._read.add(name)
        return self.node.attributes.get(name)

    def given(self, name: str) -> bool:
        """Tell whether there is an attribute ``name``."""
        return name in self.node.attributes

    def _typed(self, name: str, default: Any, types: Any, expected: str) -> Any:
        value = self.attribute(name)
        if not self.given(name):
            if default is None:
                raise self.refuse(f"lacks the attribute {name}; {AGAIN}")
            return default
        if not isinstance(value, types):
            raise self.refuse(f"attribute {shown(name)} is no {expected}; {AGAIN}")
        return value

    def integer(self, name: str, default: int | None) -> int:
        """Return an integer attribute; without a default there must be one."""
        value: int = self._typed(name, default, int, "integer")
        return value

    def real(self, name: str, default: float | None) -> float:
        """Return a number."""
        value: float = self._typed(name, default, float, "float")
        return value

    def text(self, name: str, default: str | None) -> str:
        """Return a string."""
        value: str = self._typed(name, default, str, "string")
        return value

    def sizes(self, name: str, default: Sequence[int] | None) -> tuple[int, ...]:
        """Return a list of integers."""
        given = None if default is None else tuple(default)
        values = self._typed(name, given, tuple, "list of integers")
        if len(values) > 64 or not all(isinstance(v, int) for v in values):
            raise self.refuse(f"attribute {shown(name)} is no short list of integers; {AGAIN}")
        return tuple(values)

    def stored(self, name: str) -> Stored:
        """Return a tensor."""
        value: Stored = self._typed(name, None, Stored, "tensor")
        return value

    # --- calls ------------------------------------------------------------------------------

    def call(self, target: str, /, **args: Arg) -> Ref:
        """Add the call ``aten.TARGET`` and return its first result."""
        return self.builder.call(self.node, f"aten.{target}", args, None)[0]

    def same(self, target: str, x: Ref, /, **args: Arg) -> Ref:
        """Add a call whose result is like its argument ``self``, which is ``x``."""
        return self.builder.call(self.node, f"aten.{target}", {"self": x, **args}, x)[0]

    def several(self, target: str, /, **args: Arg) -> tuple[Ref, ...]:
        """Add the call ``aten.TARGET`` and return all of its results."""
        return self.builder.call(self.node, f"aten.{target}", args, None)

    def constant(self, tensor: torch.Tensor, kind: str = "") -> Ref:
        """Add a constant."""
        name = self.builder.fresh()
        self.builder.constants[name] = Constant(self.node.label, tensor)
        if kind:
            self.builder.kinds[name] = kind
        return Ref(name)

    def axis(self, value: int, rank: int) -> int:
        """Return an axis counted from the front."""
        if not -rank <= value < rank:
            raise self.refuse(f"axis is {value}, expected {-rank} to {rank - 1}; {AGAIN}")
        return value % rank
