"""Quantize a trained model: after training, with corrections, or by training with the rounding."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import nn

from hwaccel.compress import quant_layers
from hwaccel.compress.checkpoint import Checkpoint
from hwaccel.compress.correct import calibrate_corrected, unrounded
from hwaccel.compress.data import Data
from hwaccel.compress.quant_graph import INPUT
from hwaccel.compress.quantized import Quantized
from hwaccel.compress.scales import calibrate, input_format, narrower_format
from hwaccel.compress.training import Progress, Recipe, Score, copied, evaluate
from hwaccel.errors import ConfigError

_CALIBRATION = 512


@dataclass(frozen=True, slots=True)
class Place:
    """A layer of weights, or a quantizer of values, and its bits."""

    path: str
    field: str
    bits: int

    def __str__(self) -> str:
        return f"{self.path} ({self.field.split('_')[0]})"


@dataclass(frozen=True, slots=True)
class Quantization:
    """What quantization cost on the samples that choices are made by, at each stage."""

    before: Score
    rounded: Score
    after: Score

    @property
    def drop(self) -> float:
        """Points of accuracy lost."""
        return self.before.accuracy - self.after.accuracy


def edit_for(data: Data, weight_bits: int, activation_bits: int, *, narrower: int = 0) -> Quantized:
    """Return the edit whose input is exact for the data, if 16 bits can be.

    With ``narrower``, the input has so many bits less than that.

    Raises:
        ConfigError: it does not have as many.
    """
    fixed = input_format(data.train.x, 8)
    if narrower:
        fixed = narrower_format(data.train.x, fixed, narrower)
    return Quantized(weight_bits=weight_bits, activation_bits=activation_bits, input=str(fixed))


def quantize(
    start: Checkpoint,
    data: Data,
    edit: Quantized,
    recipe: Recipe | None = None,
    *,
    corrected: bool = True,
    progress: Progress | None = None,
) -> tuple[Checkpoint, Quantization]:
    """Return the quantized successor of ``start``, trained further where there is a ``recipe``.

    ``corrected`` says whether weights and biases make up for rounding at first.

    Raises:
        ConfigError: Brevitas is missing, or the model, the data or the recipe does not fit.
    """
    check_start(start)
    if progress is not None:
        progress("choosing scales")
    model = prepared(start, data, edit, corrected=corrected)
    made = start.then(model, edit)
    before, rounded = evaluate(start.model, data.valid), evaluate(model, data.valid)
    if recipe is not None:
        made.train(data.train, recipe, progress=progress, label="quantization-aware training")
    return made, Quantization(before, rounded, evaluate(model, data.valid))


def check_start(start: Checkpoint) -> None:
    """Refuse a checkpoint that is quantized."""
    if any(isinstance(edit, Quantized) for edit in start.edits):
        raise ConfigError(
            "the checkpoint is quantized already; quantize the float checkpoint it came from"
        )


def prepared(start: Checkpoint, data: Data, edit: Quantized, *, corrected: bool) -> nn.Module:
    """Return a quantized copy of the model, its scales chosen on training samples."""
    model = edit.apply(copied(start.model), data.example)
    x = torch.from_numpy(data.calibration(_CALIBRATION))
    (calibrate_corrected if corrected else calibrate)(model, x)
    return model


def retuned(start: Checkpoint, data: Data, edit: Quantized, trained: nn.Module) -> nn.Module:
    """Return a model of other bits with the weights of a trained one and scales of its own."""
    model = edit.apply(copied(start.model), data.example)
    model.load_state_dict(trained.state_dict())
    calibrate(model, torch.from_numpy(data.calibration(_CALIBRATION)))
    return model


def places(model: nn.Module) -> list[Place]:
    """Return everything that has bits of its own, in the order of the modules."""
    found = []
    for path, module in model.named_modules():
        if quant_layers.is_weighted(module):
            found.append(Place(path, "weight_bits", quant_layers.weight_bits(module)))
        elif path != INPUT and quant_layers.is_quantizer(module):
            found.append(Place(path, "activation_bits", quant_layers.format_of(module).width))
    return found


def losses_alone(model: nn.Module, data: Data) -> dict[Place, float]:
    """Return the loss on ``data.valid`` where one place alone rounds and the rest does not."""
    found = {}
    for place in places(model):
        module = model.get_submodule(place.path)
        with unrounded(model, but=module):
            found[place] = evaluate(model, data.valid).loss
    return found


def at_bits(place: Place, bits: int) -> Place:
    """Return ``place`` with other bits."""
    return replace(place, bits=bits)
