"""Bits that never matter go."""

from __future__ import annotations

from hwaccel.passes.narrow_types import NarrowTypes
from tests.passes.checks import check, check_unchanged


def test_common_factor_moves_into_the_requant() -> None:
    check(
        NarrowTypes(),
        """
        input %x : 2 u4.4
        %fc = dense(%x) {weight=[[4, 8], [12, 0]], shift=[0, 1], bias=[12, -8], weight_frac=3} : 2 s10.7 [-8,352]
        %q = requant(%fc) {shift=3, lo=-8, hi=7} : 2 s4.4 [-1,7]
        output %q
        """,  # noqa: E501
        """
        input %x : 2 u4.4
        %fc = dense(%x) {weight=[[1, 2], [6, 0]], shift=[0, 0], bias=[3, -2], weight_frac=1} : 2 s8.5 [-2,88]
        %q = requant(%fc) {shift=1, lo=-8, hi=7} : 2 s4.4 [-1,7]
        output %q
        """,  # noqa: E501
    )


def test_factor_goes_through_to_an_add() -> None:
    check(
        NarrowTypes(),
        """
        input %x : 1x2x2 u4.4
        %c = conv2d(%x) {weight=[[[[3]]]], shift=[2], bias=[8]} : 1x2x2 u8.4 [8,188]
        %r = relu(%c) : 1x2x2 u8.4 [8,188]
        %p = maxpool2d(%r) {kernel_size=(2, 2), stride=(1, 1)} : 1x1x1 u8.4 [8,188]
        %d = conv2d(%x) {weight=[[[[1, 1], [1, 1]]]], shift=[0], bias=[8]} : 1x1x1 u7.4 [8,68]
        %s = add(%p, %d) : 1x1x1 u9.4 [16,256]
        output %s
        """,
        """
        input %x : 1x2x2 u4.4
        %c = conv2d(%x) {weight=[[[[3]]]], shift=[0], bias=[2], weight_frac=-2} : 1x2x2 u6.2 [2,47]
        %r = relu(%c) : 1x2x2 u6.2 [2,47]
        %p = maxpool2d(%r) {kernel_size=(2, 2), stride=(1, 1)} : 1x1x1 u6.2 [2,47]
        %d = conv2d(%x) {weight=[[[[1, 1], [1, 1]]]], shift=[0], bias=[8]} : 1x1x1 u7.4 [8,68]
        %s = add(%p, %d) {a_shift=2} : 1x1x1 u9.4 [16,256]
        output %s
        """,
    )


def test_factor_goes_into_a_concat_and_out_of_it() -> None:
    check(
        NarrowTypes(),
        """
        input %x : 2 u4.4
        %fc = dense(%x) {weight=[[4, 8]], shift=[0], bias=[12]} : 1 u8.4 [12,192]
        %c = concat(%fc, %x) : 3 u8.4 [0,192]
        %d = concat(%fc, %fc) : 2 u8.4 [12,192]
        %q = requant(%d) {shift=3, lo=0, hi=31} : 2 u5.1 [2,24]
        output %c
        output %q
        """,
        """
        input %x : 2 u4.4
        %fc = dense(%x) {weight=[[1, 2]], shift=[0], bias=[3], weight_frac=-2} : 1 u6.2 [3,48]
        %c = concat(%fc, %x) {a_shift=2} : 3 u8.4 [0,192]
        %d = concat(%fc, %fc) : 2 u6.2 [3,48]
        %q = requant(%d) {shift=1, lo=0, hi=31} : 2 u5.1 [2,24]
        output %c
        output %q
        """,
    )


def test_factor_goes_into_a_difference() -> None:
    check(
        NarrowTypes(),
        """
        input %x : 2 u4.4
        %fc = dense(%x) {weight=[[4, 8], [4, 4]], shift=[0, 0], bias=[12, 8]} : 2 u8.4 [8,192]
        %s = add(%x, %fc) {subtract=true} : 2 s9.4 [-192,7]
        %t = add(%fc, %fc) {a_shift=1, b_shift=1, subtract=true} : 2 s10.5 [-368,368]
        %q = requant(%t) {shift=3, lo=-31, hi=31} : 2 s6.2 [-31,31]
        output %s
        output %q
        """,
        """
        input %x : 2 u4.4
        %fc = dense(%x) {weight=[[1, 2], [1, 1]], shift=[0, 0], bias=[3, 2], weight_frac=-2} : 2 u6.2 [2,48]
        %s = add(%x, %fc) {b_shift=2, subtract=true} : 2 s9.4 [-192,7]
        %t = add(%fc, %fc) {subtract=true} : 2 s7.2 [-46,46]
        %q = requant(%t) {shift=0, lo=-31, hi=31, rounding=floor} : 2 s6.2 [-31,31]
        output %s
        output %q
        """,  # noqa: E501
    )


def test_factor_goes_into_a_maximum_and_out_of_it() -> None:
    check(
        NarrowTypes(),
        """
        input %x : 1 u4.4
        %fc = dense(%x) {weight=[[4]], shift=[0], bias=[12]} : 1 u7.4 [12,72]
        %m = minmax(%fc, %x) {a_shift=0, b_shift=0, largest=true} : 1 u7.4 [12,72]
        %n = minmax(%fc, %fc) {a_shift=1, b_shift=1, largest=false} : 1 u8.5 [24,144]
        %q = requant(%n) {shift=4, lo=0, hi=15} : 1 u4.1 [2,9]
        output %m
        output %q
        """,
        """
        input %x : 1 u4.4
        %fc = dense(%x) {weight=[[1]], shift=[0], bias=[3], weight_frac=-2} : 1 u5.2 [3,18]
        %m = minmax(%fc, %x) {a_shift=2, b_shift=0, largest=true} : 1 u7.4 [12,72]
        %n = minmax(%fc, %fc) {a_shift=0, b_shift=0, largest=false} : 1 u5.2 [3,18]
        %q = requant(%n) {shift=1, lo=0, hi=15} : 1 u4.1 [2,9]
        output %m
        output %q
        """,
    )


def test_factor_of_both_operands() -> None:
    check(
        NarrowTypes(),
        """
        input %x : 2 u4.4
        %fc = dense(%x) {weight=[[4, 8]], shift=[0], bias=[12]} : 1 u8.4 [12,192]
        %s = add(%fc, %fc) : 1 u9.4 [24,384]
        output %s
        """,
        """
        input %x : 2 u4.4
        %fc = dense(%x) {weight=[[1, 2]], shift=[0], bias=[3], weight_frac=-2} : 1 u6.2 [3,48]
        %s = add(%fc, %fc) {a_shift=2, b_shift=2} : 1 u9.4 [24,384]
        output %s
        """,
    )


def test_factor_of_an_add() -> None:
    check(
        NarrowTypes(),
        """
        input %x : 2 u4.4
        %fc = dense(%x) {weight=[[4, 8]], shift=[0], bias=[12]} : 1 u8.4 [12,192]
        %s = add(%fc, %fc) : 1 u9.4 [24,384]
        %q = requant(%s) {shift=3, lo=0, hi=31} : 1 u5.1 [3,31]
        output %q
        """,
        """
        input %x : 2 u4.4
        %fc = dense(%x) {weight=[[1, 2]], shift=[0], bias=[3], weight_frac=-2} : 1 u6.2 [3,48]
        %s = add(%fc, %fc) : 1 u7.2 [6,96]
        %q = requant(%s) {shift=1, lo=0, hi=31} : 1 u5.1 [3,31]
        output %q
        """,
    )


def test_factor_of_a_scale() -> None:
    check(
        NarrowTypes(),
        """
        input %x : 2 u4.4
        %s = scale(%x) {mult=[4, 8], add=[4, 0], mult_frac=3} : 2 u7.7 [0,120]
        %q = requant(%s) {shift=1, lo=0, hi=31} : 2 u5.6
        output %q
        """,
        """
        input %x : 2 u4.4
        %s = scale(%x) {mult=[1, 2], add=[1, 0], mult_frac=1} : 2 u5.5 [0,30]
        %q = requant(%s) {shift=-1, lo=0, hi=31, rounding=floor} : 2 u5.6
        output %q
        """,
    )


def test_factor_at_an_output_stays() -> None:
    check_unchanged(
        NarrowTypes(),
        """
        input %x : 2 u4.4
        %fc = dense(%x) {weight=[[4, 8]], shift=[0], bias=[12]} : 1 u8.4 [12,192]
        %r = relu(%fc) : 1 u8.4 [12,192]
        output %r
        """,
    )


def test_factor_before_another_op_stays() -> None:
    check_unchanged(
        NarrowTypes(),
        """
        input %x : 2 u4.4
        %fc = dense(%x) {weight=[[4, 8]], shift=[0], bias=[12]} : 1 u8.4 [12,192]
        %a = requant(%fc) {shift=1, lo=0, hi=15} : 1 u4.3 [6,15]
        %b = dense(%fc) {weight=[[1]], shift=[0], bias=[0]} : 1 u8.4 [12,192]
        output %a
        output %b
        """,
    )


def test_clip_shrinks_to_what_channels_reach() -> None:
    check(
        NarrowTypes(),
        """
        input %x : 2 u8.0
        %s = scale(%x) {mult=[1, 0], add=[0, 9]} : 2 u8.0
        %q = requant(%s) {shift=1, lo=0, hi=127} : 2 u7.-1
        %t = scale(%q) {mult=[0, 1], add=[3, 0]} : 2 u7.-1
        %u = requant(%t) {shift=1, lo=0, hi=63, overflow=wrap} : 2 u6.-2
        output %u
        """,
        """
        input %x : 2 u8.0
        %s = scale(%x) {mult=[1, 0], add=[0, 9]} : 2 u8.0
        %q = requant(%s) {shift=1, lo=0, hi=127} : 2 u7.-1
        %t = scale(%q) {mult=[0, 1], add=[3, 0]} : 2 u7.-1
        %u = requant(%t) {shift=1, lo=2, hi=2} : 2 u2.-2 [2,2]
        output %u
        """,
    )


def test_rounding_without_a_right_shift() -> None:
    check(
        NarrowTypes(),
        """
        input %x : 2 s4.0
        %q = requant(%x) {shift=-1, lo=-9, hi=9} : 2 s5.1 [-9,9]
        output %q
        """,
        """
        input %x : 2 s4.0
        %q = requant(%x) {shift=-1, lo=-9, hi=9, rounding=floor} : 2 s5.1 [-9,9]
        output %q
        """,
    )


def test_nothing_to_do() -> None:
    check_unchanged(
        NarrowTypes(),
        """
        input %x : 2 s4.0
        %fc = dense(%x) {weight=[[1, 2]], shift=[0], bias=[12]} : 1 s7.0 [-12,33]
        %q = requant(%fc) {shift=1, lo=-9, hi=9} : 1 s5.-1 [-6,9]
        output %q
        """,
    )
