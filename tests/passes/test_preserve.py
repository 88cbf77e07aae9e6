"""Every pass, and all of them together, keep every bit of every output."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hwaccel.ir import Graph, Interpreter
from hwaccel.passes import PIPELINE, Pass, optimize, run_passes
from hwaccel.passes.drop_dead import DropDead
from hwaccel.passes.intervals import channel_intervals
from tests.graphs import batches, graphs
from tests.passes.checks import assert_same

SETTINGS = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
PASSES = tuple(dict.fromkeys(p for chapter in PIPELINE.chapters for p in chapter.passes))


@pytest.mark.parametrize("item", PASSES, ids=lambda p: p.name)
@SETTINGS
@given(graph=graphs(), seed=st.integers(0, 1000))
def test_pass(item: Pass, graph: Graph, seed: int) -> None:
    graph = DropDead().run(graph)
    after = run_passes(graph, [item])
    assert (after is graph) == (after == graph)
    assert_same(graph, after, seed)


@SETTINGS
@given(graph=graphs(16), seed=st.integers(0, 1000))
def test_pipeline(graph: Graph, seed: int) -> None:
    after = optimize(graph)
    assert_same(graph, after, seed)
    assert optimize(after) is after


@SETTINGS
@given(graph=graphs(), seed=st.integers(0, 1000))
def test_channel_intervals_hold(graph: Graph, seed: int) -> None:
    intervals, types = channel_intervals(graph), graph.types()
    values = Interpreter(graph).trace(*batches(graph, seed))
    for name, (lo, hi) in intervals.items():
        assert lo.shape == hi.shape == (types[name].channels,)
        assert types[name].lo <= lo.min()
        assert hi.max() <= types[name].hi
        x = np.moveaxis(values[name], 1, -1)
        assert (lo <= x).all()
        assert (x <= hi).all()
