"""Moves that follow one another become one."""

from __future__ import annotations

from hwaccel.passes.merge_gathers import MergeGathers
from tests.passes.checks import check, check_unchanged


def test_two_that_undo_each_other_vanish() -> None:
    check(
        MergeGathers(),
        """
        input %x : 2x2 s4.0
        %a = gather(%x) {source=[0, 2, 1, 3], shape=(2, 2)} : 2x2 s4.0
        %b = relu(%a) : 2x2 u3.0
        %c = gather(%b) {source=[0, 2, 1, 3], shape=(2, 2)} : 2x2 u3.0
        output %c
        """,
        """
        input %x : 2x2 s4.0
        %c = relu(%x) : 2x2 u3.0
        output %c
        """,
    )


def test_padding_and_shape_are_kept() -> None:
    check(
        MergeGathers(),
        """
        input %x : 4 s4.0
        %a = reshape(%x) {shape=(2, 2)} : 2x2 s4.0
        %b = gather(%a) {source=[3, -1, 0], shape=(3,), fill=5} : 3 s4.0
        %c = reshape(%b) {shape=(1, 3)} : 1x3 s4.0
        %d = gather(%c) {source=[2, 1, 1, 2], shape=(2, 2)} : 2x2 s4.0
        output %d
        """,
        """
        input %x : 4 s4.0
        %d = gather(%x) {source=[0, -1, -1, 0], shape=(2, 2), fill=5} : 2x2 s4.0
        output %d
        """,
    )


def test_what_another_reads_stays() -> None:
    check(
        MergeGathers(),
        """
        input %x : 3 s4.0
        %a = gather(%x) {source=[2, 1, 0], shape=(3,)} : 3 s4.0
        %b = gather(%a) {source=[2, 1], shape=(2,)} : 2 s4.0
        output %a
        output %b
        """,
        """
        input %x : 3 s4.0
        %a = gather(%x) {source=[2, 1, 0], shape=(3,)} : 3 s4.0
        %b = gather(%x) {source=[0, 1], shape=(2,)} : 2 s4.0
        output %a
        output %b
        """,
    )


def test_a_gather_without_moves_is_a_reshape() -> None:
    check(
        MergeGathers(),
        """
        input %x : 2x2 s4.0
        %a = gather(%x) {source=[0, 1, 2, 3], shape=(4,)} : 4 s4.0
        output %a
        """,
        """
        input %x : 2x2 s4.0
        %a = reshape(%x) {shape=(4,)} : 4 s4.0
        output %a
        """,
    )


def test_two_constants_stay_two() -> None:
    check_unchanged(
        MergeGathers(),
        """
        input %x : 1 s4.0
        %a = gather(%x) {source=[-1, 0], shape=(2,), fill=1} : 2 s4.0
        %b = gather(%a) {source=[1, 0, -1], shape=(3,)} : 3 s4.0
        output %b
        """,
    )


def test_what_grows_or_pads_moves_behind_nothing_it_would_slow() -> None:
    check_unchanged(
        MergeGathers(),
        """
        input %x : 4 s4.0
        %a = gather(%x) {source=[3, 1], shape=(2,)} : 2 s4.0
        %b = relu(%a) : 2 u3.0
        %c = gather(%b) {source=[1, 0], shape=(2,)} : 2 u3.0
        output %c
        """,
    )


def test_what_is_read_from_a_part_that_stays_reads_the_part() -> None:
    check_unchanged(
        MergeGathers(),
        """
        input %x : 4 s4.0
        %a = gather(%x) {source=[3, 1], shape=(2,)} : 2 s4.0
        %b = gather(%a) {source=[0], shape=(1,)} : 1 s4.0
        %c = gather(%a) {source=[1], shape=(1,)} : 1 s4.0
        output %b
        output %c
        """,
    )


def test_a_transposition_in_front_of_a_repetition_stays() -> None:
    """Moved twice, four lanes stay together for all repetitions; moved once, none would."""
    transposed = [0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15]
    repeated = [row * 4 + column for row in range(4) for column in range(4) for _ in range(8)]
    check_unchanged(
        MergeGathers(),
        f"""
        input %x : 4x4 s4.0
        %a = gather(%x) {{source={transposed}, shape=(4, 4)}} : 4x4 s4.0
        %b = gather(%a) {{source={repeated}, shape=(4, 32)}} : 4x32 s4.0
        output %b
        """,
    )
