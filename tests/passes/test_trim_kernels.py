"""Kernels lose the rows and columns without a weight, and no window moves."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwaccel.errors import VerifyError
from hwaccel.fxp import FixedType, IntArray
from hwaccel.ir import Graph, GraphBuilder, TensorType
from hwaccel.ops import Conv2d
from hwaccel.passes import run_passes
from hwaccel.passes.trim_kernels import TrimKernels
from tests.passes.checks import assert_same, check, check_unchanged


def test_borders_go_and_gaps_become_dilation() -> None:
    check(
        TrimKernels(),
        """
        input %x : 1x4x5 u4.0
        %y = conv2d(%x) {weight=[[[[0, 0, 0], [1, 0, 2], [0, 0, 0]]]], shift=[0], bias=[0], padding=(1, 1, 1, 1)} : 1x4x5 u6.0 [0,45]
        output %y
        """,  # noqa: E501
        """
        input %x : 1x4x5 u4.0
        %y = conv2d(%x) {weight=[[[[1, 2]]]], shift=[0], bias=[0], padding=(0, 1, 0, 1), dilation=(1, 2)} : 1x4x5 u6.0 [0,45]
        output %y
        """,  # noqa: E501
    )


def test_an_image_is_not_cropped() -> None:
    check_unchanged(
        TrimKernels(),
        """
        input %x : 1x4x5 u4.0
        %y = conv2d(%x) {weight=[[[[0, 0], [0, 1]]]], shift=[0], bias=[0]} : 1x3x4 u4.0
        output %y
        """,
    )


def test_a_stride_hides_what_padding_cannot_give() -> None:
    check(
        TrimKernels(),
        """
        input %x : 1x4x4 u4.0
        %y = conv2d(%x) {weight=[[[[1, 0], [0, 0]]]], shift=[0], bias=[0], stride=(2, 2)} : 1x2x2 u4.0
        output %y
        """,  # noqa: E501
        """
        input %x : 1x4x4 u4.0
        %y = conv2d(%x) {weight=[[[[1]]]], shift=[0], bias=[0], stride=(2, 2)} : 1x2x2 u4.0
        output %y
        """,
    )


@pytest.mark.parametrize(
    "weight", ["[[[[0, 0, 0], [0, 0, 0], [0, 0, 0]]]]", "[[[[1, 1, 1], [0, 0, 0], [0, 0, 0]]]]"]
)
def test_some_tap_must_stay_inside_the_image(weight: str) -> None:
    # Nothing is left, and what is left is in the padding above an image of one row.
    check_unchanged(
        TrimKernels(),
        f"""
        input %x : 1x1x4 u4.0
        %y = conv2d(%x) {{weight={weight}, shift=[0], bias=[3], stride=(2, 1), padding=(1, 1, 1, 1)}} : 1x1x4 u2.0 [3,3]
        output %y
        """,  # noqa: E501
    )


@st.composite
def sparse(draw: st.DrawFn) -> Graph:
    """A convolution of any geometry in which rows and columns of the kernel are zero."""
    small = st.integers(1, 3)
    kernel = draw(st.tuples(st.integers(1, 6), st.integers(1, 6)))
    groups = draw(st.sampled_from((1, 2)))
    rng = np.random.default_rng(draw(st.integers(0, 1 << 30)))
    weight = rng.integers(-4, 4, (2, 2 // groups, *kernel))
    for axis in (2, 3):
        gone = np.flatnonzero(rng.random(kernel[axis - 2]) < 0.6)
        weight[(slice(None),) * axis + (gone,)] = 0
    op = Conv2d(
        IntArray(weight),
        IntArray([0, 1]),
        IntArray([5, -5]),
        stride=draw(st.tuples(small, small)),
        padding=draw(st.tuples(*[st.integers(0, 4)] * 4)),
        dilation=draw(st.tuples(small, small)),
        groups=groups,
    )
    b = GraphBuilder("g")
    image = draw(st.tuples(st.integers(1, 9), st.integers(1, 9)))
    x = b.input("x", TensorType.full((2, *image), FixedType.parse("s4.0")))
    try:
        op.verify(b.type(x))
    except VerifyError:
        return draw(sparse())
    return b.build(b.add("y", op, x))


@settings(max_examples=150, deadline=None)
@given(sparse())
def test_any_kernel_means_the_same_without_its_zeros(graph: Graph) -> None:
    made = run_passes(graph, [TrimKernels()])
    assert_same(graph, made)
    assert made.types() == graph.types()
    assert TrimKernels().run(made) is made
    (before,), (after,) = graph.nodes, made.nodes
    assert after.op.weight.a.size <= before.op.weight.a.size
    assert np.count_nonzero(after.op.weight.a) == np.count_nonzero(before.op.weight.a)
