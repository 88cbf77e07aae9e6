"""Channels without meaning go, from producer to consumer."""

from __future__ import annotations

import pytest

from hwaccel.errors import VerifyError
from hwaccel.passes import run_passes
from hwaccel.passes.prune_channels import PruneChannels
from tests.passes.checks import check, check_unchanged, parse


def test_constant_and_unread_channels_of_dense() -> None:
    check(
        PruneChannels(),
        """
        input %x : 2 u4.0
        %a = dense(%x) {weight=[[1, 2], [0, 0], [3, -1]], shift=[0, 0, 2], bias=[0, 5, 1]} : 3 s9.0 [-59,181]
        %r = relu(%a) : 3 u8.0 [0,181]
        %b = dense(%r) {weight=[[3, 4, 0], [1, -2, 0]], shift=[1, 0], bias=[7, 0]} : 2 s13.0 [-362,2541]
        output %b
        """,  # noqa: E501
        """
        input %x : 2 u4.0
        %a = dense(%x) {weight=[[1, 2]], shift=[0], bias=[0]} : 1 u6.0 [0,45]
        %r = relu(%a) : 1 u6.0 [0,45]
        %b = dense(%r) {weight=[[3], [1]], shift=[1, 0], bias=[47, -10]} : 2 s10.0 [-10,317]
        output %b
        """,
    )


def test_through_everything() -> None:
    check(
        PruneChannels(),
        """
        input %x : 1x3x3 u4.0
        %a = conv2d(%x) {weight=[[[[1]]], [[[0]]], [[[2]]]], shift=[0, 0, 0], bias=[0, 5, 0]} : 3x3x3 u5.0 [0,30]
        %b = conv2d(%x) {weight=[[[[3]]], [[[0]]], [[[1]]]], shift=[0, 0, 0], bias=[0, -3, 0]} : 3x3x3 s7.0 [-3,45]
        %s = add(%a, %b) : 3x3x3 s8.0 [-3,75]
        %q = requant(%s) {shift=1, lo=0, hi=15} : 3x3x3 u4.-1
        %w = conv2d(%q) {weight=[[[[1]]], [[[2]]], [[[1]]]], shift=[0, 0, 0], bias=[1, 1, 1], groups=3} : 3x3x3 u5.-1 [1,31]
        %p = maxpool2d(%w) {kernel_size=(2, 2), stride=(1, 1)} : 3x2x2 u5.-1 [1,31]
        %c = sumpool2d(%p) {kernel_size=(2, 1), stride=(1, 1)} : 3x1x2 u6.-1 [2,62]
        %f = reshape(%c) {shape=(6,), channels_last=true} : 6 u6.-1 [2,62]
        %m = scale(%f) {mult=[1, 2, 3, 4, 5, 6], add=[0, 0, 0, 0, 0, 0]} : 6 u9.-1 [2,372]
        %y = dense(%m) {weight=[[1, 1, 1, 1, 1, 1]], shift=[0], bias=[0]} : 1 u12.-1 [12,2232]
        output %y
        """,  # noqa: E501
        """
        input %x : 1x3x3 u4.0
        %a = conv2d(%x) {weight=[[[[1]]], [[[2]]]], shift=[0, 0], bias=[0, 0]} : 2x3x3 u5.0 [0,30]
        %b = conv2d(%x) {weight=[[[[3]]], [[[1]]]], shift=[0, 0], bias=[0, 0]} : 2x3x3 u6.0 [0,45]
        %s = add(%a, %b) : 2x3x3 u7.0 [0,75]
        %q = requant(%s) {shift=1, lo=0, hi=15} : 2x3x3 u4.-1
        %w = conv2d(%q) {weight=[[[[1]]], [[[1]]]], shift=[0, 0], bias=[1, 1], groups=2} : 2x3x3 u5.-1 [1,16]
        %p = maxpool2d(%w) {kernel_size=(2, 2), stride=(1, 1)} : 2x2x2 u5.-1 [1,16]
        %c = sumpool2d(%p) {kernel_size=(2, 1), stride=(1, 1)} : 2x1x2 u6.-1 [2,32]
        %f = reshape(%c) {shape=(4,), channels_last=true} : 4 u6.-1 [2,32]
        %m = scale(%f) {mult=[1, 3, 4, 6], add=[0, 0, 0, 0]} : 4 u8.-1 [2,192]
        %y = dense(%m) {weight=[[1, 1, 1, 1]], shift=[0], bias=[42]} : 1 u10.-1 [50,810]
        output %y
        """,  # noqa: E501
    )


def test_flatten_channel_by_channel() -> None:
    check(
        PruneChannels(),
        """
        input %x : 1x1x2 u4.0
        %a = conv2d(%x) {weight=[[[[1]]], [[[0]]], [[[2]]]], shift=[0, 0, 0], bias=[0, 5, 0]} : 3x1x2 u5.0 [0,30]
        %f = reshape(%a) {shape=(6,)} : 6 u5.0 [0,30]
        %y = dense(%f) {weight=[[1, 2, 3, 4, 5, 6]], shift=[0], bias=[0]} : 1 u10.0 [0,630]
        output %y
        """,  # noqa: E501
        """
        input %x : 1x1x2 u4.0
        %a = conv2d(%x) {weight=[[[[1]]], [[[2]]]], shift=[0, 0], bias=[0, 0]} : 2x1x2 u5.0 [0,30]
        %f = reshape(%a) {shape=(4,)} : 4 u5.0 [0,30]
        %y = dense(%f) {weight=[[1, 2, 5, 6]], shift=[0], bias=[35]} : 1 u9.0 [35,455]
        output %y
        """,
    )


def test_flatten_of_which_one_element_is_read() -> None:
    check_unchanged(
        PruneChannels(),
        """
        input %x : 1x1x2 u4.0
        %a = conv2d(%x) {weight=[[[[1]]], [[[3]]]], shift=[0, 0], bias=[0, 5]} : 2x1x2 u6.0 [0,50]
        %f = reshape(%a) {shape=(4,)} : 4 u6.0 [0,50]
        %y = dense(%f) {weight=[[1, 2, 0, 4]], shift=[0], bias=[0]} : 1 u9.0 [0,350]
        output %y
        """,
    )


def test_constant_before_padding_stays() -> None:
    check_unchanged(
        PruneChannels(),
        """
        input %x : 1x2x2 u4.0
        %a = conv2d(%x) {weight=[[[[1]]], [[[0]]]], shift=[0, 0], bias=[0, 5]} : 2x2x2 u4.0
        %b = conv2d(%a) {weight=[[[[1]], [[2]]]], shift=[0], bias=[0], padding=(0, 0, 1, 0)} : 1x3x2 u6.0 [0,45]
        output %b
        """,  # noqa: E501
    )


def test_zero_before_padding() -> None:
    check(
        PruneChannels(),
        """
        input %x : 1x2x2 u4.0
        %a = conv2d(%x) {weight=[[[[1]]], [[[0]]]], shift=[0, 0], bias=[0, -5]} : 2x2x2 s5.0 [-5,15]
        %r = relu(%a) : 2x2x2 u4.0
        %b = conv2d(%r) {weight=[[[[1]], [[2]]]], shift=[0], bias=[0], padding=(0, 0, 1, 0)} : 1x3x2 u6.0 [0,45]
        output %b
        """,  # noqa: E501
        """
        input %x : 1x2x2 u4.0
        %a = conv2d(%x) {weight=[[[[1]]]], shift=[0], bias=[0]} : 1x2x2 u4.0
        %r = relu(%a) : 1x2x2 u4.0
        %b = conv2d(%r) {weight=[[[[1]]]], shift=[0], bias=[0], padding=(0, 0, 1, 0)} : 1x3x2 u4.0
        output %b
        """,
    )


def test_one_branch_of_an_add_is_constant() -> None:
    check_unchanged(
        PruneChannels(),
        """
        input %x : 1x1x1 u4.0
        %a = conv2d(%x) {weight=[[[[1]]], [[[0]]]], shift=[0, 0], bias=[0, 5]} : 2x1x1 u4.0
        %b = conv2d(%x) {weight=[[[[1]]], [[[2]]]], shift=[0, 0], bias=[0, 0]} : 2x1x1 u5.0 [0,30]
        %s = add(%a, %b) : 2x1x1 u6.0 [0,45]
        %y = conv2d(%s) {weight=[[[[1]], [[2]]]], shift=[0], bias=[0]} : 1x1x1 u8.0 [0,135]
        output %y
        """,
    )


def test_last_channel_stays() -> None:
    check(
        PruneChannels(),
        """
        input %x : 2 u4.0
        %a = dense(%x) {weight=[[0, 0], [0, 0]], shift=[0, 0], bias=[4, 5]} : 2 u3.0 [4,5]
        %b = dense(%a) {weight=[[3, 4]], shift=[1], bias=[7]} : 1 u7.0 [63,77]
        output %b
        """,
        """
        input %x : 2 u4.0
        %a = dense(%x) {weight=[[0, 0]], shift=[0], bias=[4]} : 1 u3.0 [4,4]
        %b = dense(%a) {weight=[[3]], shift=[1], bias=[47]} : 1 u7.0 [71,71]
        output %b
        """,
    )


def test_multiple_of_two() -> None:
    check(
        PruneChannels(multiple=2),
        """
        input %x : 1 u4.0
        %a = dense(%x) {weight=[[1], [0], [3], [0]], shift=[0, 0, 0, 0], bias=[0, 5, 1, 2]} : 4 u6.0 [0,46]
        %b = dense(%a) {weight=[[3, 4, 0, 1]], shift=[1], bias=[7]} : 1 u10.0 [7,743]
        output %b
        """,  # noqa: E501
        """
        input %x : 1 u4.0
        %a = dense(%x) {weight=[[1], [0]], shift=[0, 0], bias=[0, 5]} : 2 u4.0
        %b = dense(%a) {weight=[[3, 4]], shift=[1], bias=[11]} : 1 u8.0 [11,221]
        output %b
        """,
    )


def test_input_and_output_stay() -> None:
    check_unchanged(
        PruneChannels(),
        """
        input %x : 2 u4.0
        %a = dense(%x) {weight=[[1, 0], [0, 0]], shift=[0, 0], bias=[0, 5]} : 2 u4.0
        output %a
        """,
    )


def test_groups_stay() -> None:
    check_unchanged(
        PruneChannels(),
        """
        input %x : 2x2x2 u4.0
        %a = conv2d(%x) {weight=[[[[1]]], [[[0]]], [[[1]]], [[[2]]]], shift=[0, 0, 0, 0], bias=[0, 0, 0, 0], groups=2} : 4x2x2 u5.0 [0,30]
        %b = conv2d(%a) {weight=[[[[1]], [[2]], [[0]], [[1]]]], shift=[0], bias=[0]} : 1x2x2 u7.0 [0,120]
        output %b
        """,  # noqa: E501
    )


def test_dead_readers_come_first() -> None:
    graph = parse(
        """
        input %x : 2 u4.0
        %a = relu(%x) : 2 u4.0
        %b = relu(%x) : 2 u4.0
        output %b
        """
    )
    with pytest.raises(VerifyError) as caught:
        run_passes(graph, [PruneChannels()])
    assert str(caught.value) == (
        "pass prune_channels requires no_dead_nodes, which does not hold; "
        "run the passes in another order"
    )


def test_a_concat_keeps_its_channels() -> None:
    check_unchanged(
        PruneChannels(),
        """
        input %x : 2 u4.0
        %a = dense(%x) {weight=[[1, 2], [0, 0]], shift=[0, 0], bias=[0, 5]} : 2 u6.0 [0,45]
        %c = concat(%a, %x) : 4 u6.0 [0,45]
        %y = dense(%c) {weight=[[3, 4, 0, 1]], shift=[0], bias=[7]} : 1 u9.0 [7,367]
        output %y
        """,
    )
