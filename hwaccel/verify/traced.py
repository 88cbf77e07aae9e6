"""Compare the waves of a simulation with the schedule and the golden model, stream by stream.

Every stream and every issuer inside the design is looked at in every cycle: when beats are valid
and when they move, when results are issued and when they arrive in their FIFO, when an issuer
stands still and for what; and of every beat that moves, what it carries.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hwaccel.emit.netlist import Edge, Netlist, Section, sections_of
from hwaccel.ir.lines import Lines
from hwaccel.schedule.blocks import Segment
from hwaccel.schedule.pauses import Span
from hwaccel.schedule.plan import Plan
from hwaccel.schedule.watch import Issue, Traffic, Watch
from hwaccel.verify.beats import from_beats, to_beats
from hwaccel.verify.waves import Waves

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Odd:
    """The first cycle in which something is not as predicted; ``what`` says what was looked at."""

    where: str
    what: str
    cycle: int
    expected: int
    found: int

    def __str__(self) -> str:
        return (
            f"{self.where}: {self.what} in cycle {self.cycle} is {self.found}, "
            f"expected {self.expected}"
        )


@dataclass(frozen=True, slots=True, eq=False)
class Astray:
    """A stream that carries wrong numbers: its tensor, ``(N, *shape)``, as far as it moved.

    What did not move is as expected in ``found``. ``cycle`` is when the first wrong beat moved.
    """

    stream: str
    value: str
    expected: Ints
    found: Ints
    cycle: int


@dataclass(slots=True, eq=False)
class Traced:
    """What was looked at, and what is wrong. ``bits`` counts cycles times signals.

    ``read`` names the streams whose data was compared.
    """

    cycles: int
    streams: int = 0
    issuers: int = 0
    bits: int = 0
    beats: int = 0
    read: set[str] = field(default_factory=set)
    odd: list[Odd] = field(default_factory=list)
    astray: list[Astray] = field(default_factory=list)


def check_times(waves: Waves, netlist: Netlist, plan: Plan, watched: Watch) -> Traced:
    """Compare when everything happens, up to the last beat of the run.

    ``watched`` is for the arrivals of this run and a sink that never waits.
    """
    last = max(int(watched.streams[name].moved[-1]) for name in plan.outputs)
    found = Traced(min(waves.cycles, last + 1))
    for name, traffic in watched.streams.items():
        net = netlist.nets[name]
        valid = waves.bit(f"{net}_tvalid")
        moves = valid & waves.bit(f"{net}_tready")
        _same(found, name, "tvalid", _spans(traffic, found.cycles), valid)
        _same(found, name, "a transfer", _at(traffic.moved, found.cycles), moves)
        found.streams += 1
    for block, section in sections_of(netlist, plan):
        if isinstance(block, Segment):
            _check_issuer(
                waves, found, block, section, netlist.nets[block.outputs[0]], watched.segments
            )
            found.issuers += 1
    return found


def _check_issuer(
    waves: Waves,
    found: Traced,
    segment: Segment,
    section: Section,
    net: str,
    watched: Mapping[str, Issue],
) -> None:
    issue, cycles, name = watched[segment.name], found.cycles, segment.name
    take = waves.bit(f"{net}_take")
    _same(found, name, "take", _at(issue.taken, cycles), take)
    fifo = next(i for i in section.instances if i.module == "hwa_fifo")
    pushed = waves.bit(dict(fifo.ports)["in_valid"])
    _same(found, name, "a push", _at(issue.taken + issue.pipe, cycles), pushed)
    steps, arrived = _steps(waves, segment, section, take)
    # What comes after the last step of the run is for no frame of it.
    until = min(cycles, int(issue.taken[-1]) + 1)
    starved, blocked = (_in(spans, until) for spans in (issue.starved, issue.blocked))
    _same(found, name, "a step", 1 - starved - blocked, steps[:until])
    _same(found, name, "a wait for a place", blocked, (arrived & (1 - steps))[:until])


def _steps(waves: Waves, segment: Segment, section: Section, take: Ints) -> tuple[Ints, Ints]:
    """Return when the issuer makes a step, and when what the step reads is there."""
    issuer = section.instances[0]
    if segment.issuer is None:
        ports = dict(issuer.ports)
        valid = [waves.bit(net) for port, net in ports.items() if port.endswith("_tvalid")]
        return take, np.bitwise_and.reduce(valid)
    lead = waves.values(f"{issuer.name}.lead_q", np.arange(waves.cycles))
    top = waves.width(f"{issuer.name}.lead_q") - 1
    there = np.array([0 if v is None else 1 - (v >> top & 1) for v in lead], dtype=np.int64)
    if isinstance(segment.issuer, Lines):
        return waves.bit(f"{issuer.name}.step"), there
    pad, begun, ready = (waves.bit(f"{issuer.name}.{s}") for s in ("pad", "begun", "ready"))
    return waves.bit(f"{issuer.name}.fire"), np.where(pad == 1, begun, there) & ready


def _same(found: Traced, where: str, what: str, expected: Ints, simulated: Ints) -> None:
    """Compare a signal in every cycle."""
    simulated = simulated[: len(expected)]
    wrong = np.flatnonzero(expected != simulated)
    found.bits += len(expected)
    if wrong.size:
        at = int(wrong[0])
        found.odd.append(Odd(where, what, at, int(expected[at]), int(simulated[at])))


def _spans(traffic: Traffic, cycles: int) -> Ints:
    return _in(list(zip(traffic.valid.tolist(), traffic.moved.tolist(), strict=True)), cycles)


def _in(spans: Sequence[Span], cycles: int) -> Ints:
    """Return 1 in the cycles of ``spans``, 0 elsewhere."""
    edges = np.zeros(cycles + 1, dtype=np.int64)
    for first, last in spans:
        if first < cycles:
            edges[first] += 1
            edges[min(last + 1, cycles)] -= 1
    return edges.cumsum()[:cycles]


def _at(events: Ints, cycles: int) -> Ints:
    """Return 1 in the cycles of ``events``, 0 elsewhere."""
    found = np.zeros(cycles, dtype=np.int64)
    found[events[events < cycles]] = 1
    return found


def check_values(
    waves: Waves, netlist: Netlist, plan: Plan, golden: Mapping[str, Ints], found: Traced
) -> None:
    """Compare what every stream carries with ``golden``, arrays ``(N, *shape)`` by value.

    Streams without data of their own (copies share those of their source) and those that carry
    several values at once are left out.
    """
    types = plan.graph.types()
    for name, stream in plan.streams.items():
        net = netlist.nets[name]
        if stream.value not in golden or f"{net}_tdata" not in waves:
            continue
        edge = Edge(stream.value, net, stream.lanes, stream.beats, stream.bits, types[stream.value])
        moves = waves.bit(f"{net}_tvalid") & waves.bit(f"{net}_tready")
        cycles = np.flatnonzero(moves == 1)
        expected = golden[stream.value]
        cycles = cycles[: edge.beats * len(expected)]
        carried = _beats(waves.values(f"{net}_tdata", cycles), edge)
        wanted = to_beats(expected, edge)
        flat = wanted.reshape(-1, wanted.shape[2])
        found.beats += len(carried)
        found.read.add(name)
        wrong = np.flatnonzero((carried != flat[: len(carried)]).any(axis=1))
        if wrong.size:
            flat[: len(carried)] = carried
            read, first = from_beats(wanted, edge), int(cycles[wrong[0]])
            found.astray.append(Astray(name, stream.value, expected, read, first))


def _beats(values: Sequence[int | None], edge: Edge) -> NDArray[np.uint8]:
    """Return the bytes of beats; all ones where a bit is unknown."""
    size = edge.axis_bits // 8
    unknown = (1 << edge.bits) - 1
    data = b"".join((unknown if v is None else v).to_bytes(size, "little") for v in values)
    return np.frombuffer(data, dtype=np.uint8).reshape(-1, size)
