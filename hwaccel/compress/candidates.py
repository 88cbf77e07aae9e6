"""What could make a layer cheaper: the edits that fit it, from the boldest to the most careful."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import nn

from hwaccel.compress.channels import Group, groups, removable
from hwaccel.compress.data import Data
from hwaccel.compress.depthwise import Depthwise, most_multipliers, product_share
from hwaccel.compress.drop import DropLayer, droppable
from hwaccel.compress.edits import Edit, weighted
from hwaccel.compress.lowrank import LowRank, full_rank, halving_rank
from hwaccel.compress.removal import importance
from hwaccel.compress.training import cross_entropy, outputs_of, plain

# Shares of channels that are taken away, and of products that are left by a split.
_GONE = (0.5, 0.25, 0.125)
_LEFT = (0.25, 0.5, 0.75)
_SAMPLES = 1024


@dataclass(frozen=True, slots=True)
class Candidate:
    """An edit, and in a few words what it does."""

    edit: Edit
    what: str


def candidates(model: nn.Module, path: str, data: Data) -> tuple[Candidate, ...]:
    """Return what could make the layer at ``path`` cheaper; nothing where it has no weights."""
    layer = dict(weighted(model)).get(path)
    if layer is None:
        return ()
    return (
        *_left_out(model, path, data.example),
        *_fewer_channels(model, path, data),
        *_low_rank(layer, path),
        *_split(layer, path),
    )


def products(model: nn.Module, example: torch.Tensor) -> int:
    """Return the products of a frame in layers with weights: a guess at the cost of hardware."""
    found: list[int] = []

    def look(layer: nn.Module, inputs: object, output: torch.Tensor) -> None:
        outputs = int(getattr(layer, "out_channels", output.shape[-1]))
        weight = layer.weight
        assert isinstance(weight, torch.Tensor)
        found.append(weight.numel() * (plain(output)[0].numel() // outputs))

    held = [layer.register_forward_hook(look) for _, layer in weighted(model)]
    try:
        outputs_of(model, example)
    finally:
        for hook in held:
            hook.remove()
    return sum(found)


def _left_out(model: nn.Module, path: str, example: torch.Tensor) -> Iterator[Candidate]:
    for name in droppable(model, example):
        if name == path or path.startswith(f"{name}."):
            yield Candidate(DropLayer(name), f"without {name}")


def _fewer_channels(model: nn.Module, path: str, data: Data) -> Iterator[Candidate]:
    """Take away the channels that the loss misses least: its own, and those it reads."""
    found = [
        group
        for group in groups(model, data.example)
        if _near(path, group) and removable(model, group, data.example, data.train)
    ]
    samples = data.train.first(_SAMPLES)
    for group, scores in zip(found, importance(model, found, samples, cross_entropy), strict=True):
        order = scores.argsort().tolist()
        counts = dict.fromkeys(max(1, round(share * len(order))) for share in _GONE)
        for count in counts:
            if count < len(order):
                left = f"{len(order) - count} of {len(order)} channels of {group.path}"
                yield Candidate(group.without(order[:count]), left)


def _near(path: str, group: Group) -> bool:
    """Does the layer at ``path`` make or read the channels of ``group``."""
    readers = {reader for unit in group.units for reader, _ in unit.readers}
    return path in {group.path, *group.layers, *readers}


def _low_rank(layer: nn.Module, path: str) -> Iterator[Candidate]:
    ranks = {halving_rank(layer, share): None for share in _LEFT}
    for rank in ranks:
        if rank >= 1:
            yield Candidate(LowRank(path, rank), f"rank {rank} of {full_rank(layer)}")


def _split(layer: nn.Module, path: str) -> Iterator[Candidate]:
    for multiplier in (1, 2, 4):
        if multiplier <= most_multipliers(layer) and product_share(layer, multiplier) < 1:
            yield Candidate(
                Depthwise(path, multiplier), f"split by channels, {multiplier} kernels each"
            )
