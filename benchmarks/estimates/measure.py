"""What Yosys and nextpnr make of random designs: the data that estimates are fitted to.

python -m benchmarks.estimates.measure SET TARGET [--first SEED] [--count N] [--pnr]

SET is `layers` (single layers) or `networks`. Each design adds a line to
`benchmarks/estimates/data/SET-TARGET.jsonl`; what is there is not measured again.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import tempfile
import time
from pathlib import Path

import msgspec
import torch

from benchmarks.estimates.designs import design
from hwaccel.api import Design
from hwaccel.ir.text import print_graph
from hwaccel.schedule.estimate import plan_area

DATA = Path(__file__).with_name("data")
# Larger designs are left out: the data should be measured in minutes.
MOST_LUTS = 6000


class Measured(msgspec.Struct, frozen=True, omit_defaults=True):
    """One design and what the tools found; ``content`` says whether it is still the same design."""

    seed: int
    content: str
    luts: int
    ffs: int
    dsps: int
    rams: int
    fmax_mhz: float | None = None
    seconds: float = 0.0


def content_of(made: Design) -> str:
    """Return a short digest of the graph, the foldings and the circuits of a design."""
    folds = " ".join(f"{name}={fold}" for name, fold in sorted(made.plan.folds.items()))
    return hashlib.sha256(f"{print_graph(made.graph)}\n{folds}".encode()).hexdigest()[:16]


def read(name: str, target: str) -> list[Measured]:
    """Return what was measured of a set on a target."""
    path = DATA / f"{name}-{target}.jsonl"
    lines = path.read_bytes().splitlines() if path.exists() else []
    return [msgspec.json.decode(line, type=Measured) for line in lines]


def measure(made: Design, seed: int, target: str, pnr: bool) -> Measured:
    """Synthesize a design, and place and route it with ``pnr``."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="hwaccel-") as folder:
        done = made.synthesize(target, pnr=pnr, workdir=Path(folder) / "work")
    used = done.synth.utilization
    luts = used.luts if used.lut4_equivalents is None else used.lut4_equivalents
    return Measured(
        seed, content_of(made), luts, used.ffs, used.dsps, used.block_rams,
        done.fmax_mhz if pnr else None, round(time.monotonic() - started, 1),
    )  # fmt: skip


def main() -> None:
    """Measure what is missing."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("set", choices=["layers", "networks"])
    parser.add_argument("target")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--pnr", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(1)
    DATA.mkdir(exist_ok=True)
    known = {one.seed for one in read(args.set, args.target)}
    seed = args.first - 1
    while len(known) < args.count:
        seed += 1
        if seed in known:
            continue
        made = design(seed, args.set == "networks")
        if made is None or plan_area(made.plan).luts > MOST_LUTS:
            continue
        found = measure(made, seed, args.target, args.pnr)
        known.add(seed)
        with (DATA / f"{args.set}-{args.target}.jsonl").open("ab") as file:
            file.write(msgspec.json.encode(found) + b"\n")
        print(found, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
