"""How much Fmax differs from one seed of nextpnr to another: what no estimate can know.

python -m benchmarks.estimates.noise TARGET [--designs N] [--seeds N]

Takes the networks that were placed and routed, evenly over their sizes, and places them again.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch

from benchmarks.estimates.designs import design
from benchmarks.estimates.measure import Measured, read
from benchmarks.trust.line import print_line
from hwaccel.synth.nextpnr import place_and_route


def clocks(found: Measured, target: str, seeds: int) -> list[float]:
    """Return Fmax of a network with the seeds 1, 2 and so on, in MHz."""
    made = design(found.seed, True, target)
    if made is None:
        sys.exit(f"networks {found.seed}: is no design now; measure again")
    with tempfile.TemporaryDirectory(prefix="hwaccel-") as folder:
        work = Path(folder)
        synth = made.synthesize(target, pnr=False, workdir=work).synth
        return [
            place_and_route(
                synth.netlist_json, synth.target, work / str(seed), top=synth.top,
                clock_mhz=made.config.clock_mhz, seed=seed,
            ).fmax_mhz
            for seed in range(1, seeds + 1)
        ]  # fmt: skip


def main() -> None:
    """Print the spread of Fmax over seeds."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("target")
    parser.add_argument("--designs", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=5)
    args = parser.parse_args()
    torch.set_num_threads(1)
    known = sorted(
        (one for one in read("networks", args.target) if one.fmax_mhz is not None),
        key=lambda one: one.luts,
    )
    places = np.linspace(0, len(known) - 1, args.designs + 2)[1:-1].round().astype(int)
    parts = []
    for found in (known[place] for place in places):
        reached = np.array(clocks(found, args.target, args.seeds))
        spread, middle = np.ptp(reached), reached.mean()
        deviation = reached.std(ddof=1) / middle
        parts.append(f"{found.luts} LUT {middle:.1f} MHz +- {deviation:.1%}, {spread / middle:.1%}")
    text = f"{args.target}: Fmax over {args.seeds} seeds, deviation and range: " + "; ".join(parts)
    print_line("estimates_noise", text, using=("yosys", "nextpnr-ecp5"))


if __name__ == "__main__":
    main()
