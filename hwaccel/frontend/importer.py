"""``Importer``: walk a ``Program`` call by call and build the ``FloatGraph``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from hwaccel.errors import FrontendError, HwaccelError
from hwaccel.frontend.advice import advice
from hwaccel.frontend.bare import MISREAD, Bare
from hwaccel.frontend.floatgraph import (
    FloatGraph,
    FloatNode,
    FloatOp,
    Floats,
    FloatValue,
    Reshape,
)
from hwaccel.frontend.fold import Constants
from hwaccel.frontend.program import (
    Arg,
    Call,
    Program,
    Ref,
    Turned,
    as_image,
    check_output,
    finite,
    frame_shape,
    identifier,
    is_number,
    is_turned,
    live,
    reason,
    short,
    shown,
    where,
)
from hwaccel.ir import unique_name

# A result is a value, or one whose batch is not in front; a handler returns it, or several.
Result = str | Turned
Handler = Callable[["Importer", Call], Result | tuple[Result, ...]]


class Importer:
    """What handlers use: operands, constants, refusals, and ``add``.

    In-place calls rebind every name of the tensor they write. Views of it (other shapes of the
    same memory) cannot be followed and become unreadable.
    """

    def __init__(self, program: Program) -> None:
        if not program.inputs:
            raise FrontendError(f"{shown(program.name)}: takes no input; a design needs one")
        self._program = program
        self.batch = next(iter(program.inputs[0].shape), 0)
        self._shapes: dict[str, tuple[int, ...]] = {}
        self._values: dict[str, str] = {}
        self._turned: dict[str, Turned] = {}
        # The value of which another is a reshape, and the one whose memory it shares, with the
        # places of its elements there; None where these are all in their order.
        self._reshaped: dict[str, str] = {}
        self._roots: dict[str, tuple[str, NDArray[np.int64] | None]] = {}
        # Copies and what they are copies of: names apart for in-place calls, no nodes.
        self._copies: dict[str, str] = {}
        self._notes: dict[str, tuple[str, ...]] = {}
        # What names that cannot be read stand for, and the way out.
        self._unreadable: dict[str, str] = {}
        self.constants = Constants(program.constants)
        self._bare = Bare(self.constants)
        # Tensors of which the batch is part of an axis, known to ``batch`` only.
        self.scattered: dict[str, Any] = {}
        self._inputs: list[FloatValue] = []
        self._nodes: list[FloatNode] = []
        for placeholder in program.inputs:
            unique = unique_name(identifier(placeholder.name), self._shapes)
            inner = frame_shape(placeholder.name, placeholder.shape, self.batch)
            self._inputs.append(FloatValue(unique, inner))
            self._values[placeholder.name] = unique
            self._shapes[unique] = inner

    # --- operands ---------------------------------------------------------------------------

    def refuse(self, call: Call, reason: str) -> FrontendError:
        """Return the error for ``call``; ``reason`` ends with the way out."""
        return FrontendError(f"{where(call.path)}: {short(call.target)}: {reason}")

    def is_constant(self, call: Call, name: str) -> bool:
        """Tell whether argument ``name`` is a number, a parameter, or computed from these."""
        arg = call.args.get(name)
        return is_number(arg) or (isinstance(arg, Ref) and arg.name in self.constants)

    def value(self, call: Call, name: str) -> str:
        """Return the float value that argument ``name`` is."""
        return self._value(call, name, call.args.get(name))

    def values(self, call: Call, name: str) -> tuple[str, ...]:
        """Return the float values that argument ``name``, a list of tensors, holds."""
        args = call.args.get(name)
        return tuple(self._value(call, name, a) for a in args) if isinstance(args, tuple) else ()

    def _value(self, call: Call, name: str, arg: Arg) -> str:
        if isinstance(arg, Ref) and arg.name in self.scattered:
            raise self.scattered[arg.name].refusal
        if isinstance(arg, Ref) and arg.name in self._unreadable:
            raise self.refuse(call, f"reads {self._unreadable[arg.name]}")
        if isinstance(arg, Ref) and arg.name in self._values:
            return self._values[arg.name]
        turned = self.turned(arg)
        if turned is not None:
            raise self.refuse(call, f"operand {name!r} {is_turned(turned)}")
        raise self.refuse(
            call,
            f"operand {name!r} must depend on the model's input, found {self._kind_of(arg)}; "
            "compute it outside the model",
        )

    def first(self, call: Call) -> str:
        """Return the float value that the first argument is."""
        return self.value(call, next(iter(call.args)))

    def turned(self, arg: Arg) -> Turned | None:
        """Return what ``arg`` is when its batch is not in front."""
        return self._turned.get(arg.name) if isinstance(arg, Ref) else None

    def ref(self, value: str) -> Ref:
        """Return a reference to a value, to hand to another handler."""
        self._values[f"<{value}>"] = value
        return Ref(f"<{value}>")

    def _kind_of(self, arg: Arg) -> str:
        if isinstance(arg, Ref):
            known = self.constants.get(arg.name)
            return f"the constant {shown(known.name)}" if known else f"{shown(arg.name)}"
        return repr(arg)

    def constant(self, call: Call, name: str) -> Floats:
        """Return argument ``name`` as a float64 array; refuse values and non-finite numbers."""
        arg = call.args.get(name)
        known = self.constants.get(arg.name) if isinstance(arg, Ref) else None
        if known is None:
            raise self.refuse(
                call,
                f"operand {name!r} must be a parameter or a constant, found "
                f"{self._kind_of(arg)}; products of two computed values are not supported",
            )
        return finite(call, known)

    def vector(self, call: Call, name: str, size: int, default: float) -> Floats:
        """Return argument ``name`` as an array of ``size``; ``default`` where it is ``None``."""
        if call.args.get(name) is None:
            return np.full(size, default)
        array = self.constant(call, name)
        if array.shape != (size,):
            raise self.refuse(
                call, f"{name} has shape {array.shape}, expected ({size},); repair the model"
            )
        return array

    def spread_constant(self, call: Call, name: str, operand: str) -> Floats:
        """Return argument ``name``, a number or a constant, with the axes of ``operand``.

        They leave out the batch; each has the length of the call's result or 1. ``operand`` names
        the argument it is combined with.
        """
        rank = len(self.shape(self.value(call, operand)))
        arg = call.args.get(name)
        array = np.array(arg, np.float64) if is_number(arg) else self.constant(call, name)
        if not np.isfinite(array).all():
            raise self.refuse(call, f"operand {name!r} is {arg}; use a finite number")
        if array.ndim == rank + 1 and (array == array[:1]).all():
            array = array[:1]  # made for the batch, but for all frames alike
        shape = (1,) * (rank + 1 - array.ndim) + array.shape
        if len(shape) != rank + 1 or shape[0] != 1:
            raise self.refuse(
                call,
                f"a constant of shape {array.shape} differs from frame to frame; give it the same "
                "number of axes as the operand, the first of length 1",
            )
        return array.reshape(shape[1:])

    def shape(self, value: str) -> tuple[int, ...]:
        """Return the shape of a float value without the batch axis."""
        return self._shapes[value]

    # --- results ----------------------------------------------------------------------------

    def add(
        self,
        call: Call,
        op: FloatOp,
        *inputs: str,
        shape: tuple[int, ...] | None = None,
        guard: int = 0,
        group: str = "",
    ) -> str:
        """Add a node and return its value; ``shape`` where it is not that of the call's result.

        ``guard`` counts the bits that a rounded result has beyond ``activation_bits``; nodes of
        one ``group`` get one format.
        """
        shape = self.inner(call) if shape is None else shape
        name = unique_name(identifier(f"{call.path}_{op.kind}"), self._shapes)
        operands = tuple(self._original(value) for value in inputs)
        output = FloatValue(name, shape)
        self._nodes.append(FloatNode(output, op, operands, call.path, guard, group))
        self._shapes[name] = shape
        return name

    def reshape(self, call: Call, value: str, shape: tuple[int, ...]) -> str:
        """Return ``value`` in another shape; the same value where nothing changes."""
        source = self._reshaped.get(value, value)
        if shape in (self._shapes[value], self._shapes[source]):
            return value if shape == self._shapes[value] else source
        result = self.add(call, Reshape(shape), source, shape=shape)
        self._reshaped[result] = source
        self._roots[result] = self.view_of(source)
        return result

    def share(self, value: str, source: str, places: NDArray[np.int64]) -> None:
        """Note that ``value`` shares memory with ``source``: the elements at ``places`` there."""
        root, inner = self.view_of(source)
        self._roots[value] = root, places if inner is None else inner[places]

    def view_of(self, value: str) -> tuple[str, NDArray[np.int64] | None]:
        """Return the value of whose memory ``value`` is a view, and the places there."""
        return self._roots.get(value, (value, None))

    def tensor(self, call: Call, name: str, ref: Ref) -> torch.Tensor:
        """Return the constant tensor ``ref`` in argument ``name``, such as an index."""
        known = self.constants.get(ref.name)
        if known is None:
            raise self.refuse(
                call, f"{name} depends on the model's input; use indices that are constants"
            )
        return known.tensor.detach().cpu()

    def note(self, value: str, parts: tuple[str, ...]) -> None:
        """Remember what ``value`` was made of, for handlers that can use its parts."""
        self._notes[value] = parts

    def noted(self, value: str) -> tuple[str, ...]:
        """Return what ``note`` was told about ``value``."""
        return self._notes.get(self._original(value), ())

    def made_by(self, value: str) -> FloatNode | None:
        """Return the node whose result ``value`` is; ``None`` for an input."""
        name = self._original(value)
        return next((node for node in reversed(self._nodes) if node.name == name), None)

    def copy(self, call: Call, value: str) -> str:
        """Return a value equal to ``value`` that in-place calls change apart from it."""
        name = unique_name(identifier(f"{call.path}_copy"), self._shapes)
        self._copies[name] = value
        self._shapes[name] = self._shapes[value]
        return name

    # --- images: a sequence (C, L) is computed as an image (C, 1, L) -------------------------

    def image(self, call: Call, value: str) -> str:
        """Return ``value`` as an image."""
        shape = self._shapes[value]
        if not 2 <= len(shape) <= 3:
            raise self.refuse(
                call,
                f"takes images (N, C, H, W) or sequences (N, C, L), found an operand of shape "
                f"{shape} without the batch axis; reshape it first",
            )
        return self.reshape(call, value, as_image(shape))

    def result_image(self, call: Call) -> tuple[int, int, int]:
        """Return the shape of the call's result as an image."""
        return as_image(self.inner(call))

    def add_image(self, call: Call, op: FloatOp, value: str) -> str:
        """Add a node on images and return its result in the shape of the call's."""
        result = self.add(call, op, value, shape=self.result_image(call))
        return self.reshape(call, result, self.inner(call))

    def sizes(self, call: Call, name: str, first: int) -> tuple[int, int]:
        """Return a size argument as height and width; ``first`` is the height of a sequence."""
        values = call.integers(name)
        if len(call.shapes[0]) == 3:
            return first, values[-1]
        return values[0], values[-1]

    def inner(self, call: Call, place: int = 0) -> tuple[int, ...]:
        """Return the shape of a result of the call without the batch axis.

        One number per frame, which has no other axis, is a vector of one element here.
        """
        shape = call.shapes[place]
        if not shape or shape[0] != self.batch:
            raise self.refuse(
                call,
                f"turns {self.batch} frames into shape {shape}, so it touches the batch axis; "
                "keep the first axis as it is, for example with torch.flatten(x, 1)",
            )
        if 0 in shape:
            raise self.refuse(
                call,
                f"the result has shape {shape[1:]} besides the batch, which holds no element; keep "
                "at least one, for example with x[:, 0:1]",
            )
        return shape[1:] or (1,)

    def _original(self, value: str) -> str:
        while value in self._copies:
            value = self._copies[value]
        return value

    # --- the walk ---------------------------------------------------------------------------

    def run(self, handlers: dict[str, Handler]) -> FloatGraph:
        """Import every call and return the graph, whatever the outputs need of it."""
        for call in live(self._program):
            self._call(call, handlers)
        outputs = tuple(self._output(name) for name in self._program.outputs)
        if not outputs:
            raise FrontendError("the model returns no tensor; return at least one")
        program = self._program
        name = identifier(program.name)
        return FloatGraph(name, tuple(self._inputs), tuple(self._nodes), outputs, program.modules)

    def _call(self, call: Call, handlers: dict[str, Handler]) -> None:
        if self.constants.take(call):
            return
        in_place = short(call.target).endswith("_")
        if in_place and self.is_constant(call, next(iter(call.args), "")):
            changed = self._kind_of(next(iter(call.args.values())))
            raise self.refuse(call, f"changes {changed} in place; keep no state between frames")
        handler = handlers.get(call.target)
        if handler is None:
            raise self.refuse(call, advice(short(call.target)))
        if self._bare.misread(call):
            raise self.refuse(call, MISREAD)
        try:
            result = handler(self, call)
        except HwaccelError:
            raise
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:
            # Only a program from a file can hold arguments that PyTorch itself would refuse.
            raise self.refuse(
                call, f"arguments do not fit together ({reason(error)}); export the model again"
            ) from None
        self._bare.note(call)
        if isinstance(result, tuple):
            for name, value in zip(call.results, result, strict=True):
                self.bind(name, value)
            return
        self.bind(call.results[0], result)
        for name in filter(None, call.results[1:]):
            self._unreadable[name] = (
                f"a further result of {short(call.target)}, of which only the first is supported; "
                "leave the others out"
            )

    def bound(self) -> dict[str, Result]:
        """Return what names of the program stand for."""
        return {**self._values, **self._turned}

    def bind(self, name: str, result: Result) -> None:
        """Let ``name`` stand for ``result``."""
        if isinstance(result, Turned):
            self._turned[name] = result
        elif name and result:
            self._values[name] = result

    def _output(self, name: str) -> str:
        if name in self.scattered:
            raise self.scattered[name].refusal
        if name in self._unreadable:
            raise FrontendError(f"output {shown(name)} is {self._unreadable[name]}")
        if name in self._turned:
            raise FrontendError(f"output {shown(name)} {is_turned(self._turned[name])}")
        if name not in self._values:
            raise FrontendError(
                f"output {shown(name)} does not depend on the model's input; return computed values"
            )
        value = self._original(self._values[name])
        check_output(name, len(self._shapes[value]))
        if any(value == v.name for v in self._inputs):
            raise FrontendError(
                f"output {shown(name)} is an input of the model, unchanged; leave it out"
            )
        return value
