"""Integers as C++ and Verilog take them, at the ends of every type."""

from __future__ import annotations

import pytest

from hwaccel.emit.literals import c_int, comment, order_lines, rom_lines, verilog_parameter
from hwaccel.fxp import IntArray
from hwaccel.ir.hardware import Order, Rom


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (-1, "-1"),
        ((1 << 31) - 1, "2147483647"),
        (1 << 31, "2147483648LL"),
        (-(1 << 31) + 1, "-2147483647"),
        (-(1 << 31), "-2147483648LL"),
        ((1 << 63) - 1, "9223372036854775807LL"),
        (-(1 << 63) + 1, "-9223372036854775807LL"),
        (-(1 << 63), "(-9223372036854775807LL - 1)"),
    ],
)
def test_integers_of_cpp_have_a_type_that_holds_them(value: int, text: str) -> None:
    assert c_int(value) == text


def test_parameters_of_64_bits_are_sized() -> None:
    assert verilog_parameter("LO", -5) == "-64'sd5"
    assert verilog_parameter("HI", 5) == "64'sd5"
    assert verilog_parameter("SHIFT", -5) == "-5"


def test_words_of_a_rom_hold_their_fields_low_first() -> None:
    rom = Rom("TABLE", IntArray([[-1, 2], [0, -3]]), (3, 6))
    assert rom_lines(rom) == ["017", "1e8"]


def test_long_comments_end_in_dots() -> None:
    assert comment("x" * 20, 20) == "x" * 20
    assert comment("x" * 21, 20) == "x" * 17 + "..."


def test_comments_hold_printable_characters_and_nothing_that_ends_or_joins_lines() -> None:
    assert comment("a b~!") == "a b~!"
    assert comment("tab\there\\ `x` é\x7f") == "tab?here? ?x? ??"
    assert comment("a */ b /* c") == "a * / b / * c"


@pytest.mark.parametrize(
    ("beats", "length", "words"),
    [
        ((2, 0, 1), 3, ["2", "0", "1"]),
        ((0,), 1, ["0"]),
        ((0, -1), 1, ["0", "2"]),
        ((15, 3), 16, ["f", "3"]),
        ((15, -1), 16, ["0f", "10"]),
        ((16, 3), 17, ["10", "03"]),
        ((7, -1), 8, ["7", "8"]),
    ],
)
def test_padding_is_the_bit_above_the_index(
    beats: tuple[int, ...], length: int, words: list[str]
) -> None:
    assert order_lines(Order(beats, length)) == words


def test_a_word_has_as_many_digits_as_its_bits_need() -> None:
    for width, digits in ((1, 1), (4, 1), (5, 2), (8, 2), (9, 3)):
        assert rom_lines(Rom("T", IntArray([[1]]), (width,))) == ["1".zfill(digits)]
    fields = Rom("T", IntArray([[1, 2, 3, -1], [0, 1, 2, 3]]), (3, 2))
    assert rom_lines(fields) == [
        f"{1 | 2 << 3 | 3 << 5 | 3 << 8:03x}",
        f"{1 << 3 | 2 << 5 | 3 << 8:03x}",
    ]
