from __future__ import annotations

from pathlib import Path

import pytest

from hwaccel.cmvm import native
from tests.cmvm.cases import ENTRY


@pytest.fixture(scope="session", autouse=True)
def _library() -> None:
    """Build the library, if need be, in the user's own cache and not once per test."""
    native.library()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(ENTRY, "_memory", {})
    return tmp_path / "cache" / "hwaccel" / "cmvm"
