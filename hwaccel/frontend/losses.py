"""What quantization costs, layer by layer: the float graph beside the golden model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
import torch

from hwaccel.frontend.floatgraph import FloatGraph, Floats
from hwaccel.fxp.boundary import quantize_input
from hwaccel.ir import Graph, Interpreter

_FRAMES = 64
# Elements of all values together that are held at once.
_MOST = 1 << 24


@dataclass(frozen=True, slots=True)
class Loss:
    """How far value ``name`` of the graph is from the float model's, over ``frames`` frames.

    ``signal`` and ``noise`` are mean squares, of the float numbers and of the difference;
    ``largest`` is the largest difference.
    """

    name: str
    frames: int
    signal: float
    noise: float
    largest: float


def losses_of(
    floats: FloatGraph, names: Mapping[str, str], graph: Graph, data: Sequence[torch.Tensor]
) -> tuple[Loss, ...]:
    """Compare every value of ``floats`` with the one of ``graph`` that ``names`` it stands for.

    Both run on the first frames of ``data``, one tensor per input. Where several float values
    became one, the last of them counts: it is what the layer puts out.
    """
    types = graph.types()
    size = sum(prod(type.shape) for type in types.values())
    frames = max(1, min(_FRAMES, len(data[0]), _MOST // size))
    chunk = [x[:frames] for x in data]
    ints = [
        quantize_input(x.numpy(), frac=v.type.frac, lo=v.type.lo, hi=v.type.hi)
        for x, v in zip(chunk, graph.inputs, strict=True)
    ]
    fixed = Interpreter(graph).trace(*ints)
    found: dict[str, Loss] = {}
    with torch.no_grad():
        env = {value.name: x for value, x in zip(floats.inputs, chunk, strict=True)}
        for node in floats.nodes:
            env[node.name] = node.op.run(*(env[name] for name in node.inputs))
            name = names.get(node.name, "")
            want = env[node.name].double().numpy()
            if name in fixed and fixed[name].shape == want.shape and np.isfinite(want).all():
                found[name] = _loss(name, want, np.ldexp(fixed[name], -types[name].frac))
    return tuple(found.values())


def _loss(name: str, want: Floats, have: Floats) -> Loss:
    wrong = have - want
    return Loss(
        name,
        len(want),
        float(np.mean(want * want)),
        float(np.mean(wrong * wrong)),
        float(np.abs(wrong).max(initial=0.0)),
    )
