"""How far a wasteful CNN shrinks on MNIST before it loses 0.3 points.

    python -m benchmarks.compression.shrinking --mnist mnist.npz --start build/wasteful

``--start`` names checkpoint folders NAME-SEED; without it the networks are trained first. Work is
predicted area times cycles per frame. Trials learn from ``--samples``, the result from all.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

import torch

from examples.mnist_models import wasteful
from hwaccel.compress.bound import Bound
from hwaccel.compress.checkpoint import Checkpoint, read_checkpoint
from hwaccel.compress.data import Data, load_data
from hwaccel.compress.shrink import shrink
from hwaccel.compress.training import Recipe


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--mnist", required=True, help=".npz file of the four MNIST arrays")
    parser.add_argument("--start", help="checkpoint folders without their -SEED")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--drop", type=float, default=0.3, help="points that may be lost")
    parser.add_argument("--samples", type=int, default=12000)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--final-epochs", type=int, default=2)
    parser.add_argument("--tries", type=int, default=2)
    parser.add_argument("--enough", type=float, help="stop where work is so many times less")
    args = parser.parse_args()
    torch.set_num_threads(1)
    data = load_data(args.mnist)
    factors, drops = [], []
    for seed in args.seeds:
        begun = time.monotonic()
        start = trained(data, args.start, seed)
        made, record = shrink(
            start,
            data,
            Recipe(epochs=args.epochs, seed=seed),
            Bound(accuracy_drop=args.drop),
            tries=args.tries,
            samples=args.samples,
            enough=args.enough,
            final=Recipe(epochs=args.final_epochs, seed=seed),
            progress=lambda text: None if "epoch" in text else print(text, flush=True),
        )
        factors.append(record.factor)
        drops.append(record.test_before.accuracy - record.test_after.accuracy)
        print(f"seed {seed}: {made.model}")
        print(f"seed {seed}: {record.cost_before} -> {record.cost_after}")
        print(
            f"seed {seed}: {record.factor:.2f} times less work; valid "
            f"{record.valid_before.accuracy:.2f} -> {record.valid_after.accuracy:.2f} %, test "
            f"{record.test_before.accuracy:.2f} -> {record.test_after.accuracy:.2f} %, "
            f"{time.monotonic() - begun:.0f} s",
            flush=True,
        )
    for label, values in (("times less work", factors), ("points lost on test", drops)):
        spread = statistics.stdev(values) if len(values) > 1 else 0.0
        print(
            f"{label}: mean {statistics.mean(values):.2f}, deviation {spread:.2f}, "
            f"{len(values)} seeds"
        )


def trained(data: Data, start: str | None, seed: int) -> Checkpoint:
    """Return the network of a folder, or train one."""
    if start is not None:
        folder = Path(f"{start}-{seed}")
        return read_checkpoint("examples.mnist_models:wasteful", folder, data.example)
    torch.manual_seed(seed)
    made = Checkpoint(wasteful())
    made.train(data.train, Recipe(epochs=4, rate=5e-3, seed=seed), progress=print)
    return made


if __name__ == "__main__":
    main()
