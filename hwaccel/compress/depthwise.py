"""``Depthwise``: a convolution becomes one per input channel and one across channels.

Such layers are those of A. Howard et al., *MobileNets* (2017, arXiv 1704.04861). They start as the
best approximation of the kernel: for every input channel, the ``multiplier`` largest singular
vectors of its outputs by taps (J. Guo et al., *Network Decoupling*, 2018, arXiv 1808.05517).
"""

from __future__ import annotations

import torch
from torch import nn

from hwaccel.compress.edits import Edit, layer_of, replace_layer
from hwaccel.errors import ConfigError


class Depthwise(Edit, frozen=True):
    """``layer`` becomes ``multiplier`` kernels for every input channel, and sums of what they give.

    With as many as a kernel has taps nothing is lost.
    """

    layer: str
    multiplier: int = 1

    def apply(self, model: nn.Module, example: torch.Tensor) -> nn.Module:
        """Replace the layer.

        Raises:
            ConfigError: it is no ungrouped convolution of more than a pixel, or ``multiplier`` is
                below 1 or above its taps and outputs.
        """
        layer = layer_of(model, self.layer)
        most = most_multipliers(layer)
        if most == 0:
            raise ConfigError(
                f"layer {self.layer!r} is a {type(layer).__name__}; ungrouped convolutions of more "
                "than a pixel and a channel can be split by channels"
            )
        if not 1 <= self.multiplier <= most:
            raise ConfigError(
                f"layer {self.layer!r}: multiplier is {self.multiplier}, expected 1 to {most}"
            )
        assert isinstance(layer, nn.Conv1d | nn.Conv2d)
        replace_layer(model, self.layer, _split(layer, self.multiplier))
        return model


def most_multipliers(layer: nn.Module) -> int:
    """Return how many kernels per channel can be used; 0 where the layer cannot be replaced."""
    if type(layer) not in (nn.Conv1d, nn.Conv2d):
        return 0
    assert isinstance(layer, nn.Conv1d | nn.Conv2d)
    taps = layer.weight[0, 0].numel()
    if layer.groups > 1 or layer.in_channels == 1 or taps == 1:
        return 0
    return int(min(taps, layer.out_channels))


def product_share(layer: nn.Module, multiplier: int) -> float:
    """Return the products of the replacement as a share of the layer's."""
    weight = layer.weight
    assert isinstance(weight, torch.Tensor)
    outputs, taps = len(weight), weight[0, 0].numel()
    return float(multiplier * (taps + outputs) / (outputs * taps))


def _split(layer: nn.Conv1d | nn.Conv2d, multiplier: int) -> nn.Sequential:
    kind = type(layer)
    channels, outputs = layer.in_channels, layer.out_channels
    made = nn.Sequential(
        kind(
            channels,
            channels * multiplier,
            layer.kernel_size,
            layer.stride,
            layer.padding,
            layer.dilation,
            groups=channels,
            bias=False,
            padding_mode=layer.padding_mode,
        ),
        kind(channels * multiplier, outputs, 1, bias=layer.bias is not None),
    )
    weight = layer.weight.detach()
    # For every input channel, outputs by taps.
    u, s, v = torch.linalg.svd(weight.flatten(2).transpose(0, 1), full_matrices=False)
    root = s[:, :multiplier].sqrt()
    taps = root[:, :, None] * v[:, :multiplier]
    mixed = (u[:, :, :multiplier] * root[:, None]).transpose(1, 2).reshape(-1, outputs)
    with torch.no_grad():
        made[0].weight.copy_(taps.reshape(made[0].weight.shape))
        made[1].weight.copy_(mixed.T.reshape(made[1].weight.shape))
        if layer.bias is not None:
            made[1].bias.copy_(layer.bias)
    return made.train(layer.training)
