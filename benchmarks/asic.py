"""Area, clock and power of networks in the OSU cells of 0.18 um: ``python -m benchmarks.asic``.

A line per design: a small MLP laid out and streaming, and a streaming CNN in the manner of LeNet,
with its memories in the cells and left to macros. Weights and activations have 4 bits; weights are
drawn, not trained. Frames go through the netlist in Icarus, every bit is compared with golden and
every frame's last cycle with the plan; power is that of what switched meanwhile. Clocks are those
before a layout: wires have no delay, the clock arrives everywhere at once.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

import hwaccel
from benchmarks.trust.line import print_line
from hwaccel import stages
from hwaccel.silicon import Cells, cells_of, to_cells

BITS = {"weight_bits": 4, "activation_bits": 4}
TOOLS = ("yosys-native", "sta", "iverilog")


def mlp() -> tuple[nn.Module, torch.Tensor]:
    return nn.Sequential(nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 5)), torch.rand(64, 16)


def lenet() -> tuple[nn.Module, torch.Tensor]:
    model = nn.Sequential(
        *(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(4, 8, 3), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(32, 10)),
    )
    return model, torch.rand(64, 1, 14, 14)


Model = Callable[[], tuple[nn.Module, torch.Tensor]]
# Name, model, style, clock in MHz, whether memories are macros, frames.
DESIGNS: tuple[tuple[str, Model, str, float, bool, int], ...] = (
    ("mlp-spatial", mlp, "spatial", 200.0, False, 16),
    ("mlp-stream", mlp, "stream", 200.0, False, 8),
    ("lenet-stream", lenet, "stream", 200.0, False, 2),
    ("lenet-stream-macros", lenet, "stream", 200.0, True, 2),
)


def measure(
    name: str, model: Model, style: str, clock: float, macros: bool, frames: int,
    cells: Cells, seed: int,
) -> None:  # fmt: skip
    """Make one design, map and simulate it, print its line."""
    torch.manual_seed(seed)
    made, data = model()
    config = hwaccel.Config(style=style, clock_mhz=clock, name=name.replace("-", "_"), **BITS)
    design = hwaccel.convert(made, data, config=config)
    xs = stages.frames(design, frames, seed, ())
    with tempfile.TemporaryDirectory(prefix="hwaccel-") as folder:
        found = to_cells(design, cells, Path(folder), frames=xs, macros=macros, seed=seed)
    mapped, timing = found.mapped, found.timing
    figures = [
        f"{mapped.area:,.0f} um2",
        f"{mapped.gate_equivalents or 0:,.0f} GE",
        f"{mapped.count('flip-flop'):,} flip-flops",
        f"Fmax {found.fmax_mhz or 0:.1f} MHz (asked for {clock:g})",
        f"slowest from layer {found.path[0].layer or '-'} to {found.path[-1].layer or '-'}",
        f"hold slack {timing.hold_slack_ns or 0:.3f} ns",
        f"{1e3 * timing.power.total_w:.2f} mW at {clock:g} MHz",
        f"{frames} frames, 0 mismatches, one every {design.plan.timing().interval} cycles",
    ]
    if mapped.macros:
        sizes = ", ".join(f"{number} of {size}" for size, number in mapped.macros)
        figures.append(f"without memories: {sizes}")
    print_line(f"asic {name}", "; ".join(figures), seed=seed, using=TOOLS)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="designs to measure (default: all)")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    cells = cells_of("osu018")
    for design in DESIGNS:
        if not chosen.names or design[0] in chosen.names:
            measure(*design, cells, chosen.seed)


if __name__ == "__main__":
    main()
