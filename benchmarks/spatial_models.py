"""Predicted area, speed and registers of circuits against Yosys and nextpnr.

python benchmarks/spatial_models.py area [WORD] LUTs of 50 designs on ECP5 and UltraScale+, or of
                                                those with WORD in their name
python benchmarks/spatial_models.py timing      clock asked for and clock reached, on ECP5
python benchmarks/spatial_models.py registers   register bits against the earliest possible stages

Results of the tools are kept in build/bench; delete the folder to measure again.
"""

from __future__ import annotations

import hashlib
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from hwaccel.circuit import Builder, Circuit, Lanes, Pipelined, Unit
from hwaccel.circuit.cost import breakdown, estimate
from hwaccel.circuit.delay import DelayModel, model_for
from hwaccel.circuit.lay_out import lay_out, pruned
from hwaccel.circuit.pipeline import check, earliest, pipeline
from hwaccel.cmvm import LUT4, LUT6, Settings, solve_many
from hwaccel.emit.circuit import emit_unit
from hwaccel.synth.nextpnr import place_and_route
from hwaccel.synth.target import target
from hwaccel.synth.yosys import Options, synthesize

FOLDER = Path("build/bench/spatial")
TARGETS = {"ecp5": "ecp5-85k", "xcup": "xcup"}
SEEDS = (1, 2)
# Designs by their place in the list, and the clock they are asked for.
CLOCKED = ((10, 150.0), (25, 125.0), (49, 150.0), (27, 180.0))
# An adder or a comparison is one unit. Area is measured with it, so that a new fit of the delays
# does not move registers and with them every measured result.
PLAIN = DelayModel(
    "plain", 4, launch_ns=0, capture_ns=0, route_ns=0, fanout_ns=0, sum_ns=1, carry_ns=0, lut_ns=0.4
)


@dataclass(frozen=True)
class Design:
    """A circuit to be made for a family; ``period`` in units of ``PLAIN``, 0 for no registers."""

    name: str
    make: Callable[[Builder], list[int]]
    inputs: int
    lo: int
    hi: int
    period: float = 0.0
    # As slow as logic beside the adders may be; without registers, practically any.
    delay_ps: int | None = None

    def circuit(self, family: str) -> Circuit:
        build = Builder()
        build.origin = "net"
        xs = [build.input(i, self.lo, self.hi) for i in range(self.inputs)]
        assert xs == list(range(self.inputs))
        outputs = self.make(build)
        model = LUT4 if family == "ecp5" else LUT6
        settings = Settings(effort="fast")
        return lay_out(
            build,
            [(self.lo, self.hi)] * self.inputs,
            outputs,
            lambda problems: solve_many(problems, settings, model),
        )

    def unit(self, family: str) -> Unit:
        circuit = self.circuit(family)
        if not self.period:
            return as_unit(pipeline(circuit, PLAIN, latency=0))
        return as_unit(pipeline(circuit, PLAIN, clock_ns=self.period))


def as_unit(piped: Pipelined) -> Unit:
    nodes = piped.circuit.nodes
    ins = piped.circuit.inputs
    ends = [nodes[i] for i in piped.circuit.outputs]
    lo, hi = ins[0]
    width = max(hi.bit_length(), (~lo if lo < 0 else 0).bit_length()) + (lo < 0)
    signed = any(n.signed for n in ends)
    out = max(n.width + (signed and not n.signed) for n in ends)
    return Unit(
        "dut",
        piped,
        (Lanes("in_data", len(ins), width, lo < 0),),
        (Lanes("out", len(ends), out, signed),),
    )


def _weights(
    rng: np.random.Generator, shape: tuple[int, ...], bits: int, kept: float
) -> np.ndarray:
    high = 1 << (bits - 1)
    return rng.integers(-high, high, shape) * (rng.random(shape) < kept)


def matrix(rows: int, columns: int, bits: int, kept: float, x: int, period: float) -> Design:
    def make(build: Builder) -> list[int]:
        rng = np.random.default_rng(rows * 1000 + columns * 10 + bits)
        weights = _weights(rng, (rows, columns), bits, kept)
        return build.linear(weights, range(columns), rng.integers(-9, 9, rows))

    name = f"matrix {rows}x{columns} w{bits} x{x} {kept:.0%}"
    high = 1 << (x - 1)
    return Design(name, make, columns, -high, high - 1, period)


def requantized(build: Builder, y: int, shift: int, bits: int, rounding: str) -> int:
    if rounding != "floor":
        y = build.offset(y, 1 << (shift - 1))
    y = build.even(y, shift) if rounding == "even" else build.shift(y, -shift)
    return build.clip(y, 0, (1 << bits) - 1)


def mlp(
    sizes: tuple[int, ...], bits: int, x: int, kept: float, rounding: str, period: float
) -> Design:
    def make(build: Builder) -> list[int]:
        rng = np.random.default_rng(sum(sizes) * 10 + bits)
        xs = list(range(sizes[0]))
        for layer, (columns, rows) in enumerate(pairwise(sizes), 2):
            weights = _weights(rng, (rows, columns), bits, kept)
            ys = build.linear(weights, xs, rng.integers(-9, 9, rows))
            shift = bits - 1 + columns.bit_length() // 2
            last = layer == len(sizes)
            xs = ys if last else [requantized(build, y, shift, x, rounding) for y in ys]
        return xs

    name = f"mlp {'-'.join(map(str, sizes))} w{bits} x{x} {kept:.0%} {rounding}"
    return Design(name, make, sizes[0], 0, (1 << x) - 1, period, 10_000 if period else 100_000)


def convolution(side: int, channels: int, bits: int, x: int, pool: bool, period: float) -> Design:
    def make(build: Builder) -> list[int]:
        rng = np.random.default_rng(side * 100 + channels * 10 + bits)
        kernel = _weights(rng, (channels, 9), bits, 0.7)
        image = np.arange(side * side).reshape(side, side)
        out = side - 2
        windows = [image[r : r + 3, c : c + 3].ravel() for r in range(out) for c in range(out)]
        ys = build.windows(kernel, np.array(windows), rng.integers(-9, 9, channels))
        zs = [[requantized(build, int(y), bits, x, "half") for y in row] for row in ys]
        maps = np.array(zs).T.reshape(channels, out, out)
        if not pool:
            return [int(i) for i in maps.ravel()]
        pairs = [
            m[r : r + 2, c : c + 2].ravel().tolist()
            for m in maps
            for r in range(0, out - 1, 2)
            for c in range(0, out - 1, 2)
        ]
        return [build.highest(p) for p in pairs]

    name = f"conv {side}x{side} c{channels} w{bits} x{x}{' pool' if pool else ''}"
    return Design(name, make, side * side, 0, (1 << x) - 1, period, 10_000 if period else 100_000)


def designs() -> Iterator[Design]:
    """50 designs: each shape without registers and with them, in turns."""
    for i, (rows, columns, bits, kept, x) in enumerate(
        [
            (4, 4, 4, 1.0, 4), (4, 4, 8, 1.0, 8), (8, 8, 2, 1.0, 8), (8, 8, 4, 1.0, 6),
            (8, 8, 6, 1.0, 8), (8, 8, 8, 0.5, 8), (8, 8, 8, 1.0, 12), (16, 16, 2, 1.0, 4),
            (16, 16, 4, 0.5, 8), (16, 16, 6, 0.3, 6), (16, 16, 8, 0.5, 8), (16, 16, 4, 1.0, 8),
            (32, 16, 4, 0.3, 6), (16, 32, 6, 0.2, 8), (32, 32, 3, 0.5, 4), (32, 32, 6, 0.1, 8),
            (1, 16, 8, 1.0, 8), (1, 64, 6, 1.0, 6), (24, 8, 5, 0.8, 5), (8, 24, 5, 0.8, 10),
            (12, 12, 7, 0.6, 7), (20, 20, 4, 0.4, 3),
        ]
    ):  # fmt: skip
        yield matrix(rows, columns, bits, kept, x, (0, 3, 1)[i % 3])
    for i, (sizes, bits, x, kept, rounding) in enumerate(
        [
            ((16, 8, 5), 4, 4, 1.0, "half"), ((16, 8, 5), 6, 6, 0.5, "even"),
            ((16, 16, 5), 4, 6, 0.5, "floor"), ((16, 16, 10), 6, 8, 0.4, "half"),
            ((8, 16, 8, 4), 5, 5, 0.6, "even"), ((16, 32, 10), 4, 6, 0.3, "half"),
            ((32, 16, 8), 6, 4, 0.3, "floor"), ((12, 12, 12, 3), 4, 8, 0.7, "even"),
            ((16, 24, 12, 5), 5, 6, 0.3, "half"), ((24, 24, 10), 3, 3, 0.6, "half"),
            ((10, 10, 10, 10), 6, 6, 0.5, "half"), ((40, 16, 5), 4, 5, 0.4, "even"),
            ((16, 64, 5), 3, 4, 0.2, "half"), ((8, 8, 8), 8, 8, 1.0, "half"),
            ((8, 8, 8), 8, 12, 0.6, "even"), ((64, 8, 4), 4, 4, 0.3, "floor"),
        ]
    ):  # fmt: skip
        yield mlp(sizes, bits, x, kept, rounding, (4, 0, 2)[i % 3])
    for i, (side, channels, bits, x, pool) in enumerate(
        [
            (4, 2, 4, 4, False), (4, 4, 6, 6, False), (6, 2, 4, 4, True), (6, 4, 4, 3, True),
            (5, 3, 6, 4, False), (6, 2, 8, 8, True), (8, 1, 4, 4, True), (8, 2, 3, 4, False),
            (5, 4, 3, 8, False), (7, 2, 5, 5, False), (10, 1, 4, 4, True), (6, 3, 5, 6, True),
        ]
    ):  # fmt: skip
        yield convolution(side, channels, bits, x, pool, (0, 4, 2)[i % 3])


# --- measured, and kept ------------------------------------------------------------------------


def kept(key: str, measure: Callable[[Path], dict[str, float]]) -> dict[str, float]:
    """Return what ``measure`` found for these inputs, now or earlier."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / f"{hashlib.sha256(key.encode()).hexdigest()[:20]}.json"
    if path.exists():
        return dict(json.loads(path.read_text()))
    found = measure(FOLDER / f"work{os.getpid()}")
    path.write_text(json.dumps(found))
    return found


def synthesized(files: dict[str, str], family: str, delay_ps: int | None) -> dict[str, float]:
    def measure(work: Path) -> dict[str, float]:
        work.mkdir(parents=True, exist_ok=True)
        sources = []
        for name, text in files.items():
            (work / name).write_text(text)
            sources.append(work / name)
        options = Options(dsp=False, delay_ps=delay_ps)
        made = synthesize(sources, "dut", target(TARGETS[family]), work / "yosys", options=options)
        used = made.utilization
        return {"luts": used.luts, "ffs": used.ffs, "seconds": made.seconds, **dict(used.cells)}

    text = json.dumps(files, sort_keys=True)
    return kept(f"yosys {family}{f' {delay_ps}' if delay_ps else ''} {text}", measure)


def area(word: str = "") -> None:
    rows = []
    for design in [d for d in designs() if word in d.name]:
        for family in TARGETS:
            piped = (unit := design.unit(family)).piped
            found = synthesized(emit_unit(unit, ("benchmark",)), family, design.delay_ps)
            guess = estimate(piped, family)
            kinds = {kind: part.luts for kind, part in breakdown(piped, family).items()}
            row = {
                "design": design.name, "family": family, "latency": piped.latency,
                "luts": found["luts"], "predicted": guess.luts,
                "ffs": found["ffs"], "predicted_ffs": guess.ffs, "kinds": kinds, "cells": found,
            }  # fmt: skip
            rows.append(row)
            print(
                f"{family} {design.name:34} latency {piped.latency:2} LUTs {found['luts']:6.0f} "
                f"{guess.luts:8.1f} {guess.luts / found['luts'] - 1:+6.1%}   "
                f"FFs {found['ffs']:5.0f} {guess.ffs:5}",
                flush=True,
            )
    for family in TARGETS:
        mine = [r for r in rows if r["family"] == family]
        for what, guess in (("luts", "predicted"), ("ffs", "predicted_ffs")):
            off = [abs(r[guess] / r[what] - 1) for r in mine if r[what] > 20]
            print(
                f"{family} {what}: {len(off)} designs, mean error {statistics.mean(off):.1%}, "
                f"worst {max(off):.1%}"
            )
    (FOLDER / f"area{word and '-'}{word}.json").write_text(json.dumps(rows, indent=1))


# --- timing ------------------------------------------------------------------------------------


def placed(files: dict[str, str], mhz: float, seed: int, delay_ps: int | None) -> dict[str, float]:
    def measure(work: Path) -> dict[str, float]:
        work.mkdir(parents=True, exist_ok=True)
        sources = []
        for name, text in files.items():
            (work / name).write_text(text)
            sources.append(work / name)
        device = target(TARGETS["ecp5"])
        options = Options(dsp=False, delay_ps=delay_ps)
        made = synthesize(sources, "dut", device, work / "yosys", options=options)
        done = place_and_route(
            made.netlist_json, device, work / "pnr", top="dut", clock_mhz=mhz, seed=seed
        )
        path = done.critical_path
        return {
            "luts": made.utilization.luts,
            "ns": 1000 / done.fmax_mhz,
            "seconds": done.seconds,
            "logic_ns": path.logic_ns if path else 0,
            "routing_ns": path.routing_ns if path else 0,
            "nets": path.nets if path else 0,
        }

    text = json.dumps(files, sort_keys=True)
    return kept(f"nextpnr {mhz} {seed}{f' {delay_ps}' if delay_ps else ''} {text}", measure)


def chain(copies: int, length: int, width: int, last: str = "") -> Pipelined:
    """Several chains of adders between two layers of registers, each perhaps with a last node."""
    build = Builder()
    high = 1 << (width - 1)
    count = copies * (length + 1)
    xs = [build.input(i, -high, high - 1) for i in range(count)]
    outputs = []
    for c in range(copies):
        first, *others = xs[c * (length + 1) : (c + 1) * (length + 1)]
        for other in others:
            first = build.sum(first, other)
        if last == "clip":
            first = build.clip(first, 0, high - 1)
        elif last == "bound":
            first = build.clip(first, -high + high // 3, high - high // 5)
        elif last == "even":
            first = build.even(first, width // 2)
        elif last == "max":
            first = build.maximum(first, xs[(c * (length + 1) - 1) % count])
        outputs.append(first)
    circuit = pruned(build, [(-high, high - 1)] * count, outputs)
    stages = [0 if n.kind in ("input", "constant") else 1 for n in circuit.nodes]
    return Pipelined(circuit, tuple(stages), 2)


CHAINS = (
    (1, 8, ""), (1, 32, ""), (2, 16, ""), (3, 8, ""), (3, 24, ""), (6, 12, ""), (6, 24, ""),
    (1, 12, "clip"), (2, 12, "bound"), (1, 16, "even"), (1, 12, "max"),
)  # fmt: skip


def timing() -> None:
    model = model_for("ecp5")
    rows = []
    for length, width, last in CHAINS:
        piped = chain(16, length, width, last)
        found = placed(emit_unit(as_unit(piped), ("benchmark",)), 400.0, 1, None)
        rows.append(_told(f"{length} adders of {width} bits {last}", piped, found, model, 0.0))
    for number, mhz in CLOCKED:
        design = list(designs())[number]
        piped = pipeline(design.circuit("ecp5"), model, clock_ns=1000 / mhz)
        files = emit_unit(as_unit(piped), ("benchmark",))
        for seed in SEEDS:
            found = placed(files, mhz, seed, round(1e6 / mhz))
            name = f"{design.name} seed {seed}"
            rows.append(_told(name, piped, found, model, mhz))
    (FOLDER / "timing.json").write_text(json.dumps(rows, indent=1))


def _told(
    name: str, piped: Pipelined, found: dict[str, float], model: DelayModel, mhz: float
) -> dict[str, object]:
    predicted = check(piped, model) or 0.0
    print(
        f"{name:44} {found['luts']:5.0f} LUTs latency {piped.latency:2} asked {mhz:5.1f} MHz  "
        f"predicted {predicted:6.2f} ns  reached {found['ns']:6.2f} ns (logic "
        f"{found['logic_ns']:5.2f}, wires {found['routing_ns']:5.2f} of {found['nets']:2.0f} nets)",
        flush=True,
    )
    return {"design": name, "mhz": mhz, "predicted_ns": predicted, **found}


def registers() -> None:
    """Compare register bits with those of the earliest stages, in designs of many sizes."""
    model = model_for("ecp5")
    for number, design in enumerate(designs()):
        circuit = design.circuit("ecp5")
        for mhz in (75.0, 125.0, 200.0) if number % 4 == 3 else ():
            start = time.perf_counter()
            piped = pipeline(circuit, model, clock_ns=1000 / mhz)
            seconds = time.perf_counter() - start
            naive = earliest(circuit, model, 1000 / mhz)
            print(
                f"{design.name:34} {mhz:5.0f} MHz latency {piped.latency:2}  "
                f"{piped.register_bits:6} bits, earliest stages {naive.register_bits:6} "
                f"({piped.register_bits / max(1, naive.register_bits) - 1:+6.1%})  "
                f"{len(circuit.nodes):5} nodes in {seconds:.2f} s",
                flush=True,
            )


if __name__ == "__main__":
    modes = {"area": area, "timing": timing, "registers": registers}
    modes[sys.argv[1] if len(sys.argv) > 1 else "area"](*sys.argv[2:])
