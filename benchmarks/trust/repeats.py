"""Run the tests again and again, in another order and with another hash seed each time.

``python -m benchmarks.trust.repeats --times 20 [arguments of pytest]`` compares the outcome of each
test between all runs, and names those that differ. The order of files, and of tests in a file, is
drawn anew; tests that share a simulation or a process group stay together.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.trust.line import print_line

if TYPE_CHECKING:
    import pytest

ORDER = "HWACCEL_ORDER"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Shuffle files, and tests within each; this module is a plugin in every run."""
    rng = random.Random(os.environ[ORDER])
    files: dict[Path, list[pytest.Item]] = defaultdict(list)
    for item in items:
        files[item.path].append(item)
    order = sorted(files)
    rng.shuffle(order)
    for file in order:
        rng.shuffle(files[file])
    items[:] = [item for file in order for item in files[file]]


def run(number: int, arguments: list[str]) -> dict[str, str]:
    """Run pytest once; return the outcome of every test by its name."""
    with tempfile.TemporaryDirectory(prefix="hwaccel-") as folder:
        report = Path(folder) / "report.xml"
        options = ["-p", "benchmarks.trust.repeats", "-p", "no:cacheprovider", "-q"]
        argv = [sys.executable, "-m", "pytest", *options, f"--junitxml={report}", *arguments]
        seeds = {"PYTHONHASHSEED": str(number), ORDER: str(number)}
        done = subprocess.run(argv, env={**os.environ, **seeds}, capture_output=True, text=True)
        if not report.is_file():
            raise SystemExit(f"pytest failed: {done.stdout[-500:]}{done.stderr[-500:]}")
        cases = ElementTree.parse(report).getroot().iter("testcase")
        return {f"{case.get('classname')}::{case.get('name')}": _outcome(case) for case in cases}


def _outcome(case: ElementTree.Element) -> str:
    found = [child.tag for child in case if child.tag in ("failure", "error", "skipped")]
    return found[0] if found else "passed"


def differing(runs: list[dict[str, str]]) -> dict[str, list[str]]:
    """Return the tests whose outcome is not the same in every run, with their outcomes."""
    names = dict.fromkeys(name for run in runs for name in run)
    outcomes = {name: [run.get(name, "missing") for run in runs] for name in names}
    return {name: found for name, found in outcomes.items() if len(set(found)) > 1}


def main() -> None:
    """Repeat, compare, print what differs and the figure; fail if anything does."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--times", type=int, default=20)
    args, arguments = parser.parse_known_args()
    runs = []
    for number in range(1, args.times + 1):
        runs.append(run(number, arguments))
        print(f"run {number}: {len(runs[-1])} tests", file=sys.stderr, flush=True)
    unsteady = differing(runs)
    for name, found in unsteady.items():
        print(f"{name}: {', '.join(found)}")
    failed = sum(outcome in ("failure", "error") for outcome in runs[0].values())
    print_line(
        "repeats of the suite",
        f"{args.times} runs of {len(runs[0])} tests, {len(unsteady)} differing results, "
        f"{failed} failing",
    )
    if unsteady or not runs[0]:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
