"""Brevitas layers whose scales are powers of two: made of float ones, asked, and set.

A scale is ``2^ceil(t) / 2^(bits - signed)``; the parameter ``t``, the logarithm of the
threshold at which values are clipped, is all of it that a state dict holds. Weights have one per
output channel and use the whole range of their bits, which costs nothing over the narrow one and is
never less precise. Biases are integers on the grid of the accumulator.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import nn

from hwaccel.errors import ConfigError
from hwaccel.fxp import FixedType

_BIAS_BITS = 32
# A threshold in the middle of those that round up to the same power of two, for training.
_MIDDLE = 0.5


@cache
def brevitas() -> Any:
    """Return ``brevitas.nn``.

    Raises:
        ConfigError: Brevitas is not installed.
    """
    try:
        import brevitas.nn as layers
    except ImportError:
        raise ConfigError(
            "brevitas: is not installed; quantized models need it: pip install 'hwaccel[qat]'"
        ) from None
    return layers


@cache
def _quantizers() -> tuple[Any, Any, Any, Any]:
    """Return the classes that describe quantizers: weights, biases, signed and unsigned values."""
    brevitas()
    from brevitas.quant import fixed_point, scaled_int

    def stored(base: Any, **more: Any) -> Any:
        parameter = {"scaling_impl_type": "parameter", "scaling_init": 1.0}
        return type(base.__name__, (base,), {**parameter, "scaling_min_val": None, **more})

    return (
        stored(fixed_point.Int8WeightPerChannelFixedPoint, narrow_range=False),
        scaled_int.Int32Bias,
        stored(fixed_point.Int8ActPerTensorFixedPoint),
        stored(fixed_point.Uint8ActPerTensorFixedPoint),
    )


def quantized_layer(layer: nn.Module, bits: int) -> nn.Module:
    """Return the Brevitas layer with the weights of ``layer``, and a bias."""
    weight, bias, _, _ = _quantizers()
    made: Any = getattr(brevitas(), _TWINS[type(layer)])(
        **_arguments(layer),
        bias=True,
        weight_quant=weight,
        weight_bit_width=bits,
        bias_quant=bias,
        return_quant_tensor=False,
    )
    source: Any = layer
    with torch.no_grad():
        made.weight.copy_(source.weight)
        made.bias.copy_(torch.zeros_like(made.bias) if source.bias is None else source.bias)
    return frozen(made)


_TWINS: dict[type[nn.Module], str] = {
    nn.Linear: "QuantLinear",
    nn.Conv1d: "QuantConv1d",
    nn.Conv2d: "QuantConv2d",
}
WEIGHTED = tuple(_TWINS)


def _arguments(layer: Any) -> dict[str, Any]:
    if isinstance(layer, nn.Linear):
        return {"in_features": layer.in_features, "out_features": layer.out_features}
    names = (
        "in_channels out_channels kernel_size stride padding dilation groups padding_mode".split()
    )
    return {name: getattr(layer, name) for name in names}


def identity(bits: int, *, signed: bool) -> nn.Module:
    """Return a quantizer of values."""
    made = brevitas().QuantIdentity(
        act_quant=_quantizers()[2 if signed else 3], bit_width=bits, return_quant_tensor=True
    )
    return frozen(made)


def rectifier(bits: int) -> nn.Module:
    """Return a quantizer of the positive part of values."""
    made = brevitas().QuantReLU(
        act_quant=_quantizers()[3], bit_width=bits, return_quant_tensor=True
    )
    return frozen(made)


def frozen(module: nn.Module) -> nn.Module:
    """Return ``module``, whose scales are not trained."""
    for scale in thresholds(module):
        scale.requires_grad_(False)
    return module


def thresholds(module: nn.Module) -> list[nn.Parameter]:
    """Return the parameters from which the scales of ``module`` are made."""
    found = module.named_parameters()
    return [parameter for name, parameter in found if name.endswith("scaling_impl.value")]


def set_threshold(module: nn.Module, exponent: torch.Tensor | int) -> None:
    """Let values be clipped at ``2^exponent``: of each output channel, or of all."""
    (threshold,) = thresholds(module)
    value = torch.as_tensor(exponent, dtype=threshold.dtype)
    with torch.no_grad():
        threshold.copy_(value.reshape(-1, *[1] * (threshold.ndim - 1)) if value.ndim else value)
        threshold.sub_(_MIDDLE)


def set_format(module: nn.Module, fixed: FixedType) -> None:
    """Give a quantizer of values the steps of ``fixed``."""
    set_threshold(module, fixed.width - fixed.signed - fixed.frac)


def is_quantizer(module: nn.Module) -> bool:
    """Tell whether ``module`` quantizes values."""
    return isinstance(module, brevitas().QuantIdentity | brevitas().QuantReLU)


def is_weighted(module: nn.Module) -> bool:
    """Tell whether ``module`` has quantized weights."""
    return type(module).__name__ in _TWINS.values()


def format_of(module: nn.Module) -> FixedType:
    """Return the format of what a quantizer of values gives."""
    proxy: Any = module
    proxy = proxy.act_quant
    frac = -round(float(torch.log2(proxy.scale().detach())))
    return FixedType(bool(proxy.is_signed), int(proxy.bit_width()), frac)


def weight_bits(module: nn.Module) -> int:
    """Return the bits of the weights of a quantized layer."""
    layer: Any = module
    return int(layer.weight_quant.bit_width())


def grid_weight(module: nn.Module) -> torch.Tensor:
    """Return the weight of a quantized layer as it is in hardware."""
    layer: Any = module
    with torch.no_grad():
        value: torch.Tensor = layer.quant_weight().value
    return value
