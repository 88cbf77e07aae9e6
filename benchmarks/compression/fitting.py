"""Fit an MLP for MNIST, laid out in logic, into LUTs of UltraScale+: the Pareto front of a search.

    python -m benchmarks.compression.fitting --mnist mnist.npz --luts 5000 --out build/fitting

A frame enters every clock; no DSP block and no block RAM. A run that was stopped goes on. The
points and the page with the plot are kept under ``--out``.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from examples.mnist_models import Mlp
from hwaccel.cli.fit import page
from hwaccel.compress.bound import Bound
from hwaccel.compress.budget import Budget
from hwaccel.compress.checkpoint import Checkpoint
from hwaccel.compress.data import Data, load_data
from hwaccel.compress.fit import fit, front
from hwaccel.compress.training import Recipe, train
from hwaccel.config import Config

CONFIG = Config(style="spatial", target="xcup", effort="fast", input="u8.8", latency=1)


def main() -> None:
    """Search, print the front, write the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--mnist", required=True, help=".npz file of the four MNIST arrays")
    parser.add_argument("--luts", type=int, default=5000)
    parser.add_argument("--points", type=int, default=4)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--hidden", type=int, nargs=2, default=[64, 32])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("build/fitting"))
    args = parser.parse_args()
    torch.set_num_threads(1)
    data = load_data(args.mnist)
    start = _start(data, *args.hidden, args.seed)
    budget = Budget(luts=args.luts, dsps=0, rams=0, interval=1)
    recipe = Recipe(epochs=args.epochs, rate=4e-3, batch=250, shift=1, seed=args.seed)
    fitted = fit(
        start, data, budget, Bound(), args.out, recipe, CONFIG,
        points=args.points, progress=lambda text: print(text, flush=True),
    )  # fmt: skip
    title = f"MNIST, {args.hidden[0]} and {args.hidden[1]} neurons, seed {args.seed}"
    (args.out / "front.html").write_text(page(title, fitted, budget), encoding="utf-8")
    for found in front(fitted.points, budget):
        print(f"{found.point}: {found.cost}; test {found.test}")
    print(f"best within {budget}, seed {args.seed}: {fitted.best.cost}; test {fitted.best.test}")


def _start(data: Data, first: int, second: int, seed: int) -> Checkpoint:
    torch.manual_seed(seed)
    model = Mlp(first, second)
    return Checkpoint(train(model, data.train, Recipe(epochs=10, batch=256, shift=1, seed=seed)))


if __name__ == "__main__":
    main()
