"""What the C++ emitters share: types that hold every constant, and files where tools find them."""

from __future__ import annotations

from pathlib import Path

import pytest

from hwaccel.emit.kernels import Constant, Table, integer_constants, source_folder, tables
from hwaccel.fxp import IntArray
from hwaccel.ir.hardware import Kernel


def test_constants_have_a_type_that_holds_them() -> None:
    most = 1 << 31
    values = {"a": most - 1, "b": most, "c": 1 - most, "d": -most, "e": 0}
    assert integer_constants(values) == (
        Constant("int", "a", most - 1), Constant("long long", "b", most),
        Constant("int", "c", 1 - most), Constant("long long", "d", -most), Constant("int", "e", 0),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("values", "bits", "storage"),
    [
        ([0], 1, 8), ([-1], 1, 8), ([1], 2, 8), ([-128, 127], 8, 8), ([128], 9, 16),
        ([-129], 9, 16), ([1 << 15], 17, 32), ([(1 << 31) - 1], 32, 32), ([1 << 31], 33, 64),
    ],
)  # fmt: skip
def test_tables_are_stored_in_the_smallest_type(values: list[int], bits: int, storage: int) -> None:
    kernel = Kernel("table", (), (("values", IntArray(values)),))
    (table,) = tables("act", kernel)
    assert table == Table("act_values", bits, IntArray(values))
    assert (table.storage_bits, table.shape, table.flat) == (storage, (len(values),), values)


def test_text_becomes_files_and_a_folder_stays_one(tmp_path: Path) -> None:
    assert source_folder(tmp_path / "there", tmp_path) == tmp_path / "there"
    folder = source_folder({"hls/top.cpp": "é\n", "hls/lib/x.h": "x"}, tmp_path / "new")
    assert folder == tmp_path / "new"
    assert (folder / "hls" / "top.cpp").read_bytes() == "é\n".encode()
    assert (folder / "hls" / "lib" / "x.h").read_text() == "x"
