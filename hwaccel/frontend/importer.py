"""``Importer``: walk a ``Program`` call by call and build the ``FloatGraph``."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import torch

from hwaccel.errors import FrontendError
from hwaccel.frontend.floatgraph import (
    FloatGraph,
    FloatNode,
    FloatOp,
    Floats,
    FloatValue,
    Reshape,
)
from hwaccel.frontend.fold import PURE, fold
from hwaccel.frontend.program import Arg, Call, Constant, Program, Ref, shown, where

_MAX_NAME = 60
Handler = Callable[["Importer", Call], str]


def identifier(text: str) -> str:
    """Return ``text`` as ``[a-z][a-z0-9_]*``; other characters become single underscores."""
    name = re.sub(r"[^a-z0-9]+", "_", text.lower()[: 4 * _MAX_NAME])[:_MAX_NAME].strip("_")
    return name if name[:1].isalpha() else f"n_{name}".rstrip("_")


class Importer:
    """What handlers use: operands, constants, refusals, and ``add``.

    In-place calls rebind every name of the tensor they write. Views of it (other shapes of the
    same memory) cannot be followed and become unreadable.
    """

    def __init__(self, program: Program) -> None:
        self._program = program
        self._batch = program.inputs[0].shape[0] if program.inputs else 0
        self._shapes: dict[str, tuple[int, ...]] = {}
        self._values: dict[str, str] = {}
        self._roots: dict[str, str] = {}
        self._stale: dict[str, str] = {}
        self._constants = dict(program.constants)
        self._inputs: list[FloatValue] = []
        self._nodes: list[FloatNode] = []
        for placeholder in program.inputs:
            self._input(placeholder.name, placeholder.shape)

    def _input(self, name: str, shape: tuple[int, ...]) -> None:
        inner = shape[1:]
        if not shape or shape[0] != self._batch:
            raise FrontendError(
                f"input {shown(name)}: shape {shape} has another batch size than the first input"
            )
        if not 1 <= len(inner) <= 3:
            raise FrontendError(
                f"input {shown(name)}: shape {inner} without the batch axis has {len(inner)} axes, "
                "expected 1 to 3: (features,), (channels, length) or (channels, height, width)"
            )
        unique = self._unique(identifier(name))
        self._inputs.append(FloatValue(unique, inner))
        self._values[name] = unique
        self._shapes[unique] = inner

    # --- operands ---------------------------------------------------------------------------

    def refuse(self, call: Call, reason: str) -> FrontendError:
        """Return the error for ``call``; ``reason`` ends with the way out."""
        return FrontendError(f"{where(call.path)}: {short(call.target)}: {reason}")

    def is_constant(self, call: Call, name: str) -> bool:
        """Tell whether argument ``name`` is a parameter, a buffer or computed from these."""
        arg = call.args.get(name)
        return isinstance(arg, Ref) and arg.name in self._constants

    def value(self, call: Call, name: str) -> str:
        """Return the float value that argument ``name`` is."""
        arg = call.args.get(name)
        if isinstance(arg, Ref) and arg.name in self._stale:
            raise self.refuse(
                call,
                f"reads a view of a tensor that {self._stale[arg.name]} has changed in place; "
                "use the version that is not in place",
            )
        if isinstance(arg, Ref) and arg.name in self._values:
            return self._values[arg.name]
        raise self.refuse(
            call,
            f"operand {name!r} must depend on the model's input, found {self._kind_of(arg)}; "
            "compute it outside the model",
        )

    def _kind_of(self, arg: Arg) -> str:
        if isinstance(arg, Ref):
            known = self._constants.get(arg.name)
            return f"the constant {shown(known.name)}" if known else f"{shown(arg.name)}"
        return repr(arg)

    def constant(self, call: Call, name: str) -> Floats:
        """Return argument ``name`` as a float64 array; refuse values and non-finite numbers."""
        arg = call.args.get(name)
        known = self._constants.get(arg.name) if isinstance(arg, Ref) else None
        if known is None:
            raise self.refuse(
                call,
                f"operand {name!r} must be a parameter or a constant, found "
                f"{self._kind_of(arg)}; products of two computed values are not supported",
            )
        return self._finite(call, known)

    def constant_or(self, call: Call, name: str, default: Floats) -> Floats:
        """Return argument ``name`` as an array, or ``default`` where it is ``None``."""
        return default if call.args.get(name) is None else self.constant(call, name)

    def _finite(self, call: Call, known: Constant) -> Floats:
        if known.tensor.is_complex():
            raise self.refuse(call, f"{shown(known.name)} is complex; use a real type")
        array: Floats = known.tensor.detach().to(torch.float64).cpu().numpy().copy()
        bad = ~np.isfinite(array)
        if bad.any():
            at = tuple(int(i) for i in np.argwhere(bad)[0])
            raise FrontendError(
                f"{where(call.path)}: {shown(known.name)} holds {array[at]} at index {at}; "
                "retrain or repair the weights"
            )
        return array

    def shape(self, value: str) -> tuple[int, ...]:
        """Return the shape of a float value without the batch axis."""
        return self._shapes[value]

    # --- results ----------------------------------------------------------------------------

    def add(self, call: Call, op: FloatOp, *inputs: str, shape: tuple[int, ...] = ()) -> str:
        """Add a node and return its value; ``shape`` where it is not that of the call's result."""
        shape = shape or self._inner(call)
        name = self._unique(identifier(f"{call.path}_{op.kind}"))
        self._nodes.append(FloatNode(FloatValue(name, shape), op, inputs, call.path))
        self._shapes[name] = shape
        return name

    def reshape(self, call: Call, value: str, shape: tuple[int, ...]) -> str:
        """Return ``value`` in another shape; the same value where nothing changes."""
        if shape == self._shapes[value]:
            return value
        result = self.add(call, Reshape(shape), value, shape=shape)
        self._roots[result] = self._root(value)
        return result

    def _inner(self, call: Call) -> tuple[int, ...]:
        shape = call.shapes[0]
        if not shape or shape[0] != self._batch:
            raise self.refuse(
                call,
                f"the result has shape {shape}, expected ({self._batch}, ...): it touches the "
                "batch axis; keep the first axis as it is, for example with torch.flatten(x, 1)",
            )
        if not 2 <= len(shape) <= 4:
            raise self.refuse(
                call,
                f"the result has {len(shape) - 1} axes besides the batch, expected 1 to 3; "
                "reshape to (features,), (channels, length) or (channels, height, width)",
            )
        return shape[1:]

    def result_shape(self, call: Call) -> tuple[int, ...]:
        """Return the checked shape of the call's result without the batch axis."""
        return self._inner(call)

    def _root(self, value: str) -> str:
        return self._roots.get(value, value)

    def _unique(self, name: str) -> str:
        candidate, number = name, 1
        while candidate in self._shapes:
            number += 1
            candidate = f"{name}_{number}"
        return candidate

    # --- the walk ---------------------------------------------------------------------------

    def run(self, handlers: dict[str, Handler]) -> FloatGraph:
        """Import every call and return the graph of what the outputs need."""
        for call in self._program.calls:
            self._call(call, handlers)
        outputs = tuple(self._output(name) for name in self._program.outputs)
        if not outputs:
            raise FrontendError("the model returns no tensor; return at least one")
        nodes = _needed(self._nodes, outputs)
        program = self._program
        name = identifier(program.name)
        return FloatGraph(name, tuple(self._inputs), nodes, outputs, program.modules)

    def _call(self, call: Call, handlers: dict[str, Handler]) -> None:
        refs = [name for arg in call.args.values() for name in _refs(arg)]
        if refs and all(name in self._constants for name in refs) and call.target in PURE:
            self._constants[call.results[0]] = fold(call, self._constants)
            return
        handler = handlers.get(call.target)
        if handler is None:
            raise self.refuse(call, _ADVICE.get(short(call.target), _OTHERWISE))
        result = handler(self, call)
        if call.target.split(".")[1].endswith("_"):
            self._rebind(call, result)
        self._values[call.results[0]] = result

    def _rebind(self, call: Call, result: str) -> None:
        old = self.value(call, "self")
        for name, value in self._values.items():
            if value == old:
                self._values[name] = result
            elif self._root(value) == self._root(old):
                self._stale[name] = short(call.target)

    def _output(self, name: str) -> str:
        if name not in self._values or name in self._stale:
            raise FrontendError(
                f"output {shown(name)} does not depend on the model's input; return computed values"
            )
        value = self._values[name]
        if any(value == v.name for v in self._inputs):
            raise FrontendError(
                f"output {shown(name)} is an input of the model, unchanged; leave it out"
            )
        return value


def short(target: str) -> str:
    """Return the name users know: ``conv2d`` for ``aten.conv2d.default``."""
    parts = target.split(".")
    return shown(parts[1] if len(parts) == 3 and parts[0] == "aten" else target)


def _refs(arg: Arg) -> list[str]:
    if isinstance(arg, Ref):
        return [arg.name]
    return [name for a in arg for name in _refs(a)] if isinstance(arg, tuple) else []


def _needed(nodes: list[FloatNode], outputs: tuple[str, ...]) -> tuple[FloatNode, ...]:
    wanted, kept = set(outputs), []
    for node in reversed(nodes):
        if node.name in wanted:
            wanted.update(node.inputs)
            kept.append(node)
    return tuple(reversed(kept))


_OTHERWISE = "is not supported; see docs/how-to/supported-models.md for what is"
_ADVICE: dict[str, str] = {}
