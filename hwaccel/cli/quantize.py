"""The command that quantizes a trained model."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from hwaccel.cli.compress import (
    Batch,
    DataName,
    Factory,
    Output,
    Shift,
    Start,
    begun,
    need_torch,
)
from hwaccel.cli.console import Seed, hardware_of, out, printable, say, steps

if TYPE_CHECKING:
    from hwaccel.compress.quant_report import QuantReport


class Method(StrEnum):
    """How a model is quantized."""

    PTQ = "ptq"
    QAT = "qat"


def quantize(
    model: Factory,
    output: Output = Path("quantized"),
    weights: Start = None,
    data: DataName = "digits",
    weight_bits: Annotated[
        int, typer.Option(help="Bits per weight, 2 to 16; with a bound, the most.")
    ] = 8,
    activation_bits: Annotated[
        int, typer.Option(help="Bits per activation, 2 to 16; with a bound, the most.")
    ] = 8,
    layer: Annotated[
        list[str] | None,
        typer.Option(help="Bits of one layer, like conv1=6/4 or relu1=/4; once for each."),
    ] = None,
    accuracy_drop: Annotated[
        float | None,
        typer.Option(help="Search bits per layer: points of accuracy that may be lost."),
    ] = None,
    loss_rise: Annotated[
        float | None, typer.Option(help="Search bits per layer: how much the loss may rise.")
    ] = None,
    margin: Annotated[
        float,
        typer.Option(min=0, help="Standard errors that must be within the bound, too, of a step."),
    ] = 1.0,
    method: Annotated[
        Method, typer.Option(help="ptq: without training; qat: training with the rounding.")
    ] = Method.PTQ,
    correct: Annotated[
        bool, typer.Option(help="Let weights and biases make up for rounding at first.")
    ] = True,
    learn_scales: Annotated[
        bool, typer.Option("--learn-scales", help="Let training move the scales too.")
    ] = False,
    epochs: Annotated[int, typer.Option(min=0, help="Passes over the samples (qat).")] = 4,
    rate: Annotated[float, typer.Option(min=1e-9, help="Highest learning rate (qat).")] = 1e-3,
    batch: Batch = 128,
    shift: Shift = 0,
    config: Annotated[
        Path | None, typer.Option(help="TOML file of the hardware that costs are predicted for.")
    ] = None,
    seed: Seed = 0,
) -> None:
    """Quantize a trained model; with a bound, search the bits of every layer by the loss."""
    need_torch()
    import msgspec

    from hwaccel.compress.bound import Bound
    from hwaccel.compress.checkpoint import check_output, write_checkpoint
    from hwaccel.compress.data import load_data
    from hwaccel.compress.precision import search
    from hwaccel.compress.quant_report import quant_report
    from hwaccel.compress.quantize import edit_for
    from hwaccel.compress.quantize import quantize as quantize_model
    from hwaccel.compress.quantized import changed, parse_layers
    from hwaccel.compress.training import Recipe, evaluate

    check_output(output)
    hardware = hardware_of(config)
    samples = load_data(data)
    edit = changed(edit_for(samples, weight_bits, activation_bits), parse_layers(layer or ()))
    edit = msgspec.structs.replace(edit, learned=learn_scales)
    start = begun(model, weights, samples, seed)
    recipe = Recipe(epochs=epochs, rate=rate, batch=batch, shift=shift, seed=seed)
    train = recipe if method is Method.QAT else None
    record: dict[str, Any] = {"command": "quantize", "data": data, "seed": seed}
    record |= {"method": method.value}
    with steps("quantizing") as step:
        if accuracy_drop is None and loss_rise is None:
            made, lost = quantize_model(
                start, samples, edit, train, corrected=correct, progress=step
            )
        else:
            bound = Bound(accuracy_drop, loss_rise)
            made, found = search(
                start, samples, edit, bound, train, hardware, margin=margin, progress=step
            )
            lost = found.quantization
            record |= {"bound": msgspec.to_builtins(bound), "margin": margin}
            record |= {"steps": [str(s) for s in found.steps]}
        step("predicting the hardware")
        report = quant_report(start, made, samples, hardware)
    before, after = (evaluate(one.model, samples.test) for one in (start, made))
    record |= {"accuracy": after.accuracy, "loss": after.loss, "test_samples": after.count}
    record |= {"float_accuracy": before.accuracy, "float_loss": before.loss}
    record |= {"choices": msgspec.to_builtins(lost), "hardware": msgspec.to_builtins(report)}
    write_checkpoint(output, made, samples.example, record)
    _print(report)
    say(f"samples for choices: {lost.before} before, {lost.after} after")
    say(f"test samples: {before} before, {after} after; written to {output}/")


def _print(report: QuantReport) -> None:
    table = Table(title="quantized layers", title_justify="left")
    table.add_column("layer")
    columns = ("weight bits", "activation bits", "loss alone", "area before", "area after")
    for column in columns:
        table.add_column(column, justify="right")
    for row in report.rows:
        loss = "" if row.loss_alone is None else f"{row.loss_alone:.4f}"
        numbers = (row.weight_bits, row.activation_bits, loss, row.area_before, row.area_after)
        table.add_row(
            Text(printable(row.path or "-")), *("" if n is None else str(n) for n in numbers)
        )
    out.print(table)
    say(f"before: {report.before}")
    say(f"after: {report.after}")
