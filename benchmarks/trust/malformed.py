"""Malformed files against the command line.

``python -m benchmarks.trust.malformed`` makes 1,000 cases of damaged models, checkpoints, graphs,
projects, options and data, gives each to the command that reads it, and prints one line. A case
holds where the command ends with exit code 2 and one line, in under 5 s of CPU time and 1 GiB,
and leaves its folder as it was; a random damage may also leave the file legal, and then the command
must do its work. A sample runs as processes of their own, start of Python and torch included.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.trust import bombs, loaders
from benchmarks.trust.line import print_line
from tests.cli.tools import MODELS, ROOT, run

LIMIT_S, LIMIT_KIB = 5.0, 1 << 20
_HANG_S = 180
# What a command may say before it fails.
_LONGEST = 2400


@dataclass(frozen=True)
class Case:
    """Files to lay out, and the words of a command that reads them."""

    label: str
    files: loaders.Files
    words: tuple[str, ...]
    # A damage of unknown effect may leave the file legal.
    legal: bool = False
    # Bytes of zeros that the first file is stretched to, without taking place on the disk.
    sparse: int = 0


@dataclass
class Tally:
    """What was run and what did not hold."""

    cases: int = 0
    refused: int = 0
    seconds: float = 0.0
    peak_kib: int = 0
    wrong: list[str] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)

    def add(self, case: Case, code: int, err: Sequence[str], seconds: float, before: object,
            after: object) -> None:  # fmt: skip
        self.cases += 1
        self.kinds[case.label.split(":")[0]] += 1
        self.refused += code == 2
        self.seconds = max(self.seconds, seconds)
        wrong = [reason for reason in _judge(case, code, err) if reason]
        if seconds > LIMIT_S:
            wrong.append(f"took {seconds:.1f} s")
        if before != after and code != 0:
            wrong.append(f"wrote {sorted(set(after) ^ set(before))[:3]}")  # type: ignore[call-overload]
        self.wrong += [f"{case.label}: {reason}" for reason in wrong]


def _judge(case: Case, code: int, err: Sequence[str]) -> Iterator[str]:
    lines = [line for line in err if line.startswith("hwaccel: ")]
    if code == 0 and case.legal:
        return
    if code != 2:
        yield f"exit code {code}: {' | '.join(err)[-400:]}"
    elif len(lines) != 1 or err[-1] != lines[0]:
        yield f"{len(lines)} lines of failure: {' | '.join(err)[-400:]}"
    elif not lines[0].isprintable() or len(lines[0]) > _LONGEST or lines[0] == "hwaccel: ":
        yield f"not a line that can be read: {lines[0][:200]!r}"
    if any("Traceback" in line for line in err):
        yield "a traceback"


# --- cases ---------------------------------------------------------------------------------------

_CONVERT = ("--example", "1x8", "-o", "out")
# The command and the file each kind of damage is read by.
_LOOK = ("csim", "p", "--what", "hls", "--frames", "1")
COMMANDS: dict[str, tuple[str, tuple[str, ...]]] = {
    "pt2": ("m.pt2", ("convert", "m.pt2", "-o", "out")),
    "onnx": ("m.onnx", ("convert", "m.onnx", "-o", "out")),
    "state": ("w.pt", ("convert", f"{MODELS}:mlp", "--weights", "w.pt", *_CONVERT)),
    "config": ("c.toml", ("convert", f"{MODELS}:mlp", "--config", "c.toml", *_CONVERT)),
    "npy": ("x.npy", ("convert", f"{MODELS}:mlp", "--calibration", "x.npy", *_CONVERT)),
    "npz": ("x.npz", ("train", f"{MODELS}:cnn", "--data", "x.npz", "--epochs", "0", "-o", "out")),
    "edits": ("", ("train", f"{MODELS}:cnn", "--weights", "c", "--data", "x.npz", "--epochs", "0",
                   "-o", "out")),
    "graph": ("graph.json", ("report", "p", "-o", "out.html")),
    "plan": ("plan.json", ("report", "p", "-o", "out.html")),
    "spatial": ("spatial.json", ("report", "p", "-o", "out.html")),
    "options": ("config.json", ("report", "p", "-o", "out.html")),
    "manifest": ("manifest.json", ("report", "p", "-o", "out.html")),
    "result": ("", ("report", "p", "-o", "out.html")),
}  # fmt: skip
# How the damages of a loader become a file.
_READ_AS = {"pickle": "state", "pt2-graph": "pt2", "pt2-weights": "pt2"}


def files_of(kind: str, data: bytes) -> loaders.Files:
    """Return the files of a case whose damaged part is ``data``."""
    if kind in ("graph", "plan", "spatial", "options", "manifest"):
        name = COMMANDS[kind][0]
        return _under("p", loaders.with_file(loaders.project(), name, data))
    if kind == "result":
        return _under("p", {**loaders.project(), "results/sim-icarus.json": data})
    if kind == "edits":
        content = {"weights.pt": loaders.states()[1], "edits.json": data}
        folder = {**content, "manifest.json": loaders.manifest(content, loaders.CHECKPOINT)}
        return {**_under("c", folder), "x.npz": loaders.npz(**loaders.images())}
    if kind == "pickle":
        return {"w.pt": loaders.state_with(data)}
    if kind == "pt2-graph":
        return {"m.pt2": loaders.pt2_with_graph(data)}
    if kind == "pt2-weights":
        return {"m.pt2": loaders.pt2_with_weights(data)}
    return {COMMANDS[kind][0]: data}


def _under(folder: str, files: loaders.Files) -> loaders.Files:
    return {f"{folder}/{name}": data for name, data in files.items()}


def cases(count: int, seed: int) -> Iterator[Case]:
    """Yield the bombs, and then random damages of every kind in turn."""
    made = 0
    for label, kind, data, sparse in bombs.bombs():
        words = COMMANDS[_READ_AS.get(kind, kind)][1]
        legal = label in bombs.MAY_HOLD
        yield Case(f"{kind}: {label}", files_of(kind, data), words, legal=legal, sparse=sparse)
        made += 1
        if made == count:
            return
    rng = random.Random(seed)
    for at in range(count - made):
        loader = loaders.LOADERS[at % len(loaders.LOADERS)]
        words = COMMANDS[_READ_AS.get(loader.name, loader.name)][1]
        data = loader.damage(rng.choice(loader.seeds()), rng)
        yield Case(f"{loader.name}: damage {at}", files_of(loader.name, data), words, legal=True)


# --- running -------------------------------------------------------------------------------------


def lay(case: Case, folder: Path) -> None:
    """Write the files of a case and go there."""
    loaders.lay(folder, case.files)
    if case.sparse:
        with (folder / next(iter(case.files))).open("r+b") as file:
            file.truncate(case.sparse)


def listing(folder: Path) -> dict[str, tuple[int, int]]:
    """Return size and time of change of everything below a folder."""
    found = {}
    for path in folder.rglob("*"):
        stat = path.lstat()
        found[path.relative_to(folder).as_posix()] = (stat.st_size, stat.st_mtime_ns)
    return found


def run_here(case: Case, folder: Path, tally: Tally) -> None:
    """Run a case in this process."""
    lay(case, folder)
    os.chdir(folder)
    before, started = listing(folder), time.process_time()
    Path("/proc/self/clear_refs").write_text("5")  # begins to watch for the peak anew
    held = _peak_kib(Path("/proc/self/status").read_text())
    signal.alarm(_HANG_S)
    try:
        ran = run(*case.words)
        code, err = ran.code, ran.err
    except Exception as error:
        code, err = 1, ("Traceback", *traceback.format_exception(error)[-3:])
    signal.alarm(0)
    seconds = time.process_time() - started
    # What this process had before is not the case's.
    _weigh(case, _peak_kib(Path("/proc/self/status").read_text()) - held, tally)
    tally.add(case, code, err, seconds, before, listing(folder))


# A command that says at its end what it needed: what ``wait4`` counts as a child's memory includes
# that of the parent when the child began.
_APART = """
import atexit, pathlib
said = lambda: pathlib.Path("../ended").write_text(pathlib.Path("/proc/self/status").read_text())
atexit.register(said)
from hwaccel.cli import main
main()
"""


def run_apart(case: Case, folder: Path, tally: Tally) -> None:
    """Run a case as a process of its own, and measure that."""
    lay(case, folder)
    before, ended = listing(folder), folder.parent / "ended"
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            [sys.executable, "-c", _APART, *case.words],
            cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
            stdout=subprocess.DEVNULL, stderr=said,
        )  # fmt: skip
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        err = said.read().decode(errors="replace").splitlines()
    _weigh(case, _peak_kib(ended.read_text()), tally)
    ended.unlink()
    seconds = used.ru_utime + used.ru_stime
    tally.add(case, process.returncode, err, seconds, before, listing(folder))


def _peak_kib(status: str) -> int:
    """Return the most memory that a process has had, from what Linux says of it."""
    return int(status.partition("VmHWM:")[2].split()[0])


def _weigh(case: Case, peak_kib: int, tally: Tally) -> None:
    tally.peak_kib = max(tally.peak_kib, peak_kib)
    if peak_kib > LIMIT_KIB:
        tally.wrong.append(f"{case.label}: {peak_kib >> 10} MiB")


def _hang(*_: object) -> None:
    raise TimeoutError(f"no end after {_HANG_S} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--apart", type=int, default=30, help="Processes of their own.")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    signal.signal(signal.SIGALRM, _hang)
    here, apart = Tally(), Tally()
    every = list(cases(args.cases, args.seed))
    with tempfile.TemporaryDirectory(prefix="hwaccel-malformed-") as name:
        folder = Path(name) / "work"
        run_here(every[0], folder, Tally())  # imports take time once
        for case in every:
            run_here(case, folder, here)
        for case in every[:: max(1, len(every) // args.apart)] if args.apart else ():
            run_apart(case, folder, apart)
        os.chdir(ROOT)
    for reason in [*here.wrong, *(f"apart: {reason}" for reason in apart.wrong)]:
        print(f"# {reason}", flush=True)
    kinds = ", ".join(f"{n} {kind}" for kind, n in sorted(here.kinds.items()))
    print(f"# {kinds}; {here.refused} refused, {here.cases - here.refused} left legal")
    text = (
        f"{here.cases} cases, {len(here.wrong) + len(apart.wrong)} wrong; at most "
        f"{here.seconds:.1f} s and {here.peak_kib >> 10} MiB more in one process; {apart.cases} as "
        f"processes of their own at most {apart.seconds:.1f} s and {apart.peak_kib >> 10} MiB"
    )
    print_line("malformed", text, seed=args.seed)
    sys.exit(bool(here.wrong or apart.wrong))


if __name__ == "__main__":
    main()
