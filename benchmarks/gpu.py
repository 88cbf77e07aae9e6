"""Emitted CUDA kernels, the golden model on torch, and plain float torch, beside the hardware.

    python -m benchmarks.gpu                        # every network of benchmarks.networks
    python -m benchmarks.gpu resnet8 --batch 4096

The outputs of kernels and golden model are compared bit for bit first; then each executor is timed
on tensors that stay on the device. Prints one line per network. Without a GPU the kernels are
compiled for the host, and the line says so.
"""

from __future__ import annotations

import argparse

import numpy as np

from benchmarks.networks import NETWORKS, made
from benchmarks.trust.line import print_line
from hwaccel.report.results import SpeedRecord
from hwaccel.report.text import rate
from hwaccel.speed import Settings, compare, device_of
from hwaccel.verify import stimulus

SEED = 1


def main() -> None:
    """Compare and time what the command line names."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("networks", nargs="*", default=list(NETWORKS), metavar="NETWORK")
    parser.add_argument("--frames", type=int, default=32, help="frames compared bit for bit")
    parser.add_argument("--batch", type=int, default=1024, help="frames per timed call")
    parser.add_argument("--seconds", type=float, default=1.0, help="time for each executor")
    parser.add_argument("--device", help="cuda or cpu; by default cuda where there is a GPU")
    args = parser.parse_args()
    device = device_of(args.device)
    for name in args.networks:
        record = measured(name, device, args.frames, args.batch, args.seconds)
        compiler = "nvcc" if record.on_gpu else "g++"
        print_line(f"GPU against hardware, {name}", line(record), seed=SEED, using=(compiler,))


def measured(name: str, device: str, frames: int, batch: int, seconds: float) -> SpeedRecord:
    """Return the figures of one network."""
    model, design, _ = made(name)
    types = [value.type for value in design.graph.inputs]
    xs = stimulus.frames(types, frames, np.random.default_rng(SEED))
    return compare(design, xs, Settings((batch,), seconds, device, model), seed=SEED)


def line(record: SpeedRecord) -> str:
    """Return the figures on one line."""
    parts = [f"{record.device}, energy: {record.meter}"]
    for row in record.executors:
        (at,) = row.batches
        energy = f", {at.joules_per_frame:.3g} J each" if at.joules_per_frame else ""
        wrong = "" if row.mismatches is None else f", {row.mismatches} mismatches"
        parts.append(
            f"{row.executor}: {rate(at.frames_per_second)} frames/s at batch {at.batch:,}, "
            f"{row.latency_s * 1e6:,.0f} us for one{energy}{wrong}"
        )
    (hardware,) = record.hardware
    parts.append(
        f"hardware: {rate(hardware.frames_per_second)} frames/s at {hardware.clock_mhz:g} MHz, "
        f"{hardware.latency_s * 1e6:,.0f} us for one, predicted"
    )
    return f"{record.frames} frames; " + "; ".join(parts)


if __name__ == "__main__":
    main()
