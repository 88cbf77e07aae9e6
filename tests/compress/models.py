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


class Curved(nn.Module):
    """Functions by table, a leaky rectifier, and a pool of nine pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3)
        self.gelu = nn.GELU()
        self.pool = nn.AvgPool2d(3, 1)
        self.conv2 = nn.Conv2d(4, 4, 3)
        self.leaky = nn.LeakyReLU(0.1)
        self.fc1 = nn.Linear(16, 12)
        self.tanh = nn.Tanh()
        self.fc2 = nn.Linear(12, 12)
        self.sigmoid = nn.Sigmoid()
        self.fc3 = nn.Linear(12, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.leaky(self.conv2(self.pool(self.gelu(self.conv(x)))))
        x = self.tanh(self.fc1(torch.flatten(x, 1)))
        return self.fc3(self.sigmoid(self.fc2(x)))


def curved() -> Curved:
    return Curved()
