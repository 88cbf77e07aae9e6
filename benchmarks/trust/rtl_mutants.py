"""Mutants of emitted Verilog against the bench that ships with a project.

``python -m benchmarks.trust.rtl_mutants --count 600`` lets Yosys break designs of several networks,
of all styles, at one bit of one cell each, all mutants of a design in one Verilated model, and runs
the frames and stalls of the project's own ``sim/`` folder on each. Of those that pass, Yosys proves
which cannot be told from the design by any input; the others are survivors.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import hwaccel
from benchmarks.trust.line import print_line
from hwaccel import Config, FixedType, tools
from hwaccel.fxp import IntArray
from hwaccel.ir import Graph, GraphBuilder, TensorType
from hwaccel.ops import Conv2d, Dense, MaxPool2d, Requant, Reshape
from hwaccel.verify.rtl import run_bench

BITS = 16
# Cycles without a transfer after which a mutant counts as stuck: several times the longest frame.
PATIENCE = 4000

WAIVED = ("UNOPTFLAT", "WIDTH", "CMPCONST", "UNSIGNED", "LATCH", "MULTIDRIVEN", "SELRANGE")


def mlp() -> Graph:
    """Two dense layers with a rectifier that saturates."""
    rng = np.random.default_rng(5)
    b = GraphBuilder("mlp")
    x = b.input("x", TensorType.full((6,), FixedType.parse("s6.4")))
    for i, (inputs, outputs) in enumerate([(6, 8), (8, 3)]):
        weight = IntArray(rng.integers(-8, 8, (outputs, inputs)))
        bias = IntArray(rng.integers(-50, 50, outputs))
        x = b.add(f"fc{i}", Dense(weight, IntArray([0] * outputs), bias, 3), x)
        x = b.add(f"round{i}", Requant(4, 0, 63) if i == 0 else Requant(5, -32, 31), x)
    return b.build(x)


def cnn() -> Graph:
    """A convolution with padding, a pool, a head."""
    rng = np.random.default_rng(3)
    b = GraphBuilder("cnn")
    x = b.input("x", TensorType.full((1, 6, 6), FixedType.parse("u4.4")))
    weight, bias = rng.integers(-7, 8, (2, 1, 3, 3)), IntArray([9, -50])
    conv = Conv2d(IntArray(weight), IntArray([0, 1]), bias, 3, padding=(1, 1, 1, 1))
    x = b.add("act", Requant(4, 0, 31), b.add("conv", conv, x))
    x = b.add("flat", Reshape((18,)), b.add("pool", MaxPool2d((2, 2), (2, 2)), x))
    head = Dense(IntArray(rng.integers(-7, 8, (3, 18))), IntArray([0] * 3), IntArray([5, 0, -5]))
    return b.build(b.add("head", head, x))


DESIGNS: dict[str, tuple[Callable[[], Graph], Config]] = {
    "mlp, stream": (mlp, Config(multipliers=6)),
    "mlp, spatial": (mlp, Config(style="spatial", effort="fast", clock_mhz=60.0)),
    "cnn, stream": (cnn, Config(multipliers=6)),
    "cnn, pixel": (cnn, Config(style="auto", effort="fast", clock_mhz=60.0)),
}


@dataclass(frozen=True)
class Tried:
    """What became of the mutants of a design: number to what the bench said, and the commands."""

    said: dict[int, str]
    commands: dict[int, str]

    @property
    def alive(self) -> list[int]:
        """Those that the bench let pass."""
        return [number for number, text in self.said.items() if not text]


def yosys(folder: Path, lines: list[str], timeout_s: float = 1800.0) -> str:
    """Run a script in a folder; return what Yosys said."""
    (folder / "run.ys").write_text("\n".join(lines) + "\n")
    tool = tools.require("yosys")
    argv = [*tool.argv, "-Q", "-T", "run.ys"]
    return tools.run(argv, cwd=folder, env=tool.environ(), timeout_s=timeout_s).output


def break_design(design: hwaccel.Design, folder: Path, count: int, seed: int) -> dict[int, str]:
    """Write ``mutated.v``, the flat design with all mutants in it; return their commands."""
    files = design.verilog()
    for name, text in files.items():
        (folder / name).write_text(text, encoding="ascii")
    sources = " ".join(sorted(name for name in files if name.endswith(".v")))
    top = design.name
    yosys(
        folder,
        [
            f"read_verilog {sources}",
            f"hierarchy -check -top {top}",
            "proc",
            "flatten",
            "opt_clean -purge",
            "opt -full",
            "memory -nomap",
            "opt_clean -purge",
            f"mutate -list {count} -seed {seed} -ctrl mutant {BITS} 1 -o mutants.txt",
            "script mutants.txt",
            "opt_clean",
            "write_verilog -noattr mutated.txt",
        ],
    )
    # Whole nets seem to run in circles where a mutant stands between their bits; and what Yosys
    # writes is no model of style.
    text = (folder / "mutated.txt").read_text()
    waived = "".join(f"/* verilator lint_off {rule} */\n" for rule in WAIVED)
    (folder / "mutated.v").write_text(waived + text)
    lines = (folder / "mutants.txt").read_text().splitlines()
    return dict(enumerate((line for line in lines if line.startswith("mutate ")), 1))


def try_bench(design: hwaccel.Design, folder: Path, numbers: list[int]) -> dict[int, str]:
    """Run the project's bench on mutants; return what it said."""
    bench = {k: v for k, v in design.testbench().items() if k.endswith((".bin", "job.json"))}
    for name, data in bench.items():
        (folder / name).write_bytes(data if isinstance(data, bytes) else data.encode())
    job = json.loads((folder / "job.json").read_text())
    job |= {"mutants": numbers, "patience": PATIENCE}
    (folder / "job.json").write_text(json.dumps(job))
    files = {f"{design.name}.v": (folder / "mutated.v").read_text()}
    run_bench(files, design.name, "bench_mutants", folder, simulator="verilator", timeout_s=3000.0)
    said = json.loads((folder / "result.json").read_text())
    return dict(zip(numbers, said, strict=True))


def equivalent(design: hwaccel.Design, folder: Path, numbers: list[int]) -> set[int]:
    """Return those mutants that Yosys proves equal to the design, register by register."""
    lines = ["read_verilog mutated.v", "proc", "memory_map", "opt_clean", "design -save whole"]
    for number in numbers:
        lines += ["design -load whole"]
        for name, value in (("gold", 0), ("gate", number)):
            lines += [
                f"copy {design.name} {name}",
                f"cd {name}",
                f"connect -nounset -set mutant {BITS}'d{value}",
                "delete -input w:mutant",
                "cd ..",
            ]
        lines += [
            f"delete {design.name}",
            "opt -full",
            "equiv_make gold gate both",
            "hierarchy -top both",
            "opt_clean",
            "equiv_simple",
            "equiv_induct -seq 1",
            f"log mutant {number}",
            "equiv_status",
        ]
    said = yosys(folder, lines)
    proven = set()
    for part in said.split("\nmutant ")[1:]:
        if "Equivalence successfully proven!" in part:
            proven.add(int(part.split()[0]))
    return proven


def main() -> None:
    """Break, try, prove; print survivors and the figure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=600, help="mutants in all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="designs whose name begins so")
    parser.add_argument("--keep", type=Path, help="folder to work in and to keep")
    args = parser.parse_args()
    totals: Counter[str] = Counter()
    chosen = [name for name in DESIGNS if name.startswith(args.only)]
    for name in chosen:
        make, config = DESIGNS[name]
        design = hwaccel.design_from(make(), config)
        with tempfile.TemporaryDirectory(prefix="hwaccel-") as scratch:
            folder = args.keep / name.replace(", ", "-") if args.keep else Path(scratch)
            folder.mkdir(parents=True, exist_ok=True)
            commands = break_design(design, folder, args.count // len(chosen), args.seed)
            tried = Tried(try_bench(design, folder, list(commands)), commands)
            same = equivalent(design, folder, tried.alive) if tried.alive else set()
        survivors = [number for number in tried.alive if number not in same]
        for number in survivors:
            print(f"{name}: SURVIVED: {number}: {commands[number]}", flush=True)
        counts = {"tried": len(commands), "same": len(same), "alive": len(survivors)}
        print(f"{name}: {counts}", flush=True)
        totals.update(counts)
    different = totals["tried"] - totals["same"]
    killed = different - totals["alive"]
    print_line(
        "mutants of emitted Verilog, bench of the project",
        f"{killed} of {different} killed ({100 * killed / max(1, different):.1f} %), "
        f"{totals['same']} more are proved equivalent, {len(chosen)} designs",
        seed=args.seed,
        using=("yosys", "verilator"),
    )


if __name__ == "__main__":
    main()
