"""What Yosys and nextpnr make of random designs: the data that estimates are fitted to.

python -m benchmarks.estimates.measure SET TARGET [--first SEED] [--count N] [--pnr]

SET is `layers` (single layers) or `networks`. Each design adds a line to
`benchmarks/estimates/data/SET-TARGET.jsonl`; what is there is not measured again. `--pnr` places
and routes designs that are in the file, the smallest first; their lines get Fmax.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import msgspec
import torch

from benchmarks.estimates.designs import design
from hwaccel.api import Design
from hwaccel.schedule.estimate import plan_area
from hwaccel.synth.parts import parts_of

DATA = Path(__file__).with_name("data")
# Larger designs are left out: the data should be measured in minutes. Placing takes much longer.
MOST_LUTS, MOST_PLACED = 6000, 1900


class Measured(msgspec.Struct, frozen=True, omit_defaults=True):
    """One design and what the tools found; ``content`` says whether it is still the same design.

    ``parts`` has LUTs and registers of each block by its name, and of the edges under "". ``start``
    and ``end`` are the cells of the critical path, ``nets`` the nets that it passes.
    """

    seed: int
    content: str
    luts: int
    ffs: int
    dsps: int
    rams: int
    fmax_mhz: float | None = None
    seconds: float = 0.0
    start: str = ""
    end: str = ""
    nets: int = 0
    parts: dict[str, tuple[int, int]] = {}


def content_of(made: Design) -> str:
    """Return a short digest of what is emitted for a design alone, its comments left out."""
    whole = hashlib.sha256()
    for name, text in sorted(made.verilog().items()):
        if not name.startswith("hwa_"):
            whole.update(f"{name}\n{re.sub('//.*', '', text)}\n".encode())
    return whole.hexdigest()[:16]


def read(name: str, target: str) -> list[Measured]:
    """Return what was measured of a set on a target."""
    path = DATA / f"{name}-{target}.jsonl"
    lines = path.read_bytes().splitlines() if path.exists() else []
    return [msgspec.json.decode(line, type=Measured) for line in lines]


def write(name: str, target: str, found: Iterable[Measured]) -> None:
    """Replace what was measured of a set on a target."""
    path = DATA / f"{name}-{target}.jsonl"
    new = path.with_suffix(".new")
    new.write_bytes(b"".join(msgspec.json.encode(one) + b"\n" for one in found))
    os.replace(new, path)


def measure(made: Design, seed: int, target: str, pnr: bool) -> Measured:
    """Synthesize a design, and place and route it with ``pnr``."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="hwaccel-") as folder:
        done = made.synthesize(target, pnr=pnr, workdir=Path(folder) / "work")
        parts = parts_of(done.synth, made.netlist, made.plan)
    path = done.pnr.critical_path if done.pnr else None
    return Measured(
        seed, content_of(made), *done.synth.utilization.amounts,
        done.fmax_mhz and round(done.fmax_mhz, 2), round(time.monotonic() - started, 1),
        *((path.start, path.end, path.nets) if path else ()),
        parts={name: part.amounts[:2] for name, part in parts.items()},
    )  # fmt: skip


def synthesized(name: str, target: str, most_luts: int, first: int, count: int) -> None:
    """Synthesize new designs until there are ``count``."""
    found = read(name, target)
    known = {one.seed for one in found}
    seed = first - 1
    while len(found) < count:
        seed += 1
        if seed in known:
            continue
        made = design(seed, name == "networks", target)
        if made is None or plan_area(made.plan).luts > most_luts:
            continue
        found.append(measure(made, seed, target, False))
        write(name, target, found)
        print(found[-1], file=sys.stderr, flush=True)


def placed(name: str, target: str, most_luts: int, count: int) -> None:
    """Place and route designs that are known, the smallest first, until there are ``count``."""
    found = read(name, target)
    done = sum(one.fmax_mhz is not None for one in found)
    for place, one in sorted(enumerate(found), key=lambda pair: pair[1].luts):
        if done >= count or one.luts > most_luts:
            return
        if one.fmax_mhz is not None:
            continue
        made = design(one.seed, name == "networks", target)
        if made is None or content_of(made) != one.content:
            continue
        found[place] = measure(made, one.seed, target, True)
        done += 1
        write(name, target, found)
        print(found[place], file=sys.stderr, flush=True)


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
    parser.add_argument("--most-luts", type=int)
    args = parser.parse_args()
    torch.set_num_threads(1)
    DATA.mkdir(exist_ok=True)
    if args.pnr:
        placed(args.set, args.target, args.most_luts or MOST_PLACED, args.count)
    else:
        most_luts = args.most_luts or MOST_LUTS
        synthesized(args.set, args.target, most_luts, args.first, args.count)


if __name__ == "__main__":
    main()
