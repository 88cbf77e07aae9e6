"""Every op, laid out element by element, means what its golden function says."""

from __future__ import annotations

import numpy as np
import pytest

from hwaccel.circuit import Builder, Circuit
from hwaccel.circuit.lay_out import lay_out
from hwaccel.circuit.tables import with_tables
from hwaccel.cmvm import Settings, solve_many
from hwaccel.ir.op import Example
from hwaccel.ops import OPS

FRAMES = 40
EXAMPLES = [pytest.param(e, id=f"{op.name}-{e.label}") for op in OPS for e in op.examples()]


def unrolled(example: Example) -> Circuit:
    build = Builder()
    build.origin = "op"
    intervals: list[tuple[int, int]] = []
    operands = []
    for t in example.ins:
        ids = [build.input(len(intervals) + i, t.lo, t.hi) for i in range(t.size)]
        intervals += [(t.lo, t.hi)] * t.size
        operands.append(np.array(ids).reshape(t.shape))
    y = example.op.unroll(build, *operands)
    assert y.shape == example.op.infer(*example.ins).shape
    settings = Settings(effort="fast")
    return lay_out(
        build, intervals, [int(i) for i in y.ravel()], lambda ps: solve_many(ps, settings)
    )


@pytest.mark.parametrize("example", EXAMPLES)
def test_unrolled_op_equals_golden(example: Example) -> None:
    circuit = unrolled(example)
    rng = np.random.default_rng(1)
    xs = [rng.integers(t.lo, t.hi + 1, (FRAMES, *t.shape)) for t in example.ins]
    for x, t in zip(xs, example.ins, strict=True):
        x[0], x[1] = t.lo, t.hi
    flat = np.concatenate([x.reshape(FRAMES, -1) for x in xs], axis=1)
    want = example.op.golden(*xs).reshape(FRAMES, -1)
    for form in (circuit, with_tables(circuit, 4), with_tables(circuit, 6)):
        found = form.evaluate(flat)
        assert np.array_equal(found, want)
        for column, output in enumerate(form.outputs):
            node = form.nodes[output]
            assert node.lo <= found[:, column].min()
            assert found[:, column].max() <= node.hi


@pytest.mark.parametrize("example", EXAMPLES)
def test_intervals_are_never_wider_than_the_type(example: Example) -> None:
    circuit = unrolled(example)
    type = example.op.infer(*example.ins)
    nodes = [circuit.nodes[i] for i in circuit.outputs]
    assert min(n.lo for n in nodes) >= type.lo
    assert max(n.hi for n in nodes) <= type.hi
