"""``prune``: fewer weights or channels, as many as the loss allows, with training in between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, cast, get_args

from torch import nn

from hwaccel.api import Design
from hwaccel.compress.bound import Bound, largest
from hwaccel.compress.checkpoint import Checkpoint
from hwaccel.compress.cost import Cost, cost_of, hardware, layer_costs
from hwaccel.compress.data import Data
from hwaccel.compress.edits import layer_of, weighted
from hwaccel.compress.order import areas
from hwaccel.compress.patterns import Channels, Few, Pattern, Unstructured
from hwaccel.compress.removal import removal
from hwaccel.compress.sensitivity import Curve, Step, by_steps, layer_areas, sensitivity, steps
from hwaccel.compress.sparsity import overall, sparsity
from hwaccel.compress.training import Loss, Progress, Recipe, Score, cross_entropy, evaluate
from hwaccel.compress.units import Units, Way, across, per_layer, share_of, without
from hwaccel.compress.zeros import Zeros
from hwaccel.config import Config
from hwaccel.errors import ConfigError

Scope = Literal["global", "layer", "sensitivity"]
_CURVE_SAMPLES = 2000
# The search for a bound without training looks no further.
_MOST = 1 - 1 / 1024


@dataclass(frozen=True, slots=True)
class Goal:
    """What to prune, how far, and in how many rounds.

    ``sparsity`` is the share of weights to be zero, or of channels to be gone; without it, as much
    goes as ``bound`` allows, which is measured on ``Data.valid``. ``scope`` says how layers share:
    one threshold for all, the same share of each, or what each costs the loss for the hardware it
    saves. After every round the model trains by ``recipe``; layers in ``skip`` keep all.
    """

    pattern: Pattern = field(default_factory=Unstructured)
    sparsity: float | None = None
    bound: Bound = field(default_factory=Bound)
    scope: Scope = "global"
    rounds: int = 4
    recipe: Recipe = field(default_factory=lambda: Recipe(epochs=2))
    skip: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        checked_scope(self.scope)
        if self.rounds < 1:
            raise ConfigError(f"rounds {self.rounds}: expected at least 1")
        fixed = isinstance(self.pattern, Few)
        if self.sparsity is None:
            if not fixed and not self.bound.limits:
                raise ConfigError(
                    f"pattern {self.pattern}: how far to prune is open; give a sparsity, an "
                    "accuracy drop or a loss rise"
                )
            return
        if fixed:
            raise ConfigError(
                f"pattern {self.pattern}: the pattern itself says how many weights stay; leave out "
                "the sparsity"
            )
        if not 0 <= self.sparsity < 1:
            raise ConfigError(f"sparsity {self.sparsity:g}: expected at least 0 and less than 1")


def checked_scope(text: str) -> Scope:
    """Return ``text`` as a scope.

    Raises:
        ConfigError: it is none.
    """
    found = next((scope for scope in get_args(Scope) if scope == text), None)
    if found is None:
        raise ConfigError(f"scope {text!r}: is none of {', '.join(get_args(Scope))}")
    return cast(Scope, found)


@dataclass(frozen=True, slots=True)
class Round:
    """One try: the share that was gone, what was left of the model, and whether it was kept."""

    share: float
    valid: Score
    kept: bool


@dataclass(frozen=True, slots=True)
class LayerRecord:
    """A layer before and after: its weights, those that are not zero, and its hardware."""

    path: str
    weights: int
    kept: int
    cost_before: Cost | None
    cost_after: Cost | None

    @property
    def sparsity(self) -> float:
        """Share of the weights that is zero or gone."""
        return 1 - self.kept / self.weights


@dataclass(frozen=True, slots=True)
class PruneRecord:
    """What was done and measured; scores are on the test samples, those of rounds on ``valid``.

    ``reached`` is false where the bound ended the rounds before the sparsity was reached.
    """

    pattern: str
    scope: str
    sparsity: float
    reached: bool
    before: Score
    after: Score
    cost_before: Cost
    cost_after: Cost
    layers: tuple[LayerRecord, ...]
    rounds: tuple[Round, ...]
    curves: tuple[Curve, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Pruned:
    """The pruned model and the record."""

    checkpoint: Checkpoint
    record: PruneRecord


def prune(
    start: Checkpoint,
    data: Data,
    goal: Goal,
    *,
    config: Config | None = None,
    loss: Loss = cross_entropy,
    progress: Progress | None = None,
) -> Pruned:
    """Return a pruned successor of ``start``, trained between rounds, and what that gained.

    ``config`` is for the hardware whose predicted cost is reported, and by which the scope
    ``sensitivity`` chooses (default: the style that gains most from the pattern).

    Raises:
        ConfigError: nothing can be pruned, the pattern does not divide a layer, or not even the
            smallest step stays within the bound.
    """
    say = progress or (lambda _: None)
    for path in goal.skip:
        layer_of(start.model, path)
    config = config or Config(style=goal.pattern.style)
    if not weighted(start.model):
        raise _nothing(start.model, goal)
    base = evaluate(start.model, data.valid, loss=loss)
    run = _Run(start, data, goal, _way(start.model, data, goal, loss), loss, say, base)
    units = run.way(start.model)
    if not units:
        raise _nothing(start.model, goal)
    say("hardware before")
    design = hardware(start.model, data, config)
    if goal.scope == "sensitivity":
        run.allocate(units, design)
    made = run.to_sparsity() if run.target is not None else run.to_bound()
    say("hardware after")
    after = hardware(made.model, data, config)
    layers = _layers(start.model, made.model, design, after)
    record = PruneRecord(
        pattern=str(goal.pattern),
        scope=goal.scope,
        sparsity=1 - sum(layer.kept for layer in layers) / sum(layer.weights for layer in layers),
        reached=run.target is None or all(tried.kept for tried in run.rounds),
        before=evaluate(start.model, data.test, loss=loss),
        after=evaluate(made.model, data.test, loss=loss),
        cost_before=cost_of(design),
        cost_after=cost_of(after),
        layers=layers,
        rounds=tuple(run.rounds),
        curves=run.curves,
    )
    return Pruned(made, record)


def _nothing(model: nn.Module, goal: Goal) -> ConfigError:
    return ConfigError(
        f"{type(model).__name__}: no layer can be pruned, pattern {goal.pattern}; layers need "
        "weights, and channels readers that take them one by one"
    )


def _way(model: nn.Module, data: Data, goal: Goal, loss: Loss) -> Way:
    if isinstance(goal.pattern, Channels):
        return removal(model, data, loss, goal.skip)
    return Zeros(goal.pattern, areas(model, data.example), goal.skip)


@dataclass(slots=True)
class _Run:
    """The rounds of one call."""

    start: Checkpoint
    data: Data
    goal: Goal
    way: Way
    loss: Loss
    say: Progress
    base: Score
    probes: list[Round] = field(default_factory=list)
    rounds: list[Round] = field(default_factory=list)
    curves: tuple[Curve, ...] = ()
    order: tuple[Step, ...] = ()

    @property
    def target(self) -> float | None:
        """Share to reach; a pattern that says itself how many stay goes all the way."""
        fixed = isinstance(self.goal.pattern, Few) and not self.goal.bound.limits
        return 1.0 if fixed else self.goal.sparsity

    def allocate(self, units: Sequence[Units], design: Design) -> None:
        """Let the loss of each layer alone, and its hardware, decide who gives."""
        few = self.data.valid.first(_CURVE_SAMPLES)
        self.curves = sensitivity(self.start, units, few, self.loss, progress=self.say)
        weights = {path: layer.weight.numel() for path, layer in weighted(self.start.model)}
        of_layer = layer_areas(design, weights)
        costs = {u.path: sum(of_layer[path] for path in u.layers) for u in units}
        self.order = steps(self.curves, costs)

    def to_sparsity(self) -> Checkpoint:
        """Rounds along a cubic (M. Zhu and S. Gupta, arXiv 1710.01878), until the bound breaks."""
        assert self.target is not None
        good, first = self.start, self._gone(self.start)
        if first > self.target + 1e-9:
            raise ConfigError(
                f"sparsity {self.target:g}: the model has {first:.4f} already; ask for more"
            )
        for number in range(1, self.goal.rounds + 1):
            left = (1 - number / self.goal.rounds) ** 3
            share = self.target + (first - self.target) * left
            made = self._trained(good, self.way(good.model), share)
            if not self._within(made, share):
                break
            good = made
        return self._found(good)

    def to_bound(self) -> Checkpoint:
        """Search by the loss, first without training, then in rounds from the last good model.

        While rounds are within the bound each halves what is left; after one that is not, the
        next goes to the geometric mean of good and bad.
        """
        units = self.way(self.start.model)

        def holds(share: float) -> bool:
            made = without(self.start, units, self._amounts(units, share))
            return self._within(made, share, probe=True)

        low = largest(holds, 1.0 if isinstance(self.goal.pattern, Few) else _MOST)
        good, high = self.start, 1.0
        if any(self._amounts(units, low).values()):
            good = without(self.start, units, self._amounts(units, low))
            self._within(good, low)
        for _ in range(self.goal.rounds if self.goal.recipe.epochs else 0):
            dense = (1 - low) / 2 if high == 1 else ((1 - low) * (1 - high)) ** 0.5
            units = self.way(good.model)
            if not any(self._amounts(units, 1 - dense).values()):
                break
            made = self._trained(good, units, 1 - dense)
            if self._within(made, 1 - dense):
                good, low = made, 1 - dense
            else:
                high = 1 - dense
        return self._found(good)

    def _trained(self, good: Checkpoint, units: Sequence[Units], share: float) -> Checkpoint:
        made = without(good, units, self._amounts(units, share))
        made.train(
            self.data.train,
            self.goal.recipe,
            loss=self.loss,
            progress=self.say,
            label=f"sparsity {share:.4f}",
        )
        return made

    def _within(self, made: Checkpoint, share: float, *, probe: bool = False) -> bool:
        score = self._score(made)
        within = self.goal.bound.holds(self.base, score)
        (self.probes if probe else self.rounds).append(Round(share, score, within))
        self.say(f"sparsity {share:.4f}: {score}{'' if within else ', too much is lost'}")
        return within

    def _found(self, good: Checkpoint) -> Checkpoint:
        if good is not self.start:
            return good
        tried = [one for one in (*self.probes, *self.rounds) if not one.kept]
        nearest = min(tried, key=lambda one: (one.share, -one.valid.accuracy))
        more = "more rounds or epochs" if self.goal.recipe.epochs else "--epochs"
        raise ConfigError(
            f"pattern {self.goal.pattern}: nothing can go that keeps {self.goal.bound} of "
            f"{self.base}; the nearest point is sparsity {nearest.share:.4f} with {nearest.valid}; "
            f"allow more, or try {more}"
        )

    def _amounts(self, units: Sequence[Units], share: float) -> dict[str, int]:
        if self.goal.scope == "sensitivity":
            return by_steps(units, share, self.order)
        whole = isinstance(self.goal.pattern, Few)
        return (
            across(units, share)
            if whole or self.goal.scope == "global"
            else (per_layer(units, share))
        )

    def _gone(self, made: Checkpoint) -> float:
        if isinstance(self.goal.pattern, Channels):
            return share_of(self.way(made.model))
        if isinstance(self.goal.pattern, Few):
            return 0.0
        return overall(x for x in sparsity(made.model) if x.path not in self.goal.skip)

    def _score(self, made: Checkpoint) -> Score:
        return evaluate(made.model, self.data.valid, loss=self.loss)


def _layers(
    before: nn.Module, after: nn.Module, design: Design, smaller: Design
) -> tuple[LayerRecord, ...]:
    whole = {layer.path: layer for layer in sparsity(before)}
    costs, less = layer_costs(design), layer_costs(smaller)
    return tuple(
        LayerRecord(
            layer.path,
            whole[layer.path].weights,
            layer.weights - layer.zeros,
            costs.get(layer.path),
            less.get(layer.path),
        )
        for layer in sparsity(after)
    )
