"""``Units``: what may go in one layer, and how many of them go for a given share of the whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from hwaccel.compress.checkpoint import Checkpoint
from hwaccel.compress.edits import Edit
from hwaccel.compress.training import copied


@dataclass(frozen=True, slots=True, eq=False)
class Units:
    """What may go in the layer at ``path``: the unit with the lowest score first.

    A unit counts ``size``; ``gone`` of them went earlier, ``least`` have to stay. ``layers`` are
    those that become smaller by it. ``remove`` takes units, by index, out of a copy of the model.
    """

    path: str
    scores: torch.Tensor
    size: int
    layers: tuple[str, ...]
    remove: Callable[[nn.Module, torch.Tensor], Edit]
    gone: int = 0
    least: int = 1

    @property
    def total(self) -> int:
        """Units that were there in the beginning."""
        return self.gone + len(self.scores)

    def amount(self, share: float) -> int:
        """Return how many more have to go so that ``share`` of all is gone."""
        most = max(0, len(self.scores) - self.least)
        return min(max(0, round(share * self.total) - self.gone), most)


# What may go from a model, by layer.
Way = Callable[[nn.Module], "tuple[Units, ...]"]


def without(start: Checkpoint, units: Sequence[Units], amounts: Mapping[str, int]) -> Checkpoint:
    """Return the successor of ``start`` that lacks so many of the ``units`` of its layers."""
    model = copied(start.model)
    edits = [
        u.remove(model, lowest(u.scores, amounts[u.path])) for u in units if amounts.get(u.path)
    ]
    return start.then(model, *dict.fromkeys(edits))


def share_of(units: Sequence[Units]) -> float:
    """Return the share of the whole that is gone for good."""
    whole = sum(u.size * u.total for u in units)
    return sum(u.size * u.gone for u in units) / whole if whole else 0.0


def per_layer(units: Sequence[Units], share: float) -> dict[str, int]:
    """Return the amounts that take the same share of every layer: a threshold for each."""
    return {u.path: u.amount(share) for u in units}


def across(units: Sequence[Units], share: float) -> dict[str, int]:
    """Return the amounts that take the lowest scores of all layers: one threshold for all."""
    wanted = sum(u.size * (share * u.total - u.gone) for u in units)
    scores, sizes, owner = [], [], []
    for number, u in enumerate(units):
        free = u.scores.sort(stable=True).values[: max(0, len(u.scores) - u.least)]
        scores.append(free.double())
        sizes.append(torch.full((len(free),), float(u.size)))
        owner.append(torch.full((len(free),), number))
    order = torch.cat(scores).argsort(stable=True)
    size, of = torch.cat(sizes)[order], torch.cat(owner)[order]
    # The last unit goes if that comes closer to what is wanted than leaving it.
    count = int((size.cumsum(0) - size / 2 <= wanted).sum()) if wanted > 0 else 0
    taken = torch.bincount(of[:count], minlength=len(units))
    return {u.path: int(taken[number]) for number, u in enumerate(units)}


def lowest(scores: torch.Tensor, amount: int) -> torch.Tensor:
    """Return the ``amount`` lowest scores, as sorted indices; of equals the first go."""
    return scores.argsort(stable=True)[:amount].sort().values
