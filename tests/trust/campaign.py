"""Draw networks, send them through all executors, shrink and keep what fails."""

from __future__ import annotations

import os
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hwaccel.errors import HwaccelError
from tests.trust.executors import BUG, EXECUTORS, Built, Case, Executor, build, problems
from tests.trust.graphs import FRAMES, random_graph, vectors
from tests.trust.shrink import REPRODUCERS, reduced

# Every network in both, and every eighth one in each of the others, too.
STYLES, RARE = ("stream", "spatial"), {0: "pixel", 4: "mixed"}
# What compiles longest takes every network in one of the two styles, by turns.
DEAR = ("hls", "verilator")
# Networks whose designs share a program.
TOGETHER = 100

Say = Callable[[str], None]


@dataclass
class Tally:
    """What a campaign did and found."""

    networks: int = 0
    designs: Counter[str] = field(default_factory=Counter)
    # Comparisons of all outputs for all frames, by executor and style.
    compared: Counter[tuple[str, str]] = field(default_factory=Counter)
    # CPU time, by executor.
    seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    # Outputs of networks, and those that are the same in all frames.
    outputs: int = 0
    constant: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    undrawn: Counter[str] = field(default_factory=Counter)
    failed: dict[int, str] = field(default_factory=dict)


def cpu_seconds() -> float:
    """Return the CPU time of this process and of those it has waited for."""
    t = os.times()
    return t.user + t.system + t.children_user + t.children_system


def styles(seed: int) -> tuple[str, ...]:
    """Return the styles in which the network of ``seed`` is made into hardware."""
    return (*STYLES, RARE[seed % 8]) if seed % 8 in RARE else STYLES


def case_of(seed: int, tally: Tally | None = None, frames: int = FRAMES) -> Case:
    """Return the network of ``seed`` with its frames."""
    graph = random_graph(seed, tally.undrawn if tally else None)
    return Case(graph, vectors(graph, seed, frames))


def takes(executor: str, seed: int, style: str) -> bool:
    """Tell whether ``executor`` is given the network of ``seed`` in this style."""
    return executor not in DEAR or style == STYLES[seed % 2] or style not in STYLES


@dataclass
class Campaign:
    """Runs batches of seeds; ``keep`` is where reproducers go, ``None`` leaves them out."""

    executors: Mapping[str, Executor] = field(default_factory=lambda: EXECUTORS)
    keep: Path | None = REPRODUCERS
    frames: int = FRAMES
    say: Say = lambda _: None
    styles: Callable[[int], tuple[str, ...]] = styles
    takes: Callable[[str, int, str], bool] = takes
    tally: Tally = field(default_factory=Tally)

    def run(self, seeds: Sequence[int]) -> None:
        """Do one batch."""
        builts: list[tuple[int, Built]] = []
        for seed in seeds:
            case = case_of(seed, self.tally, self.frames)
            self.tally.outputs += len(case.expected)
            self.tally.constant += sum(bool((y == y.flat[0]).all()) for y in case.expected)
            for style in self.styles(seed):
                builts += [(seed, built) for built in self._built(case, style, seed)]
        for name, executor in self.executors.items():
            chosen = [(seed, b) for seed, b in builts if self.takes(name, seed, b.style)]
            began = cpu_seconds()
            said = problems(executor, [built for _, built in chosen])
            self.tally.seconds[name] += cpu_seconds() - began
            for (seed, built), line in zip(chosen, said, strict=True):
                self.tally.compared[name, built.style] += 1
                if line:
                    self._found(seed, built.style, name, line)
        self.tally.networks += len(seeds)

    def _built(self, case: Case, style: str, seed: int) -> list[Built]:
        """Return the design; none where the style is refused or the code breaks."""
        try:
            made = build(case, style, seed)
        except HwaccelError as error:
            if BUG in str(error):
                self._found(seed, style, "build", str(error))
                return []
            reason = re.sub(r"[0-9]+", "N", str(error).partition(": ")[2])[:60]
            self.tally.refused[f"{style}: {type(error).__name__}: {reason}"] += 1
            return []
        except Exception as error:
            self._found(seed, style, "build", f"{type(error).__name__}: {error}")
            return []
        self.tally.designs[style] += 1
        return [made]

    def _found(self, seed: int, style: str, executor: str, line: str) -> None:
        self.say(f"seed {seed}, {style}, {executor}: {line}")
        known = seed in self.tally.failed
        self.tally.failed[seed] = f"{style}, {executor}: {line}"
        if self.keep is None or known:
            return
        made = reduced(case_of(seed, frames=self.frames), executor, style, seed)
        if not made.said:
            self.say(f"seed {seed}: alone it does not fail")
            return
        self.say(f"seed {seed}: {made.save(self.keep)} has {len(made.case.graph.nodes)} nodes")
