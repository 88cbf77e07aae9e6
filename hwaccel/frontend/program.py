"""``Program``: an ATen graph as plain data, from a live model or from an untrusted file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from hwaccel.errors import FrontendError

_TARGET = re.compile(r"aten\.([A-Za-z_][A-Za-z0-9_]*)\.([A-Za-z_][A-Za-z0-9_]*)")
_MAX_NAME = 80
_MAX_REASON = 200
_MAX_IDENTIFIER = 60


@dataclass(frozen=True, slots=True)
class Ref:
    """A use of a value or constant of the program."""

    name: str


Arg: TypeAlias = "Ref | bool | int | float | str | tuple[Arg, ...] | None"


@dataclass(frozen=True, slots=True)
class Constant:
    """A parameter, buffer or computed constant; ``name`` is its name in the state dict."""

    name: str
    tensor: torch.Tensor


@dataclass(frozen=True, slots=True)
class Placeholder:
    """An input of the model; ``shape`` begins with the batch axis."""

    name: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Call:
    """One ATen call.

    ``target`` is like ``aten.conv2d.default``; ``args`` holds every argument of the schema by
    name, defaults included. ``results`` and ``shapes`` have one entry per result.
    """

    target: str
    args: Mapping[str, Arg]
    results: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]
    path: str

    def number(self, name: str) -> float:
        """Return argument ``name`` as a number.

        Raises:
            FrontendError: it is none.
        """
        value = self.args.get(name)
        if not isinstance(value, int | float):
            raise FrontendError(
                f"{where(self.path)}: {short(self.target)}: {name} is {value!r}, expected a number"
            )
        return value

    def integers(self, name: str) -> tuple[int, ...]:
        """Return argument ``name``, one integer or several, as a tuple."""
        value = self.args.get(name)
        values = value if isinstance(value, tuple) else (value,)
        if not all(isinstance(v, int) for v in values):
            raise FrontendError(
                f"{where(self.path)}: {short(self.target)}: {name} is {value!r}, expected integers"
            )
        return tuple(int(v) for v in values)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Turned:
    """A value whose batch stands on another axis than the first: on ``axis``, counted with it.

    ``value`` names the value with the batch in front.
    """

    value: str
    axis: int


@dataclass(frozen=True, slots=True)
class Program:
    """A model: calls in order, on inputs and constants."""

    name: str
    inputs: tuple[Placeholder, ...]
    constants: Mapping[str, Constant]
    calls: tuple[Call, ...]
    outputs: tuple[str, ...]
    modules: tuple[str, ...]


def overload(target: str) -> Any | None:
    """Return the ATen operator called ``target``; ``None`` if there is none. Runs nothing."""
    match = _TARGET.fullmatch(target)
    packet = getattr(torch.ops.aten, match[1], None) if match else None
    found = getattr(packet, match[2], None) if match and packet is not None else None
    return found if isinstance(found, torch._ops.OpOverload) else None


def shown(text: str, limit: int = _MAX_NAME) -> str:
    """Return untrusted ``text`` fit for one line of a message."""
    line = text.encode("unicode_escape").decode("ascii") if not text.isprintable() else text
    return line if len(line) <= limit else line[: limit - 3] + "..."


def where(path: str) -> str:
    """Return how messages name the module ``path``."""
    return shown(path) if path else "the model's forward"


def short(target: str) -> str:
    """Return the name users know: ``conv2d`` for ``aten.conv2d.default``."""
    parts = target.split(".")
    return shown(parts[1] if len(parts) == 3 and parts[0] == "aten" else target)


def identifier(text: str) -> str:
    """Return ``text`` as ``[a-z][a-z0-9_]*``; other characters become single underscores."""
    name = re.sub(r"[^a-z0-9]+", "_", text.lower()[: 4 * _MAX_IDENTIFIER])[:_MAX_IDENTIFIER].strip(
        "_"
    )
    return name if name[:1].isalpha() else f"n_{name}".rstrip("_")


def finite(call: Call, known: Constant) -> NDArray[np.float64]:
    """Return a constant that ``call`` uses in float64.

    Raises:
        FrontendError: it holds numbers that are complex, infinite or NaN.
    """
    if known.tensor.is_complex():
        raise FrontendError(
            f"{where(call.path)}: {short(call.target)}: {shown(known.name)} is complex; use a real "
            "type"
        )
    array: NDArray[np.float64] = known.tensor.detach().to(torch.float64).cpu().numpy().copy()
    bad = ~np.isfinite(array)
    if bad.any():
        at = tuple(int(i) for i in np.argwhere(bad)[0])
        raise FrontendError(
            f"{where(call.path)}: {shown(known.name)} holds {array[at]} at index {at}; "
            "retrain or repair the weights"
        )
    return array


def references(arg: Arg) -> list[str]:
    """Return the names that an argument uses."""
    if isinstance(arg, Ref):
        return [arg.name]
    return [name for a in arg for name in references(a)] if isinstance(arg, tuple) else []


def live(program: Program) -> list[Call]:
    """Return the calls on which an output depends, and those that change something in place."""
    used, kept = set(program.outputs), []
    for call in reversed(program.calls):
        if short(call.target).endswith("_") or used.intersection(call.results):
            used.update(name for arg in call.args.values() for name in references(arg))
            kept.append(call)
    return kept[::-1]


def reason(error: Exception) -> str:
    """Return the first line of what an error says."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return shown(lines[0].rstrip("."), _MAX_REASON) if lines else type(error).__name__


def frame_shape(name: str, shape: tuple[int, ...], batch: int) -> tuple[int, ...]:
    """Return the shape of an input without the batch.

    Raises:
        FrontendError: it has another batch than ``batch``, or a rank that no stream has.
    """
    inner = shape[1:]
    if not shape or shape[0] != batch:
        raise FrontendError(
            f"input {shown(name)}: shape {shape} has another batch size than the first input"
        )
    if 0 in inner:
        raise FrontendError(f"input {shown(name)}: shape {shape} has an empty axis")
    if not 1 <= len(inner) <= 3:
        raise FrontendError(
            f"input {shown(name)}: shape {inner} without the batch axis has {len(inner)} axes, "
            "expected 1 to 3; make it (features,), (channels, length) or (channels, height, "
            "width)"
        )
    return inner


def is_number(arg: Arg) -> bool:
    """Tell whether an argument is a plain number."""
    return isinstance(arg, int | float)


def check_output(name: str, rank: int) -> None:
    """Refuse an output with ``rank`` axes besides the batch that no stream has.

    Raises:
        FrontendError: it has none, or more than three.
    """
    if rank == 0:
        raise FrontendError(
            f"output {shown(name)} has shape () besides the batch, which is no tensor of one "
            "element or more; keep an axis, for example with x[:, 0:1] or keepdim=True"
        )
    if rank > 3:
        raise FrontendError(
            f"output {shown(name)} has {rank} axes besides the batch, expected 1 to 3; reshape "
            "it to (features,), (channels, length) or (channels, height, width)"
        )


def is_turned(found: Turned) -> str:
    """Return what is wrong with a value whose batch is not in front, and the way out."""
    return (
        f"has the batch on axis {found.axis}, expected in front; bring it there, for example with "
        f"x.transpose(0, {found.axis}) or x[-1]"
    )


def as_image(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """Return ``(C, L)`` as ``(C, 1, L)``, and images as they are."""
    return shape[0], (1, *shape[1:])[-2], shape[-1]
