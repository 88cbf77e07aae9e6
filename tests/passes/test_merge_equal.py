"""Equal nodes become one."""

from __future__ import annotations

from hwaccel.passes.merge_equal import MergeEqual
from tests.passes.checks import check, check_unchanged


def test_chain_and_commuted_add() -> None:
    check(
        MergeEqual(),
        """
        input %x : 2 s4.0
        input %y : 2 s4.2
        %a = add(%x, %y) {a_shift=2} : 2 s7.2 [-40,35]
        %b = add(%y, %x) {b_shift=2} : 2 s7.2 [-40,35]
        %c = relu(%a) : 2 u6.2 [0,35]
        %d = relu(%b) : 2 u6.2 [0,35]
        %e = add(%c, %d) : 2 u7.2 [0,70]
        output %e
        """,
        """
        input %x : 2 s4.0
        input %y : 2 s4.2
        %a = add(%x, %y) {a_shift=2} : 2 s7.2 [-40,35]
        %c = relu(%a) : 2 u6.2 [0,35]
        %e = add(%c, %c) : 2 u7.2 [0,70]
        output %e
        """,
    )


def test_a_difference_does_not_commute() -> None:
    check(
        MergeEqual(),
        """
        input %x : 2 s4.0
        input %y : 2 s4.0
        %a = add(%x, %y) {subtract=true} : 2 s5.0 [-15,15]
        %b = add(%x, %y) {subtract=true} : 2 s5.0 [-15,15]
        %c = add(%y, %x) {subtract=true} : 2 s5.0 [-15,15]
        %d = add(%x, %y) : 2 s5.0 [-16,14]
        %e = add(%a, %b) : 2 s6.0 [-30,30]
        %f = add(%c, %d) : 2 s6.0 [-31,29]
        output %e
        output %f
        """,
        """
        input %x : 2 s4.0
        input %y : 2 s4.0
        %a = add(%x, %y) {subtract=true} : 2 s5.0 [-15,15]
        %c = add(%y, %x) {subtract=true} : 2 s5.0 [-15,15]
        %d = add(%x, %y) : 2 s5.0 [-16,14]
        %e = add(%a, %a) : 2 s6.0 [-30,30]
        %f = add(%c, %d) : 2 s6.0 [-31,29]
        output %e
        output %f
        """,
    )


def test_commuted_maximum_and_a_minimum_beside_it() -> None:
    check(
        MergeEqual(),
        """
        input %x : 2 s4.0
        input %y : 2 s4.2
        %a = minmax(%x, %y) {a_shift=2, b_shift=0, largest=true} : 2 s6.2 [-8,28]
        %b = minmax(%y, %x) {a_shift=0, b_shift=2, largest=true} : 2 s6.2 [-8,28]
        %c = minmax(%y, %x) {a_shift=0, b_shift=2, largest=false} : 2 s6.2 [-32,7]
        %d = add(%a, %b) : 2 s7.2 [-16,56]
        output %c
        output %d
        """,
        """
        input %x : 2 s4.0
        input %y : 2 s4.2
        %a = minmax(%x, %y) {a_shift=2, b_shift=0, largest=true} : 2 s6.2 [-8,28]
        %c = minmax(%y, %x) {a_shift=0, b_shift=2, largest=false} : 2 s6.2 [-32,7]
        %d = add(%a, %a) : 2 s7.2 [-16,56]
        output %c
        output %d
        """,
    )


def test_output_keeps_its_name() -> None:
    check(
        MergeEqual(),
        """
        input %x : 2 s4.0
        %a = relu(%x) : 2 u3.0
        %b = relu(%x) : 2 u3.0
        %c = add(%a, %a) : 2 u4.0 [0,14]
        output %b
        output %c
        """,
        """
        input %x : 2 s4.0
        %b = relu(%x) : 2 u3.0
        %c = add(%b, %b) : 2 u4.0 [0,14]
        output %b
        output %c
        """,
    )


def test_two_outputs_stay() -> None:
    check_unchanged(
        MergeEqual(),
        """
        input %x : 2 s4.0
        %a = relu(%x) : 2 u3.0
        %b = relu(%x) : 2 u3.0
        output %a
        output %b
        """,
    )


def test_same_operands_other_op() -> None:
    check_unchanged(
        MergeEqual(),
        """
        input %x : 2 s4.0
        %a = scale(%x) {mult=[1, 2], add=[0, 0]} : 2 s5.0 [-16,14]
        %b = scale(%x) {mult=[2, 1], add=[0, 0]} : 2 s5.0 [-16,14]
        %c = add(%a, %b) : 2 s6.0 [-32,28]
        output %c
        """,
    )
