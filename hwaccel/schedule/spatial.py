"""Turn regions into pipelined circuits, and remember what the search found."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np

from hwaccel.circuit import Builder, Circuit, Lanes, Pipelined, Unit
from hwaccel.circuit.cost import adds_three, estimate
from hwaccel.circuit.delay import model_for
from hwaccel.circuit.lay_out import lay_out
from hwaccel.circuit.pipeline import check, least_latency, pipeline
from hwaccel.circuit.tables import with_tables
from hwaccel.circuit.ternary import fused, with_ternary
from hwaccel.cmvm import LUT4, LUT6_THREE, Adder, AdderGraph, Problem, Settings, Tap, solve_many
from hwaccel.config import Config
from hwaccel.errors import ConfigError, HwaccelError, ScheduleError
from hwaccel.ir import Graph, Node, Op, TensorType
from hwaccel.ir.hardware import Area, Style
from hwaccel.ir.lines import Lines
from hwaccel.ops.reshape import stream_order
from hwaccel.schedule.ranges import Ranges
from hwaccel.schedule.regions import Region, in_order

Say = Callable[[str], None]
Row = tuple[int, int, int, int]

# Weights that one region may unroll; beyond, netlist and search grow past use.
MOST_WEIGHTS = 1 << 18
# LUTs per weight bit, seen over random and trained matrices; no more than a guess.
LUTS_PER_BIT = 1.8


class Product(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An adder graph: ``adds`` are (a, b, shift, subtract), ``outputs`` (node, shift, negate)."""

    inputs: int
    constants: list[int]
    adds: list[Row]
    outputs: list[tuple[int, int, int]]

    @classmethod
    def of(cls, graph: AdderGraph) -> Product:
        """Return the document of an adder graph."""
        return cls(
            inputs=graph.inputs,
            constants=list(graph.constants),
            adds=[(a.a, a.b, a.shift, int(a.subtract)) for a in graph.adds],
            outputs=[(t.node, t.shift, int(t.negate)) for t in graph.outputs],
        )

    @property
    def graph(self) -> AdderGraph:
        """The adder graph; not checked."""
        return AdderGraph(
            inputs=self.inputs,
            constants=tuple(self.constants),
            adds=tuple(Adder(a, b, s, bool(n)) for a, b, s, n in self.adds),
            outputs=tuple(Tap(i, s, bool(n)) for i, s, n in self.outputs),
        )


class Cut(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where the registers of a circuit are: the stage of every node.

    ``ternary`` where sums of three numbers were made before: all that save, or with ``timely``
    those that lengthen no path.
    """

    latency: int
    stages: list[int]
    ternary: bool = False
    timely: bool = False


class Found(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the search found: ``products`` by digest of the problem, ``cuts`` by region.

    Both are checked where they are used: against the matrix, and against the order of the nodes.
    """

    version: int = 1
    products: dict[str, Product] = {}
    cuts: dict[str, Cut] = {}


@dataclass(frozen=True, slots=True)
class Spatial:
    """A region, its circuit, and the line buffer in front of it."""

    region: Region
    unit: Unit
    lines: Lines | None
    area: Area


def unrolled(node: Node, types: Mapping[str, TensorType], style: Style) -> int:
    """Return the multiplications that ``node`` has logic of its own for in ``style``."""
    work = node.op.multiplications(*(types[name] for name in node.inputs))
    height, width = node.output.type.image if style is Style.PIXEL else (1, 1)
    return work // (height * width)


@dataclass
class Maker:
    """Makes the circuits of a design."""

    graph: Graph
    config: Config
    known: Found = field(default_factory=Found)
    say: Say = lambda _: None
    products: dict[str, Product] = field(default_factory=dict)
    cuts: dict[str, Cut] = field(default_factory=dict)

    def make(self, regions: Sequence[Region]) -> dict[str, Spatial]:
        """Return the circuit of every region by its name.

        Raises:
            ScheduleError: a region is too large to unroll, or its clock cannot be reached.
        """
        self._types = self.graph.types()
        self._ranges = Ranges(self.graph)
        order = in_order(self.graph, tuple(regions))
        made = {item.name: self._spatial(item) for item in order if isinstance(item, Region)}
        return {region.name: made[region.name] for region in regions}

    def found(self, made: Mapping[str, Spatial]) -> Found:
        """Return what would make the same circuits again without a search."""
        return Found(products=dict(self.products), cuts={name: self.cuts[name] for name in made})

    # --- one region ------------------------------------------------------------------------------

    def _spatial(self, region: Region) -> Spatial:
        self._check_size(region)
        build = Builder()
        make = self._frame if region.style is Style.SPATIAL else self._pixel
        ids, intervals, ins, lines = make(region, build)
        outs = [self._types[name] for name in region.outputs]
        ends = [self._fitted(build, ids[n], t) for n, t in zip(region.outputs, outs, strict=True)]
        for name, end in zip(region.outputs, ends, strict=True):
            self._learn(name, build, end)
        flat = [int(i) for end in ends for i in end]
        self.say(f"{region.name}: laying out {len(build.nodes)} nodes of {len(region.nodes)} ops")
        circuit = self._laid_out(region, build, intervals, flat)
        circuit = with_tables(circuit, 6 if _wide_luts(self.config) else 4)
        out = tuple(
            Lanes(n, len(e), t.fixed.width, t.fixed.signed)
            for n, e, t in zip(region.outputs, ends, outs, strict=True)
        )
        unit = Unit(
            region.name,
            self._piped(region, circuit),
            ins,
            out,
            tuple((n.name, n.path) for n in region.nodes),
            tuple((n.name, n.output.type.shape) for n in region.nodes),
        )
        cost = estimate(unit.piped, self.config.family)
        area = Area(luts=round(cost.luts), ffs=cost.ffs, dsps=cost.dsps)
        return Spatial(region, unit, lines, area)

    def _laid_out(
        self, region: Region, build: Builder, intervals: list[tuple[int, int]], ends: list[int]
    ) -> Circuit:
        config = self.config
        try:
            return lay_out(build, intervals, ends, self._solve, config.extra_depth, config.family)
        except ConfigError as error:
            raise ScheduleError(
                f"{region.nodes[0].where}: {error}; use fewer bits, or style stream for it"
            ) from None

    def _check_size(self, region: Region) -> None:
        weights = sum(unrolled(node, self._types, region.style) for node in region.nodes)
        if weights > MOST_WEIGHTS:
            luts = int(weights * LUTS_PER_BIT * self.config.weight_bits)
            other = "pixel or stream" if region.style is Style.SPATIAL else "stream"
            raise ScheduleError(
                f"{region.nodes[0].where}: {weights:,} multiplications laid out in logic need "
                f"about {luts:,} LUTs, too many to unroll (the limit is {MOST_WEIGHTS:,} "
                f"multiplications); choose style {other} for it"
            )

    def _frame(
        self, region: Region, build: Builder
    ) -> tuple[dict[str, np.ndarray], list[tuple[int, int]], tuple[Lanes, ...], None]:
        ids: dict[str, np.ndarray] = {}
        intervals: list[tuple[int, int]] = []
        lanes = []
        for operand, name in zip(_operands(region), region.inputs, strict=True):
            x = self._types[name]
            los, his = (end.ravel() for end in self._ranges.elements(name))
            flat = np.empty(x.size, dtype=np.int64)
            for place in stream_order(x.shape):
                flat[place] = _lane(build, intervals, int(los[place]), int(his[place]))
            ids[name] = flat.reshape(x.shape)
            lanes.append(Lanes(operand, x.size, x.fixed.width, x.fixed.signed))
        _unroll(build, region.nodes, region.nodes[0].op, ids)
        for name in region.outputs:
            ids[name] = ids[name].ravel()[stream_order(ids[name].shape)]
        return ids, intervals, tuple(lanes), None

    def _pixel(
        self, region: Region, build: Builder
    ) -> tuple[dict[str, np.ndarray], list[tuple[int, int]], tuple[Lanes, ...], Lines | None]:
        head = region.nodes[0]
        lines, op = head.op.pixel(*(self._types[i] for i in head.inputs))
        ids: dict[str, np.ndarray] = {}
        intervals: list[tuple[int, int]] = []
        lanes = []
        for operand, name in zip(_operands(region), region.inputs, strict=True):
            x = self._types[name]
            taps = lines.taps if lines else 1
            los, his = self._ranges.channels(name)
            if lines:
                los, his = np.minimum(los, lines.pad), np.maximum(his, lines.pad)
            ends = list(zip(los.tolist(), his.tolist(), strict=True)) * taps
            flat = [_lane(build, intervals, lo, hi) for lo, hi in ends]
            shape = lines.kernel if lines else (1,) * (len(x.shape) - 1)
            # Tap by tap, the channels of each together.
            ids[name] = np.array(flat).reshape(taps, x.channels).T.reshape(x.channels, *shape)
            lanes.append(Lanes(operand, len(flat), x.fixed.width, x.fixed.signed))
        _unroll(build, region.nodes, op, ids)
        ids[region.name] = ids[region.name].ravel()
        return ids, intervals, tuple(lanes), lines

    def _learn(self, name: str, build: Builder, end: Sequence[int]) -> None:
        """Tell the circuits behind what the outputs of this one can be."""
        ends = np.array([(build.nodes[i].lo, build.nodes[i].hi) for i in end])
        shape = self._types[name].shape
        if len(end) < self._types[name].size:  # of any pixel
            self._ranges.learn(name, ends[:, 0], ends[:, 1])
            return
        flat = np.empty_like(ends)
        flat[stream_order(shape)] = ends
        self._ranges.learn(name, flat[:, 0].reshape(shape), flat[:, 1].reshape(shape))

    @staticmethod
    def _fitted(build: Builder, ids: np.ndarray, type: TensorType) -> list[int]:
        """Cut what borders make impossible: no value leaves the type, but an interval may."""
        fixed = type.fixed
        return [build.wrap(int(i), fixed.lo, fixed.hi) for i in ids]

    # --- search and registers ----------------------------------------------------------------

    def _solve(self, problems: Sequence[Problem]) -> list[AdderGraph]:
        digests = [problem.digest() for problem in problems]
        distinct = dict(zip(digests, problems, strict=True))
        known = self.known.products
        graphs = {d: self._checked(known[d], p) for d, p in distinct.items() if d in known}
        fresh = {d: p for d, p in distinct.items() if d not in known}
        model = LUT6_THREE if adds_three(self.config.family) else LUT4
        settings = Settings(effort=self.config.effort, seed=self.config.seed)
        solved = solve_many(list(fresh.values()), settings, model, workers=_threads())
        graphs |= dict(zip(fresh, solved, strict=True))
        self.products |= {digest: Product.of(graph) for digest, graph in graphs.items()}
        return [graphs[digest] for digest in digests]

    @staticmethod
    def _checked(product: Product, problem: Problem) -> AdderGraph:
        try:
            graph = product.graph
            graph.check(problem)
        except (HwaccelError, IndexError, ValueError, OverflowError) as error:
            raise ScheduleError(
                f"spatial.json: an adder graph does not compute its matrix ({error}); convert again"
            ) from None
        return graph

    def _piped(self, region: Region, circuit: Circuit) -> Pipelined:
        cut = self.known.cuts.get(region.name)
        if cut is None:
            cut, piped = self._cut(circuit)
        else:
            before = (
                fused(circuit, self.config.family, timely=cut.timely) if cut.ternary else circuit
            )
            piped = Pipelined(before, tuple(cut.stages), cut.latency)
            check(piped)
            piped = self._finished(piped, cut)
        self.cuts[region.name] = cut
        return piped

    def _cut(self, circuit: Circuit) -> tuple[Cut, Pipelined]:
        """Place the registers, behind sums of three where that is better.

        With a clock these may take no cycle more. With a latency the product of LUTs and the
        longest stage decides: most of them cost little time and save much area.
        """
        family, clock = self.config.family, self._clock_ns
        if not adds_three(family) or self.config.latency == 0:
            return self._placed(circuit)
        model = model_for(family)
        ways = ((fused(circuit, family, timely=timely), timely) for timely in (False, True))
        if clock is None:
            made = [self._placed(before, ternary=True, timely=timely) for before, timely in ways]
            return min(made, key=lambda one: _area_delay(one[1], family))
        least = least_latency(circuit, model, clock)
        for before, timely in ways:
            if least_latency(before, model, clock) <= least:
                return self._placed(before, ternary=True, timely=timely)
        return self._placed(circuit)

    def _placed(
        self, circuit: Circuit, *, ternary: bool = False, timely: bool = False
    ) -> tuple[Cut, Pipelined]:
        model, clock, latency = model_for(self.config.family), self._clock_ns, self.config.latency
        piped = pipeline(circuit, model, clock_ns=clock, latency=latency)
        stages = list(piped.stages)
        cut = Cut(latency=piped.latency, stages=stages, ternary=ternary, timely=timely)
        return cut, self._finished(piped, cut)

    def _finished(self, piped: Pipelined, cut: Cut) -> Pipelined:
        """Make the sums of three that fit between the registers."""
        if cut.ternary and not cut.timely:
            return piped  # all that save are there
        # Without registers and without a limit of depth, time does not matter.
        free = not piped.latency and self.config.extra_depth is None
        return with_ternary(piped, self.config.family, self._clock_ns, free=free)

    @property
    def _clock_ns(self) -> float | None:
        """The period asked for; none where a latency is given."""
        return None if self.config.latency is not None else 1000.0 / self.config.clock_mhz


def _area_delay(piped: Pipelined, family: str) -> float:
    """Return LUTs times nanoseconds of the longest stage."""
    longest = check(piped, model_for(family)) or 0.0
    return estimate(piped, family).luts * longest


def _lane(build: Builder, intervals: list[tuple[int, int]], lo: int, hi: int) -> int:
    """Add the next element of the input vector; one that never changes is not read."""
    intervals.append((lo, hi))
    return build.constant(lo) if lo == hi else build.input(len(intervals) - 1, lo, hi)


def _unroll(build: Builder, nodes: Sequence[Node], first: Op, ids: dict[str, np.ndarray]) -> None:
    """Add the elements of every node to ``ids``; ``first`` stands for the op of the first one."""
    for node in nodes:
        build.origin = node.name
        op = first if node is nodes[0] else node.op
        ids[node.name] = op.unroll(build, *(ids[i] for i in node.inputs))
        build.label([int(i) for i in ids[node.name].ravel()])


def _operands(region: Region) -> tuple[str, ...]:
    return ("in_data",) if len(region.inputs) == 1 else ("in_a_data", "in_b_data")


def _threads() -> int:
    """Return how many searches run side by side: one where a worker shares the cores."""
    return 1 if os.environ.get("OMP_NUM_THREADS") == "1" else 2


def _wide_luts(config: Config) -> bool:
    return config.family in ("xcup", "xc7")
