"""Models that are compared with their hardware, and others that are none of them."""

from __future__ import annotations

import torch
from torch import nn


def mlp() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 3))


def other() -> nn.Module:
    return nn.Linear(7, 3)


def wider() -> nn.Module:
    return nn.Linear(6, 5)


class _Forked(nn.Module):
    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return x[:, :3], x[:, 3:]


def forked() -> nn.Module:
    return _Forked()


class _Two(nn.Module):
    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return a - b


def two() -> nn.Module:
    return _Two()
