"""Scales become part of the weights beside them."""

from __future__ import annotations

from hwaccel.passes.fold_batchnorm import FoldBatchnorm
from tests.passes.checks import check, check_unchanged


def test_behind_dense() -> None:
    check(
        FoldBatchnorm(),
        """
        input %x : 2 s4.2
        %fc = dense(%x) {weight=[[3, -1], [2, 0]], shift=[0, 1], bias=[1, 5], weight_frac=1} : 2 s7.3 [-30,33]
        %bn = scale(%fc) {mult=[5, -2], add=[2, 7], mult_frac=3} : 2 s9.6 [-148,167]
        output %bn
        """,  # noqa: E501
        """
        input %x : 2 s4.2
        %bn = dense(%x) {weight=[[15, -5], [-4, 0]], shift=[0, 1], bias=[7, -3], weight_frac=4} : 2 s9.6 [-148,152]
        output %bn
        """,  # noqa: E501
    )


def test_behind_conv2d() -> None:
    check(
        FoldBatchnorm(),
        """
        input %x : 1x2x2 s4.2
        %conv = conv2d(%x) {weight=[[[[3]]], [[[2]]]], shift=[0, 1], bias=[1, 5]} : 2x2x2 s7.2 [-27,33]
        %bn = scale(%conv) {mult=[5, -2], add=[2, 7], mult_frac=3} : 2x2x2 s9.5 [-133,167]
        %act = relu(%bn) : 2x2x2 u8.5 [0,167]
        output %act
        """,  # noqa: E501
        """
        input %x : 1x2x2 s4.2
        %conv = conv2d(%x) {weight=[[[[15]]], [[[-4]]]], shift=[0, 1], bias=[7, -3], weight_frac=3} : 2x2x2 s8.5 [-113,112]
        %act = relu(%conv) : 2x2x2 u7.5 [0,112]
        output %act
        """,  # noqa: E501
    )


def test_before_dense() -> None:
    check(
        FoldBatchnorm(),
        """
        input %x : 2 s4.2
        %bn = scale(%x) {mult=[5, -2], add=[2, 7], mult_frac=3} : 2 s7.5 [-38,37]
        %fc = dense(%bn) {weight=[[3, -1], [2, 0]], shift=[0, 1], bias=[1, 5], weight_frac=1} : 2 s9.6 [-150,153]
        output %fc
        """,  # noqa: E501
        """
        input %x : 2 s4.2
        %fc = dense(%x) {weight=[[15, 2], [10, 0]], shift=[0, 1], bias=[0, 13], weight_frac=4} : 2 s9.6 [-147,153]
        output %fc
        """,  # noqa: E501
    )


def test_before_grouped_conv2d() -> None:
    check(
        FoldBatchnorm(),
        """
        input %x : 2x2x2 s4.2
        %bn = scale(%x) {mult=[5, -2], add=[2, 7]} : 2x2x2 s7.2 [-38,37]
        %conv = conv2d(%bn) {weight=[[[[3]]], [[[1]]], [[[2]]], [[[-1]]]], shift=[0, 0, 1, 0], bias=[0, 0, 0, 1], groups=2} : 4x2x2 s9.2 [-152,148]
        output %conv
        """,  # noqa: E501
        """
        input %x : 2x2x2 s4.2
        %conv = conv2d(%x) {weight=[[[[15]]], [[[5]]], [[[-4]]], [[[2]]]], shift=[0, 0, 1, 0], bias=[6, 2, 28, -6], groups=2} : 4x2x2 s8.2 [-114,111]
        output %conv
        """,  # noqa: E501
    )


def test_offset_before_padding_stays() -> None:
    check_unchanged(
        FoldBatchnorm(),
        """
        input %x : 1x2x2 s4.2
        %bn = scale(%x) {mult=[5], add=[2]} : 1x2x2 s7.2 [-38,37]
        %conv = conv2d(%bn) {weight=[[[[3]]]], shift=[0], bias=[1], padding=(0, 0, 1, 0)} : 1x3x2 s8.2 [-113,112]
        output %conv
        """,  # noqa: E501
    )


def test_no_offset_before_padding() -> None:
    check(
        FoldBatchnorm(),
        """
        input %x : 1x2x2 s4.2
        %bn = scale(%x) {mult=[5], add=[0]} : 1x2x2 s7.2 [-40,35]
        %conv = conv2d(%bn) {weight=[[[[3]]]], shift=[0], bias=[1], padding=(0, 0, 1, 0)} : 1x3x2 s8.2 [-119,106]
        output %conv
        """,  # noqa: E501
        """
        input %x : 1x2x2 s4.2
        %conv = conv2d(%x) {weight=[[[[15]]]], shift=[0], bias=[1], padding=(0, 0, 1, 0)} : 1x3x2 s8.2 [-119,106]
        output %conv
        """,  # noqa: E501
    )


def test_scales_merge_and_identity_goes() -> None:
    check(
        FoldBatchnorm(),
        """
        input %x : 2 s4.2
        %a = scale(%x) {mult=[5, -2], add=[2, 7], mult_frac=3} : 2 s7.5 [-38,37]
        %b = scale(%a) {mult=[3, 1], add=[0, 1], mult_frac=1} : 2 s8.6 [-114,111]
        %c = scale(%b) {mult=[1, 1], add=[0, 0]} : 2 s8.6 [-114,111]
        output %c
        """,
        """
        input %x : 2 s4.2
        %c = scale(%x) {mult=[15, -2], add=[6, 8], mult_frac=4} : 2 s8.6 [-114,111]
        output %c
        """,
    )


def test_other_units_are_no_identity() -> None:
    check_unchanged(
        FoldBatchnorm(),
        """
        input %x : 2 s4.2
        %c = scale(%x) {mult=[1, 1], add=[0, 0], mult_frac=1} : 2 s4.3
        %r = relu(%c) : 2 u3.3
        output %r
        """,
    )


def test_too_wide_for_the_budget() -> None:
    check_unchanged(
        FoldBatchnorm(bits=4),
        """
        input %x : 1 s4.2
        %fc = dense(%x) {weight=[[3]], shift=[0], bias=[1]} : 1 s6.2 [-23,22]
        %bn = scale(%fc) {mult=[20], add=[2]} : 1 s10.2 [-458,442]
        output %bn
        """,
    )


def test_few_bits_stay_few() -> None:
    """A multiplier behind the sum costs less than weights of four times the bits."""
    check_unchanged(
        FoldBatchnorm(),
        """
        input %x : 2 s4.2
        %fc = dense(%x) {weight=[[3, -1], [2, 0]], shift=[0, 0], bias=[1, 5], weight_frac=1} : 2 s6.3 [-30,30]
        %bn = scale(%fc) {mult=[501, 333], add=[2, 7], mult_frac=9} : 2 s15.12 [-15028,15032]
        output %bn
        """,  # noqa: E501
    )


def test_trailing_zeros_move_into_the_shift() -> None:
    check(
        FoldBatchnorm(bits=4),
        """
        input %x : 1 s4.2
        %fc = dense(%x) {weight=[[3]], shift=[0], bias=[1]} : 1 s6.2 [-23,22]
        %bn = scale(%fc) {mult=[8], add=[2]} : 1 s9.2 [-182,178]
        output %bn
        """,
        """
        input %x : 1 s4.2
        %bn = dense(%x) {weight=[[3]], shift=[3], bias=[10]} : 1 s9.2 [-182,178]
        output %bn
        """,
    )


def test_a_power_of_two_moves_into_the_shift() -> None:
    check(
        FoldBatchnorm(),
        """
        input %x : 2 s4.2
        %fc = dense(%x) {weight=[[3, -7], [5, 6]], shift=[0, 1], bias=[1, 2]} : 2 s9.2 [-174,156]
        %bn = scale(%fc) {mult=[64, 1], add=[0, 0]} : 2 s15.2 [-11136,9984]
        output %bn
        """,
        """
        input %x : 2 s4.2
        %bn = dense(%x) {weight=[[3, -7], [5, 6]], shift=[6, 1], bias=[64, 2]} : 2 s14.2 [-4608,4992]
        output %bn
        """,  # noqa: E501
    )


def test_one_bit_does_not_pay_for_a_shifter() -> None:
    check(
        FoldBatchnorm(),
        """
        input %x : 2 s4.2
        %fc = dense(%x) {weight=[[3, -7], [5, 7]], shift=[0, 0], bias=[1, 2]} : 2 s8.2 [-94,86]
        %bn = scale(%fc) {mult=[2, 1], add=[0, 0]} : 2 s9.2 [-188,172]
        output %bn
        """,
        """
        input %x : 2 s4.2
        %bn = dense(%x) {weight=[[6, -14], [5, 7]], shift=[0, 0], bias=[2, 2]} : 2 s9.2 [-144,156]
        output %bn
        """,
    )


def test_someone_else_reads_the_dense() -> None:
    check_unchanged(
        FoldBatchnorm(),
        """
        input %x : 1 s4.2
        %fc = dense(%x) {weight=[[3]], shift=[0], bias=[1]} : 1 s6.2 [-23,22]
        %bn = scale(%fc) {mult=[8], add=[2]} : 1 s9.2 [-182,178]
        output %bn
        output %fc
        """,
    )
