"""ResNet-8 over several devices, and several engines of it: one line per figure.

python -m benchmarks.devices                       # 2 and 4 devices, 4 engines
python -m benchmarks.devices --only farm --frames 16
python -m benchmarks.devices --network lenet5

The network has random weights (``benchmarks.networks``). Every system is compiled with
Verilator and run on random frames, without stalls and with them on both sides; every bit of every
output is compared with the golden model of the whole network, which knows nothing of devices.
Latency and the cycle in which each frame ends must be those predicted, or the command fails.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import numpy as np
import torch

from benchmarks.networks import NETWORKS, made
from benchmarks.trust.line import print_line
from hwaccel.api import Design
from hwaccel.devices.farm import replicate
from hwaccel.devices.limits import Limits
from hwaccel.devices.links import LinkSpec, full_rate
from hwaccel.devices.partition import Wish, partition
from hwaccel.devices.system import System
from hwaccel.tools.cache import user_cache
from hwaccel.verify import stimulus
from hwaccel.verify.fastsim import build_fast
from hwaccel.verify.result import SimResult

SEED = 1
STALLS = ("some", "bursts")


def run(one: Design | System, frames: int) -> SimResult:
    """Simulate with and without stalls, compare with golden and the prediction."""
    types = [value.type for value in one.graph.inputs]
    xs = stimulus.frames(types, frames, np.random.default_rng(SEED))
    expected = one.golden.raw(*xs)
    model = build_fast(one.verilog(), one.netlist, user_cache("fast"))
    stalled = model.run(xs, idle=STALLS[0], backpressure=STALLS[1], seed=SEED)
    free = model.run(xs, seed=SEED)
    for result in (stalled, free):
        for want, found in zip(expected, result.outputs, strict=True):
            wrong = int((want != found).sum())
            if wrong or result.frame_error:
                raise SystemExit(f"{one.name}: {wrong} mismatches")
    if free.finished != one.plan.timing(frames).finished():
        raise SystemExit(f"{one.name}: frames end in other cycles than predicted")
    return free


def split(design: Design, count: int, frames: int, link: LinkSpec) -> None:
    """Print the figure of a network over ``count`` devices."""
    system = partition(design, Wish((Limits(),) * count, link))
    result, timing = run(system, frames), system.plan.timing(frames)
    areas = ", ".join(f"{area.luts:,}/{area.dsps}/{area.rams}" for area in system.areas)
    figure = (
        f"0 mismatches in {frames} frames, with and without stalls; latency {result.latency}, "
        f"interval {result.interval}, predicted {timing.latency}, {timing.interval}; "
        f"{system.traffic:,} bits per frame over {len(system.ways)} links of {link.width} bits, "
        f"{link.latency} cycles, {link.credits} credits; LUT/DSP/RAM estimated {areas}"
    )
    print_line(f"{design.name} over {count} devices", figure, seed=SEED, using=("verilator",))


def farm(design: Design, count: int, frames: int) -> None:
    """Print the figure of ``count`` engines."""
    one = run(design, 4).interval
    system = replicate(design, count)
    done = run(system, frames).finished
    pace = (done[-1] - done[-1 - 2 * count]) / (2 * count)
    figure = (
        f"0 mismatches in {frames} frames, with and without stalls; a frame every {pace:,.1f} "
        f"cycles, predicted {system.plan.pace:,.1f}, one engine {one:,}: {one / pace:.3f} x"
    )
    print_line(f"{design.name}, {count} engines", figure, seed=SEED, using=("verilator",))


def main(argv: Sequence[str] | None = None) -> None:
    """Parse the command line and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", default="resnet8", choices=list(NETWORKS))
    parser.add_argument("--only", choices=("split", "farm"))
    parser.add_argument("--devices", type=int, nargs="*", default=[2, 4])
    parser.add_argument("--engines", type=int, default=4)
    parser.add_argument("--frames", type=int, default=6)
    parser.add_argument("--link-width", type=int, default=32)
    parser.add_argument("--link-latency", type=int, default=8)
    chosen = parser.parse_args(argv)
    torch.set_num_threads(1)
    _, design, _ = made(chosen.network)
    latency = chosen.link_latency
    link = LinkSpec(width=chosen.link_width, latency=latency, credits=full_rate(latency))
    if chosen.only != "farm":
        for count in chosen.devices:
            split(design, count, chosen.frames, link)
    if chosen.only != "split":
        farm(design, chosen.engines, max(chosen.frames, 4 * chosen.engines))


if __name__ == "__main__":
    main()
