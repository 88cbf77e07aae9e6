"""What a traced model may call, and how each call treats values on a grid."""

from __future__ import annotations

import operator
from enum import Enum, auto
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from hwaccel.compress.quant_layers import WEIGHTED


class Kind(Enum):
    """How a call treats what it gets."""

    LAYER = auto()  # multiplies with weights
    RECTIFY = auto()  # the positive part; rounds
    KEEP = auto()  # moves or chooses elements, of a quantized tensor too
    MOVE = auto()  # moves or chooses elements of plain tensors
    SUM = auto()  # adds, or averages: exact, with more bits
    PRODUCT = auto()  # multiplies two values
    CLIP = auto()  # limits values
    TABLE = auto()  # a function of one number


MODULES: dict[type[nn.Module], Kind] = {
    **dict.fromkeys(WEIGHTED, Kind.LAYER),
    nn.ReLU: Kind.RECTIFY,
    **dict.fromkeys(
        (
            nn.MaxPool1d, nn.MaxPool2d, nn.Flatten, nn.Identity, nn.Dropout, nn.Dropout1d,
            nn.Dropout2d,
        ),
        Kind.KEEP,
    ),
    **dict.fromkeys((nn.Unflatten, nn.ZeroPad1d, nn.ZeroPad2d, nn.PixelShuffle), Kind.MOVE),
    **dict.fromkeys(
        (nn.AvgPool1d, nn.AvgPool2d, nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d), Kind.SUM
    ),
    **dict.fromkeys((nn.ReLU6, nn.Hardtanh), Kind.CLIP),
    **dict.fromkeys(
        (
            nn.Sigmoid, nn.Tanh, nn.GELU, nn.SiLU, nn.Hardswish, nn.Hardsigmoid, nn.ELU,
            nn.Softplus, nn.Mish,
        ),
        Kind.TABLE,
    ),
}  # fmt: skip

FUNCTIONS: dict[Any, Kind] = {
    **dict.fromkeys((functional.relu, torch.relu, torch.relu_), Kind.RECTIFY),
    **dict.fromkeys((functional.max_pool2d, torch.flatten, functional.dropout), Kind.KEEP),
    **dict.fromkeys((torch.permute, torch.transpose, torch.unsqueeze, torch.squeeze), Kind.MOVE),
    **dict.fromkeys((torch.reshape, functional.pad, torch.cat, torch.concat), Kind.MOVE),
    **dict.fromkeys((operator.getitem, torch.maximum, torch.minimum), Kind.MOVE),
    **dict.fromkeys(
        (
            operator.add, operator.iadd, operator.sub, operator.isub, torch.add, torch.sub,
            torch.mean, torch.sum, functional.avg_pool2d, functional.adaptive_avg_pool2d,
        ),
        Kind.SUM,
    ),
    **dict.fromkeys((operator.mul, operator.imul, torch.mul), Kind.PRODUCT),
    **dict.fromkeys((functional.relu6, functional.hardtanh), Kind.CLIP),
    **dict.fromkeys(
        (
            torch.sigmoid, torch.tanh, functional.sigmoid, functional.tanh, functional.gelu,
            functional.silu, functional.hardswish, functional.hardsigmoid, functional.elu,
            functional.softplus,
        ),
        Kind.TABLE,
    ),
}  # fmt: skip

METHODS: dict[str, Kind] = {
    **dict.fromkeys("relu relu_".split(), Kind.RECTIFY),
    **dict.fromkeys("flatten view reshape".split(), Kind.KEEP),
    **dict.fromkeys("permute transpose unsqueeze squeeze contiguous chunk".split(), Kind.MOVE),
    **dict.fromkeys("add add_ sub sub_ mean sum".split(), Kind.SUM),
    **dict.fromkeys("mul mul_".split(), Kind.PRODUCT),
    **dict.fromkeys("sigmoid tanh".split(), Kind.TABLE),
}

# Their results are never negative.
UNSIGNED: frozenset[Any] = frozenset(
    (
        nn.Sigmoid, nn.Hardsigmoid, nn.Softplus, nn.ReLU6, torch.sigmoid, functional.sigmoid,
        functional.hardsigmoid, functional.softplus, functional.relu6, "sigmoid",
    )
)  # fmt: skip
# Results of these may be negative whatever the operands are.
DIFFERENCES: frozenset[Any] = frozenset(
    (operator.sub, operator.isub, torch.sub, "sub", "sub_"),
)

# Calls that change their operand, which others may read, and what gives the result alone.
APART: dict[Any, Any] = {
    operator.iadd: operator.add,
    operator.isub: operator.sub,
    operator.imul: operator.mul,
    "add_": "add",
    "sub_": "sub",
    "mul_": "mul",
}
