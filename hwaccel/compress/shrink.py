"""Make a trained model cheaper as hardware, layer by layer, for as long as the loss allows it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from operator import itemgetter

from torch import nn

from hwaccel.compress.bound import Bound
from hwaccel.compress.candidates import Candidate, candidates, products
from hwaccel.compress.checkpoint import Checkpoint
from hwaccel.compress.cost import Cost, cost_of, hardware, layer_costs
from hwaccel.compress.data import Data, Samples
from hwaccel.compress.distill import Teaching, lessons
from hwaccel.compress.edits import Edit
from hwaccel.compress.training import Progress, Recipe, Score, copied, evaluate
from hwaccel.config import Config
from hwaccel.errors import ConfigError, HwaccelError
from hwaccel.report.text import percent

# What saves less than this share of the work is not worth an epoch.
_WORTH = 0.02
# Samples for a first look at what an edit does.
_GLANCE = 1000


@dataclass(frozen=True, slots=True)
class Trial:
    """One proposal. ``work`` is that of the design with it; no ``score`` where it was not trained.

    ``layer`` was the bottleneck, with ``share`` of all work.
    """

    layer: str
    share: float
    what: str
    kept: bool
    reason: str
    work: int | None = None
    score: Score | None = None

    def __str__(self) -> str:
        return f"{self.layer} ({100 * self.share:.0f} % of the work): {self.what}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Shrunk:
    """What was done. ``valid`` scores decided, ``test`` scores are those to report."""

    cost_before: Cost
    cost_after: Cost
    valid_before: Score
    valid_after: Score
    test_before: Score
    test_after: Score
    trials: tuple[Trial, ...]

    @property
    def factor(self) -> float:
        """How much less work the hardware does for a frame: area times cycles, before by after."""
        return self.cost_before.work / self.cost_after.work


def shrink(
    start: Checkpoint,
    data: Data,
    recipe: Recipe,
    bound: Bound,
    config: Config | None = None,
    *,
    tries: int = 3,
    samples: int | None = None,
    enough: float | None = None,
    final: Recipe | None = None,
    teaching: Teaching | None = None,
    progress: Progress | None = None,
) -> tuple[Checkpoint, Shrunk]:
    """Return a cheaper model, and the record of every trial; ``start`` is not changed.

    The layer with the most work is the bottleneck. Of the edits that fit it (fewer channels, low
    rank, a split by channels, no layer at all) and save work, at most ``tries`` are trained by
    ``recipe``, bold ones and careful ones by turns, and the first is kept that leaves ``bound`` as
    it is against the start. Where none does, the layer is left alone; the end is reached when all
    layers are, or when the design does ``enough`` times less work. Trials learn from the first
    ``samples`` only, where given. At last, what is left is trained by ``final`` on all of them, if
    that improves it. In all this the start is the teacher, as ``teaching`` says.

    Raises:
        ConfigError: the bound limits nothing, or ``tries`` is below 1.
        HwaccelError: the model cannot be converted.
    """
    if not bound.limits:
        raise ConfigError("shrinking needs a limit of what may be lost; give --accuracy-drop")
    if tries < 1:
        raise ConfigError(f"tries is {tries}, expected 1 or more")
    if enough is not None and not enough > 1:
        raise ConfigError(f"enough is {enough:g}, expected a factor above 1")
    teaching = teaching or Teaching()
    few = data.train if samples is None else data.train.first(samples)
    search = _Search(data, few, recipe, bound, config or Config(), tries, teaching, progress, start)
    search.run(enough)
    if final is not None:
        search.finish(final)
    made = search.current
    record = Shrunk(
        search.first_cost,
        search.cost,
        search.before,
        evaluate(made.model, data.valid),
        evaluate(start.model, data.test),
        evaluate(made.model, data.test),
        tuple(search.trials),
    )
    return made, record


@dataclass
class _Search:
    data: Data
    few: Samples
    recipe: Recipe
    bound: Bound
    config: Config
    tries: int
    teaching: Teaching
    progress: Progress | None
    start: Checkpoint
    trials: list[Trial] = field(default_factory=list)
    # Edits that the model as it is now has refused already, for another bottleneck.
    refused: set[Edit] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.before = evaluate(self.start.model, self.data.valid)
        self._take(self.start.then(copied(self.start.model)))
        self.first_cost = self.cost

    def _take(self, made: Checkpoint) -> None:
        design = hardware(made.model, self.data, self.config)
        self.current, self.cost, self.layers = made, cost_of(design), layer_costs(design)
        self.refused.clear()

    def run(self, enough: float | None) -> None:
        """Improve the bottleneck until no layer can be improved, or the work is small enough."""
        settled: set[str] = set()
        while (layer := self._bottleneck(settled)) is not None:
            if enough is not None and self.cost.work * enough <= self.first_cost.work:
                return
            if not self._improved(layer):
                settled.add(layer)

    def _bottleneck(self, settled: set[str]) -> str | None:
        left = {path: cost.work for path, cost in self.layers.items() if path not in settled}
        return max(left, key=lambda path: left[path]) if left else None

    def _improved(self, layer: str) -> bool:
        """Try what fits ``layer`` and keep the first that is allowed."""
        tried = 0
        for candidate, model in self._in_order(layer):
            cost = self._cost(layer, candidate, model)
            if cost is not None:
                if self._kept(layer, cost, candidate, model):
                    return True
                tried += 1
                if tried == self.tries:
                    return False
        return False

    def _in_order(self, layer: str) -> Iterator[tuple[Candidate, nn.Module]]:
        """Yield the boldest, then the one that hurts least untrained, and so on by turns."""
        few, made = self.data.valid.first(_GLANCE), []
        for candidate in candidates(self.current.model, layer, self.data):
            if candidate.edit not in self.refused:
                model = candidate.edit.apply(copied(self.current.model), self.data.example)
                size = products(model, self.data.example)
                made.append((size, evaluate(model, few).loss, candidate, model))
        bold, careful = sorted(made, key=itemgetter(0)), sorted(made, key=itemgetter(1))
        turns = [one for pair in zip(bold, careful, strict=True) for one in pair]
        seen: list[Candidate] = []
        for _, _, candidate, model in turns:
            if candidate not in seen:
                seen.append(candidate)
                yield candidate, model

    def _cost(self, layer: str, candidate: Candidate, model: nn.Module) -> Cost | None:
        """Return what the design costs with the candidate, if that is less work than now."""
        try:
            cost = cost_of(hardware(model, self.data, self.config))
        except HwaccelError as error:
            self._say(layer, candidate, False, f"refused, {error}")
            return None
        if cost.work > (1 - _WORTH) * self.cost.work:
            self._say(layer, candidate, False, "refused, it saves no work", cost)
            return None
        return cost

    def _kept(self, layer: str, cost: Cost, candidate: Candidate, model: nn.Module) -> bool:
        made = self.current.then(model, candidate.edit)
        self._train(made, self.few, self.recipe, f"{layer}: {candidate.what}")
        score = evaluate(made.model, self.data.valid)
        holds = self.bound.holds(self.before, score)
        share = f"{percent(cost.work / self.first_cost.work, 0)} of the first work, {score}"
        self._say(
            layer, candidate, holds, f"{'kept' if holds else 'refused'}, {share}", cost, score
        )
        if holds:
            self._take(made)
        return holds

    def _train(self, made: Checkpoint, samples: Samples, recipe: Recipe, label: str) -> None:
        """Train with the start as the teacher: few samples do, and little is forgotten."""
        loss, targets = lessons(self.start.model, samples, recipe, self.teaching)
        made.train(samples, recipe, loss=loss, targets=targets, progress=self.progress, label=label)

    def finish(self, recipe: Recipe) -> None:
        """Train what is left once more, and keep that if it has the smaller loss."""
        made = self.current.then(copied(self.current.model))
        self._train(made, self.data.train, recipe, "final training")
        score = evaluate(made.model, self.data.valid)
        better = score.loss < evaluate(self.current.model, self.data.valid).loss
        if better and self.bound.holds(self.before, score):
            self._take(made)

    def _say(
        self,
        layer: str,
        candidate: Candidate,
        kept: bool,
        reason: str,
        cost: Cost | None = None,
        score: Score | None = None,
    ) -> None:
        whole = sum(cost.work for cost in self.layers.values()) or 1
        share = self.layers[layer].work / whole
        work = cost.work if cost is not None else None
        if not kept:
            self.refused.add(candidate.edit)
        trial = Trial(layer, share, candidate.what, kept, reason, work, score)
        self.trials.append(trial)
        if self.progress is not None:
            self.progress(str(trial))
