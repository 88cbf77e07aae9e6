"""Send graphs through every executor there is, many at a time, and compare with the reference.

Start-up and compilation cost more than the work, so that many designs share one program: one
translation unit for the C++ forms, one top for a simulation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from hwaccel.api import Design, design_from
from hwaccel.config import Config, LayerConfig
from hwaccel.emit.cuda import emit_cuda
from hwaccel.emit.hls import emit_hls
from hwaccel.errors import HwaccelError
from hwaccel.gpu.cuda import device_run, host_run
from hwaccel.gpu.torch_path import torch_run
from hwaccel.ir import Graph, Value, interpret
from hwaccel.ir.file import save_graph
from hwaccel.schedule.buffers import size_buffers
from hwaccel.schedule.plan import build_plan
from hwaccel.verify.csim import csim
from hwaccel.verify.jobs import Outcome, Stalls
from hwaccel.verify.rtl import Simulator
from tests.graphs import Ints
from tests.trust.reference import evaluate
from tests.verify import packing

STYLES = ("stream", "spatial", "pixel")
# Messages that end so are no refusals.
BUG = "report this"
# Cycles between two frames, for a design that is simulated.
MOST_CYCLES = 64
FREE, STALLED = Stalls(), Stalls("bursts", "some", 2)


@dataclass(frozen=True, eq=False)
class Case:
    """A graph, frames for it, and what the reference makes of them."""

    graph: Graph
    xs: tuple[Ints, ...]

    @cached_property
    def expected(self) -> tuple[Ints, ...]:
        """The outputs that the document of the graph means."""
        rows = [x.reshape(len(x), -1).tolist() for x in self.xs]
        types, count = self.graph.types(), len(self.xs[0])
        return tuple(
            np.array(batch, dtype=np.int64).reshape(count, *types[name].shape)
            for name, batch in zip(
                self.graph.outputs, evaluate(save_graph(self.graph), rows), strict=True
            )
        )

    def renamed(self, prefix: str) -> Case:
        """Return the case with ``prefix`` before every name, so that it can stand beside others."""
        graph = self.graph

        def value(old: Value) -> Value:
            return Value(prefix + old.name, old.type)

        nodes = [
            replace(n, output=value(n.output), inputs=tuple(prefix + i for i in n.inputs))
            for n in graph.nodes
        ]
        outputs = tuple(prefix + name for name in graph.outputs)
        inputs = tuple(map(value, graph.inputs))
        made = Case(Graph(prefix + graph.name, inputs, tuple(nodes), outputs), self.xs)
        made.__dict__["expected"] = self.expected
        return made

    def difference(self, found: Sequence[Ints]) -> str:
        """Return where ``found`` differs from the reference, or nothing."""
        for name, want, have in zip(self.graph.outputs, self.expected, found, strict=True):
            if have.dtype != np.int64 or have.shape != want.shape:
                return f"{name}: {have.dtype} {have.shape}, expected int64 {want.shape}"
            if not np.array_equal(want, have):
                at = tuple(int(i) for i in np.argwhere(want != have)[0])
                return f"{name}{list(at)}: {have[at]}, expected {want[at]}"
        return ""


@dataclass(frozen=True, eq=False)
class Built:
    """A case made into hardware."""

    case: Case
    style: str
    design: Design


def build(case: Case, style: str, seed: int) -> Built:
    """Schedule the case in a style; half of the streaming designs get folds at random.

    ``mixed`` draws the style of every layer.

    Raises:
        ScheduleError: the style is not legal for the graph.
    """
    case = case.renamed(f"{style[:2]}{seed}_")
    rng = np.random.default_rng([seed, 0xF01D])
    if style != "stream":
        layers = {}
        if style == "mixed":
            paths = [node.path for node in case.graph.nodes]
            layers = {p: LayerConfig(style=str(rng.choice(STYLES))) for p in paths}
        whole = "stream" if style == "mixed" else style
        config = Config(style=whole, layers=layers, effort="fast", clock_mhz=20.0)
        return Built(case, style, design_from(case.graph, config))
    design = design_from(case.graph, Config(multipliers=int(rng.choice([16, 64, 256]))))
    if rng.random() < 0.5:
        design = _refolded(design, rng)
    return Built(case, style, design)


def _refolded(design: Design, rng: np.random.Generator) -> Design:
    """Return the design with folds at random, if it is not too slow to simulate."""
    types = design.graph.types()
    folds = {}
    for node in design.graph.nodes:
        every = node.op.folds(*(types[name] for name in node.inputs))
        folds[node.name] = every[int(rng.integers(len(every)))]
    plan = build_plan(design.graph, folds)
    plan = size_buffers(plan) if plan.segments else plan
    slow = (plan.timing(2).interval or 0) > MOST_CYCLES
    return design if slow else replace(design, plan=plan)


# --- executors -----------------------------------------------------------------------------------

# Returns one line per design: where it differs, or nothing.
Executor = Callable[[Sequence[Built]], list[str]]


def golden(builts: Sequence[Built]) -> list[str]:
    """The NumPy model, of the graph as it was and as the passes left it."""
    return [
        built.case.difference(interpret(built.case.graph, *built.case.xs))
        or built.case.difference(built.design.golden.raw(*built.case.xs))
        for built in builts
    ]


def torch(builts: Sequence[Built]) -> list[str]:
    """The same on torch tensors."""
    return [built.case.difference(torch_run(built.design.graph, built.case.xs)) for built in builts]


def hls(builts: Sequence[Built]) -> list[str]:
    """The HLS C++ of all designs in one translation unit, under g++."""
    graph, xs = together(builts)
    folds = {name: fold for b in builts for name, fold in b.design.plan.folds.items()}
    files = emit_hls(graph, folds, _circuits(builts), name="fuzz", banner="", clock_mhz=100.0)
    return _apart(builts, csim(files, graph, xs))


def cuda_host(builts: Sequence[Built]) -> list[str]:
    """The CUDA arithmetic of all designs in one library, under g++."""
    graph, xs = together(builts)
    files = emit_cuda(graph, _circuits(builts), name="fuzz", banner="")
    return _apart(builts, host_run(files, graph, xs))


def cuda(builts: Sequence[Built]) -> list[str]:
    """The CUDA kernels of all designs in one library, on the first GPU."""
    graph, xs = together(builts)
    files = emit_cuda(graph, _circuits(builts), name="fuzz", banner="")
    return _apart(builts, device_run(files, graph, xs))


def together(builts: Sequence[Built]) -> tuple[Graph, list[Ints]]:
    """Return the graphs of all designs side by side, and all their frames."""
    graphs = [built.design.graph for built in builts]
    graph = Graph(
        "fuzz",
        tuple(value for g in graphs for value in g.inputs),
        tuple(node for g in graphs for node in g.nodes),
        tuple(name for g in graphs for name in g.outputs),
    )
    return graph, [x for built in builts for x in built.case.xs]


def _circuits(builts: Sequence[Built]) -> Mapping[str, object]:
    return {name: made for b in builts for name, made in b.design.plan.spatial.items()}


def _apart(builts: Sequence[Built], found: Sequence[Ints]) -> list[str]:
    rest = list(found)
    lines = []
    for built in builts:
        mine = [rest.pop(0) for _ in built.design.graph.outputs]
        lines.append(built.case.difference(mine))
    return lines


def simulation(simulator: Simulator, stalls: Sequence[Stalls]) -> Executor:
    """Return the executor that simulates the Verilog of all designs in one top.

    Where the sink never waits, the cycle in which each frame ends must be the predicted one.
    """

    def run(builts: Sequence[Built]) -> list[str]:
        designs = [packed(built) for built in builts]
        every = packing.run_packed(designs, stalls, simulator)
        return [outcome_line(d, stalls, o) for d, o in zip(designs, every, strict=True)]

    return run


def packed(built: Built) -> packing.Design:
    """Return the design with its frames, as a simulation takes it."""
    design, case = built.design, built.case
    return packing.Design(design.plan, design.netlist, case.xs, case.expected, design.verilog())


def outcome_line(
    design: packing.Design, stalls: Sequence[Stalls], outcomes: Sequence[Outcome]
) -> str:
    """Return what a simulation says of a design: a wrong bit, a broken rule, a wrong cycle."""
    errors = [str(outcome.error) for outcome in outcomes if outcome.error is not None]
    if errors:
        return errors[0]
    for stall, outcome in zip(stalls, outcomes, strict=True):
        if stall.backpressure != "none":
            continue
        result = outcome.get()
        arrivals = dict(zip(design.plan.inputs, map(list, result.offered), strict=True))
        predicted = design.plan.timing(len(design.xs[0]), arrivals).finished()
        if result.finished != predicted:
            return f"frames end in cycles {result.finished[:4]}, predicted {predicted[:4]}"
    return ""


QUICK: dict[str, Executor] = {
    "golden": golden,
    "torch": torch,
    "hls": hls,
    "cuda-host": cuda_host,
}
SIMULATED: dict[str, Executor] = {
    "icarus": simulation("icarus", (STALLED,)),
    "verilator": simulation("verilator", (FREE, STALLED)),
}
EXECUTORS = QUICK | SIMULATED
# Where there is a GPU; torch runs there, too.
ON_GPU: dict[str, Executor] = {"cuda": cuda}


def problems(executor: Executor, builts: Sequence[Built]) -> list[str]:
    """Return what ``executor`` says of every design; a batch that fails as a whole is split."""
    if not builts:
        return []
    try:
        return executor(builts)
    except (HwaccelError, ArithmeticError, LookupError, TypeError, ValueError) as error:
        if len(builts) == 1:
            return [f"{type(error).__name__}: {error}"]
    half = len(builts) // 2
    return problems(executor, builts[:half]) + problems(executor, builts[half:])
