"""Stalls, resets, long runs and random power-up values of every example design, all bits compared.

python -m benchmarks.trust.stress [--frames 10000] [--seed 1] [--designs NAME...]

Many designs lie side by side in one Verilated model, so one compilation serves all of them. In it
run: each of 7 x 7 patterns of pauses; a reset of one cycle at every cycle from the first beat in to
the last beat out of a frame, after which two whole frames must come out right; many frames without
a pause; and power-up from random registers. The outputs must equal the golden model, keep the rules
of their streams, and show nothing after a reset. `unknowns` then looks for X in Icarus.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, product
from pathlib import Path

from benchmarks.trust import designs, unknowns
from benchmarks.trust.line import print_line
from hwaccel.api import Design
from hwaccel.verify.beats import Ints
from hwaccel.verify.compare import require_equal
from hwaccel.verify.fastsim import FastModel, FastRun, build_fast
from hwaccel.verify.jobs import PATTERNS, Stalls
from tests.verify.packing import side_by_side

GRID_FRAMES = 12
POWER_UPS = 16
# Designs in one compiled model, at most.
TOGETHER = 16


@dataclass(frozen=True)
class Group:
    """Designs in one compiled model, with frames for each and what must come of them."""

    model: FastModel
    members: Sequence[Design]
    xs: Sequence[Ints]
    expected: Sequence[Ints]

    def check(self, runs: Sequence[FastRun]) -> int:
        """Make the runs, compare what comes out; return the frames compared, of all designs."""
        judged = [run for run in runs if not run.cut]
        for run, result in zip(judged, self.model.run_all(self.xs, runs), strict=True):
            edges = self.model.netlist.outputs
            for want, found, edge in zip(self.expected, result.outputs, edges, strict=True):
                require_equal(
                    want[: run.frames],
                    found,
                    edge.type,
                    edge.prefix,
                    what=f"{run}",
                    lanes=edge.lanes,
                )
            assert not result.frame_error, run
        return sum(run.frames for run in judged) * len(self.members)

    @property
    def span(self) -> int:
        """Cycles of the longest frame, from its first beat in to its last beat out, and one."""
        return 1 + max(design.plan.timing(1).latency + 1 for design in self.members)


def group(members: Sequence[Design], frames: int, seed: int, workdir: Path) -> Group:
    """Compile designs into one model."""
    top, netlist = side_by_side([design.netlist for design in members])
    files = {name: text for one in members for name, text in one.verilog().items()}
    xs, expected = [], []
    for design in members:
        mine = designs.frames(design, frames, seed)
        xs += mine
        expected += list(design.golden.raw(*mine))
    model = build_fast(files | {"side_by_side.v": top}, netlist, workdir)
    return Group(model, members, xs, expected)


def batches(members: Sequence[Design]) -> Iterator[list[Design]]:
    """Put designs together that take about as long for a frame; none waits long for the others."""
    rest = sorted(members, key=lambda design: design.plan.timing().interval)
    while rest:
        most = 4 * rest[0].plan.timing().interval
        alike = [one for one in rest[:TOGETHER] if one.plan.timing().interval <= most]
        yield alike
        rest = rest[len(alike) :]


def grid(frames: int, seed: int) -> list[FastRun]:
    """Every pattern of the source with every pattern of the sink."""
    pairs = product(PATTERNS, PATTERNS)
    return [
        FastRun(frames, Stalls(idle, pressure, seed + i), fresh=i % 7 == 0)
        for i, (idle, pressure) in enumerate(pairs)
    ]


def resets(cycles: int, seed: int) -> Iterator[FastRun]:
    """A run that a reset ends after 1 .. cycles cycles, and whole frames behind each."""
    for cut in range(1, cycles + 1):
        yield FastRun(3, Stalls("none", "none", seed), cut=cut, reset_cycles=1, fresh=False)
        yield FastRun(2, Stalls("none", "none", seed), reset_cycles=1, fresh=False)


def power_ups(count: int, seed: int) -> list[FastRun]:
    """Frames behind one cycle of reset, from `count` sets of random register values."""
    return [FastRun(2, Stalls("none", "none", seed + i), reset_cycles=1) for i in range(count)]


def stress(one: Group, frames: int, seed: int) -> str:
    """Do all of it; return what was done, in figures."""
    done = one.check(grid(min(GRID_FRAMES, frames), seed))
    cuts = list(resets(one.span, seed))
    done += one.check(cuts)
    done += one.check(power_ups(POWER_UPS, seed))
    done += one.check([FastRun(frames, Stalls("none", "none", seed))])
    return f"{len(one.members)} designs, resets at {len(cuts) // 2} cycles, {done} frames"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--frames", type=int, default=10_000, help="frames of the long run")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--designs", nargs="*", help="names of designs; all without it")
    arguments = parser.parse_args()
    started = time.monotonic()
    everything = chain(designs.one_op(), designs.networks())
    members = [d for d in everything if not arguments.designs or d.name in arguments.designs]
    parts = []
    for number, alike in enumerate(batches(members)):
        with tempfile.TemporaryDirectory(prefix="hwaccel-") as folder:
            one = group(alike, arguments.frames, arguments.seed, Path(folder))
            parts.append(stress(one, arguments.frames, arguments.seed))
        print(f"{number}: {parts[-1]}, {time.monotonic() - started:.0f} s", file=sys.stderr)
    watched = sum(unknowns.watch(alike, arguments.seed) for alike in batches(members))
    total = len(members)
    figure = (
        f"{total} designs: {len(PATTERNS)} x {len(PATTERNS)} patterns of stalls, "
        f"{arguments.frames} frames without a pause, {POWER_UPS} random power-ups "
        f"({'; '.join(parts)}): 0 differences; Icarus: 0 unknown bits on streams and in "
        f"{watched} registers with a reset; {time.monotonic() - started:.0f} s"
    )
    print_line("stress", figure, seed=arguments.seed, using=("verilator", "iverilog", "yosys"))


if __name__ == "__main__":
    main()
