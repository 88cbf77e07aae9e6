"""Prune the CNN of the baselines on MNIST: accuracy lost, and hardware saved.

    python -m benchmarks.compression.pruning --mnist mnist.npz --baselines build/mnist

The baselines are those of ``benchmarks.compression.baselines``. Results are kept under ``--out``;
what is there already is only printed.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from statistics import mean
from typing import Any

import torch

from benchmarks.compression.baselines import baseline
from hwaccel.compress.bound import Bound
from hwaccel.compress.checkpoint import write_checkpoint
from hwaccel.compress.data import Data, load_data
from hwaccel.compress.patterns import Block, Channels, Few
from hwaccel.compress.prune import Goal, prune
from hwaccel.compress.training import Recipe

# The bar: 90 % of the weights gone, at most 0.3 points lost, mean over three seeds.
GOALS = {
    "unstructured": Goal(sparsity=0.9, rounds=3, recipe=Recipe(epochs=5, rate=5e-3, shift=1)),
    "2:4": Goal(Few(2, 4), rounds=1, recipe=Recipe(epochs=3, rate=3e-3, shift=1), skip=("conv1",)),
    "4x4": Goal(
        Block(4, 4),
        0.75,
        rounds=2,
        recipe=Recipe(epochs=3, rate=5e-3, shift=1),
        skip=("conv1", "fc2"),
    ),
    "channels": Goal(
        Channels(),
        bound=Bound(accuracy_drop=0.3),
        scope="sensitivity",
        rounds=4,
        recipe=Recipe(epochs=3, rate=3e-3, shift=1),
    ),
}


def main() -> None:
    """Prune what the command line names and print what it gained."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--mnist", required=True, help=".npz file of the four MNIST arrays")
    parser.add_argument("--baselines", type=Path, default=Path("build/mnist"))
    parser.add_argument("--goals", nargs="+", choices=GOALS, default=list(GOALS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--out", type=Path, default=Path("build/mnist"))
    args = parser.parse_args()
    torch.set_num_threads(1)
    data = load_data(args.mnist)
    for name in args.goals:
        found = [result(name, seed, data, args.baselines, args.out) for seed in args.seeds]
        for line in summary(name, found):
            print(line, flush=True)


def result(name: str, seed: int, data: Data, baselines: Path, out: Path) -> dict[str, Any]:
    """Return the record of one run, made if it is missing."""
    folder = out / f"cnn-{seed}-{name.replace(':', 'of')}"
    if (folder / "record.json").is_file():
        return dict(json.loads((folder / "record.json").read_text()))
    start = baseline("cnn", seed, data, baselines)
    made = prune(
        start, data, GOALS[name], progress=lambda text: print(f"{folder.name}: {text}", flush=True)
    )
    record = asdict(made.record) | {"seed": seed}
    write_checkpoint(folder, made.checkpoint, data.example, record)
    return dict(json.loads((folder / "record.json").read_text()))


def summary(name: str, records: list[dict[str, Any]]) -> Iterator[str]:
    """Yield one line per run and one for all."""
    drops = []
    for record in records:
        before, after = (
            100 * record[x]["correct"] / record[x]["count"] for x in ("before", "after")
        )
        drops.append(before - after)
        a, b = record["cost_before"], record["cost_after"]
        yield (
            f"{name}, seed {record['seed']}: {record['sparsity']:.2%} gone, {before:.2f} % to "
            f"{after:.2f} %; {a['luts']} to {b['luts']} LUT, {a['dsps']} to {b['dsps']} DSP, "
            f"{a['rams']} to {b['rams']} RAM, {a['interval']} to {b['interval']} cycles a frame"
        )
    yield (
        f"{name}: {mean(record['sparsity'] for record in records):.2%} gone, {mean(drops):.3f} "
        f"points lost, mean over {len(drops)} seeds, {min(drops):.2f} to {max(drops):.2f}"
    )


if __name__ == "__main__":
    main()
