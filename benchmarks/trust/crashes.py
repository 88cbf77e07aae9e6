"""Writers that are killed, have no room, may not write, or are two.

``python -m benchmarks.trust.crashes`` prints one line for each: afterwards the folder holds the
old content or the new one, whole, and what lies beside it is untouched. Full and read-only disks
are a file system in memory where this process may mount one; otherwise a limit on the size of files
and the rights of a folder stand for them, and the line says which.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.trust.line import print_line
from hwaccel.emit import project
from hwaccel.emit.project import read_project, replace_file, write_project
from hwaccel.errors import HwaccelError
from hwaccel.report.results import TrainRecord, load_results, save_result

_FILES, _WORDS = 24, 2000
_DISK = 1 << 20
_NOTES = {"notes.txt": b"mine", ".p.hwaccel-mine": b"mine", "p.old": b"mine"}


def write(folder: Path, text: str, order: random.Random | None = None) -> None:
    """Write a project of one text, a record of it, and a page."""
    write_project(folder, text, "1", {f"rtl/{i}.v": text * _WORDS for i in range(_FILES)})
    save_result(folder, "train", TrainRecord(what=text, epochs=1))
    replace_file(folder / "report.html", (text * _WORDS).encode())


def torn(folder: Path, texts: tuple[str, ...]) -> str | None:
    """Return what is wrong with a folder after its writers are gone."""
    try:
        manifest, files = read_project(folder)
        records = load_results(folder).records.values()
    except HwaccelError as error:
        return str(error)
    whole = {f"rtl/{i}.v": manifest.name.encode() * _WORDS for i in range(_FILES)}
    if manifest.name not in texts or files != whole:
        return f"{manifest.name}: a mixture"
    page = folder / "report.html"
    if page.exists() and page.read_bytes() not in {t.encode() * _WORDS for t in texts}:
        return "half a page"
    if any(record.what not in texts for record in records):  # type: ignore[union-attr]
        return "another record"
    lost = [n for n, data in _NOTES.items() if (folder.parent / n).read_bytes() != data]
    return f"lost {lost}" if lost else None


def prepared(parent: Path, text: str = "old") -> Path:
    """Return a project beside files of somebody else."""
    parent.mkdir(parents=True, exist_ok=True)
    for name, data in _NOTES.items():
        (parent / name).write_bytes(data)
    write(parent / "p", text)
    return parent / "p"


def fork(action: Callable[[], object]) -> int:
    """Start a copy of this process that does ``action``; it ends with 0, 2 or 1 for the rest."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        action()
        code = 0
    except HwaccelError:
        code = 2
    except OSError:
        code = 3
    finally:
        os._exit(code)


def killed(count: int, rng: random.Random, folder: Path, *, exchange: bool = True) -> list[str]:
    """Kill writers at random moments, also the many that follow the one before."""
    wrong = []
    place = prepared(folder)
    started = time.monotonic()
    write(place, "old")
    once = time.monotonic() - started

    def endless() -> None:
        if not exchange:
            project.ctypes.CDLL = _Without  # type: ignore[misc,assignment,attr-defined]
        while True:
            for text in ("new", "old"):
                write(place, text)

    for at in range(count):
        child = fork(endless)
        time.sleep(rng.uniform(0, 2 * once))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        if not exchange and not place.exists():
            # Between two renames; the old content lies aside, and the next writer finds it.
            project._restore(place)
        reason = torn(place, ("old", "new"))
        wrong += [f"kill {at}: {reason}"] if reason else []
    return wrong


class _Without:
    """A C library without an exchange of two names."""

    def __init__(self, *_: object, **__: object) -> None:
        pass


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[str]:
    """Mount a small file system in memory, and say so; or set a limit."""
    folder.mkdir(parents=True, exist_ok=True)
    words = ["mount", "-t", "tmpfs", "-o", f"size={_DISK}", "none", str(folder)]
    if subprocess.run(words, capture_output=True, check=False).returncode == 0:
        try:
            yield "a file system in memory"
        finally:
            subprocess.run(["umount", str(folder)], check=True)
    else:
        yield "a limit on the size of files"


def full(count: int, rng: random.Random, folder: Path) -> tuple[str, int, list[str]]:
    """Write where there is no room; return by what means, how often it failed, what was wrong."""
    wrong, failed = [], 0
    with small_disk(folder / "disk") as means:
        real = means.startswith("a file system")
        place = prepared(folder / "disk")
        ballast = folder / "disk" / "ballast"
        for at in range(count):
            now, text = ("old", "new") if at % 2 else ("new", "old")
            if real:
                room = os.statvfs(place).f_bavail * os.statvfs(place).f_frsize
                ballast.write_bytes(bytes(max(0, room - rng.randrange(300_000))))
            else:
                ballast.touch()
            code = os.waitstatus_to_exitcode(
                os.waitpid(fork(_limited(place, text, rng, real)), 0)[1]
            )
            ballast.unlink()
            failed += code in (2, 3)
            reason = torn(place, (now, text)) or (
                f"ended with {code}" if code not in (0, 2, 3) else None
            )
            wrong += [f"full {at}: {reason}"] if reason else []
            left = [p.name for p in place.parent.iterdir() if p.is_dir() and p != place]
            wrong += [f"full {at}: left {left}"] if left else []
            write(place, text)
    return means, failed, wrong


def _limited(place: Path, text: str, rng: random.Random, real: bool) -> Callable[[], None]:
    most = rng.randrange(6 * _WORDS)

    def action() -> None:
        if not real:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
        write(place, text)

    return action


def read_only(count: int, folder: Path) -> tuple[str, int, list[str]]:
    """Write where nothing may be written."""
    wrong, refused = [], 0
    with small_disk(folder / "disk") as means:
        place = prepared(folder / "disk")
        real = means.startswith("a file system")
        _protect(folder / "disk", real, True)
        for at in range(count):
            code = os.waitstatus_to_exitcode(os.waitpid(fork(_step(place, at, real)), 0)[1])
            refused += code in (2, 3)
            reason = torn(place, ("old",)) or (f"ended with {code}" if code not in (2, 3) else None)
            wrong += [f"read-only {at}: {reason}"] if reason else []
        _protect(folder / "disk", real, False)
    return ("a read-only file system" if real else "the rights of a folder"), refused, wrong


def _protect(disk: Path, real: bool, on: bool) -> None:
    if real:
        how = "ro" if on else "rw"
        subprocess.run(["mount", "-o", f"remount,{how}", str(disk)], check=True)
        return
    for path in [disk, *disk.rglob("*")]:
        path.chmod(0o555 if on else 0o755)


def _step(place: Path, at: int, real: bool) -> Callable[[], object]:
    steps: list[Callable[[], object]] = [
        lambda: write_project(place, "new", "1", {"x": "new"}),
        lambda: write_project(place.with_name("q"), "new", "1", {"x": "new"}),
        lambda: save_result(place, "train", TrainRecord(what="new", epochs=1)),
        lambda: save_result(place, "other", TrainRecord(what="new", epochs=1)),
        lambda: replace_file(place / "report.html", b"new"),
        lambda: project.work_folder(place, "sim-icarus"),
    ]

    def action() -> None:
        if not real and os.getuid() == 0:
            os.setuid(65534)
        steps[at % len(steps)]()

    return action


def two_writers(count: int, rng: random.Random, folder: Path) -> list[str]:
    """Let two write the same folder at the same time."""
    wrong = []
    place = prepared(folder)
    for at in range(count):
        texts = (f"one{at} ", f"two{at} ")

        def action(text: str, wait: float) -> Callable[[], None]:
            def writer() -> None:
                time.sleep(wait)
                for _ in range(2):
                    write_project(
                        place, text, "1", {f"rtl/{i}.v": text * _WORDS for i in range(_FILES)}
                    )

            return writer

        children = [fork(action(text, rng.uniform(0, 0.02))) for text in texts]
        codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
        reason = torn(place, texts) or (f"ended with {codes}" if any(codes) else None)
        wrong += [f"two {at}: {reason}"] if reason else []
    left = [p.name for p in folder.iterdir() if p.is_dir() and p != place]
    return wrong + ([f"two: left {left}"] if left else [])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    rng, n = random.Random(args.seed), args.count
    every: list[str] = []

    def line(name: str, text: str, wrong: list[str]) -> None:
        for reason in wrong:
            print(f"# {reason}", flush=True)
        every.extend(wrong)
        print_line(f"crashes {name}", f"{text}, {len(wrong)} torn or lost", seed=args.seed)

    with tempfile.TemporaryDirectory(prefix="hwaccel-crashes-") as name:
        root = Path(name)
        line("kill", f"{n} writers killed", killed(n, rng, root / "a"))
        wrong = killed(n, rng, root / "b", exchange=False)
        line("kill, no exchange of names", f"{n} writers killed, old content found again", wrong)
        means, failed, wrong = full(n, rng, root / "c")
        line("full", f"{n} writers ({failed} failed) on {means}", wrong)
        means, refused, wrong = read_only(n, root / "d")
        line("read-only", f"{n} writers ({refused} refused) on {means}", wrong)
        line("two writers", f"{n} pairs", two_writers(n, rng, root / "e"))
    sys.exit(bool(every))


if __name__ == "__main__":
    main()
