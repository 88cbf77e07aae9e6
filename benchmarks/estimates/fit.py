"""Fit the estimates of area to what Yosys made of random designs, and judge them by others.

python -m benchmarks.estimates.fit TARGET [--table]

Single layers and the first networks of `benchmarks/estimates/data` are fitted; the last 60 networks
are not, and say how far estimates are off. `--table` prints the numbers for
`hwaccel/schedule/estimate.py`.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import lsq_linear

from benchmarks.estimates.designs import design
from benchmarks.estimates.measure import Measured, content_of, read
from benchmarks.trust.line import print_line
from hwaccel.schedule.estimate import Fit, parts, plan_area
from hwaccel.schedule.plan import Plan

JUDGES = 60
# How much a kind is held to its formula: as much as by so many designs that are 10 % off.
PULL = 1.0


@dataclass(frozen=True)
class Row:
    """A design that was measured: its plan, and the result."""

    plan: Plan
    found: Measured


def rows(name: str, target: str) -> list[Row]:
    """Return the measured designs of a set, made again; it ends where they are others now."""
    made = []
    for found in read(name, target):
        again = design(found.seed, name == "networks")
        if again is None or content_of(again) != found.content:
            sys.exit(f"{name} {found.seed}: is another design now; measure again")
        made.append(Row(again.plan, found))
    return made


def kinds(some: Sequence[Row]) -> Counter[str]:
    """Return in how many designs each kind of part occurs."""
    return Counter(
        kind
        for row in some
        for kind in {p.kind for b in row.plan.blocks for p in parts(b, row.plan)}
    )


def fitted(some: Sequence[Row], names: Sequence[str], what: str) -> NDArray[np.float64]:
    """Return factor and constant per kind, which make the squares of relative errors least."""
    at = {name: i for i, name in enumerate(names)}
    matrix = np.zeros((len(some), 2 * len(names)))
    target = np.array([float(getattr(row.found, what)) for row in some])
    for line, row in zip(matrix, some, strict=True):
        for part in (p for b in row.plan.blocks for p in parts(b, row.plan)):
            line[2 * at[part.kind]] += getattr(part.area, what)
            line[2 * at[part.kind] + 1] += 1
    scale = 1 / np.maximum(target, 40)
    pulls = np.zeros((2 * len(names), 2 * len(names)))
    wanted = np.zeros(2 * len(names))
    for i in range(len(names)):
        pulls[2 * i, 2 * i] = wanted[2 * i] = 0.1 * PULL
        pulls[2 * i + 1, 2 * i + 1] = 0.1 * PULL / 40
    low = np.tile([0.0, -200.0], len(names))
    done = lsq_linear(
        np.vstack([matrix * scale[:, None], pulls]),
        np.concatenate([target * scale, wanted]),
        (low, np.tile([4.0, 400.0], len(names))),
    )
    return done.x.reshape(-1, 2)


def fit(some: Sequence[Row]) -> dict[str, Fit]:
    """Return a fit for every kind of part that occurs in three designs at least."""
    names = sorted(kinds(some))
    luts, ffs = (fitted(some, names, what) for what in ("luts", "ffs"))
    return {
        name: Fit(*(round(float(v), 2) for v in (*luts[i], *ffs[i])))
        for i, name in enumerate(names)
    }


def errors(some: Sequence[Row], what: str) -> NDArray[np.float64]:
    """Return the relative errors of what the product says now."""
    said = np.array([float(getattr(plan_area(row.plan), what)) for row in some])
    true = np.array([float(getattr(row.found, what)) for row in some])
    return (said - true) / np.maximum(true, 1)


def main() -> None:
    """Judge the estimates, or print a new table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("target")
    parser.add_argument("--table", action="store_true")
    parser.add_argument("--verbose", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(1)
    layers, networks = rows("layers", args.target), rows("networks", args.target)
    training, judges = [*layers, *networks[:-JUDGES]], networks[-JUDGES:]
    if args.table:
        for name, one in fit(training).items():
            print(f'        "{name}": Fit({one.luts}, {one.each_luts}, {one.ffs}, {one.each_ffs}),')
        return
    parts_of = []
    for what in ("luts", "ffs", "dsps", "rams"):
        off = errors(judges, what)
        parts_of.append(f"{what} {np.abs(off).mean():.1%} (worst {np.abs(off).max():.1%})")
        if args.verbose:
            for row, one in sorted(zip(judges, off, strict=True), key=lambda p: -abs(p[1]))[:12]:
                print(f"# {what} {row.found.seed}: {one:+.1%} of {getattr(row.found, what)}")
    text = f"{args.target}: mean error of {len(judges)} networks not fitted to: " + ", ".join(
        parts_of
    )
    print_line("estimates", text, using=("yosys",))


if __name__ == "__main__":
    main()
