"""Fit the estimates to what Yosys and nextpnr made of random designs, and judge them by others.

python -m benchmarks.estimates.fit TARGET [--table]

Single layers and the first networks of `benchmarks/estimates/data` are fitted; the last 60 networks
are not, and say how far estimates are off. Of Fmax so many are known as were placed and routed, and
only layers are fitted. `--table` prints the numbers for `hwaccel/schedule/fits.py`.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import least_squares, nnls

from benchmarks.estimates.designs import design
from benchmarks.estimates.measure import Measured, content_of, read
from benchmarks.trust.line import print_line
from hwaccel.schedule.estimate import block_area, edge_terms, plan_area, terms
from hwaccel.schedule.fits import FITS, Cost
from hwaccel.schedule.plan import Plan
from hwaccel.schedule.speed import Path, plan_paths, plan_speed

# So many networks judge.
JUDGES = 60
# What a unit of a term takes where no design says anything, and what a module has once; and how
# much a term is held to that, in relative errors of one design.
UNIT, ONCE, PULL = 0.8, 5.0, 0.1
# An error of so many LUTs or registers is none: nobody needs a smaller design more exactly.
SMALL = 40
# Nanoseconds that each element of a path is held to, from the cells of an ECP5 and nets of middling
# length; and, while delays are fitted, within how many of the longest path others count, too.
ELEMENTS = {
    "register": 0.65, "level": 0.75, "chain": 2.0, "carry": 0.036, "mux": 0.6, "dsp": 6.1,
    "ram": 6.1, "circuit": 0.85, "readers": 0.05, "copies": 0.05, "distance": 0.02,
}  # fmt: skip
BLUR_NS = 0.05
# A block of fewer LUTs is not judged alone: a neighbour's logic may bear its name.
LEAST_BLOCK = 50
# Of fewer LUTs than that Yosys sees through most: the clock of such a design says little of others.
LEAST_PLACED = 300


@dataclass(frozen=True)
class Row:
    """A design that was measured: its plan, and the result."""

    plan: Plan
    found: Measured

    def amounts(self, what: str) -> Counter[str]:
        """Return the amount of each term that takes LUTs, or registers."""
        amounts: Counter[str] = Counter()
        blocks = (term for block in self.plan.blocks for term in terms(block, self.plan))
        for term in chain(blocks, edge_terms(self.plan)):
            amounts[term.name] += getattr(term, what)
        return +amounts

    @property
    def paths(self) -> list[Path]:
        """Return the paths of the design."""
        return [path for _, path in plan_paths(self.plan)]


def was_placed(found: Measured) -> bool:
    """Tell whether a design was placed and routed and is more than a few LUTs."""
    return found.fmax_mhz is not None and found.luts >= LEAST_PLACED


def rows(
    name: str, target: str, last: int = 0, *, strict: bool = True, placed: bool = False
) -> list[Row]:
    """Return the measured designs of a set, or the ``last`` of them, made again.

    ``placed`` are those that ``was_placed`` names. It ends where one is another now; without
    ``strict`` that one is left out.
    """
    made = []
    known = [found for found in read(name, target) if was_placed(found) or not placed]
    for found in known[-last:]:
        again = design(found.seed, name == "networks", target)
        if again is None or content_of(again) != found.content:
            if not strict:
                continue
            sys.exit(f"{name} {found.seed}: is another design now; measure again")
        made.append(Row(again.plan, found))
    return made


def fitted(some: Sequence[Row], what: str) -> dict[str, float]:
    """Return LUTs or registers per unit of each term, which make squares of relative errors least.

    None is below zero (C. L. Lawson, R. J. Hanson, *Solving Least Squares Problems*, 1974).
    """
    amounts = [row.amounts(what) for row in some]
    names = sorted({name for one in amounts for name in one})
    once = {n for n in names if all(one[n] == round(one[n]) <= 9 for one in amounts)}
    prior = np.array([ONCE if name in once else UNIT for name in names])
    if some[0].plan.family != "ecp5":  # where that is known, a module of another family is alike
        known = [FITS["ecp5"].get(name, Cost(0.0, 0.0)) for name in names]
        other = [getattr(cost, what) for cost in known]
        prior = np.array([b or a for a, b in zip(prior, other, strict=True)])
    matrix = np.array([[float(one[name]) for name in names] for one in amounts])
    target = np.array([float(getattr(row.found, what)) for row in some])
    scale = 1 / np.maximum(target, SMALL)
    held = PULL / prior
    found, _ = nnls(
        np.vstack([matrix * scale[:, None], np.diag(held)]),
        np.concatenate([target * scale, held * prior]),
        maxiter=100 * len(names),
    )
    return {name: round(float(value), 2) for name, value in zip(names, found, strict=True)}


def fitted_delays(some: Sequence[Row]) -> dict[str, float]:
    """Return the delay of each element of a path, with which the longest paths fit best.

    A few designs that Yosys sees through count less than their square.
    """
    names = sorted(ELEMENTS)
    held = np.array([ELEMENTS[name] for name in names])
    periods = [1000.0 / (row.found.fmax_mhz or 1.0) for row in some]
    amounts = [
        np.array([[path.amounts.get(name, 0.0) for name in names] for path in row.paths])
        for row in some
    ]

    def off(delays: NDArray[np.float64]) -> NDArray[np.float64]:
        longest = [BLUR_NS * np.logaddexp.reduce(one @ delays / BLUR_NS) for one in amounts]
        return np.append(np.array(longest) / periods - 1, PULL * (delays / held - 1))

    found = least_squares(off, held, bounds=(0, np.inf), loss="soft_l1", f_scale=0.15).x
    return {name: round(float(value), 3) for name, value in zip(names, found, strict=True)}


def speed_errors(some: Sequence[Row]) -> NDArray[np.float64]:
    """Return the relative errors of the Fmax that the product says now."""
    speeds = [plan_speed(row.plan) for row in some]
    return np.array([
        (speed.fmax_mhz if speed else 0.0) / (row.found.fmax_mhz or 1.0) - 1
        for speed, row in zip(speeds, some, strict=True)
    ])  # fmt: skip


def fit(some: Sequence[Row]) -> dict[str, Cost]:
    """Return the cost of every term that occurs."""
    luts, ffs = fitted(some, "luts"), fitted(some, "ffs")
    return {n: Cost(luts.get(n, 0.0), ffs.get(n, 0.0)) for n in sorted({*luts, *ffs})}


def errors(some: Sequence[Row], what: str) -> NDArray[np.float64]:
    """Return the relative errors of what the product says now."""
    said = np.array([float(getattr(plan_area(row.plan), what)) for row in some])
    true = np.array([float(getattr(row.found, what)) for row in some])
    return (said - true) / np.maximum(true, 1)


def block_errors(some: Sequence[Row]) -> NDArray[np.float64]:
    """Return the relative errors of LUTs of single blocks of ``LEAST_BLOCK`` or more."""
    found = []
    for row in some:
        for block in row.plan.blocks:
            true, _ = row.found.parts.get(block.name, (0, 0))
            if true >= LEAST_BLOCK:
                found.append(block_area(block, row.plan).luts / true - 1)
    return np.array(found)


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
    layers, networks = (rows(name, args.target) for name in ("layers", "networks"))
    if args.table:
        for name, one in fit([*layers, *networks[:-JUDGES]]).items():
            print(f'        "{name}": Cost({one.luts}, {one.ffs}),')
        if timed := [row for row in layers if row.found.fmax_mhz is not None]:
            print(f'    "{layers[0].plan.family}": {fitted_delays(timed)},')
        return
    judges = {
        what: (networks[-JUDGES:], errors(networks[-JUDGES:], what))
        for what in ("luts", "ffs", "dsps", "rams")
    }
    timed = [row for row in networks if was_placed(row.found)][-JUDGES:]
    if timed:
        judges["fmax"] = timed, speed_errors(timed)
    if args.verbose:
        for what, (some, off) in judges.items():
            for row, one in sorted(zip(some, off, strict=True), key=lambda p: -abs(p[1]))[:12]:
                field = "fmax_mhz" if what == "fmax" else what
                print(f"# {what} {row.found.seed}: {one:+.1%} of {getattr(row.found, field)}")
    said = ", ".join(
        f"{what} {np.abs(off).mean():.1%} (worst {np.abs(off).max():.1%})"
        for what, (_, off) in judges.items()
    )
    parts = block_errors(networks[-JUDGES:])
    if parts.size:
        said += f"; luts of {parts.size} blocks {np.abs(parts).mean():.1%}"
        said += f" (nine of ten within {np.quantile(np.abs(parts), 0.9):.1%})"
    counts = f"{len(networks[-JUDGES:])} networks not fitted to" + (
        f", fmax of {len(timed)}" if timed else ""
    )
    using = ("yosys", "nextpnr-ecp5") if timed else ("yosys",)
    print_line("estimates", f"{args.target}: mean error of {counts}: {said}", using=using)


if __name__ == "__main__":
    main()
