"""What estimates count in every kind of block: the terms and paths that prices were fitted to.

Prices and delays of ``hwaccel/schedule/fits.py`` mean something for these amounts only. Whoever
counts otherwise fits them again (``benchmarks/estimates/fit.py``) and rewrites the golden file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from math import log2
from pathlib import Path as File

import numpy as np

from hwaccel.fxp import FixedType, IntArray
from hwaccel.ir import Graph, GraphBuilder, TensorType
from hwaccel.ir.hardware import Fold, Style
from hwaccel.ops import OP_BY_NAME, Concat, Conv2d, MaxPool2d, MinMax, Multiply, Requant, Tabulate
from hwaccel.schedule.buffers import size_buffers
from hwaccel.schedule.estimate import plan_area, terms
from hwaccel.schedule.plan import Plan, build_plan
from hwaccel.schedule.speed import Path, paths, plan_paths
from tests.emit.networks import branch_folds, branches, laid_out, small_cnn
from tests.verify.networks import skips, two_ins_two_outs
from tests.verify.packing import one_op

GOLDEN = File(__file__).parents[1] / "golden" / "estimates.txt"
BANNER = (
    "Golden file of tests/schedule/test_estimate_terms.py; pytest --update-golden rewrites it.\n"
    "Terms are LUTs/registers and blocks, paths their elements; prices are in schedule/fits.py.\n"
)
PIXEL = Fold(style=Style.PIXEL)
# Examples of operations, with their number of a fold (the slowest is 0).
EXAMPLES = (
    ("dense", "s8-4x12", -1), ("dense", "zero-weights", -1), ("dense", "one-input", 0),
    ("conv2d", "one-pixel", 0), ("conv2d", "depthwise", -1), ("maxpool2d", "overlap", -1),
    ("sumpool2d", "one", -1), ("sumpool2d", "3x3", -1), ("chansum", "interval", -1),
    ("chansum", "groups", -2), ("scale", "one-bit", -1), ("scale", "interval", -1),
    ("scale", "image", -1), ("table", "one-value", 0), ("table", "fine", 0), ("table", "vector", 0),
    ("gather", "select-one", 0), ("gather", "one-bit", 0), ("gather", "broadcast-one", 0),
    ("multiply", "image", -1), ("multiply", "mixed-sign", -1), ("requant", "odd-clip", 0),
    ("requant", "never-clips", 0), ("requant", "half_even-saturate", 0),
    ("requant", "half_up-wrap", 0), ("concat", "shifted", -1), ("concat", "align-right", -1),
    ("add", "align-left", -1), ("add", "minus-left", -1), ("minmax", "max-same", 0),
    ("minmax", "max-align", -1), ("minmax", "min-align", -1), ("relu", "s8-image", 0),
)  # fmt: skip


def plan_of(graph: Graph, folds: Mapping[str, Fold]) -> Plan:
    """Return a plan with these folds, and one by one where there is none."""
    every = {node.name: folds.get(node.name, Fold()) for node in graph.nodes}
    return size_buffers(build_plan(graph, every, laid_out(graph, every)))


def streams() -> Plan:
    """Two poolings, three kinds of convolution, a sum and a dense layer, in streams."""
    return plan_of(*small_cnn())


def curves() -> Plan:
    """A convolution of many zeros over a padded image, curves behind it, one of a block RAM."""
    rng = np.random.default_rng(5)
    b = GraphBuilder("curves")
    x = b.input("x", TensorType.full((4, 7, 9), FixedType.parse("u5.0")))
    weight = rng.integers(-8, 8, (4, 4, 5, 1))
    weight[:, 1:3] = 0
    conv = Conv2d(
        IntArray(weight), IntArray([0, 1, 2, 0]), IntArray([7, 0, -9, 30]), padding=(2, 0, 2, 0)
    )
    x = b.add("few", Requant(4, -16, 15), b.add("conv", conv, x))
    x = b.add("curve", Tabulate(IntArray(rng.integers(-99, 99, 32)), -16, 3), x)
    x = b.add("wide", Requant(-5, -4096, 4095), x)
    y = b.add("long", Tabulate(IntArray(rng.integers(-9, 9, 8192)), -4096, 0), x)
    return plan_of(b.build(y), {"conv": Fold(2, 2, skip=True), "curve": Fold(2, 2)})


def wide_lines() -> Plan:
    """A convolution over lines so long that they are kept in block RAM."""
    b = GraphBuilder("wide_lines")
    x = b.input("x", TensorType.full((4, 4, 80), FixedType.parse("s7.0")))
    weight = np.random.default_rng(6).integers(-3, 4, (2, 4, 3, 2))
    conv = Conv2d(IntArray(weight), IntArray([0, 0]), IntArray([0, 0]), dilation=(1, 2))
    return plan_of(b.build(b.add("conv", conv, x)), {"conv": PIXEL})


def passed_on() -> Plan:
    """A convolution that hands on a channel as it is, over as many pixels as 7 bits count."""
    b = GraphBuilder("passed_on")
    x = b.input("x", TensorType.full((2, 5, 9), FixedType.parse("s3.0")))
    weight = np.zeros((2, 2, 3, 3), dtype=np.int64)
    weight[0, 0, 1, 1], weight[1, 1] = 1, [[1, 0, 0], [0, 3, 0], [0, 0, -5]]
    conv = Conv2d(IntArray(weight), IntArray([0, 0]), IntArray([0, 0]), padding=(1, 1, 1, 1))
    return plan_of(b.build(b.add("conv", conv, x)), {"conv": PIXEL})


def small_lines() -> Plan:
    """A pooling over lines of which 6 bits would count all places but the last."""
    b = GraphBuilder("small_lines")
    x = b.input("x", TensorType.full((1, 3, 7), FixedType.parse("u2.0")))
    return plan_of(b.build(b.add("pool", MaxPool2d((2, 2), (1, 1)), x)), {"pool": PIXEL})


def joins() -> Plan:
    """Joins of two streams, each behind a FIFO: the smaller, the product, both together."""
    b = GraphBuilder("joins")
    types = (TensorType.full((2, 2, 3), FixedType.parse(text)) for text in ("s6.0", "u5.2"))
    x, y = (b.add("less", Requant(1, -16, 15), b.input("x", type)) for type in types)
    least = b.add("least", MinMax.of(b.type(x), b.type(y), False), x, y)
    both = b.add("both", Multiply(), least, y)
    return plan_of(b.build(b.add("all", Concat.of(b.type(both), b.type(x)), both, x)), {})


PLANS: dict[str, Callable[[], Plan]] = {
    "small_cnn": streams,
    "branches, in part laid out": lambda: plan_of(branches(), branch_folds("streams-between")),
    "two_ins_two_outs, laid out": lambda: plan_of(
        two_ins_two_outs(), dict.fromkeys(("total", "small"), PIXEL)
    ),
    "skips": lambda: plan_of(skips(), {}),
    "curves": curves,
    "wide_lines": wide_lines,
    "passed_on": passed_on,
    "small_lines": small_lines,
    "joins": joins,
}


def every_plan() -> Iterator[tuple[str, Plan]]:
    for name, make in PLANS.items():
        yield name, make()
    for op, label, at in EXAMPLES:
        (example,) = (e for e in OP_BY_NAME[op].examples() if e.label == label)
        fold = example.op.folds(*example.ins)[at]
        yield f"{op} {label} {fold}", plan_of(one_op(label, example.op, example.ins), {"y": fold})


def said(amounts: Mapping[str, float]) -> str:
    return " ".join(f"{name}={round(amount, 3):g}" for name, amount in amounts.items())


def lines_of(plan: Plan) -> Iterator[str]:
    """Yield what is counted in every block, a path by what it is and what it passes."""
    for block in plan.blocks:
        found = [term for term in terms(block, plan) if any(term[1:])]
        yield f"{block.name}: " + ", ".join(
            f"{t.name} {t.luts:g}/{t.ffs:g}"
            + f"+{t.dsps}dsp" * (t.dsps > 0)
            + f"+{t.rams}ram" * (t.rams > 0)
            for t in found
        )
        yield from (f"  {one.what}: {said(one.amounts)}" for one in paths(block, plan))


def text() -> str:
    made = [BANNER]
    for name, plan in every_plan():
        one, other = (list(lines_of(replace(plan, family=f))) for f in ("ecp5", "xcup"))
        changed = [line for line in other if line not in one]
        made.append(
            "\n".join([f"# {name}", *one, *(["# for xcup:"] * bool(changed)), *changed]) + "\n"
        )
    return "\n".join(made)


def test_what_is_counted_is_what_prices_were_fitted_to(
    same_as_file: Callable[[File, str], None],
) -> None:
    same_as_file(GOLDEN, text())


def test_the_paths_of_a_design_know_how_large_it_is() -> None:
    plan = replace(streams(), family="ecp5")
    size = log2(plan_area(plan).luts / 64)
    assert size > 3
    inside = [(block.name, one) for block in plan.blocks for one in paths(block, plan)]
    beats = {name: plan.streams[name].beats for name in (*plan.inputs, *plan.outputs)}
    assert beats == {"x": 48, "fc": 2, "pool1_to_2": 36}
    frames = [("x", 3), ("fc", 1), ("pool1_to_2", 3)]  # LUTs one behind another
    ports = [(name, Path("frame", {"register": 1.0, "level": float(n)})) for name, n in frames]
    assert plan_paths(plan) == [
        (name, Path(one.what, {**one.amounts, "distance": one.nets * size}))
        for name, one in (*inside, *ports)
    ]
