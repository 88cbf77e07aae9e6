"""Build Verilog with da4ml or alkaid through their public Python API; runs in their interpreter.

``python rivals.py job.json`` reads a job and writes ``result.json`` into its ``outdir``, beside one
folder per emitted design. It imports NumPy and the rival of the job, nothing else. Keys of a job:

``tool``       ``da4ml`` or ``alkaid``
``kind``       ``matrix`` or ``mlp``
``layers``     list of ``{weight, bias, shift, lo, hi}`` (a matrix: one layer without bias)
``input``      ``{signed, bits}``
``hard_dc``    depth limit of their solver (-1: none)
``search``     ``full`` (every method) or ``quick`` (their default)
``splits``     pipelines to emit: ``{}`` (combinational), ``{"cutoff": c}`` (the tool's latency per
               stage) or ``{"stages": n}`` (alkaid only)
``keep``       how many of the cheapest distinct designs to emit
``vectors``    how many random vectors to check with the tool's own interpreter
"""

import importlib
import itertools
import json
import re
import sys
import time
from pathlib import Path

import numpy as np

METHODS = ("wmc", "mc", "wmc-dc", "wmc-pdc", "mc-dc", "mc-pdc")
SECOND_METHODS = ("wmc", "mc", "wmc-dc", "mc-dc")
# How a hidden layer's rounding and saturation is told to a rival. All are exact.
ACTIVATIONS = ("saturate", "relu+saturate", "fold")


def reference(layers, x):
    """Return what the integer network computes for rows of ``x``."""
    for layer in layers:
        x = x @ np.asarray(layer["weight"], np.int64).T + np.asarray(layer["bias"], np.int64)
        if layer["shift"] is not None:
            half = 1 << layer["shift"] >> 1
            x = np.clip((x + half) >> layer["shift"], layer["lo"], layer["hi"])
    return x


class Da4ml:
    """The calls of da4ml that a job needs."""

    name = "da4ml"
    fuse = (None,)
    carry_sizes = (-1,)

    def __init__(self):
        self.trace = importlib.import_module("da4ml.trace")
        self.cmvm = importlib.import_module("da4ml.cmvm")
        self.codegen = importlib.import_module("da4ml.codegen")
        self.version = importlib.import_module("da4ml").__version__

    def solve(self, kernel, intervals, options):
        """Return the tool's own cost of one constant matrix."""
        extra = {"adder_size": 1, "carry_size": -1}
        return float(self.cmvm.solve(kernel, qintervals=intervals, **extra, **options).cost)

    def inputs(self, k, i, f, carry_size, options):
        hwconf = self.trace.HWConfig(1, carry_size, -1)
        array = self.trace.FixedVariableArray
        return array.from_kif(k, i, f, hwconf=hwconf, solver_options=options)

    def comb(self, inputs, outputs):
        return self.trace.comb_trace(inputs, outputs, keep_dead_inputs=True)

    def emit(self, comb, path, split, fuse):
        if split:
            pipeline = self.trace.to_pipeline(comb, split["cutoff"], verbose=False)
            self.codegen.RTLModel(pipeline, "dut", path, print_latency=False).write()
            return {"stages": len(pipeline.solutions), "reg_bits": int(pipeline.reg_bits)}
        self.codegen.RTLModel(comb, "dut", path, print_latency=False).write()
        return {"stages": 0}


class Alkaid:
    """The calls of alkaid that a job needs."""

    name = "alkaid"
    fuse = (True, False)
    carry_sizes = (-1, 1)

    def __init__(self):
        self.trace = importlib.import_module("alkaid.trace")
        self.cmvm = importlib.import_module("alkaid.cmvm")
        self.codegen = importlib.import_module("alkaid.codegen")
        self.version = importlib.import_module("alkaid").__version__

    def solve(self, kernel, intervals, options):
        """Return the tool's own cost of one constant matrix."""
        return sum(
            float(s.cost) for s in self.cmvm.cmvm_solve(kernel, qintervals=intervals, **options)
        )

    def inputs(self, k, i, f, carry_size, options):
        hwconf = self.trace.HWConfig(1, carry_size, -1)
        return self.trace.FVArray.from_kif(k, i, f, hwconf=hwconf, solver_options=options)

    def comb(self, inputs, outputs):
        return self.trace.trace(inputs, outputs, keep_dead_inputs=True)

    def emit(self, comb, path, split, fuse):
        named = {"cutoff": "latency_cutoff", "stages": "n_stages"}
        extra = {named[k]: v for k, v in split.items()}
        model = self.codegen.RTLModel(
            comb, path, "dut", print_latency=False, ternary_fuse=fuse, **extra
        )
        model.write()
        stages = len(list((path / "src").glob("logic*.v"))) if split else 0
        return {"stages": stages, "reg_bits": int(model.reg_bits) if split else 0}


def network(tool, job, options, activation, carry_size):
    """Trace the network of a job once and return the tool's combinational program."""
    count = len(job["layers"][0]["weight"][0])
    signed, bits = int(job["input"]["signed"]), job["input"]["bits"]
    k = np.full(count, signed)
    i, f = np.full(count, bits - signed), np.zeros(count, int)
    x = inputs = tool.inputs(k, i, f, carry_size, options)
    for layer in job["layers"]:
        x = x @ np.asarray(layer["weight"], np.float64).T
        bias = np.asarray(layer["bias"], np.float64)
        shift = layer["shift"]
        if shift is None:
            x = x + bias if bias.any() else x
            continue
        if (layer["lo"], layer["hi"]) != (0, 255):
            raise ValueError("only u8 activations are modelled")
        if activation == "fold":
            x = ((x + (bias + (1 << shift >> 1))) * 2.0**-shift).quantize(0, 8, 0, "SAT", "TRN")
            continue
        x = (x + bias) * 2.0**-shift
        if activation == "relu+saturate":
            x = x.relu()
        x = x.quantize(0, 8, 0, "SAT", "RND")
    return tool.comb(inputs, x)


def search(tool, job):
    """Solve the matrix with every method; return all costs and times, cheapest first."""
    kernel = np.ascontiguousarray(np.asarray(job["layers"][0]["weight"], np.float32).T)
    half = 2.0 ** (job["input"]["bits"] - 1)
    low, high = (-half, half - 1) if job["input"]["signed"] else (0.0, 2 * half - 1)
    intervals = [(low, high, 1.0)] * len(kernel)
    tried = []

    def attempt(first, second):
        options = {"method0": first, "method1": second, "hard_dc": job["hard_dc"]}
        start = time.perf_counter()
        try:
            cost = tool.solve(kernel, intervals, options)
        except (RuntimeError, ValueError) as error:
            tried.append({"options": options, "error": str(error)})
            return
        seconds = time.perf_counter() - start
        tried.append({"options": options, "cost": cost, "seconds": seconds})

    for method in METHODS if job["search"] == "full" else METHODS[:1]:
        attempt(method, "auto")
    if job["search"] == "full":
        best = min((t for t in tried if "cost" in t), key=lambda t: t["cost"])
        for method in SECOND_METHODS:
            attempt(best["options"]["method0"], method)
    return sorted((t for t in tried if "cost" in t), key=lambda t: t["cost"])


def structure(sources):
    """Count the instances of each helper module and the adder levels of combinational text."""
    counts, depths, deepest = {}, {}, 0
    pattern = re.compile(r"(\w+) #\(([^)]*)\) (op_\d+) ?\(([^;]*)\);")
    for path in sources:
        depths.clear()
        for line in path.read_text().splitlines():
            if not (found := pattern.search(line)):
                continue
            module, _, _, ports = found.groups()
            counts[module] = counts.get(module, 0) + 1
            names = re.findall(r"\b(v\d+)\b", ports)
            level = max((depths.get(n, 0) for n in names[:-1]), default=0)
            depths[names[-1]] = level + (module in ("shift_adder", "ternary_adder"))
            deepest = max(deepest, depths[names[-1]])
    adders = counts.get("shift_adder", 0) + 2 * counts.get("ternary_adder", 0)
    return {"instances": counts, "adders": adders, "depth": deepest}


def emitted(tool, comb, folder, split, fuse):
    """Write one design and describe it."""
    start = time.perf_counter()
    facts = tool.emit(comb, folder, split, fuse)
    seconds = time.perf_counter() - start
    own = [p for p in sorted((folder / "src").glob("*.v")) if not p.stem.endswith("_wrapper")]
    text = "\n".join(p.read_text() for p in own)
    helpers = sorted((folder / "src" / "static").glob("*.v"))
    needed = [p for p in helpers if re.search(rf"\b{p.stem}\b", text)]
    return {
        "top": "dut",
        "sources": [str(p.relative_to(folder.parent)) for p in own + needed],
        "split": split,
        "fuse": fuse,
        "emit_seconds": seconds,
        "in_widths": [int(sum(v)) for v in np.asarray(comb.inp_kifs).T],
        "out_kifs": [[int(v) for v in row] for row in np.asarray(comb.out_kifs).T],
        **structure(own),
        **facts,
    }


def check(comb, job):
    """Return how many outputs of the tool's own interpreter differ from the reference."""
    rng = np.random.default_rng(1)
    half = 1 << job["input"]["bits"] - 1
    low, high = (-half, half) if job["input"]["signed"] else (0, 2 * half)
    x = rng.integers(low, high, (job["vectors"], len(job["layers"][0]["weight"][0])))
    got = np.asarray(comb.predict(x.astype(np.float64)))
    return int((got.reshape(len(x), -1) != reference(job["layers"], x)).sum())


def described(tool, job, options, activation, carry, **facts):
    """Trace one variant, check it, and describe it."""
    start = time.perf_counter()
    comb = network(tool, job, options, activation, carry)
    return {
        "options": options,
        "activation": activation,
        "carry_size": carry,
        "cost": float(comb.cost),
        "latency": [float(v) for v in comb.latency],
        "trace_seconds": time.perf_counter() - start,
        "mismatches": check(comb, job),
        "comb": comb,
        **facts,
    }


def matrices(tool, job):
    """Trace the cheapest solutions of a matrix."""
    ranked = search(tool, job)
    whole = sum(t["seconds"] for t in ranked)
    traced, costs = [], []
    for one in ranked:
        if one["cost"] in costs or len(costs) >= job["keep"]:
            continue
        costs.append(one["cost"])
        facts = {"solver_cost": one["cost"], "solver_seconds": one["seconds"]}
        facts["search_seconds"] = whole
        carry = tool.carry_sizes[0]
        traced.append(described(tool, job, one["options"], "none", carry, **facts))
    return traced


def networks(tool, job):
    """Trace a network with every method, then the best method in every other way."""
    carry, traced = tool.carry_sizes[0], []
    for method in METHODS if job["search"] == "full" else METHODS[:1]:
        options = {"method0": method, "hard_dc": job["hard_dc"]}
        traced.append(described(tool, job, options, ACTIVATIONS[0], carry))
    best = min(traced, key=lambda t: t["cost"])["options"]
    for activation, carry in list(itertools.product(ACTIVATIONS, tool.carry_sizes))[1:]:
        traced.append(described(tool, job, best, activation, carry))
    return traced


def main():
    job = json.loads(Path(sys.argv[1]).read_text())
    out = Path(job["outdir"])
    tool = {"da4ml": Da4ml, "alkaid": Alkaid}[job["tool"]]()
    traced = (matrices if job["kind"] == "matrix" else networks)(tool, job)
    traced.sort(key=lambda t: t["cost"])
    total = sum(t["trace_seconds"] for t in traced)
    designs, costs = [], []
    for one in traced:
        comb = one.pop("comb")
        if one["cost"] in costs or len(costs) >= job["keep"]:
            continue
        costs.append(one["cost"])
        for split, fuse in itertools.product(job["splits"], tool.fuse):
            name = "_".join(f"{k}{v}" for k, v in split.items()) or "comb"
            folder = out / f"{len(costs) - 1}_{name}_{fuse}"
            design = emitted(tool, comb, folder, split, fuse)
            designs.append({**one, **design, "traces_seconds": total})
    result = {"tool": tool.name, "version": tool.version, "designs": designs, "tried": traced}
    (out / "result.json").write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
