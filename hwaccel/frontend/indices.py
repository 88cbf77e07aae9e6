"""Indices: inputs of whole numbers, and what looks up by them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch.nn import functional

from hwaccel.errors import FrontendError
from hwaccel.frontend.floatgraph import (
    FakeQuant,
    FloatGraph,
    FloatOp,
    Floats,
    Gather,
    Reshape,
    Role,
)
from hwaccel.frontend.program import where


@dataclass(frozen=True, slots=True, eq=False)
class Lookup(FloatOp):
    """``y[d, t] = weight[x[t], d]``; indices out of range count as the nearest one.

    Where ``bits`` is not 0, weights are integers of that many bits times a power of two.
    """

    kind: ClassVar[str] = "embedding"
    role: ClassVar[Role] = Role.TABLE

    weight: Floats
    bits: int = 0

    def run(self, *xs: torch.Tensor) -> torch.Tensor:
        """Look up."""
        weight = torch.tensor(self.weight, dtype=xs[0].dtype)
        index = xs[0].round().clamp(0, len(weight) - 1).long()
        return functional.embedding(index, weight).movedim(-1, 1)


def index_inputs(graph: FloatGraph) -> dict[str, FakeQuant]:
    """Return the formats of the inputs that are indices.

    Raises:
        FrontendError: indices are computed, not an input.
    """
    makers = {node.name: node for node in graph.nodes}
    inputs = {value.name for value in graph.inputs}
    found: dict[str, FakeQuant] = {}
    for node in graph.nodes:
        if not isinstance(node.op, Lookup):
            continue
        name, last = node.inputs[0], len(node.op.weight) - 1
        while name in makers and isinstance(makers[name].op, Reshape | Gather):
            name = makers[name].inputs[0]
        if name not in inputs:
            raise FrontendError(
                f"{where(node.path)}: embedding: indices are computed by {makers[name].op.kind}; "
                "make them an input of the model"
            )
        known = found.get(name)
        found[name] = FakeQuant(0, 0, last if known is None else min(last, known.hi))
    return found
