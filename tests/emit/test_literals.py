"""Integers as C++ and Verilog take them, at the ends of every type."""

from __future__ import annotations

import pytest

from hwaccel.emit.literals import c_int, comment, rom_lines, verilog_parameter
from hwaccel.fxp import IntArray
from hwaccel.ir.hardware import Rom


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
