"""Two small designs and the records a full run leaves, for the tests of the report."""

from __future__ import annotations

from functools import cache

import numpy as np

from hwaccel.config import Config
from hwaccel.fxp import FixedType, IntArray
from hwaccel.ir import Graph, GraphBuilder, TensorType
from hwaccel.ops import Add, Conv2d, Dense, MaxPool2d, Requant, Reshape
from hwaccel.report.model import Report, build_report
from hwaccel.report.results import (
    AccuracyRecord,
    AccuracyRow,
    AsicRecord,
    CsimRecord,
    PartRow,
    Results,
    SimRecord,
    SynthRecord,
    TrainRecord,
)
from hwaccel.schedule.choices import schedule
from hwaccel.schedule.plan import Plan

HASH = "0123456789abcdef"
CONFIG = Config(multipliers=32)
VERSIONS = {"hwaccel": "0.1.0", "numpy": "1.26.4"}


def dense(outputs: int, inputs: int, seed: int) -> Dense:
    rng = np.random.default_rng(seed)
    weight = rng.integers(-7, 8, (outputs, inputs))
    weight[0, 0] = 0
    zeros = np.zeros(outputs, dtype=np.int64)
    return Dense(IntArray(weight), IntArray(zeros), IntArray(zeros), 3)


def conv(outputs: int, inputs: int, seed: int) -> Conv2d:
    weight = np.random.default_rng(seed).integers(-7, 8, (outputs, inputs, 3, 3))
    zeros = np.zeros(outputs, dtype=np.int64)
    return Conv2d(IntArray(weight), IntArray(zeros), IntArray(zeros), 3, padding=(1, 1, 1, 1))


def mlp(names: tuple[str, str] = ("fc1", "fc2"), path: str = "layers.0") -> Graph:
    """Four nodes; ``names`` and ``path`` may be hostile."""
    b = GraphBuilder("mlp")
    v = b.input("x", TensorType.full((16,), FixedType.parse("u8.8")))
    v = b.add(names[0], dense(8, 16, 1), v, path=path)
    v = b.add("relu1", Requant(8, 0, 255), v, path=path)
    v = b.add(names[1], dense(4, 8, 2), v, path="layers.2")
    return b.build(b.add("out", Requant(4, -128, 127), v, path="layers.2"))


def cnn() -> Graph:
    """A convolution, a pool, a residual block, a flatten that costs nothing, a classifier."""
    b = GraphBuilder("cnn")
    v = b.input("x", TensorType.full((1, 8, 8), FixedType.parse("u4.4")))
    v = b.add("stem", conv(4, 1, 1), v, path="stem")
    v = b.add("stem_q", Requant(2, 0, 255), v, path="stem.relu")
    skip = v = b.add("pool", MaxPool2d((2, 2), (2, 2)), v, path="pool")
    v = b.add("block", conv(4, 4, 2), v, path="block.conv")
    v = b.add("block_q", Requant(6, -128, 127), v, path="block.conv")
    v = b.add("sum", Add.of(b.type(v), b.type(skip)), v, skip, path="block")
    v = b.add("sum_q", Requant(1, 0, 255), v, path="block.relu")
    v = b.add("flat", Reshape((64,), True), v, path="flatten")
    return b.build(b.add("head", dense(10, 64, 3), v, path="head"))


@cache
def planned(make: str) -> tuple[Graph, Plan]:
    graph = {"mlp": mlp, "cnn": cnn}[make]()
    return graph, schedule(graph, CONFIG)


def full_results(plan: Plan) -> Results:
    """Everything that ``make demo`` leaves."""
    timing = plan.timing(4)
    free = SimRecord(
        simulator="fast",
        frames=1000,
        mismatches=0,
        latency=timing.latency,
        interval=timing.interval,
        predicted_latency=timing.latency,
        predicted_interval=timing.interval,
        seconds=1.5,
        seed=3,
        command="hwaccel sim build/ --simulator fast",
        tool_versions={"verilator": "5.048"},
    )
    stalled = SimRecord(
        simulator="icarus",
        frames=4,
        mismatches=0,
        latency=timing.latency + 99,
        interval=timing.interval + 50,
        idle="some",
        backpressure="heavy",
    )
    synth = SynthRecord(
        target="ecp5-85k",
        luts=4182,
        lut4_equivalents=4182,
        ffs=3000,
        dsps=39,
        block_rams=4,
        parts={"stem_q": PartRow(400, 300, 2, 0), "": PartRow(3782, 2700, 37, 4)},
        fmax_mhz=93.4,
        clock_mhz=80.0,
        routed=True,
        seconds=200.0,
        tool_versions={"yosys": "0.60"},
    )
    cells = AsicRecord(
        target="osu018",
        library="osu018_stdcells",
        area=187_412.0,
        register_area=93_706.0,
        gate_equivalents=9371.4,
        kinds={"combinational": 4000, "registers": 812},
        clock_mhz=250.0,
        fmax_mhz=204.8,
        setup_slack_ns=-0.883,
        hold_slack_ns=0.121,
        path_from="features.0",
        path_to="features.0",
        power_w=0.0123,
        leakage_w=4.5e-7,
        frames=3,
        cycles=1234,
        macros={"256x16": 2},
        tool_versions={"opensta": "2.5"},
    )
    rows = (
        AccuracyRow("float", 988, 1000),
        AccuracyRow("golden", 985, 1000),
        AccuracyRow("RTL", 985, 1000),
    )
    return Results(
        {
            "accuracy": AccuracyRecord(rows=rows, data="digits"),
            "csim-hls": CsimRecord(what="hls", frames=1000, mismatches=0, seconds=0.5),
            "sim-fast": free,
            "sim-icarus": stalled,
            "synth": synth,
            "synth-osu018": cells,
            "train": TrainRecord(what="pruning", epochs=5, sparsity=0.5, seconds=300.0),
        }
    )


def report(make: str = "cnn", results: Results | None = None) -> Report:
    graph, plan = planned(make)
    found = full_results(plan) if results is None else results
    return build_report(graph, plan, CONFIG, found, design_hash=HASH, versions=VERSIONS)


def bare(make: str = "cnn") -> Report:
    return report(make, Results())
