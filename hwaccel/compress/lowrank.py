"""``LowRank``: one layer becomes two with fewer weights, by the singular value decomposition.

For a matrix as in E. L. Denton et al., *Exploiting Linear Structure Within Convolutional Networks*
(2014, arXiv 1404.0736); for kernels the first layer has ``rank`` of them and the second mixes
pixels only (X. Zhang et al., 2015, arXiv 1505.06798, without their nonlinearity).
"""

from __future__ import annotations

import torch
from torch import nn

from hwaccel.compress.edits import Edit, layer_of, replace_layer
from hwaccel.errors import ConfigError

Conv = nn.Conv1d | nn.Conv2d
_POINTWISE: dict[type[nn.Module], type[nn.Conv1d] | type[nn.Conv2d]] = {
    nn.Conv1d: nn.Conv1d,
    nn.Conv2d: nn.Conv2d,
}


class LowRank(Edit, frozen=True):
    """``layer`` becomes two: ``rank`` sums of its inputs, then its outputs made of these."""

    layer: str
    rank: int

    def apply(self, model: nn.Module, example: torch.Tensor) -> nn.Module:
        """Replace the layer; the product of the two is the nearest matrix of that rank.

        Raises:
            ConfigError: it is no such layer, or its rank is not above ``rank``.
        """
        layer = layer_of(model, self.layer)
        most = full_rank(layer)
        if most == 0:
            raise ConfigError(
                f"layer {self.layer!r} is a {type(layer).__name__}; linear layers and ungrouped "
                "convolutions can be of low rank"
            )
        if not 1 <= self.rank < most:
            raise ConfigError(
                f"layer {self.layer!r}: rank is {self.rank}, expected 1 to {most - 1}"
            )
        replace_layer(model, self.layer, _factors(layer, self.rank))
        return model


def full_rank(layer: nn.Module) -> int:
    """Return the rank a layer's matrix can have; 0 where it cannot be replaced."""
    weight = layer.weight if isinstance(layer, nn.Linear) else _kernel(layer)
    return 0 if weight is None else min(len(weight), weight[0].numel())


def halving_rank(layer: nn.Module, share: float) -> int:
    """Return the largest rank with at most ``share`` of the layer's products; 0 if there is none.

    The second layer of a convolution works on outputs, so products are to weights as before.
    """
    most = full_rank(layer)
    if most == 0:
        return 0
    weight = layer.weight
    assert isinstance(weight, torch.Tensor)
    outputs, inputs = len(weight), weight[0].numel()
    return min(most - 1, int(share * outputs * inputs / (outputs + inputs)))


def _kernel(layer: nn.Module) -> torch.Tensor | None:
    plain = type(layer) in _POINTWISE and getattr(layer, "groups", 0) == 1
    return layer.weight if plain and isinstance(layer.weight, torch.Tensor) else None


def _factors(layer: nn.Module, rank: int) -> nn.Sequential:
    assert isinstance(layer, nn.Linear | Conv)
    weight, bias = layer.weight.detach(), layer.bias
    u, s, v = torch.linalg.svd(weight.flatten(1), full_matrices=False)
    # The root of every singular value on either side: both layers learn at one rate.
    root = s[:rank].sqrt()
    first, second = root[:, None] * v[:rank], u[:, :rank] * root
    if isinstance(layer, nn.Linear):
        made = nn.Sequential(
            nn.Linear(layer.in_features, rank, bias=False),
            nn.Linear(rank, layer.out_features, bias=bias is not None),
        )
    else:
        kind = _POINTWISE[type(layer)]
        made = nn.Sequential(
            kind(
                layer.in_channels,
                rank,
                layer.kernel_size,
                layer.stride,
                layer.padding,
                layer.dilation,
                bias=False,
                padding_mode=layer.padding_mode,
            ),
            kind(rank, layer.out_channels, 1, bias=bias is not None),
        )
    with torch.no_grad():
        made[0].weight.copy_(first.reshape(made[0].weight.shape))
        made[1].weight.copy_(second.reshape(made[1].weight.shape))
        if bias is not None:
            made[1].bias.copy_(bias)
    return made.train(layer.training)
