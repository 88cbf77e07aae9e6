"""Where a network is cut: exactly, by dynamic programming over runs of its pieces.

A part is a run of pieces in their order, so what it reads comes from parts before it. What a part
costs depends on the run alone: its traffic is what it reads from other parts, its load what its
pieces take of a device. So the best ways to cut off the first ``j`` pieces for ``k`` devices follow
from those for ``k - 1``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from hwaccel.devices.limits import Limits
from hwaccel.devices.links import LinkSpec
from hwaccel.devices.pieces import Piece
from hwaccel.ir.hardware import Area

Run = tuple[int, int]
Cuts = tuple[int, ...]
# What a part costs: bits per frame that it reads from other parts, and its share of the device.
Cost = tuple[int, float]


@dataclass(frozen=True, slots=True)
class Carried:
    """How a value leaves what makes it: beats per frame of ``lanes`` elements."""

    beats: int
    lanes: int
    width: int

    @property
    def bits(self) -> int:
        """Bits of a beat."""
        return self.lanes * self.width

    @property
    def size(self) -> int:
        """Bits of a frame."""
        return self.beats * self.bits


@dataclass(frozen=True)
class Problem:
    """Pieces in order, the values between them, the links, and the cycles these may take.

    ``outputs`` are those of the network. ``ends`` is what counts the beats of a value where it
    enters or leaves a device; ``known`` holds what runs that were laid out turned out to take.
    """

    pieces: tuple[Piece, ...]
    values: Mapping[str, Carried]
    link: LinkSpec
    cycles: int
    outputs: tuple[str, ...] = ()
    ends: Mapping[str, Area] = field(default_factory=dict)
    known: dict[Run, Area] = field(default_factory=dict)

    @cached_property
    def made_at(self) -> dict[str, int]:
        """Return the piece at which a value is there: its maker, or an input's first reader."""
        at = {name: i for i, piece in enumerate(self.pieces) for name in piece.makes}
        for i, piece in enumerate(self.pieces):
            for name in piece.reads:
                at.setdefault(name, i)
        return at

    @cached_property
    def inputs(self) -> tuple[str, ...]:
        """Return what is read and no piece makes."""
        made = frozenset().union(*(piece.makes for piece in self.pieces))
        return tuple(name for name in self.made_at if name not in made)

    @cached_property
    def last_read(self) -> dict[str, int]:
        """Return the last piece that reads a value."""
        return {name: i for i, piece in enumerate(self.pieces) for name in piece.reads}

    def incoming(self, run: Run) -> list[str]:
        """Return the values that a run reads from other parts."""
        reads = dict.fromkeys(n for p in self.pieces[run[0] : run[1]] for n in p.reads)
        return [name for name in reads if self.made_at[name] < run[0]]

    def outgoing(self, run: Run) -> list[str]:
        """Return the values that are there in a run and read behind it."""
        start, stop = run
        return [
            name for name, last in self.last_read.items()
            if start <= self.made_at[name] < stop <= last
        ]  # fmt: skip

    def area(self, run: Run) -> Area:
        """Return what a run takes of a device, the ends of its links included."""
        if run in self.known:
            return self.known[run]
        total = sum((piece.area for piece in self.pieces[run[0] : run[1]]), Area())
        incoming, outgoing = self.incoming(run), self.outgoing(run)
        for name in incoming:
            total += self.link.receiver_area(self.values[name].bits)
        for name in outgoing:
            total += self.link.sender_area(self.values[name].bits)
        edges = (*incoming, *outgoing, *self._ports(run))
        return sum((self.ends.get(name, Area()) for name in edges), total)

    def _ports(self, run: Run) -> list[str]:
        """Return the inputs and outputs of the network that a part has."""
        ports = (*self.inputs, *self.outputs)
        return [name for name in ports if run[0] <= self.made_at.get(name, -1) < run[1]]

    def traffic(self, run: Run) -> int:
        """Return the bits per frame that a run reads from other parts."""
        return sum(self.values[name].size for name in self.incoming(run))

    def link_cycles(self, run: Run) -> int:
        """Return the cycles of the slowest link that ends in a run."""
        ways = (self.values[name] for name in self.incoming(run))
        return max((self.link.cycles(way.beats, way.bits) for way in ways), default=0)

    def computes(self, run: Run) -> bool:
        """Tell whether there is anything but wires in a run."""
        return any(piece.cycles for piece in self.pieces[run[0] : run[1]])


def most_parts(pieces: Sequence[Piece]) -> int:
    """Return the largest number of parts."""
    return sum(1 for piece in pieces if piece.cycles)


def best_cuts(problem: Problem, limits: Sequence[Limits], most: float = 1.0) -> Cuts | None:
    """Return where each part ends, for a device each in this order; nothing where none fits.

    The least bits per frame cross, and of those cuts the fullest device is least full; it is
    ``most`` full at most, where 1 is full.
    """

    def cost(run: Run, device: int) -> Cost | None:
        share = fullness(problem.area(run), limits[device])
        if share > most or problem.link_cycles(run) > problem.cycles:
            return None
        return problem.traffic(run), share

    found = _search(problem, len(limits), cost)
    return found[1] if found else None


def least_share(problem: Problem, limits: Sequence[Limits], slow: bool = False) -> float | None:
    """Return how full the fullest device must be at least, where 1 is full.

    With ``slow`` links may take any time.
    """

    def cost(run: Run, device: int) -> Cost | None:
        if not slow and problem.link_cycles(run) > problem.cycles:
            return None
        return 0, fullness(problem.area(run), limits[device])

    found = _search(problem, len(limits), cost)
    return found[0][1] if found else None


def fullness(area: Area, limits: Limits) -> float:
    """Return the share of a device; without limits, LUTs where all is counted as LUTs."""
    return limits.share(area) if limits.given() else float(area.equivalent)


def _search(
    problem: Problem, parts: int, cost: Callable[[Run, int], Cost | None]
) -> tuple[Cost, Cuts] | None:
    """Return the least cost, traffic first, and the cuts: sums of traffic, maxima of shares."""
    count = len(problem.pieces)
    best: dict[int, tuple[Cost, Cuts]] = {0: ((0, 0.0), ())}
    for device in range(parts):
        after: dict[int, tuple[Cost, Cuts]] = {}
        for start, ((bits, share), cuts) in best.items():
            for stop in range(start + 1, count + 1):
                run = (start, stop)
                if (device == parts - 1) != (stop == count) or not problem.computes(run):
                    continue
                added = cost(run, device)
                if added is None:
                    continue
                made = ((bits + added[0], max(share, added[1])), (*cuts, stop))
                if stop not in after or made < after[stop]:
                    after[stop] = made
        best = after
    return best.get(count)
