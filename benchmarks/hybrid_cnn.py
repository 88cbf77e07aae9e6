"""A CNN at one pixel per clock: line buffers feed laid-out kernels, a folded layer ends it.

python benchmarks/hybrid_cnn.py                     # scikit-learn's 8x8 digits
python benchmarks/hybrid_cnn.py --mnist mnist.npz   # x_train, y_train, x_test, y_test; 28x28

Every test image goes through the compiled simulation and is compared bit for bit with the golden
model; the interval is measured, not predicted.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional

from hwaccel import Config, convert
from hwaccel.api import Design

Data = tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]


def digits() -> Data:
    data = load_digits()
    order = np.random.default_rng(0).permutation(len(data.target))
    x = torch.tensor(np.minimum(data.images[order], 15)[:, None] / 16, dtype=torch.float32)
    y = torch.tensor(data.target[order])
    return x[:-360], y[:-360], x[-360:], y[-360:]


def mnist(path: Path) -> Data:
    with np.load(path, allow_pickle=False) as file:
        arrays = [file[name] for name in ("x_train", "y_train", "x_test", "y_test")]
    images = [torch.tensor(a[:, None] / 256, dtype=torch.float32) for a in arrays[::2]]
    labels = [torch.tensor(a.astype(np.int64)) for a in arrays[1::2]]
    return images[0], labels[0], images[1], labels[1]


def network(size: int) -> nn.Module:
    """Return convolutions without padding, so that a frame takes exactly its pixels."""
    inner = ((size - 2) // 2 - 2) // 2
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(4, 8, 3), nn.ReLU(), nn.MaxPool2d(2) if inner else nn.Identity(),
        nn.Flatten(), nn.Linear(8 * max(inner, 1) ** 2, 10),
    )  # fmt: skip


def train(data: Data, epochs: int) -> nn.Module:
    torch.manual_seed(0)
    x, y, _, _ = data
    model = network(x.shape[-1])
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    for _ in range(epochs):
        for part in torch.randperm(len(x)).split(256):
            optimizer.zero_grad()
            functional.cross_entropy(model(x[part]), y[part]).backward()
            optimizer.step()
    return model.eval()


def measure(design: Design, x: np.ndarray) -> dict[str, float]:
    ints = design.golden.quantize(x)
    started = time.perf_counter()
    result = design.simulate_raw(ints, simulator="fast")  # raises at the first wrong bit
    finished = np.array(result.finished)
    return {
        "images": len(x),
        "mismatches": int((result.outputs[0] != design.golden.raw(*ints)[0]).sum()),
        "interval": float((finished[-1] - finished[0]) / (len(finished) - 1)),
        "interval_predicted": design.plan.timing(4).interval,
        "latency": result.latency,
        "latency_predicted": design.plan.timing(4).latency,
        "cycles": result.cycles,
        "seconds_with_build": round(time.perf_counter() - started, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--mnist", type=Path, help="npz file with the MNIST images")
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--weight-bits", type=int, default=5)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    data = mnist(asked.mnist) if asked.mnist else digits()
    model = train(data, 2 if asked.mnist else 40)
    x, y = data[2][: asked.images], data[3][: asked.images].numpy()
    config = Config(
        name="hybrid", style="auto", weight_bits=asked.weight_bits, activation_bits=6,
        input="u8.8" if asked.mnist else "u4.4", clock_mhz=60,
    )  # fmt: skip
    design = convert(model, data[0][:2], calibration=data[0][:512], config=config)
    found = measure(design, x.numpy())
    found["pixels"] = x.shape[-1] * x.shape[-2]
    with torch.no_grad():
        found["float_accuracy"] = float((model(x).argmax(1).numpy() == y).mean())
    found["accuracy"] = float((np.asarray(design.golden(x.numpy())).argmax(1) == y).mean())
    for name, fold in design.plan.folds.items():
        print(f"{name:28} {fold}")
    for key, value in found.items():
        print(f"{key:28} {value:.4f}" if isinstance(value, float) else f"{key:28} {value}")
    if asked.json:
        asked.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
