"""What is compared: constant matrices and whole networks, as plain data with a reference."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
SIZES, BITS = (16, 32, 64), (2, 4, 8)


@dataclass(frozen=True)
class Layer:
    """``weight @ x + bias``; with a ``shift`` also round half up, then saturate to lo..hi."""

    weight: Ints
    bias: Ints
    shift: int | None = None
    lo: int = 0
    hi: int = 255

    def plain(self) -> dict[str, Any]:
        """Return the layer as JSON data."""
        facts = {"shift": self.shift, "lo": self.lo, "hi": self.hi}
        return {"weight": self.weight.tolist(), "bias": self.bias.tolist(), **facts}


@dataclass(frozen=True)
class Workload:
    """A matrix (one layer, no bias) or a network, and the integers that it takes."""

    name: str
    layers: tuple[Layer, ...]
    signed: bool = True
    bits: int = 8
    note: str = ""

    @property
    def weight(self) -> Ints:
        """The matrix of a workload of one layer, (out, in)."""
        (layer,) = self.layers
        return layer.weight

    @property
    def shape(self) -> str:
        """Widths of the layers, as text."""
        widths = [self.layers[0].weight.shape[1], *(len(x.weight) for x in self.layers)]
        return "-".join(map(str, widths))

    def plain(self) -> dict[str, Any]:
        """Return the workload as JSON data, the same for every tool."""
        given = {"signed": self.signed, "bits": self.bits}
        return {"input": given, "layers": [x.plain() for x in self.layers]}

    def key(self) -> str:
        """Return a hash of the numbers."""
        return hashlib.sha256(json.dumps(self.plain()).encode()).hexdigest()[:16]

    def inputs(self, count: int, seed: int = 1) -> Ints:
        """Return random input rows."""
        half = 1 << self.bits - 1
        low, high = (-half, half) if self.signed else (0, 2 * half)
        shape = (count, self.layers[0].weight.shape[1])
        return np.random.default_rng(seed).integers(low, high, shape)


def reference(layers: Sequence[Layer], x: Ints) -> Ints:
    """Return the exact outputs for rows of ``x``."""
    for layer in layers:
        x = x @ layer.weight.T + layer.bias
        if layer.shift is not None:
            x = np.clip((x + (1 << layer.shift >> 1)) >> layer.shift, layer.lo, layer.hi)
    return x


def matrix(name: str, weight: Ints, signed: bool = True, note: str = "") -> Workload:
    """Return a workload of one matrix."""
    bias = np.zeros(len(weight), np.int64)
    return Workload(name, (Layer(weight, bias),), signed, note=note)


def random_matrices() -> list[Workload]:
    """Return nine dense random matrices."""
    made = []
    for size in SIZES:
        for bits in BITS:
            half = 1 << bits - 1
            weight = np.random.default_rng(0).integers(-half, half, (size, size))
            made.append(matrix(f"random-{size}x{size}-{bits}b", weight))
    return made


def random_mlp(widths: Sequence[int], bits: int, density: float, seed: int) -> Workload:
    """Return a network of random sparse weights whose activations use their range."""
    rng = np.random.default_rng(seed)
    half = 1 << bits - 1
    layers: list[Layer] = []
    x = np.random.default_rng(seed + 1).integers(-128, 128, (512, widths[0]))
    for step, (inputs, outputs) in enumerate(itertools.pairwise(widths)):
        weight = rng.integers(-half, half, (outputs, inputs))
        weight[rng.random(weight.shape) >= density] = 0
        spread = int(np.abs(x @ weight.T).std()) + 1
        bias = rng.integers(-spread // 2, spread // 2 + 1, outputs)
        last = step == len(widths) - 2
        shift = None if last else fitting_shift(x @ weight.T + bias)
        layers.append(Layer(weight, bias, shift))
        x = reference(layers[-1:], x)
    text = f"random, {bits}-bit weights, {density:.0%} of them non-zero"
    name = f"mlp-{'-'.join(map(str, widths))}-{bits}b"
    return Workload(name, tuple(layers), note=text)


def fitting_shift(accumulators: Ints) -> int:
    """Return the least shift at which one value in 200 at most saturates at 255."""
    top = float(np.quantile(np.maximum(accumulators, 0), 0.995))
    return max(0, int(np.ceil(np.log2(max(top, 1.0) / 255))))


@dataclass(frozen=True)
class Recipe:
    """One small network to train."""

    data: str
    hidden: tuple[int, ...]
    bits: int
    sparsity: float


# Twenty layers in all.
RECIPES = (
    Recipe("digits", (32, 16), 4, 0.5),
    Recipe("digits", (32, 32), 6, 0.5),
    Recipe("digits", (24, 16), 8, 0.7),
    Recipe("mnist8", (48, 24), 8, 0.7),
    Recipe("mnist8", (64, 32, 32), 5, 0.8),
    Recipe("mnist14", (32, 32, 16), 4, 0.8),
)


def trained(cache: Path, mnist: Path | None) -> list[Workload]:
    """Return the trained networks; from the cache when they are there."""
    made = []
    for recipe in RECIPES:
        if recipe.data.startswith("mnist") and mnist is None:
            continue
        hidden = "-".join(map(str, recipe.hidden))
        name = f"{recipe.data}-{hidden}-{recipe.bits}b-{recipe.sparsity:.0%}".replace("%", "")
        path = cache / "trained" / f"{name}.npz"
        if not path.exists():
            from benchmarks.spatial.training import train

            path.parent.mkdir(parents=True, exist_ok=True)
            train(recipe, path, mnist)
        made.append(load(name, path))
    return made


def load(name: str, path: Path) -> Workload:
    """Read a network from its npz."""
    with np.load(path) as data:
        count = int(data["count"])
        layers = tuple(
            Layer(
                data[f"weight{i}"],
                data[f"bias{i}"],
                None if i == count - 1 else int(data[f"shift{i}"]),
            )
            for i in range(count)
        )
        note = f"trained, accuracy {float(data['accuracy']):.1%} as integers"
    return Workload(name, layers, signed=False, note=note)


def layers_of(networks: Sequence[Workload]) -> list[Workload]:
    """Return every weight matrix of the networks as a workload of its own."""
    return [
        matrix(f"{network.name}/{i}", layer.weight, signed=False, note=network.note)
        for network in networks
        for i, layer in enumerate(network.layers)
    ]


def mlps(networks: Sequence[Workload]) -> list[Workload]:
    """Return the whole networks of the comparison."""
    wanted = [n for n in networks if n.name == "digits-32-32-6b-50"]
    first = random_mlp((16, 64, 32, 32, 5), 6, 0.5, seed=0)
    return [first, *(wanted or [random_mlp((64, 32, 32, 10), 6, 0.5, seed=0)])]


def clocked() -> list[Workload]:
    """Return the small designs that are placed and routed."""
    square = next(w for w in random_matrices() if w.name == "random-16x16-8b")
    return [square, random_mlp((16, 32, 16, 5), 4, 1.0, seed=0)]
