"""Small models that another tool is asked about."""

from __future__ import annotations

import torch
from torch import nn


def mlp() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 6), nn.ReLU(), nn.Linear(6, 4)).eval()


class Cnn(nn.Module):
    """Padding, strides, groups, a normalization, both pools, a residual, a flattened image."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(2, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.conv2 = nn.Conv2d(4, 4, 3, padding=1, groups=2)
        self.pool = nn.MaxPool2d(2)
        self.conv3 = nn.Conv2d(4, 3, (1, 2), stride=(1, 2), bias=False)
        self.mean = nn.AvgPool2d(2)
        self.fc = nn.Linear(6, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.pool(torch.relu(self.norm(self.conv1(x))))
        x = torch.relu(x + self.conv2(x))
        x = self.mean(torch.relu(self.conv3(x)))
        return self.fc(torch.flatten(x, 1))


def cnn() -> nn.Module:
    torch.manual_seed(0)
    return Cnn().eval()


class Odd(nn.Module):
    """A table between two layers."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(8, 6), nn.Linear(6, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc2(torch.sigmoid(self.fc1(x)))


def odd() -> nn.Module:
    torch.manual_seed(0)
    return Odd().eval()


def table() -> nn.Module:
    """Return a model of which nothing is a layer of hls4ml."""
    return nn.Sequential(nn.Sigmoid())
