"""``fit``: prune, quantize and teach a trained model until it fits a budget; keep what is best.

A point is a share of channels that are gone, of weights that are zero, and bits: per weight,
activation, and input. For every share of channels and every number of bits the fewest zeros are
found with which the predicted hardware fits. These points get a short lesson each, and so do the
most promising with fewer bits per input, for as long as that lowers the loss. What is left is
trained in full, the start being the teacher; then the neighbours, in which one way is eased where
another pays for it. What is laid out in logic may also be a network of lookup tables instead, as
many as fit. All points are kept in a folder, where a later run goes on.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import msgspec
import torch

from hwaccel.compress.bound import Bound
from hwaccel.compress.budget import Budget
from hwaccel.compress.checkpoint import Checkpoint, write_checkpoint
from hwaccel.compress.cost import Cost, cost_of, hardware
from hwaccel.compress.data import Data, Samples
from hwaccel.compress.distill import Teaching, lessons
from hwaccel.compress.lookup import Lookup, Settings, drawn, learned, middle
from hwaccel.compress.order import areas
from hwaccel.compress.patterns import Unstructured
from hwaccel.compress.points import (
    BITS,
    CHANNELS,
    NARROWER,
    SPARSITY,
    Folder,
    Found,
    Point,
    neighbours,
)
from hwaccel.compress.quantize import edit_for, quantize
from hwaccel.compress.removal import Removal, removal
from hwaccel.compress.training import Loss, Progress, Recipe, Score, copied, cross_entropy, evaluate
from hwaccel.compress.units import across, without
from hwaccel.compress.zeros import Zeros
from hwaccel.config import Config
from hwaccel.errors import ConfigError, HwaccelError
from hwaccel.pareto import nondominated

_HALF = 0.5
# Rungs of channels to begin with; neighbours of good points have the others.
_WIDTHS = (0, 2, 3)
# Tables for every class by which their price is found, the share of the budget to aim at, the most
# of them, and how much longer they learn than weights do.
_TABLES, _ROOM, _MOST_UNITS, _LONGER = (4, 12), 0.98, 10_000, 3
# Samples of a short lesson.
_FEW = 8192


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """The best point within budget and bound, its model, and all points that were trained."""

    best: Found
    checkpoint: Checkpoint
    points: tuple[Found, ...]
    before: Score


def fit(
    start: Checkpoint,
    data: Data,
    budget: Budget,
    bound: Bound,
    folder: Path,
    recipe: Recipe,
    config: Config | None = None,
    *,
    points: int = 10,
    teaching: Teaching | None = None,
    progress: Progress | None = None,
) -> Fitted:
    """Return the best of ``points`` trained points that are within ``budget`` and ``bound``.

    Best is the highest accuracy on ``data.valid``, or, with nothing limited but the loss, the least
    area times cycles. A run in a folder of the same start, data, recipe and config goes on there.

    Raises:
        ConfigError: nothing is limited, the folder is of another search, or no point is within
            the limits; the message says which came nearest.
    """
    if not budget.limits() and not bound.limits:
        raise ConfigError("fit: nothing is limited; give a budget or an accuracy drop")
    search = _Search(
        start, data, budget, bound, Folder(folder), recipe, config or Config(),
        teaching or Teaching(), progress or (lambda _: None),
    )  # fmt: skip
    search.run(points)
    best = search.best()
    if best is None:
        raise ConfigError(search.missed())
    made = search.folder.read(start, f"points/{best.point.name}", data.example)
    return Fitted(best, made, search.folder.points, search.before)


def front(points: tuple[Found, ...], budget: Budget) -> tuple[Found, ...]:
    """Return the points that no other beats in both accuracy and hardware, cheapest first.

    Hardware is the excess over the budget, or area times cycles without one. Accuracy is that on
    the samples for choices.
    """
    ranked = sorted(points, key=lambda f: (_price(budget, f.cost), -f.valid.accuracy))
    costs = [(_price(budget, f.cost), -f.valid.accuracy) for f in ranked]
    return tuple(ranked[at] for at in nondominated(costs))


def _price(budget: Budget, cost: Cost) -> float:
    return budget.excess(cost) if budget.limits() else float(cost.work)


@dataclass(eq=False)
class _Search:
    start: Checkpoint
    data: Data
    budget: Budget
    bound: Bound
    folder: Folder
    recipe: Recipe
    config: Config
    teaching: Teaching
    say: Progress

    def __post_init__(self) -> None:
        self.before = evaluate(self.start.model, self.data.valid)
        self.folder.open(self._key())
        self._floats: dict[tuple[int, int], Checkpoint] = {(0, 0): self.start}

    @cached_property
    def _channels(self) -> Removal:
        return removal(self.start.model, self.data, cross_entropy, ())

    @cached_property
    def _answers(self) -> tuple[Loss, torch.Tensor | None]:
        """What the start says of all samples, which takes a while."""
        return lessons(copied(self.start.model), self.data.train, self.recipe, self.teaching)

    @cached_property
    def _threshold(self) -> float:
        return middle(self.data.train.x)

    def _key(self) -> str:
        """Return a hash of everything that decides what a point is."""
        hashed = hashlib.sha256()
        for name, tensor in self.start.model.state_dict().items():
            hashed.update(name.encode() + tensor.cpu().contiguous().numpy().tobytes())
        sizes = [len(part) for part in (self.data.train, self.data.valid)]
        parts = (self.start.edits, self.data.name, sizes, self.recipe, self.config, self.teaching)
        hashed.update(msgspec.json.encode(parts))
        return hashed.hexdigest()

    # --- the search -------------------------------------------------------------------------

    def run(self, points: int) -> None:
        """Train up to ``points`` points, at the budget or, without one, at ever less hardware."""
        if self.budget.luts is not None and self.config.style == "spatial":
            self._tables(self.budget.luts)
        if self.budget.limits():
            self._at(self.budget.fits, max(1, points - points // 3))
            while len(self.folder.points) < points and (point := self._neighbour()) is not None:
                self._train(point)
            return
        work = self._cost(Point())
        while work is not None and len(self.folder.points) < points:
            goal = round(_HALF * work.work)
            self._at(lambda cost, goal=goal: cost.work <= goal, 2)  # type: ignore[misc]
            best = self.best()
            if best is None or best.cost.work > goal:
                return
            work = best.cost

    def _tables(self, luts: int) -> None:
        """Train as many lookup tables as fit; LUTs grow with their number."""
        classes = self.data.classes
        few, more = (Point(units=n * classes) for n in _TABLES)
        costs = [self._cost(few), self._cost(more)]
        if costs[0] is None or costs[1] is None:
            return
        each = (costs[1].luts - costs[0].luts) / (more.units - few.units)
        room = _ROOM * luts - costs[0].luts
        units = min(few.units + int(room / max(each, 1e-9)), _MOST_UNITS)
        while units >= classes:
            point = Point(units=units // classes * classes)
            cost = self._cost(point)
            if cost is not None and self.budget.fits(cost):
                self._train(point)
                return
            if cost is None or cost.luts <= luts:
                return
            # They grow a little faster than that.
            units = min(int(point.units * _ROOM * luts / cost.luts), point.units - classes)

    def _at(self, fits: Callable[[Cost], bool], count: int) -> None:
        """Train the ``count`` most promising points that just fit."""
        fitting = [
            point
            for channels in _WIDTHS
            for bits in range(1, len(BITS))
            if (point := self._densest(Point(channels, 0, bits, bits), fits)) is not None
        ]
        best = sorted(fitting, key=self._promise)[:count]
        for point in dict.fromkeys(self._narrowed_inputs(point, fits) for point in best):
            self._train(point)

    def _narrowed_inputs(self, point: Point, fits: Callable[[Cost], bool]) -> Point:
        """Take bits from the inputs, which lets weights stay, for as long as the loss falls."""
        while (less := point.moved("inputs", 1)) is not None:
            made = self._densest(msgspec.structs.replace(less, sparsity=0), fits)
            if made is None or self._promise(made) >= self._promise(point):
                break
            point = made
        return point

    def _densest(self, point: Point, fits: Callable[[Cost], bool]) -> Point | None:
        """Return the point with the fewest zeros that fits, by bisection; more zeros cost less."""
        ladder = [msgspec.structs.replace(point, sparsity=rung) for rung in range(len(SPARSITY))]

        def good(tried: Point) -> bool:
            cost = self._cost(tried)
            return cost is not None and fits(cost)

        first = bisect_left(ladder, True, key=good)
        return ladder[first] if first < len(ladder) else None

    def best(self) -> Found | None:
        """Return the best point within the limits."""
        good = [f for f in self.folder.points if self._within(f)]
        if not self.budget.limits():
            return min(good, key=lambda f: (f.cost.work, -f.valid.accuracy), default=None)
        return max(good, key=lambda f: (f.valid.accuracy, -f.valid.loss), default=None)

    def _within(self, found: Found) -> bool:
        return self.budget.fits(found.cost) and self.bound.holds(self.before, found.valid)

    def missed(self) -> str:
        """Say what came nearest."""
        if not self.folder.points:
            small = self.folder.smallest(self.budget)
            least = f"; the smallest found has {small}" if small is not None else ""
            return f"fit: no point is within {self.budget}{least}; allow more"
        near = max(self.folder.points, key=lambda f: (self.budget.fits(f.cost), f.valid.accuracy))
        return (
            f"fit: none of {len(self.folder.points)} points is within {self.budget} and keeps "
            f"{self.bound}; the nearest has {near.cost} at {near.valid} (before: {self.before}): "
            f"{near.point}; allow more, or more points or epochs"
        )

    def _neighbour(self) -> Point | None:
        """Return the untrained neighbour of the best points that fits and promises most."""
        trained = {found.point for found in self.folder.points}
        good = sorted(self.folder.points, key=lambda f: (-f.valid.accuracy, f.valid.loss))
        for found in good:
            near = [p for p in neighbours(found.point) if p not in trained]
            costs = {point: self._cost(point) for point in near}
            fitting = [
                p for p, cost in costs.items() if cost is not None and self.budget.fits(cost)
            ]
            if fitting:
                return min(fitting, key=self._promise)
        return None

    # --- points -----------------------------------------------------------------------------

    def _cost(self, point: Point) -> Cost | None:
        """Return the predicted hardware of a point, or nothing where it is impossible."""
        if point.name not in self.folder.costs:
            try:
                if point.units:
                    made = self._any_tables(point.units)
                else:
                    made = self._quantized(self._cut(point.channels, point.sparsity), point)
                cost = cost_of(hardware(made.model, self.data, self.config))
                self.say(f"{point}: {cost}")
            except HwaccelError as error:
                self.say(f"{point}: {error}")
                cost = None
            self.folder.note(point, cost)
        return self.folder.costs[point.name]

    def _promise(self, point: Point) -> float:
        """Return the loss of a point after a short lesson."""
        if point.name not in self.folder.losses:
            few = self.data.train.first(_FEW)
            short = replace(self.recipe, epochs=max(1, self.recipe.epochs // 4))
            made = self._cut(point.channels, point.sparsity)
            self._teach(made, few, short, f"short lesson, {point.name}")
            made = self._quantized(made, point)
            self._teach(made, few, short, f"short lesson, {point.name}, quantized")
            self.folder.judge(point, evaluate(made.model, self.data.valid).loss)
        return self.folder.losses[point.name]

    def _train(self, point: Point) -> None:
        if point in {found.point for found in self.folder.points}:
            return
        if point.units:
            made = self._learned_tables(point.units)
        else:
            made = self._quantized(self._float(point.channels, point.sparsity), point)
            self._teach(made, self.data.train, self.recipe, f"{point.name}, quantized")
        cost = cost_of(hardware(made.model, self.data, self.config))
        valid, test = (evaluate(made.model, part) for part in (self.data.valid, self.data.test))
        found = Found(point, cost, valid, test)
        self.say(f"{point}: {cost}; {valid}")
        record = {"command": "fit", "point": msgspec.to_builtins(found)}
        write_checkpoint(self.folder.root / "points" / point.name, made, self.data.example, record)
        self.folder.add(found)

    def _quantized(self, base: Checkpoint, point: Point) -> Checkpoint:
        bits = BITS[point.weights], BITS[point.activations]
        edit = edit_for(self.data, *bits, narrower=NARROWER[point.inputs])
        return quantize(base, self.data, edit)[0]

    def _lookup(self, units: int) -> Lookup:
        return Lookup(units=units, classes=self.data.classes, threshold=self._threshold)

    def _any_tables(self, units: int) -> Checkpoint:
        """Return tables of any content, which cost about as much as those that are learned."""
        edit = self._lookup(units)
        return self.start.then(drawn(edit, self.data.example[0].numel()), edit)

    def _learned_tables(self, units: int) -> Checkpoint:
        epochs, batch = _LONGER * self.recipe.epochs, self.recipe.batch
        settings = Settings(
            units=units, epochs=epochs, batch=batch, shift=self.recipe.shift, seed=self.recipe.seed
        )
        model = learned(self.data.train, self.data.classes, settings, self.say)
        return self.start.then(model, self._lookup(units))

    def _teach(self, made: Checkpoint, samples: Samples, recipe: Recipe, label: str) -> None:
        loss, targets = self._answers
        known = targets[: len(samples)] if targets is not None else None
        made.train(samples, recipe, loss=loss, targets=known, progress=self.say, label=label)

    def _float(self, channels: int, sparsity: int) -> Checkpoint:
        """Return the trained float model of a point's channels and zeros.

        Zeros come two rungs at a time, with lessons in between; all steps are kept.
        """
        name = f"floats/c{channels}s{sparsity}"
        at = channels, sparsity
        if at not in self._floats and self.folder.has(name):
            self._floats[at] = self.folder.read(self.start, name, self.data.example)
        if at not in self._floats:
            if sparsity > 2:
                self._float(channels, sparsity - 2)
            made = self._cut(channels, sparsity)
            self._teach(made, self.data.train, self.recipe, f"c{channels}s{sparsity}")
            write_checkpoint(self.folder.root / name, made, self.data.example, {"command": "fit"})
            self._floats[at] = made
        return self._floats[at]

    def _cut(self, channels: int, sparsity: int) -> Checkpoint:
        """Cut channels first, then weights, each from the nearest model that was trained."""
        above = [known for known in self._floats if known[0] == channels and known[1] <= sparsity]
        made = self._floats[max(above)] if above else self._narrowed(CHANNELS[channels])
        share = SPARSITY[sparsity]
        if not share or (channels, sparsity) in above:
            return Checkpoint(copied(made.model), made.edits)
        units = Zeros(Unstructured(), areas(made.model, self.data.example))(made.model)
        return without(made, units, across(units, share))

    def _narrowed(self, share: float) -> Checkpoint:
        units = self._channels(self.start.model)
        amounts = across(units, share) if units else {}
        if not any(amounts.values()):
            raise ConfigError("no channels can go")
        return without(self.start, units, amounts)
