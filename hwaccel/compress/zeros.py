"""Pruning to zeros: the layers keep their shape, and what is zero stays zero in training."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import partial

import torch
from torch import nn
from torch.nn.utils import prune

from hwaccel.compress.edits import Edit, Sparse, layer_of, weighted
from hwaccel.compress.order import order_of
from hwaccel.compress.patterns import Few, Pattern
from hwaccel.compress.units import Units


@dataclass(frozen=True, slots=True)
class Zeros:
    """The way to zeros in a pattern, by magnitude (S. Han et al., arXiv 1506.02626).

    ``areas`` is what ``order.areas`` found; layers in ``skip`` are left alone.
    """

    pattern: Pattern
    areas: Mapping[str, int]
    skip: Collection[str] = ()

    def __call__(self, model: nn.Module) -> tuple[Units, ...]:
        """Return the units of every layer; what is zero already is worth nothing and goes first."""
        layers = [(path, layer) for path, layer in weighted(model) if path not in self.skip]
        return tuple(self._units(path, layer) for path, layer in layers)

    def _units(self, path: str, layer: nn.Module) -> Units:
        order = order_of(layer, self.areas.get(path, 1))
        positions = self.pattern.units(path, layer.weight, order)
        weight = layer.weight.detach().flatten().double()
        remove = partial(_remove, path, positions)
        if isinstance(self.pattern, Few):
            # One decision for the layer; what it loses, of what it has, compares layers.
            lost = weight[positions].square().sum(1) / weight.square().sum().clamp_min(1e-30)
            return Units(path, lost, positions.shape[1], (path,), remove, least=0)
        scores = magnitude(weight[positions].square().sum(1))
        return Units(path, scores, positions.shape[1], (path,), remove)


def magnitude(energies: torch.Tensor) -> torch.Tensor:
    """Return scores in the order of ``energies`` that compare layers, whatever their scale.

    The energy of a unit over that of all units not below it: what the layer loses of its output
    when the unit goes next (LAMP; J. Lee et al., *Layer-Adaptive Sparsity for the Magnitude-Based
    Pruning*, ICLR 2021). Batch normalization makes the scale itself mean nothing.
    """
    order = energies.argsort(stable=True)
    rest = energies[order].flip(0).cumsum(0).flip(0)
    scores = torch.empty_like(energies)
    scores[order] = energies[order] / rest.clamp_min(torch.finfo(rest.dtype).tiny)
    return scores


def _remove(path: str, positions: torch.Tensor, model: nn.Module, gone: torch.Tensor) -> Edit:
    layer = layer_of(model, path)
    mask = torch.ones(layer.weight.numel())
    mask[positions[gone].flatten()] = 0
    prune.custom_from_mask(layer, "weight", mask.reshape(layer.weight.shape))
    prune.remove(layer, "weight")
    return Sparse()
