"""Every op there is. Adding one means adding its file and its line here."""

from __future__ import annotations

from hwaccel.ir.op import Op
from hwaccel.ops.add import Add
from hwaccel.ops.chansum import ChannelSum
from hwaccel.ops.concat import Concat
from hwaccel.ops.conv2d import Conv2d
from hwaccel.ops.dense import Dense
from hwaccel.ops.gather import Gather
from hwaccel.ops.maxpool2d import MaxPool2d
from hwaccel.ops.minmax import MinMax
from hwaccel.ops.multiply import Multiply
from hwaccel.ops.relu import Relu
from hwaccel.ops.requant import Requant
from hwaccel.ops.reshape import Reshape
from hwaccel.ops.scale import Scale
from hwaccel.ops.sumpool2d import SumPool2d
from hwaccel.ops.table import Tabulate

OPS: tuple[type[Op], ...] = (
    Add,
    ChannelSum,
    Concat,
    Conv2d,
    Dense,
    Gather,
    MaxPool2d,
    MinMax,
    Multiply,
    Relu,
    Requant,
    Reshape,
    Scale,
    SumPool2d,
    Tabulate,
)

OP_BY_NAME: dict[str, type[Op]] = {op.name: op for op in OPS}

__all__ = [
    "OPS",
    "OP_BY_NAME",
    "Add",
    "ChannelSum",
    "Concat",
    "Conv2d",
    "Dense",
    "Gather",
    "MaxPool2d",
    "MinMax",
    "Multiply",
    "Relu",
    "Requant",
    "Reshape",
    "Scale",
    "SumPool2d",
    "Tabulate",
]
