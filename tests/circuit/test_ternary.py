"""Sums of three numbers: the same values and cycles, never more LUTs, and the best choice."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from hwaccel.circuit import Builder, Circuit, Pipelined
from hwaccel.circuit.cost import total_luts
from hwaccel.circuit.delay import model_for
from hwaccel.circuit.lay_out import pruned
from hwaccel.circuit.node import Sum
from hwaccel.circuit.pipeline import check, pipeline
from hwaccel.circuit.ternary import fused, with_ternary
from hwaccel.circuit.timing import Timing
from tests.circuit.test_pipeline import random_circuit
from tests.emit.circuits import batch
from tests.emit.circuits import random_circuit as every_kind


def adders(count: int, seed: int, bits: int = 8) -> Circuit:
    """Return ``count`` sums and differences, shared at random."""
    rng = np.random.default_rng(seed)
    build = Builder()
    build.origin = "net"
    ids = [build.input(i, -(1 << (bits - 1)), (1 << (bits - 1)) - 1) for i in range(5)]
    while len(build.nodes) < count:
        a, b = (int(i) for i in rng.choice(ids[-8:], 2, replace=False))
        ids.append(build.sum(a, b, int(rng.integers(-2, 3)), bool(rng.integers(2))))
    return pruned(build, [(-(1 << (bits - 1)), (1 << (bits - 1)) - 1)] * 5, ids[-4:])


@pytest.mark.parametrize("latency", [0, 1, 3])
@pytest.mark.parametrize("seed", range(8))
def test_same_values_in_the_same_cycles(seed: int, latency: int) -> None:
    for circuit in (random_circuit(seed), every_kind(seed), adders(40, seed)):
        before = pipeline(circuit, model_for("xcup"), latency=latency)
        after = with_ternary(before, "xcup", free=not latency)
        assert after.latency == before.latency
        check(after)
        x = batch(circuit, 50, seed)
        np.testing.assert_array_equal(after.circuit.evaluate(x), circuit.evaluate(x))
        assert total_luts(after.circuit.nodes, "xcup") <= total_luts(circuit.nodes, "xcup")
        # What goes had no register, what stays keeps its own.
        assert after.register_bits <= before.register_bits


def test_no_stage_gets_longer() -> None:
    model = model_for("xcup")
    within, relaxed = 0, 0
    for seed in range(8):
        before = pipeline(adders(60, seed), model, latency=1 + seed % 2)
        limit = check(before, model)
        assert limit is not None
        after, slow = (with_ternary(before, "xcup", clock) for clock in (None, 1.2 * limit))
        check(after, model, limit)
        check(slow, model, 1.2 * limit)
        within += after.circuit.counts()["sum3"]
        relaxed += slow.circuit.counts()["sum3"]
    assert 0 < within < relaxed


def test_fused_in_time_lengthens_no_path() -> None:
    model = model_for("xcup")
    timely, every = 0, 0
    for seed in range(8):
        circuit = adders(60, seed)
        before = Timing(circuit, model).longest((0,) * len(circuit.nodes))[1]
        made = fused(circuit, "xcup", timely=True)
        assert Timing(made, model).longest((0,) * len(made.nodes))[1] <= before + 1e-9
        x = batch(circuit, 50, seed)
        np.testing.assert_array_equal(made.evaluate(x), circuit.evaluate(x))
        timely += made.counts()["sum3"]
        every += fused(circuit, "xcup").counts()["sum3"]
    assert 0 < timely < every


@pytest.mark.parametrize("family", ["ecp5", "ice40"])
def test_families_without_it_keep_their_adders(family: str) -> None:
    piped = pipeline(adders(40, 0), model_for(family), latency=1)
    assert with_ternary(piped, family) is piped


def test_a_sum_of_nine() -> None:
    build = Builder()
    build.origin = "net"
    ids = [build.input(i, 0, 255) for i in range(9)]
    total = ids[0]
    for other in ids[1:]:
        total = build.sum(total, other)
    made = with_ternary(
        Pipelined(pruned(build, [(0, 255)] * 9, [total]), (0,) * 17, 0), "xcup", free=True
    )
    assert made.circuit.counts() == {"input": 9, "sum3": 4}


def test_what_two_read_goes_into_both() -> None:
    build = Builder()
    build.origin = "net"
    a, b, c, d = (build.input(i, 0, 255) for i in range(4))
    inner = build.sum(a, b)
    outs = [build.sum(c, inner, 0, True), build.sum(d, inner, 1)]
    made = with_ternary(
        Pipelined(pruned(build, [(0, 255)] * 4, outs), (0,) * 7, 0), "xcup", free=True
    )
    assert made.circuit.counts() == {"input": 4, "sum3": 2}


@pytest.mark.parametrize("seed", range(6))
def test_no_choice_saves_more(seed: int) -> None:
    circuit = adders(17, seed)
    piped = Pipelined(circuit, (0,) * len(circuit.nodes), 0)
    chosen = total_luts(with_ternary(piped, "xcup", free=True).circuit.nodes, "xcup")
    assert chosen == pytest.approx(_least(circuit))


def _least(circuit: Circuit) -> float:
    """Try every set of sums that may go together."""
    from hwaccel.circuit import ternary

    nodes = circuit.nodes
    piped = Pipelined(circuit, (0,) * len(nodes), 0)
    read = circuit.uses()
    may = [
        i
        for i, node in enumerate(nodes)
        if isinstance(node, Sum) and i not in circuit.outputs and read[i]
        if all(isinstance(nodes[r], Sum) and nodes[r].a != nodes[r].b for r in read[i])  # type: ignore[attr-defined]
    ]
    best = total_luts(nodes, "xcup")
    for count in range(1, len(may) + 1):
        for gone in combinations(may, count):
            if any(len({i, *node.operands} & set(gone)) > 1 for i, node in enumerate(nodes)):
                continue
            best = min(best, total_luts(ternary._without(piped, set(gone)).circuit.nodes, "xcup"))
    return best
