"""A small student learns from the outputs of a teacher.

The method is that of Hinton, Vinyals and Dean, *Distilling the Knowledge in a Neural Network*
(2015, arXiv 1503.02531): logits divided by a temperature show which wrong classes the teacher
finds likely, and that says more about an input than its label.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from hwaccel.compress.checkpoint import Checkpoint
from hwaccel.compress.data import Data, Samples
from hwaccel.compress.training import (
    Loss,
    Progress,
    Recipe,
    Score,
    copied,
    device,
    evaluate,
    outputs_of,
    plain,
)
from hwaccel.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Teaching:
    """``hard`` is the share of the labels in the loss, the teacher has the rest."""

    temperature: float = 4.0
    hard: float = 0.3

    def __post_init__(self) -> None:
        if not 0 < self.temperature < float("inf"):
            raise ConfigError(f"temperature is {self.temperature:g}, expected a number above 0")
        if not 0 <= self.hard <= 1:
            raise ConfigError(f"hard is {self.hard:g}, expected a share from 0 to 1")


@dataclass(frozen=True, slots=True)
class Taught:
    """What was done, and how teacher and student do on the samples that choose nothing."""

    teaching: Teaching
    recipe: Recipe
    teacher: Score
    before: Score
    after: Score


def distill(
    student: Checkpoint,
    teacher: nn.Module,
    data: Data,
    recipe: Recipe,
    teaching: Teaching | None = None,
    *,
    progress: Progress | None = None,
) -> tuple[Checkpoint, Taught]:
    """Return the student after lessons, and the record of them; neither model is changed.

    The teacher answers in eval mode: once for all samples where the recipe moves no images, else
    for every batch. Quantized students are trained as they are.

    Raises:
        ConfigError: teacher and student differ in classes, or training fails.
    """
    teaching = teaching or Teaching()
    teacher = copied(teacher).eval().requires_grad_(False)
    _check_classes(student.model, teacher, data)
    made = student.then(copied(student.model))
    before = evaluate(made.model, data.test)
    if progress is not None:
        progress("distilling: the teacher answers")
    loss, targets = lessons(teacher, data.train, recipe, teaching)
    made.train(
        data.train, recipe, loss=loss, targets=targets, progress=progress, label="distilling"
    )
    after = evaluate(made.model, data.test)
    return made, Taught(teaching, recipe, evaluate(teacher, data.test), before, after)


def lessons(
    teacher: nn.Module, samples: Samples, recipe: Recipe, teaching: Teaching
) -> tuple[Loss, torch.Tensor | None]:
    """Return the loss of a student, and the targets of all ``samples`` where they are known.

    The teacher answers once for all samples where the recipe moves no images, else every batch.
    """
    if recipe.shift:
        return _asking(copied(teacher).eval().requires_grad_(False), teaching), None
    return _knowing(teaching), _answers(teacher, samples)


def mixed_loss(
    outputs: torch.Tensor, answers: torch.Tensor, labels: torch.Tensor, teaching: Teaching
) -> torch.Tensor:
    """Return cross entropy with the labels, mixed with that of both softened by the temperature.

    The soft part is the divergence, times the square of the temperature, which keeps gradients of
    one size (section 2.1 of the paper).
    """
    t = teaching.temperature
    soft = functional.kl_div(
        functional.log_softmax(outputs / t, 1),
        functional.log_softmax(answers / t, 1),
        reduction="batchmean",
        log_target=True,
    )
    hard = functional.cross_entropy(outputs, labels)
    return teaching.hard * hard + (1 - teaching.hard) * t * t * soft


def _answers(teacher: nn.Module, samples: Samples) -> torch.Tensor:
    """Return rows of a label and the teacher's logits."""
    return torch.cat([samples.y[:, None].float(), outputs_of(teacher, samples.x)], 1)


def _knowing(teaching: Teaching) -> Loss:
    def loss(outputs: torch.Tensor, x: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        return mixed_loss(outputs, rows[:, 1:], rows[:, 0].long(), teaching)

    return loss


def _asking(teacher: nn.Module, teaching: Teaching) -> Loss:
    placed = teacher.to(device())

    def loss(outputs: torch.Tensor, x: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            answers = plain(placed(x))
        return mixed_loss(outputs, answers, labels, teaching)

    return loss


def _check_classes(student: nn.Module, teacher: nn.Module, data: Data) -> None:
    x = data.train.x[:2]
    learns, knows = outputs_of(student, x), outputs_of(teacher, x)
    if learns.shape != knows.shape:
        raise ConfigError(
            f"the teacher gives {_shape(knows)} and the student {_shape(learns)} for an input; "
            "they must agree"
        )


def _shape(outputs: torch.Tensor) -> str:
    if outputs.ndim == 2:
        return f"{outputs.shape[1]} logits"
    return f"shape {tuple(outputs.shape[1:])}"
