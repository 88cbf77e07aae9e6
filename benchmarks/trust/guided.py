"""Coverage-guided runs of every reader of files from outside.

``python -m benchmarks.trust.guided`` prints one line: how many runs, how much of the package they
reached, and how many findings: an exception that is no ``HwaccelError``, a message that is no line,
more than 5 s of CPU time, or more than 1 GiB. Needs ``pip install 'hwaccel[fuzz]'``.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import random
import re
import resource
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

LIMIT_S, LIMIT_KIB = 5.0, 1 << 20
# Longer than that is a hang, however busy the machine.
_HANG_S = 120
# Thousandths of all runs; those of a slow reader are few.
SHARES = {
    **{"graph": 80, "plan": 20, "spatial": 20, "options": 20, "manifest": 80, "result": 120},
    **{"config": 160, "npy": 120, "npz": 120, "state": 60, "pickle": 60, "edits": 20},
    **{"pt2": 40, "pt2-graph": 25, "pt2-weights": 25, "onnx": 30},
}
_COVERAGE = re.compile(r"cov: (\d+) ft: (\d+)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--loader", choices=SHARES, action="append")
    parser.add_argument("--keep", type=Path, help="Folder for inputs that are findings.")
    parser.add_argument("--child", choices=SHARES, help=argparse.SUPPRESS)
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        child(args.child, args.runs, args.seed, args.work)
        return
    from benchmarks.trust.line import print_line

    names = args.loader or list(SHARES)
    whole = sum(SHARES[name] for name in names)
    runs, reached, found = 0, 0, []
    for name in names:
        wanted = max(1, -(-args.runs * SHARES[name] // whole))
        done, edges, findings = campaign(name, wanted, args.seed, args.keep)
        print(f"# {name}: {done} runs, {edges} edges, {len(findings)} findings", flush=True)
        for finding in findings:
            print(f"#   {finding}", flush=True)
        runs, reached, found = runs + done, reached + edges, [*found, *findings]
    atheris = importlib.metadata.version("atheris")
    text = f"{runs} runs of {len(names)} readers, {reached} edges reached, {len(found)} findings"
    print_line("guided", f"{text} (atheris {atheris})", seed=args.seed)
    sys.exit(bool(found))


def campaign(name: str, runs: int, seed: int, keep: Path | None) -> tuple[int, int, list[str]]:
    """Run one loader in a process of its own; return runs, edges and findings."""
    with tempfile.TemporaryDirectory(prefix="hwaccel-guided-") as folder:
        work = Path(folder)
        words = ["--child", name, "--runs", str(runs), "--seed", str(seed), "--work", folder]
        ended = subprocess.run(
            [sys.executable, "-m", "benchmarks.trust.guided", *words],
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            capture_output=True, text=True, errors="replace", check=False,
        )  # fmt: skip
        done = int((work / "runs").read_text()) if (work / "runs").is_file() else 0
        lines = (work / "found").read_text().splitlines() if (work / "found").is_file() else []
        covered = _COVERAGE.findall(ended.stderr)
        if ended.returncode != 0 or done < runs:
            lines.append(
                f"{name}: ended with {ended.returncode} after {done}: {ended.stderr[-600:]}"
            )
        if keep is not None and lines:
            keep.mkdir(parents=True, exist_ok=True)
            for path in [*work.glob("input-*"), *work.glob("crash-*"), *work.glob("timeout-*")]:
                (keep / f"{name}-{path.name}").write_bytes(path.read_bytes())
        return done, int(covered[-1][0]) if covered else 0, lines


def child(name: str, runs: int, seed: int, work: Path) -> None:
    """Fuzz in this process, which libFuzzer ends."""
    import atheris

    with atheris.instrument_imports(include=["hwaccel"]):
        from benchmarks.trust import loaders

        loader = loaders.BY_NAME[name]
        corpus = work / "corpus"
        corpus.mkdir()
        for at, data in enumerate(loader.seeds()):
            (corpus / f"seed-{at}").write_bytes(data)
            loaders.refusal(loader, data, work)  # imports what it needs while they are watched
    fuzz = _Run(loader, work, runs)

    def mutated(data: bytes, most: int, chosen: int) -> bytes:
        rng = random.Random(chosen)
        if rng.random() < 0.4 or not data:
            return bytes(atheris.Mutate(data, most))
        return loader.damage(data, rng)[:most]

    options = [f"-runs={runs}", f"-seed={seed}", f"-timeout={_HANG_S}", "-rss_limit_mb=0"]
    options += ["-max_len=65536", "-len_control=0", "-print_final_stats=0"]
    atheris.Setup(
        ["guided", *options, f"-artifact_prefix={work}/", str(corpus)], fuzz, custom_mutator=mutated
    )
    atheris.Fuzz()


class _Run:
    """One input after the other; what is found is written down at once."""

    def __init__(self, loader, work: Path, runs: int) -> None:  # type: ignore[no-untyped-def]
        self._loader, self._work, self._runs = loader, work, runs
        self._count, self._seen = 0, set[str]()

    def __call__(self, data: bytes) -> None:
        from benchmarks.trust.loaders import refusal

        self._count += 1
        started = time.process_time()
        try:
            refusal(self._loader, data, self._work)
        except Exception as error:
            frames = traceback.extract_tb(error.__traceback__)
            ours = [f for f in frames if "hwaccel" in f.filename or "trust" in f.filename][-1]
            self._note(f"{type(error).__name__} in {Path(ours.filename).name}:{ours.lineno}: "
                       f"{str(error)[:200]!r}", data)  # fmt: skip
        if time.process_time() - started > LIMIT_S:
            self._note(f"took {time.process_time() - started:.1f} s", data)
        if resource.getrusage(resource.RUSAGE_SELF).ru_maxrss > LIMIT_KIB:
            self._note("took more than 1 GiB", data)
        if self._count % 100 == 0 or self._count >= self._runs:
            (self._work / "runs").write_text(str(self._count))

    def _note(self, text: str, data: bytes) -> None:
        place = text.split(": ")[0]
        if place in self._seen or len(self._seen) > 50:
            return
        self._seen.add(place)
        (self._work / f"input-{len(self._seen)}").write_bytes(data)
        with (self._work / "found").open("a") as file:
            file.write(f"{self._loader.name}: {json.dumps(text)}\n")


if __name__ == "__main__":
    main()
