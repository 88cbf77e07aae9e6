"""Float baselines for 28x28 images: an MLP, a CNN, and a CNN that wastes most of what it has."""

from __future__ import annotations

import torch
from torch import nn


class Mlp(nn.Module):
    """Two hidden layers."""

    def __init__(self, first: int = 256, second: int = 64, classes: int = 10) -> None:
        super().__init__()
        self.fc1 = nn.Linear(28 * 28, first)
        self.relu1 = nn.ReLU()
        self.fc2 = nn.Linear(first, second)
        self.relu2 = nn.ReLU()
        self.fc3 = nn.Linear(second, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.relu1(self.fc1(torch.flatten(x, 1)))
        return self.fc3(self.relu2(self.fc2(x)))


class Cnn(nn.Module):
    """Two convolutions with batch normalization, two pools, two linear layers."""

    def __init__(self, first: int = 8, second: int = 16, hidden: int = 64) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, first, 5)
        self.bn1 = nn.BatchNorm2d(first)
        self.relu1 = nn.ReLU()
        self.pool1 = nn.MaxPool2d(2)
        self.conv2 = nn.Conv2d(first, second, 5)
        self.bn2 = nn.BatchNorm2d(second)
        self.relu2 = nn.ReLU()
        self.pool2 = nn.MaxPool2d(2)
        self.fc1 = nn.Linear(second * 16, hidden)
        self.relu3 = nn.ReLU()
        self.fc2 = nn.Linear(hidden, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.pool1(self.relu1(self.bn1(self.conv1(x))))
        x = self.pool2(self.relu2(self.bn2(self.conv2(x))))
        x = self.relu3(self.fc1(torch.flatten(x, 1)))
        return self.fc2(x)


def wasteful() -> Cnn:
    """Return a CNN with far more kernels and neurons than the digits need."""
    return Cnn(16, 64, 256)


def student() -> Cnn:
    """Return a CNN of a quarter of the cost of the baseline, as ``Cost.work`` counts."""
    return Cnn(2, 6, 16)
