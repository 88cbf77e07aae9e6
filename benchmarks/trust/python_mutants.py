"""Break the Python core on purpose, one small fault at a time, and see whether a test fails.

``python -m benchmarks.trust.python_mutants --count 500`` draws so many faults of fxp, golden, ops,
cmvm, circuit, emit and schedule, each kept away from the working tree: a copy is broken. The tests
of a module run from the quickest on, until one fails or a minute of the processor is gone. Faults
that change nothing observable are named, with the reason, in ``equivalent.txt``.
"""

from __future__ import annotations

import argparse
import compileall
import json
import os
import py_compile
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.trust.line import print_line
from benchmarks.trust.mutation import Mutant, apply, mutants

ROOT = Path(__file__).resolve().parents[2]
SERVER = Path(__file__).with_name("_mutation_server.py")
EQUIVALENT = Path(__file__).with_name("equivalent.txt")
COPIED = ("hwaccel", "tests", "templates", "rtl", "sim", "native", "examples", "docs", "benchmarks")
PACKAGES = ("fxp", "golden.py", "ops", "cmvm", "circuit", "emit", "schedule")

CONTRACT, UNROLL = "tests/ops/test_contract.py", "tests/circuit/test_unroll.py"
REFUSED = "tests/ops/test_refusals.py"
ASKED, ALGEBRA = "tests/ops/test_methods.py", "tests/passes/test_algebra.py"
PACKING = [
    "tests/schedule/test_packing.py",
    "tests/schedule/test_skip.py",
    "tests/schedule/test_fold.py",
]
RTL, KERNELS = "tests/ops/test_contract_rtl.py", "tests/ops/test_kernels.py"
SPATIAL = [
    "tests/e2e/test_spatial.py",
    *("-k", "every_bit and icarus and (mixed or around) or no_cycle_more"),
]
MATRICES = "tests/trust/test_matrices.py"
EMITTED = ["tests/emit/test_circuit.py", "-k", "not verilator and not icarus"]
STEPS = [
    f"tests/schedule/test_{name}.py" for name in ("small_steps", "blocks", "watch", "compiled")
]
SCHEDULE = [
    "tests/schedule",
    *(f"--ignore={file}" for file in STEPS),
    "-k",
    "not estimate and not speed",
]
COUNTED = ["tests/schedule/test_estimate_terms.py"]
ESTIMATED = [
    ["tests/schedule/test_speed.py", *COUNTED],
    ["tests/schedule/test_estimate.py", "tests/schedule/test_estimate_data.py"],
]
# No contract fixes what these constants are: they estimate area and delay.
ESTIMATES = ("circuit/cost.py", "circuit/delay.py")
# Stages in order, each the arguments of one run of pytest; the longest name that fits is taken.
STAGES: dict[str, list[list[str]]] = {
    "fxp": [["tests/fxp"], ["tests/trust/test_exhaustive.py"], [CONTRACT]],
    "golden.py": [["tests/test_golden.py"]],
    "ops": [
        [CONTRACT, "-k", "{name}"],
        [ASKED, "-k", "{name}"],
        [ALGEBRA, "-k", "{name} or alone or meets"],
        [UNROLL, "-k", "{name}"],
        [RTL, "-k", "icarus and {name}"],
    ],
    "ops/family.py": [
        ["tests/ops/test_family.py", REFUSED, CONTRACT],
        [ASKED, ALGEBRA],
        PACKING,
        [RTL, "-k", "icarus and dense"],
    ],
    "ops/mac.py": [[ASKED, CONTRACT], PACKING, [RTL, "-k", "icarus and dense"]],
    "cmvm": [["tests/cmvm"], ["tests/circuit"], [MATRICES]],
    "circuit": [["tests/circuit"], COUNTED, [MATRICES], EMITTED],
    "emit": [["tests/emit/test_verilog.py", "tests/verify/test_structure.py"], SPATIAL],
    "emit/circuit": [
        ["tests/emit/test_circuit_text.py"],
        ["tests/verify/test_circuit.py"],
        [MATRICES],
        EMITTED,
    ],
    "emit/circuit_c.py": [
        ["tests/emit/test_circuit_c.py", "-k", "golden"],
        ["tests/emit/test_circuit_c.py"],
    ],
    "emit/cuda.py": [["tests/emit/test_cuda.py"], ["tests/emit/test_cuda_packed.py"]],
    "emit/cuda_nodes.py": [["tests/emit/test_cuda_packed.py"], ["tests/emit/test_cuda.py"]],
    "emit/hls": [["tests/emit/test_hls.py"]],
    "emit/kernels.py": [
        ["tests/emit/test_kernels.py"],
        ["tests/emit/test_hls.py"],
        ["tests/emit/test_cuda.py"],
    ],
    "emit/windows.py": [
        ["tests/emit/test_windows.py"],
        [KERNELS, "-k", "hls and (maxpool2d or conv2d)"],
        [RTL, "-k", "icarus and conv2d"],
    ],
    "emit/project.py": [["tests/emit/test_project_read.py"], ["tests/emit/test_project.py"]],
    "emit/names.py": [["tests/emit/test_names.py"], ["tests/emit/test_verilog.py"]],
    "emit/literals.py": [
        ["tests/emit/test_literals.py"],
        ["tests/emit/test_verilog.py"],
        ["tests/emit/test_circuit_c.py"],
    ],
    "emit/registers.py": [["tests/emit/test_system.py"]],
    "emit/system.py": [["tests/emit/test_system.py"]],
    "schedule": [STEPS, SCHEDULE, [RTL, "-k", "icarus and concat"]],
    "schedule/buffers.py": [STEPS, SCHEDULE, ["tests/verify/test_buffer_sizes.py"]],
    "schedule/spatial.py": [STEPS, SCHEDULE, SPATIAL],
    "schedule/regions.py": [STEPS, SCHEDULE, SPATIAL],
    "schedule/timing.py": [STEPS, SCHEDULE, ["tests/report/test_model.py"]],
    "schedule/estimate.py": ESTIMATED,
    "schedule/fits.py": ESTIMATED,
    "schedule/speed.py": ESTIMATED,
}


# Methods of an op at which other tests look than at the rest.
METHODS: dict[str, list[list[str]]] = {
    "golden": [[CONTRACT, "-k", "{name}"], [KERNELS, "-k", "torch and {name}"]],
    "hardware": [
        [CONTRACT, ASKED, "-k", "{name}"],
        COUNTED,
        [RTL, "-k", "icarus and {name}"],
    ],
    "kernel": [[KERNELS, "-k", "{name}"]],
    "unroll": [[UNROLL, "-k", "{name}"]],
    "module": [
        [CONTRACT, REFUSED],
        [ASKED, UNROLL, "-k", "{name}"],
        [RTL, "-k", "icarus and {name}"],
    ],
    "verify": [[REFUSED], [CONTRACT]],
}


def stages(mutant: Mutant) -> list[list[str]]:
    """Return what runs against a fault: the tests of its module, or of its method of an op."""
    fitting = max((name for name in STAGES if mutant.module.startswith(name)), key=len)
    found = STAGES[fitting]
    if fitting == "ops" and mutant.function in METHODS:
        found = METHODS[mutant.function]
    name = Path(mutant.module).stem
    return [[word.format(name=name) for word in words] for words in found]


def every_mutant(only: str = "") -> list[Mutant]:
    """Return every fault of the core, or of the modules whose path begins with ``only``."""
    package = ROOT / "hwaccel"
    files = [f for p in PACKAGES for f in sorted((package / p).rglob("*.py"))]
    files.append(package / "golden.py")
    found = []
    for file in files:
        module = file.relative_to(package).as_posix()
        if module.startswith(only):
            found += mutants(module, file.read_text(encoding="utf-8"))
    return [m for m in found if m.kind != "constant" or m.module not in ESTIMATES]


class Copy:
    """A copy of the tree and the process that breaks it."""

    def __init__(self, folder: Path) -> None:
        for name in COPIED:
            if (ROOT / name).is_dir():
                ignored = shutil.ignore_patterns("__pycache__", "build", "*.bin")
                shutil.copytree(ROOT / name, folder / name, ignore=ignored)
        for name in ("pyproject.toml", "README.md"):
            shutil.copy(ROOT / name, folder)
        # Not by time of change: a file that is put back within a second would not be noticed.
        unchecked = py_compile.PycInvalidationMode.UNCHECKED_HASH
        compileall.compile_dir(folder, quiet=2, invalidation_mode=unchecked)
        argv = [sys.executable, str(SERVER)]
        self._process = subprocess.Popen(
            argv,
            cwd=folder,
            env={**os.environ, "PYTHONPATH": ""},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        # Stages known to pass where nothing is broken, and those only ever seen to fail.
        self._sound: set[tuple[str, ...]] = set()
        self._doubtful: set[tuple[str, ...]] = set()

    def kills(self, mutant: Mutant) -> tuple[str, float]:
        """Run the tests of the mutant's module against it; return how it was killed, or ""."""
        tests = stages(mutant)
        source = apply(mutant, (ROOT / "hwaccel" / mutant.module).read_text(encoding="utf-8"))
        answer = self._ask(f"hwaccel/{mutant.module}", source, tests)
        passed = answer["passed"]
        self._sound |= {tuple(stage) for stage in tests[:passed]}
        self._doubtful |= {tuple(stage) for stage in tests[passed : passed + 1]}
        return answer["how"], answer["seconds"]

    def check(self) -> None:
        """See that every stage that has killed passes where nothing is broken."""
        for stage in sorted(self._doubtful - self._sound):
            answer = self._ask("", "", [list(stage)])
            assert not answer["how"], f"{stage}: {answer['how']} without any fault"

    def _ask(self, file: str, source: str, tests: list[list[str]]) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(
            json.dumps({"file": file, "source": source, "stages": tests}) + "\n"
        )
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def equivalent() -> dict[str, str]:
    """Return the faults that change nothing observable, each with its reason."""
    lines = EQUIVALENT.read_text(encoding="utf-8").splitlines() if EQUIVALENT.exists() else []
    pairs = (line.rpartition("  # ") for line in lines if line and not line.startswith("#"))
    return {name: reason for name, _, reason in pairs}


def main() -> None:
    """Draw faults, try them, print what survived and the figure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--first", type=int, default=0, help="skip so many of those drawn")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="modules whose path begins so")
    parser.add_argument("--minutes", type=float, default=1e9, help="stop after so long")
    args = parser.parse_args()
    drawn = every_mutant(args.only)
    total = len(drawn)
    random.Random(args.seed).shuffle(drawn)
    known, started = equivalent(), time.monotonic()
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="hwaccel-mutants-") as folder:
        copied = Copy(Path(folder))
        for mutant in drawn[args.first : args.first + args.count]:
            if time.monotonic() - started > 60 * args.minutes:
                break
            if str(mutant) in known or mutant.exactly in known:
                counts["equivalent"] += 1
                continue
            how, seconds = copied.kills(mutant)
            counts["killed" if how else "survived"] += 1
            print(
                f"{how or 'SURVIVED'} ({seconds:.1f} s): {mutant} (line {mutant.line})", flush=True
            )
        copied.check()
        copied.close()
    tried = counts["killed"] + counts["survived"]
    share = 100 * counts["killed"] / max(1, tried)
    print_line(
        "mutants of the Python core",
        f"{counts['killed']} of {tried} killed ({share:.1f} %), {counts['equivalent']} more are "
        f"equivalent, {total} possible",
        seed=args.seed,
    )


if __name__ == "__main__":
    main()
