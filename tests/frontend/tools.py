"""What the front-end tests share: models on a grid, frames on a grid, and the two answers."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn

from hwaccel.config import Config
from hwaccel.frontend.quant import quantize
from hwaccel.frontend.torch_export import trace
from hwaccel.fxp.boundary import dequantize, quantize_input
from hwaccel.ir import Graph, interpret, verify

# Eight-bit signed frames, and weights that five bits hold: float32 computes exactly with these.
EXACT = Config(input="s8.4", weight_bits=5, activation_bits=8)


class Lambda(nn.Module):
    """A module whose forward is a function; further modules are its children."""

    def __init__(self, function, **children) -> None:
        super().__init__()
        for name, child in children.items():
            if isinstance(child, nn.Module):
                self.add_module(name, child)
            else:
                self.register_buffer(name, child)
        self.function = function

    def forward(self, *xs):
        return self.function(self, *xs)


def on_grid(model: nn.Module, seed: int = 0) -> nn.Module:
    """Replace every parameter by random multiples of 1/8 in [-2, 15/8]."""
    rng = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randint(-16, 16, parameter.shape, generator=rng) / 8)
    return model


def frames(*shape: int, count: int = 6, seed: int = 1) -> np.ndarray:
    """Return random multiples of 1/16 in [-8, 8)."""
    ints = np.random.default_rng(seed).integers(-128, 128, (count, *shape))
    return (ints / 16).astype(np.float32)


def answers(model: nn.Module, xs: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Return what PyTorch says in eval mode."""
    training = model.training
    with torch.no_grad():
        ys = model.eval()(*map(torch.from_numpy, xs))
    model.train(training)
    return [y.double().numpy() for y in (ys if isinstance(ys, tuple | list) else (ys,))]


def golden(graph: Graph, xs: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Return what the graph says, as numbers."""
    types = graph.types()
    ints = [
        quantize_input(x, frac=v.type.frac, lo=v.type.lo, hi=v.type.hi)
        for v, x in zip(graph.inputs, xs, strict=True)
    ]
    ys = interpret(graph, *ints)
    return [dequantize(y, frac=types[o].frac) for o, y in zip(graph.outputs, ys, strict=True)]


def convert(model: nn.Module, xs: Sequence[np.ndarray], config: Config = EXACT) -> Graph:
    """Trace and quantize; the result is verified."""
    graph = quantize(trace(model, [x[:1] for x in xs]), list(xs), config)
    verify(graph)
    return graph


def check_exact(model: nn.Module, *xs: np.ndarray, config: Config = EXACT) -> Graph:
    """Convert, and require that every output equals PyTorch's in every bit."""
    graph = convert(model, xs, config)
    for found, expected in zip(golden(graph, xs), answers(model, xs), strict=True):
        np.testing.assert_array_equal(found, expected)
    return graph


def ops(graph: Graph) -> list[str]:
    """Return the op names in order."""
    return [node.op.name for node in graph.nodes]


# A place, what is wrong with it, and behind a semicolon the way out.
_PLACE = r"(the model's forward|[\w.-]+( \([\w.]*\))?|(input|output|layer|calibration) \S+)"
_REFUSAL = re.compile(
    rf"{_PLACE}:? .+; .+|.+ is not enough: this network needs at least \d+, one for each .+"
)


def readable(text: str) -> bool:
    """Tell whether a refusal is one line with a place, a reason and a way out."""
    return "\n" not in text and bool(_REFUSAL.fullmatch(text))


class Bomb:
    """Makes a file when unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (os.mkdir, (str(self.path),))
