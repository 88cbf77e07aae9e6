"""The golden model as users call it: numbers in and out, or integers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hwaccel.errors import ConfigError
from hwaccel.fxp.boundary import dequantize, quantize_input
from hwaccel.ir import Graph, Interpreter

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Golden:
    """The golden model: call it with floats, or ``raw`` with integers."""

    graph: Graph

    @cached_property
    def _interpreter(self) -> Interpreter:
        return Interpreter(self.graph)

    def raw(self, *xs: Ints) -> tuple[Ints, ...]:
        """Return the integer outputs for integer inputs ``(N, *shape)``."""
        return self._interpreter.run(*xs)

    def __call__(self, *xs: ArrayLike) -> Floats | tuple[Floats, ...]:
        """Return the outputs as numbers for inputs given as numbers ``(N, *shape)``."""
        return self.read(self.raw(*self.quantize(*xs)))

    def quantize(self, *xs: ArrayLike) -> tuple[Ints, ...]:
        """Return the integers that the input streams carry for these numbers."""
        if len(xs) != len(self.graph.inputs):
            raise ConfigError(f"expected {len(self.graph.inputs)} inputs, found {len(xs)}")
        types = [value.type for value in self.graph.inputs]
        return tuple(
            quantize_input(x, frac=t.frac, lo=t.lo, hi=t.hi) for x, t in zip(xs, types, strict=True)
        )

    def read(self, outputs: Sequence[Ints]) -> Floats | tuple[Floats, ...]:
        """Return the numbers that output integers stand for; one array for one output."""
        types = self.graph.types()
        values = tuple(
            dequantize(y, frac=types[name].frac)
            for y, name in zip(outputs, self.graph.outputs, strict=True)
        )
        return values[0] if len(values) == 1 else values
