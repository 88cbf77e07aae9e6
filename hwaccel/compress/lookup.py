"""A network of lookup tables of six bits: the smallest classifier in logic of six-input LUTs.

Every unit is any function of six inputs, each of which is only compared with a threshold; a class
scores as many points as units of its own are 1. What is learned is which inputs a unit reads and
the 64 entries of its table, by gradient descent as in A. Bacellar et al., *Differentiable
Weightless Neural Networks* (ICML 2024), with two simplifications: the gradient of an input's bit is
the difference of two entries, and scores of inputs are learned straight through the choice of the
best.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from hwaccel.compress.data import Samples
from hwaccel.compress.edits import Edit
from hwaccel.compress.training import Progress
from hwaccel.errors import ConfigError

INPUTS = 6
ENTRIES = 1 << INPUTS
# Of so many units of a class one reads five inputs: its table fits into the LUT that counts it.
NARROW = 4
# Tables of one layer; hwaccel takes 65,536 entries at most.
_BLOCK = 1000


class Tables(nn.Module):  # type: ignore[misc]
    """Units ``table[six bits]``: ``wires`` ``(units, 6)``, ``entries`` 0 or 1 ``(units, 64)``."""

    def __init__(self, wires: torch.Tensor, entries: torch.Tensor) -> None:
        super().__init__()
        self.units = len(wires)
        self.register_buffer("wires", wires.flatten())
        self.register_buffer("places", 2.0 ** torch.arange(INPUTS)[None])
        self.register_buffer("first", torch.arange(self.units) * float(ENTRIES))
        self.register_buffer("entries", entries.flatten().float())

    def forward(self, bits: torch.Tensor) -> torch.Tensor:
        """Return the units, 0 or 1, for bits ``(N, inputs + 1)``."""
        read = bits[:, self.wires].view(-1, self.units, INPUTS)
        index = functional.linear(read, self.places).view(-1, self.units) + self.first
        last = len(self.entries) - 1
        whole = torch.fake_quantize_per_tensor_affine(index, 1.0, 0, 0, last)
        return self.entries[whole.long()]


class LookupNetwork(nn.Module):  # type: ignore[misc]
    """Inputs compared with ``threshold`` to counts; unit ``i`` counts for class ``i % classes``.

    A wire that names the input after the last reads 0.
    """

    def __init__(
        self, wires: torch.Tensor, entries: torch.Tensor, classes: int, threshold: float = 0.5
    ) -> None:
        super().__init__()
        self.threshold = threshold
        pairs = zip(wires.split(_BLOCK), entries.split(_BLOCK), strict=True)
        self.blocks = nn.ModuleList([Tables(w, e) for w, e in pairs])
        self.register_buffer("votes", votes(len(wires), classes))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the counts ``(N, classes)``."""
        bits = functional.pad((x.flatten(1) >= self.threshold).float(), (0, 1))
        units = torch.cat([block(bits) for block in self.blocks], 1)
        return functional.linear(units, self.votes)

    def tables(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the wires and the entries of all units."""
        wires = torch.cat([block.wires.view(-1, INPUTS) for block in self.blocks])
        return wires, torch.cat([block.entries.view(-1, ENTRIES) for block in self.blocks])


class Lookup(Edit, frozen=True, kw_only=True):
    """The model becomes a network of ``units`` tables, whatever it was."""

    units: int
    classes: int
    threshold: float = 0.5

    def __post_init__(self) -> None:
        if self.classes < 2 or not self.classes <= self.units <= 1 << 16:
            raise ConfigError(
                f"lookup: {self.units} units for {self.classes} classes; expected two classes or "
                "more, and 1 to 65,536 units, at least one for every class"
            )

    def apply(self, model: nn.Module, example: torch.Tensor) -> nn.Module:
        """Return a network whose tables are those of a state dict or of ``learned``."""
        nothing = example[0].numel()
        wires = torch.full((self.units, INPUTS), nothing)
        return LookupNetwork(
            wires, torch.zeros(self.units, ENTRIES), self.classes, self.threshold
        ).eval()


@dataclass(frozen=True, slots=True)
class Settings:
    """How to learn tables. ``shift`` moves images by up to so many pixels, a batch alike.

    The wires rest for the last part of the training.
    """

    units: int = 1900
    epochs: int = 24
    batch: int = 250
    rate: float = 1e-2
    wire_rate: float = 1e-3
    temperature: float = 4.5
    rest: float = 0.2
    shift: int = 1
    seed: int = 0


def middle(x: torch.Tensor) -> float:
    """Return what to compare inputs with: 0, or the power of two nearest to half of their range."""
    lo, hi = float(x.min()), float(x.max())
    half = (lo + hi) / 2
    if abs(half) <= (hi - lo) / 8:
        return 0.0
    return math.copysign(2.0 ** round(math.log2(abs(half))), half)


def learned(
    samples: Samples, classes: int, settings: Settings, progress: Progress | None = None
) -> LookupNetwork:
    """Return a network trained on ``samples``; the same seed gives the same tables."""
    threshold = middle(samples.x)
    bits = (samples.x >= threshold).to(torch.uint8)
    with torch.random.fork_rng():
        torch.manual_seed(settings.seed)
        learner = _Learner(bits, classes, settings)
        for epoch in range(settings.epochs):
            rests = epoch >= settings.epochs * (1 - settings.rest)
            right, order = 0, torch.randperm(len(samples))
            for step, part in enumerate(order.split(settings.batch)):
                wire = step % 2 == 0 and not rests
                right += learner.step(part, samples.y[part], wire=wire)
            if progress is not None:
                share = 100 * right / len(samples)
                progress(f"tables: epoch {epoch + 1} of {settings.epochs}, {share:.2f} % right")
        network = learner.network(threshold)
        network.eval()
        return network


class _Learner:
    """Scores of inputs for every wire, real entries, and the optimizers of both."""

    def __init__(self, bits: torch.Tensor, classes: int, settings: Settings) -> None:
        units = settings.units
        self._settings, self._classes = settings, classes
        self._shape = bits.shape[1:]
        self._images = bits.flatten(1).T.contiguous()
        # Only inputs that are on now and then are worth a wire.
        self._pixels = torch.nonzero(self._images.float().mean(1) > 0.005)[:, 0]
        self._narrow = _narrow(units, classes)
        self._scores = torch.rand(units * INPUTS, len(self._pixels)) * 0.02
        self._entries = torch.rand(units * ENTRIES) - 0.5
        self._first = (torch.arange(units, dtype=torch.int32) * ENTRIES)[:, None]
        self._votes = votes(units, classes)
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
        x = self._inputs(part)
        read = x.index_select(0, self._wires).view(self._settings.units, INPUTS, -1)
        index = self._first + _codes(read)
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

    def network(self, threshold: float) -> LookupNetwork:
        """Return what was learned."""
        self._choose()
        units, nothing = self._settings.units, len(self._images)
        wires = torch.cat([self._pixels, torch.tensor([nothing])])[self._wires]
        found = distinct(wires.view(units, INPUTS), self._entries.view(units, -1) > 0, nothing)
        return LookupNetwork(*found, self._classes, threshold)

    def _by_wire(
        self,
        x: torch.Tensor,
        read: torch.Tensor,
        index: torch.Tensor,
        here: torch.Tensor,
        slope: torch.Tensor,
    ) -> torch.Tensor:
        """Return the gradient of the scores: what each input in the place of each wire would do."""
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

    def _inputs(self, part: torch.Tensor) -> torch.Tensor:
        """Return the bits of some samples, images all moved alike, and one that is 0."""
        x = self._images.index_select(1, part)
        most = self._settings.shift
        if most and len(self._shape) == 3:
            by = torch.randint(-most, most + 1, (2,)).tolist()
            x = x.view(*self._shape, -1).roll(by, (1, 2)).view(len(self._images), -1)
        return functional.pad(x[self._pixels], (0, 0, 0, 1))

    def _set_rates(self) -> None:
        share = min(1.0, (self._done + 1) / 100)
        share *= 0.5 * (1 + math.cos(math.pi * self._done / self._steps))
        rates = (self._settings.wire_rate, self._settings.rate)
        for optimizer, rate in zip(self._optimizers, rates, strict=True):
            optimizer.param_groups[0]["lr"] = rate * share


def drawn(edit: Lookup, inputs: int) -> LookupNetwork:
    """Return the network of ``edit`` with wires and entries of any kind."""
    draw = torch.Generator().manual_seed(0)
    wires = torch.randint(inputs, (edit.units, INPUTS), generator=draw)
    entries = torch.randint(2, (edit.units, ENTRIES), generator=draw)
    wires[_narrow(edit.units, edit.classes), -1] = inputs
    network = LookupNetwork(*distinct(wires, entries, inputs), edit.classes, edit.threshold)
    network.eval()
    return network


def _narrow(units: int, classes: int) -> torch.Tensor:
    """Tell of each unit whether it reads five inputs."""
    return torch.arange(units) // classes % NARROW == 0


def _codes(read: torch.Tensor) -> torch.Tensor:
    """Return the index of a table for bits ``(units, 6, N)``."""
    code = torch.zeros(len(read), read.shape[2], dtype=torch.int32)
    for place in range(INPUTS):
        code += read[:, place].to(torch.int32) << place
    return code


def distinct(
    wires: torch.Tensor, entries: torch.Tensor, nothing: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the same units, none of which reads an input twice; wires left over read nothing."""
    wires, entries = wires.clone(), entries.clone()
    codes = torch.arange(ENTRIES)
    for unit, read in enumerate(wires.tolist()):
        kept = sorted(set(read) - {nothing})
        # For every code of the inputs kept, the code of the wires as they were.
        old = torch.zeros(ENTRIES, dtype=torch.int64)
        for place, pixel in enumerate(read):
            if pixel != nothing:
                old += ((codes >> kept.index(pixel)) & 1) << place
        entries[unit] = entries[unit, old]
        wires[unit] = torch.tensor(kept + [nothing] * (INPUTS - len(kept)))
    return wires, entries


def votes(units: int, classes: int) -> torch.Tensor:
    """Return the weights ``(classes, units)`` with which units count."""
    return functional.one_hot(torch.arange(units) % classes, classes).T.float().contiguous()
