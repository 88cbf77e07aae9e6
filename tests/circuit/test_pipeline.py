"""Registers are legal, as early as the clock allows and as few as possible."""

from __future__ import annotations

import time
from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from hwaccel.circuit import Builder, Circuit, Pipelined
from hwaccel.circuit.delay import DelayModel, model_for
from hwaccel.circuit.lay_out import pruned
from hwaccel.circuit.node import Constant
from hwaccel.circuit.pipeline import _Program, check, earliest, pipeline
from hwaccel.circuit.timing import Timing, far_pairs
from hwaccel.errors import ScheduleError

ECP5 = model_for("ecp5")
FAMILIES = ("ecp5", "xcup", "xc7", "ice40")
# Every adder takes a nanosecond, everything else nothing.
UNIT = DelayModel(
    "unit", 4, launch_ns=0, capture_ns=0, route_ns=0, fanout_ns=0, sum_ns=1, carry_ns=0, lut_ns=0
)


def random_circuit(seed: int, size: int = 60, inputs: int = 6, bits: int = 6) -> Circuit:
    rng = np.random.default_rng(seed)
    build = Builder()
    build.origin = "net"
    low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if seed % 2 else (0, (1 << bits) - 1)
    ids = [build.input(i, low, high) for i in range(inputs)]
    ids.append(build.constant(5))
    while len(build.nodes) < size:
        a, b = (int(i) for i in rng.choice(ids[-12:], 2))
        kind = int(rng.integers(11))
        width = build.nodes[a].width
        # Times a constant is a matrix product, which has to be laid out.
        constants = {i for i in ids if isinstance(build.nodes[i], Constant)}
        if kind == 0 and width > 4:
            ids.append(build.shift(a, -int(rng.integers(1, 4))))
        elif kind == 1 and width > 5:
            ids.append(build.even(a, 3))
        elif kind == 2 and width > 3:
            ids.append(build.clip(a, 0, (1 << (width - 2)) - 1))
        elif kind == 3:
            ids.append(build.maximum(a, b))
        elif kind == 4 and width <= 6:
            span = build.nodes[a].hi - build.nodes[a].lo + 1
            ids.append(build.table(a, tuple(int(v) for v in rng.integers(-9, 9, span))))
        elif kind == 5 and width < 9:
            ids.append(build.shift(a, 1))
        elif kind == 6 and width + build.nodes[b].width < 14 and {a, b}.isdisjoint(constants):
            ids.append(build.product(a, b))
        elif kind == 7:
            ids.append(build.minimum(a, b))
        elif max(width, build.nodes[b].width) < 16:
            ids.append(build.sum(a, b, int(rng.integers(-2, 3)), bool(rng.integers(2))))
        else:
            ids.append(build.wrap(a, -32, 31))
    outputs = [*ids[-4:], ids[0]]
    return pruned(build, [(low, high)] * inputs, outputs)


def settled(circuit: Circuit, stages: tuple[int, ...], model: DelayModel) -> float:
    """The longest stage, written once more: path by path, without the code under test."""
    nodes, arcs = circuit.nodes, model.arcs(circuit)
    start = np.full(2, model.launch_ns)
    times: list[np.ndarray] = []
    for number, node in enumerate(nodes):
        ends = [start] if node.kind == "input" else []
        for arc in arcs[number]:
            step = np.array([[arc.low_low, arc.high_low], [arc.low_high, arc.high_high]])
            same = stages[arc.operand] == stages[number]
            ends.append((step + (times[arc.operand] if same else start)).max(axis=1))
        times.append(np.max(ends, axis=0) if ends else np.full(2, -np.inf))
    logic = [t.max() for n, t in zip(nodes, times, strict=True) if n.kind not in ("shift", "wrap")]
    return float(max(logic)) + model.capture_ns


def assert_legal(piped: Pipelined) -> None:
    nodes, stages = piped.circuit.nodes, piped.stages
    for number, node in enumerate(nodes):
        for operand in node.operands:
            if nodes[operand].kind != "constant":
                assert stages[operand] <= stages[number]
        if node.kind == "input":
            assert stages[number] == 0
    for output in piped.circuit.outputs:
        root = output
        while nodes[root].kind in ("shift", "wrap"):
            root = nodes[root].operands[0]
        assert piped.latency == 0 or stages[root] < piped.latency
        assert stages[output] <= piped.latency


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("family", FAMILIES)
def test_clock_is_met(family: str, seed: int) -> None:
    circuit, model = random_circuit(seed), model_for(family)
    slowest = 1.05 * pipeline_period(circuit, model)
    for clock_ns in (slowest, 1.7 * slowest, 3.1 * slowest):
        piped = pipeline(circuit, model, clock_ns=clock_ns)
        assert_legal(piped)
        assert settled(circuit, piped.stages, model) <= clock_ns + 1e-6
        assert check(piped, model, clock_ns) == pytest.approx(
            max(settled(circuit, piped.stages, model), model.around_ns)
        )
        naive = earliest(circuit, model, clock_ns)
        assert piped.latency == naive.latency
        assert piped.register_bits <= naive.register_bits


def pipeline_period(circuit: Circuit, model: DelayModel) -> float:
    """The shortest possible stage."""
    period = check(pipeline(circuit, model, latency=100), model)
    assert period is not None
    return period


@pytest.mark.parametrize("seed", range(6))
def test_latency_is_kept_and_more_of_it_is_never_slower(seed: int) -> None:
    circuit = random_circuit(seed)
    last = float("inf")
    for latency in range(6):
        piped = pipeline(circuit, ECP5, latency=latency)
        assert piped.latency == latency
        assert_legal(piped)
        period = check(piped, ECP5)
        assert period is not None
        assert period <= last + 1e-6
        last = period
    assert pipeline(circuit, ECP5, latency=0).register_bits == 0


def tiny(seed: int) -> Circuit:
    return random_circuit(seed, size=9, inputs=2, bits=4)


def every_cut(circuit: Circuit, latency: int) -> list[Pipelined]:
    """All legal stages, by trying them all."""
    free = [i for i, n in enumerate(circuit.nodes) if n.kind not in ("input", "constant")]
    found = []
    for choice in product(range(latency + 1), repeat=len(free)):
        stages = [0] * len(circuit.nodes)
        for number, stage in zip(free, choice, strict=True):
            stages[number] = stage
        piped = Pipelined(circuit, tuple(stages), latency)
        try:
            check(piped)
        except ScheduleError:
            continue
        found.append(piped)
    return found


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("model", [ECP5, UNIT], ids=lambda m: m.family)
def test_tiny_circuits_equal_brute_force(model: DelayModel, seed: int) -> None:
    circuit = tiny(seed)
    cuts = {latency: every_cut(circuit, latency) for latency in (1, 2, 3)}
    for latency, choices in cuts.items():
        times = [max(settled(circuit, c.stages, model), model.around_ns) for c in choices]
        piped = pipeline(circuit, model, latency=latency)
        period = check(piped, model)
        assert period == pytest.approx(min(times))
        # A hair above the optimum: the same cut, whatever the last bit of a sum of floats.
        best = [c for c, t in zip(choices, times, strict=True) if t <= min(times) + 1e-5]
        assert piped.register_bits == min(c.register_bits for c in best)
    clock_ns = 1.3 * min(settled(circuit, c.stages, model) for c in cuts[3])
    legal = {
        latency: [c for c in choices if settled(circuit, c.stages, model) <= clock_ns]
        for latency, choices in cuts.items()
    }
    if clock_ns > 0:
        piped = pipeline(circuit, model, clock_ns=clock_ns)
        assert piped.latency == min(latency for latency, choices in legal.items() if choices)
        assert piped.register_bits == min(c.register_bits for c in legal[piped.latency])


def test_more_latency_than_needed_waits_where_it_is_narrow() -> None:
    build = Builder()
    xs = [build.input(i, 0, 255) for i in range(4)]
    total = build.sum(build.sum(xs[0], xs[1]), build.sum(xs[2], xs[3]))
    circuit = pruned(build, [(0, 255)] * 4, [build.clip(build.shift(total, -6), 0, 3)])
    piped = pipeline(circuit, ECP5, clock_ns=100.0, latency=5)
    # Five layers of the two bits of the result, none of the 32 bits of the inputs.
    assert piped.register_bits == 5 * 2


def test_register_chains_are_shared_among_readers() -> None:
    build = Builder()
    x, y = build.input(0, 0, 15), build.input(1, 0, 15)
    a = build.sum(x, y)
    b = build.sum(a, x)
    c = build.sum(b, x)
    circuit = pruned(build, [(0, 15)] * 2, [c])
    piped = pipeline(circuit, UNIT, clock_ns=1.0)
    assert piped.latency == 3
    assert piped.delays() == (2, 0, 1, 1, 1)
    assert piped.register_bits == 2 * 4 + 5 + 6 + 6


def test_outputs_that_are_inputs_shifts_or_constants() -> None:
    build = Builder()
    x = build.input(0, -8, 7)
    outputs = [x, build.shift(x, 2), build.shift(x, -1), build.constant(3)]
    circuit = pruned(build, [(-8, 7)], outputs)
    assert pipeline(circuit, ECP5, clock_ns=2.0).latency == 1
    piped = pipeline(circuit, ECP5, latency=2)
    assert_legal(piped)
    # One chain of the input is enough; both shifts follow it.
    assert piped.register_bits == 2 * 4
    nothing = pruned(Builder(), [(0, 1)], [])
    assert pipeline(nothing, ECP5, clock_ns=5.0).register_bits == 0


def deep(size: int) -> Circuit:
    rng = np.random.default_rng(size)
    build = Builder()
    level = [build.input(i, -16, 15) for i in range(64)]
    inputs = len(level)
    while len(build.nodes) < size:
        pairs = rng.integers(0, len(level), (64, 2))
        level = [build.sum(level[a], level[b], 0, True) for a, b in pairs if a != b]
        level = [build.clip(i, -16, 15) for i in level]
    return pruned(build, [(-16, 15)] * inputs, level)


@pytest.mark.slow
def test_ten_thousand_nodes_take_seconds() -> None:
    circuit = deep(10_000)
    start = time.perf_counter()
    piped = pipeline(circuit, ECP5, clock_ns=9.0)
    assert time.perf_counter() - start < 30
    check(piped, ECP5, 9.0)


def test_large_programs_are_solved_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    circuit = deep(700)
    best = pipeline(circuit, ECP5, clock_ns=9.0, latency=20)
    bits = []
    for largest in (0, 600):  # no part is small enough, and most are
        monkeypatch.setattr("hwaccel.circuit.pipeline._LARGEST", largest)
        parts = pipeline(circuit, ECP5, clock_ns=9.0, latency=20)
        check(parts, ECP5, 9.0)
        assert_legal(parts)
        bits.append(parts.register_bits)
    assert best.register_bits <= bits[1] < bits[0]


def test_a_part_moves_the_nodes_of_two_neighbouring_stages(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    circuit, spans = deep(700), list[int]()

    class Watched(_Program):
        def __init__(self, circuit, lower, upper, latency, pairs) -> None:
            super().__init__(circuit, lower, upper, latency, pairs)
            free = [(a, b) for a, b in zip(lower, upper, strict=True) if a < b]
            spans.append(max(b for _, b in free) - min(a for a, _ in free))

    monkeypatch.setattr("hwaccel.circuit.pipeline._Program", Watched)
    monkeypatch.setattr("hwaccel.circuit.pipeline._LARGEST", 600)
    pipeline(circuit, ECP5, clock_ns=9.0, latency=20)
    whole, *parts = spans
    assert whole > 10
    assert len(parts) == 20
    assert max(parts) <= 3  # either may go a stage back and a stage on


def test_a_program_too_large_even_in_parts_leaves_all_early_or_all_late(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    circuit = random_circuit(2)
    monkeypatch.setattr("hwaccel.circuit.pipeline._LARGEST", 0)
    piped = pipeline(circuit, ECP5, latency=3)
    assert_legal(piped)
    check(piped, ECP5)
    early = earliest(circuit, ECP5, Timing(circuit, ECP5).shortest(3))
    assert piped.register_bits <= replace(early, latency=3).register_bits


def test_many_pairs_are_added_as_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    circuit = deep(700)
    whole = pipeline(circuit, ECP5, clock_ns=9.0)
    monkeypatch.setattr("hwaccel.circuit.pipeline._MANY_PAIRS", 0)
    lazy = pipeline(circuit, ECP5, clock_ns=9.0)
    check(lazy, ECP5, 9.0)
    assert lazy.register_bits == whole.register_bits


# --- errors ------------------------------------------------------------------------------------


def adders() -> Circuit:
    build = Builder()
    build.origin = "fc1"
    xs = [build.input(i, 0, 255) for i in range(4)]
    total = build.sum(build.sum(xs[0], xs[1]), build.sum(xs[2], xs[3]))
    build.label([total])
    return pruned(build, [(0, 255)] * 4, [total])


def test_a_node_slower_than_the_clock_is_named() -> None:
    with pytest.raises(
        ScheduleError,
        match=r"^fc1\[0\]: one 10-bit sum takes \d\.\d\d ns on ecp5, the clock of 1000\.0 MHz "
        r"leaves 1\.00 ns; lower the clock to \d+\.\d MHz, or use fewer bits$",
    ):
        pipeline(adders(), ECP5, clock_ns=1.0)


def test_a_clock_too_fast_for_wires_alone_names_the_first() -> None:
    build = Builder()
    circuit = pruned(build, [(0, 7)], [build.input(0, 0, 7)])
    with pytest.raises(ScheduleError, match=r"^node 0: one 3-bit input takes \d\.\d\d ns on ecp5"):
        pipeline(circuit, ECP5, clock_ns=0.1)


@pytest.mark.parametrize(("bits", "placed"), [(9, 6.79), (18, 7.14)])
def test_a_product_in_a_dsp_block_takes_what_was_placed(bits: int, placed: float) -> None:
    build = Builder()
    ends = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1)
    made = build.product(build.input(0, *ends), build.input(1, *ends))
    circuit = pruned(build, [ends, ends], [made])
    time = check(pipeline(circuit, ECP5, latency=1), ECP5)
    assert time is not None
    assert placed < time < placed + 0.5


def test_the_clock_that_is_offered_is_reached() -> None:
    circuit = adders()
    with pytest.raises(ScheduleError) as error:
        pipeline(circuit, ECP5, clock_ns=1.0)
    mhz = float(str(error.value).split("lower the clock to ")[1].split()[0])
    check(pipeline(circuit, ECP5, clock_ns=1000 / mhz), ECP5, 1000 / mhz)


def test_too_little_latency_for_a_clock() -> None:
    with pytest.raises(
        ScheduleError,
        match=r"needs a latency of 2, asked for 1; at 1 the clock can be \d+\.\d MHz$",
    ):
        pipeline(adders(), UNIT, clock_ns=1.0, latency=1)


@pytest.mark.parametrize(
    ("clock_ns", "latency", "text"),
    [
        (5.0, 0, r"no register at latency 0, so no clock of 200\.0 MHz"),
        (None, -1, r"latency -1 is negative"),
        (None, None, r"neither a clock nor a latency"),
        (0.0, None, r"a clock period of 0\.0 ns"),
    ],
)
def test_misuse(clock_ns: float | None, latency: int | None, text: str) -> None:
    with pytest.raises(ScheduleError, match=f"^pipeline: {text}"):
        pipeline(adders(), ECP5, clock_ns=clock_ns, latency=latency)


def test_wrong_stages_are_found() -> None:
    circuit = adders()
    good = pipeline(circuit, UNIT, clock_ns=1.0)
    assert check(good) is None
    with pytest.raises(
        ScheduleError, match=r"^fc1\[0\]: sum in stage 2 of latency 2, expected 0 to 1"
    ):
        check(Pipelined(circuit, (*good.stages[:-1], 2), 2))
    with pytest.raises(ScheduleError, match=r"^fc1\[0\]: stage 0 is before that of an operand"):
        check(Pipelined(circuit, (0, 0, 0, 0, 1, 1, 0), 2))
    with pytest.raises(ScheduleError, match=r"input in stage 1 of latency 2, expected 0 to 0"):
        check(Pipelined(circuit, (1, *good.stages[1:]), 2))
    with pytest.raises(ScheduleError, match=r"6 stages for 7 nodes"):
        check(Pipelined(circuit, good.stages[:-1], 2))
    with pytest.raises(ScheduleError, match=r"its path takes 2\.00 ns, the clock is 1\.00 ns"):
        check(pipeline(circuit, UNIT, latency=1), UNIT, 1.0)


def test_unknown_family() -> None:
    with pytest.raises(ScheduleError, match=r"^delay model: none for family 'z80'; choose one of"):
        model_for("z80")


def test_the_size_of_a_program_counts_the_rules_that_are_always_there() -> None:
    """Pairs that are too far apart are added only where a solution breaks them."""
    circuit = random_circuit(3)
    timing = Timing(circuit, ECP5)
    period = timing.shortest(4)
    early, late = timing.early(period), timing.late(period, 6)
    assert early is not None
    pairs = far_pairs(timing, early, late, period)
    with_pairs, without = (_Program(circuit, early, late, 6, some) for some in (pairs, []))
    assert 0 < with_pairs.size == without.size
