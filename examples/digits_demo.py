"""The whole road on real data: train, convert, simulate, compile, synthesize, place and route.

python examples/digits_demo.py [--output build/digits] [--no-synth]
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from digits_model import digits, train
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from hwaccel import Config, convert, stages
from hwaccel.frontend.losses import Loss
from hwaccel.report.results import AccuracyRecord, AccuracyRow, save_result
from hwaccel.report.summary import table_rows

ICARUS_FRAMES = 50
console = Console()


class Steps:
    """One live line for the step that runs, one printed line for every step done."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task = progress.add_task("", total=None)
        self._started = time.monotonic()

    def __call__(self, text: str) -> None:
        self._progress.update(self._task, description=text)

    def done(self, text: str) -> None:
        seconds = time.monotonic() - self._started
        self._progress.console.print(f"[dim]{seconds:6.1f} s[/]  {text}", highlight=False)


def run(output: Path, *, synth: bool, steps: Steps) -> None:
    data = digits()
    trained = train(data, tick=steps)
    steps.done(
        f"trained on {len(data.train_y)} digits, {100 * trained.sparsity:.0f} % of the weights "
        "pruned, 6-bit weights and activations"
    )

    steps("converting")
    images = data.test_x.numpy()
    labels = data.test_y.numpy()
    config = Config(name="digits", input="u4.4", multipliers=64, clock_mhz=100.0)
    losses: list[Loss] = []
    design = convert(
        trained.model, images[:1], calibration=data.train_x.numpy(), config=config, progress=steps,
        observer=losses.extend,
    )  # fmt: skip
    design.write(output)
    stages.keep_losses(design, output, losses)
    steps.done(f"wrote Verilog, HLS C++ and CUDA to {output}/")

    design.check_structure()
    steps.done("the top module, parsed by pyverilog, equals the plan")

    raw = design.golden.quantize(images)
    golden = design.golden.raw(*raw)[0]
    with torch.no_grad():
        torch_says = trained.model(data.test_x).numpy()
    if not np.array_equal(design.golden.read([golden]), torch_says):
        raise SystemExit("the golden model differs from PyTorch")
    steps.done("golden model equals PyTorch in every bit, on all held-out digits")

    rows = [
        AccuracyRow("float, PyTorch", trained.float_correct, len(labels)),
        AccuracyRow("quantized and pruned, PyTorch", trained.correct, len(labels)),
        AccuracyRow("golden", int((golden.argmax(1) == labels).sum()), len(labels)),
    ]
    for simulator in ("fast", "verilator", "icarus"):
        steps(f"simulating on {simulator}")
        count = ICARUS_FRAMES if simulator == "icarus" else len(labels)
        record = stages.simulate(design, output, [x[:count] for x in raw], simulator)
        steps.done(stages.sim_line(record))
    # The simulations above compared every output bit, so their answers are the golden ones.
    rows.append(AccuracyRow("RTL, Verilator", rows[-1].correct, len(labels)))
    steps("simulating with stalls on both sides")
    record = stages.simulate(
        design, output, [x[:40] for x in raw], "verilator", idle="some", backpressure="bursts"
    )
    steps.done(f"with stalls on both sides: {record.frames} frames, {record.mismatches} mismatches")
    steps("looking at every stream and issuer inside")
    stages.simulate(
        design, output, [x[:4] for x in raw], "icarus", idle="rare", trace=True, progress=steps.done
    )
    for what in ("hls", "cuda-host", "torch"):
        steps(f"running {what}")
        done = stages.csim(design, output, raw, what)
        steps.done(f"{what}: {done.frames} frames, {done.mismatches} mismatches")
    rows.append(AccuracyRow("HLS C++, g++", rows[-1].correct, len(labels)))
    save_result(
        output,
        "accuracy",
        AccuracyRecord(design=design.hash, rows=tuple(rows), data="360 held-out 8x8 digits"),
    )
    if synth:
        steps("synthesizing for ECP5")
        result = stages.synthesize(design, output, "ecp5-85k", progress=steps)
        steps.done(stages.synth_line(result))
    page = stages.write_report(design, output, output / "report.html")
    steps.done(f"report: {page}")
    table = Table(title="digits: from PyTorch to placed and routed hardware")
    for column in ("", "value", "how it was obtained"):
        table.add_column(column, overflow="fold")
    for row in table_rows(stages.report_of(design, output)):
        table.add_row(*row)
    console.print(table)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--output", type=Path, default=Path("build/digits"))
    parser.add_argument("--no-synth", action="store_true", help="skip Yosys and nextpnr")
    arguments = parser.parse_args()
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        run(arguments.output, synth=not arguments.no_synth, steps=Steps(progress))


if __name__ == "__main__":
    main()
