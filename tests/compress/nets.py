"""Small models that are pruned."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional


class Digits(nn.Module):
    """Two convolutions with batch normalization, a pool, two linear layers."""

    def __init__(self, first: int = 4, second: int = 8, hidden: int = 24) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, first, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(first)
        self.conv2 = nn.Conv2d(first, second, 3, padding=1)
        self.bn2 = nn.BatchNorm2d(second)
        self.pool = nn.MaxPool2d(2)
        self.fc1 = nn.Linear(second * 16, hidden)
        self.fc2 = nn.Linear(hidden, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.relu(self.bn1(self.conv1(x)))
        x = self.pool(functional.relu(self.bn2(self.conv2(x))))
        return self.fc2(functional.relu(self.fc1(torch.flatten(x, 1))))


class Residual(nn.Module):
    """A residual, a depthwise convolution, a concatenation, a flattened image."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.body = nn.Conv2d(8, 8, 3, padding=1)
        self.body_norm = nn.BatchNorm2d(8)
        self.depthwise = nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.point = nn.Conv2d(8, 6, 1)
        self.left = nn.Conv2d(6, 4, 1)
        self.right = nn.Conv2d(6, 4, 1)
        self.fc1 = nn.Linear(8 * 16, 12)
        self.fc2 = nn.Linear(12, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.relu(self.norm(self.stem(x)))
        x = functional.relu(x + self.body_norm(self.body(x)))
        x = functional.relu(self.point(functional.relu(self.depthwise(x))))
        x = torch.cat([functional.relu(self.left(x)), self.right(x)], 1)
        x = functional.max_pool2d(x, 2)
        return self.fc2(functional.relu(self.fc1(torch.flatten(x, 1))))


class Grouped(nn.Module):
    """A grouped convolution, whose channels stay, between others."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 8, 3)
        self.grouped = nn.Conv2d(8, 8, 3, groups=2)
        self.fc1 = nn.Linear(8 * 16, 12)
        self.fc2 = nn.Linear(12, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.relu(self.grouped(functional.relu(self.stem(x))))
        return self.fc2(functional.relu(self.fc1(torch.flatten(x, 1))))


class Softened(nn.Module):
    """A softmax over channels: none of them can go without a trace."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(64, 12)
        self.fc2 = nn.Linear(12, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc2(torch.softmax(self.fc1(torch.flatten(x, 1)), 1))


class Bare(nn.Module):
    """Nothing to prune."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.flatten(x, 1)[:, :10]
