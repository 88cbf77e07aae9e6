"""What a teacher is worth to a student of a quarter of its cost, on MNIST.

    python -m benchmarks.compression.distillation --mnist mnist.npz

Every seed trains one student twice from the same weights, with the labels alone and with the
teacher, for equally many steps. ``--train`` gives the students fewer samples; the teacher has all.
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path

import torch
from torch import nn

from examples.mnist_models import Cnn, student
from hwaccel.compress.checkpoint import Checkpoint, read_checkpoint
from hwaccel.compress.cost import cost_of, hardware
from hwaccel.compress.data import Data, load_data
from hwaccel.compress.distill import Teaching, distill
from hwaccel.compress.training import Recipe, evaluate
from hwaccel.config import Config


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mnist", required=True, help="x_train, y_train, x_test, y_test")
    parser.add_argument("--teacher", type=Path, help="checkpoint folder of a trained Cnn")
    parser.add_argument("--teacher-epochs", type=int, default=4)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--train", type=int, default=54000, help="samples for the students")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--temperature", type=float, default=4.0)
    parser.add_argument("--rate", type=float, default=1e-2)
    parser.add_argument("--hard", type=float, default=0.1)
    args = parser.parse_args()
    torch.set_num_threads(1)
    data = load_data(args.mnist)
    teacher = taught(data, args.teacher, args.teacher_epochs)
    costs = [cost_of(hardware(m, data, Config())).work for m in (student(), teacher)]
    print(f"cost: student / teacher {costs[0] / costs[1]:.3f} (area times cycles)", flush=True)
    print(f"teacher: {evaluate(teacher, data.test)}", flush=True)
    few, teaching = data.reduced(args.train), Teaching(args.temperature, args.hard)
    alone, with_teacher = [], []
    for seed in range(args.seeds):
        recipe = Recipe(epochs=args.epochs, rate=args.rate, seed=seed)
        torch.manual_seed(seed)
        start = Checkpoint(student())
        _, done = distill(start, teacher, few, recipe, teaching)
        start.train(few.train, recipe)
        alone.append(evaluate(start.model, data.test).accuracy)
        with_teacher.append(done.after.accuracy)
        print(
            f"seed {seed}, {len(few.train)} samples, {args.epochs} epochs: alone "
            f"{alone[-1]:.2f} %, with the teacher {with_teacher[-1]:.2f} %",
            flush=True,
        )
    gains = [b - a for a, b in zip(alone, with_teacher, strict=True)]
    for label, values in (
        ("alone", alone),
        ("with the teacher", with_teacher),
        ("gain in points", gains),
    ):
        spread = statistics.stdev(values) if len(values) > 1 else 0.0
        print(
            f"{label}: mean {statistics.mean(values):.2f}, deviation {spread:.2f}, "
            f"{len(values)} seeds"
        )


def taught(data: Data, folder: Path | None, epochs: int) -> nn.Module:
    """Return the teacher of a folder, or train one on all samples."""
    if folder is not None:
        return read_checkpoint("examples.mnist_models:Cnn", folder, data.example).model
    torch.manual_seed(100)
    made = Checkpoint(Cnn())
    made.train(data.train, Recipe(epochs=epochs, rate=5e-3), progress=print)
    return made.model


if __name__ == "__main__":
    main()
