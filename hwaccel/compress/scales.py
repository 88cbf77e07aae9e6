"""Choose the power-of-two scales of a quantized model by least squared error on typical inputs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from hwaccel.compress import quant_layers
from hwaccel.compress.quant_graph import INPUT, plain
from hwaccel.errors import ConfigError
from hwaccel.frontend.calibrate import Observed
from hwaccel.frontend.formats import activation_type, quantize_weights
from hwaccel.fxp import FixedType

# Values of an activation that a scale is chosen by.
_SAMPLE = 1 << 16
# Called with path, module and input of a layer of weights before its scales are chosen.
Before = Callable[[str, nn.Module, torch.Tensor], None]
# Called with path, module and output of such a layer afterwards; may return another output.
After = Callable[[str, nn.Module, torch.Tensor], torch.Tensor | None]


def calibrate(
    model: nn.Module,
    x: torch.Tensor,
    *,
    before: Before | None = None,
    after: After | None = None,
) -> None:
    """Set every scale but that of the input; ``x`` are typical inputs.

    One pass is enough: each quantizer is set as its first values arrive, so that those behind see
    what it makes of them. ``before`` and ``after`` may change the weights and the bias of a layer.

    Raises:
        ConfigError: there is no input, or a value is not finite.
    """
    if len(x) == 0:
        raise ConfigError("calibration: holds no inputs; give at least one")
    if not bool(torch.isfinite(x).all()):
        raise ConfigError("calibration: holds a number that is not finite; remove it")
    with torch.no_grad(), _hooked(model, before, after):
        model(x)


@contextmanager
def _hooked(model: nn.Module, before: Before | None, after: After | None) -> Iterator[None]:
    done: set[str] = set()
    corrected: set[str] = set()

    def enter(path: str, module: nn.Module, args: tuple[Any, ...]) -> None:
        if path in done:
            return
        done.add(path)
        if quant_layers.is_quantizer(module):
            _scale_values(path, module, plain(args[0]))
            return
        if before is not None:
            before(path, module, plain(args[0]))
        scale_weights(module)

    def leave(path: str, module: nn.Module, _: Any, output: torch.Tensor) -> torch.Tensor | None:
        if after is None or path in corrected or quant_layers.is_quantizer(module):
            return None
        corrected.add(path)
        return after(path, module, output)

    hooks = []
    for path, module in model.named_modules():
        if path != INPUT and (
            quant_layers.is_quantizer(module) or quant_layers.is_weighted(module)
        ):
            hooks.append(module.register_forward_pre_hook(partial(enter, path)))
            hooks.append(module.register_forward_hook(partial(leave, path)))
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def scale_weights(layer: nn.Module) -> None:
    """Set the scale of each output channel of a layer."""
    quant_layers.set_threshold(layer, weight_exponents(layer))


def weight_exponents(layer: nn.Module) -> torch.Tensor:
    """Return the logarithms of the thresholds of least squared error."""
    found: Any = layer
    bits = quant_layers.weight_bits(layer)
    made = quantize_weights(found.weight.detach().double().numpy(), bits, "mse")
    return torch.from_numpy(bits - 1 - (made.frac - made.shift))


def _scale_values(path: str, module: nn.Module, values: torch.Tensor) -> None:
    if isinstance(module, quant_layers.brevitas().QuantReLU):
        values = values.clamp_min(0)
    fixed = quant_layers.format_of(module)
    flat = values.detach().double().flatten().numpy()
    sample = flat[:: -(-len(flat) // _SAMPLE)]
    seen = Observed(float(flat.min()), float(flat.max()), sample)
    if seen.lo == seen.hi == 0:
        return
    made = activation_type(seen, fixed.width, signed=fixed.signed, method="mse", where=path)
    quant_layers.set_format(module, made)


def input_format(x: torch.Tensor, bits: int) -> FixedType:
    """Return the narrowest format that holds ``x`` exactly, or the best of ``bits`` bits.

    Raises:
        ConfigError: there is no input.
    """
    if len(x) == 0:
        raise ConfigError("calibration: holds no inputs; give at least one")
    values = x.double().flatten().numpy()
    signed = float(values.min()) < 0
    for frac in range(17):
        ints = np.ldexp(values, frac)
        if np.array_equal(ints, np.rint(ints)):
            low, high = int(ints.min()), int(ints.max())
            width = max((-low - 1).bit_length() if low < 0 else 0, high.bit_length()) + signed
            if width <= 16:
                return FixedType(signed, max(width, 1 + signed), frac)
    return _best_format(values, bits, signed=signed)


def narrower_format(x: torch.Tensor, fixed: FixedType, fewer: int) -> FixedType:
    """Return the format of ``fewer`` bits less than ``fixed`` with the least squared error.

    Raises:
        ConfigError: no bit, or nothing but a sign, would be left.
    """
    width = fixed.width - fewer
    if width < 1 + fixed.signed:
        raise ConfigError(f"inputs: {fixed} cannot lose {fewer} bits")
    return _best_format(x.double().flatten().numpy(), width, signed=fixed.signed)


def _best_format(values: NDArray[np.float64], bits: int, *, signed: bool) -> FixedType:
    sample = values[:: -(-len(values) // _SAMPLE)]
    seen = Observed(float(values.min()), float(values.max()), sample)
    return activation_type(seen, bits, signed=signed, method="mse", where="input")
