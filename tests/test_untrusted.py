"""Archives from outside: what their directory says is checked before it is followed."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from hwaccel.untrusted import Damaged, open_zip


def archive(path: Path, offset: int | None = None) -> Path:
    """Write an archive of one member, whose directory says that it stands at ``offset``."""
    with zipfile.ZipFile(path, "w") as made:
        made.writestr("weights/data.pkl", b"tensor")
        if offset is not None:
            made.infolist()[0].header_offset = offset
    return path


def test_a_member_is_read(tmp_path):
    with open_zip(archive(tmp_path / "w.pt"), 1 << 20) as found:
        assert found.read("weights/data.pkl") == b"tensor"


@pytest.mark.parametrize("offset", [1 << 20, 1 << 40, 1 << 63, (1 << 64) - 1])
def test_a_member_outside_of_the_file_is_refused(tmp_path, offset):
    path = archive(tmp_path / "w.pt", offset)
    for packed in (False, True):
        with (
            pytest.raises(Damaged, match=r"^member 'weights/data\.pkl' is said to lie outside"),
            open_zip(path, 1 << 20, packed=packed),
        ):
            pass
