"""A slice of the campaign, and every network that ever failed.

``python -m benchmarks.trust.fuzz`` is the whole of it; it writes what fails into ``reproducers``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from hwaccel.fxp import Rounding
from hwaccel.ir import Interpreter
from hwaccel.ops import OPS, Requant
from hwaccel.tools import find
from tests.trust.campaign import Campaign, case_of
from tests.trust.executors import EXECUTORS, QUICK
from tests.trust.graphs import random_graph
from tests.trust.netlists import TARGETS, netlist
from tests.trust.shrink import REPRODUCERS, Reproducer

FILES = sorted(REPRODUCERS.glob("*.json"))


def needs(*tools: str) -> Callable[..., pytest.MarkDecorator]:
    missing = [tool for tool in tools if find(tool) is None]
    return pytest.mark.skipif(bool(missing), reason=f"needs {', '.join(missing)}")


def _run(executors: dict, seeds: range, tmp_path: Path, **options) -> Campaign:
    lines: list[str] = []
    campaign = Campaign(executors, tmp_path, say=lines.append, **options)
    campaign.run(seeds)
    assert not campaign.tally.failed, "\n".join(lines)
    compared = Counter(name for name, _ in campaign.tally.compared.elements())
    assert all(compared[name] >= len(seeds) for name in executors)
    assert sum(campaign.tally.refused.values()) <= len(seeds) // 10
    return campaign


@pytest.mark.hls
@needs("g++", "ap_types")
def test_golden_torch_hls_and_cuda_equal_the_reference(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    _run(QUICK, range(4), tmp_path)


@needs("g++")
def test_golden_torch_and_cuda_equal_the_reference(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    _run({name: QUICK[name] for name in QUICK if name != "hls"}, range(1000, 1030), tmp_path)


@pytest.mark.rtl
@pytest.mark.slow
@needs("iverilog", "verilator", "g++")
@pytest.mark.parametrize("simulator", ["icarus", "verilator"])
def test_simulations_equal_the_reference(simulator: str, tmp_path: Path) -> None:
    _run({simulator: EXECUTORS[simulator]}, range(20), tmp_path)


@pytest.mark.synth
@pytest.mark.slow
@needs("iverilog", "yosys")
@pytest.mark.parametrize("target", TARGETS)
def test_netlists_equal_the_reference(target: str, tmp_path: Path) -> None:
    _run({target: netlist(target)}, range(3), tmp_path, frames=16)


@pytest.mark.rtl
@pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
def test_what_once_failed_does_not(file: Path) -> None:
    assert Reproducer.load(file).problem() == ""


def test_graphs_reach_every_op_mode_and_width() -> None:
    graphs = [random_graph(seed) for seed in range(200)]
    ops = [node.op for graph in graphs for node in graph.nodes]
    requants = [op for op in ops if op.name == "requant"]
    assert {op.name for op in ops} == {op.name for op in OPS}
    assert len({(op.rounding, op.overflow) for op in requants}) == 6
    widths = {value.type.fixed.width for graph in graphs for value in graph.inputs}
    assert widths >= set(range(1, 17))
    assert {True, False} == {v.type.fixed.signed for graph in graphs for v in graph.inputs}
    assert any(len(graph.inputs) == 3 for graph in graphs)
    assert any(len(graph.outputs) == 3 for graph in graphs)
    carriers = [node.output.type.fixed.width for graph in graphs for node in graph.nodes]
    assert max(carriers) > 32


def test_every_rounding_meets_ties_below_zero() -> None:
    met = set()
    for seed in range(120):
        case = case_of(seed)
        values = Interpreter(case.graph).trace(*case.xs)
        for node in case.graph.nodes:
            if isinstance(node.op, Requant) and node.op.shift > 0:
                x, half = values[node.inputs[0]], 1 << (node.op.shift - 1)
                if ((x < 0) & (x % (2 * half) == half)).any():
                    met.add(node.op.rounding)
    assert met == set(Rounding)
