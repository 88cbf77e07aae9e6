"""Train, prune and quantize the small networks; deterministic, on the CPU."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn

from benchmarks.spatial.workloads import Ints, Layer, Recipe, fitting_shift, reference

EPOCHS, BATCH = 40, 128


def dataset(name: str, mnist: Path | None) -> tuple[Ints, Ints]:
    """Return u8 pixels, flattened, and classes."""
    if name == "digits":
        digits = load_digits()
        return np.minimum(digits.data * 16, 255).astype(np.int64), digits.target.astype(np.int64)
    assert mnist is not None
    with np.load(mnist) as data:
        images = next(data[k] for k in ("x_train", "train_images", "images") if k in data)
        labels = next(data[k] for k in ("y_train", "train_labels", "labels") if k in data)
    images, labels = images[:12000].reshape(-1, 28, 28), labels[:12000].astype(np.int64)
    if name == "mnist8":
        images = np.pad(images, ((0, 0), (2, 2), (2, 2)))
    side = 8 if name == "mnist8" else 14
    block = images.shape[1] // side
    pooled = images.reshape(-1, side, block, side, block).astype(np.int64).mean((2, 4))
    return np.rint(pooled).astype(np.int64).reshape(len(images), -1), labels


def train(recipe: Recipe, path: Path, mnist: Path | None) -> None:
    """Train one network and write its integers to ``path``."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    x, y = dataset(recipe.data, mnist)
    order = np.random.default_rng(0).permutation(len(x))
    x, y = x[order], y[order]
    held = len(x) // 5
    classes = int(y.max()) + 1
    widths = [x.shape[1], *recipe.hidden, classes]
    linears = [nn.Linear(a, b) for a, b in itertools.pairwise(widths)]
    inputs, target = torch.tensor(x[held:] / 255, dtype=torch.float32), torch.tensor(y[held:])
    _fit(linears, inputs, target, None)
    for part in (0.5, 1.0):
        masks = [_mask(m.weight.detach(), recipe.sparsity * part) for m in linears]
        _fit(linears, inputs, target, masks)
    layers = _quantized(linears, recipe.bits, x[held:])
    right = (reference(layers, x[:held]).argmax(1) == y[:held]).mean()
    arrays = {"count": np.array(len(layers)), "accuracy": np.array(right)}
    for i, layer in enumerate(layers):
        arrays[f"weight{i}"], arrays[f"bias{i}"] = layer.weight, layer.bias
        arrays[f"shift{i}"] = np.array(-1 if layer.shift is None else layer.shift)
    np.savez(path, **arrays)


def _mask(weight: torch.Tensor, sparsity: float) -> torch.Tensor:
    cut = max(1, int(weight.numel() * sparsity))
    return (weight.abs() > weight.abs().flatten().kthvalue(cut).values).float()


def _fit(
    linears: list[nn.Linear],
    x: torch.Tensor,
    y: torch.Tensor,
    masks: list[torch.Tensor] | None,
) -> None:
    parameters = [p for m in linears for p in m.parameters()]
    optimizer = torch.optim.Adam(parameters, lr=2e-3)
    shuffle = torch.Generator().manual_seed(0)
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(x), generator=shuffle).split(BATCH):
            value = x[rows]
            for i, linear in enumerate(linears):
                weight = linear.weight if masks is None else linear.weight * masks[i]
                value = nn.functional.linear(value, weight, linear.bias)
                value = value.relu() if i < len(linears) - 1 else value
            optimizer.zero_grad()
            nn.functional.cross_entropy(value, y[rows]).backward()
            optimizer.step()
    if masks is not None:
        for linear, mask in zip(linears, masks, strict=True):
            linear.weight.data *= mask


def _quantized(linears: list[nn.Linear], bits: int, x: Ints) -> list[Layer]:
    """Quantize after training; one step size per layer, activations scaled by powers of two."""
    step_in, layers = 1 / 255, []
    for i, linear in enumerate(linears):
        weight = linear.weight.detach().numpy().astype(np.float64)
        step = np.abs(weight).max() / ((1 << bits - 1) - 1)
        integers = np.rint(weight / step).astype(np.int64)
        bias = np.rint(linear.bias.detach().numpy() / (step * step_in)).astype(np.int64)
        last = i == len(linears) - 1
        shift = None if last else fitting_shift(x @ integers.T + bias)
        layers.append(Layer(integers, bias, shift))
        x = reference(layers[-1:], x)
        step_in *= step * 2.0 ** (shift or 0)
    return layers
