"""``hwaccel distill``: a small student learns from a teacher."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from hwaccel.cli.compress import (
    Batch,
    DataName,
    Epochs,
    Output,
    Rate,
    Shift,
    Start,
    begun,
    need_torch,
)
from hwaccel.cli.console import Seed, say, steps


def distill(
    student: Annotated[
        str, typer.Argument(help="package.module:factory of the model that learns.")
    ],
    teacher: Annotated[str, typer.Option(help="package.module:factory of the trained model.")],
    teacher_weights: Annotated[
        Path | None, typer.Option(help="The teacher's state dict, or its checkpoint folder.")
    ] = None,
    output: Output = Path("distilled"),
    weights: Start = None,
    data: DataName = "digits",
    temperature: Annotated[
        float, typer.Option(help="What logits are divided by; more shows more of wrong classes.")
    ] = 4.0,
    hard: Annotated[
        float, typer.Option(help="Share of the labels in the loss, from 0 to 1.")
    ] = 0.3,
    epochs: Epochs = 10,
    rate: Rate = 2e-3,
    batch: Batch = 128,
    shift: Shift = 0,
    seed: Seed = 0,
) -> None:
    """Train a small model on the outputs of a large one and write a checkpoint."""
    need_torch()
    from hwaccel.compress.checkpoint import check_output, read_checkpoint, write_checkpoint
    from hwaccel.compress.data import load_data
    from hwaccel.compress.distill import Teaching
    from hwaccel.compress.distill import distill as learn
    from hwaccel.compress.training import Recipe

    check_output(output)
    teaching = Teaching(temperature, hard)
    recipe = Recipe(epochs=epochs, rate=rate, batch=batch, shift=shift, seed=seed)
    samples = load_data(data)
    start = begun(student, weights, samples, seed)
    knowing = read_checkpoint(teacher, teacher_weights, samples.example)
    with steps("distilling") as step:
        made, taught = learn(start, knowing.model, samples, recipe, teaching, progress=step)
    record: dict[str, Any] = {"command": "distill", "data": data, "teacher": teacher}
    write_checkpoint(output, made, samples.example, record | asdict(taught))
    say(f"test samples: teacher {taught.teacher}")
    say(f"test samples: student {taught.after}; written to {output}/")
