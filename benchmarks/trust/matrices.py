"""Random constant matrices from search to Verilog, every step compared exactly.

``python -m benchmarks.trust.matrices --count 10000`` draws matrices of 1 to 24 rows and columns,
entries of 1 to 12 bits, inputs of every sign. For each, the adder graph that the search found is
compared with the matrix as linear forms; so are the sums of the circuit that it is laid out as;
the Verilog printed for it is parsed back and compared with the circuit node for node; and the
circuit computes what big integers give, on vectors that like the ends.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from dataclasses import dataclass

import numpy as np

from benchmarks.trust.line import print_line
from hwaccel.circuit import Builder, Circuit, Lanes, Pipelined, Unit
from hwaccel.circuit.lay_out import lay_out
from hwaccel.cmvm import AdderGraph, Problem, Settings, solve_many
from hwaccel.emit.circuit import emit_unit
from hwaccel.verify.circuit import check_circuit

LARGEST = 24
WIDEST = 12
# Weights that are not zero, in most matrices; one in twenty has as many as it has places.
DIGITS = 60
VECTORS = 20


@dataclass(frozen=True)
class Drawn:
    """A matrix, a bias, and the interval of every input."""

    matrix: np.ndarray
    bias: np.ndarray
    ends: tuple[tuple[int, int], ...]
    extra_depth: int | None
    latency: int


def draw(rng: np.random.Generator) -> Drawn:
    """Draw a matrix: its shape, the width of its entries, how many are zero, shifts, the inputs."""
    rows, columns, bits = (int(rng.integers(1, top + 1)) for top in (LARGEST, LARGEST, WIDEST))
    low = -(1 << (bits - 1)) if rng.random() < 0.8 else 0
    matrix = rng.integers(low, (1 << bits) + low, (rows, columns))
    if rng.random() > 0.05:
        share = DIGITS / (rows * columns * max(1.0, bits / 3))
        matrix[rng.random(matrix.shape) > share * rng.uniform(0.3, 1.5)] = 0
    if rng.random() < 0.3:
        matrix <<= rng.integers(0, 5, (rows, 1))
    if rng.random() < 0.3:
        matrix <<= rng.integers(0, 4, (1, columns))
    if rows > 1 and rng.random() < 0.3:
        matrix[0] = matrix[-1] * rng.choice([1, -1, 2, -4])
    bias = rng.integers(-1000, 1001, rows) * (rng.random() < 0.5)
    ends = tuple(_interval(rng) for _ in range(columns))
    extra = None if rng.random() < 0.5 else int(rng.integers(0, 3))
    return Drawn(matrix, bias, ends, extra, int(rng.integers(0, 3)))


def _interval(rng: np.random.Generator) -> tuple[int, int]:
    """Return a whole format, or any other interval of it."""
    bits = int(rng.integers(1, WIDEST + 1))
    lo, hi = (0, (1 << bits) - 1) if rng.random() < 0.5 else (-(1 << bits - 1), (1 << bits - 1) - 1)
    if rng.random() < 0.7:
        return lo, hi
    a, b = sorted(int(v) for v in rng.integers(lo, hi + 1, 2))
    return (a, b) if a < b else (lo, hi)


def solved(problems: list[Problem]) -> list[AdderGraph]:
    """Search, and compare with the matrices before anything is made of the answers."""
    graphs = solve_many(problems, Settings(effort="fast"))
    for graph, problem in zip(graphs, problems, strict=True):
        graph.check(problem)
    return graphs


def laid_out(drawn: Drawn) -> Circuit:
    """Return the circuit of a matrix; its sums are compared with the matrix on the way."""
    build = Builder()
    build.origin = "matrix"
    xs = [build.input(i, lo, hi) for i, (lo, hi) in enumerate(drawn.ends)]
    ys = build.linear(drawn.matrix, xs, drawn.bias)
    build.label(ys)
    return lay_out(build, drawn.ends, ys, lambda ps: solved(list(ps)), drawn.extra_depth)


def unit_of(circuit: Circuit, latency: int) -> Unit:
    """Return the circuit with ports, and with registers at even distances."""
    stages = [0] * len(circuit.nodes)
    depth = [0] * len(circuit.nodes)
    for number, node in enumerate(circuit.nodes):
        depth[number] = max((depth[i] + 1 for i in node.operands), default=0)
    deepest = max(depth, default=0) + 1
    if latency:
        stages = [d * latency // deepest for d in depth]
    outs = tuple(circuit.nodes[i] for i in circuit.outputs)
    ins = tuple(
        Lanes(
            name, len(part), max(_width(lo, hi) for lo, hi in part), any(lo < 0 for lo, _ in part)
        )
        for name, part in (("in_data", circuit.inputs),)
    )
    width = max(node.width + (not node.signed) for node in outs)
    return Unit(
        "matrix",
        Pipelined(circuit, tuple(stages), latency),
        ins,
        (Lanes("y", len(outs), width, True),),
    )


def _width(lo: int, hi: int) -> int:
    return max(1, max(hi, ~lo if lo < 0 else 0).bit_length() + 1)


def check(drawn: Drawn, rng: np.random.Generator) -> int:
    """Check one matrix in every way; return its number of adders."""
    circuit = laid_out(drawn)
    unit = unit_of(circuit, drawn.latency)
    (text,) = emit_unit(unit, ("made by a benchmark",)).values()
    check_circuit(text, unit)
    lo, hi = (np.array(ends) for ends in zip(*drawn.ends, strict=True))
    x = rng.integers(lo, hi + 1, (VECTORS, len(lo)))
    x[0], x[1] = lo, hi
    x[2:8] = np.where(rng.random((6, len(lo))) < 0.5, lo, hi)
    rows = list(zip(drawn.matrix.tolist(), drawn.bias.tolist(), strict=True))
    due = [
        [sum(w * v for w, v in zip(row, vector, strict=True)) + c for row, c in rows]
        for vector in x.tolist()
    ]
    assert circuit.evaluate(x).tolist() == due
    return circuit.counts()["sum"]


def check_many(count: int, seed: int) -> int:
    """Check so many matrices; return how many adders they have together."""
    adders = 0
    for number in range(count):
        rng = np.random.default_rng((seed, number))
        drawn = draw(rng)
        try:
            adders += check(drawn, rng)
        except Exception as error:
            raise AssertionError(f"matrix {number} of seed {seed}: {error}") from error
    return adders


def main() -> None:
    """Check as many as asked for, and print the figure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hwaccel-") as folder:
        # Searched anew: no cache answers.
        os.environ["XDG_CACHE_HOME"] = folder
        adders = check_many(args.count, args.seed)
    print_line(
        "constant matrices, search to parsed Verilog",
        f"{args.count} matrices, {adders} adders, 0 differences",
        seed=args.seed,
    )


if __name__ == "__main__":
    main()
