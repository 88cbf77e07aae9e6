"""Batch normalization of a traced model, folded into the weights in front of it."""

from __future__ import annotations

from typing import Any

import torch
from torch import fx, nn

from hwaccel.compress.edits import replace_layer
from hwaccel.errors import ConfigError

_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)
_INTO = (nn.Linear, nn.Conv1d, nn.Conv2d)


def fold_norms(traced: fx.GraphModule) -> None:
    """Fold every batch normalization; one of images that has no layer in front becomes one.

    Raises:
        ConfigError: a normalization has no running statistics, or cannot be a layer.
    """
    modules = dict(traced.named_modules())
    calls = [str(node.target) for node in traced.graph.nodes if node.op == "call_module"]
    for node in list(traced.graph.nodes):
        if node.op != "call_module" or not isinstance(modules[node.target], _NORMS):
            continue
        norm: Any = modules[node.target]
        if norm.running_mean is None:
            raise ConfigError(
                f"layer {node.target!r}: {type(norm).__name__} has no running statistics, so its "
                "scale depends on the batch; set track_running_stats"
            )
        before = node.args[0]
        alone = before.op == "call_module" and len(before.users) == 1
        alone = alone and calls.count(str(before.target)) == calls.count(str(node.target)) == 1
        if alone and isinstance(modules[before.target], _INTO):
            _fold(modules[before.target], norm)
            node.replace_all_uses_with(before)
            traced.graph.erase_node(node)
            replace_layer(traced, str(node.target), nn.Identity())
        elif isinstance(norm, nn.BatchNorm2d):
            replace_layer(traced, str(node.target), _depthwise(norm))
        else:
            raise ConfigError(
                f"layer {node.target!r}: BatchNorm1d has no Linear or Conv1d of its own in front, "
                "into which it could be folded; move it there or remove it"
            )
    traced.delete_all_unused_submodules()
    traced.recompile()


def line_of(norm: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """Return factor and offset of each channel of a batch normalization, in eval mode."""
    mean, variance = norm.running_mean.double(), norm.running_var.double()
    gain = torch.ones_like(mean) if norm.weight is None else norm.weight.detach().double()
    shift = torch.zeros_like(mean) if norm.bias is None else norm.bias.detach().double()
    factor = gain / torch.sqrt(variance + norm.eps)
    return factor, shift - mean * factor


def _fold(layer: Any, norm: Any) -> None:
    factor, offset = line_of(norm)
    weight = layer.weight.detach().double() * factor.reshape(-1, *[1] * (layer.weight.ndim - 1))
    bias = offset if layer.bias is None else offset + layer.bias.detach().double() * factor
    layer.weight = nn.Parameter(weight.to(layer.weight.dtype))
    layer.bias = nn.Parameter(bias.to(layer.weight.dtype))


def _depthwise(norm: Any) -> nn.Module:
    factor, offset = line_of(norm)
    channels = len(factor)
    made: Any = nn.Conv2d(channels, channels, 1, groups=channels)
    with torch.no_grad():
        made.weight.copy_(factor.reshape(-1, 1, 1, 1))
        made.bias.copy_(offset)
    module: nn.Module = made
    return module
