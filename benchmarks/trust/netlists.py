"""Random networks through Yosys: the netlist, in simulation, against independent integers.

``python -m benchmarks.trust.netlists --networks 100`` synthesizes the networks with seeds 0 to 99,
even seeds streaming and odd ones spatial, for ECP5 and for Xilinx 7, and simulates the cells.
"""

from __future__ import annotations

import argparse
import sys
import time

from benchmarks.trust.fuzz import refusals
from benchmarks.trust.line import print_line
from tests.trust.campaign import Campaign, cpu_seconds
from tests.trust.graphs import FRAMES
from tests.trust.netlists import TARGETS, netlist

TOOLS = ("yosys", "iverilog")


def one_style(seed: int) -> tuple[str, ...]:
    return ("spatial",) if seed % 2 else ("stream",)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", type=int, default=100)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--together", type=int, default=10, help="networks in one netlist")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="start no batch later")
    parser.add_argument("--targets", default=",".join(TARGETS))
    options = parser.parse_args()
    targets = options.targets.split(",")
    campaign = Campaign(
        {f"netlist-{target}": netlist(target) for target in targets},
        keep=None,
        say=lambda line: print(line, file=sys.stderr, flush=True),
        styles=one_style,
    )
    began, end = time.monotonic(), options.first_seed + options.networks
    for first in range(options.first_seed, end, options.together):
        if time.monotonic() - began > 60 * options.minutes:
            campaign.say(f"out of time; go on with --first-seed {first}")
            break
        campaign.run(range(first, min(first + options.together, end)))
        done, failed = campaign.tally.networks, len(campaign.tally.failed)
        campaign.say(f"{done} networks: {failed} failed, {cpu_seconds() / done:.1f} s each")
    tally = campaign.tally
    refusals(tally)
    print_line(
        "netlists",
        f"{tally.networks} networks x {FRAMES} vectors after Yosys for {' and '.join(targets)}, "
        f"{len(tally.failed)} with mismatches; "
        f"{', '.join(f'{n} {style}' for style, n in sorted(tally.designs.items()))}; "
        f"{sum(tally.refused.values())} refused; "
        f"{cpu_seconds() / max(1, tally.networks):.1f} s of CPU each",
        seed=options.first_seed,
        using=TOOLS,
    )
    return 1 if tally.failed else 0


if __name__ == "__main__":
    sys.exit(main())
