"""Random networks at the level of the IR through every executor, against independent integers.

``python -m benchmarks.trust.fuzz --networks 1000`` draws the networks with seeds 0 to 999. What
fails is shrunk, and written to ``tests/trust/reproducers``, where the suite picks it up. A run that
was interrupted is continued with ``--first-seed``; ``--minutes`` ends it with the count so far.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter

from benchmarks.trust.line import print_line
from tests.trust.campaign import TOGETHER, Campaign, Tally, cpu_seconds
from tests.trust.executors import EXECUTORS, ON_GPU
from tests.trust.graphs import FRAMES

TOOLS = {
    "hls": "g++",
    "cuda-host": "g++",
    "icarus": "iverilog",
    "verilator": "verilator",
    "cuda": "nvcc",
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", type=int, default=1000)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--together", type=int, default=TOGETHER, help="networks in one program")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="start no batch later")
    parser.add_argument("--executors", default=",".join(EXECUTORS))
    options = parser.parse_args()
    chosen = {name: (EXECUTORS | ON_GPU)[name] for name in options.executors.split(",")}
    campaign = Campaign(chosen, say=lambda line: print(line, file=sys.stderr, flush=True))
    began, end = time.monotonic(), options.first_seed + options.networks
    for first in range(options.first_seed, end, options.together):
        if time.monotonic() - began > 60 * options.minutes:
            campaign.say(f"out of time; go on with --first-seed {first}")
            break
        last = min(first + options.together, end)
        campaign.run(range(first, last))
        each = cpu_seconds() / campaign.tally.networks
        campaign.say(
            f"seeds up to {last - 1}: {len(campaign.tally.failed)} failed, {each:.1f} s each"
        )
    report(campaign.tally, options.first_seed)
    return 1 if campaign.tally.failed else 0


def refusals(tally: Tally) -> None:
    """Print what was refused, by kind, and what failed."""
    for title, counts in (("refused", tally.refused), ("drawn again", tally.undrawn)):
        for reason, count in counts.most_common():
            print(f"{title} {count} x {reason}")
    for seed, line in sorted(tally.failed.items()):
        print(f"FAILED seed {seed}: {line}")


def report(tally: Tally, first: int) -> None:
    """Print the figure, and above it what was refused or failed."""
    refusals(tally)
    print(f"{tally.constant} of {tally.outputs} outputs never change")
    each = Counter(executor for executor, _ in tally.compared.elements())
    for executor, count in each.items():
        seconds = tally.seconds[executor] / max(1, tally.networks)
        by_style = sorted((s, n) for (e, s), n in tally.compared.items() if e == executor)
        designs = ", ".join(f"{n} {style}" for style, n in by_style)
        print(f"{executor}: {count} designs ({designs}), {seconds:.2f} s of CPU per network")
    print_line(
        "fuzz",
        f"{tally.networks} networks x {FRAMES} vectors, {len(tally.failed)} with mismatches; "
        f"{sum(tally.designs.values())} designs, {sum(tally.refused.values())} refused; "
        f"reference against {', '.join(each)}; "
        f"{cpu_seconds() / max(1, tally.networks):.2f} s of CPU each",
        seed=first,
        using=tuple(dict.fromkeys(TOOLS[name] for name in each if name in TOOLS)),
    )


if __name__ == "__main__":
    sys.exit(main())
