"""A network of lookup tables of six bits for MNIST: the model, and how it is trained.

Every hidden unit is any function of six pixels, each of which is only its top bit; a class scores
as many points as units of its own are 1. What is learned is which pixels a unit reads and the 64
entries of its table, by gradient descent as in A. Bacellar et al., *Differentiable Weightless
Neural Networks* (ICML 2024), with two simplifications: the gradient of a pixel's bit is the
difference of two entries, and scores of pixels are learned straight through the choice of the best.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

INPUTS = 6
ENTRIES = 1 << INPUTS
CLASSES = 10
SIDE = 28
# The pixel that is always 0, for units that read five others.
NOTHING = SIDE * SIDE
# Of so many units of a class one reads five pixels: its table fits into the LUT that counts it.
NARROW = 4
# Tables of one layer; hwaccel takes 65,536 entries at most.
_BLOCK = 1000


class Tables(nn.Module):
    """Units ``table[bits of six pixels]``; ``wires`` is ``(units, 6)``, ``entries`` of 0 and 1."""

    def __init__(self, wires: torch.Tensor, entries: torch.Tensor) -> None:
        super().__init__()
        self.units = len(wires)
        self.register_buffer("wires", wires.flatten())
        self.register_buffer("places", 2.0 ** torch.arange(INPUTS)[None])
        self.register_buffer("first", torch.arange(self.units) * float(ENTRIES))
        self.register_buffer("entries", entries.flatten().float())

    def forward(self, bits: torch.Tensor) -> torch.Tensor:
        read = bits[:, self.wires].view(-1, self.units, INPUTS)
        index = functional.linear(read, self.places).view(-1, self.units) + self.first
        last = len(self.entries) - 1
        whole = torch.fake_quantize_per_tensor_affine(index, 1.0, 0, 0, last)
        return self.entries[whole.long()]


class LutNetwork(nn.Module):
    """Pixels of 8 bits in [0, 1) to ten counts; unit ``i`` counts for class ``i % 10``."""

    def __init__(self, wires: torch.Tensor, entries: torch.Tensor) -> None:
        super().__init__()
        pairs = zip(wires.split(_BLOCK), entries.split(_BLOCK), strict=True)
        self.blocks = nn.ModuleList([Tables(w, e) for w, e in pairs])
        self.register_buffer("votes", _votes(len(wires)))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        bits = functional.pad((image.flatten(1) >= 0.5).float(), (0, 1))
        units = torch.cat([block(bits) for block in self.blocks], 1)
        return functional.linear(units, self.votes)

    def learned(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the wires and the entries of all units."""
        wires = torch.cat([block.wires.view(-1, INPUTS) for block in self.blocks])
        return wires, torch.cat([block.entries.view(-1, ENTRIES) for block in self.blocks])


@dataclass(frozen=True)
class Settings:
    units: int = 1900
    epochs: int = 24
    batch: int = 250
    rate: float = 1e-2
    wire_rate: float = 1e-3
    temperature: float = 4.5
    # The wires rest for the last part of the training.
    rest: float = 0.2
    seed: int = 0


def train(
    images: torch.Tensor, labels: torch.Tensor, settings: Settings, say: Callable[[str], None]
) -> LutNetwork:
    """Train on ``images`` (N, 28, 28) of 8 bits, moved by up to a pixel each way."""
    torch.manual_seed(settings.seed)
    learner = _Learner((images >= 128).to(torch.uint8), settings)
    for epoch in range(settings.epochs):
        rests = epoch >= settings.epochs * (1 - settings.rest)
        right, order = 0, torch.randperm(len(images))
        for step, part in enumerate(order.split(settings.batch)):
            right += learner.step(part, labels[part], wire=step % 2 == 0 and not rests)
        say(f"epoch {epoch + 1}: {right / len(images):.4f} of the moved images right")
    return learner.network()


class _Learner:
    """Scores of pixels for every wire, real entries, and the optimizers of both."""

    def __init__(self, bits: torch.Tensor, settings: Settings) -> None:
        units = settings.units
        self._settings = settings
        self._images = bits.flatten(1).T.contiguous()
        # Only pixels that are on now and then are worth a wire.
        self._pixels = torch.nonzero(self._images.float().mean(1) > 0.005)[:, 0]
        self._narrow = torch.arange(units) // CLASSES % NARROW == 0
        self._scores = torch.rand(units * INPUTS, len(self._pixels)) * 0.02
        self._entries = torch.rand(units * ENTRIES) - 0.5
        self._first = (torch.arange(units, dtype=torch.int32) * ENTRIES)[:, None]
        self._votes = _votes(units)
        self._steps = settings.epochs * math.ceil(len(bits) / settings.batch)
        self._done = 0
        self._optimizers = [
            torch.optim.Adam([values], lr=rate, betas=(0.9, 0.99), fused=True)
            for values, rate in (
                (self._scores, settings.wire_rate),
                (self._entries, settings.rate),
            )
        ]
        self._choose()

    def step(self, part: torch.Tensor, labels: torch.Tensor, wire: bool) -> int:
        """Take one step; return how many images were classified rightly."""
        self._set_rates()
        x = self._moved(part)
        read = x.index_select(0, self._wires).view(self._settings.units, INPUTS, -1)
        index = self._first + sum(read[:, i].to(torch.int32) << i for i in range(INPUTS))
        here = self._at(index)
        scores = (self._votes @ (here > 0).float()).T / self._settings.temperature
        wrong = functional.softmax(scores, 1)
        right = int((wrong.argmax(1) == labels).sum())
        wrong[torch.arange(len(labels)), labels] -= 1
        # Of the loss by every unit, straight through the sign of its entry.
        slope = self._votes.T @ wrong.T / (self._settings.temperature * len(labels))
        if wire:
            self._scores.grad = self._by_wire(x, read, index, here, slope)
            self._optimizers[0].step()
            if self._done % 4 == 0:
                self._choose()
        self._entries.grad = torch.zeros_like(self._entries)
        self._entries.grad.index_add_(0, index.flatten(), slope.flatten())
        self._optimizers[1].step()
        self._entries.clamp_(-1, 1)
        self._done += 1
        return right

    def network(self) -> LutNetwork:
        """Return what was learned."""
        self._choose()
        units = self._settings.units
        wires = torch.cat([self._pixels, torch.tensor([NOTHING])])[self._wires]
        return LutNetwork(*distinct(wires.view(units, INPUTS), self._entries.view(units, -1) > 0))

    def _by_wire(
        self,
        x: torch.Tensor,
        read: torch.Tensor,
        index: torch.Tensor,
        here: torch.Tensor,
        slope: torch.Tensor,
    ) -> torch.Tensor:
        """Return the gradient of the scores: what each pixel in the place of each wire would do."""
        gain = torch.empty(*read.shape, dtype=torch.bfloat16)
        for i in range(INPUTS):
            gain[:, i] = slope * (self._at(index ^ (1 << i)) - here)
        gain *= 1 - 2 * read.to(torch.bfloat16)
        return (gain.flatten(0, 1) @ x[:-1].to(torch.bfloat16).T.contiguous()).float()

    def _at(self, index: torch.Tensor) -> torch.Tensor:
        return self._entries.index_select(0, index.flatten()).view(index.shape)

    def _choose(self) -> None:
        wires = self._scores.argmax(1).view(-1, INPUTS)
        wires[self._narrow, INPUTS - 1] = len(self._pixels)
        self._wires = wires.flatten()

    def _moved(self, part: torch.Tensor) -> torch.Tensor:
        """Return the pixels of some images, all moved alike, and one that is 0."""
        x = self._images.index_select(1, part).view(SIDE, SIDE, -1)
        by = torch.randint(-1, 2, (2,)).tolist()
        x = x.roll(by, (0, 1)).view(SIDE * SIDE, -1)[self._pixels]
        return functional.pad(x, (0, 0, 0, 1))

    def _set_rates(self) -> None:
        share = min(1.0, (self._done + 1) / 100)
        share *= 0.5 * (1 + math.cos(math.pi * self._done / self._steps))
        rates = (self._settings.wire_rate, self._settings.rate)
        for optimizer, rate in zip(self._optimizers, rates, strict=True):
            optimizer.param_groups[0]["lr"] = rate * share


def distinct(wires: torch.Tensor, entries: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the same units, none of which reads a pixel twice; what is left over reads nothing."""
    wires, entries = wires.clone(), entries.clone()
    codes = torch.arange(ENTRIES)
    for unit, pixels in enumerate(wires.tolist()):
        kept = sorted(set(pixels) - {NOTHING})
        # For every code of the pixels kept, the code of the wires as they were.
        old = sum(
            ((codes >> kept.index(pixel)) & 1) << place
            for place, pixel in enumerate(pixels)
            if pixel != NOTHING
        )
        entries[unit] = entries[unit, old]
        wires[unit] = torch.tensor(kept + [NOTHING] * (INPUTS - len(kept)))
    return wires, entries


def _votes(units: int) -> torch.Tensor:
    return functional.one_hot(torch.arange(units) % CLASSES, CLASSES).T.float().contiguous()
