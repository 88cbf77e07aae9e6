"""The way of channels out of a model: which there are, and what each is worth to the loss."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import nn

from hwaccel.compress.channels import Group, by_input, groups, hearing, removable
from hwaccel.compress.data import Data, Samples
from hwaccel.compress.edits import Edit, layer_of
from hwaccel.compress.training import Loss, plain
from hwaccel.compress.units import Units

_SAMPLES, _BATCH = 2048, 64


@dataclass(frozen=True, slots=True, eq=False)
class Removal:
    """The way of channels out of a model.

    ``totals`` says how many units every layer that lets go had in the beginning.
    """

    data: Data
    loss: Loss
    totals: Mapping[str, int]

    def __call__(self, model: nn.Module) -> tuple[Units, ...]:
        """Return the channels that may go; what a channel is worth is what the loss says."""
        found = [g for g in groups(model, self.data.example) if g.path in self.totals]
        worth = importance(model, found, self.data.train.first(_SAMPLES), self.loss)
        return tuple(
            Units(
                group.path,
                scores,
                1,
                group.layers,
                partial(_remove, group, self.data.example),
                self.totals[group.path] - len(group.units),
            )
            for group, scores in zip(found, worth, strict=True)
        )


def removal(model: nn.Module, data: Data, loss: Loss, skip: Collection[str]) -> Removal:
    """Return the way, after trying which layers can let channels go without a trace."""
    totals = {
        group.path: len(group.units)
        for group in groups(model, data.example)
        if not set(group.writers) & set(skip) and removable(model, group, data.example, data.train)
    }
    return Removal(data, loss, totals)


def importance(
    model: nn.Module, found: Sequence[Group], samples: Samples, loss: Loss
) -> list[torch.Tensor]:
    """Return for every unit the squared change of the loss, to first order, were it unheard.

    A gate on a channel has as its gradient ``sum(w * dL/dw)`` over the weights that read the
    channel (P. Molchanov et al., *Importance Estimation for Neural Network Pruning*, CVPR 2019).
    """
    scores = [torch.zeros(len(group.units)) for group in found]
    paths = sorted({path for group in found for unit in group.units for path, _ in unit.readers})
    layers = [layer_of(model, path) for path in paths]
    if not layers:
        return scores
    model.eval()
    weights = [layer.weight for layer in layers]
    frozen = [weight for weight in weights if not weight.requires_grad]
    for weight in frozen:
        weight.requires_grad_(True)
    for x, y in zip(samples.x.split(_BATCH), samples.y.split(_BATCH), strict=True):
        with torch.enable_grad():
            gradients = torch.autograd.grad(loss(plain(model(x)), x, y), weights)
        gains = {
            path: by_input(layer, layer.weight.detach() * gradient)
            for path, layer, gradient in zip(paths, layers, gradients, strict=True)
        }
        for score, group in zip(scores, found, strict=True):
            score += hearing(group, gains).square()
    for weight in frozen:
        weight.requires_grad_(False)
    return scores


def _remove(group: Group, example: torch.Tensor, model: nn.Module, gone: torch.Tensor) -> Edit:
    edit = group.without(gone.tolist())
    edit.apply(model, example)
    return edit
