"""Compiled fast path against the cocotb-driven Verilator run, same design, cycles per second.

python benchmarks/sim_speed.py build/digits
"""

from __future__ import annotations

import sys
from pathlib import Path

from hwaccel import load, stages

FAST_FRAMES = 2000
COCOTB_FRAMES = 40


def main() -> None:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "build/digits")
    design = load(folder)
    rates = {}
    for simulator, frames in (("fast", FAST_FRAMES), ("verilator", COCOTB_FRAMES)):
        xs = stages.frames(design, frames, 1, None)
        design.simulate_raw([x[:2] for x in xs], simulator=simulator, workdir=folder / "work")
        result = design.simulate_raw(xs, simulator=simulator, workdir=folder / "work")
        rates[simulator] = result.cycles / result.seconds
        print(f"{simulator:10} {frames:5} frames {rates[simulator]:12,.0f} cycles/s")
    print(f"ratio      {rates['fast'] / rates['verilator']:.1f}   (bar: at least 10)")


if __name__ == "__main__":
    main()
