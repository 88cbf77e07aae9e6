"""Four bits on MNIST: what is lost without and with training, and the RTL on every image.

    python -m benchmarks.compression.quantization --mnist mnist.npz --seeds 0 1 2

Starts from the checkpoints ``cnn-SEED`` in ``--start``; those that are missing are trained first.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from statistics import mean

import numpy as np
import torch

from hwaccel.compress.bound import Bound
from hwaccel.compress.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from hwaccel.compress.cost import cost_of, hardware
from hwaccel.compress.data import Data, load_data
from hwaccel.compress.precision import search
from hwaccel.compress.quantize import edit_for, places, quantize
from hwaccel.compress.training import Recipe, evaluate, outputs_of
from hwaccel.config import Config, LayerConfig

MODEL = "examples.mnist_models:Cnn"
# A first layer of one channel would take a tap per cycle; laid out, it takes a pixel per cycle.
HARDWARE = Config(multipliers=256, layers={"conv1": LayerConfig(style="pixel")})


def start(folder: Path, seed: int, data: Data) -> Checkpoint:
    """Return the float model of ``seed``, trained if its folder is missing."""
    if (folder / "manifest.json").is_file():
        return read_checkpoint(MODEL, folder, data.example)
    torch.manual_seed(seed)
    made = read_checkpoint(MODEL, None, data.example)
    made.train(data.train, Recipe(epochs=10, rate=5e-3, shift=1, seed=seed))
    write_checkpoint(folder, made, data.example, {"seed": seed})
    return made


def lost(bits: int, seeds: list[int], args: argparse.Namespace, data: Data) -> Checkpoint:
    """Print what quantization costs for every seed and on average; return the first QAT model."""
    drops: dict[str, list[float]] = {}
    first = None
    for seed in seeds:
        began = time.monotonic()
        float_model = start(args.start / f"cnn-{seed}", seed, data)
        before = evaluate(float_model.model, data.test)
        edit = edit_for(data, bits, bits)
        recipe = Recipe(epochs=args.epochs, rate=args.rate, shift=1, seed=seed)
        ways = {
            "ptq, plain": quantize(float_model, data, edit, corrected=False)[0],
            "ptq, corrected": quantize(float_model, data, edit)[0],
            "qat": quantize(float_model, data, edit, recipe)[0],
        }
        first = first or ways["qat"]
        told = []
        for name, made in ways.items():
            score = evaluate(made.model, data.test)
            drops.setdefault(name, []).append(before.accuracy - score.accuracy)
            told.append(f"{name} {score.accuracy:.2f} %")
        seconds = time.monotonic() - began
        print(
            f"cnn-{seed}, {bits} bits: float {before.accuracy:.2f} %, {', '.join(told)} "
            f"({seconds:.0f} s)",
            flush=True,
        )
    for name, found in drops.items():
        print(
            f"{bits}-bit weights and activations, {name}: {mean(found):.3f} points lost on 10,000 "
            f"test images, mean of seeds {seeds}, {min(found):.2f} to {max(found):.2f}",
            flush=True,
        )
    assert first is not None
    return first


def searched(bits: int, seed: int, args: argparse.Namespace, data: Data) -> None:
    """Print what bits per layer, found by the loss, lose and save against equal bits."""
    began = time.monotonic()
    float_model = start(args.start / f"cnn-{seed}", seed, data)
    bound = Bound(accuracy_drop=args.accuracy_drop)
    few = data.reduced(len(data.train), args.choices)
    made, found = search(float_model, few, edit_for(data, bits, bits), bound, margin=args.margin)
    before, after = (evaluate(one.model, data.test) for one in (float_model, made))
    each = " ".join(f"{place.path}:{place.bits}" for place in places(made.model))
    saved = 1 - found.cost_after.area / found.cost_before.area
    print(
        f"cnn-{seed}, {bits} bits at most, {args.accuracy_drop} points and {args.margin} standard "
        f"errors on {len(few.valid)} samples to choose: {each}; {100 * saved:.1f} % less area than "
        f"{bits} bits everywhere; lost {found.quantization.drop:.2f} points of the samples to "
        f"choose, {before.accuracy - after.accuracy:.2f} of the test samples "
        f"({time.monotonic() - began:.0f} s)",
        flush=True,
    )


def rtl(made: Checkpoint, data: Data, frames: int) -> None:
    """Print whether RTL, golden model and PyTorch agree on the first ``frames`` test images."""
    x = data.test.x[:frames]
    logits = outputs_of(made.model, x).numpy()
    design = hardware(made.model, data, HARDWARE)
    golden = np.asarray(design.golden(x.numpy()))
    began = time.monotonic()
    # Compares every bit of the outputs with the golden model, or raises.
    result = design.simulate_raw(design.golden.quantize(x.numpy()), simulator="fast")
    found = np.asarray(design.golden.read(result.outputs))
    same = np.array_equal(golden, logits) and np.array_equal(found, logits)
    print(
        f"emitted RTL on {frames} test images against the quantized PyTorch model: "
        f"{'identical' if same else 'DIFFERENT'} logits, "
        f"{int((found.argmax(1) == logits.argmax(1)).sum())} equal predictions, "
        f"{100 * np.mean(found.argmax(1) == data.test.y[:frames].numpy()):.2f} % right; "
        f"{cost_of(design)} ({time.monotonic() - began:.0f} s)",
        flush=True,
    )


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--mnist", required=True, help=".npz file of the four MNIST arrays")
    parser.add_argument("--start", type=Path, default=Path("build/mnist"), help="checkpoints")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--bits", nargs="+", type=int, default=[4])
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--frames", type=int, default=10_000, help="images through the RTL")
    parser.add_argument("--accuracy-drop", type=float, help="search bits per layer instead")
    parser.add_argument("--choices", type=int, help="samples to choose by, if not all")
    parser.add_argument("--margin", type=float, default=1.0, help="standard errors, when searching")
    args = parser.parse_args()
    torch.set_num_threads(1)
    data = load_data(args.mnist)
    for bits in args.bits:
        if args.accuracy_drop is not None:
            for seed in args.seeds:
                searched(bits, seed, args, data)
            continue
        made = lost(bits, args.seeds, args, data)
        if args.frames:
            rtl(made, data, args.frames)


if __name__ == "__main__":
    main()
