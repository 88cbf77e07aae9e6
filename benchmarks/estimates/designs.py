"""Random networks and configurations, to fit estimates with and to judge them by.

``design(seed)`` draws a network layer by layer, weights included, and how it becomes hardware. All
follows from the seed. Networks are small enough for a synthesis in seconds; single layers and
whole networks, every style, widths of 2 to 8 bits, pruned and not.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

import hwaccel
from hwaccel import Config
from hwaccel.api import Design
from hwaccel.errors import HwaccelError

KINDS = ("conv", "conv", "conv", "depth", "point", "pool", "around", "curve")


class Around(nn.Module):
    """A layer and a way around it, which meet in a sum, a product, a maximum or side by side."""

    def __init__(self, inside: nn.Module, how: str) -> None:
        super().__init__()
        self.inside, self.how = inside, how

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Join both ways."""
        y = self.inside(x)
        if self.how == "add":
            return x + y
        if self.how == "mul":
            return x * y
        return torch.maximum(x, y) if self.how == "max" else torch.cat([x, y], 1)


def layers(rng: np.random.Generator, channels: int, size: int, many: int) -> list[nn.Module]:
    """Draw ``many`` layers over images, and a classifier behind some of them."""
    found: list[nn.Module] = []
    for _ in range(many):
        kind = str(rng.choice(KINDS))
        wide = int(rng.choice([2, 3, 4, 6, 8, 12, 16]))
        if kind == "pool" and size >= 4:
            found.append(nn.MaxPool2d(2) if rng.random() < 0.6 else nn.AvgPool2d(2))
            size //= 2
            continue
        if kind == "curve":
            found.append([nn.Sigmoid(), nn.Tanh(), nn.SiLU(), nn.Hardtanh()][rng.integers(4)])
            continue
        if kind == "around":
            how = str(rng.choice(["add", "add", "mul", "max", "cat"]))
            found.append(Around(nn.Conv2d(channels, channels, 3, padding=1), how))
            channels *= 2 if how == "cat" else 1
            continue
        if kind == "depth":
            found.append(nn.Conv2d(channels, channels, 3, padding=1, groups=channels))
        elif kind == "point":
            found.append(nn.Conv2d(channels, wide, 1))
            channels = wide
        else:
            kernel = int(rng.choice([2, 3, 3, 5]))
            stride = int(rng.choice([1, 1, 2]))
            found.append(nn.Conv2d(channels, wide, kernel, stride, kernel // 2))
            size = (size + 2 * (kernel // 2) - kernel) // stride + 1
            channels = wide
        if rng.random() < 0.7:
            found.append(nn.ReLU())
        if size < 3:
            break
    if rng.random() < 0.5:
        found += [nn.Flatten(), nn.Linear(channels * size * size, int(rng.integers(2, 17)))]
    return found


def dense(rng: np.random.Generator, inputs: int, many: int) -> list[nn.Module]:
    """Draw ``many`` layers over vectors."""
    found: list[nn.Module] = []
    for _ in range(many):
        outputs = int(rng.choice([4, 5, 8, 12, 16, 24, 32]))
        found.append(nn.Linear(inputs, outputs))
        inputs = outputs
        if rng.random() < 0.8:
            found.append([nn.ReLU(), nn.ReLU(), nn.Sigmoid(), nn.Hardtanh()][rng.integers(4)])
    return found


def pruned(model: nn.Module, share: float, rng: np.random.Generator) -> None:
    """Set a share of each weight tensor to zero."""
    with torch.no_grad():
        for weight in (p for p in model.parameters() if p.dim() > 1):
            weight[torch.from_numpy(rng.random(weight.shape) < share)] = 0.0


def drawn(seed: int, whole: bool, target: str) -> tuple[nn.Module, torch.Tensor, Config]:
    """Draw a network, an example for it, and a configuration."""
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    many = int(rng.integers(3, 7)) if whole else 1
    style = str(rng.choice(["stream", "stream", "stream", "pixel", "spatial"]))
    if rng.random() < 0.35 or style == "spatial":
        inputs = int(rng.choice([6, 8, 12, 16, 24, 32]))
        shape: tuple[int, ...] = (1, inputs)
        chosen = dense(rng, inputs, many)
    else:
        channels, size = int(rng.choice([1, 2, 3, 4, 8])), int(rng.choice([6, 8, 10, 12, 16]))
        shape = (1, channels, size, size)
        chosen = layers(rng, channels, size, many)
    model = nn.Sequential(*chosen).eval()
    pruned(model, float(rng.choice([0.0, 0.0, 0.5, 0.8])), rng)
    bits = int(rng.integers(2, 9)), int(rng.integers(3, 9))
    config = Config(
        name=f"d{seed}", weight_bits=bits[0], activation_bits=bits[1], style=style,  # type: ignore[arg-type]
        rounding=str(rng.choice(["half_even", "half_up", "floor"])),  # type: ignore[arg-type]
        multipliers=None if style == "spatial" else int(rng.choice([2, 4, 8, 16, 32])),
        clock_mhz=float(rng.choice([50, 80, 120])), effort="fast", target=target,
    )  # fmt: skip
    data = torch.from_numpy(rng.standard_normal((16, *shape[1:])).astype(np.float32))
    return model, data, config


def design(seed: int, whole: bool, target: str = "ecp5-85k") -> Design | None:
    """Return a design, or None where what was drawn is refused.

    A network in which some layer always says the same is refused, too: synthesis removes all that
    leads to it.
    """
    try:
        model, data, config = drawn(seed, whole, target)
        made = hwaccel.convert(model, data[:1], calibration=data, config=config)
    except (HwaccelError, RuntimeError, ValueError):
        return None
    constant = any(node.output.type.lo == node.output.type.hi for node in made.graph.nodes)
    return None if constant else made
