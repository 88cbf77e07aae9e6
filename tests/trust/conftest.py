"""Tests of figures go to folders of their own."""

from __future__ import annotations

import pytest

from tests.cli.tools import ROOT


@pytest.fixture(autouse=True)
def _back_at_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
