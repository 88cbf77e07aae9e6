"""Search the bits of every layer by the loss: as few as a bound on accuracy or loss allows.

Each step takes a bit from the place where the hardware saved is worth the most per rise of the
loss, as estimated with that place alone, and keeps it if the whole model then is within the bound
by a standard error: of many steps, those are kept that the samples happen to favour. All of it
looks at the samples for choices; the test samples choose nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import nn

from hwaccel.compress.bound import Bound
from hwaccel.compress.checkpoint import Checkpoint
from hwaccel.compress.cost import Cost, cost_of, hardware
from hwaccel.compress.data import Data
from hwaccel.compress.quantize import (
    Place,
    Quantization,
    at_bits,
    check_start,
    losses_alone,
    places,
    prepared,
    retuned,
)
from hwaccel.compress.quantized import LayerBits, Quantized, changed
from hwaccel.compress.training import Answers, Progress, Recipe, Score, answers, evaluate
from hwaccel.config import Config
from hwaccel.errors import ConfigError

_FEWEST = 2
# Rises of the loss below this are noise, and all alike.
_NOISE = 1e-4


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """What each place alone does to loss and hardware, by its bits.

    ``work`` is that of the whole design with all other places at the bits of the start.
    """

    loss: Mapping[Place, float]
    work: Mapping[Place, int]


@dataclass(frozen=True, slots=True)
class Step:
    """A place that was tried with one bit less."""

    place: Place
    score: Score
    kept: bool
    trained: bool


@dataclass(frozen=True, slots=True)
class Search:
    """How the bits were found."""

    sensitivity: Sensitivity
    steps: tuple[Step, ...]
    quantization: Quantization
    cost_before: Cost
    cost_after: Cost


def sensitivity(
    start: Checkpoint,
    data: Data,
    edit: Quantized,
    config: Config | None = None,
    *,
    progress: Progress | None = None,
) -> Sensitivity:
    """Measure every place alone, at all bits from those of ``edit`` down to two."""
    say = progress or (lambda _: None)
    config = config or Config()
    full = prepared(start, data, edit, corrected=False)
    base = places(full)
    loss: dict[Place, float] = losses_alone(full, data)
    work: dict[Place, int] = dict.fromkeys(base, cost_of(hardware(full, data, config)).work)
    most = max(place.bits for place in base)
    for bits in range(most - 1, _FEWEST - 1, -1):
        say(f"sensitivity: {bits} bits")
        fewer = {p.path: _layer(at_bits(p, bits)) for p in base if p.bits > bits}
        model = prepared(start, data, changed(edit, fewer), corrected=False)
        at = set(places(model))
        loss |= {p: value for p, value in losses_alone(model, data).items() if p in at}
        for place in (at_bits(p, bits) for p in base if p.bits > bits):
            one = prepared(start, data, with_bits(edit, place), corrected=False)
            work[place] = cost_of(hardware(one, data, config)).work
    return Sensitivity(loss, work)


def with_bits(edit: Quantized, place: Place) -> Quantized:
    """Return ``edit`` with the bits of ``place``."""
    return changed(edit, {place.path: _layer(place)})


def _layer(place: Place) -> LayerBits:
    if place.field == "weight_bits":
        return LayerBits(weight_bits=place.bits)
    return LayerBits(activation_bits=place.bits)


def search(
    start: Checkpoint,
    data: Data,
    edit: Quantized,
    bound: Bound,
    recipe: Recipe | None = None,
    config: Config | None = None,
    *,
    margin: float = 1.0,
    progress: Progress | None = None,
) -> tuple[Checkpoint, Search]:
    """Return the quantized successor of ``start`` with as few bits as ``bound`` allows.

    ``edit`` has the most bits of each place. With a ``recipe``, a step that is not within the bound
    is trained by it and looked at again. Of every step, what is lost and ``margin`` standard errors
    of it must be within the bound.

    Raises:
        ConfigError: Brevitas is missing, the model or the data does not fit, nothing is limited,
            or the bits of ``edit`` are not within the bound.
    """
    check_start(start)
    if not bound.limits:
        raise ConfigError("search: nothing is limited; give an accuracy drop or a loss rise")
    if not 0 <= margin < float("inf"):
        raise ConfigError(f"search: margin is {margin:g}; expected standard errors from 0")
    walk = _Walk(start, data, bound, recipe, progress or (lambda _: None), 0.0)
    first = walk.attempt(edit)
    if not first.within:
        raise ConfigError(
            "search: the most bits already lose more than the bound allows "
            f"({first.score}; before: {walk.before}); use more bits, a wider bound, or training"
        )
    config = config or Config()
    found = sensitivity(start, data, edit, config, progress=progress)
    walk.margin = margin
    best = walk.run(first, found)
    costs = [cost_of(hardware(one.model, data, config)) for one in (first, best)]
    before, after = (evaluate(one, data.valid) for one in (start.model, best.model))
    record = Quantization(before, first.rounded, after)
    made = Search(found, tuple(walk.steps), record, costs[0], costs[1])
    return start.then(best.model, best.edit), made


@dataclass(frozen=True, slots=True, eq=False)
class _Attempt:
    """A model of some bits; ``rounded`` is its score before it was trained."""

    edit: Quantized
    model: nn.Module
    rounded: Score
    score: Score
    within: bool
    trained: bool


class _Walk:
    """The steps from many bits to few."""

    def __init__(
        self,
        start: Checkpoint,
        data: Data,
        bound: Bound,
        recipe: Recipe | None,
        say: Progress,
        margin: float,
    ) -> None:
        self._start = start
        self._data = data
        self._bound = bound
        self._recipe = recipe
        self._say = say
        # Standard errors that must be within the bound, too; nothing chose the first attempt.
        self.margin = margin
        self._before = answers(start.model, data.valid)
        self.before = self._before.score
        self.steps: list[Step] = []

    def run(self, best: _Attempt, found: Sensitivity) -> _Attempt:
        """Take bits as long as the bound holds; a place that breaks it stays as it is."""
        settled: set[str] = set()
        while (place := _next(places(best.model), found, settled)) is not None:
            made = self.attempt(with_bits(best.edit, place), best)
            self.steps.append(Step(place, made.score, made.within, made.trained))
            told = "kept" if made.within else "undone"
            self._say(f"search: {place} at {place.bits} bits: {made.score}, {told}")
            if made.within:
                best = made
            else:
                settled.add(place.path)
        return best

    def attempt(self, edit: Quantized, last: _Attempt | None = None) -> _Attempt:
        """Quantize with ``edit``, with the weights of ``last`` if they were trained."""
        if last is not None and last.trained:
            model = retuned(self._start, self._data, edit, last.model)
        else:
            model = prepared(self._start, self._data, edit, corrected=True)
        found = answers(model, self._data.valid)
        within = self._within(found)
        if within or self._recipe is None:
            trained = last is not None and last.trained
            return _Attempt(edit, model, found.score, found.score, within, trained)
        made = self._start.then(model, edit)
        made.train(self._data.train, self._recipe, progress=self._say, label="search: training")
        taught = answers(model, self._data.valid)
        return _Attempt(edit, model, found.score, taught.score, self._within(taught), True)

    def _within(self, found: Answers) -> bool:
        return self._bound.surely(self._before, found, self.margin)


def _next(now: list[Place], found: Sensitivity, settled: set[str]) -> Place | None:
    """Return the place, with fewer bits, that saves most hardware per rise of the loss."""
    best, most = None, 0.0
    for place in now:
        if place.path in settled:
            continue
        for bits in range(place.bits - 1, _FEWEST - 1, -1):
            fewer = at_bits(place, bits)
            saved = found.work[place] - found.work[fewer]
            if saved > 0:
                worth = saved / max(found.loss[fewer] - found.loss[place], _NOISE)
                if worth > most:
                    best, most = fewer, worth
                break
    return best
