"""Every op, every example: types are sound and tight, golden equals independent references."""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from math import floor

import numpy as np
import pytest
import torch
from torch.nn import functional

from hwaccel.fxp import FixedType, Overflow, Rounding
from hwaccel.ir import Example, Graph, GraphBuilder, Interpreter, Op, interpret, verify
from hwaccel.ir.text import parse_graph, print_graph
from hwaccel.ops import (
    OP_BY_NAME,
    OPS,
    Add,
    ChannelSum,
    Concat,
    Conv2d,
    Dense,
    Gather,
    MaxPool2d,
    MinMax,
    Multiply,
    Relu,
    Requant,
    Reshape,
    Scale,
    SumPool2d,
    Tabulate,
)

EXAMPLES = [(op, example) for op in OPS for example in op.examples()]
each_example = pytest.mark.parametrize(
    ("op", "example"), EXAMPLES, ids=[f"{op.name}-{e.label}" for op, e in EXAMPLES]
)
FRAMES = 24


def graph_of(example: Example) -> Graph:
    builder = GraphBuilder("contract")
    ins = [builder.input(f"x{i}", t) for i, t in enumerate(example.ins)]
    return builder.build(builder.add("y", example.op, *ins, path="a.b"))


def random_frames(example: Example, seed: int = 0) -> list[np.ndarray]:
    """Return random frames; the first two hold only the smallest and only the largest integers."""
    rng = np.random.default_rng(seed)
    xs = [rng.integers(t.lo, t.hi + 1, (FRAMES, *t.shape)) for t in example.ins]
    for x, t in zip(xs, example.ins, strict=True):
        x[0], x[1] = t.lo, t.hi
    return xs


# --- references: torch in float64 where that is exact, big integers elsewhere -------------------


def by_torch(op: Op, x: torch.Tensor) -> torch.Tensor:
    """Compute a window op the way PyTorch does, on integers that float64 holds exactly."""
    top, left, bottom, right = op.padding
    if isinstance(op, MaxPool2d):
        x = functional.pad(x, (left, right, top, bottom), value=-torch.inf)
        return functional.max_pool2d(x, op.kernel_size, op.stride, 0, op.dilation)
    x = functional.pad(x, (left, right, top, bottom))
    if isinstance(op, SumPool2d):
        return functional.avg_pool2d(x, op.kernel_size, op.stride, divisor_override=1)
    weight = torch.tensor(op.weight.a << op.shift.a[:, None, None, None], dtype=torch.float64)
    bias = torch.tensor(op.bias.a, dtype=torch.float64)
    return functional.conv2d(x, weight, bias, op.stride, 0, op.dilation, op.groups)


def rounded(value: Fraction, mode: Rounding) -> int:
    if mode is Rounding.HALF_EVEN:
        return round(value)
    return floor(value + (Fraction(1, 2) if mode is Rounding.HALF_UP else 0))


def requantized(op: Requant, x: int) -> int:
    value = rounded(Fraction(x) / Fraction(2) ** op.shift, op.rounding)
    if op.overflow is Overflow.WRAP:
        return (value - op.lo) % (op.hi - op.lo + 1) + op.lo
    return min(max(value, op.lo), op.hi)


def reference(op: Op, xs: list[np.ndarray]) -> np.ndarray:
    """Return the result by other means than ``op.golden``."""
    x = xs[0]
    if isinstance(op, Conv2d | MaxPool2d | SumPool2d):
        return by_torch(op, torch.tensor(x, dtype=torch.float64)).numpy().astype(np.int64)
    if isinstance(op, Concat):
        parts = [x, op.a_shift], [xs[1], op.b_shift]
        channels = [part[:, c] * 2**shift for part, shift in parts for c in range(part.shape[1])]
        return np.stack(channels, axis=1)
    if isinstance(op, ChannelSum):
        size, groups = op.size, x.shape[1] // op.size
        return np.stack([sum(x[:, g * size + k] for k in range(size)) for g in range(groups)], 1)
    out = np.empty(x.shape, dtype=np.int64)
    if isinstance(op, Dense):
        rows = [[int(w) for w in row] for row in op.weight.a]
        shifts, biases = op.shift.a.tolist(), op.bias.a.tolist()
        return np.array(
            [
                [
                    (sum(w * int(v) for w, v in zip(row, frame, strict=True)) << s) + b
                    for row, s, b in zip(rows, shifts, biases, strict=True)
                ]
                for frame in x
            ]
        )
    if isinstance(op, Gather):
        rows = [
            [op.fill if i < 0 else row[i] for i in op.source.a] for row in x.reshape(len(x), -1)
        ]
        return np.array(rows).reshape(len(x), *op.shape)
    if isinstance(op, Reshape):
        source = np.moveaxis(x, 1, -1) if op.channels_last else x
        return source.reshape(x.shape[0], *op.shape)
    for at in np.ndindex(x.shape):
        v = int(x[at])
        if isinstance(op, Requant):
            out[at] = requantized(op, v)
        elif isinstance(op, Tabulate):
            out[at] = op.values.a.tolist()[v - op.lo]
        elif isinstance(op, Relu):
            out[at] = max(v, 0)
        elif isinstance(op, Scale):
            out[at] = v * int(op.mult.a[at[1]]) + int(op.add.a[at[1]])
        elif isinstance(op, Add):
            sign = -1 if op.subtract else 1
            out[at] = v * 2**op.a_shift + sign * int(xs[1][at]) * 2**op.b_shift
        elif isinstance(op, Multiply):
            out[at] = v * int(xs[1][at])
        elif isinstance(op, MinMax):
            pair = v * 2**op.a_shift, int(xs[1][at]) * 2**op.b_shift
            out[at] = sorted(pair)[op.largest]
        else:
            raise AssertionError(f"no reference for {op.name}")
    return out


# --- rungs ----------------------------------------------------------------------------------------


@each_example
def test_example_is_legal_and_round_trips_as_text(op: type[Op], example: Example) -> None:
    graph = graph_of(example)
    verify(graph)
    assert parse_graph(print_graph(graph), OP_BY_NAME) == graph


@each_example
def test_golden_equals_the_reference(op: type[Op], example: Example) -> None:
    xs = random_frames(example)
    want = reference(example.op, xs)
    direct = example.op.golden(*xs)
    assert direct.dtype == np.int64
    assert np.array_equal(direct, want)
    (carried,) = interpret(graph_of(example), *xs)
    assert np.array_equal(carried, want)


@each_example
def test_type_is_sound(op: type[Op], example: Example) -> None:
    out = example.op.infer(*example.ins)
    for seed in range(3):
        y = example.op.golden(*random_frames(example, seed))
        assert y.shape[1:] == out.shape
        assert out.lo <= y.min()
        assert y.max() <= out.hi


@each_example
def test_type_is_tight(op: type[Op], example: Example) -> None:
    """Both ends of the inferred interval are reached by some input."""
    out = example.op.infer(*example.ins)
    y = example.op.golden(*extremes(example))
    assert (y.min(), y.max()) == (out.lo, out.hi)


def extremes(example: Example) -> list[np.ndarray]:
    """Return frames among which every output element takes its smallest and largest value.

    All-low, all-high and mixed frames serve ops that are monotone in each operand; for weighted
    sums each output element gets the frame that its own weights ask for.
    """
    ends = list(product(*((t.lo, t.hi) for t in example.ins)))
    plain = [
        np.stack([np.full(t.shape, end[i]) for end in ends]) for i, t in enumerate(example.ins)
    ]
    if not isinstance(example.op, Dense | Conv2d):
        if isinstance(example.op, Requant | Tabulate):  # need not be monotone
            x = random_frames(example)[0].ravel()
            t = example.ins[0]
            every = np.arange(t.lo, t.hi + 1)[:4096] if t.hi - t.lo < 4096 else x
            tiled = np.resize(every, (-(-every.size // t.size), *t.shape))
            return [np.concatenate([plain[0], tiled])]
        return plain
    (t,) = example.ins
    influence = weights_by_output(example)
    high, low = (np.where(influence > 0, a, b) for a, b in ((t.hi, t.lo), (t.lo, t.hi)))
    frames = np.concatenate([high, low]).reshape(-1, *t.shape)
    return [np.concatenate([frames, plain[0]])]


def weights_by_output(example: Example) -> np.ndarray:
    """Return the weight of every input element for every output element, ``(outputs, inputs)``."""
    (t,) = example.ins
    op = example.op
    zero = op.golden(np.zeros((1, *t.shape), dtype=np.int64))
    units = np.eye(t.size, dtype=np.int64).reshape(t.size, *t.shape)
    return (op.golden(units) - zero).reshape(t.size, -1).T


@each_example
def test_carrier_holds_every_intermediate(op: type[Op], example: Example) -> None:
    """Where a float carrier is chosen, the result equals that of int64."""
    graph = graph_of(example)
    xs = extremes(example)
    carrier = Interpreter(graph).carrier("y")
    bound = example.op.bound(*example.ins)
    assert {"float32": bound <= 2**24, "float64": bound <= 2**53, "int64": True}[carrier]
    assert np.array_equal(interpret(graph, *xs)[0], example.op.golden(*xs))


@each_example
def test_hardware_of_every_fold_is_consistent(op: type[Op], example: Example) -> None:
    out = example.op.infer(*example.ins)
    folds = example.op.folds(*example.ins)
    assert len(set(folds)) == len(folds)
    for fold in folds:
        hardware = example.op.hardware(example.ins, fold)
        assert out.size % hardware.out_lanes == 0
        for t, lanes in zip(example.ins, hardware.in_lanes, strict=True):
            assert t.size % lanes == 0
        if hardware.issuer:
            assert hardware.issuer.beats_in * hardware.in_lanes[0] == example.ins[0].size
            assert hardware.issuer.beats_out * hardware.out_lanes == out.size
        if hardware.pipes:
            assert hardware.pipes[-1].width == out.fixed.width
        for pipe in hardware.pipes:
            for rom in pipe.roms:
                for field, width in zip(
                    rom.fields.a.T,
                    rom.widths * (rom.fields.shape[1] // len(rom.widths)),
                    strict=True,
                ):
                    fits = FixedType(True, width, 0).holds(int(field.min()), int(field.max()))
                    unsigned = FixedType(False, width, 0).holds(int(field.min()), int(field.max()))
                    assert fits or unsigned
