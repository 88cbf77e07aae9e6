"""Every op, every example: types are sound and tight, golden equals independent references."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from itertools import product
from math import floor

import numpy as np
import pytest
import torch
from torch.nn import functional

from hwaccel.errors import VerifyError
from hwaccel.fxp import FixedType, IntArray, Overflow, Rounding
from hwaccel.ir import Example, Graph, GraphBuilder, Interpreter, Op, TensorType, interpret, verify
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


def _error(op: Op, *ins: TensorType) -> str:
    builder = GraphBuilder("g")
    names = [builder.input("x", t) for t in ins]
    with pytest.raises(VerifyError) as caught:
        builder.add("y", op, *names)
    return str(caught.value)


def _t(shape: tuple[int, ...], fixed: str = "s8.0") -> TensorType:
    return TensorType.full(shape, FixedType.parse(fixed))


def _far() -> tuple[TensorType, TensorType]:
    return _t((4,), "s8.40"), _t((4,), "s8.-30")


_W = IntArray(np.ones((2, 3, 3, 3)))
_TWO = IntArray([0, 0])
BROKEN: dict[str, tuple[Callable[[], str], str]] = {
    "dense-shape": (
        lambda: _error(Dense(IntArray([[1, 2]]), IntArray([0]), IntArray([0])), _t((3,))),
        "weight takes 2 features, found shape (3,); flatten the input to one axis of that size",
    ),
    "dense-bias": (
        lambda: _error(Dense(IntArray([[1, 2]]), IntArray([0]), IntArray([0, 1])), _t((2,))),
        "bias has shape (2,), expected (1,)",
    ),
    "conv-channels": (
        lambda: _error(Conv2d(_W, _TWO, _TWO), _t((4, 5, 5))),
        "expected shape (3, H, W), found (4, 5, 5)",
    ),
    "conv-kernel": (
        lambda: _error(Conv2d(_W, _TWO, _TWO), _t((3, 2, 5))),
        "kernel spans 3 in height, but the padded input has only 2; pad the input or drop the "
        "layer",
    ),
    "conv-groups": (
        lambda: _error(Conv2d(_W, _TWO, _TWO, groups=3), _t((9, 5, 5))),
        "2 output channels do not split into 3 groups",
    ),
    "conv-rank": (
        lambda: _error(Conv2d(_W, _TWO, _TWO), _t((3, 5))),
        "expected shape (3, H, W), found (3, 5)",
    ),
    "conv-weight": (
        lambda: _error(Conv2d(IntArray(np.ones((2, 3, 3))), _TWO, _TWO), _t((3, 5, 5))),
        "weight has shape (2, 3, 3), expected (outputs, inputs / groups, KH, KW)",
    ),
    "conv-bias": (
        lambda: _error(Conv2d(_W, _TWO, IntArray([0])), _t((3, 5, 5))),
        "bias has shape (1,), expected (2,)",
    ),
    "conv-shift": (
        lambda: _error(Conv2d(_W, IntArray([0, 32]), _TWO), _t((3, 5, 5))),
        "shift runs from 0 to 32, expected 0 to 31",
    ),
    "conv-left": (
        lambda: _error(Conv2d(_W, IntArray([-1, 0]), _TWO), _t((3, 5, 5))),
        "shift runs from -1 to 0, expected 0 to 31",
    ),
    "conv-wide": (
        lambda: _error(Conv2d(_W, IntArray([0, 31]), _TWO), _t((3, 5, 5), "s27.0")),
        "the accumulator needs 63 bits, more than 62; use fewer bits for weights or activations",
    ),
    "pool-padding": (
        lambda: _error(MaxPool2d((1, 1), (1, 1), (0, 0, 1, 0)), _t((1, 2, 2))),
        "padding (0, 0, 1, 0) leaves a window without a pixel; pad less than the kernel",
    ),
    "pool-rank": (
        lambda: _error(SumPool2d((2, 2), (2, 2)), _t((4,))),
        "expected shape (C, H, W), found (4,)",
    ),
    "add-shapes": (
        lambda: _error(Add(), _t((4,)), _t((5,))),
        "operands have shapes (4,) and (5,), expected equal ones",
    ),
    "add-fractions": (
        lambda: _error(Add(), _t((4,), "s8.1"), _t((4,))),
        "shifts 0 and 0 do not align the fractions 1 and 0",
    ),
    "add-arity": (lambda: _error(Add(), _t((4,))), "add takes 2 operands, found 1"),
    "multiply-shapes": (
        lambda: _error(Multiply(), _t((4,)), _t((2, 2))),
        "operands have shapes (4,) and (2, 2), expected equal ones",
    ),
    "multiply-wide": (
        lambda: _error(Multiply(), _t((4,), "s40.1"), _t((4,), "u24.0")),
        "products of s40.1 and u24.0 need more than 62 bits; requantize an operand",
    ),
    "minmax-shapes": (
        lambda: _error(MinMax(0, 0, True), _t((4,)), _t((4, 1))),
        "operands have shapes (4,) and (4, 1), expected equal ones",
    ),
    "minmax-fractions": (
        lambda: _error(MinMax(0, 2, True), _t((4,), "s8.1"), _t((4,))),
        "shifts 0 and 2 do not align the fractions 1 and 0",
    ),
    "chansum-groups": (
        lambda: _error(ChannelSum(3), _t((4, 2))),
        "groups of 3 do not make up 4 channels; the size must divide them",
    ),
    "chansum-wide": (
        lambda: _error(ChannelSum(4), _t((4,), "s61.0")),
        "sums of 4 numbers of s61.0 need more than 62 bits; requantize the operand",
    ),
    "concat-shapes": (
        lambda: _error(Concat(), _t((4, 2, 3)), _t((1, 3, 2))),
        "operands have shapes (4, 2, 3) and (1, 3, 2), expected equal ones but for the channels",
    ),
    "concat-ranks": (
        lambda: _error(Concat(), _t((4,)), _t((4, 1))),
        "operands have shapes (4,) and (4, 1), expected equal ones but for the channels",
    ),
    "concat-fractions": (
        lambda: _error(Concat(1, 0), _t((4,), "s8.1"), _t((4,))),
        "shifts 1 and 0 do not align the fractions 1 and 0",
    ),
    "concat-far": (
        lambda: _error(Concat.of(*_far()), *_far()),
        "shifts 0 and 70, expected at most 62; requantize one operand",
    ),
    "concat-arity": (lambda: _error(Concat(), _t((4,))), "concat takes 2 operands, found 1"),
    "requant-range": (
        lambda: _error(Requant(1, 5, 4), _t((4,))),
        "empty output range [5, 4]",
    ),
    "requant-shift": (
        lambda: _error(Requant(63, 0, 1), _t((4,))),
        "shift 63 is not between -62 and 62",
    ),
    "requant-left": (
        lambda: _error(Requant(-63, 0, 1), _t((4,))),
        "shift -63 is not between -62 and 62",
    ),
    "requant-wrap": (
        lambda: _error(Requant(1, -3, 4, overflow=Overflow.WRAP), _t((4,))),
        "wrapping needs the whole range of a format, found [-3, 4]",
    ),
    "scale-channels": (
        lambda: _error(Scale(_TWO, _TWO), _t((3, 2, 2))),
        "mult has shape (2,), expected (3,)",
    ),
    "reshape-size": (
        lambda: _error(Reshape((5,)), _t((2, 3))),
        "cannot reshape (2, 3) (6 elements) to (5,) (5 elements)",
    ),
}


@each_example
def test_another_number_of_operands_is_refused(op: type[Op], example: Example) -> None:
    count = len(example.ins)
    for ins in (example.ins[1:], (*example.ins, example.ins[0])):
        with pytest.raises(VerifyError, match=f"takes {count} operands, found {len(ins)}"):
            example.op.verify(*ins)


EDGES: dict[str, tuple[Op, TensorType]] = {
    "requant-down": (Requant(62, 0, 1), _t((4,))),
    "requant-up": (Requant(-62, 0, 1), TensorType((4,), 0, 0, 0)),
    "conv-shift": (Conv2d(_W, IntArray([0, 31]), _TWO), _t((3, 5, 5), "s26.0")),
    "conv-padding": (Conv2d(_W, _TWO, _TWO, padding=(0, 2, 1, 0)), _t((3, 2, 1))),
    "maxpool2d-below": (MaxPool2d((2, 1), (1, 1), (0, 0, 1, 0)), _t((1, 2, 2))),
    "maxpool2d-right": (MaxPool2d((1, 2), (1, 1), (0, 0, 0, 1)), _t((1, 2, 2))),
    "sumpool2d-all": (SumPool2d((2, 3), (1, 1)), _t((1, 2, 3))),
}


@pytest.mark.parametrize("name", EDGES)
def test_what_just_fits_is_taken(name: str) -> None:
    op, x = EDGES[name]
    op.verify(x)


def test_what_is_left_out_does_nothing() -> None:
    weight, zero = IntArray([[1]]), IntArray([0])
    kernel = IntArray([[[[1]]]])
    none = (0, 0, 0, 0)
    assert Dense(weight, zero, zero) == Dense(weight, zero, zero, 0)
    assert Conv2d(kernel, zero, zero) == Conv2d(kernel, zero, zero, 0, (1, 1), none, (1, 1), 1)
    assert MaxPool2d((1, 1), (1, 1)) == MaxPool2d((1, 1), (1, 1), none, (1, 1))
    assert SumPool2d((1, 1), (1, 1)) == SumPool2d((1, 1), (1, 1), none, 0)
    assert Add() == Add(0, 0, False)
    assert Concat() == Concat(0, 0)
    assert Scale(zero, zero) == Scale(zero, zero, 0)
    assert Gather(zero, (1,)) == Gather(zero, (1,), 0)
    assert Reshape((1,)) == Reshape((1,), False)
    assert Requant(1, 0, 1) == Requant(1, 0, 1, Rounding.HALF_EVEN, Overflow.SATURATE)


@pytest.mark.parametrize("name", BROKEN)
def test_broken_op_is_refused_with_a_reason(name: str) -> None:
    make, message = BROKEN[name]
    assert make() == message
