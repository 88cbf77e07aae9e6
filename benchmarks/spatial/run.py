"""Compare constant-matrix hardware of hwaccel, da4ml and alkaid on this machine.

    python -m benchmarks.spatial.run random trained mlps fmax

Each answer of a tool is kept under ``--cache``, so a second run only renders the tables, and a
run that was stopped goes on where it was. ``--minutes`` bounds the time of new runs.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from pathlib import Path

from rich.console import Console

from benchmarks.spatial import contest, tables, workloads
from benchmarks.spatial.measure import SCRIPTS, TARGETS, Bench, Cache

SECTIONS = ("random", "trained", "mlps", "fmax")
TOOLS = ("hwaccel", "da4ml", "alkaid")


def main() -> None:
    """Run what the command line names and write the tables."""
    args = arguments()
    console = Console(width=None if sys.stdout.isatty() else 160)
    deadline = time.monotonic() + 60 * args.minutes
    cache = Cache(args.cache)
    scripts, targets = tuple(args.scripts), tuple(args.targets)
    bench = Bench(cache, args.timeout, deadline, scripts, say=lambda text: console.log(text))
    splits = tuple(args.splits)
    arena = contest.Arena(
        bench, args.rivals, args.cache, tuple(args.tools), targets, args.fused, splits
    )
    networks = workloads.trained(args.cache, args.mnist)
    found: dict[str, list[contest.Row]] = {}
    for section in args.sections:
        rows: list[contest.Row] = []
        for work in sorted(members(section, networks), key=size):
            if not re.search(args.only, work.name):
                continue
            console.log(f"{section}: {work.name}")
            if section in ("random", "trained"):
                rows += arena.matrix(work, args.depths, search=args.search)
            elif section == "mlps":
                rows += arena.network(work, args.depths, search=args.search)
            else:
                rows += arena.clocked(work, args.levels, args.depths, args.clock)
            save(args.out, section, rows)
        found[section] = rows
    text = []
    for section, rows in found.items():
        for table in tables.tables(section, rows):
            console.print(table.rich())
            text.append(table.markdown())
    (args.out / "tables.md").write_text("\n\n".join(text) + "\n")
    console.print(f"tables: {args.out / 'tables.md'}")


def members(section: str, networks: list[workloads.Workload]) -> list[workloads.Workload]:
    """Return the workloads of a section."""
    if section == "random":
        return workloads.random_matrices()
    if section == "trained":
        return workloads.layers_of(networks)
    return workloads.mlps(networks) if section == "mlps" else workloads.clocked()


def size(work: workloads.Workload) -> int:
    """Return roughly how many adders a workload takes; small ones come first."""
    return sum(int((abs(x.weight).astype(float) ** 0.5).sum()) for x in work.layers)


def save(folder: Path, section: str, rows: list[contest.Row]) -> None:
    """Write the rows of a section as JSON."""
    folder.mkdir(parents=True, exist_ok=True)
    data = [row.plain() for row in rows]
    (folder / f"{section}.json").write_text(json.dumps(data, indent=1))


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("sections", nargs="*", choices=SECTIONS, default=list(SECTIONS))
    parser.add_argument("--tools", nargs="+", choices=TOOLS, default=list(TOOLS))
    parser.add_argument("--targets", nargs="+", choices=TARGETS, default=list(TARGETS))
    parser.add_argument("--scripts", nargs="+", choices=SCRIPTS, default=list(SCRIPTS))
    parser.add_argument("--fused", action="store_true", help="alkaid with ternary adders too")
    parser.add_argument(
        "--splits",
        nargs="+",
        type=int,
        choices=contest.SPLITS,
        default=list(contest.SPLITS),
        help="pipelines of networks: da4ml's latency per stage, alkaid's stages; 0: none",
    )
    parser.add_argument("--depths", nargs="+", type=int, default=[-1, 0, 2])
    parser.add_argument("--levels", nargs="+", type=int, default=[1, 2, 5])
    parser.add_argument("--only", default="", help="regular expression for names of workloads")
    parser.add_argument("--search", choices=("full", "quick"), default="full")
    parser.add_argument("--cache", type=Path, default=Path("build/bench"))
    parser.add_argument("--out", type=Path, default=Path("build/bench/report"))
    parser.add_argument("--rivals", type=Path, default=Path("/tmp/rivals/bin/python"))
    parser.add_argument("--mnist", type=Path, default=None)
    parser.add_argument("--minutes", type=float, default=1e6, help="start nothing new after this")
    parser.add_argument("--timeout", type=float, default=600.0, help="seconds per run of a tool")
    parser.add_argument("--clock", type=float, default=200.0, help="MHz asked of nextpnr")
    return parser.parse_args()


if __name__ == "__main__":
    main()
