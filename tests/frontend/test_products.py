"""Products of two values, and of values and constants: equal to PyTorch in every bit."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from hwaccel.config import Config
from hwaccel.errors import FrontendError
from hwaccel.frontend import quantize, trace
from tests.frontend.tools import (
    EXACT,
    Lambda,
    answers,
    check_exact,
    convert,
    frames,
    golden,
    on_grid,
    ops,
)

# Two operands of eight bits: nothing but the graph's outputs, which keep every bit, is rounded.
PAIRS = {
    "matmul": (lambda m, a, b: a @ b, (3, 4), (4, 5)),
    "matmul-square": (lambda m, a, b: a @ b, (4, 4), (4, 4)),
    "transposed": (lambda m, a, b: a @ b.transpose(1, 2), (3, 4), (5, 4)),
    "both-transposed": (lambda m, a, b: a.mT @ b.mT, (4, 3), (5, 4)),
    "heads": (lambda m, a, b: a @ b, (2, 3, 4), (2, 4, 5)),
    "stretched": (lambda m, a, b: a @ b, (2, 3, 4), (1, 4, 5)),
    "stretched-left": (lambda m, a, b: a @ b, (1, 3, 4), (2, 4, 5)),
    "bmm": (lambda m, a, b: torch.bmm(a, b), (3, 4), (4, 2)),
    "one-term": (lambda m, a, b: a @ b, (3, 1), (1, 5)),
    "row-by-column": (lambda m, a, b: a @ b, (1, 6), (6, 1)),
    "outer": (lambda m, a, b: torch.einsum("zi,zj->zij", a, b), (3,), (4,)),
    "rows": (lambda m, a, b: torch.einsum("zi,zij->zj", a, b), (3,), (3, 4)),
    "batched-rows": (lambda m, a, b: torch.einsum("zij,zij->zi", a, b), (3, 4), (3, 4)),
    "dots": (lambda m, a, b: torch.einsum("zhld,zhsd->zhls", a, b), (2, 3, 4), (2, 5, 4)),
    "ellipsis": (lambda m, a, b: torch.einsum("...ij,...jk->...ki", a, b), (2, 3, 4), (2, 4, 5)),
    "implicit": (lambda m, a, b: torch.einsum("aij,ajk->aik", a, b), (3, 4), (4, 2)),
    "diagonal": (lambda m, a, b: torch.einsum("zii,zij->zj", a, b), (3, 3), (3, 2)),
    "lost-axes": (lambda m, a, b: torch.einsum("zik,zjl->zij", a, b), (3, 2), (2, 4)),
    "two-axes": (lambda m, a, b: torch.einsum("zijk,zjkl->zil", a, b), (2, 3, 4), (3, 4, 2)),
    "vecdot": (lambda m, a, b: torch.linalg.vecdot(a, b, dim=1), (3, 4), (3, 4)),
}
C = torch.arange(-6.0, 6.0).reshape(3, 4) / 4
D = torch.tensor([[0.5, 1.0], [-1.0, 2.0]])
B = torch.arange(-12.0, 12.0).reshape(2, 3, 4) / 8
CONSTANTS = {
    "right": (lambda m, x: x @ C, (2, 3)),
    "right-vector": (lambda m, x: x @ C[0], (3, 4)),
    "left": (lambda m, x: C @ x, (4, 2)),
    "left-more-axes": (lambda m, x: C @ x, (2, 4, 3)),
    "left-vector": (lambda m, x: C[0] @ x, (4, 3)),
    "right-batched": (lambda m, x: x @ B, (2, 5, 3)),
    "left-batched": (lambda m, x: B @ x, (2, 4, 5)),
    "right-batched-stretched": (lambda m, x: x[:, None] @ B, (5, 3)),
    "vectors": (lambda m, x: torch.einsum("zi,ij->zj", x, C), (3,)),
    "per-element": (lambda m, x: torch.einsum("zij,ij->zij", x, C), (3, 4)),
    "per-row": (lambda m, x: torch.einsum("ijk,zji->zik", B, x), (3, 2)),
    "grown": (lambda m, x: torch.einsum("zi,jk->zijk", x, C), (2,)),
    "inner": (lambda m, x: torch.inner(x, C), (2, 4)),
    "tensordot": (lambda m, x: torch.tensordot(x, B, ([1, 2], [2, 1])), (4, 3)),
    "two-constants": (lambda m, x: torch.einsum("ij,jk,zkl->zil", D, D.mT, x), (2, 3)),
    "unary-sum": (lambda m, x: torch.einsum("zijk->zik", x), (3, 4, 2)),
    "unary-transpose": (lambda m, x: torch.einsum("zij->zji", x), (3, 4)),
    "unary-trace": (lambda m, x: torch.einsum("zjii->zj", x), (2, 3, 3)),
}


@pytest.mark.parametrize("name", PAIRS)
def test_two_values(name):
    function, a, b = PAIRS[name]
    check_exact(Lambda(function), frames(*a), frames(*b, seed=2))


@pytest.mark.parametrize("name", CONSTANTS)
def test_a_value_and_a_constant(name):
    function, shape = CONSTANTS[name]
    check_exact(Lambda(function), frames(*shape))


def test_a_decomposed_layer_on_sequences():
    """PyTorch decomposes it to a product with the weights repeated for every frame."""
    model, xs = on_grid(nn.Linear(4, 3)).eval(), [frames(5, 4)]
    program = torch.export.export(model, (torch.zeros(7, 5, 4),)).run_decompositions()
    graph = quantize(trace(program), xs, EXACT)
    assert "multiply" not in ops(graph)
    np.testing.assert_array_equal(golden(graph, xs)[0], answers(model, xs)[0])


def test_a_value_and_itself():
    graph = check_exact(Lambda(lambda m, x: x @ x.mT), frames(3, 4))
    assert ops(graph).count("chansum") == 1


def test_three_values_within_their_roundings():
    model = Lambda(lambda m, a, b, c: torch.einsum("zij,zjk,zkl->zil", a, b, c))
    xs = [frames(3, 4), frames(4, 5, seed=2), frames(5, 2, seed=3)]
    graph = convert(model, xs, Config(input="s8.4", activation_bits=16))
    (found,), (expected,) = golden(graph, xs), answers(model, xs)
    # The first product is rounded, to 16 bits; each of five errors meets a factor of at most 8.
    step = 2.0 ** -(15 - int(np.ceil(np.log2(np.abs(xs[0] @ xs[1]).max()))))
    assert np.abs(found - expected).max() <= 5 * 8 * step


def test_a_product_inside_a_layer_keeps_guard_bits():
    """Rounded to four bits more than the result, then added: at most half a step of those."""
    more = torch.arange(6.0).reshape(1, 3, 2)
    model = Lambda(
        lambda m, a, b, c: (torch.baddbmm(more, a, b), torch.baddbmm(c, a, b)[:, :1] * 2)
    )
    xs = [frames(3, 4), frames(4, 2, seed=2), frames(3, 2, seed=3)]
    graph = convert(model, xs)
    step = 2.0 ** -(11 - int(np.ceil(np.log2(np.abs(xs[0] @ xs[1]).max()))))
    bounds = step / 2, 2 * (step / 2 + 2**4 * step / 2)
    results = zip(golden(graph, xs), answers(model, xs), bounds, strict=True)
    for found, expected, bound in results:
        assert np.abs(found - expected).max() <= bound


def test_what_repeats_moves_together():
    """Both factors come as many at a time as a sum has terms, transposed or not."""
    model = Lambda(lambda m, a, b: (a @ b, a.mT @ b))
    graph = convert(model, [frames(8, 8), frames(8, 8, seed=2)])
    types = graph.types()
    for node in graph.nodes:
        if node.op.name == "multiply":
            for name in node.inputs:
                (move,) = [n for n in graph.nodes if n.name == name]
                operands = [types[x] for x in move.inputs]
                assert move.op.folds(*operands)[-1].pe == 8


def refusal(function, *xs):
    with pytest.raises(FrontendError) as caught:
        convert(Lambda(function), list(xs))
    return str(caught.value)


MIXED = (
    "mixes frames of the batch; give every operand the same number of axes, the batch the first "
    "of each"
)
TOUCHED = (
    "turns 7 frames into shape (3, 3), so it touches the batch axis; keep the first axis as it "
    "is, for example with torch.flatten(x, 1)"
)
REFUSED = {
    "ranks-differ": (lambda m, x: x[:, None] @ x, (4, 4), f"matmul: {MIXED}"),
    "batch-is-summed": (lambda m, x: torch.einsum("zi,zj->ij", x, x), (3,), f"einsum: {TOUCHED}"),
    "batch-is-moved": (lambda m, x: torch.einsum("zi,yi->zy", x, x), (3,), f"einsum: {MIXED}"),
    "constant-per-frame": (
        lambda m, x: torch.arange(84.0).reshape(7, 4, 3) @ x,
        (3, 4),
        "matmul: a constant of shape (7, 4, 3) differs from frame to frame; give it no batch axis",
    ),
    "nothing-left": (
        lambda m, x: torch.einsum("zi,zi->z", x, x),
        (3,),
        "einsum: gives one number per frame; keep an axis, for example with keepdim or unsqueeze",
    ),
    "too-many": (
        lambda m, x: x @ x.mT,
        (1024, 8),
        "matmul: takes 8388608 products per frame, expected at most 4194304; make the operands "
        "smaller",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusal(name):
    function, shape, message = REFUSED[name]
    with pytest.raises(FrontendError) as caught:
        convert(Lambda(function), [frames(*shape)])
    assert str(caught.value) == f"the model's forward: {message}"
