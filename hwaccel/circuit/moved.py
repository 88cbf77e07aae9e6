"""Registers that synthesis puts elsewhere than the circuit does."""

from __future__ import annotations

from dataclasses import replace

from hwaccel.circuit.delay import is_wire
from hwaccel.circuit.node import Table
from hwaccel.circuit.unit import Pipelined


def with_moved_tables(piped: Pipelined) -> Pipelined:
    """Return a circuit with the stages in which Yosys computes its nodes.

    It takes a table behind a register for a memory with a registered address, and puts the
    register behind it, unless there is one already. For estimates alone: nobody emits this.
    """
    nodes, stages = piped.circuit.nodes, list(piped.stages)
    last = [-1] * len(nodes)
    for output in piped.circuit.outputs:
        last[output] = piped.latency
    for number, node in enumerate(nodes):
        for operand in node.operands:
            last[operand] = max(last[operand], piped.stages[number])
    for number, node in enumerate(nodes):
        if not isinstance(node, Table) or last[number] != piped.stages[number]:
            continue
        wires, source = [], node.a
        while is_wire(nodes[source]):
            wires.append(source)
            source = nodes[source].operands[0]
        if piped.stages[source] < piped.stages[number]:
            for moved in (number, *wires):
                stages[moved] = piped.stages[number] - 1
    return replace(piped, stages=tuple(stages))
