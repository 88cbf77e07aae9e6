"""Commands that work on trained models before they become hardware."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hwaccel.cli.console import Seed, say, steps
from hwaccel.errors import ConfigError, HwaccelError

if TYPE_CHECKING:
    from hwaccel.compress.checkpoint import Checkpoint
    from hwaccel.compress.data import Data

Factory = Annotated[str, typer.Argument(help="package.module:factory of a torch.nn.Module.")]
Start = Annotated[
    Path | None,
    typer.Option("--weights", help="State dict, or a checkpoint folder of an earlier command."),
]
DataName = Annotated[
    str,
    typer.Option(help="digits, or an .npz file of x_train, y_train, x_test and y_test."),
]
Output = Annotated[Path, typer.Option("--output", "-o", help="Checkpoint folder to write.")]
Epochs = Annotated[int, typer.Option(min=0, help="Passes over the training samples.")]
Rate = Annotated[float, typer.Option(min=1e-9, help="Highest learning rate of the cycle.")]
Batch = Annotated[int, typer.Option(min=1, help="Samples per step.")]
Shift = Annotated[int, typer.Option(min=0, max=8, help="Move images by up to so many pixels.")]
Hardware = Annotated[
    Path | None, typer.Option("--config", help="TOML file of options for the hardware.")
]


def need_torch() -> None:
    """Say in one line what to install where there is no torch."""
    try:
        import torch  # noqa: F401
    except ImportError:
        raise HwaccelError(
            "torch: is not installed; training needs it: pip install 'hwaccel[torch]'"
        ) from None


def begun(model: str, weights: Path | None, samples: Data, seed: int) -> Checkpoint:
    """Return the model to begin with; what a factory draws at random follows from ``seed``."""
    import torch

    from hwaccel.compress.checkpoint import read_checkpoint

    torch.manual_seed(seed)
    start = read_checkpoint(model, weights, samples.example)
    with torch.no_grad():
        given = start.model(samples.example)
    if isinstance(given, torch.Tensor) and given.shape[-1] < samples.classes:
        raise ConfigError(
            f"{model}: gives {given.shape[-1]} numbers, {samples.name} has {samples.classes} "
            "classes; give --data for this model"
        )
    return start


def train(
    model: Factory,
    output: Output = Path("trained"),
    weights: Start = None,
    data: DataName = "digits",
    epochs: Epochs = 10,
    rate: Rate = 2e-3,
    batch: Batch = 128,
    shift: Shift = 0,
    seed: Seed = 0,
) -> None:
    """Train a model of a factory and write a checkpoint."""
    need_torch()
    from hwaccel.compress.checkpoint import check_output, write_checkpoint
    from hwaccel.compress.data import load_data
    from hwaccel.compress.training import Recipe, evaluate

    check_output(output)
    samples = load_data(data)
    start = begun(model, weights, samples, seed)
    recipe = Recipe(epochs=epochs, rate=rate, batch=batch, shift=shift, seed=seed)
    with steps("training") as step:
        start.train(samples.train, recipe, progress=step)
    score = evaluate(start.model, samples.test)
    record: dict[str, Any] = {"command": "train", "data": data, "seed": seed}
    record |= {"accuracy": score.accuracy, "loss": score.loss, "test_samples": score.count}
    write_checkpoint(output, start, samples.example, record)
    say(f"test samples: {score}; written to {output}/")
