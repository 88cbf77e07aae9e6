"""Small models for digits that are quantized in tests; each has something the others lack."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional


def block(inputs: int, outputs: int, kernel: int = 3, groups: int = 1) -> nn.Sequential:
    padding = kernel // 2
    conv = nn.Conv2d(inputs, outputs, kernel, padding=padding, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs))


class Mlp(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(64, 16)
        self.relu = nn.ReLU()
        self.fc2 = nn.Linear(16, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc2(self.relu(self.fc1(torch.flatten(x, 1))))


class Cnn(nn.Module):
    """Batch norm, max pool."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 4, 3)
        self.bn1 = nn.BatchNorm2d(4)
        self.relu1 = nn.ReLU()
        self.pool = nn.MaxPool2d(2)
        self.conv2 = nn.Conv2d(4, 6, 2)
        self.bn2 = nn.BatchNorm2d(6)
        self.relu2 = nn.ReLU()
        self.fc = nn.Linear(24, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.pool(self.relu1(self.bn1(self.conv1(x))))
        return self.fc(torch.flatten(self.relu2(self.bn2(self.conv2(x))), 1))


class Residual(nn.Module):
    """A signed sum that is read twice, functional rectifiers, nested containers, a mean."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(block(1, 4), nn.ReLU())
        self.body = nn.ModuleDict({"a": block(4, 4), "b": block(4, 4)})
        self.fc = nn.Linear(64, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        y = self.body["a"](x) + x
        z = functional.relu(self.body["b"](y)) + y
        return self.fc(functional.avg_pool2d(z, 2).flatten(1))


class Concat(nn.Module):
    """Branches of different kernels, one signed; depthwise and pointwise layers; a global mean."""

    def __init__(self) -> None:
        super().__init__()
        self.a = block(1, 3)
        self.b = block(1, 3, 5)
        self.depthwise = block(6, 6, 3, 6)
        self.pointwise = nn.Conv2d(6, 8, 1)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(8, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.cat([torch.relu(self.a(x)), self.b(x)], 1)
        x = torch.relu(self.pointwise(torch.relu(self.depthwise(x))))
        return self.fc(torch.flatten(self.pool(x), 1))


class Reused(nn.Module):
    """One rectifier and one convolution in several places, a norm in front, sizes in forward."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(1)
        self.conv1 = nn.Conv2d(1, 4, 3, stride=2)
        self.conv2 = nn.Conv2d(4, 4, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)
        self.drop = nn.Dropout(0.1)
        self.fc1 = nn.Linear(36, 12, bias=False)
        self.bn = nn.BatchNorm1d(12)
        self.fc2 = nn.Linear(12, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.relu(self.conv1(self.norm(x)))
        x = self.relu(self.conv2(self.relu(self.conv2(x))))
        x = self.relu(self.bn(self.fc1(x.view(x.size(0), -1))))
        return self.fc2(self.drop(x))


class Gated(nn.Module):
    """Functions by table, a product of two values."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(64, 12)
        self.tanh = nn.Tanh()
        self.gate = nn.Linear(12, 12)
        self.fc2 = nn.Linear(12, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.tanh(self.fc1(torch.flatten(x, 1)))
        return self.fc2(x * torch.sigmoid(self.gate(x)))


class Sequence(nn.Module):
    """A 1-D convolution behind moves, a clip, a rectified output."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(8, 6, 3)
        self.act = nn.ReLU6()
        self.pool = nn.MaxPool1d(2)
        self.fc = nn.Linear(18, 10)
        self.relu = nn.ReLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.pool(self.act(self.conv(x.squeeze(1).transpose(1, 2))))
        return self.relu(self.fc(torch.flatten(x, 1)))


MODELS = (Mlp, Cnn, Residual, Concat, Reused, Gated, Sequence)


def made(model: type[nn.Module], seed: int = 0) -> nn.Module:
    """Return the model with statistics of batch norms that are not those of fresh ones."""
    torch.manual_seed(seed)
    net = model()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.running_mean.uniform_(-0.5, 0.5)
            module.running_var.uniform_(0.3, 2.0)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.5, 0.5)
    return net.eval()
