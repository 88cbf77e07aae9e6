"""Golden model against torch float32: MLP 16-64-32-32-5, batch 1024, one thread, one run.

OPENBLAS_NUM_THREADS=1 python benchmarks/golden_speed.py
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable

import torch
from torch import nn

from hwaccel import Config, convert

BATCH = 1024
ROUNDS = 7
CALLS = 200


def best_rate(call: Callable[[], object]) -> float:
    """Return frames per second of the fastest of several rounds."""
    for _ in range(20):
        call()
    best = 0.0
    for _ in range(ROUNDS):
        started = time.perf_counter()
        for _ in range(CALLS):
            call()
        best = max(best, BATCH * CALLS / (time.perf_counter() - started))
    return best


def main() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    sizes = (16, 64, 32, 32, 5)
    layers: list[nn.Module] = []
    for a, b in itertools.pairwise(sizes):
        layers += [nn.Linear(a, b), nn.ReLU()]
    model = nn.Sequential(*layers[:-1]).eval()
    frames = torch.rand(BATCH, 16)
    design = convert(model, frames[:1], calibration=frames.numpy(), config=Config(input="u8.8"))
    raw = design.golden.quantize(frames.numpy())
    with torch.inference_mode():
        reference = best_rate(lambda: model(frames))
    golden = best_rate(lambda: design.golden.raw(*raw))
    print(f"torch float32   {reference:12,.0f} frames/s")
    print(f"golden integers {golden:12,.0f} frames/s")
    print(f"ratio           {golden / reference:12.2f}   (bar: at least 0.3)")


if __name__ == "__main__":
    main()
