"""Edits that compute nearly the same for less: clips for functions, shorter tables, shifts."""

from __future__ import annotations

from math import frexp
from typing import Literal

import torch
from torch import nn

from hwaccel.compress.edits import Edit, layer_of, replace_layer
from hwaccel.errors import ConfigError

Shape = Literal["relu", "hardtanh", "line", "slope"]
# What each activation may become; everything on the left but the last two is a table.
SIMPLER: dict[type[nn.Module], Shape] = {
    nn.GELU: "relu",
    nn.SiLU: "relu",
    nn.Mish: "relu",
    nn.Hardswish: "relu",
    nn.Softplus: "relu",
    nn.ELU: "relu",
    nn.CELU: "relu",
    nn.SELU: "relu",
    nn.Tanh: "hardtanh",
    nn.Softsign: "hardtanh",
    nn.Sigmoid: "line",
    nn.Hardsigmoid: "line",
    nn.LeakyReLU: "slope",
    nn.PReLU: "slope",
}
TABLES = tuple(kind for kind in SIMPLER if kind not in (nn.LeakyReLU, nn.PReLU))


class Line(nn.Module):  # type: ignore[misc]
    """``x / 4 + 1/2`` within 0 and 1: a sigmoid whose slope at 0 is right, without a table."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Halve twice, add, clip."""
        return (x * 0.25 + 0.5).clamp(0, 1)


class Rounded(nn.Module):  # type: ignore[misc]
    """Rounds to integers of ``bits`` bits times ``2^-frac``; the gradient passes."""

    def __init__(self, bits: int, frac: int, signed: bool) -> None:
        super().__init__()
        self.lo = -(1 << (bits - 1)) if signed else 0
        self.hi = self.lo + (1 << bits) - 1
        self.scale = 2.0**-frac

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Round half to even and clip."""
        return torch.fake_quantize_per_tensor_affine(x, self.scale, 0, self.lo, self.hi)


class Simpler(Edit, frozen=True):
    """The activation ``layer`` becomes a clip: ``relu``, ``hardtanh`` or ``line``.

    ``slope`` keeps a leaky rectifier, but with the nearest power of two for a slope.
    """

    layer: str
    shape: Shape

    def apply(self, model: nn.Module, example: torch.Tensor) -> nn.Module:
        """Replace the activation.

        Raises:
            ConfigError: the layer is no activation that may become this.
        """
        layer = layer_of(model, self.layer)
        if SIMPLER.get(type(layer)) != self.shape:
            raise ConfigError(
                f"layer {self.layer!r} is a {type(layer).__name__}, which does not become "
                f"{self.shape}"
            )
        replace_layer(model, self.layer, _simpler(layer, self.shape))
        return model


class CoarseTable(Edit, frozen=True):
    """The operand of the function ``layer`` is rounded to ``bits``, so its table is shorter."""

    layer: str
    bits: int
    frac: int
    signed: bool

    def apply(self, model: nn.Module, example: torch.Tensor) -> nn.Module:
        """Put the rounding in front of the function.

        Raises:
            ConfigError: the layer is no function by table, or the bits are not 2 to 16.
        """
        layer = layer_of(model, self.layer)
        if not isinstance(layer, TABLES) or not 2 <= self.bits <= 16:
            raise ConfigError(
                f"layer {self.layer!r} is a {type(layer).__name__} with {self.bits} bits; a "
                "function that is a table can have 2 to 16"
            )
        rounded = Rounded(self.bits, self.frac, self.signed)
        replace_layer(model, self.layer, nn.Sequential(rounded, layer))
        return model


class ShiftPool(Edit, frozen=True):
    """The average pool ``layer`` divides by ``divisor``, a power of two.

    The weights of ``reader`` make up for it. Without one, averages are too large or too small by
    the quotient of both divisors.
    """

    layer: str
    divisor: int
    reader: str | None = None

    def apply(self, model: nn.Module, example: torch.Tensor) -> nn.Module:
        """Replace the pool, and scale the weights of the reader.

        Raises:
            ConfigError: the layer is no average pool whose divisor is one number, or the new
                divisor is no power of two.
        """
        layer = layer_of(model, self.layer)
        kernel = pool_kernel(model, self.layer, example)
        if kernel is None or self.divisor < 1 or self.divisor & (self.divisor - 1):
            raise ConfigError(
                f"layer {self.layer!r} is a {type(layer).__name__} to be divided by "
                f"{self.divisor}; expected an average pool with one divisor, and a power of two"
            )
        stride = layer.stride if isinstance(layer, nn.AvgPool2d) else kernel
        padding = layer.padding if isinstance(layer, nn.AvgPool2d) else 0
        made = nn.AvgPool2d(kernel, stride, padding, divisor_override=self.divisor)
        replace_layer(model, self.layer, made)
        if self.reader is not None:
            reader = layer_of(model, self.reader)
            with torch.no_grad():
                reader.weight.mul_(self.divisor / (kernel[0] * kernel[1]))
        return model


def pool_kernel(model: nn.Module, path: str, example: torch.Tensor) -> tuple[int, int] | None:
    """Return the window of the average pool at ``path``, if all its sums have one divisor."""
    layer = layer_of(model, path)
    if isinstance(layer, nn.AvgPool2d):
        size = layer.kernel_size
        kernel = (size, size) if isinstance(size, int) else (int(size[0]), int(size[1]))
        padded = layer.padding not in (0, (0, 0)) and not layer.count_include_pad
        ragged = layer.ceil_mode or padded or layer.divisor_override is not None
        return None if ragged else kernel
    if isinstance(layer, nn.AdaptiveAvgPool2d) and layer.output_size in (1, (1, 1)):
        shape = operand_of(model, path, example).shape
        return (int(shape[-2]), int(shape[-1]))
    return None


def operand_of(model: nn.Module, path: str, x: torch.Tensor) -> torch.Tensor:
    """Return what the layer at ``path`` gets in eval mode, of its last call.

    Raises:
        ConfigError: it is not called with one tensor.
    """
    seen: list[torch.Tensor] = []

    def look(module: nn.Module, inputs: tuple[object, ...]) -> None:
        seen.extend(value for value in inputs if isinstance(value, torch.Tensor))

    hook = layer_of(model, path).register_forward_pre_hook(look)
    was = model.training
    model.eval()
    try:
        with torch.no_grad():
            model(x)
    finally:
        hook.remove()
        model.train(was)
    if not seen:
        raise ConfigError(f"layer {path!r}: is not called with a tensor")
    return seen[-1]


def coarse_table(model: nn.Module, path: str, bits: int, x: torch.Tensor) -> CoarseTable:
    """Return the rounding of ``bits`` bits with the least squared error of the function's results.

    ``x`` are typical inputs of the model.
    """
    operand, layer = operand_of(model, path, x), layer_of(model, path)
    signed = bool((operand < 0).any())
    _, whole = frexp(float(operand.abs().max()) or 1.0)
    best, error = 0, float("inf")
    with torch.no_grad():
        want = layer(operand)
        for frac in range(bits - signed - whole, bits - signed - whole + bits):
            found = layer(Rounded(bits, frac, signed)(operand))
            distance = float((found - want).square().mean())
            if distance < error:
                best, error = frac, distance
    return CoarseTable(path, bits, best, signed)


def _simpler(layer: nn.Module, shape: Shape) -> nn.Module:
    if shape == "hardtanh":
        return nn.Hardtanh()
    if shape == "line":
        return Line()
    if shape == "relu":
        return nn.ReLU()
    return _Slope.of(layer)


class _Slope(nn.Module):  # type: ignore[misc]
    """A leaky rectifier with slopes that are powers of two."""

    def __init__(self, slope: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("slope", slope)

    @classmethod
    def of(cls, layer: nn.Module) -> _Slope:
        """Return the nearest to a leaky rectifier; slopes of 0 stay."""
        given = getattr(layer, "weight", None)
        if not isinstance(given, torch.Tensor):
            given = torch.tensor([float(getattr(layer, "negative_slope", 0.0))])
        power = 2.0 ** given.detach().abs().clamp(min=2.0**-30).log2().round()
        return cls(torch.where(given == 0, 0.0, given.detach().sign() * power))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Bend."""
        return nn.functional.prelu(x, self.slope)
