"""What fewer bits per input are worth: predicted LUTs and accuracy of a sparse MLP on MNIST.

python -m benchmarks.compression.inputs --mnist mnist.npz
"""

from __future__ import annotations

import argparse

import torch
from torch import nn

from hwaccel.compress.checkpoint import Checkpoint
from hwaccel.compress.cost import cost_of, hardware
from hwaccel.compress.data import Data, load_data
from hwaccel.compress.order import areas
from hwaccel.compress.patterns import Unstructured
from hwaccel.compress.quantize import edit_for, quantize
from hwaccel.compress.training import Recipe, evaluate, train
from hwaccel.compress.units import across, without
from hwaccel.compress.zeros import Zeros
from hwaccel.config import Config

CONFIG = Config(style="spatial", effort="fast", target="xcup")


def sparse(data: Data, seed: int) -> Checkpoint:
    """Train an MLP, take nine tenths of its weights away, and train it again."""
    recipe = Recipe(epochs=4, rate=5e-3, seed=seed)
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, 16), nn.ReLU(), nn.Linear(16, 10))
    start = Checkpoint(train(model, data.train, recipe))
    units = Zeros(Unstructured(), areas(model, data.example))(start.model)
    made = without(start, units, across(units, 0.9))
    made.train(data.train, recipe)
    return made


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--mnist", required=True, help=".npz file of the four MNIST arrays")
    parser.add_argument("--train", type=int, default=12_000, help="samples to train on")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(1)
    data = load_data(args.mnist).reduced(args.train, 2000)
    base = sparse(data, args.seed)
    print(f"float: {evaluate(base.model, data.test)}", flush=True)
    for narrower in (0, 2, 4, 5, 6, 7):
        edit = edit_for(data, 4, 4, narrower=narrower)
        made, _ = quantize(base, data, edit, Recipe(epochs=2, rate=2e-3))
        cost = cost_of(hardware(made.model, data, CONFIG))
        print(f"inputs {edit.input}: {evaluate(made.model, data.test)}; {cost}", flush=True)


if __name__ == "__main__":
    main()
