"""LeNet-5 and the networks of MLPerf Tiny as streaming Verilog: exact, on time, near the ideal.

python -m benchmarks.networks                              # all of them, 4 frames each
python -m benchmarks.networks lenet5 --mnist mnist.npz     # 10,000 test images of 28x28
python -m benchmarks.networks --executors                  # HLS C++, CUDA arithmetic, torch too

For each network: PyTorch to Verilated RTL, every output compared bit for bit with the golden model
without and with stalls; latency and interval against the prediction; the interval against the
ideal, which is the multiplications of the slowest layer over its multipliers. Weights are random
(C. Banbury et al., *MLPerf Tiny Benchmark*, 2021, has the shapes), except that LeNet-5 is trained
where there is data for it.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import nn
from torch.nn import functional

from benchmarks.hybrid_cnn import mnist
from hwaccel import Config, convert
from hwaccel.api import Design
from hwaccel.ir.hardware import Area
from hwaccel.schedule.estimate import plan_area


def block(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Module:
    """Return a convolution with batch normalization and a rectifier."""
    pad = kernel // 2
    conv = nn.Conv2d(inputs, outputs, kernel, stride, pad, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.ReLU())


def lenet5() -> nn.Module:
    """Return LeNet-5 (Y. LeCun et al., 1998) with rectifiers and maxima, as it is used now."""
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(),
        nn.Linear(84, 10),
    )  # fmt: skip


class Residual(nn.Module):
    """Two convolutions and a way around them."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first = block(inputs, outputs, 3, stride)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(outputs)
        self.around = nn.Conv2d(inputs, outputs, 1, stride) if stride > 1 else nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Add what was computed to what came in."""
        return functional.relu(self.norm(self.second(self.first(x))) + self.around(x))


def resnet8() -> nn.Module:
    """Return the image classifier for 3x32x32."""
    return nn.Sequential(
        block(3, 16, 3), Residual(16, 16, 1), Residual(16, 32, 2), Residual(32, 64, 2),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10),
    )  # fmt: skip


def dscnn() -> nn.Module:
    """Return the keyword spotter for 1x49x10."""
    stem = nn.Conv2d(1, 64, (10, 4), 2, padding=(5, 1), bias=False)
    layers = [stem, nn.BatchNorm2d(64), nn.ReLU()]
    for _ in range(4):
        layers += [block(64, 64, 3, groups=64), block(64, 64, 1)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 12))


def autoencoder() -> nn.Module:
    """Return the anomaly detector for 640 features."""
    widths = [640, 128, 128, 128, 128, 8, 128, 128, 128, 128]
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        layers += [nn.Linear(inputs, outputs), nn.BatchNorm1d(outputs), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(128, 640))


def mobilenet() -> nn.Module:
    """Return MobileNetV1 of width 0.25 for 3x96x96 and two classes."""
    shape = [
        (16, 1),
        (32, 2),
        (32, 1),
        (64, 2),
        (64, 1),
        (128, 2),
        *[(128, 1)] * 5,
        (256, 2),
        (256, 1),
    ]
    layers, inputs = [block(3, 8, 3, 2)], 8
    for outputs, stride in shape:
        layers += [block(inputs, inputs, 3, stride, inputs), block(inputs, outputs, 1)]
        inputs = outputs
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(256, 2))


# Factory, shape of a frame, and how many multipliers it is given.
NETWORKS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...], int]] = {
    "lenet5": (lenet5, (1, 28, 28), 64),
    "resnet8": (resnet8, (3, 32, 32), 256),
    "dscnn": (dscnn, (1, 49, 10), 128),
    "autoencoder": (autoencoder, (640,), 256),
    "mobilenet": (mobilenet, (3, 96, 96), 256),
}


def made(name: str, multipliers: int | None = None) -> tuple[nn.Module, Design, np.ndarray]:
    """Return a network with random weights and statistics, its design, and frames for it."""
    factory, shape, usual = NETWORKS[name]
    torch.manual_seed(1)
    model = factory()
    frames = torch.randn(16, *shape)
    with torch.no_grad():  # statistics of batch normalization that are not trivial
        model.train()(frames)
        model(torch.randn(16, *shape))
    design = convert(
        model.eval(),
        frames[:1],
        calibration=frames.numpy(),
        config=Config(name=name, multipliers=multipliers or usual),
    )
    return model, design, frames.numpy()


def trained(path: Path) -> tuple[nn.Module, Design, np.ndarray]:
    """Return LeNet-5 trained for two epochs on MNIST, its design, and the test images."""
    torch.manual_seed(0)
    x, y, test, labels = mnist(path)
    model = lenet5()
    optimizer = torch.optim.Adam(model.parameters(), 2e-3)
    for _ in range(2):
        for part in torch.randperm(len(x)).split(256):
            optimizer.zero_grad()
            functional.cross_entropy(model(x[part]), y[part]).backward()
            optimizer.step()
    config = Config(name="lenet5", input="u8.8", multipliers=NETWORKS["lenet5"][2])
    design = convert(model.eval(), x[:1], calibration=x[:512].numpy(), config=config)
    found = design.golden(test.numpy()).argmax(axis=1)
    print(f"accuracy of the golden model: {100 * (found == labels.numpy()).mean():.2f} %")
    return model, design, test.numpy()


def ideal(design: Design) -> float:
    """Return the multiplications of the slowest layer over its multipliers."""
    types, cycles = design.graph.types(), 1.0
    for node in design.graph.nodes:
        work = node.op.multiplications(*(types[i] for i in node.inputs))
        fold = design.plan.folds[node.name]
        cycles = max(cycles, work / (fold.pe * fold.simd))
    return cycles


def differing(design: Design, frames: np.ndarray) -> int:
    """Return the output elements in which HLS C++, CUDA on the host or torch differ from golden."""
    xs = design.golden.quantize(frames)
    want = design.golden.raw(*xs)
    return sum(
        int((a != b).sum())
        for what in ("hls", "cuda-host", "torch")
        for a, b in zip(design.execute(what, xs), want, strict=True)
    )


def measure(name: str, path: Path | None, executors: bool) -> list[str]:
    """Return a row of the table."""
    started = time.perf_counter()
    whole = path is not None and name == "lenet5"
    _, design, frames = trained(path) if whole and path else made(name)
    with tempfile.TemporaryDirectory() as folder:
        design.write(Path(folder) / "p")
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    some = frames if whole else frames[:4]
    want = design.golden.raw(*design.golden.quantize(some))
    wrong = 0
    began = time.perf_counter()
    for idle, pressure in (("none", "none"), ("some", "bursts")):
        result = design.simulate(some, simulator="fast", idle=idle, backpressure=pressure)
        wrong += sum(int((a != b).sum()) for a, b in zip(result.outputs, want, strict=True))
        if idle == "none":
            interval, latency = result.interval, result.latency
    timing = design.plan.timing(len(some) if len(some) <= 16 else 4)
    area: Area = plan_area(design.plan)
    return [
        name, str(len(some)), str(wrong), f"{latency:,}", f"{interval:,}",
        "yes" if (latency, interval) == (timing.latency, timing.interval) else
        f"no: {timing.latency:,}, {timing.interval:,}",
        f"{interval / ideal(design):.3f}", f"{area.luts:,}", str(area.dsps), str(area.rams),
        f"{seconds:.1f}", f"{peak:.2f}", f"{time.perf_counter() - began:.0f}",
        str(differing(design, frames[:2])) if executors else "-",
    ]  # fmt: skip


def golden_rate(batch: int = 64) -> str:
    """Return the rate of the golden model of ResNet-8 against torch in float32.

    With ``OPENBLAS_NUM_THREADS=1`` both have one thread.
    """
    if os.environ.get("OPENBLAS_NUM_THREADS") == "1":
        torch.set_num_threads(1)
    model, design, _ = made("resnet8")
    x = torch.randn(batch, 3, 32, 32)
    ints = design.golden.quantize(x.numpy())

    def best(call: Callable[[], object]) -> float:
        times = []
        for _ in range(5):
            started = time.perf_counter()
            call()
            times.append(time.perf_counter() - started)
        return min(times)

    with torch.no_grad():
        ours, theirs = best(lambda: design.golden.raw(*ints)), best(lambda: model(x))
    return (
        f"golden model of ResNet-8, batch {batch}: {batch / ours:.0f} frames/s, torch float32 "
        f"{batch / theirs:.0f} frames/s: {theirs / ours:.2f} x"
    )


def main() -> None:
    """Measure what the command line names."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("networks", nargs="*", default=list(NETWORKS), metavar="NETWORK")
    parser.add_argument("--mnist", type=Path, help="MNIST as .npz, for LeNet-5 on all test images")
    parser.add_argument(
        "--executors", action="store_true", help="compare HLS C++, CUDA arithmetic and torch too"
    )
    args = parser.parse_args()
    table = Table(title="streaming networks, Verilated")
    for column in (
        "network", "frames", "wrong", "latency", "interval", "as predicted", "of ideal",
        "LUT est.", "DSP", "RAM", "convert s", "GB", "simulate s", "others wrong",
    ):  # fmt: skip
        table.add_column(column)
    for name in args.networks:
        table.add_row(*measure(name, args.mnist, args.executors))
    Console(width=160).print(table)
    if "resnet8" in args.networks:
        print(golden_rate())


if __name__ == "__main__":
    main()
