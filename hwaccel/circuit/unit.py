"""A circuit with registers, and a circuit with ports: what is emitted as one module."""

from __future__ import annotations

from dataclasses import dataclass

from hwaccel.circuit.circuit import Circuit


@dataclass(frozen=True, slots=True)
class Pipelined:
    """A circuit cut into clock cycles.

    ``stages[i]`` is the cycle, counted from the arrival of the input, in which node ``i`` is
    computed; an operand of an earlier stage is read through one register per stage between.
    Outputs are read in stage ``latency``. Inputs are at stage 0. With ``latency`` 0 there is no
    register at all; otherwise every output leaves a register.
    """

    circuit: Circuit
    stages: tuple[int, ...]
    latency: int

    def delays(self) -> tuple[int, ...]:
        """Return the length of the register chain behind every node."""
        nodes, stages = self.circuit.nodes, self.stages
        longest = [0] * len(nodes)
        for number, node in enumerate(nodes):
            for operand in node.operands:
                longest[operand] = max(longest[operand], stages[number] - stages[operand])
        for output in self.circuit.outputs:
            longest[output] = max(longest[output], self.latency - stages[output])
        return tuple(0 if nodes[i].kind == "constant" else n for i, n in enumerate(longest))

    @property
    def register_bits(self) -> int:
        """Number of data registers."""
        nodes = self.circuit.nodes
        return sum(nodes[i].width * n for i, n in enumerate(self.delays()))


@dataclass(frozen=True, slots=True)
class Lanes:
    """``count`` elements of ``width`` bits side by side, element 0 in the low bits."""

    name: str
    count: int
    width: int
    signed: bool

    @property
    def bits(self) -> int:
        """Width of all of them."""
        return self.count * self.width


@dataclass(frozen=True, slots=True)
class Unit:
    """A feed-forward module: the pipe contract of ``docs/explanation/streaming-hardware.md``.

    The circuit's input vector is the elements of ``ins`` one after another; its output vector
    those of ``outs``, which together form ``out_data``, the first in the low bits. ``paths``
    gives the PyTorch module path of each origin. ``shapes`` the tensor shape of each origin, to
    name elements by.
    """

    name: str
    piped: Pipelined
    ins: tuple[Lanes, ...]
    outs: tuple[Lanes, ...]
    paths: tuple[tuple[str, str], ...] = ()
    shapes: tuple[tuple[str, tuple[int, ...]], ...] = ()

    @property
    def modules(self) -> tuple[str, ...]:
        """Modules of the RTL library that it instantiates."""
        return ("hwa_add3",) if self.piped.circuit.counts()["sum3"] else ()
