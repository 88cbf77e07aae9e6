"""Random networks with random folds: forks, joins, width changes and all ops in one design."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from hwaccel.passes.drop_dead import DropDead
from hwaccel.tools import find
from hwaccel.verify.jobs import Outcome, Stalls
from tests.graphs import random_graph
from tests.verify.packing import Design, design, run_packed

pytestmark = [
    pytest.mark.rtl,
    pytest.mark.xdist_group("random_designs"),
    pytest.mark.skipif(find("iverilog") is None, reason="iverilog is not installed"),
]
COUNT = 40
STALLS = (Stalls(), Stalls("bursts", "none", 2), Stalls("some", "heavy", 3))


def _design(seed: int) -> Design | None:
    """Return a design that reads its inputs and puts out more than constants, or ``None``."""
    rng = np.random.default_rng(seed)
    graph = DropDead().run(random_graph(seed, int(rng.integers(2, 9))))
    if any(not graph.consumers(value.name) for value in graph.inputs):
        return None
    graph = replace(graph, name=f"random_{seed}")
    types = graph.types()
    folds = {}
    for node in graph.nodes:
        every = node.op.folds(*(types[name] for name in node.inputs))
        folds[node.name] = every[int(rng.integers(len(every)))]
    made = design(graph, folds, frames=3, seed=seed)
    slow = made.plan.timing(3).finished()[-1] > 3000
    constant = any(len(np.unique(y)) < 3 for y in made.expected)
    return None if slow or constant else made


@cache
def _simulated() -> list[tuple[Design, list[Outcome]]]:
    designs: list[Design] = []
    seed = 0
    while len(designs) < COUNT:
        made = _design(seed)
        designs += [made] if made else []
        seed += 1
    return list(zip(designs, run_packed(designs, STALLS, "icarus"), strict=True))


@pytest.mark.parametrize("number", range(COUNT))
def test_random_design_equals_golden_and_is_on_time(number):
    made, outcomes = _simulated()[number]
    results = [outcome.get() for outcome in outcomes]
    for result in results[:2]:
        arrivals = dict(zip(made.plan.inputs, map(list, result.offered), strict=True))
        assert result.finished == made.plan.timing(3, arrivals).finished(), made.netlist.name
