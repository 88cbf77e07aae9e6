"""``FloatGraph``: the model between PyTorch and the IR, in floating point.

Shapes leave out the batch axis. Parameters are float64 arrays, which hold every PyTorch float
type exactly; ``run`` computes on torch tensors ``(N, *shape)`` and serves calibration only.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from hwaccel.fxp import IntArray

Floats = NDArray[np.float64]
Pair = tuple[int, int]
# Top, left, bottom, right.
Padding = tuple[int, int, int, int]


class Role(Enum):
    """What an op does to the number of bits."""

    KEEP = "the result has the operand's format"
    SUM = "the result needs some more bits"
    MULTIPLY = "the result needs as many more bits as the weights have"
    TABLE = "the result has a format of its own, the operand few bits"
    COMPARE = "the result is an integer of a few bits, the operand is taken as it is"
    QUANTIZE = "the model itself states the format"


@dataclass(frozen=True, slots=True, eq=False)
class FloatOp(ABC):
    """Base of the float ops; one frozen class each."""

    kind: ClassVar[str]
    role: ClassVar[Role]
    # What alone is read by such an op is not rounded in front of it.
    activates: ClassVar[bool] = False
    # The result is 0 or 1.
    truth: ClassVar[bool] = False
    # A table whose operand may have any number of bits: rounded only where the result is used.
    wide: ClassVar[bool] = False

    @abstractmethod
    def run(self, *xs: torch.Tensor) -> torch.Tensor:
        """Return the result for batches ``(N, *shape)``."""


def _tensor(values: Floats, like: torch.Tensor) -> torch.Tensor:
    return torch.tensor(values, dtype=like.dtype)


def _padded(x: torch.Tensor, padding: Padding, value: float) -> torch.Tensor:
    top, left, bottom, right = padding
    return functional.pad(x, (left, right, top, bottom), value=value)


@dataclass(frozen=True, slots=True, eq=False)
class Dense(FloatOp):
    """``weight @ x + bias``; ``weight`` is ``(outputs, inputs)``, of ``bits`` bits if not 0."""

    kind: ClassVar[str] = "dense"
    role: ClassVar[Role] = Role.MULTIPLY

    weight: Floats
    bias: Floats
    bits: int = 0

    def run(self, *xs: torch.Tensor) -> torch.Tensor:
        """Multiply and add."""
        return functional.linear(xs[0], _tensor(self.weight, xs[0]), _tensor(self.bias, xs[0]))


@dataclass(frozen=True, slots=True, eq=False)
class Conv2d(FloatOp):
    """Convolution; ``weight`` is ``(outputs, inputs / groups, KH, KW)``; ``bits`` as for dense."""

    kind: ClassVar[str] = "conv2d"
    role: ClassVar[Role] = Role.MULTIPLY

    weight: Floats
    bias: Floats
    stride: Pair
    padding: Padding
    dilation: Pair
    groups: int
    bits: int = 0

    def run(self, *xs: torch.Tensor) -> torch.Tensor:
        """Pad and convolve."""
        weight, bias = _tensor(self.weight, xs[0]), _tensor(self.bias, xs[0])
        x = _padded(xs[0], self.padding, 0.0)
        return functional.conv2d(x, weight, bias, self.stride, 0, self.dilation, self.groups)


@dataclass(frozen=True, slots=True, eq=False)
class Affine(FloatOp):
    """``x[c] * scale[c] + offset[c]``: batch normalization in eval mode."""

    kind: ClassVar[str] = "scale"
    role: ClassVar[Role] = Role.MULTIPLY

    scale: Floats
    offset: Floats

    def run(self, *xs: torch.Tensor) -> torch.Tensor:
        """Scale and shift along axis 1."""
        shape = (1, -1) + (1,) * (xs[0].ndim - 2)
        scale, offset = (_tensor(v, xs[0]).reshape(shape) for v in (self.scale, self.offset))
        return xs[0] * scale + offset


@dataclass(frozen=True, slots=True, eq=False)
class Add(FloatOp):
    """Sum of two values of one shape."""

    kind: ClassVar[str] = "add"
    role: ClassVar[Role] = Role.SUM

    def run(self, *xs: torch.Tensor) -> torch.Tensor:
        """Add."""
        return xs[0] + xs[1]


@dataclass(frozen=True, slots=True, eq=False)
class Concat(FloatOp):
    """The channels of one value, then those of another."""

    kind: ClassVar[str] = "concat"
    # Rounding and clipping at zero commute with it, and both formats fit the result.
    role: ClassVar[Role] = Role.KEEP

    def run(self, *xs: torch.Tensor) -> torch.Tensor:
        """Concatenate."""
        return torch.cat(xs, 1)


@dataclass(frozen=True, slots=True, eq=False)
class AvgPool2d(FloatOp):
    """Sum of each window, padding zeros included, divided by ``divisor``."""

    kind: ClassVar[str] = "avgpool2d"
    role: ClassVar[Role] = Role.SUM

    kernel: Pair
    stride: Pair
    padding: Padding
    divisor: int

    def run(self, *xs: torch.Tensor) -> torch.Tensor:
        """Average."""
        x = _padded(xs[0], self.padding, 0.0)
        return functional.avg_pool2d(x, self.kernel, self.stride, divisor_override=self.divisor)


@dataclass(frozen=True, slots=True, eq=False)
class MaxPool2d(FloatOp):
    """Maximum of each window; padding never wins."""

    kind: ClassVar[str] = "maxpool2d"
    role: ClassVar[Role] = Role.KEEP

    kernel: Pair
    stride: Pair
    padding: Padding
    dilation: Pair

    def run(self, *xs: torch.Tensor) -> torch.Tensor:
        """Take the maximum."""
        x = _padded(xs[0], self.padding, -torch.inf)
        return functional.max_pool2d(x, self.kernel, self.stride, 0, self.dilation)


@dataclass(frozen=True, slots=True, eq=False)
class ZeroPad2d(FloatOp):
    """Zeros around an image."""

    kind: ClassVar[str] = "zeropad2d"
    role: ClassVar[Role] = Role.KEEP

    padding: Padding

    def run(self, *xs: torch.Tensor) -> torch.Tensor:
        """Pad."""
        return _padded(xs[0], self.padding, 0.0)


@dataclass(frozen=True, slots=True, eq=False)
class Relu(FloatOp):
    """``max(x, 0)``."""

    kind: ClassVar[str] = "relu"
    role: ClassVar[Role] = Role.KEEP
    activates: ClassVar[bool] = True

    def run(self, *xs: torch.Tensor) -> torch.Tensor:
        """Rectify."""
        return functional.relu(xs[0])


@dataclass(frozen=True, slots=True, eq=False)
class Clip(FloatOp):
    """``min(max(x, lo), hi)``; ``hi`` may be infinite, ``lo`` minus that."""

    kind: ClassVar[str] = "clip"
    role: ClassVar[Role] = Role.KEEP
    activates: ClassVar[bool] = True

    lo: float
    hi: float

    def run(self, *xs: torch.Tensor) -> torch.Tensor:
        """Clamp."""
        return xs[0].clamp(self.lo, self.hi)


@dataclass(frozen=True, slots=True, eq=False)
class Function(FloatOp):
    """A function of one number, ``call``, applied to every element."""

    kind: ClassVar[str] = "table"
    role: ClassVar[Role] = Role.TABLE

    call: Callable[[torch.Tensor], torch.Tensor]

    def run(self, *xs: torch.Tensor) -> torch.Tensor:
        """Apply it."""
        return self.call(xs[0])


@dataclass(frozen=True, slots=True, eq=False)
class Subtract(FloatOp):
    """Difference of two values of one shape."""

    kind: ClassVar[str] = "sub"
    role: ClassVar[Role] = Role.SUM

    def run(self, *xs: torch.Tensor) -> torch.Tensor:
        """Subtract."""
        return xs[0] - xs[1]


@dataclass(frozen=True, slots=True, eq=False)
class Multiply(FloatOp):
    """Product, element by element, of two values of one shape."""

    kind: ClassVar[str] = "mul"
    role: ClassVar[Role] = Role.MULTIPLY

    def run(self, *xs: torch.Tensor) -> torch.Tensor:
        """Multiply."""
        return xs[0] * xs[1]


@dataclass(frozen=True, slots=True, eq=False)
class MinMax(FloatOp):
    """The larger, or the smaller, of two values, element by element."""

    kind: ClassVar[str] = "minmax"
    # Rounding and clipping at zero are monotone, so they commute with it.
    role: ClassVar[Role] = Role.KEEP

    largest: bool

    def run(self, *xs: torch.Tensor) -> torch.Tensor:
        """Compare."""
        return torch.maximum(*xs) if self.largest else torch.minimum(*xs)


@dataclass(frozen=True, slots=True, eq=False)
class Reshape(FloatOp):
    """The same elements, in C order, in another shape."""

    kind: ClassVar[str] = "reshape"
    role: ClassVar[Role] = Role.KEEP

    shape: tuple[int, ...]

    def run(self, *xs: torch.Tensor) -> torch.Tensor:
        """Reshape."""
        return xs[0].reshape(xs[0].shape[0], *self.shape)


@dataclass(frozen=True, slots=True, eq=False)
class Gather(FloatOp):
    """``y.flat[i] = x.flat[source[i]]``, or ``fill`` where ``source[i]`` is -1; in C order."""

    kind: ClassVar[str] = "gather"
    role: ClassVar[Role] = Role.KEEP

    source: IntArray
    shape: tuple[int, ...]
    fill: float = 0.0

    def run(self, *xs: torch.Tensor) -> torch.Tensor:
        """Index."""
        source = torch.tensor(self.source.a)
        y = xs[0].reshape(len(xs[0]), -1)[:, source.clamp(min=0)]
        y = torch.where(source < 0, torch.tensor(self.fill, dtype=y.dtype), y)
        return y.reshape(len(y), *self.shape)


@dataclass(frozen=True, slots=True, eq=False)
class Round(FloatOp):
    """The same numbers, rounded where a requant stands behind it."""

    kind: ClassVar[str] = "round"
    role: ClassVar[Role] = Role.SUM

    def run(self, *xs: torch.Tensor) -> torch.Tensor:
        """Change nothing."""
        return xs[0]


@dataclass(frozen=True, slots=True, eq=False)
class FakeQuant(FloatOp):
    """``clip(round_half_even(x * 2^frac), lo, hi) * 2^-frac``."""

    kind: ClassVar[str] = "requant"
    role: ClassVar[Role] = Role.QUANTIZE

    frac: int
    lo: int
    hi: int

    def run(self, *xs: torch.Tensor) -> torch.Tensor:
        """Round and clip."""
        return torch.fake_quantize_per_tensor_affine(xs[0], 2.0**-self.frac, 0, self.lo, self.hi)


@dataclass(frozen=True, slots=True)
class FloatValue:
    """A named tensor; ``shape`` leaves out the batch axis."""

    name: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class FloatNode:
    """One op applied to named values. ``path`` is the PyTorch module it came from, as written.

    ``guard`` counts the bits beyond ``activation_bits`` that its result keeps when it is rounded:
    a step inside a layer of several keeps some. Nodes of one ``group``, if it has a name, are
    the same step of a layer at different times: calibration gives them one format.
    """

    output: FloatValue
    op: FloatOp
    inputs: tuple[str, ...]
    path: str
    guard: int = 0
    group: str = ""

    @property
    def name(self) -> str:
        """Name of the node, which is that of its result."""
        return self.output.name


@dataclass(frozen=True, slots=True)
class FloatGraph:
    """A model in floating point; nodes stand in an order in which they can be computed.

    ``modules`` are the paths of all modules of the model.
    """

    name: str
    inputs: tuple[FloatValue, ...]
    nodes: tuple[FloatNode, ...]
    outputs: tuple[str, ...]
    modules: tuple[str, ...]

    def consumers(self) -> dict[str, tuple[FloatNode, ...]]:
        """Return the nodes that read each value."""
        readers: dict[str, list[FloatNode]] = {v.name: [] for v in self.inputs}
        for node in self.nodes:
            readers[node.name] = []
            for name in dict.fromkeys(node.inputs):
                readers[name].append(node)
        return {name: tuple(nodes) for name, nodes in readers.items()}

    def uses(self) -> Counter[str]:
        """Count the reads of every value; a graph output counts as one."""
        counter = Counter(name for node in self.nodes for name in node.inputs)
        counter.update(self.outputs)
        return counter
