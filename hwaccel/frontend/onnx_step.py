"""``Step``: a node of an ONNX file as the function that converts it sees it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import torch

from hwaccel.errors import FrontendError
from hwaccel.frontend.onnx_builder import Builder
from hwaccel.frontend.onnx_file import AGAIN, Attribute, OnnxNode, Stored
from hwaccel.frontend.program import Arg, Constant, Ref, shown

# Attributes that say nothing about the result: of training, of memory, of precision.
_IDLE = frozenset(["momentum", "stash_type", "storage_order", "saturate", "cubic_coeff_a"])

Result: TypeAlias = "Ref | tuple[Ref, ...]"
Convert = Callable[["Step"], Result]


class Step:
    """Operands, attributes, calls and refusals of one node."""

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
        return self.builder.call(self.node, f"aten.{target}", args)[0]

    def quantize(
        self, x: Ref, tensors: Mapping[str, torch.Tensor], numbers: Mapping[str, Arg]
    ) -> Ref:
        """Add a quantizer of ``x``."""
        args = {"x": x, **{n: self.constant(t) for n, t in tensors.items()}, **numbers}
        return self.builder.add(
            self.node, "hwaccel.quantize.default", args, [self.builder.meta(x)]
        )[0]

    def several(self, target: str, /, **args: Arg) -> tuple[Ref, ...]:
        """Add the call ``aten.TARGET`` and return all of its results."""
        return self.builder.call(self.node, f"aten.{target}", args)

    def constant(self, tensor: torch.Tensor, kind: str = "", like: Ref | None = None) -> Ref:
        """Add a constant; messages call it like ``like``, from which it was made."""
        self.spend(8 * tensor.numel())
        name = self.builder.fresh()
        known = self.builder.constants.get(like.name) if like else None
        self.builder.constants[name] = Constant(known.name if known else self.node.label, tensor)
        if kind:
            self.builder.kinds[name] = kind
        return Ref(name)

    def spend(self, work: int) -> None:
        """Refuse constants that take long to compute; ``work`` counts multiplications."""
        self.builder.spend(self.node, work)

    def axis(self, value: int, rank: int) -> int:
        """Return an axis counted from the front."""
        if not -rank <= value < rank:
            raise self.refuse(f"axis is {value}, expected {-rank} to {rank - 1}; {AGAIN}")
        return value % rank
