"""Every pass, and all of them together, keep every bit of every output."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hwaccel.ir import Graph, interpret, verify
from hwaccel.passes.drop_dead import DropDead
from hwaccel.passes import PIPELINE, Pass, optimize, run_passes
from tests.graphs import batches, graphs

SETTINGS = settings(
    max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
)
PASSES = tuple(dict.fromkeys(p for chapter in PIPELINE.chapters for p in chapter.passes))


def assert_same(before: Graph, after: Graph, seed: int) -> None:
    assert after.inputs == before.inputs
    assert after.outputs == before.outputs
    old, new = before.types(), after.types()
    for name in before.outputs:
        assert (new[name].shape, new[name].frac) == (old[name].shape, old[name].frac)
        assert old[name].lo <= new[name].lo <= new[name].hi <= old[name].hi
    xs = batches(before, seed)
    for name, a, b in zip(before.outputs, interpret(before, *xs), interpret(after, *xs)):
        np.testing.assert_array_equal(a, b, err_msg=name)


@pytest.mark.parametrize("item", PASSES, ids=lambda p: p.name)
@SETTINGS
@given(graph=graphs(), seed=st.integers(0, 1000))
def test_pass_preserves(item: Pass, graph: Graph, seed: int) -> None:
    after = run_passes(graph, [DropDead(), item])
    verify(after)
    assert_same(graph, after, seed)


@SETTINGS
@given(graph=graphs(14), seed=st.integers(0, 1000))
def test_pipeline_preserves(graph: Graph, seed: int) -> None:
    after = optimize(graph)
    assert_same(graph, after, seed)
    assert optimize(after) is after
