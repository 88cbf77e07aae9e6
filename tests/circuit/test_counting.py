"""Counts of bits: exact, as small as carry chains make them, and laid out only where smaller."""

from __future__ import annotations

import numpy as np
import pytest

from hwaccel.circuit import Builder
from hwaccel.circuit.cost import total_luts
from hwaccel.circuit.counting import count, countable, counts
from hwaccel.circuit.lay_out import lay_out, pruned
from hwaccel.cmvm import Problem, Settings, solve_many

BIT = (0, 1)
FRAMES = 64


def frames(inputs: int) -> np.ndarray:
    x = np.random.default_rng(inputs).integers(0, 2, (FRAMES, inputs))
    x[0], x[1] = 0, 1
    return x


@pytest.mark.parametrize("bits", [*range(1, 20), 31, 32, 64, 100, 127, 128, 200])
def test_count_is_exact_and_small(bits: int) -> None:
    build = Builder()
    number = count(build, [build.input(i, *BIT) for i in range(bits)])
    circuit = pruned(build, [BIT] * bits, [number])
    x = frames(bits)
    assert (circuit.evaluate(x)[:, 0] == x.sum(1)).all()
    assert (build.nodes[number].lo, build.nodes[number].hi) == (0, bits)
    width = bits.bit_length()
    chains = circuit.counts()["sum"]
    # One place of a chain for each bit that disappears; a sum of two bits is estimated higher.
    assert total_luts(circuit.nodes, "xcup") <= bits - width + 1 + 0.2 * chains


def test_signs_powers_of_two_and_biases() -> None:
    rng = np.random.default_rng(2)
    matrix = rng.choice([-4, -2, -1, 0, 0, 1, 2, 8], (9, 23))
    matrix[3], matrix[4] = 0, -1
    bias = rng.integers(-5, 6, 9)
    problem = Problem.of(matrix, 0, 1, bias)
    assert countable(problem)
    build = Builder()
    made = counts(build, problem, [build.input(i, *BIT) for i in range(23)])
    circuit = pruned(build, [BIT] * 23, made)
    x = frames(23)
    assert (circuit.evaluate(x) == x @ matrix.T + bias).all()


@pytest.mark.parametrize(("weights", "hi"), [([1, 3], 1), ([1, 1], 2)])
def test_not_countable(weights: list[int], hi: int) -> None:
    assert not countable(Problem.of([weights], 0, hi))


def laid_out(matrix: np.ndarray, family: str | None, extra_depth: int | None = None):
    build = Builder()
    inputs = matrix.shape[1]
    xs = [build.input(i, *BIT) for i in range(inputs)]
    rows = build.linear(matrix, xs, np.zeros(len(matrix), np.int64))
    settings = Settings(effort="fast")
    return lay_out(
        build, [BIT] * inputs, rows, lambda ps: solve_many(ps, settings), extra_depth, family
    )


def test_the_smaller_way_is_taken() -> None:
    matrix = np.where(np.random.default_rng(3).random((6, 40)) < 0.2, 1, 0)
    x = frames(40)
    found = {f: laid_out(matrix, f) for f in (None, "xcup", "ecp5", "ice40")}
    for circuit in found.values():
        assert (circuit.evaluate(x) == x @ matrix.T).all()
    for family in ("xcup", "ecp5", "ice40"):
        smaller, other = (total_luts(found[f].nodes, family) for f in (family, None))
        assert smaller < other
    assert laid_out(matrix, "xcup", 0).nodes == laid_out(matrix, None, 0).nodes
    # Where rows are alike, shared sums are smaller.
    alike = np.ones((12, 24), dtype=np.int64)
    alike[np.arange(12), np.arange(12)] = 0
    assert laid_out(alike, "xcup").nodes == laid_out(alike, None).nodes


def test_narrow_tables_stand_where_an_adder_absorbs_them() -> None:
    build = Builder()
    wide = [build.table(build.input(i, 0, 63), (0, 1) * 32) for i in range(5)]
    narrow = [build.table(build.input(i, 0, 31), (0, 1) * 16) for i in range(5, 7)]
    count(build, [*narrow, *wide])
    sums = [n for n in build.nodes if n.kind == "sum"]
    # Each of them is the second operand of a chain: above the carry, and read only there.
    for number in narrow:
        readers = [n for n in sums if number in n.operands]
        assert [n.b for n in readers] == [number]
        joined = build.nodes.index(readers[0])
        assert [n.b for n in sums if joined in n.operands] == [joined]


def test_joined_bits_are_wires() -> None:
    build = Builder()
    xs = [build.input(i, 0, 3 if i == 1 else 1) for i in range(3)]
    matrix = np.array([[8, 2, 1], [16, 1, 4], [4, 2, 1], [1, 0, 0]])
    rows = build.linear(matrix, xs, np.array([16, 0, 0, 6]))
    kinds = [build.nodes[r].kind for r in rows]
    # In the third row two bits share a place.
    assert kinds == ["sum", "sum", "dot", "sum"]
    ends = [(0, 1), (0, 3), (0, 1)]
    circuit = lay_out(build, ends, rows, lambda ps: solve_many(ps, Settings(effort="fast")))
    x = np.array([[a, b, c] for a in range(2) for b in range(4) for c in range(2)])
    assert (circuit.evaluate(x) == x @ matrix.T + [16, 0, 0, 6]).all()
    wires = pruned(build, ends, [rows[0], rows[1], rows[3]])
    assert total_luts(wires.nodes, "xcup") == 0


def test_tables_start_at_zero_and_end_at_their_last_bit() -> None:
    build = Builder()
    x = build.input(0, 0, 3)
    y = build.table(build.offset(x, 64), (0, 8, 24, 0))
    circuit = pruned(build, [(0, 3)], [y])
    assert [node.kind for node in circuit.nodes] == ["input", "table", "shift"]
    assert circuit.nodes[1].values == (0, 1, 3, 0)
    assert circuit.evaluate(np.arange(4)[:, None])[:, 0].tolist() == [0, 8, 24, 0]


@pytest.mark.parametrize("limit", [1, 2, 127, 128, 129, 200, 255])
def test_a_comparison_with_half_of_the_range_is_a_bit(limit: int) -> None:
    build = Builder()
    x = build.input(0, 0, 255)
    (above,) = build.linear(np.ones((1, 1), np.int64), [x], np.array([1 - limit]))
    bit = build.clip(above, 0, 1)
    circuit = lay_out(build, [(0, 255)], [bit], lambda ps: solve_many(ps, Settings(effort="fast")))
    assert (circuit.evaluate(np.arange(256)[:, None])[:, 0] == (np.arange(256) >= limit)).all()
    assert (total_luts(circuit.nodes, "xcup") == 0) == (limit == 128)
