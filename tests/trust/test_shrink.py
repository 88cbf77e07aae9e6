"""A planted bug is found, shrunk to a node or two, and kept as a file that fails until then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hwaccel import ops
from hwaccel.fxp import Rounding
from hwaccel.fxp.arith import Array, round_shift
from hwaccel.ir import Op
from hwaccel.ops import requant
from tests.trust import shrink
from tests.trust.campaign import Campaign
from tests.trust.executors import EXECUTORS, Built
from tests.trust.shrink import Reproducer

SEEDS = range(40)


def _half_away(x: Array, shift: int, mode: Rounding) -> Array:
    """What NNgen does, and many a hand-written model: halves away from zero."""
    if mode is not Rounding.HALF_UP or shift <= 0:
        return round_shift(x, shift, mode)
    return np.sign(x) * ((np.abs(x) + (1 << (shift - 1))) // (1 << shift))


def _dropping(kind: type[Op], field: str, by: int):
    """An executor that reads one field of one op wrong."""

    def run(builts: Sequence[Built]) -> list[str]:
        changed = []
        for built in builts:
            graph = built.case.graph
            nodes = [
                replace(n, op=replace(n.op, **{field: getattr(n.op, field) + by}))
                if isinstance(n.op, kind)
                else n
                for n in graph.nodes
            ]
            changed.append((built, replace(graph, nodes=tuple(nodes))))
        return [
            built.case.difference(shrink.Interpreter(graph).run(*built.case.xs))
            for built, graph in changed
        ]

    return run


def _caught(folder: Path, name: str) -> Reproducer:
    """Run seeds until one fails; return what its file holds."""
    found = Campaign({name: EXECUTORS[name]}, folder, frames=16)
    for seed in SEEDS:
        found.run([seed])
        if found.tally.failed:
            break
    (file,) = folder.iterdir()
    return Reproducer.load(file)


def test_a_wrong_rounding_is_shrunk_to_its_node(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with monkeypatch.context() as planted:
        planted.setattr(requant, "round_shift", _half_away)
        kept = _caught(tmp_path, "golden")
        assert kept.problem()
    (node,) = kept.case.graph.nodes
    assert node.op.rounding is Rounding.HALF_UP
    assert [x.size for x in kept.case.xs] == [1]
    assert kept.problem() == ""  # the bug is gone


@pytest.mark.parametrize(
    ("kind", "field"),
    [(ops.Add, "a_shift"), (ops.Requant, "hi"), (ops.Tabulate, "lo")],
)
def test_a_planted_bug_is_shrunk_to_two_nodes_at_most(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: type[Op], field: str
) -> None:
    by = -1 if field == "lo" else 1
    monkeypatch.setitem(EXECUTORS, "planted", _dropping(kind, field, by))
    kept = _caught(tmp_path, "planted")
    assert len(kept.case.graph.nodes) <= 2
    assert any(isinstance(node.op, kind) for node in kept.case.graph.nodes)
    assert len(kept.case.xs[0]) == 1
    assert sum(x.size for x in kept.case.xs) <= 4


def test_a_design_that_cannot_be_made_is_a_failure(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def broken(self: object, *ins: object) -> object:
        raise IndexError("planted")

    with monkeypatch.context() as planted:
        planted.setattr(ops.Concat, "hardware", broken)
        kept = _caught(tmp_path, "golden")
        assert kept.executor == "build"
        assert kept.problem() == "IndexError: planted"
    assert len(kept.case.graph.nodes) == 1
    assert kept.problem() == ""
