"""Make a trained model cheaper as hardware, layer by layer, for as long as the loss allows it."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import nn

from hwaccel.compress.bound import Bound
from hwaccel.compress.candidates import Candidate, candidates
from hwaccel.compress.checkpoint import Checkpoint
from hwaccel.compress.cost import Cost, cost_of, hardware, layer_costs
from hwaccel.compress.data import Data, Samples
from hwaccel.compress.edits import Edit
from hwaccel.compress.training import Progress, Recipe, Score, copied, evaluate
from hwaccel.config import Config
from hwaccel.errors import ConfigError, HwaccelError

# What saves less than this share of the work is not worth an epoch.
_WORTH = 0.02


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
    progress: Progress | None = None,
) -> tuple[Checkpoint, Shrunk]:
    """Return a cheaper model, and the record of every trial; ``start`` is not changed.

    The layer with the most work is the bottleneck. Of the edits that fit it (fewer channels, low
    rank, a split by channels, no layer at all), those that save most are trained by ``recipe``, at
    most ``tries`` of them, and the first is kept that leaves ``bound`` as it is against the start.
    Where none does, the layer is left alone; the end is reached when all layers are. Trials learn
    from the first ``samples`` only, where given; where the design does ``enough`` times less work,
    nothing more is tried. At last, what is left is trained by ``final`` on
    all of them, if that improves it.

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
    few = data.train if samples is None else data.train.first(samples)
    search = _Search(data, few, recipe, bound, config or Config(), tries, progress, start)
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
        """Try what fits ``layer``, what saves most first, and keep the first that is allowed."""
        proposals = []
        for candidate in candidates(self.current.model, layer, self.data):
            if candidate.edit not in self.refused:
                proposal = self._proposal(layer, candidate)
                proposals += [proposal] if proposal is not None else []
        proposals.sort(key=lambda proposal: proposal[0].work)
        return any(self._kept(layer, *proposal) for proposal in proposals[: self.tries])

    def _proposal(
        self, layer: str, candidate: Candidate
    ) -> tuple[Cost, Candidate, nn.Module] | None:
        try:
            model = candidate.edit.apply(copied(self.current.model), self.data.example)
            cost = cost_of(hardware(model, self.data, self.config))
        except HwaccelError as error:
            self._say(layer, candidate, False, f"refused, {error}")
            return None
        if cost.work > (1 - _WORTH) * self.cost.work:
            self._say(layer, candidate, False, "refused, it saves no work", cost)
            return None
        return cost, candidate, model

    def _kept(self, layer: str, cost: Cost, candidate: Candidate, model: nn.Module) -> bool:
        made = self.current.then(model, candidate.edit)
        label = f"{layer}: {candidate.what}"
        made.train(self.few, self.recipe, progress=self.progress, label=label)
        score = evaluate(made.model, self.data.valid)
        holds = self.bound.holds(self.before, score)
        share = f"{cost.work / self.first_cost.work:.0%} of the first work, {score}"
        self._say(
            layer, candidate, holds, f"{'kept' if holds else 'refused'}, {share}", cost, score
        )
        if holds:
            self._take(made)
        return holds

    def finish(self, recipe: Recipe) -> None:
        """Train what is left once more, and keep that if it has the smaller loss."""
        made = self.current.then(copied(self.current.model))
        made.train(self.data.train, recipe, progress=self.progress, label="final training")
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
