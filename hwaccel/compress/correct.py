"""What makes up for rounding without training: weights that keep mean and spread, and biases.

Rounding shifts the mean of a kernel and changes its norm, and both show in every output. Banner,
Nahshan and Soudry (*Post training 4-bit quantization of convolutional networks for
rapid-deployment*, NeurIPS 2019) multiply and shift the rounded weights by real numbers. Here these
are on a grid of powers of two, so the weights are changed before they are rounded, until what comes
out has mean and norm of the original. What error remains is not zero in the mean: Nagel, van
Baalen, Blankevoort and Welling (*Data-Free Quantization Through Weight Equalization and Bias
Correction*, ICCV 2019) take the mean of it from the bias.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import nn

from hwaccel.compress import quant_layers
from hwaccel.compress.scales import calibrate, scale_weights

_ROUNDS = 6
# What rounds in a layer, besides its bias, which has the grid of the inputs and cannot alone.
_ROUNDING = ("weight_quant", "act_quant")


def calibrate_corrected(model: nn.Module, x: torch.Tensor) -> None:
    """Do what ``calibrate`` does, and correct weights and biases on the way.

    Raises:
        ConfigError: there is no input, or a value is not finite.
    """
    means = _float_means(model, x)

    def after(path: str, layer: nn.Module, output: torch.Tensor) -> torch.Tensor:
        change = means[path] - _channel_mean(layer, output)
        found: Any = layer
        found.bias.add_(change)
        return output + change.reshape(_along(layer, output))

    calibrate(model, x, before=_correct_weights, after=after)


def _correct_weights(path: str, layer: nn.Module, x: torch.Tensor) -> None:
    """Change the weights of each channel where that lowers the spread of the output's error."""
    found: Any = layer
    original = found.weight.detach().clone()
    scale_weights(layer)
    want = _applied(layer, x, original)
    plain = _applied(layer, x, quant_layers.grid_weight(layer)) - want
    found.weight.copy_(_matched(layer, original))
    scale_weights(layer)
    matched = _applied(layer, x, quant_layers.grid_weight(layer)) - want
    better = _channel_spread(layer, matched) < _channel_spread(layer, plain)
    chosen = better.reshape(-1, *[1] * (original.ndim - 1))
    found.weight.copy_(torch.where(chosen, found.weight, original))


def _matched(layer: nn.Module, original: torch.Tensor) -> torch.Tensor:
    """Return weights that, rounded, have mean and norm of ``original`` in each channel.

    Weights that are zero remain so.
    """
    found: Any = layer
    kept = original != 0
    rows = partial(torch.Tensor.flatten, start_dim=1)
    shape = (-1, *[1] * (original.ndim - 1))
    count = rows(kept).sum(1).clamp_min(1)
    mean = rows(original).sum(1) / count
    norm = ((rows(original) - mean[:, None]) * rows(kept)).norm(dim=1)
    moved = original.clone()
    for _ in range(_ROUNDS):
        found.weight.copy_(moved)
        scale_weights(layer)
        rounded = quant_layers.grid_weight(layer)
        is_mean = rows(rounded).sum(1) / count
        is_norm = ((rows(rounded) - is_mean[:, None]) * rows(kept)).norm(dim=1)
        factor = torch.where(is_norm > 0, norm / is_norm, torch.ones_like(norm)).sqrt()
        center = mean.reshape(shape)
        moved = (moved - center) * factor.reshape(shape) + center
        moved = (moved + ((mean - is_mean) / 2).reshape(shape)) * kept
    return moved


def _applied(layer: nn.Module, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    found: Any = layer
    if isinstance(layer, nn.Linear):
        return nn.functional.linear(x, weight)
    forward = nn.functional.conv1d if weight.ndim == 3 else nn.functional.conv2d
    made: torch.Tensor = forward(
        x, weight, None, found.stride, found.padding, found.dilation, found.groups
    )
    return made


def _axis(layer: nn.Module, output: torch.Tensor) -> int:
    return output.ndim - 1 if isinstance(layer, nn.Linear) else 1


def _along(layer: nn.Module, output: torch.Tensor) -> list[int]:
    shape = [1] * output.ndim
    shape[_axis(layer, output)] = -1
    return shape


def _channel_mean(layer: nn.Module, output: torch.Tensor) -> torch.Tensor:
    axis = _axis(layer, output)
    return output.mean([a for a in range(output.ndim) if a != axis])


def _channel_spread(layer: nn.Module, error: torch.Tensor) -> torch.Tensor:
    axis = _axis(layer, error)
    return error.var([a for a in range(error.ndim) if a != axis], correction=0)


def _float_means(model: nn.Module, x: torch.Tensor) -> dict[str, torch.Tensor]:
    """Return the mean output of every channel of each layer where nothing is rounded."""
    means: dict[str, torch.Tensor] = {}

    def leave(path: str, layer: nn.Module, _: Any, output: torch.Tensor) -> None:
        means.setdefault(path, _channel_mean(layer, output))

    layers = [(p, m) for p, m in model.named_modules() if quant_layers.is_weighted(m)]
    hooks = [layer.register_forward_hook(partial(leave, path)) for path, layer in layers]
    try:
        with torch.no_grad(), unrounded(model):
            model(x)
    finally:
        for hook in hooks:
            hook.remove()
    return means


@contextmanager
def unrounded(model: nn.Module, but: nn.Module | None = None) -> Iterator[None]:
    """Let the model compute with real numbers while this context lasts.

    The weights, or the values, of layer ``but`` are rounded all the same.
    """
    switches = {"disable_quant": True, "return_quant_tensor": False}
    rounding: Any = () if but is None else [getattr(but, name, None) for name in _ROUNDING]
    before = [
        (module, name, vars(module)[name])
        for module in model.modules()
        if not any(module is one for one in rounding)
        for name in switches.keys() & vars(module).keys()
    ]
    for module, name, _ in before:
        setattr(module, name, switches[name])
    try:
        yield
    finally:
        for module, name, was in before:
            setattr(module, name, was)
