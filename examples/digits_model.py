"""A small residual CNN for scikit-learn's 8x8 digits, trained quantized and pruned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional
from torch.nn.utils import parametrize, prune

HELD_OUT = 360


@dataclass(frozen=True)
class Digits:
    """Images ``(N, 1, 8, 8)`` in 0 to 15/16, labels ``(N,)``; the last 360 are held out."""

    train_x: torch.Tensor
    train_y: torch.Tensor
    test_x: torch.Tensor
    test_y: torch.Tensor


def digits() -> Digits:
    """Load the set that scikit-learn ships, in a fixed shuffled order."""
    data = load_digits()
    order = np.random.default_rng(0).permutation(len(data.target))
    # The images count 0 to 16; 16 becomes 15 so that four bits hold every pixel exactly.
    images = np.minimum(data.images[order], 15) / 16
    x = torch.tensor(images[:, None], dtype=torch.float32)
    y = torch.tensor(data.target[order])
    split = len(y) - HELD_OUT
    return Digits(x[:split], y[:split], x[split:], y[split:])


class PowerOfTwoQuant(nn.Module):
    """Fake quantization with a power-of-two scale taken from the largest value seen.

    Gradients pass straight through (Bengio et al., 2013, as in ``torch.fake_quantize_*``).
    """

    def __init__(self, bits: int, signed: bool) -> None:
        super().__init__()
        self.lo = -(1 << (bits - 1)) if signed else 0
        self.hi = (1 << (bits - signed)) - 1
        self.observing = False
        self.enabled = False
        self.largest = 0.0
        self.scale = 1.0

    def freeze(self) -> None:
        """Fix the scale: the smallest power of two that holds the largest value seen."""
        self.scale = 2.0 ** float(np.ceil(np.log2(max(self.largest, 1e-6) / self.hi)))
        self.observing, self.enabled = False, True

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.observing:
            # The few largest values are outliers: clipping them buys resolution for the rest.
            count = max(1, x.numel() // 2000)
            top = x.detach().abs().flatten().topk(count).values
            self.largest = max(self.largest, float(top[-1]))
        if not self.enabled:
            return x
        return torch.fake_quantize_per_tensor_affine(x, self.scale, 0, self.lo, self.hi)


class DigitsNet(nn.Module):
    """Two convolutions, a pool, a residual convolution and a classifier."""

    def __init__(self, bits: int = 6, width: int = 16) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 8, 3, padding=1)
        self.stem_quant = PowerOfTwoQuant(bits, signed=False)
        self.body = nn.Conv2d(8, width, 3, padding=1)
        self.body_quant = PowerOfTwoQuant(bits, signed=False)
        self.pool = nn.MaxPool2d(2)
        self.branch = nn.Conv2d(width, width, 3, padding=1)
        self.branch_quant = PowerOfTwoQuant(bits, signed=True)
        self.merge_quant = PowerOfTwoQuant(bits, signed=False)
        self.head = nn.Linear(16 * width, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem_quant(functional.relu(self.stem(x)))
        x = self.pool(self.body_quant(functional.relu(self.body(x))))
        branch = self.branch_quant(self.branch(x))
        x = self.merge_quant(functional.relu(branch + x))
        return self.head(torch.flatten(x, 1))

    def layers(self) -> tuple[nn.Module, ...]:
        """Return the layers that hold weights."""
        return self.stem, self.body, self.branch, self.head

    def quantizers(self) -> tuple[PowerOfTwoQuant, ...]:
        """Return the activation quantizers."""
        return tuple(m for m in self.modules() if isinstance(m, PowerOfTwoQuant))


def accuracy(model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> int:
    """Return how many of the images are classified right."""
    model.eval()
    with torch.no_grad():
        return int((model(x).argmax(1) == y).sum())


def _fit(
    model: nn.Module, data: Digits, epochs: int, rate: float, tick: Callable[[str], None], what: str
) -> None:
    optimizer = torch.optim.Adam(model.parameters(), rate, weight_decay=1e-4)
    steps = epochs * -(-len(data.train_x) // 64)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps)
    for epoch in range(epochs):
        model.train()
        for batch in torch.randperm(len(data.train_x)).split(64):
            optimizer.zero_grad()
            loss = functional.cross_entropy(model(data.train_x[batch]), data.train_y[batch])
            loss.backward()
            optimizer.step()
            scheduler.step()
        tick(f"{what}: epoch {epoch + 1} of {epochs}, loss {loss.item():.3f}")


class _WeightQuant(nn.Module):
    """Weight parametrization: a power-of-two scale that holds the largest weight."""

    def __init__(self, bits: int) -> None:
        super().__init__()
        self.hi = (1 << (bits - 1)) - 1

    def forward(self, w: torch.Tensor) -> torch.Tensor:
        largest = float(w.detach().abs().max())
        scale = 2.0 ** float(np.ceil(np.log2(max(largest, 1e-6) / self.hi)))
        return torch.fake_quantize_per_tensor_affine(w, scale, 0, -self.hi, self.hi)


@dataclass(frozen=True)
class Trained:
    """The float network and its quantized, pruned successor, with held-out hits."""

    float_model: DigitsNet
    model: DigitsNet
    float_correct: int
    correct: int
    sparsity: float


def train(
    data: Digits,
    *,
    bits: int = 6,
    sparsity: float = 0.5,
    seed: int = 0,
    epochs: int = 16,
    tick: Callable[[str], None] = lambda _: None,
) -> Trained:
    """Train in float, prune by magnitude, then fine-tune with weights and activations quantized."""
    torch.manual_seed(seed)
    model = DigitsNet(bits)
    _fit(model, data, epochs, 1e-2, tick, "float")
    float_correct = accuracy(model, data.test_x, data.test_y)
    float_model = DigitsNet(bits)
    float_model.load_state_dict(model.state_dict())

    targets = [(layer, "weight") for layer in model.layers()]
    prune.global_unstructured(targets, prune.L1Unstructured, amount=sparsity)
    for quantizer in model.quantizers():
        quantizer.observing = True
    accuracy(model, data.train_x, data.train_y)  # lets the quantizers see the activations
    for quantizer in model.quantizers():
        quantizer.freeze()
    masks = {layer: layer.weight_mask.clone() for layer, _ in targets}
    for layer, name in targets:
        prune.remove(layer, name)
        parametrize.register_parametrization(layer, name, _Masked(masks[layer]))
        parametrize.register_parametrization(layer, name, _WeightQuant(bits))
    _fit(model, data, epochs // 2, 2e-3, tick, "quantized and pruned")
    for layer, name in targets:
        parametrize.remove_parametrizations(layer, name)
    _align_biases(model, masks)
    zeros = sum(int((layer.weight == 0).sum()) for layer, _ in targets)
    total = sum(layer.weight.numel() for layer, _ in targets)
    correct = accuracy(model, data.test_x, data.test_y)
    return Trained(float_model, model, float_correct, correct, zeros / total)


def _align_biases(model: DigitsNet, layers: dict[nn.Module, torch.Tensor]) -> None:
    """Round every bias to the grid of its accumulator, so that PyTorch computes exact integers."""
    inputs = {
        model.stem: 1 / 16,
        model.body: model.stem_quant.scale,
        model.branch: model.body_quant.scale,
        model.head: model.merge_quant.scale,
    }
    with torch.no_grad():
        for layer in layers:
            used = layer.weight[layer.weight != 0].abs()
            # The weights are integers times a power of two; find the finest one in use.
            step = 1.0
            while not torch.equal((used / step).round() * step, used):
                step /= 2
            grid = inputs[layer] * step
            layer.bias.copy_((layer.bias / grid).round() * grid)


class _Masked(nn.Module):
    """Keeps pruned weights at zero while the others train."""

    def __init__(self, mask: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("mask", mask)

    def forward(self, w: torch.Tensor) -> torch.Tensor:
        return w * self.mask
