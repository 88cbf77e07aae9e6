"""What a graph document means, in integers of any size: the oracle that shares nothing.

Written from ``docs/reference/numbers.md`` and ``docs/reference/ir.md`` and from nothing else: it
imports neither ``hwaccel`` nor NumPy, holds numbers in ``int`` and ``Fraction``, and looks every
element up by itself. It also checks what the document says of every value: shape, format, interval.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from math import floor, prod
from typing import Any

Fields = dict[str, Any]
Places = tuple[int, ...]


class Contradiction(AssertionError):
    """The document says of a value what its meaning does not bear out."""


@dataclass(frozen=True)
class Tensor:
    """Integers in C order, standing for ``integer * 2^-frac``."""

    shape: Places
    numbers: list[int]
    frac: int

    def at(self, *place: int) -> int:
        index = 0
        for i, size in zip(place, self.shape, strict=True):
            assert 0 <= i < size
            index = index * size + i
        return self.numbers[index]


def evaluate(document: str | bytes, frames: Sequence[Sequence[list[int]]]) -> list[list[list[int]]]:
    """Return, for every output and frame, the integers in C order.

    ``frames`` holds the same of every input.

    Raises:
        Contradiction: a value leaves its interval, or its shape or format is another.
    """
    graph = json.loads(document)
    count = len(frames[0])
    assert len(frames) == len(graph["inputs"])
    assert all(len(batch) == count for batch in frames)
    every = [_frame(graph, [batch[i] for batch in frames]) for i in range(count)]
    return [[outputs[o] for outputs in every] for o in range(len(graph["outputs"]))]


def _frame(graph: Fields, inputs: Sequence[list[int]]) -> list[list[int]]:
    values: dict[str, Tensor] = {}
    for value, numbers in zip(graph["inputs"], inputs, strict=True):
        tensor = Tensor(tuple(value["type"]["shape"]), list(numbers), value["type"]["frac"])
        values[value["name"]] = _checked(value["name"], tensor, value["type"])
    for node in graph["nodes"]:
        operands = [values[name] for name in node["inputs"]]
        fields = {
            name: _constant(graph, value) if name in _ARRAYS.get(node["op"], ()) else value
            for name, value in node["fields"].items()
        }
        tensor = _MEANING[node["op"]](fields, *operands)
        values[node["name"]] = _checked(node["name"], tensor, node["type"])
    return [values[name].numbers for name in graph["outputs"]]


def _checked(name: str, tensor: Tensor, type: Fields) -> Tensor:
    if tensor.shape != tuple(type["shape"]) or len(tensor.numbers) != prod(tensor.shape):
        raise Contradiction(f"{name}: shape {tensor.shape}, the document says {type['shape']}")
    if tensor.frac != type["frac"]:
        raise Contradiction(f"{name}: frac {tensor.frac}, the document says {type['frac']}")
    lo, hi = min(tensor.numbers), max(tensor.numbers)
    if lo < type["lo"] or hi > type["hi"]:
        raise Contradiction(f"{name}: {lo} to {hi} leave [{type['lo']}, {type['hi']}]")
    return tensor


def _constant(graph: Fields, digest: str) -> Tensor:
    record = graph["constants"][digest]
    return Tensor(tuple(record["shape"]), record["values"], 0)


# --- element by element --------------------------------------------------------------------------


def _add(fields: Fields, a: Tensor, b: Tensor) -> Tensor:
    x, y, frac = _aligned(fields, a, b)
    sign = -1 if fields["subtract"] else 1
    return Tensor(a.shape, [p + sign * q for p, q in zip(x, y, strict=True)], frac)


def _minmax(fields: Fields, a: Tensor, b: Tensor) -> Tensor:
    x, y, frac = _aligned(fields, a, b)
    choose = max if fields["largest"] else min
    return Tensor(a.shape, [choose(p, q) for p, q in zip(x, y, strict=True)], frac)


def _aligned(fields: Fields, a: Tensor, b: Tensor) -> tuple[list[int], list[int], int]:
    frac = a.frac + fields["a_shift"]
    if frac != b.frac + fields["b_shift"]:
        raise Contradiction(f"binary points {frac} and {b.frac + fields['b_shift']} meet")
    return (
        [i * 2 ** fields["a_shift"] for i in a.numbers],
        [i * 2 ** fields["b_shift"] for i in b.numbers],
        frac,
    )


def _multiply(fields: Fields, a: Tensor, b: Tensor) -> Tensor:
    assert a.shape == b.shape
    numbers = [p * q for p, q in zip(a.numbers, b.numbers, strict=True)]
    return Tensor(a.shape, numbers, a.frac + b.frac)


def _relu(fields: Fields, x: Tensor) -> Tensor:
    return Tensor(x.shape, [max(i, 0) for i in x.numbers], x.frac)


def _requant(fields: Fields, x: Tensor) -> Tensor:
    rounded = [
        _ROUNDED[fields["rounding"]](Fraction(i) / Fraction(2) ** fields["shift"])
        for i in x.numbers
    ]
    bend = {"saturate": _saturated, "wrap": _wrapped}[fields["overflow"]]
    numbers = [bend(i, fields["lo"], fields["hi"]) for i in rounded]
    return Tensor(x.shape, numbers, x.frac - fields["shift"])


_ROUNDED: dict[str, Callable[[Fraction], int]] = {
    "floor": floor,
    "half_up": lambda x: floor(x + Fraction(1, 2)),
    # Python rounds halves of a Fraction to the even neighbour.
    "half_even": round,
}


def _saturated(i: int, lo: int, hi: int) -> int:
    return min(max(i, lo), hi)


def _wrapped(i: int, lo: int, hi: int) -> int:
    return lo + (i - lo) % (hi - lo + 1)


def _scale(fields: Fields, x: Tensor) -> Tensor:
    mult, add = fields["mult"].numbers, fields["add"].numbers
    each = len(x.numbers) // x.shape[0]
    numbers = [i * mult[at // each] + add[at // each] for at, i in enumerate(x.numbers)]
    return Tensor(x.shape, numbers, x.frac + fields["mult_frac"])


def _table(fields: Fields, x: Tensor) -> Tensor:
    values = fields["values"]
    numbers = [values.at(i - fields["lo"]) for i in x.numbers]
    return Tensor(x.shape, numbers, fields["frac"])


# --- what moves elements -------------------------------------------------------------------------


def _concat(fields: Fields, a: Tensor, b: Tensor) -> Tensor:
    x, y, frac = _aligned(fields, a, b)
    if a.shape[1:] != b.shape[1:]:
        raise Contradiction(f"{a.shape} and {b.shape} are joined")
    return Tensor((a.shape[0] + b.shape[0], *a.shape[1:]), x + y, frac)


def _gather(fields: Fields, x: Tensor) -> Tensor:
    numbers = [fields["fill"] if i == -1 else x.numbers[i] for i in fields["source"].numbers]
    return Tensor(tuple(fields["shape"]), numbers, x.frac)


def _reshape(fields: Fields, x: Tensor) -> Tensor:
    numbers = x.numbers
    if fields["channels_last"]:
        pixels = product(*map(range, x.shape[1:]))
        numbers = [x.at(channel, *pixel) for pixel in pixels for channel in range(x.shape[0])]
    return Tensor(tuple(fields["shape"]), numbers, x.frac)


# --- sums and windows ----------------------------------------------------------------------------


def _chansum(fields: Fields, x: Tensor) -> Tensor:
    size = fields["size"]
    shape = (x.shape[0] // size, *x.shape[1:])
    numbers = [
        sum(x.at(group * size + k, *pixel) for k in range(size))
        for group, *pixel in product(*map(range, shape))
    ]
    return Tensor(shape, numbers, x.frac)


def _dense(fields: Fields, x: Tensor) -> Tensor:
    weight, shift, bias = fields["weight"], fields["shift"], fields["bias"]
    outputs, inputs = weight.shape
    numbers = [
        sum(weight.at(o, i) * x.at(i) for i in range(inputs)) * 2 ** shift.at(o) + bias.at(o)
        for o in range(outputs)
    ]
    return Tensor((outputs,), numbers, x.frac + fields["weight_frac"])


def _conv2d(fields: Fields, x: Tensor) -> Tensor:
    weight, shift, bias = fields["weight"], fields["shift"], fields["bias"]
    outputs, per_group, *kernel = weight.shape
    if x.shape[0] != per_group * fields["groups"]:
        raise Contradiction(f"{x.shape[0]} channels, {fields['groups']} groups of {per_group}")
    image = _positions(x, kernel, fields["stride"], fields["padding"], fields["dilation"])
    numbers = []
    for o, oy, ox in product(range(outputs), *map(range, image)):
        first = o // (outputs // fields["groups"]) * per_group
        total = 0
        for (ky, kx), (y, z) in _taps(
            x, (oy, ox), kernel, fields["stride"], fields["padding"], fields["dilation"]
        ):
            for i in range(per_group):
                total += weight.at(o, i, ky, kx) * x.at(first + i, y, z)
        numbers.append(total * 2 ** shift.at(o) + bias.at(o))
    return Tensor((outputs, *image), numbers, x.frac + fields["weight_frac"])


def _maxpool2d(fields: Fields, x: Tensor) -> Tensor:
    return _pooled(x, max, fields, fields["dilation"], 0)


def _sumpool2d(fields: Fields, x: Tensor) -> Tensor:
    return _pooled(x, sum, fields, (1, 1), fields["gain"])


def _pooled(
    x: Tensor,
    reduce: Callable[[list[int]], int],
    fields: Fields,
    dilation: Sequence[int],
    gain: int,
) -> Tensor:
    window = fields["kernel_size"], fields["stride"], fields["padding"], dilation
    image = _positions(x, *window)
    numbers = [
        reduce([x.at(c, y, z) for _, (y, z) in _taps(x, (oy, ox), *window)])
        for c, oy, ox in product(range(x.shape[0]), *map(range, image))
    ]
    return Tensor((x.shape[0], *image), numbers, x.frac + gain)


def _positions(
    x: Tensor,
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
) -> Places:
    """Count the places of a window that lie wholly inside the padded image."""
    counts = []
    for axis in (0, 1):
        padded = padding[axis] + x.shape[1 + axis] + padding[axis + 2]
        reach = (kernel[axis] - 1) * dilation[axis]
        counts.append(len([at for at in range(0, padded, stride[axis]) if at + reach < padded]))
    return tuple(counts)


def _taps(
    x: Tensor,
    at: Places,
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
) -> Iterator[tuple[Places, Places]]:
    """Yield tap and pixel for the taps of a window that lie inside the image."""
    for ky, kx in product(*map(range, kernel)):
        y = at[0] * stride[0] + ky * dilation[0] - padding[0]
        z = at[1] * stride[1] + kx * dilation[1] - padding[1]
        if 0 <= y < x.shape[1] and 0 <= z < x.shape[2]:
            yield (ky, kx), (y, z)


_MEANING: dict[str, Callable[..., Tensor]] = {
    "add": _add,
    "chansum": _chansum,
    "concat": _concat,
    "conv2d": _conv2d,
    "dense": _dense,
    "gather": _gather,
    "maxpool2d": _maxpool2d,
    "minmax": _minmax,
    "multiply": _multiply,
    "relu": _relu,
    "requant": _requant,
    "reshape": _reshape,
    "scale": _scale,
    "sumpool2d": _sumpool2d,
    "table": _table,
}
# The fields that name a constant.
_ARRAYS = {
    "conv2d": ("weight", "shift", "bias"),
    "dense": ("weight", "shift", "bias"),
    "gather": ("source",),
    "scale": ("mult", "add"),
    "table": ("values",),
}
