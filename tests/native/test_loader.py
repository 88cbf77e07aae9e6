"""The compiled library: found, built, or missed in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from hwaccel.errors import HwaccelError, ToolError
from hwaccel.native import loader


def test_missing_compiler_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(loader, "_PACKAGE", tmp_path)
    monkeypatch.setenv("CXX", "no-such-compiler")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    find = loader.library.__wrapped__
    with pytest.raises(ToolError, match="install g\\+\\+ or clang\\+\\+, or name one in CXX"):
        find()
    monkeypatch.setattr(loader, "_SOURCES", tmp_path)
    with pytest.raises(ToolError, match="installed without its compiled library"):
        find()


def test_library_of_other_sources_is_not_used(tmp_path: Path) -> None:
    stale = tmp_path / "stale.so"
    stale.write_bytes(b"not a library")
    with pytest.raises(HwaccelError, match="cannot be loaded"):
        loader._load(stale, None)
    path = Path(loader.library()._name)
    with pytest.raises(HwaccelError, match="was built from other sources"):
        loader._load(path, "another hash")
