"""Registers that synthesis puts behind a table."""

from __future__ import annotations

from hwaccel.circuit import Builder, Pipelined
from hwaccel.circuit.circuit import Circuit
from hwaccel.circuit.lay_out import pruned
from hwaccel.circuit.moved import with_moved_tables


def _circuit(*, read_twice: bool = False) -> tuple[Circuit, tuple[int, ...]]:
    """Return (x + y) >> 2 through a table, plus x, and the node that each step became."""
    build = Builder()
    x, y = build.input(0, 0, 7), build.input(1, 0, 7)
    low = build.shift(build.sum(x, y), -2)
    table = build.table(low, (3, 1, 2, 0))
    total = build.sum(table, x)
    outputs = [total, table] if read_twice else [total]
    circuit = pruned(build, [(0, 7), (0, 7)], outputs)
    kinds = [node.kind for node in circuit.nodes]
    return circuit, tuple(kinds.index(kind) for kind in ("shift", "table"))


def _stages(circuit: Circuit, first: str) -> tuple[int, ...]:
    """Return stage 1 for all from the first node of a kind on, stage 0 in front of it."""
    at = next(i for i, node in enumerate(circuit.nodes) if node.kind == first)
    return tuple(int(i >= at) for i in range(len(circuit.nodes)))


def test_a_table_behind_a_register_is_computed_in_front_of_it() -> None:
    circuit, (shift, table) = _circuit()
    for first in ("shift", "table"):
        piped = Pipelined(circuit, _stages(circuit, first), 2)
        moved = with_moved_tables(piped)
        assert (moved.stages[shift], moved.stages[table]) == (0, 0)
        assert [s for i, s in enumerate(moved.stages) if i not in (shift, table)] == [
            s for i, s in enumerate(piped.stages) if i not in (shift, table)
        ]
        assert moved.delays()[table] == 1


def test_a_table_with_a_register_behind_it_stays() -> None:
    circuit, _ = _circuit(read_twice=True)
    piped = Pipelined(circuit, _stages(circuit, "table"), 2)
    assert with_moved_tables(piped) == piped


def test_a_table_without_a_register_in_front_stays() -> None:
    circuit, _ = _circuit()
    piped = Pipelined(circuit, tuple(0 for _ in circuit.nodes), 1)
    assert with_moved_tables(piped) == piped
