"""Compare the optimizer of constant matrices with da4ml and alkaid.

    python benchmarks/cmvm_bench.py --rival-python /path/to/venv/bin/python --out cmvm.json

The rivals run in an environment of their own (extra ``rivals``) through their Python interface.
Their answers become ``AdderGraph``s, are checked against the matrix and counted with our cost
model, each at the method that is cheapest for the matrix and the depth. Times are processor time.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

MODES = {"free": -1, "min": 0, "min+2": 2}
METHODS = ("wmc", "mc", "wmc-pdc", "mc-pdc", "wmc-dc", "mc-dc")


def matrices(which: str) -> dict[str, np.ndarray]:
    """Nine uniform matrices, and twenty sparse ones as training leaves them."""
    found = {}
    for n in (16, 32, 64):
        for bits in (2, 4, 8):
            half = 1 << (bits - 1)
            found[f"{n}x{n} {bits}b"] = np.random.default_rng(0).integers(-half, half, (n, n))
    if which == "uniform":
        return found
    if which == "small":
        return {k: v for k, v in found.items() if not k.startswith("64")}
    rng = np.random.default_rng(1)
    shapes = [(16, 16), (16, 32), (32, 64), (32, 32), (64, 64)]
    sparse = {}
    for k in range(20):
        shape, zeros = shapes[k % 5], 0.5 if k < 10 else 0.8
        w = np.clip(np.rint(rng.normal(0, 10, shape)), -31, 31).astype(np.int64)
        w[rng.random(shape) < zeros] = 0
        sparse[f"s{k} {shape[0]}x{shape[1]} {zeros:.0%}"] = w
    return sparse if which == "sparse" else found | sparse


def rival_main(source: Path, target: Path) -> None:
    """Run in the rivals' environment: solve every matrix in every mode by every method."""
    import importlib

    solvers: dict[str, tuple[Any, dict[str, Any]]] = {
        "da4ml": (importlib.import_module("da4ml.cmvm").solve, {"adder_size": 1, "carry_size": -1}),
        "alkaid": (importlib.import_module("alkaid.cmvm").cmvm_solve, {}),
    }
    with np.load(source) as stored, target.open("w") as out:
        for key in stored.files:
            kernel = np.ascontiguousarray(stored[key].T.astype(np.float32))
            ranges = [(-128.0, 127.0, 1.0)] * kernel.shape[0]
            for mode, slack in MODES.items():
                for name, (solver, extra) in solvers.items():
                    for method in METHODS:
                        wall = time.process_time()
                        answer = solver(
                            kernel, method0=method, hard_dc=slack, qintervals=ranges, **extra
                        )
                        wall = time.process_time() - wall
                        stages = getattr(answer, "solutions", answer)
                        row = {"key": key, "mode": mode, "name": name, "method": method}
                        row |= {"time": wall, "stages": [_stage(s) for s in stages]}
                        out.write(json.dumps(row) + "\n")
                        print(key, mode, name, method, f"{wall:.3f} s", file=sys.stderr)


def _stage(stage: Any) -> dict[str, Any]:
    ops = []
    for op in stage.ops:
        if hasattr(op, "addr"):  # alkaid
            leaf = op.opcode == -1
            ids = (op.data[0], -1) if leaf else op.addr
            data = 0 if leaf else op.data[0]
        else:
            ids, data = (op.id0, op.id1), op.data
        ops.append([int(op.opcode), int(ids[0]), int(ids[1]), int(data)])
    return {
        "ops": ops,
        "shifts": [int(v) for v in stage.inp_shifts],
        "out": [[int(v) for v in stage.out_idxs], [int(v) for v in stage.out_shifts]],
        "negs": [bool(v) for v in stage.out_negs],
    }


def convert(stages: list[dict[str, Any]], inputs: int) -> Any:
    """Return a rival's answer as an ``AdderGraph`` without unused adders."""
    from hwaccel.cmvm import Adder, AdderGraph, Tap

    adds: list[Adder] = []
    wires = [(i, 0, False) for i in range(inputs)]  # node, power of two, negated
    for stage in stages:
        values: list[tuple[int, int, bool]] = []
        for opcode, a, b, data in stage["ops"]:
            if opcode == -1:
                node, scale, neg = wires[a]
                values.append((node, scale + stage["shifts"][a], neg))
                continue
            (na, sa, ga), (nb, sb, gb) = values[a], values[b]
            adds.append(Adder(na, nb, sb + data - sa, (ga != gb) != (opcode == 1)))
            values.append((inputs + len(adds) - 1, min(sa, sb + data), ga))
        wires = [
            (-1, 0, False) if i < 0 else (values[i][0], values[i][1] + s, values[i][2] != g)
            for i, s, g in zip(*stage["out"], stage["negs"], strict=True)
        ]
    used: set[int] = set()
    pending = [w[0] for w in wires]
    while pending:
        node = pending.pop()
        if node >= inputs and node not in used:
            used.add(node)
            pending += [adds[node - inputs].a, adds[node - inputs].b]
    name = {i: i for i in range(-1, inputs)} | {v: inputs + k for k, v in enumerate(sorted(used))}
    kept = [adds[v - inputs] for v in sorted(used)]
    return AdderGraph(
        inputs,
        (),
        tuple(Adder(name[x.a], name[x.b], x.shift, x.subtract) for x in kept),
        tuple(Tap(name[node], scale, neg) for node, scale, neg in wires),
    )


def measure(
    found: dict[str, np.ndarray], rivals: Path | None, efforts: list[str]
) -> list[dict[str, Any]]:
    from hwaccel.cmvm import (
        LUT6,
        Problem,
        Settings,
        adder_bound,
        minimum_depth,
    )
    from hwaccel.cmvm.solve import solve

    searched: dict[tuple[str, str, str], float] = {}
    theirs: dict[tuple[str, str, str], dict[str, Any]] = {}
    for line in rivals.read_text().splitlines() if rivals else ():
        row = json.loads(line)
        problem = Problem.of(found[row["key"]], -128, 127)
        graph = convert(row["stages"], problem.inputs)
        graph.check(problem)
        entry = _entry(graph, problem, row["time"]) | {"method": row["method"]}
        place = (row["key"], row["mode"], row["name"])
        searched[place] = searched.get(place, 0.0) + row["time"]
        if place not in theirs or entry["cost"] < theirs[place]["cost"]:
            theirs[place] = entry
    for place, seconds in searched.items():  # all methods: nobody knows the best one beforehand
        theirs[place]["search"] = seconds
    rows = []
    for key, w in found.items():
        free = Problem.of(w, -128, 127)
        for mode, slack in MODES.items():
            limit = None if slack < 0 else minimum_depth(free) + slack
            problem = Problem.of(w, -128, 127, depth_limit=limit)
            row: dict[str, Any] = {"key": key, "mode": mode}
            row |= {"bound": adder_bound(problem), "least_depth": minimum_depth(problem)}
            row |= {n: e for (k, m, n), e in theirs.items() if (k, m) == (key, mode)}
            for effort in efforts:
                with _no_cache():
                    began = time.process_time()
                    graph = solve(problem, Settings(effort=effort), LUT6)  # type: ignore[arg-type]
                    row[effort] = _entry(graph, problem, time.process_time() - began)
            rows.append(row)
    return rows


@contextlib.contextmanager
def _no_cache() -> Iterator[None]:
    """Let no answer of an earlier run stand for the work of this one."""
    from hwaccel.cmvm.solve import forget

    forget()
    with (
        tempfile.TemporaryDirectory() as folder,
        mock.patch.dict(os.environ, XDG_CACHE_HOME=folder),
    ):
        yield


def _entry(graph: Any, problem: Any, seconds: float) -> dict[str, Any]:
    from hwaccel.cmvm import LUT6

    return {
        "cost": graph.cost(problem, LUT6),
        "adders": len(graph.adds),
        "depth": graph.depth(problem),
        "time": seconds,
    }


def table(rows: list[dict[str, Any]], efforts: list[str]) -> str:
    names = [n for n in ("da4ml", "alkaid") if any(n in r for r in rows)]
    lines = ["matrix, depth | " + " | ".join([*names, *efforts]) + " | bounds: adders, depth"]
    for row in rows:
        cells = [
            f"{row[n]['cost']:.0f} LUT {row[n]['adders']} adders depth {row[n]['depth']} "
            f"{row[n]['time']:.2f} s{_ratio(row, n, names)}"
            for n in [*names, *efforts]
        ]
        head, tail = f"{row['key']}, {row['mode']}", f"{row['bound']}, {row['least_depth']}"
        lines.append(" | ".join([head, *cells, tail]))
    for mode in MODES:
        part = [r for r in rows if r["mode"] == mode]
        for effort in efforts if names else ():
            told = [f"sum, {mode}, {effort}:"]
            cheapest = [min((r[n] for n in names), key=lambda e: e["cost"]) for r in part]
            for what in ("cost", "adders", "time", "search"):
                if what in ("cost", "adders"):
                    best = sum(min(r[n][what] for n in names) for r in part)
                else:  # of the answer that is cheapest
                    best = sum(entry[what] for entry in cheapest)
                mine = sum(r[effort]["time" if what == "search" else what] for r in part)
                told.append(f"{what} {mine / max(best, 1e-9):.3f} x")
            worst = max(r[effort]["cost"] / min(r[n]["cost"] for n in names) for r in part)
            told.append(f"worst cost {worst:.3f} x")
            lines.append(" ".join(told))
    return "\n".join(lines)


def _ratio(row: dict[str, Any], name: str, names: list[str]) -> str:
    if name in names or not names:
        return ""
    return f" ({row[name]['cost'] / min(row[n]['cost'] for n in names):.3f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--set", default="uniform", choices=("uniform", "small", "sparse", "all"))
    parser.add_argument("--efforts", default="fast,normal,high")
    parser.add_argument("--rival-python", type=Path, help="interpreter that has the rivals")
    parser.add_argument("--rivals", type=Path, help="answers of the rivals; made if missing")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--rival-main", nargs=2, type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.rival_main:
        rival_main(*args.rival_main)
        return
    found = matrices(args.set)
    efforts = args.efforts.split(",")
    with tempfile.TemporaryDirectory() as folder:
        rivals = args.rivals
        if args.rival_python and not (rivals and rivals.is_file()):
            rivals = rivals or Path(folder) / "rivals.jsonl"
            stored = Path(folder) / "matrices.npz"
            np.savez(stored, **found)  # type: ignore[arg-type]
            command = [args.rival_python, __file__, "--rival-main", stored, rivals]
            subprocess.run([str(word) for word in command], check=True)
        rows = measure(found, rivals, efforts)
    if args.out:
        args.out.write_text(json.dumps(rows, indent=1) + "\n")
    print(table(rows, efforts))


if __name__ == "__main__":
    main()
