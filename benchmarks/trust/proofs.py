"""Modules with a handshake: each property by induction, its story reached, its broken twin caught.

python -m benchmarks.trust.proofs [--table] [--modules NAME...]

The properties are those of `tests/rtl/proofs.py`: idle after a reset, an offer that stays, nothing
doubled, nothing lost, nothing out of order. `--table` prints a line per module and property.
"""

from __future__ import annotations

import argparse
import re
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.trust.line import print_line
from tests.rtl.contracts import CASES, OPEN, WITHOUT
from tests.rtl.link_mutants import MUTANTS as LINK
from tests.rtl.proofs import (
    CONTRACT,
    PROPERTIES,
    RTL,
    Case,
    Mutant,
    bounded,
    cover,
    induction,
    labels,
    source_of,
    write_smt2,
)
from tests.rtl.stream_mutants import MUTANTS as STREAM
from tests.rtl.system_mutants import MUTANTS as SYSTEM


@dataclass
class Tally:
    """What was found out about one module; properties by name."""

    cases: int = 0
    proved: set[str] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)
    reached: dict[str, int] = field(default_factory=dict)
    unreached: list[str] = field(default_factory=list)
    killed: dict[str, int] = field(default_factory=dict)
    survived: list[str] = field(default_factory=list)


def prove(case: Case, tally: Tally) -> None:
    """Prove one case from reset and by induction, and look for its stories."""
    tally.cases += 1
    with tempfile.TemporaryDirectory(prefix="hwaccel-") as folder:
        smt2 = write_smt2(case, Path(folder))
        names = {label[2:] for label in labels(smt2) if label.startswith("p_")} | {CONTRACT}
        holds = bounded(smt2, case.cycles)[0] and induction(smt2, case.induction)[0]
        (tally.proved if holds else tally.failed).update(names)
        if case.no_cover:
            return
        _, text = cover(smt2, case.cycles)
    for name in re.findall(r"Reached cover statement in step \d+ at \S+: (\S+)", text):
        label = name.rpartition(".")[2]
        at = label[2:] if label.startswith("c_") else CONTRACT
        tally.reached[at] = tally.reached.get(at, 0) + 1
    tally.unreached += re.findall(r"Unreached cover statement at (.*)", text)


def breaks(mutant: Mutant, case: Case, tally: Tally) -> None:
    """See that a broken twin violates its property, looked at alone."""
    with tempfile.TemporaryDirectory(prefix="hwaccel-") as folder:
        source = mutant.apply(source_of(mutant.module))
        smt2 = write_smt2(case, Path(folder), source, mutant.breaks)
        holds, text = bounded(smt2, case.cycles)
    if holds or "Assert failed in" not in text:
        tally.survived.append(str(mutant))
    else:
        tally.killed[mutant.breaks] = tally.killed.get(mutant.breaks, 0) + 1


def tallies(modules: list[str]) -> dict[str, Tally]:
    """Prove and break the modules."""
    found = {module: Tally() for module in modules}
    for case in (case for case in CASES if case.module in found):
        prove(case, found[case.module])
    for mutant in (mutant for mutant in [*STREAM, *LINK, *SYSTEM] if mutant.module in found):
        case = next(case for case in CASES if case.module == mutant.module)
        breaks(mutant, case, found[mutant.module])
    return found


def table(found: dict[str, Tally]) -> str:
    """Return a line per module and property: how it is proved, stories, twins."""
    lines = ["| module | property | proof | stories | twins caught |", "|---|---|---|---|---|"]
    for module, tally in found.items():
        for name in (*PROPERTIES, CONTRACT):
            why = WITHOUT.get((module, name))
            done = "induction" if name in tally.proved - tally.failed else "OPEN"
            cells = [why or done, tally.reached.get(name, 0), tally.killed.get(name, 0)]
            lines.append(f"| {module} | {name} | " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--table", action="store_true", help="print what was found of each module")
    parser.add_argument("--modules", nargs="*", help="names of modules; all without it")
    arguments = parser.parse_args()
    started = time.monotonic()
    every = list(dict.fromkeys(case.module for case in CASES))
    found = tallies(arguments.modules or every)
    if arguments.table:
        print(table(found))
    pairs = [(m, p) for m in found for p in PROPERTIES if (m, p) not in WITHOUT]
    done = [(m, p) for m, p in pairs if p in found[m].proved - found[m].failed]
    lacking = [f"{m} {p}" for m, p in pairs if (m, p) not in done]
    lacking += [f"{module} {what}" for module, what in OPEN.items()]
    streams = sum((RTL / "stream" / f"{module}.v").is_file() for module in found)
    survivors = [name for tally in found.values() for name in tally.survived + tally.unreached]
    figure = (
        f"{len(found)} modules ({streams} of rtl/stream), "
        f"{sum(tally.cases for tally in found.values())} parameter sets; "
        f"{len(done)} of {len(pairs)} properties proved by induction; "
        f"{sum(sum(tally.killed.values()) for tally in found.values())} broken twins caught, "
        f"{sum(sum(tally.reached.values()) for tally in found.values())} stories reached, "
        f"{len(survivors)} not{''.join(f' ({name})' for name in survivors)}; "
        f"open: {', '.join(lacking) or 'none'}; {time.monotonic() - started:.0f} s"
    )
    print_line("proofs", figure, using=("yosys", "z3"))


if __name__ == "__main__":
    main()
