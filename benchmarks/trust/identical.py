"""The same bytes, whatever the process: hash seed, folder, locale, threads.

``python -m benchmarks.trust.identical`` converts 50 designs in eight processes that differ in all
of these, each with an empty cache of the optimizer, compares every file on the disk, and prints a
line.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.trust.line import print_line

_ROOT = Path(__file__).resolve().parents[2]
# Designs that are laid out, for the optimizer and its threads; the others are random networks.
_SPATIAL = 10


@dataclass(frozen=True)
class Setting:
    """What one process has of its own."""

    hash_seed: int
    folder: str
    locale: str
    threads: int

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables that say so."""
        threads = str(self.threads)
        return {
            "PYTHONHASHSEED": str(self.hash_seed),
            "LC_ALL": self.locale,
            # Without these Python puts UTF-8 in the place of ASCII.
            "PYTHONCOERCECLOCALE": "0",
            "PYTHONUTF8": "0",
            "OMP_NUM_THREADS": threads,
            "OPENBLAS_NUM_THREADS": threads,
        }


def settings(count: int) -> list[Setting]:
    """Return ``count`` settings; neighbours differ in everything."""
    return [
        Setting(
            (0, 1, 2, 3, 42, 1234, 99_999, 4_294_967_295)[i % 8],
            ("a", "b c")[i % 2],
            ("C", "C.UTF-8")[(i // 2 + i) % 2],
            (1, 4, 2, 3)[i % 4],
        )
        for i in range(count)
    ]


# --- in each process -----------------------------------------------------------------------------


def designs(count: int, threads: int) -> Iterator[tuple[str, object]]:
    """Yield designs with their names."""
    import numpy as np
    import torch

    import hwaccel
    from hwaccel.errors import HwaccelError
    from tests.frontend.random_networks import network

    torch.set_num_threads(threads)
    _optimizer_threads(threads)
    laid_out = min(_SPATIAL, count // 2)
    for at in range(laid_out):
        torch.manual_seed(at)
        rng = np.random.default_rng(at)
        sizes = [int(n) for n in rng.integers(6, 14, 3)]
        model = torch.nn.Sequential(
            torch.nn.Linear(sizes[0], sizes[1]),
            torch.nn.ReLU(),
            torch.nn.Linear(sizes[1], sizes[2]),
        )
        config = hwaccel.Config(style="spatial", effort="fast", weight_bits=5, activation_bits=5)
        frames = rng.standard_normal((512, sizes[0])).astype(np.float32)
        yield f"laid out {at}", hwaccel.convert(model, frames, config=config)
    made, seed = laid_out, 0
    while made < count:
        drawn = network(seed)
        seed += 1
        try:
            frames = drawn.frames(64, 1)
            design = hwaccel.convert(
                drawn.traced(), tuple(drawn.frames(3, 0)), calibration=frames, config=drawn.config
            )
        except HwaccelError:
            continue  # refused; the next one, in every process alike
        made += 1
        yield f"random {seed - 1}", design


def _optimizer_threads(threads: int) -> None:
    """Let the search for adder graphs use so many threads, each and in all."""
    import functools

    from hwaccel.schedule import spatial

    spatial.Settings = functools.partial(spatial.Settings, threads=threads)  # type: ignore[misc,assignment]
    whole = spatial.solve_many
    spatial.solve_many = lambda *args, **named: whole(*args, **{**named, "workers": threads})  # type: ignore[assignment]


def worker(count: int, threads: int) -> None:
    """Write designs into this folder; print the hash of every file as one JSON document."""
    found: dict[str, dict[str, str]] = {}
    for name, design in designs(count, threads):
        folder = design.write(name.replace(" ", "-"))  # type: ignore[attr-defined]
        found[name] = {
            path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }
    print(json.dumps(found))


# --- in the one that compares --------------------------------------------------------------------


def hashes(setting: Setting, count: int, root: Path) -> dict[str, dict[str, str]]:
    """Return what a process with this setting wrote."""
    folder = root / str(setting.hash_seed) / setting.folder
    folder.mkdir(parents=True)
    words = ["--worker", "--designs", str(count), "--threads", str(setting.threads)]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.trust.identical", *words],
        cwd=folder,
        env={
            **os.environ,
            **setting.environment,
            "PYTHONPATH": str(_ROOT),
            "XDG_CACHE_HOME": str(folder / "cache"),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{setting}: {done.stderr[-2000:]}")
    found: dict[str, dict[str, str]] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--designs", type=int, default=50)
    parser.add_argument("--processes", type=int, default=8)
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--threads", type=int, default=1, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        worker(args.designs, args.threads)
        return
    chosen = settings(args.processes)
    with tempfile.TemporaryDirectory(prefix="hwaccel-identical-") as name:
        every = [hashes(setting, args.designs, Path(name)) for setting in chosen]
    wrong = differences(every)
    for reason in wrong:
        print(f"# {reason}", flush=True)
    files = sum(map(len, every[0].values()))
    text = (
        f"{len(every[0])} designs, {files} files, {len(every)} processes ({_ways(chosen)}), "
        f"{len(wrong)} files differ"
    )
    print_line("identical", text, seed=0)
    sys.exit(bool(wrong))


def differences(every: list[dict[str, dict[str, str]]]) -> list[str]:
    """Name the files that are not the same in all processes."""
    first, wrong = every[0], []
    for at, other in enumerate(every[1:], 1):
        for design in sorted(first.keys() | other.keys()):
            one, two = first.get(design, {}), other.get(design, {})
            odd = sorted(n for n in one.keys() | two.keys() if one.get(n) != two.get(n))
            wrong += [f"process {at}: {design}: {file}" for file in odd]
    return wrong


def _ways(chosen: list[Setting]) -> str:
    seeds, folders = {s.hash_seed for s in chosen}, {s.folder for s in chosen}
    return (
        f"{len(seeds)} hash seeds, {len(folders)} folders, "
        f"{len({s.locale for s in chosen})} locales, threads "
        + ", ".join(str(n) for n in sorted({s.threads for s in chosen}))
    )


if __name__ == "__main__":
    main()
