"""A small fully spatial classifier of MNIST: one image per clock, no DSP block, no block RAM.

python -m benchmarks.small_mnist --mnist mnist.npz            # x_train, y_train, x_test, y_test
python -m benchmarks.small_mnist --mnist mnist.npz --seed 1 --network net1.npz

Trains the network of ``hwaccel/compress/lookup.py`` on the 60,000 training images, converts it,
and requires that the logits of PyTorch, of the golden model and of the compiled simulation of the
Verilog are the same integers on all 10,000 test images. Nothing is chosen by the test images.
LUT6 are those of Yosys for UltraScale+: of the module ``mnist_core``, which takes the pixels as
bytes and gives ten counts, and of the top with its AXI-Stream ports.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from hwaccel import Config, convert
from hwaccel.api import Design
from hwaccel.compress.data import Samples
from hwaccel.compress.lookup import LookupNetwork, Settings, learned
from hwaccel.synth.target import target
from hwaccel.synth.utilization import Utilization
from hwaccel.synth.yosys import Options, synthesize

_TARGET = "xcup"


def main() -> None:
    asked = _arguments()
    torch.set_num_threads(1)
    with np.load(asked.mnist, allow_pickle=False) as file:
        data = {name: file[name] for name in ("x_train", "y_train", "x_test", "y_test")}
    started = time.process_time()
    network = _network(asked, data, _say(asked.quiet))
    trained = f"{time.process_time() - started:.0f} CPU seconds to train or read"
    images = torch.tensor(data["x_test"][: asked.images]) / 256
    with torch.no_grad():
        logits = torch.cat([network(part) for part in images.split(1000)]).numpy()
    accuracy = float((logits.argmax(1) == data["y_test"][: asked.images]).mean())
    config = Config(
        name="mnist",
        style="spatial",
        target=_TARGET,
        input="u8.8",
        latency=asked.latency,
        clock_mhz=asked.clock,
    )
    design = convert(network, images[:2], calibration=images[:16], config=config)
    latency, interval = _verified(design, images.numpy(), logits)
    print(
        f"seed {asked.seed}: {100 * accuracy:.2f} % of {len(images):,} test images; golden and "
        f"Verilog equal PyTorch in all of them; interval {interval}, latency {asked.latency} "
        f"({latency} with AXI-Stream); {trained}",
        flush=True,
    )
    for module, whole in (("mnist_core", False), ("mnist", True)):
        if not whole or asked.top:
            found = _synthesized(design, module, whole, asked.clock)
            print(
                f"seed {asked.seed}: {module}: {found.luts:,} LUT6, {found.ffs:,} FF, "
                f"{found.dsps} DSP, {found.block_rams} block RAM, {found.carries:,} CARRY4",
                flush=True,
            )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    usual = Settings()
    parser.add_argument("--mnist", type=Path, required=True, help="npz file with the MNIST images")
    parser.add_argument("--seed", type=int, default=usual.seed)
    parser.add_argument("--units", type=int, default=usual.units, help="tables, of all classes")
    parser.add_argument("--epochs", type=int, default=usual.epochs)
    parser.add_argument("--network", type=Path, help="read the trained network here, or write it")
    parser.add_argument("--images", type=int, default=10_000, help="how many test images")
    parser.add_argument("--latency", type=int, default=1, help="registers from pixels to counts")
    parser.add_argument("--clock", type=float, default=100.0, help="MHz that Yosys is told")
    parser.add_argument("--top", action="store_true", help="synthesize the AXI-Stream top as well")
    parser.add_argument("--quiet", action="store_true")
    return parser.parse_args()


def _network(
    asked: argparse.Namespace, data: dict[str, np.ndarray], say: Callable[[str], None]
) -> LookupNetwork:
    """Return the network of ``asked.network``, or train one."""
    if asked.network and asked.network.exists():
        with np.load(asked.network, allow_pickle=False) as file:
            tables = torch.tensor(file["wires"]), torch.tensor(file["entries"])
            return LookupNetwork(*tables, 10).eval()
    settings = Settings(units=asked.units, epochs=asked.epochs, seed=asked.seed)
    labels = torch.tensor(data["y_train"].astype(np.int64))
    images = torch.tensor(data["x_train"])[:, None] / 256
    network = learned(Samples(images, labels), 10, settings, say)
    if asked.network:
        wires, entries = (part.numpy() for part in network.tables())
        np.savez_compressed(asked.network, wires=wires, entries=entries)
    return network


def _verified(design: Design, images: np.ndarray, logits: np.ndarray) -> tuple[int, int]:
    """Compare golden model and simulated Verilog with ``logits``; return latency and interval."""
    ints = design.golden.quantize(images)
    scale = 2.0 ** -design.graph.types()[design.graph.outputs[0]].frac
    result = design.simulate_raw(ints, simulator="fast")  # raises at the first wrong bit
    for name, found in (("golden", design.golden.raw(*ints)), ("Verilog", result.outputs)):
        if not np.array_equal(found[0] * scale, logits):
            raise SystemExit(f"{name}: the logits differ from PyTorch's")
    return result.latency, result.interval


def _synthesized(design: Design, module: str, whole: bool, clock: float) -> Utilization:
    with tempfile.TemporaryDirectory() as folder:
        sources = []
        for name, text in design.verilog().items():
            if name.endswith(".v") and (whole or name == f"{module}.v"):
                sources.append(Path(folder) / name)
                sources[-1].write_text(text)
        options = Options(delay_ps=round(1e6 / clock))
        work = Path(folder) / "yosys"
        return synthesize(sources, module, target(_TARGET), work, options=options).utilization


def _say(quiet: bool) -> Callable[[str], None]:
    return (lambda _: None) if quiet else (lambda text: print(text, flush=True))


if __name__ == "__main__":
    main()
