"""The runs of a suite, in the order in which they are started."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

from hwaccel.errors import ConfigError
from hwaccel.regress.suite import MAX_RUNS, Exclusion, Model, Suite
from hwaccel.report.text import count, plural


@dataclass(frozen=True, slots=True)
class Source:
    """A model in one style; ``style`` is empty for that of its configuration or project."""

    model: Model
    style: str

    @property
    def name(self) -> str:
        """What it is called in folders and results."""
        return f"{self.model.name}-{self.style}" if self.style else self.model.name


@dataclass(frozen=True, slots=True)
class Run:
    """One simulation of one design; ``stall`` is ``idle/backpressure``."""

    source: Source
    simulator: str
    frames: int
    seed: int
    stall: str

    @property
    def idle(self) -> str:
        """The pattern in which the source pauses."""
        return self.stall.partition("/")[0]

    @property
    def backpressure(self) -> str:
        """The pattern in which the sink pauses."""
        return self.stall.partition("/")[2]

    @property
    def how(self) -> str:
        """All but the design, in words."""
        return f"{self.simulator}, {plural(self.frames, 'frame')}, seed {self.seed}, {self.stall}"


@dataclass(frozen=True, slots=True)
class Plan:
    """All runs, and how many the exclusions took away."""

    sources: tuple[Source, ...]
    runs: tuple[Run, ...]
    excluded: int

    @property
    def line(self) -> str:
        """How much there is to do."""
        left = f" ({count(self.excluded)} excluded)" if self.excluded else ""
        return f"{plural(len(self.runs), 'run')} of {plural(len(self.sources), 'design')}{left}"


def plan_of(suite: Suite) -> Plan:
    """Return every combination that no exclusion takes away; designs take turns.

    Raises:
        ConfigError: there are too many, none is left, or two designs have one name.
    """
    sources = [
        Source(model, style)
        for model in suite.models
        for style in ((("",) if model.is_project else suite.styles) or ("",))
    ]
    names = [source.name for source in sources]
    for source in sources:
        if names.count(source.name) > 1:
            raise ConfigError(
                f"suite {suite.name}: two designs are called {source.name!r}; rename a model"
            )
    lists = (suite.simulators, suite.frames, suite.seeds, suite.stalls)
    total = len(sources)
    for values in lists:
        total *= len(values)
    if total > MAX_RUNS:
        raise ConfigError(
            f"suite {suite.name}: {count(total)} runs are more than the {count(MAX_RUNS)} of one "
            "suite; make it several"
        )
    runs = tuple(
        run
        for simulator, frames, seed, stall in product(*lists)
        for source in sources
        for run in [Run(source, simulator, frames, seed, stall)]
        if not any(_matches(rule, run) for rule in suite.exclude)
    )
    if not runs:
        raise ConfigError(f"suite {suite.name}: every run is excluded; exclude less")
    used = {run.source for run in runs}
    return Plan(tuple(s for s in sources if s in used), runs, total - len(runs))


def _matches(rule: Exclusion, run: Run) -> bool:
    model = run.source.model
    # What style a project has is not known before it is read: no rule about styles is about it.
    style = "" if model.is_project else run.source.style or model.config.style
    pairs = (
        (rule.models, model.name),
        (rule.styles, style),
        (rule.simulators, run.simulator),
        (rule.seeds, run.seed),
        (rule.stalls, run.stall),
        (rule.frames, run.frames),
    )
    return all(value in values for values, value in pairs if values)
