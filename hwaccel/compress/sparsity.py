"""How sparse a model is: zeros by layer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch

from hwaccel.compress.edits import weighted


@dataclass(frozen=True, slots=True)
class LayerSparsity:
    """Weights of the layer at ``path``, and how many of them are zero."""

    path: str
    weights: int
    zeros: int

    @property
    def share(self) -> float:
        """Zeros over weights."""
        return self.zeros / self.weights


def sparsity(model: torch.nn.Module) -> tuple[LayerSparsity, ...]:
    """Return the zeros of every layer that multiplies, in order."""
    return tuple(
        LayerSparsity(path, layer.weight.numel(), int((layer.weight == 0).sum()))
        for path, layer in weighted(model)
    )


def overall(layers: Iterable[LayerSparsity]) -> float:
    """Return zeros over weights of all ``layers``."""
    found = tuple(layers)
    weights = sum(layer.weights for layer in found)
    return sum(layer.zeros for layer in found) / weights if weights else 0.0
