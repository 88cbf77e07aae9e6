"""Explore a model: predict ever better points, build the ones that survive, show all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from hwaccel import tools
from hwaccel.config import Config
from hwaccel.emit.project import replace_file
from hwaccel.errors import ConfigError, HwaccelError
from hwaccel.explore.goal import Goal
from hwaccel.explore.guess import Seen
from hwaccel.explore.page import page
from hwaccel.explore.result import Explored, Result, Tried, front_json
from hwaccel.explore.search import Search
from hwaccel.explore.session import Progress, Session, said
from hwaccel.explore.space import Point, Space, Wishes, space_of
from hwaccel.explore.work import TRADE, Answer, Request, Source, design_of
from hwaccel.farm.pool import Hands, Pool
from hwaccel.farm.store import Store
from hwaccel.ir.file import load_graph
from hwaccel.ops import OP_BY_NAME
from hwaccel.report.text import count
from hwaccel.synth.target import Target


def need_tools(target: Target, *, pnr: bool) -> None:
    """See that what builds points for ``target`` is here.

    Raises:
        ToolError: it is not; the message says how to install it.
    """
    tools.require("yosys")
    if pnr and target.flow is not None:
        tools.require(target.flow.nextpnr)


class Strategy(Protocol):
    """What decides which points come next."""

    def propose(self, seen: Sequence[Seen], count: int) -> list[Point]:
        """Return up to ``count`` points that are not among ``seen``."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How long, and with whom, a search goes on.

    ``budget`` points are predicted, ``batch`` at a time: what comes next depends on all of a
    batch, so it does not depend on the workers. ``survivors`` of the front are built.
    """

    budget: int = 40
    batch: int = 8
    survivors: int = 0
    pnr: bool = True
    seed: int = 0
    workers: int = 1
    time_limit_s: float = 3600.0
    again: bool = False
    strategy: Callable[[Space, Goal, int], Strategy] = Search


@dataclass
class _State:
    """What is there to show, whatever ends the search."""

    explored: Explored | None = None
    title: str = ""


def explore(
    source: Source,
    folder: Path,
    goal: Goal,
    wishes: Wishes,
    config: Config,
    settings: Settings,
    *,
    connect: Callable[[], Hands[Request, Answer]] | None = None,
    progress: Progress = lambda _: None,
) -> Explored:
    """Search for configurations of a model that nothing beats; go on where ``folder`` was left.

    Each answer is written as soon as it is there. Processes on this machine read the model, and
    do all else unless ``connect`` leads to a cluster. Whatever ends this, ``front.json`` and
    ``index.html`` show what was found until then.

    Raises:
        ConfigError: nothing is left to search, or no point is within the limits.
        EmitError: the folder is not ours, or a result cannot be written.
        ToolError: the cluster cannot be reached.
        HwaccelError: the model cannot be read.
    """
    store = Store(folder, "explore", Result)
    here, logs = Path.cwd(), folder.resolve() / "logs"
    pool = Pool(TRADE, settings.workers, here, logs, settings.time_limit_s)
    state, hands = _State(title=source.model), None
    try:
        (folder / "graphs").mkdir(exist_ok=True)
        hands = connect() if connect else None
        session = Session(source, store, pool, hands or pool, progress, settings.again)
        progress("reading the model")
        content = session.graph(config)
        space = _space(session, content, config, wishes)
        progress(f"{count(space.size)} configurations to choose from")
        _search(session, space, goal, settings, state)
        _build(session, settings, state)
    finally:
        pool.close()
        if hands is not None:
            hands.close()
        with suppress(OSError):
            _show(folder, state)
        store.close()
    return _checked(state)


def write_points(explored: Explored, folder: Path, points: Sequence[Tried]) -> list[Path]:
    """Write the projects of ``points`` into ``folder/points``.

    Raises:
        EmitError: one cannot be written.
    """
    places = []
    for tried in points:
        graph = folder.resolve() / "graphs" / f"{tried.content}.json"
        design = design_of(str(graph), tried.content, tried.config)
        (folder / "points").mkdir(exist_ok=True)
        places.append(design.write(folder / "points" / tried.name))
    return places


def _space(session: Session, content: str, config: Config, wishes: Wishes) -> Space:
    data = Path(session.place(content)).read_bytes()
    space = space_of(load_graph(data, OP_BY_NAME, session.place(content)), config, wishes)
    if wishes.bits:
        fewest = space.widths(tuple(0 for _ in space.knobs))
        if session.graph(fewest) == content and fewest != config:
            raise ConfigError("--bits: change nothing, as the model says its own; leave them out")
    return space


def _search(session: Session, space: Space, goal: Goal, settings: Settings, state: _State) -> None:
    """Predict points, batch by batch, until the budget is spent or nothing new is left."""
    strategy = settings.strategy(space, goal, settings.seed)
    tried: list[Tried] = []
    seen: list[Seen] = []
    state.explored = Explored(space, goal, ())
    while len(tried) < min(settings.budget, space.size):
        points = strategy.propose(seen, min(settings.batch, settings.budget - len(tried)))
        if not points:
            break
        new = session.predict(space, points, len(tried) + 1)
        tried += new
        seen += [Seen(t.point, t.facts, t.answer.layers) for t in new]
        state.explored = Explored(
            space, goal, tuple(tried), session.taken, session.made, tuple(session.store.damaged)
        )
        session.progress(
            f"{len(tried)} of {settings.budget} points, {len(state.explored.front)} on the front"
        )


def _build(session: Session, settings: Settings, state: _State) -> None:
    """Build some points of the front, as different from each other as there are."""
    assert state.explored is not None
    chosen = state.explored.spread(settings.survivors)
    session.progress(f"building {len(chosen)} of the front") if chosen else None
    answers = session.build(chosen, pnr=settings.pnr, seed=max(settings.seed, 1))
    found = {t.name: a for t, a in zip(chosen, answers, strict=True)}
    tried = tuple(
        replace(t, built=a.built, message="" if a.built else said(a))
        if (a := found.get(t.name))
        else t
        for t in state.explored.tried
    )
    state.explored = Explored(
        state.explored.space, state.explored.goal, tried, session.taken, session.made,
        tuple(session.store.damaged),
    )  # fmt: skip


def _checked(state: _State) -> Explored:
    assert state.explored is not None
    explored = state.explored
    if explored.front:
        return explored
    near = explored.nearest
    if near is None:
        why = explored.tried[0].message if explored.tried else "no point was proposed"
        raise HwaccelError(f"explore: none of {len(explored.tried)} points can be made: {why}")
    assert near.facts is not None
    raise ConfigError(
        f"explore: none of {len(explored.tried)} points is within the limits; the nearest, "
        f"{near.name}, has {near.facts.cost} at {near.facts.clock_mhz:g} MHz; allow more, or a "
        "larger --budget"
    )


def _show(folder: Path, state: _State) -> None:
    if state.explored is None or not state.explored.tried:
        return
    replace_file(folder / "front.json", front_json(state.explored))
    if state.explored.nearest is not None:
        replace_file(folder / "index.html", page(state.title, state.explored).encode())
