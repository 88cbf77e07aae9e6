"""Train the float baselines on MNIST; one checkpoint folder and one line for every run.

    python -m benchmarks.compression.baselines --mnist mnist.npz --seeds 0 1 2

A checkpoint that is there already is measured again, not trained again.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from statistics import mean

import torch

from hwaccel.compress.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from hwaccel.compress.data import Data, load_data
from hwaccel.compress.training import Recipe, Score, evaluate

# What the bars ask for is 99.0 % of the CNN and 98.0 % of the MLP, mean over three seeds.
MODELS = {
    "cnn": ("examples.mnist_models:Cnn", Recipe(epochs=10, rate=5e-3, shift=1)),
    "mlp": ("examples.mnist_models:Mlp", Recipe(epochs=12, rate=2e-3, shift=1)),
}


def baseline(name: str, seed: int, data: Data, out: Path) -> Checkpoint:
    """Return the baseline ``name`` of ``seed`` from its folder, trained if it is missing."""
    source, recipe = MODELS[name]
    folder = out / f"{name}-{seed}"
    if (folder / "manifest.json").is_file():
        return read_checkpoint(source, folder, data.example)
    torch.manual_seed(seed)
    made = read_checkpoint(source, None, data.example)
    recipe = Recipe(epochs=recipe.epochs, rate=recipe.rate, shift=recipe.shift, seed=seed)
    made.train(data.train, recipe, progress=lambda text: print(text, flush=True), label=folder.name)
    score = evaluate(made.model, data.test)
    record = {"model": source, "seed": seed, "epochs": recipe.epochs, "rate": recipe.rate}
    record |= {"shift": recipe.shift, "accuracy": score.accuracy, "loss": score.loss}
    write_checkpoint(folder, made, data.example, record)
    return made


def main() -> None:
    """Train what the command line names and print its accuracy."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--mnist", required=True, help=".npz file of the four MNIST arrays")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--out", type=Path, default=Path("build/mnist"))
    args = parser.parse_args()
    torch.set_num_threads(1)
    data = load_data(args.mnist)
    scores: dict[str, list[Score]] = {name: [] for name in args.models}
    for seed in args.seeds:
        for name in args.models:
            start = time.monotonic()
            score = evaluate(baseline(name, seed, data, args.out).model, data.test)
            scores[name].append(score)
            seconds = time.monotonic() - start
            print(f"{name}-{seed}: {score} ({seconds:.0f} s)", flush=True)
    for name, found in scores.items():
        each = [score.accuracy for score in found]
        print(
            f"{name}: mean {mean(each):.3f} % over {len(each)} seeds, "
            f"{min(each):.2f} to {max(each):.2f} %"
        )


if __name__ == "__main__":
    main()
