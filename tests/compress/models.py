"""Small models for the digits."""

from __future__ import annotations

import torch
from torch import nn


class Net(nn.Module):
    """A convolution with batch normalization, a pool, two linear layers."""

    def __init__(self, kernels: int = 8, hidden: int = 32, classes: int = 10) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, kernels, 3, padding=1)
        self.bn = nn.BatchNorm2d(kernels)
        self.relu = nn.ReLU()
        self.pool = nn.AvgPool2d(2)
        self.fc1 = nn.Linear(kernels * 16, hidden)
        self.relu1 = nn.ReLU()
        self.fc2 = nn.Linear(hidden, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.pool(self.relu(self.bn(self.conv(x))))
        return self.fc2(self.relu1(self.fc1(torch.flatten(x, 1))))


def teacher() -> Net:
    return Net(16, 64)


def student() -> Net:
    return Net(4, 16)


def eleven() -> Net:
    return Net(2, 8, 11)
