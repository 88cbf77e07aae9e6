"""Tables of few bits: the same values, and one entry for each integer that comes in."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hwaccel.circuit import Builder, Circuit
from hwaccel.circuit.lay_out import pruned
from hwaccel.circuit.node import Table
from hwaccel.circuit.tables import with_tables
from hwaccel.errors import VerifyError


def wrapped() -> Circuit:
    """A wrap whose interval is far wider than what comes out of it, in front of a table."""
    build = Builder()
    build.origin = "net"
    x = build.input(0, 0, 7)
    far = build.sum(build.constant(-110), x, 0, subtract=True)
    made = build.table(build.wrap(far, -32, 31), tuple(i * i % 97 for i in range(-32, 32)))
    return pruned(build, [(0, 7)], [made])


def test_a_table_behind_a_wrap_that_became_one() -> None:
    circuit = wrapped()
    made = with_tables(circuit, 6)
    x = np.arange(8).reshape(8, 1)
    np.testing.assert_array_equal(made.evaluate(x), circuit.evaluate(x))
    for node in made.nodes:
        if isinstance(node, Table):
            operand = made.nodes[node.a]
            assert (node.first, len(node.values)) == (operand.lo, operand.hi - operand.lo + 1)


def test_a_table_of_another_interval_is_refused() -> None:
    circuit = wrapped()
    nodes = [replace(n, first=n.first + 1) if isinstance(n, Table) else n for n in circuit.nodes]
    with pytest.raises(VerifyError, match="is a table of another interval"):
        replace(circuit, nodes=tuple(nodes)).check()


def squares(bits: int, sums: int) -> Circuit:
    """A sum of an input of 4 bits and itself, so many times, its last three bits."""
    build = Builder()
    build.origin = "net"
    x = y = build.input(0, 0, (1 << bits) - 1)
    for _ in range(sums):
        y = build.wrap(build.sum(x, y, 1), 0, (1 << bits) - 1)
    return pruned(build, [(0, (1 << bits) - 1)], [y])


@pytest.mark.parametrize(("bits", "limit", "tables"), [(4, 4, 1), (4, 3, 0), (3, 4, 1), (5, 4, 0)])
def test_a_table_has_no_more_bits_than_are_allowed(bits: int, limit: int, tables: int) -> None:
    circuit = squares(bits, 3)
    made = with_tables(circuit, limit)
    assert made.counts()["table"] == tables
    x = np.arange(1 << bits).reshape(-1, 1)
    assert np.array_equal(made.evaluate(x), circuit.evaluate(x))


def test_a_table_stands_where_it_is_narrower_than_the_chains_that_it_replaces() -> None:
    build = Builder()
    build.origin = "net"
    x = build.input(0, 0, 7)
    one = build.sum(x, build.constant(5))  # as wide a chain as its result: no gain
    assert with_tables(pruned(build, [(0, 7)], [one]), 4).counts()["table"] == 0
    two = build.wrap(one, 0, 7)  # a bit less: a gain
    assert with_tables(pruned(build, [(0, 7)], [two]), 4).counts()["table"] == 1
    both = [one, two]  # the chain is needed anyway
    assert with_tables(pruned(build, [(0, 7)], both), 4).counts()["table"] == 0
