"""The example designs that figures of trust are taken on, all in one place.

A network of one op for every op and style, the networks that the tests use, and the demo. `ops` and
`networks` need no torch; `converted` and `demo` do.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

import hwaccel
from hwaccel import Config
from hwaccel.api import Design
from hwaccel.ir import Graph
from hwaccel.ops import OPS
from hwaccel.schedule.plan import Plan
from hwaccel.verify.beats import Ints
from tests.emit import networks as emitted
from tests.verify import networks as small
from tests.verify import packing

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
STYLES = ("stream", "pixel", "spatial")
_FAST = {"effort": "fast", "clock_mhz": 60.0}


def one_op() -> Iterator[Design]:
    """For each op and style a network of that op alone, the first of its examples."""
    for op in OPS:
        example = op.examples()[0]
        graph = packing.one_op("one", example.op, example.ins)
        for style in STYLES:
            yield _made(graph, f"{op.name}_{style}", style=style)


def networks() -> Iterator[Design]:
    """The networks of the tests: LeNet-like and residual CNNs, forks, joins, several streams."""
    for residual in (False, True):
        yield _made(small.cnn(residual), f"cnn{residual:d}_stream")
        yield _made(small.cnn(residual, 6, 2), f"cnn{residual:d}_pixel", style="pixel")
        yield _made(small.cnn(residual, 4, 2), f"cnn{residual:d}_spatial", style="spatial")
    yield _made(small.dense_block(), "dense_block")
    yield _made(small.skips(), "skips")
    yield _made(small.two_ins_two_outs(), "two_by_two")
    yield _made(emitted.branches(), "branches_stream")
    yield _made(emitted.branches(), "branches_pixel", style="pixel")
    yield _made(emitted.small_cnn()[0], "small_cnn", multipliers=12)


def every_fold() -> Iterator[Plan]:
    """Every op and example at every parallelism that it can have as a stream."""
    for op in OPS:
        for example in op.examples():
            for fold in example.op.folds(*example.ins):
                graph = packing.one_op(op.name, example.op, example.ins)
                yield packing.design(graph, {"y": fold}, frames=1).plan


def converted() -> Iterator[Design]:
    """The PyTorch models of the end-to-end tests and of the examples, with random weights."""
    import torch
    from torch import nn

    from tests.e2e.test_models import MODELS

    sys.path.insert(0, str(EXAMPLES))
    from mnist_models import Cnn, Mlp

    models = {f"e2e_{name}": made for name, made in MODELS.items()}
    models |= {"mnist_cnn": (Cnn, (1, 28, 28)), "mnist_mlp": (Mlp, (1, 28, 28))}
    for name, (factory, shape) in models.items():
        torch.manual_seed(len(name))
        model = factory().eval()
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.uniform_(-0.5, 0.5)
                module.running_var.uniform_(0.5, 2.0)
        frames = torch.randn(16, *shape)
        config = Config(
            name=name.replace("-", "_"), weight_bits=6, activation_bits=7, multipliers=12
        )
        yield hwaccel.convert(model, frames[:2], calibration=frames.numpy(), config=config)


def demo() -> Design:
    """The network of `make demo`, trained as it is there."""
    sys.path.insert(0, str(EXAMPLES))
    from digits_model import digits, train

    data = digits()
    config = Config(name="digits", input="u4.4", multipliers=64, clock_mhz=100.0)
    return hwaccel.convert(
        train(data).model,
        data.test_x.numpy()[:1],
        calibration=data.train_x.numpy(),
        config=config,
    )


def frames(design: Design, count: int, seed: int) -> list[Ints]:
    """Return random frames for a design; every tenth holds the extremes of its type only."""
    rng = np.random.default_rng(seed)
    xs = []
    for value in design.graph.inputs:
        x = rng.integers(value.type.lo, value.type.hi + 1, (count, *value.type.shape))
        x[::10] = rng.choice([value.type.lo, value.type.hi], x[::10].shape)
        xs.append(x)
    return xs


def _made(graph: Graph, name: str, **options: object) -> Design:
    config = Config(name=name, **(_FAST | options))  # type: ignore[arg-type]
    return hwaccel.design_from(replace(graph, name=name), config)
