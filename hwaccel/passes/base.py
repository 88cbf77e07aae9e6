"""What a pass is, and how passes run one after the other.

How to write a pass:

- One file, one frozen dataclass; its fields are its options.
- ``run`` is pure: graph in, graph out. It returns *the same object* when nothing changed; that
  is how a chapter knows that it has come to rest.
- Every output of the graph keeps its name, its shape, its fraction, and for every input every
  bit. Its interval may become tighter, never wider. Graph inputs stay.
- Say in ``requires`` what must hold before, in ``ensures`` what holds after; both are checked.
- The graph is verified after every pass that changed it. A change that leaves an operand too
  narrow for the constants of its reader (``Op.holds``) is taken back.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import ClassVar

from hwaccel.errors import VerifyError
from hwaccel.ir import Graph, verify

# Called after every change with its number (the graph as given is 0), the pass and the graph.
Observer = Callable[[int, str, Graph], None]


@dataclass(frozen=True, slots=True)
class Fact:
    """A named statement about a graph, for ``requires`` and ``ensures``."""

    name: str
    holds: Callable[[Graph], bool]


@dataclass(frozen=True, slots=True)
class Pass(ABC):
    """One exact simplification."""

    name: ClassVar[str]
    requires: ClassVar[tuple[Fact, ...]] = ()
    ensures: ClassVar[tuple[Fact, ...]] = ()

    @abstractmethod
    def run(self, graph: Graph) -> Graph:
        """Return the simplified graph, or ``graph`` itself when there is nothing to do."""


@dataclass(frozen=True, slots=True)
class Chapter:
    """Passes that run in order, again and again until none changes anything."""

    name: str
    passes: tuple[Pass, ...]


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Chapters in order, and again from the first until nothing changes.

    Each pass only ever simplifies, so this comes to rest by itself; ``rounds`` bounds it all
    the same.
    """

    chapters: tuple[Chapter, ...]
    rounds: int = 16

    def run(self, graph: Graph, *, observer: Observer | None = None) -> Graph:
        """Return the simplified graph.

        Raises:
            VerifyError: a pass broke a rule of the IR, or a fact it requires or ensures.
        """
        runner = _Runner(observer)
        runner.start(graph)
        for _ in range(self.rounds):
            before = graph
            for chapter in self.chapters:
                graph = self._rest(runner, graph, chapter)
            if graph is before:
                break
        return graph

    def _rest(self, runner: _Runner, graph: Graph, chapter: Chapter) -> Graph:
        for _ in range(self.rounds):
            before = graph
            graph = runner.sweep(graph, chapter.passes)
            if graph is before:
                break
        return graph


def run_passes(graph: Graph, passes: Iterable[Pass], *, observer: Observer | None = None) -> Graph:
    """Run each pass once, in order, and verify after each that changed something.

    Raises:
        VerifyError: a pass broke a rule of the IR, or a fact it requires or ensures.
    """
    runner = _Runner(observer)
    runner.start(graph)
    return runner.sweep(graph, passes)


class _Runner:
    def __init__(self, observer: Observer | None) -> None:
        self._observer = observer
        self._changes = 0

    def start(self, graph: Graph) -> None:
        verify(graph)
        self._observe("input", graph)

    def sweep(self, graph: Graph, passes: Iterable[Pass]) -> Graph:
        for item in passes:
            _check(item.name, "requires", item.requires, graph)
            after = item.run(graph)
            if after is not graph and not _holds(after):
                after = graph
            if after is not graph:
                _verify(item.name, after)
                self._changes += 1
                self._observe(item.name, after)
            _check(item.name, "ensures", item.ensures, after)
            graph = after
        return graph

    def _observe(self, name: str, graph: Graph) -> None:
        if self._observer is not None:
            self._observer(self._changes, name, graph)


def _holds(graph: Graph) -> bool:
    """Tell whether every format still holds the constants that are put between its numbers.

    A pass that made one too narrow takes its change back: that is exact, and it is rare.
    """
    types = graph.types()
    return all(node.op.holds(*(types[name] for name in node.inputs)) for node in graph.nodes)


def _verify(name: str, graph: Graph) -> None:
    try:
        verify(graph)
    except VerifyError as error:
        raise VerifyError(f"pass {name} broke the graph: {error}; report this") from error


def _check(name: str, verb: str, facts: tuple[Fact, ...], graph: Graph) -> None:
    for fact in facts:
        if not fact.holds(graph):
            remedy = "run the passes in another order" if verb == "requires" else "report this"
            raise VerifyError(f"pass {name} {verb} {fact.name}, which does not hold; {remedy}")
