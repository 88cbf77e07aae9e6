"""Points of a search for the model that fits, and the folder that keeps them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import torch

from hwaccel.compress.budget import Budget
from hwaccel.compress.checkpoint import Checkpoint, restored
from hwaccel.compress.cost import Cost
from hwaccel.compress.training import Score
from hwaccel.emit.project import MANIFEST, replace_file
from hwaccel.errors import ConfigError
from hwaccel.untrusted import Damaged, decode_json, read_file

# The rungs of each ladder, from the model as it is downwards.
CHANNELS = (0.0, 0.25, 0.5, 0.75, 0.875)
SPARSITY = (0.0, 0.5, 0.75, 0.875, 0.9375, 0.96875, 0.984375, 0.9921875)
BITS = (8, 6, 5, 4, 3, 2)
# By how many bits the inputs of the network are narrower than the data.
NARROWER = (0, 1, 2, 3, 4, 5, 6, 7)
_MAX_INDEX = 1 << 24
LADDERS = ("channels", "sparsity", "weights", "activations", "inputs")


class Point(msgspec.Struct, frozen=True, order=True):
    """A rung on each ladder, or a network of ``units`` lookup tables."""

    channels: int = 0
    sparsity: int = 0
    weights: int = 0
    activations: int = 0
    units: int = 0
    inputs: int = 0

    @property
    def name(self) -> str:
        """Name of the folder of the point."""
        if self.units:
            return f"t{self.units}"
        inputs = f"i{self.inputs}" if self.inputs else ""
        return f"c{self.channels}s{self.sparsity}w{self.weights}a{self.activations}{inputs}"

    def __str__(self) -> str:
        if self.units:
            return f"{self.units} tables of six bits"
        fewer = NARROWER[self.inputs]
        inputs = f", {fewer} bit{'s' * (fewer > 1)} less per input" if fewer else ""
        return (
            f"{100 * CHANNELS[self.channels]:g} % of channels and "
            f"{100 * SPARSITY[self.sparsity]:.4g} % of weights gone, {BITS[self.weights]} bits per "
            f"weight, {BITS[self.activations]} per activation{inputs}"
        )

    def moved(self, ladder: str, by: int) -> Point | None:
        """Return the point one rung further on ``ladder``, if there is one."""
        if self.units:
            return None
        ladders = {"channels": CHANNELS, "sparsity": SPARSITY, "inputs": NARROWER}
        to = getattr(self, ladder) + by
        if not 0 <= to < len(ladders.get(ladder, BITS)):
            return None
        return msgspec.structs.replace(self, **{ladder: to})


class Found(msgspec.Struct, frozen=True):
    """A trained point: predicted hardware, and scores on samples for choices and for reports."""

    point: Point
    cost: Cost
    valid: Score
    test: Score


class _Kept(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the folder says of itself."""

    key: str
    points: list[Found] = []
    costs: dict[str, Cost | None] = {}
    losses: dict[str, float] = {}


class Folder:
    """Points and the float models between them, each whole or not there at all."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._index = root / "fit.json"
        self.points: tuple[Found, ...] = ()
        # Predicted hardware, and the loss after a short lesson, by name of the point.
        self.costs: dict[str, Cost | None] = {}
        self.losses: dict[str, float] = {}
        self._key = ""

    def open(self, key: str) -> None:
        """Take up what an earlier run left, if it searched for the same."""
        self._key = key
        try:
            kept = decode_json(read_file(self._index, _MAX_INDEX), _Kept)
        except FileNotFoundError:
            if self.root.exists() and any(self.root.iterdir()):
                raise ConfigError(
                    f"{self.root}: holds files that are no search; choose an empty or new folder"
                ) from None
            self.root.mkdir(parents=True, exist_ok=True)
            self._save()
            return
        except Damaged as error:
            raise ConfigError(f"{self._index}: {error}; choose another folder") from None
        if kept.key != key:
            raise ConfigError(
                f"{self.root}: is of another model, data, recipe or configuration; choose another "
                "folder"
            )
        self.points = tuple(kept.points)
        self.costs, self.losses = kept.costs, kept.losses

    def add(self, found: Found) -> None:
        """Note a point whose checkpoint is written."""
        self.points = (*self.points, found)
        self._save()

    def note(self, point: Point, cost: Cost | None) -> None:
        """Note the predicted hardware of a point; nothing where it is impossible."""
        self.costs[point.name] = cost
        self._save()

    def judge(self, point: Point, loss: float) -> None:
        """Note the loss of a point after a short lesson."""
        self.losses[point.name] = loss
        self._save()

    def smallest(self, budget: Budget) -> Cost | None:
        """Return the predicted hardware that is nearest to the budget."""
        return min(filter(None, self.costs.values()), key=budget.excess, default=None)

    def _save(self) -> None:
        text = msgspec.json.encode(_Kept(self._key, list(self.points), self.costs, self.losses))
        replace_file(self._index, msgspec.json.format(text, indent=2) + b"\n")

    def read(self, start: Checkpoint, name: str, example: torch.Tensor) -> Checkpoint:
        """Return a model that was kept."""
        return restored(start, self.root / name, example)

    def has(self, name: str) -> bool:
        """Tell whether a model is there."""
        return (self.root / name / MANIFEST).is_file()


def neighbours(point: Point) -> Iterator[Point]:
    """Yield points that ease one ladder, alone or paid for by another, and that ease none."""
    for eased in LADDERS:
        up = point.moved(eased, -1)
        if up is None:
            continue
        yield up
        for paying in LADDERS:
            down = up.moved(paying, 1) if paying != eased else None
            if down is not None:
                yield down
