"""Circuits as C++: bit for bit under g++, for HLS and for CUDA, without a warning."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from hwaccel import resources, tools
from hwaccel.circuit import Builder, Lanes, Unit
from hwaccel.circuit.lay_out import pruned
from hwaccel.circuit.node import Sum3
from hwaccel.emit.circuit_c import DIALECTS, emit_circuit_c
from tests.emit.circuits import batch, random_circuit, sums, sums3, unit
from tests.emit.test_circuit import EVIL, hostile, small

GOLDEN = Path(__file__).parents[1] / "golden"
BANNER = ("Golden file of tests/emit/test_circuit_c.py; rewrite it with pytest --update-golden.",)
FLAGS = ("-std=c++14", "-O1", "-Wall", "-Wextra", "-Werror", "-Wno-unknown-pragmas")
compiles = pytest.mark.skipif(
    tools.find("g++") is None or tools.find("ap_types") is None, reason="missing: g++ or ap_types"
)

_PROGRAM = """#include <stdio.h>
#include <stdlib.h>

static long long next(FILE *f) {
    long long value = 0;
    if (fread(&value, 8, 1, f) != 1) exit(1);
    return value;
}

static void put(FILE *f, long long value) { fwrite(&value, 8, 1, f); }
"""


def _arrays(target: str, sides: Sequence[Lanes], prefix: str) -> str:
    dialect = DIALECTS[target]()
    return "".join(
        f"    {dialect.element(side)} {prefix}{i}[{side.count}];\n" for i, side in enumerate(sides)
    )


def _main(target: str, units: Sequence[Unit]) -> str:
    """Return a program that runs every unit on the vectors of UNIT.in."""
    text = _PROGRAM + "".join(f'#include "nodes/{u.name}.h"\n' for u in units)
    for u in units:
        names = [f"in{i}" for i in range(len(u.ins))] + [f"out{i}" for i in range(len(u.outs))]
        text += f"static void run_{u.name}(int count) {{\n"
        text += _arrays(target, u.ins, "in") + _arrays(target, u.outs, "out")
        text += f'    FILE *f = fopen("{u.name}.in", "rb"), *g = fopen("{u.name}.out", "wb");\n'
        text += "    for (int k = 0; k < count; k++) {\n"
        for i, side in enumerate(u.ins):
            text += f"        for (int j = 0; j < {side.count}; j++) in{i}[j] = next(f);\n"
        text += f"        net_nodes::{u.name}({', '.join(names)});\n"
        for i, side in enumerate(u.outs):
            text += f"        for (int j = 0; j < {side.count}; j++) put(g, out{i}[j]);\n"
        text += "    }\n    fclose(f);\n    fclose(g);\n}\n"
    return text + "int main() {\n" + "".join(f"    run_{u.name}(40);\n" for u in units) + "}\n"


def _assert_runs(target: str, units: Sequence[Unit], folder: Path) -> None:
    shutil.copytree(resources.templates() / target / "lib", folder / "hwa")
    (folder / "nodes").mkdir()
    for u in units:
        path = folder / "nodes" / f"{u.name}.h"
        path.write_text(emit_circuit_c(u, target, namespace="net_nodes"), encoding="ascii")
        batch(u.piped.circuit, 40).astype(np.int64).tofile(folder / f"{u.name}.in")
    (folder / "main.cpp").write_text(_main(target, units))
    headers = tools.require("ap_types").path
    argv = [
        *tools.require("g++").argv,
        *FLAGS,
        "-I.",
        "-isystem",
        headers,
        "main.cpp",
        "-o",
        "main",
    ]
    tools.run(argv, cwd=folder)
    tools.run([folder / "main"], cwd=folder)
    for u in units:
        want = u.piped.circuit.evaluate(batch(u.piped.circuit, 40))
        found = np.fromfile(folder / f"{u.name}.out", np.int64).reshape(want.shape)
        np.testing.assert_array_equal(found, want, err_msg=u.name)


def edges() -> Unit:
    """Sums that need a bit more than operands of 32, and a table far from zero."""
    b = Builder()
    b.origin = "e"
    intervals = [(-(1 << 31), (1 << 31) - 1)] * 2 + [(1 << 40, (1 << 40) + 4)]
    x, y, z = (b.input(i, *ends) for i, ends in enumerate(intervals))
    made = [
        b.sum(x, y),
        b.sum(x, y, 0, subtract=True),
        b.sum(y, x, 1),
        b.table(z, (5, -1, 0, 7, 2)),
        # Fits 32 bits, but what the first two add up to does not.
        b.add(Sum3(a=x, b=y, c=x, ups=(0, 0, 0), subtract=1, lo=-(1 << 31), hi=(1 << 31) - 1)),
    ]
    return unit(pruned(b, intervals, made), "edges")


@pytest.mark.hls
@compiles
def test_cuda_equals_evaluate(tmp_path):
    units = [unit(random_circuit(seed), f"u{seed}", 0, seed) for seed in range(30)]
    _assert_runs(
        "cuda",
        [
            *units,
            unit(sums(), "sums"),
            unit(sums3(), "sums3"),
            small(),
            hostile(),
            edges(),
            widths(),
        ],
        tmp_path,
    )


@pytest.mark.hls
@compiles
def test_hls_equals_evaluate(tmp_path):
    units = [unit(random_circuit(seed, 40), f"u{seed}", 0, seed) for seed in range(40, 43)]
    _assert_runs("hls", [*units, unit(sums3(60), "sums3"), small(), edges()], tmp_path)


@pytest.mark.parametrize("target", DIALECTS)
def test_hostile_names_stay_in_comments(target):
    found = emit_circuit_c(hostile(), target, banner=("banner",))
    assert found.isascii()
    for line in found.splitlines():
        assert "EVIL" not in line or re.match(r"    // ", line), line
        assert not line.endswith("\\")
    assert EVIL not in found


def test_names_are_those_of_the_verilog():
    found = emit_circuit_c(small(), "hls")
    assert "const ap_int<6> fc_t0 = ap_int<6>(x0) + (ap_int<6>(x1) << 1);  // x0 + 2*x1" in found
    assert "#pragma HLS PIPELINE II=1" in found


@pytest.mark.parametrize(("bits", "kind"), [(30, "int32_t"), (31, "int32_t"), (32, "int64_t")])
def test_cuda_takes_64_bits_only_where_needed(bits, kind):
    b = Builder()
    b.origin = "s"
    intervals = [(-(1 << (bits - 1)), (1 << (bits - 1)) - 1), (-1, 0)]
    made = b.sum(b.input(0, *intervals[0]), b.input(1, *intervals[1]))
    found = emit_circuit_c(unit(pruned(b, intervals, [made]), "wide"), "cuda")
    assert f"const {kind} s_t0 = " in found


def widths() -> Unit:
    """Every kind of node at the edge of 32 bits: just within, and a bit more."""
    b = Builder()
    b.origin = "w"
    intervals = [(0, (1 << bits) - 1) for bits in (28, 29, 30, 31)]
    xs = [b.input(i, *ends) for i, ends in enumerate(intervals)]
    made = [b.sum(xs[0], x) for x in xs[1:]]
    made += [b.sum(x, xs[0], 1) for x in xs[:3]]
    made += [
        b.add(Sum3(a=xs[0], b=x, c=x, ups=(0, 1, 0), subtract=0, lo=0, hi=1 << 31)) for x in xs
    ]
    most = (1 << 31) - 1  # as much as fits; what two of the three add up to is far below
    made.append(b.add(Sum3(a=xs[0], b=xs[0], c=xs[0], ups=(0, 0, 0), subtract=0, lo=0, hi=most)))
    made += [b.clip(x, 5, (1 << 27) - 9) for x in xs]
    made += [b.wrap(x, -(1 << 26), (1 << 26) - 1) for x in xs]
    made += [b.clip(xs[0], 0, 1 << top) for top in (25, 26)]
    made += [b.shift(xs[1], -3), b.shift(xs[0], 3), b.even(xs[2], 4), b.maximum(xs[2], xs[3])]
    return unit(pruned(b, intervals, made), "widths")


@pytest.mark.parametrize("target", DIALECTS)
def test_golden(target, same_as_file):
    """What changed; the programs above say whether it is right."""
    units = [small(), edges(), widths(), unit(random_circuit(5, 40), "random", 0)]
    found = "\n".join(emit_circuit_c(u, target, banner=BANNER) for u in units)
    same_as_file(GOLDEN / f"circuit_{target}.h", found)
