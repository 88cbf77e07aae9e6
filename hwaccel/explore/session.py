"""Answers to what a search asks: taken from the folder where they are there, made where not."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from hwaccel.config import Config
from hwaccel.errors import HwaccelError
from hwaccel.explore.result import Result, Tried, result_of
from hwaccel.explore.space import Point, Space
from hwaccel.explore.work import Answer, Build, Predict, Rate, Read, Request, Source
from hwaccel.farm.pool import Hands, Pool
from hwaccel.farm.store import Keeper, Store

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Ask:
    """A request, and what its result is called."""

    request: Request
    result: Result


@dataclass
class Session:
    """The store, the workers, and what this run has learned of graphs.

    ``pool`` reads models, which are files of this machine; ``hands`` do all else.
    """

    source: Source
    store: Store[Result]
    pool: Pool[Request, Answer]
    hands: Hands[Request, Answer]
    progress: Progress
    again: bool = False
    graphs: dict[bytes, str] = field(default_factory=dict)
    accuracy: dict[str, float] = field(default_factory=dict)
    taken: int = 0
    made: int = 0
    kept: int = 0

    def __post_init__(self) -> None:
        self.keeper = Keeper(self.store)
        self._fresh: set[str] = set()

    # --- graphs ----------------------------------------------------------------------------------

    def graph(self, config: Config) -> str:
        """Return the content of the graph of a configuration.

        Raises:
            HwaccelError: the model cannot be read, or not at these widths.
        """
        (found,) = self.read([config])
        if found.status != "read":
            raise HwaccelError(found.message)
        return found.content

    def read(self, configs: Sequence[Config]) -> list[Answer]:
        """Trace and quantize the model once for every choice of widths."""
        keys = [msgspec.json.encode(config) for config in configs]
        new = {k: c for k, c in zip(keys, configs, strict=True) if k not in self.graphs}
        failed: dict[bytes, Answer] = {}
        folder = str(self.store.folder.resolve() / "graphs")
        asked = [Read(source=self.source, config=c, folder=folder) for c in new.values()]
        for at, answer in self.pool.run(asked, _drop):
            key = list(new)[at]
            if answer.status == "read":
                self.graphs[key] = answer.content
            else:
                failed[key] = answer
        known = self.graphs
        return [failed.get(k) or Answer(status="read", content=known[k]) for k in keys]

    def place(self, content: str) -> str:
        """Return the file of a graph."""
        return str(self.store.folder.resolve() / "graphs" / f"{content}.json")

    def rate(self, contents: Sequence[str]) -> dict[str, Answer]:
        """Find the accuracy of graphs; return what went wrong, by content."""
        if not self.source.data:
            return {}
        new = [c for c in dict.fromkeys(contents) if c not in self.accuracy]
        what = f"rate {data_key(self.source.data)}"
        asks = [
            Ask(
                Rate(graph=self.place(c), content=c, data=self.source.data),
                result_of(what, c, Config(), Answer(status="lost")),
            )
            for c in new
        ]
        wrong = {}
        for content, answer in zip(new, self.answers(asks, self.pool), strict=True):
            if answer.accuracy is None:
                wrong[content] = answer
            else:
                self.accuracy[content] = answer.accuracy
        return wrong

    # --- points ----------------------------------------------------------------------------------

    def predict(self, space: Space, points: Sequence[Point], first: int) -> list[Tried]:
        """Return what is predicted of points, which are numbered from ``first``."""
        reads = self.read([space.widths(p) for p in points])
        wrong = self.rate([r.content for r in reads if r.status == "read"])
        tried = []
        for at, (point, read) in enumerate(zip(points, reads, strict=True)):
            failed = read if read.status != "read" else wrong.get(read.content)
            config, name = space.config(point), f"p{first + at}"
            answer = failed or Answer(status="read", content=read.content)
            message = f"{failed.status}: {failed.message}" if failed else ""
            tried.append(Tried(name, point, read.content, config, answer, message=message))
        going = [at for at, t in enumerate(tried) if not t.message]
        asks = [self._prediction(tried[at]) for at in going]
        for at, answer in zip(going, self.answers(asks, self.hands), strict=True):
            tried[at] = self._predicted(tried[at], answer)
        return tried

    def _prediction(self, tried: Tried) -> Ask:
        content, config = tried.content, tried.config
        request = Predict(graph=self.place(content), content=content, config=config)
        return Ask(request, result_of("predict", content, config, Answer(status="lost")))

    def _predicted(self, tried: Tried, answer: Answer) -> Tried:
        if answer.facts is None:
            message = f"{answer.status}: {answer.message}"
            return Tried(tried.name, tried.point, tried.content, tried.config, answer, None, None,
                         message)  # fmt: skip
        accuracy = self.accuracy.get(tried.content)
        facts = msgspec.structs.replace(answer.facts, accuracy=accuracy)
        return Tried(tried.name, tried.point, tried.content, tried.config, answer, facts)

    def build(self, tried: Sequence[Tried], *, pnr: bool, seed: int) -> list[Answer]:
        """Synthesize points, and place and route them."""
        what = f"build, seed {seed}" if pnr else "build, no pnr"
        asks = [
            Ask(
                Build(
                    graph=self.place(t.content), content=t.content, config=t.config, pnr=pnr,
                    seed=seed,
                ),
                result_of(what, t.content, t.config, Answer(status="lost")),
            )
            for t in tried
        ]  # fmt: skip
        return self.answers(asks, self.hands)

    # --- the store -------------------------------------------------------------------------------

    def answers(self, asks: Sequence[Ask], hands: Hands[Request, Answer]) -> list[Answer]:
        """Return an answer for every ask: a known one, or a new one that is kept at once.

        Raises:
            EmitError: one cannot be kept.
        """
        found: dict[int, Answer] = {}
        for at, ask in enumerate(asks):
            if (known := self._known(ask.result)) is not None:
                found[at] = known
                self.taken += 1
        left = [at for at in range(len(asks)) if at not in found]

        def keep(number: int, answer: Answer) -> None:
            result = msgspec.structs.replace(asks[left[number]].result, answer=answer)
            self._fresh.add(result.key)
            if not answer.final:
                return
            self.kept += 1
            if not self.keeper.keep(result.key, result):
                hands.stop()

        requests = [asks[at].request for at in left]
        for done, (number, answer) in enumerate(hands.run(requests, keep), 1):
            found[left[number]] = answer
            self.made += 1
            self.progress(f"{done} of {len(left)}: {said(answer)}")
        self.keeper.check(self.taken + self.kept)
        return [found[at] for at in range(len(asks))]

    def _known(self, wanted: Result) -> Answer | None:
        if self.again and wanted.key not in self._fresh:
            self.store.forget(wanted.key)
            return None

        def fits(found: Result) -> bool:
            return msgspec.structs.replace(found, answer=wanted.answer) == wanted and (
                found.answer.final
            )

        found = self.store.find(wanted.key, fits)
        return found.answer if found else None


def said(answer: Answer) -> str:
    """Return an answer in words."""
    if answer.facts is not None:
        return f"{answer.facts.cost} ({answer.seconds:.1f} s)"
    if answer.built is not None:
        fmax = f", Fmax {answer.built.fmax_mhz:.1f} MHz" if answer.built.fmax_mhz else ""
        return f"built: {answer.built.luts} LUT{fmax} ({answer.seconds:.0f} s)"
    if answer.accuracy is not None:
        return f"{answer.accuracy:.2f} % right"
    return f"{answer.status}: {answer.message}"


def data_key(data: str) -> str:
    """Return the name of labelled data, and of a file what is in it."""
    path = Path(data)
    if path.suffix != ".npz":
        return data
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _drop(at: int, answer: Answer) -> None:
    """Keep nothing: what a graph is follows from the model."""
