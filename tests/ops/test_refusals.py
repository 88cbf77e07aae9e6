"""What every op refuses, with the reason that it gives, and what just fits."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from hwaccel.errors import VerifyError
from hwaccel.fxp import FixedType, IntArray, Overflow, Rounding
from hwaccel.ir import Example, GraphBuilder, Op, TensorType
from hwaccel.ops import (
    Add,
    ChannelSum,
    Concat,
    Conv2d,
    Dense,
    Gather,
    MaxPool2d,
    MinMax,
    Multiply,
    Requant,
    Reshape,
    Scale,
    SumPool2d,
)
from tests.ops.test_contract import each_example


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


@pytest.mark.parametrize("source", [[-2, 0], [0, 4]])
def test_a_gather_reads_inside_its_operand_on_either_side(source: list[int]) -> None:
    message = _error(Gather(IntArray(source), (2,)), _t((4,)))
    assert f"source runs from {min(source)} to {max(source)}, expected -1 to 3" in message


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
