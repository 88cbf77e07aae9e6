"""Flattens follow the stream where dense layers can follow them."""

from __future__ import annotations

from hwaccel.passes.stream_flatten import StreamFlatten
from tests.passes.checks import check, check_unchanged


def test_weights_and_constants_follow() -> None:
    check(
        StreamFlatten(),
        """
        input %x : 2x1x2 u4.0
        %f = reshape(%x) {shape=(4,)} : 4 u4.0
        %r = requant(%f) {shift=1, lo=0, hi=7} : 4 u3.-1
        %m = scale(%r) {mult=[1, 2, 3, 4], add=[5, 6, 7, 8]} : 4 u6.-1 [5,36]
        %a = dense(%m) {weight=[[1, 2, 3, 4]], shift=[0], bias=[0]} : 1 u9.-1 [50,360]
        %b = dense(%r) {weight=[[5, 6, 7, 8]], shift=[0], bias=[0]} : 1 u8.-1 [0,182]
        %y = add(%a, %b) : 1 u10.-1 [50,542]
        output %y
        """,
        """
        input %x : 2x1x2 u4.0
        %f = reshape(%x) {shape=(4,), channels_last=true} : 4 u4.0
        %r = requant(%f) {shift=1, lo=0, hi=7} : 4 u3.-1
        %m = scale(%r) {mult=[1, 3, 2, 4], add=[5, 7, 6, 8]} : 4 u6.-1 [5,36]
        %a = dense(%m) {weight=[[1, 3, 2, 4]], shift=[0], bias=[0]} : 1 u9.-1 [50,360]
        %b = dense(%r) {weight=[[5, 7, 6, 8]], shift=[0], bias=[0]} : 1 u8.-1 [0,182]
        %y = add(%a, %b) : 1 u10.-1 [50,542]
        output %y
        """,
    )


def test_not_before_an_output() -> None:
    check_unchanged(
        StreamFlatten(),
        """
        input %x : 2x1x2 u4.0
        %f = reshape(%x) {shape=(4,)} : 4 u4.0
        output %f
        """,
    )


def test_not_before_an_add() -> None:
    check_unchanged(
        StreamFlatten(),
        """
        input %x : 2x1x2 u4.0
        %f = reshape(%x) {shape=(4,)} : 4 u4.0
        %y = add(%f, %f) : 4 u5.0 [0,30]
        output %y
        """,
    )


def test_not_before_a_relu_that_is_an_output() -> None:
    check_unchanged(
        StreamFlatten(),
        """
        input %x : 2x1x2 u4.0
        %f = reshape(%x) {shape=(4,)} : 4 u4.0
        %r = relu(%f) : 4 u4.0
        output %r
        """,
    )


def test_not_before_another_reshape() -> None:
    check_unchanged(
        StreamFlatten(),
        """
        input %x : 2x1x2 u4.0
        %f = reshape(%x) {shape=(4,)} : 4 u4.0
        %y = reshape(%f) {shape=(2, 2)} : 2x2 u4.0
        output %y
        """,
    )


def test_nothing_moves() -> None:
    check_unchanged(
        StreamFlatten(),
        """
        input %x : 4x1x1 u4.0
        %f = reshape(%x) {shape=(4,)} : 4 u4.0
        %a = dense(%f) {weight=[[1, 2, 3, 4]], shift=[0], bias=[0]} : 1 u8.0 [0,150]
        output %a
        """,
    )
