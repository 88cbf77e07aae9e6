"""Killed, full, read-only, two at once: a slice of the whole figure."""

from __future__ import annotations

import random
from pathlib import Path

from benchmarks.trust import crashes


def test_killed_writers(tmp_path: Path) -> None:
    assert crashes.killed(4, random.Random(5), tmp_path / "a") == []
    assert crashes.killed(4, random.Random(5), tmp_path / "b", exchange=False) == []


def test_writers_without_room(tmp_path: Path) -> None:
    _, failed, wrong = crashes.full(8, random.Random(5), tmp_path)
    assert wrong == []
    assert failed


def test_writers_that_may_not_write(tmp_path: Path) -> None:
    _, refused, wrong = crashes.read_only(6, tmp_path)
    assert (refused, wrong) == (6, [])


def test_two_writers(tmp_path: Path) -> None:
    assert crashes.two_writers(4, random.Random(5), tmp_path) == []


def test_a_torn_folder_is_seen(tmp_path: Path) -> None:
    place = crashes.prepared(tmp_path)
    assert crashes.torn(place, ("old",)) is None
    assert crashes.torn(place, ("new",)) == "old: a mixture"
    (tmp_path / "notes.txt").write_text("gone")
    assert crashes.torn(place, ("old",)) == "lost ['notes.txt']"
    (place / "rtl" / "3.v").write_text("old")
    assert "differs from its hash" in (crashes.torn(place, ("old",)) or "")
