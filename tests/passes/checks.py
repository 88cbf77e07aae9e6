"""What every test of a pass checks."""

from __future__ import annotations

from textwrap import dedent

import numpy as np

from hwaccel.ir import Graph, interpret
from hwaccel.ir.text import parse_graph, print_graph
from hwaccel.ops import OP_BY_NAME
from hwaccel.passes import Pass, run_passes
from tests.graphs import batches


def parse(text: str) -> Graph:
    """Read the lines of a graph; its first line is added."""
    return parse_graph("graph g\n" + dedent(text), OP_BY_NAME)


def assert_same(before: Graph, after: Graph, seed: int = 0) -> None:
    """Both give the same bits; interfaces are the same, intervals at most tighter."""
    assert after.inputs == before.inputs
    assert after.outputs == before.outputs
    old, new = before.types(), after.types()
    for name in before.outputs:
        assert (new[name].shape, new[name].frac) == (old[name].shape, old[name].frac)
        assert old[name].lo <= new[name].lo <= new[name].hi <= old[name].hi
    xs = batches(before, seed)
    for name, a, b in zip(
        before.outputs, interpret(before, *xs), interpret(after, *xs), strict=True
    ):
        np.testing.assert_array_equal(a, b, err_msg=name)


def check(item: Pass, before: str, after: str) -> None:
    """``item`` makes ``after`` of ``before``, changes no bit, and finds no more to do."""
    graph = parse(before)
    made = run_passes(graph, [item])
    assert print_graph(made) == "graph g\n" + dedent(after).lstrip("\n")
    assert_same(graph, made)
    assert item.run(made) is made


def check_unchanged(item: Pass, text: str) -> None:
    graph = parse(text)
    assert item.run(graph) is graph
