"""Repeats find a test whose outcome depends on order, hashes or chance."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from benchmarks.trust.repeats import differing

ROOT = Path(__file__).resolve().parents[2]
UNSTEADY = """
import os
seen = []
def test_steady(): seen.append(1)
def test_first(): assert not seen
def test_hash(): assert int(os.environ["PYTHONHASHSEED"]) < 3
"""


def repeats(folder: Path, text: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_it.py").write_text(text)
    (folder / "pytest.ini").write_text("[pytest]\n")
    argv = [sys.executable, "-m", "benchmarks.trust.repeats", "--times", "4", str(folder)]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(argv, cwd=folder, env=env, capture_output=True, text=True)


def test_an_unsteady_test_is_named(tmp_path: Path) -> None:
    done = repeats(tmp_path, UNSTEADY)
    assert done.returncode == 1
    first, second, figure = sorted(done.stdout.splitlines())
    assert first.startswith("repeats of the suite; 4 runs of 3 tests, 2 differing results")
    assert second.startswith("test_it::test_first: ")
    assert figure == "test_it::test_hash: passed, passed, failure, failure"


def test_outcomes_are_compared_by_test() -> None:
    runs = [{"a": "passed", "b": "passed"}, {"b": "passed", "a": "passed"}, {"a": "passed"}]
    assert differing(runs) == {"b": ["passed", "passed", "missing"]}
