"""Run a suite: make the designs, take what is known, run the rest, look closer at what fails."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from hwaccel import tools
from hwaccel.config import override
from hwaccel.emit.project import replace_file
from hwaccel.farm.pool import Hands, Pool
from hwaccel.farm.store import Keeper, Store
from hwaccel.regress.junit import junit
from hwaccel.regress.page import page
from hwaccel.regress.plan import Plan, Run, Source
from hwaccel.regress.result import Result, key_of, result_of
from hwaccel.regress.suite import Suite
from hwaccel.regress.work import TRADE, Answer, Make, Request, Try

_NEEDED = {"icarus": ("iverilog", "vvp"), "verilator": ("verilator",), "fast": ("verilator",)}

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Found:
    """What is known about a suite: ``results`` by run; a run without one was not made."""

    suite: Suite
    plan: Plan
    results: Mapping[Run, Result]
    taken: int

    @property
    def counts(self) -> Counter[str]:
        """How many runs have each status."""
        made: Counter[str] = Counter(result.answer.status for result in self.results.values())
        made["not run"] = len(self.plan.runs) - len(self.results)
        return +made

    @property
    def passed(self) -> bool:
        """Say whether every run did."""
        return set(self.counts) == {"passed"}

    @property
    def line(self) -> str:
        """All in one line."""
        order = ("passed", "failed", "error", "hung", "lost", "not run")
        words = [f"{self.counts[status]} {status}" for status in order if self.counts[status]]
        return f"{', '.join(words)}; {self.taken} of them known from before"


def need_tools(suite: Suite) -> None:
    """See that the simulators are here.

    Raises:
        ToolError: one is not; the message says how to install it.
    """
    for simulator in suite.simulators:
        for name in _NEEDED[simulator]:
            tools.require(name)


def regress(
    suite: Suite,
    plan: Plan,
    folder: Path,
    *,
    workers: int,
    again: bool = False,
    waves: int = 10,
    connect: Callable[[], Hands[Request, Answer]] | None = None,
    progress: Progress = lambda _: None,
) -> Found:
    """Make every run of ``plan`` that has no result in ``folder`` yet, or with ``again`` all.

    Each result is written as soon as it is there. ``workers`` processes make the designs, and the
    runs too unless ``connect`` leads to a cluster. Of the runs that failed, ``waves`` are made once
    more, here, and their waves kept. Whatever ends this, ``junit.xml`` and ``index.html`` show
    what was found until then.

    Raises:
        EmitError: the folder is not ours, or a result cannot be written.
        ToolError: the cluster cannot be reached.
    """
    store = Store(folder, "regress", Result)
    pool = Pool(TRADE, workers, suite.folder, folder.resolve() / "logs", suite.time_limit_s)
    hands: Hands[Request, Answer] | None = None
    session = _Session(suite, plan, store, progress)
    try:
        hands = connect() if connect else None
        session.make(pool)
        session.recall(again)
        session.work(hands or pool)
        session.look_closer(pool, waves)
    finally:
        pool.close()
        if hands is not None:
            hands.close()
        with suppress(OSError):
            _write_pages(folder, session.found)
        store.close()
    return session.found


def _write_pages(folder: Path, found: Found) -> None:
    replace_file(folder / "junit.xml", junit(found).encode())
    replace_file(folder / "index.html", page(found).encode())


@dataclass
class _Session:
    suite: Suite
    plan: Plan
    store: Store[Result]
    progress: Progress
    results: dict[Run, Result] = field(default_factory=dict)
    contents: dict[Source, str] = field(default_factory=dict)
    taken: int = 0

    @property
    def found(self) -> Found:
        return Found(self.suite, self.plan, dict(self.results), self.taken)

    def make(self, pool: Pool[Request, Answer]) -> None:
        """Convert every model in every style; what cannot be made fails all its runs."""
        sources = self.plan.sources
        for at, answer in pool.run([self._make(source) for source in sources], _drop):
            source = sources[at]
            self.progress(f"{source.name}: {_said(answer)}")
            if answer.status == "made":
                self.contents[source] = answer.content
                continue
            for run in self.plan.runs:
                if run.source == source:
                    status = "error" if answer.status == "failed" else answer.status
                    told = msgspec.structs.replace(answer, status=status)
                    self.results[run] = result_of(run, "", told)

    def recall(self, again: bool) -> None:
        """Take the results that are there, or forget them."""
        for run in self._left():
            content = self.contents[run.source]
            if again:
                self.store.forget(key_of(run, content))
            elif (known := self._known(run, content)) is not None:
                self.results[run] = msgspec.structs.replace(known, design=run.source.name)
                self.taken += 1

    def _known(self, run: Run, content: str) -> Result | None:
        return self.store.find(key_of(run, content), lambda found: found.fits(run, content))

    def work(self, hands: Hands[Request, Answer]) -> None:
        """Make the runs that have no result."""
        runs = self._left()
        self.progress(f"{self.taken} results known from before, {len(runs)} runs to go")
        keeper = Keeper(self.store)

        def keep(at: int, answer: Answer) -> None:
            run = runs[at]
            result = self._result(run, self._with_place(run, answer))
            self.results[run] = result
            if not keeper.keep(key_of(run, result.content), result):
                hands.stop()

        requests = [self._try(run) for run in runs]
        for number, (at, answer) in enumerate(hands.run(requests, keep), 1):
            said = f"{runs[at].source.name}, {runs[at].how}: {_said(answer)}"
            self.progress(f"{number} of {len(runs)}: {said}")
        keeper.check(sum(result.final for result in self.results.values()))

    def _with_place(self, run: Run, answer: Answer) -> Answer:
        """Say where a run that did not pass has left its log and frames."""
        folder = self._folder(run)
        if answer.status == "passed" or not folder.is_dir() or not any(folder.iterdir()):
            return answer
        return msgspec.structs.replace(answer, left=f"runs/{folder.name}")

    def look_closer(self, pool: Pool[Request, Answer], most: int) -> None:
        """Make runs that failed once more, with waves."""
        failed = [run for run in self.plan.runs if self._lacks_waves(run)][:most]
        requests = [self._try(run, waves=True) for run in failed]
        for at, answer in pool.run(requests, _drop):
            run, simulator = failed[at], requests[at].simulator
            before = self.results[run].answer
            name = self._folder(run).name
            if answer.waves:
                waves = f"runs/{name}/{answer.waves}"
                told = msgspec.structs.replace(before, waves=waves, origin=answer.origin)
            else:
                said = f"; with waves on {simulator}: {_said(answer)}"
                known = before.message.removesuffix(said)
                told = msgspec.structs.replace(before, message=known + said, left="")
            self.results[run] = self._result(run, told)
            origin = f" ({told.origin})" if told.origin else ""
            self.progress(
                f"waves of {run.source.name}, {run.how}: {told.waves or _said(answer)}{origin}"
            )
            with suppress(OSError):  # the result itself is kept already
                self.store.save(key_of(run, self.contents[run.source]), self.results[run])

    def _lacks_waves(self, run: Run) -> bool:
        result = self.results.get(run)
        if result is None or result.answer.status != "failed":
            return False
        waves = result.answer.waves
        return not waves or not (self.store.folder / waves).is_file()

    def _left(self) -> list[Run]:
        return [run for run in self.plan.runs if run not in self.results]

    def _result(self, run: Run, answer: Answer) -> Result:
        return result_of(run, self.contents[run.source], answer)

    def _make(self, source: Source) -> Make:
        model = source.model
        if model.is_project:
            return Make(folder=self._project(source))
        return Make(
            folder=self._project(source),
            source=model.source,
            weights=model.weights,
            example=model.example,
            calibration=model.calibration,
            config=override(model.config, {"style": source.style or None}),
        )

    def _project(self, source: Source) -> str:
        if source.model.is_project:
            return str((self.suite.folder / source.model.source).resolve())
        return str(self.store.folder.resolve() / "designs" / source.name)

    def _folder(self, run: Run) -> Path:
        key = key_of(run, self.contents[run.source])
        return self.store.folder.resolve() / "runs" / key

    def _try(self, run: Run, *, waves: bool = False) -> Try:
        simulator = run.simulator
        if waves and simulator == "fast":
            simulator = "icarus" if tools.find("iverilog") else "verilator"
        project, folder = self._project(run.source), self._folder(run)
        if waves:
            shutil.rmtree(folder, ignore_errors=True)
        return Try(
            project=project,
            named=project,
            content=self.contents[run.source],
            simulator=simulator,
            frames=run.frames,
            seed=run.seed,
            idle=run.idle,
            backpressure=run.backpressure,
            folder=str(folder),
            waves=waves,
        )


def _drop(at: int, answer: Answer) -> None:
    """Keep nothing: what a design is follows from its model."""


def _said(answer: Answer) -> str:
    return f"{answer.status}: {answer.message}" if answer.message else answer.status
