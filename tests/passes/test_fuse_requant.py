"""Clips and roundings merge, and move to where values are narrow."""

from __future__ import annotations

from hwaccel.passes.fuse_requant import FuseRequant
from tests.passes.checks import check, check_unchanged


def test_relu_then_requant() -> None:
    check(
        FuseRequant(),
        """
        input %x : 2 s8.4
        %r = relu(%x) : 2 u7.4
        %q = requant(%r) {shift=4, lo=-8, hi=6} : 2 u3.0 [0,6]
        output %q
        """,
        """
        input %x : 2 s8.4
        %q = requant(%x) {shift=4, lo=0, hi=6} : 2 u3.0 [0,6]
        output %q
        """,
    )


def test_relu_then_negative_clip() -> None:
    check(
        FuseRequant(),
        """
        input %x : 2 s8.4
        %r = relu(%x) : 2 u7.4
        %q = requant(%r) {shift=4, lo=-8, hi=-3} : 2 s3.0 [-3,-3]
        output %q
        """,
        """
        input %x : 2 s8.4
        %q = requant(%x) {shift=4, lo=-3, hi=-3} : 2 s3.0 [-3,-3]
        output %q
        """,
    )


def test_relu_then_wrap_that_never_wraps() -> None:
    check(
        FuseRequant(),
        """
        input %x : 2 s8.4
        %r = relu(%x) : 2 u7.4
        %q = requant(%r) {shift=4, lo=-8, hi=7, rounding=floor, overflow=wrap} : 2 u3.0
        output %q
        """,
        """
        input %x : 2 s8.4
        %q = requant(%x) {shift=4, lo=0, hi=7, rounding=floor} : 2 u3.0
        output %q
        """,
    )


def test_relu_then_wrap() -> None:
    check_unchanged(
        FuseRequant(),
        """
        input %x : 2 s8.4
        %r = relu(%x) : 2 u7.4
        %q = requant(%r) {shift=1, lo=-8, hi=7, overflow=wrap} : 2 s4.3
        output %q
        """,
    )


def test_requant_then_relu() -> None:
    check(
        FuseRequant(),
        """
        input %x : 2 s8.4
        %q = requant(%x) {shift=4, lo=-3, hi=6} : 2 s4.0 [-3,6]
        %r = relu(%q) : 2 u3.0 [0,6]
        output %r
        """,
        """
        input %x : 2 s8.4
        %r = requant(%x) {shift=4, lo=0, hi=6} : 2 u3.0 [0,6]
        output %r
        """,
    )


def test_wrap_then_relu() -> None:
    check_unchanged(
        FuseRequant(),
        """
        input %x : 2 s8.4
        %q = requant(%x) {shift=2, lo=-8, hi=7, overflow=wrap} : 2 s4.2
        %r = relu(%q) : 2 u3.2
        output %r
        """,
    )


def test_identities_go() -> None:
    check(
        FuseRequant(),
        """
        input %x : 2 s8.4
        %a = relu(%x) : 2 u7.4
        %b = relu(%a) : 2 u7.4
        %c = requant(%b) {shift=0, lo=-1, hi=500} : 2 u7.4
        output %c
        """,
        """
        input %x : 2 s8.4
        %c = relu(%x) : 2 u7.4
        output %c
        """,
    )


def test_identity_that_names_an_output_of_an_input() -> None:
    check_unchanged(
        FuseRequant(),
        """
        input %x : 2 u8.4
        %c = requant(%x) {shift=0, lo=-1, hi=500} : 2 u8.4
        output %c
        """,
    )


def test_relu_that_others_read() -> None:
    check_unchanged(
        FuseRequant(),
        """
        input %x : 2 s8.4
        %r = relu(%x) : 2 u7.4
        %q = requant(%r) {shift=4, lo=-8, hi=6} : 2 u3.0 [0,6]
        output %q
        output %r
        """,
    )


def test_floor_then_floor() -> None:
    check(
        FuseRequant(),
        """
        input %x : 2 s8.4
        %a = requant(%x) {shift=2, lo=-9, hi=9, rounding=floor} : 2 s5.2 [-9,9]
        %b = requant(%a) {shift=3, lo=-1, hi=7, rounding=floor} : 2 s2.-1 [-1,1]
        output %b
        """,
        """
        input %x : 2 s8.4
        %b = requant(%x) {shift=5, lo=-1, hi=1, rounding=floor} : 2 s2.-1 [-1,1]
        output %b
        """,
    )


def test_floor_then_half_up() -> None:
    check(
        FuseRequant(),
        """
        input %x : 2 s8.4
        %a = requant(%x) {shift=2, lo=-9, hi=9, rounding=floor} : 2 s5.2 [-9,9]
        %b = requant(%a) {shift=3, lo=-1, hi=7, rounding=half_up} : 2 s2.-1 [-1,1]
        output %b
        """,
        """
        input %x : 2 s8.4
        %b = requant(%x) {shift=5, lo=-1, hi=1, rounding=half_up} : 2 s2.-1 [-1,1]
        output %b
        """,
    )


def test_floor_then_half_even() -> None:
    check_unchanged(
        FuseRequant(),
        """
        input %x : 2 s8.4
        %a = requant(%x) {shift=2, lo=-9, hi=9, rounding=floor} : 2 s5.2 [-9,9]
        %b = requant(%a) {shift=3, lo=-1, hi=7} : 2 s2.-1 [-1,1]
        output %b
        """,
    )


def test_half_up_twice() -> None:
    check_unchanged(
        FuseRequant(),
        """
        input %x : 2 s8.4
        %a = requant(%x) {shift=2, lo=-9, hi=9, rounding=half_up} : 2 s5.2 [-9,9]
        %b = requant(%a) {shift=3, lo=-1, hi=7, rounding=half_up} : 2 s2.-1 [-1,1]
        output %b
        """,
    )


def test_any_then_clip() -> None:
    check(
        FuseRequant(),
        """
        input %x : 2 s8.4
        %a = requant(%x) {shift=2, lo=-9, hi=9} : 2 s5.2 [-9,9]
        %b = requant(%a) {shift=0, lo=-1, hi=7, rounding=floor} : 2 s4.2 [-1,7]
        output %b
        """,
        """
        input %x : 2 s8.4
        %b = requant(%x) {shift=2, lo=-1, hi=7} : 2 s4.2 [-1,7]
        output %b
        """,
    )


def test_left_shift_first() -> None:
    check(
        FuseRequant(),
        """
        input %x : 2 s8.4
        %a = requant(%x) {shift=-2, lo=-9, hi=9} : 2 s5.6 [-9,9]
        %b = requant(%a) {shift=3, lo=-1, hi=7, rounding=half_up} : 2 s2.3 [-1,1]
        output %b
        """,
        """
        input %x : 2 s8.4
        %b = requant(%x) {shift=1, lo=-1, hi=1, rounding=half_up} : 2 s2.3 [-1,1]
        output %b
        """,
    )


def test_right_then_left() -> None:
    check_unchanged(
        FuseRequant(),
        """
        input %x : 2 s8.4
        %a = requant(%x) {shift=2, lo=-9, hi=9, rounding=floor} : 2 s5.2 [-9,9]
        %b = requant(%a) {shift=-1, lo=-1, hi=7, rounding=floor} : 2 s4.3 [-1,7]
        output %b
        """,
    )


def test_then_wrap() -> None:
    check(
        FuseRequant(),
        """
        input %x : 2 u8.4
        %a = requant(%x) {shift=-1, lo=0, hi=511} : 2 u9.5 [0,510]
        %b = requant(%a) {shift=2, lo=0, hi=15, overflow=wrap} : 2 u4.3
        output %b
        """,
        """
        input %x : 2 u8.4
        %b = requant(%x) {shift=1, lo=0, hi=15, overflow=wrap} : 2 u4.3
        output %b
        """,
    )


def test_clip_then_wrap() -> None:
    check_unchanged(
        FuseRequant(),
        """
        input %x : 2 u8.4
        %a = requant(%x) {shift=0, lo=0, hi=100} : 2 u7.4 [0,100]
        %b = requant(%a) {shift=2, lo=0, hi=15, overflow=wrap} : 2 u4.2
        output %b
        """,
    )


def test_narrow_before_the_line_buffer() -> None:
    check(
        FuseRequant(),
        """
        input %x : 2x4x4 s8.4
        %p = maxpool2d(%x) {kernel_size=(2, 2), stride=(2, 2)} : 2x2x2 s8.4
        %r = relu(%p) : 2x2x2 u7.4
        %q = requant(%r) {shift=3, lo=0, hi=15} : 2x2x2 u4.1
        %f = reshape(%q) {shape=(8,)} : 8 u4.1
        output %f
        """,
        """
        input %x : 2x4x4 s8.4
        %q = requant(%x) {shift=3, lo=0, hi=15} : 2x4x4 u4.1
        %p = maxpool2d(%q) {kernel_size=(2, 2), stride=(2, 2)} : 2x2x2 u4.1
        %f = reshape(%p) {shape=(8,)} : 8 u4.1
        output %f
        """,
    )


def test_widen_behind_the_line_buffer() -> None:
    check(
        FuseRequant(),
        """
        input %x : 2x4x4 s4.4
        %q = requant(%x) {shift=-3, lo=-128, hi=127} : 2x4x4 s7.7 [-64,56]
        %p = maxpool2d(%q) {kernel_size=(2, 2), stride=(2, 2)} : 2x2x2 s7.7 [-64,56]
        output %p
        """,
        """
        input %x : 2x4x4 s4.4
        %q = maxpool2d(%x) {kernel_size=(2, 2), stride=(2, 2)} : 2x2x2 s4.4
        %p = requant(%q) {shift=-3, lo=-128, hi=127} : 2x2x2 s7.7 [-64,56]
        output %p
        """,
    )


def test_wrap_is_not_monotone() -> None:
    check_unchanged(
        FuseRequant(),
        """
        input %x : 2x4x4 s8.4
        %p = maxpool2d(%x) {kernel_size=(2, 2), stride=(2, 2)} : 2x2x2 s8.4
        %q = requant(%p) {shift=3, lo=0, hi=15, overflow=wrap} : 2x2x2 u4.1
        output %q
        """,
    )


def test_pool_that_others_read() -> None:
    check_unchanged(
        FuseRequant(),
        """
        input %x : 2x4x4 s8.4
        %p = maxpool2d(%x) {kernel_size=(2, 2), stride=(2, 2)} : 2x2x2 s8.4
        %q = requant(%p) {shift=3, lo=0, hi=15} : 2x2x2 u4.1
        output %q
        output %p
        """,
    )


def test_narrow_before_the_frame_buffer() -> None:
    check(
        FuseRequant(),
        """
        input %x : 2x2x2 s8.4
        %f = reshape(%x) {shape=(8,)} : 8 s8.4
        %q = requant(%f) {shift=3, lo=0, hi=15, overflow=wrap} : 8 u4.1
        %y = dense(%q) {weight=[[1, 2, 3, 4, 5, 6, 7, 8]], shift=[0], bias=[0]} : 1 u10.1 [0,540]
        output %y
        """,
        """
        input %x : 2x2x2 s8.4
        %q = requant(%x) {shift=3, lo=0, hi=15, overflow=wrap} : 2x2x2 u4.1
        %f = reshape(%q) {shape=(8,)} : 8 u4.1
        %y = dense(%f) {weight=[[1, 2, 3, 4, 5, 6, 7, 8]], shift=[0], bias=[0]} : 1 u10.1 [0,540]
        output %y
        """,
    )


def test_widen_behind_the_frame_buffer() -> None:
    check(
        FuseRequant(),
        """
        input %x : 2x2x2 s4.4
        %q = requant(%x) {shift=-3, lo=-128, hi=127} : 2x2x2 s7.7 [-64,56]
        %f = reshape(%q) {shape=(8,)} : 8 s7.7 [-64,56]
        %y = dense(%f) {weight=[[1, 2, 3, 4, 5, 6, 7, 8]], shift=[0], bias=[0]} : 1 s13.7 [-2304,2016]
        output %y
        """,  # noqa: E501
        """
        input %x : 2x2x2 s4.4
        %f = reshape(%x) {shape=(8,)} : 8 s4.4
        %q = requant(%f) {shift=-3, lo=-128, hi=127} : 8 s7.7 [-64,56]
        %y = dense(%q) {weight=[[1, 2, 3, 4, 5, 6, 7, 8]], shift=[0], bias=[0]} : 1 s13.7 [-2304,2016]
        output %y
        """,  # noqa: E501
    )
