"""Cheaper operations for a trained model, each kept only as long as the loss allows it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import nn

from hwaccel.compress.approximate import (
    SIMPLER,
    TABLES,
    ShiftPool,
    Simpler,
    coarse_table,
    operand_of,
    pool_kernel,
)
from hwaccel.compress.bound import Bound
from hwaccel.compress.candidates import Candidate
from hwaccel.compress.checkpoint import Checkpoint
from hwaccel.compress.cost import Cost, cost_of, hardware
from hwaccel.compress.data import Data
from hwaccel.compress.edits import Edit, weighted
from hwaccel.compress.merge import Merge, mergeable
from hwaccel.compress.operations import Rewrite, reassociation
from hwaccel.compress.training import Progress, Recipe, Score, copied, evaluate, outputs_of
from hwaccel.config import Config
from hwaccel.errors import ConfigError, HwaccelError

# Of one model computed in two ways, relative to the largest output.
_EXACT = 1e-4
_TRIED = 256
_COARSER = (3, 2, 1)


@dataclass(frozen=True, slots=True)
class Change:
    """One proposal; ``before`` and ``after`` are what the design costs, and what the loss says.

    ``exact``: the same function of real numbers. ``trained``: it took training to get there.
    """

    what: str
    exact: bool
    kept: bool
    reason: str
    before: Cost
    score_before: Score
    after: Cost | None = None
    score_after: Score | None = None
    trained: bool = False

    def __str__(self) -> str:
        return f"{self.what}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Simplified:
    """What was done. ``valid`` scores decided, ``test`` scores are those to report."""

    cost_before: Cost
    cost_after: Cost
    valid_before: Score
    valid_after: Score
    test_before: Score
    test_after: Score
    changes: tuple[Change, ...]
    merged: Rewrite


def simplify(
    start: Checkpoint,
    data: Data,
    recipe: Recipe,
    bound: Bound,
    config: Config | None = None,
    *,
    progress: Progress | None = None,
) -> tuple[Checkpoint, Simplified]:
    """Return a model with cheaper operations, and the record; ``start`` is not changed.

    First come pairs of layers that one layer can replace, then every activation and average pool
    is looked at once, in order. A proposal that saves work is kept if the loss stays within
    ``bound`` against the start, if need be after training by ``recipe``.

    Raises:
        ConfigError: the bound limits nothing.
        HwaccelError: the model cannot be converted.
    """
    if not bound.limits:
        raise ConfigError("simplifying needs a limit of what may be lost; give --accuracy-drop")
    config = config or Config()
    search = _Search(data, recipe, bound, config, progress, start.then(copied(start.model)))
    search.merge()
    merges = sum(change.kept for change in search.changes)
    merged = reassociation(start.model, search.current.model, merges, data, config)
    search.run()
    made = search.current
    return made, Simplified(
        search.first_cost,
        search.cost,
        search.first,
        search.score,
        evaluate(start.model, data.test),
        evaluate(made.model, data.test),
        tuple(search.changes),
        merged,
    )


def proposals(model: nn.Module, path: str, data: Data, config: Config) -> Iterator[Candidate]:
    """Yield what could stand in the place of the layer at ``path``, the cheapest first."""
    layer = model.get_submodule(path)
    shape = SIMPLER.get(type(layer))
    if shape is not None:
        yield Candidate(Simpler(path, shape), f"{path}: {_name(layer)} as {shape}")
    if isinstance(layer, TABLES):
        whole = config.layer(path).activation_bits or config.activation_bits
        typical = data.train.x[:_TRIED]
        for fewer in _COARSER:
            if whole - fewer >= 2:
                edit = coarse_table(model, path, whole - fewer, typical)
                yield Candidate(edit, f"{path}: a table of {whole - fewer} bits")
    if isinstance(layer, nn.AvgPool2d | nn.AdaptiveAvgPool2d):
        yield from _shifted_pools(model, path, data)


def _shifted_pools(model: nn.Module, path: str, data: Data) -> Iterator[Candidate]:
    """Offer the pool with its weights made up for, where that is the same function."""
    kernel = pool_kernel(model, path, data.example)
    if kernel is None:
        return
    count = kernel[0] * kernel[1]
    divisor = 1 << round(torch.tensor(float(count)).log2().item())
    if divisor == count:
        return
    for reader in (*_later(model, path, data.example), None):
        edit = ShiftPool(path, divisor, reader)
        made_up = f", {reader} scaled" if reader else ""
        if reader is None or same(model, edit, data):
            yield Candidate(edit, f"{path}: divided by {divisor} instead of {count}{made_up}")
            return


def _later(model: nn.Module, path: str, example: torch.Tensor) -> tuple[str, ...]:
    """Return the first layer with weights that runs after the one at ``path``."""
    order: list[str] = []
    names = {path, *(name for name, _ in weighted(model))}
    held = [
        model.get_submodule(name).register_forward_hook(
            lambda module, inputs, output, name=name: order.append(name)
        )
        for name in names
    ]
    try:
        operand_of(model, path, example)
    finally:
        for hook in held:
            hook.remove()
    behind = order[order.index(path) + 1 :]
    return tuple(behind[:1])


def same(model: nn.Module, edit: Edit, data: Data) -> bool:
    """Does the edit leave the function of the model as it is, on typical inputs."""
    x = data.train.x[:_TRIED]
    expected = outputs_of(model, x)
    found = outputs_of(edit.apply(copied(model), data.example), x)
    scale = float(expected.abs().max()) or 1.0
    return bool((expected - found).abs().max() <= _EXACT * scale)


def _name(layer: nn.Module) -> str:
    return type(layer).__name__


@dataclass
class _Search:
    data: Data
    recipe: Recipe
    bound: Bound
    config: Config
    progress: Progress | None
    current: Checkpoint
    changes: list[Change] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.first = self.score = evaluate(self.current.model, self.data.valid)
        self.first_cost = self.cost = self._cost(self.current.model)

    def _cost(self, model: nn.Module) -> Cost:
        return cost_of(hardware(model, self.data, self.config))

    def merge(self) -> None:
        """Merge pairs of layers, the first that saves work first, until none does."""
        refused: set[Merge] = set()
        while True:
            pairs = mergeable(self.current.model, self.data.example)
            pair = next((pair for pair in pairs if pair not in refused), None)
            if pair is None:
                return
            refused.add(pair)
            self._kept(Candidate(pair, f"{pair.first}: merged into {pair.second}"))

    def run(self) -> None:
        """Look at every layer once; the first proposal that is kept ends the search for it."""
        for path in [name for name, _ in self.current.model.named_modules() if name]:
            for proposal in proposals(self.current.model, path, self.data, self.config):
                if self._kept(proposal):
                    break

    def _kept(self, proposal: Candidate) -> bool:
        exact = same(self.current.model, proposal.edit, self.data)
        try:
            model = proposal.edit.apply(copied(self.current.model), self.data.example)
            cost = self._cost(model)
        except HwaccelError as error:
            return self._say(proposal, exact, False, f"refused, {error}")
        if cost.work >= self.cost.work:
            return self._say(proposal, exact, False, "refused, it saves no work", cost)
        made = self.current.then(model, proposal.edit)
        score, trained = evaluate(made.model, self.data.valid), False
        if not self.bound.holds(self.first, score) and self.recipe.epochs:
            trained = True
            made.train(self.data.train, self.recipe, progress=self.progress, label=proposal.what)
            score = evaluate(made.model, self.data.valid)
        holds = self.bound.holds(self.first, score)
        said = f"{'kept' if holds else 'refused'}, {score}"
        self._say(proposal, exact, holds, said, cost, score, trained)
        if holds:
            self.current, self.score = made, score
            # Other weights may make other hardware.
            self.cost = self._cost(made.model) if trained else cost
        return holds

    def _say(
        self,
        proposal: Candidate,
        exact: bool,
        kept: bool,
        reason: str,
        cost: Cost | None = None,
        score: Score | None = None,
        trained: bool = False,
    ) -> bool:
        change = Change(
            proposal.what, exact, kept, reason, self.cost, self.score, cost, score, trained
        )
        self.changes.append(change)
        if self.progress is not None:
            self.progress(str(change))
        return kept
