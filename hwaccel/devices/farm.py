"""``Farm``: several engines of one design behind a scatter and an in-order gather."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np

from hwaccel.api import Design
from hwaccel.config import Config
from hwaccel.devices.document import FarmDocument
from hwaccel.devices.farm_top import farm_netlist
from hwaccel.devices.system import System
from hwaccel.devices.together import own, prefixed
from hwaccel.emit.netlist import Netlist
from hwaccel.errors import ConfigError
from hwaccel.ir import Graph
from hwaccel.ir.hardware import Area
from hwaccel.report.text import plural
from hwaccel.schedule.blocks import Block, Segment
from hwaccel.schedule.buffers import smallest
from hwaccel.schedule.channels import Collect, Deal
from hwaccel.schedule.estimate import plan_area
from hwaccel.schedule.plan import Plan
from hwaccel.schedule.timing import Timing, run

MOST_ENGINES = 64
# Rounds, in which every engine has one frame, after which the pace is taken to be steady.
_ROUNDS = 6

Depths = tuple[int, ...]
Say = Callable[[str], None]


@dataclass(frozen=True)
class FarmPlan:
    """When the frames of ``count`` engines come and go; ``plan`` is that of each engine.

    ``ins`` and ``outs`` are the depths of the FIFOs in front of and behind every engine.
    """

    plan: Plan
    count: int
    ins: Depths
    outs: Depths

    @property
    def graph(self) -> Graph:
        """What is computed."""
        return self.plan.graph

    @property
    def inputs(self) -> tuple[str, ...]:
        """The streams that come in."""
        return tuple(f"in{i}" for i in range(len(self.plan.inputs)))

    def timing(self, frames: int = 4, arrivals: Mapping[str, list[int]] | None = None) -> Timing:
        """Return exact handshake times at the edges; sources wait only as ``arrivals`` says."""
        plan, names = self.plan, self.inputs
        rounds = -(-frames // self.count)
        offered = {}
        for name, stream in zip(names, plan.inputs, strict=True):
            beats = plan.streams[stream].beats
            times = np.zeros(frames * beats, np.int64)
            if arrivals is not None:
                times = np.array(arrivals[name], np.int64)
            # Frames that fill up the last round: no frame waits for one that comes later.
            offered[name] = np.pad(times, (0, (rounds * self.count - frames) * beats), "edge")
        outs = tuple(f"out{i}" for i in range(len(plan.outputs)))
        lengths = {name: len(times) // rounds for name, times in offered.items()}
        done = run(self._blocks, lengths, outs, rounds, {n: t.tolist() for n, t in offered.items()})
        kept = []
        for ports, streams in ((names, plan.inputs), (outs, plan.outputs)):
            beats_of = [plan.streams[stream].beats * frames for stream in streams]
            times_of = [np.asarray(done.moved(name)).tolist() for name in ports]
            kept.append(tuple(tuple(t[:n]) for t, n in zip(times_of, beats_of, strict=True)))
        return Timing(frames, kept[0], kept[1])

    @property
    def pace(self) -> float:
        """Cycles per frame, on average, when frames come as fast as they are taken."""
        done = self.timing(_ROUNDS * self.count).finished()
        return (done[-1] - done[-1 - 2 * self.count]) / (2 * self.count)

    @cached_property
    def _blocks(self) -> tuple[Block, ...]:
        blocks: list[Block] = []
        for i, (stream, depth) in enumerate(zip(self.plan.inputs, self.ins, strict=True)):
            beats = self.plan.streams[stream].beats
            ends = tuple(f"in{i}/{e}" for e in range(self.count))
            blocks.append(Deal(f"scatter{i}", (f"in{i}",), ends, beats))
            for e, end in enumerate(ends):
                blocks.append(_fifo(end, own(e, stream), beats, depth))
        for e in range(self.count):
            blocks += prefixed(self.plan, e, {})[0]
        for i, (stream, depth) in enumerate(zip(self.plan.outputs, self.outs, strict=True)):
            beats = self.plan.streams[stream].beats
            ends = tuple(f"out{i}/{e}" for e in range(self.count))
            for e, end in enumerate(ends):
                blocks.append(_fifo(own(e, stream), end, beats, depth))
            blocks.append(Collect(f"gather{i}", ends, (f"out{i}",), beats))
        return tuple(blocks)


def _fifo(source: str, out: str, beats: int, depth: int) -> Segment:
    return Segment(f"{source}_fifo", (source,), (out,), (), None, (), beats, depth)


@dataclass(frozen=True)
class Farm(System):
    """``count`` engines: frames are dealt out in turn and come back in order."""

    graph: Graph
    config: Config
    designs: tuple[Design, ...]
    count: int
    ins: Depths
    outs: Depths

    @cached_property
    def plan(self) -> FarmPlan:
        """What predicts the cycles of all engines together."""
        return FarmPlan(self.designs[0].plan, self.count, self.ins, self.outs)

    @cached_property
    def netlist(self) -> Netlist:
        """The engines, and what stands in front of and behind them."""
        return farm_netlist(self.designs[0].netlist, self.count, self.ins, self.outs)

    @property
    def others(self) -> tuple[Netlist, ...]:
        """Nothing stands between the top and the engines."""
        return ()

    @property
    def document(self) -> FarmDocument:
        """What says how the engines are joined."""
        (folder,) = self.folders()
        return FarmDocument(
            engine=folder, count=self.count, inputs=list(self.ins), outputs=list(self.outs)
        )

    def folders(self) -> tuple[str, ...]:
        """Return the name of the folder of the engine."""
        return ("engine",)

    @property
    def area(self) -> Area:
        """What all of it takes; an estimate."""
        plan = self.designs[0].plan
        total = sum([plan_area(plan)] * self.count, Area())
        for streams, depths in ((plan.inputs, self.ins), (plan.outputs, self.outs)):
            for stream, depth in zip(streams, depths, strict=True):
                bits = plan.streams[stream].bits
                fifo = Area(luts=16 + bits * -(-depth // 16), ffs=12)
                total += sum([fifo] * self.count, Area(luts=bits * self.count // 2 + 8))
        return total


def replicate(design: Design, count: int, say: Say = lambda _: None) -> Farm:
    """Return ``count`` engines of ``design``, with the smallest FIFOs that keep the pace.

    Raises:
        ConfigError: there cannot be so many, or a stream is not fast enough for them.
    """
    plan = design.plan
    if not 2 <= count <= MOST_ENGINES:
        raise ConfigError(
            f"{plural(count, 'engine')}: a farm has 2 to {MOST_ENGINES}; ask for that many"
        )
    edges = {name: plan.streams[name].beats for name in (*plan.inputs, *plan.outputs)}
    busiest = max(edges, key=lambda name: edges[name])
    interval = plan.timing().interval
    useful = interval // edges[busiest]
    if count > useful:
        advice = f"ask for {useful} or fewer" if useful > 1 else "one engine is as fast"
        raise ConfigError(
            f"{count} engines: {plan.streams[busiest].value} takes {edges[busiest]:,} of the "
            f"{interval:,} cycles of a frame to come by, so no more than {max(useful, 1)} can be "
            f"kept busy; {advice}"
        )
    say("sizing the FIFOs of the engines")
    ins, outs = _depths(plan, count)
    return Farm(design.graph, design.config, (design,), count, ins, outs)


def _depths(plan: Plan, count: int) -> tuple[Depths, Depths]:
    """Return the least depths, one after the other, with which the pace is that of full frames."""
    edges = plan.inputs, plan.outputs
    room = [tuple(2 * plan.streams[s].beats + 2 for s in names) for names in edges]
    made = FarmPlan(plan, count, room[0], room[1])
    goal = made.pace
    for at, most in enumerate(room[0]):
        found = smallest(1, most, partial(_keeps, made, goal, True, at))
        made = _with_depth(made, True, at, found)
    for at, most in enumerate(room[1]):
        found = smallest(1, most, partial(_keeps, made, goal, False, at))
        made = _with_depth(made, False, at, found)
    return made.ins, made.outs


def _keeps(plan: FarmPlan, goal: float, inward: bool, at: int, depth: int) -> bool:
    return _with_depth(plan, inward, at, depth).pace <= goal


def _with_depth(plan: FarmPlan, inward: bool, at: int, depth: int) -> FarmPlan:
    depths = list(plan.ins if inward else plan.outs)
    depths[at] = depth
    return replace(plan, ins=tuple(depths)) if inward else replace(plan, outs=tuple(depths))
