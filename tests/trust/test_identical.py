"""The same bytes in every process: a slice of the whole figure."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.trust import identical


@pytest.mark.slow
def test_two_processes(tmp_path: Path) -> None:
    chosen = identical.settings(2)
    every = [identical.hashes(setting, 4, tmp_path) for setting in chosen]
    assert len(every[0]) == 4
    assert identical.differences(every) == []


def test_settings_differ_in_everything() -> None:
    one, two = identical.settings(2)
    assert one.hash_seed != two.hash_seed
    assert one.folder != two.folder
    assert one.locale != two.locale
    assert one.threads != two.threads


def test_a_difference_is_named() -> None:
    one, two = {"d": {"a": "1", "b": "2"}}, {"d": {"a": "1", "b": "3"}}
    assert identical.differences([one, two]) == ["process 1: d: b"]
    assert identical.differences([one, {}]) == ["process 1: d: a", "process 1: d: b"]
