"""Indices: whole numbers, given or rounded by the model itself, and what looks up by them."""

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
from hwaccel.frontend.quantizers import Quantize, is_power


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


@dataclass(frozen=True, slots=True, eq=False)
class Whole(FloatOp):
    """The operand, which must be an index or a truth value, as another integer type."""

    kind: ClassVar[str] = "whole"
    role: ClassVar[Role] = Role.KEEP

    dtype: str

    def run(self, *xs: torch.Tensor) -> torch.Tensor:
        """Do nothing."""
        return xs[0]


def whole(op: FloatOp) -> bool:
    """Tell whether all results of ``op`` are whole numbers."""
    if isinstance(op, Quantize):
        steps = bool(is_power(op.step).all()) and bool((op.step >= 1).all())
        return steps and not (op.back % 1).any()
    return op.role is Role.COMPARE or (isinstance(op, FakeQuant) and op.frac <= 0)


def index_inputs(graph: FloatGraph) -> dict[str, FakeQuant]:
    """Return the formats of the inputs that are indices.

    Fake quantization with a scale of 1 or more makes whole numbers of what is computed.

    Raises:
        FrontendError: indices are computed and not rounded.
    """
    makers = {node.name: node for node in graph.nodes}
    inputs = {value.name for value in graph.inputs}
    found: dict[str, FakeQuant] = {}
    for node in graph.nodes:
        if not isinstance(node.op, Lookup):
            continue
        name, last = node.inputs[0], len(node.op.weight) - 1
        while name in makers and isinstance(makers[name].op, Reshape | Gather | Whole):
            name = makers[name].inputs[0]
        if name in makers and whole(makers[name].op):
            continue
        if name not in inputs:
            op = makers[name].op
            kind = FakeQuant.kind if isinstance(op, Quantize) else op.kind
            raise FrontendError(
                f"{where(node.path)}: embedding: indices are computed by {kind}; "
                "make them an input of the model, or round them to whole numbers by fake "
                "quantization of scale 1"
            )
        known = found.get(name)
        found[name] = FakeQuant(0, 0, last if known is None else min(last, known.hi))
    return found
