"""What nodes cost: never negative, never less for more bits, and as counted by hand."""

from __future__ import annotations

import pytest

from hwaccel.circuit import Builder, Circuit, Pipelined
from hwaccel.circuit.cost import breakdown, estimate, luts
from hwaccel.circuit.delay import model_for
from hwaccel.circuit.lay_out import pruned
from hwaccel.circuit.moved import with_moved_tables
from hwaccel.circuit.node import Input, Node, Table
from hwaccel.circuit.pipeline import pipeline
from hwaccel.errors import ScheduleError
from tests.circuit.test_pipeline import random_circuit

FAMILIES = ("ecp5", "xcup", "xc7", "ice40")


def last(build: Builder, family: str) -> float:
    """The cost of the node made last."""
    return luts(build.nodes[-1], build.nodes, family)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("seed", range(6))
def test_never_negative_and_summed_up(family: str, seed: int) -> None:
    circuit = random_circuit(seed)
    for latency in (0, 1, 4):
        piped = pipeline(circuit, model_for(family), latency=latency)
        parts = breakdown(piped, family)
        assert all(part.luts >= 0 and part.ffs >= 0 for part in parts.values())
        assert {kind: part.count for kind, part in parts.items()} == circuit.counts()
        whole = estimate(piped, family)
        assert whole.luts == pytest.approx(sum(part.luts for part in parts.values()))
        made = with_moved_tables(piped)
        assert 0 <= whole.ffs <= made.register_bits + latency
        assert latency or whole.ffs == 0


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("kind", ["sum", "minus", "shifted", "clip", "bound", "max", "min", "even"])
def test_more_bits_never_cost_less(family: str, kind: str) -> None:
    costs = []
    for bits in range(4, 24):
        build = Builder()
        high = 1 << (bits - 1)
        x, y = (build.input(i, -high, high - 1) for i in range(2))
        match kind:
            case "sum" | "minus":
                build.sum(x, y, 0, kind == "minus")
            case "shifted":
                build.sum(x, y, 2)
            case "clip":
                build.clip(x, 0, high // 4 - 1)
            case "bound":
                build.clip(x, -high // 2 - 1, high // 2)
            case "max":
                build.maximum(x, y)
            case "min":
                build.minimum(x, y)
            case _:
                build.even(x, bits // 2)
        costs.append(last(build, family))
    assert costs[0] > 0
    assert costs == sorted(costs)


@pytest.mark.parametrize(
    ("family", "want"),
    [("ecp5", 10), ("xcup", 8.2), ("ice40", 8), ("ice40hx", 8), ("gw1n", 8), ("gw2a", 8)],
)
def test_sum_of_bytes(family: str, want: float) -> None:
    build = Builder()
    build.sum(build.input(0, 0, 255), build.input(1, 0, 255))
    assert last(build, family) == want


def test_low_bits_of_the_unshifted_operand_pass() -> None:
    build = Builder()
    x, y = build.input(0, 0, 255), build.input(1, 0, 255)
    build.sum(x, y, 3)
    assert last(build, "ecp5") == 10
    build.sum(x, y, 3, True)
    assert last(build, "ecp5") == 10
    build.sum(x, y, -3)
    assert last(build, "ecp5") == 10
    # y << 0 is subtracted below a: all of its bits have to be negated.
    build.sum(x, y, -3, True)
    assert last(build, "ecp5") == 12


def product(bits: int, signed: bool = False) -> Circuit:
    build = Builder()
    ends = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)
    made = build.product(build.input(0, *ends), build.input(1, *ends))
    return pruned(build, [ends, ends], [made])


@pytest.mark.parametrize(
    ("bits", "signed", "dsps", "ecp5"),
    [
        (1, False, (0, 0, 0, 0), 1),
        (2, False, (0, 0, 0, 0), 4),
        (4, True, (0, 0, 0, 0), 18),
        (5, False, (1, 1, 1, 0), 0),
        (6, False, (1, 1, 1, 1), 0),
        (18, True, (1, 1, 1, 4), 0),
        (20, True, (4, 2, 2, 4), 60),
    ],
)
def test_products_take_dsp_blocks_as_yosys_gives_them(
    bits: int, signed: bool, dsps: tuple[int, ...], ecp5: float
) -> None:
    circuit = product(bits, signed)
    piped = pipeline(circuit, model_for("ecp5"), latency=1)
    costs = [estimate(piped, family) for family in FAMILIES]
    assert tuple(cost.dsps for cost in costs) == dsps
    assert costs[0].luts == ecp5
    assert tuple(breakdown(piped, family)["times"].dsps for family in FAMILIES) == dsps


@pytest.mark.parametrize("shift", [4, -4])
@pytest.mark.parametrize("family", FAMILIES)
def test_operands_side_by_side_are_wires(family: str, shift: int) -> None:
    for hi, wires in ((15, True), (16, False)):  # one bit more, and they meet
        build = Builder()
        build.sum(build.input(0, 0, hi), build.input(1, 0, hi), shift)
        assert (last(build, family) == 0) == wires


@pytest.mark.parametrize(("bits", "ecp5", "xcup"), [(3, 6, 6), (4, 6, 6), (5, 12, 6), (7, 48, 12)])
def test_tables_grow_with_what_a_lut_cannot_hold(bits: int, ecp5: float, xcup: float) -> None:
    build = Builder()
    x = build.input(0, 0, (1 << bits) - 1)
    build.table(x, tuple((7 * i) % 64 for i in range(1 << bits)))
    width = build.nodes[-1].width
    assert last(build, "ecp5") == ecp5 * width / 6
    assert last(build, "xcup") == xcup * width / 6


def delayed(latency: int) -> Pipelined:
    build = Builder()
    x = build.input(0, 0, 255)
    circuit: Circuit = pruned(build, [(0, 255)], [x])
    return Pipelined(circuit, (0,), latency)


def test_a_table_of_few_values_of_a_wide_operand_is_small() -> None:
    far = 1 << 40
    nodes: list[Node] = [
        Input(lo=far, hi=far + 3, index=0),
        Table(a=0, first=far, values=(0, 5, 2, 7), lo=0, hi=7),
    ]
    assert 1 <= luts(nodes[1], nodes, "ecp5") <= 3


def test_long_chains_of_registers_are_luts_where_the_family_has_them() -> None:
    assert estimate(delayed(9), "ecp5").ffs == 8 * 9 + 9
    assert estimate(delayed(9), "ecp5").luts == 0
    assert estimate(delayed(9), "xcup").ffs == 9
    assert estimate(delayed(9), "xcup").luts == 8
    assert estimate(delayed(2), "xcup").ffs == 8 * 2 + 2


def test_wires_and_constants_are_free() -> None:
    build = Builder()
    x = build.input(0, -128, 127)
    outputs = [build.shift(x, 3), build.shift(x, -2), build.wrap(x, -8, 7), build.constant(5)]
    piped = pipeline(pruned(build, [(-128, 127)], outputs), model_for("ecp5"), latency=0)
    assert all(estimate(piped, family).luts == 0 for family in FAMILIES)


def test_unknown_family() -> None:
    with pytest.raises(ScheduleError, match=r"^cost model: none for family 'z80'; choose one of"):
        estimate(delayed(1), "z80")
