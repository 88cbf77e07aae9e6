"""Every stream and issuer inside a design, in every cycle, against what the schedule says.

python -m benchmarks.trust.cycles [--random 200] [--seed 0]

Designs lie side by side in one Icarus simulation. From its waves come, for every cycle: valid and
transfer of every stream; issue and push of every segment; whether its issuer makes a step, and if
not, whether an operand or only a place is missing. All of it must be what `watch` predicts, for a
source that never waits and for one that sends in bursts; and every beat must carry golden's
integers. The designs are those of the tests, each op in every style, and random graphs with random
folds.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, count, islice
from pathlib import Path

from benchmarks.trust import designs
from benchmarks.trust.line import print_line
from hwaccel.api import Design as Made
from hwaccel.ir import Interpreter
from hwaccel.schedule.watch import watch
from hwaccel.verify.jobs import Stalls
from hwaccel.verify.traced import check_times, check_values
from hwaccel.verify.waves import Waves
from tests.verify.packing import Design, run_packed

FRAMES = 3
TOGETHER = 12
STALLS = (Stalls(), Stalls("bursts", "none", 2))


@dataclass
class Count:
    """What was compared, and what was not as predicted."""

    designs: int = 0
    cycles: int = 0
    bits: int = 0
    beats: int = 0
    streams: int = 0
    waits: int = 0
    odd: list[str] = field(default_factory=list)


def known() -> Iterator[Design]:
    """The designs of the tests, with the frames of this figure."""
    return framed(chain(designs.one_op(), designs.networks()))


def framed(every: Iterable[Made]) -> Iterator[Design]:
    """Return the designs with frames, results and Verilog."""
    for made in every:
        xs = designs.frames(made, FRAMES, 1)
        yield Design(made.plan, made.netlist, tuple(xs), made.golden.raw(*xs), made.verilog())


def drawn(seed: int) -> Iterator[Design]:
    """Random graphs with random folds."""
    from tests.verify.test_random_designs import _design

    for number in count(seed):
        if made := _design(number):
            yield made


def compare(made: Iterable[Design], folder: Path) -> Count:
    """Simulate the designs, some at a time, and compare every cycle."""
    found, rest = Count(), iter(made)
    while group := list(islice(rest, TOGETHER)):
        for stalls in STALLS:
            _run(group, stalls, folder, found)
        found.designs += len(group)
    return found


def _run(group: Sequence[Design], stalls: Stalls, folder: Path, found: Count) -> None:
    file = folder / "waves.fst"
    outcomes = run_packed(group, [stalls], "icarus", waves=file)
    for number, (made, (outcome,)) in enumerate(zip(group, outcomes, strict=True)):
        result = outcome.get()
        arrivals = dict(zip(made.plan.inputs, result.offered, strict=True))
        frames = len(made.xs[0])
        watched = watch(made.plan, frames, arrivals)
        waves = Waves(file, f"all_designs.d{number}")
        traced = check_times(waves, made.netlist, made.plan, watched)
        values = Interpreter(made.plan.graph).trace(*made.xs)
        check_values(waves, made.netlist, made.plan, values, traced)
        found.cycles += traced.cycles
        found.bits += traced.bits
        found.beats += traced.beats
        found.streams += traced.streams
        for issue in watched.segments.values():
            found.waits += len(issue.starved) + len(issue.blocked)
        wrong = [*map(str, traced.odd), *(f"{a.stream}: data in {a.cycle}" for a in traced.astray)]
        found.odd += [f"{made.netlist.name}, idle {stalls.idle}: {text}" for text in wrong]


def main() -> int:
    """Print the figure; 1 where anything is not as predicted."""
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("--random", type=int, default=200)
    options.add_argument("--seed", type=int, default=0)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        every = chain(known(), islice(drawn(chosen.seed), chosen.random))
        found = compare(every, Path(folder))
    print("\n".join(found.odd[:20]), file=sys.stderr)
    print_line(
        "cycles",
        f"{len(found.odd)} of {found.bits:,} signal values and {found.beats:,} beats not as "
        f"predicted; {found.designs} designs, {found.streams} streams, {found.cycles:,} cycles, "
        f"{found.waits:,} waits",
        seed=chosen.seed,
        using=("iverilog",),
    )
    return int(bool(found.odd))


if __name__ == "__main__":
    sys.exit(main())
