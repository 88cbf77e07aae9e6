"""``Report``: every number about a design, and for each whether it was measured or estimated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from hwaccel.config import Config
from hwaccel.emit.netlist import Netlist
from hwaccel.ir import Graph
from hwaccel.ir.hardware import Area
from hwaccel.report.activity import FRAMES, Activity, run_schedule
from hwaccel.report.details import Detail, details_of
from hwaccel.report.diagram import Diagram, diagram_of
from hwaccel.report.errors import LayerLoss, losses_of
from hwaccel.report.evidence import MismatchRecord, TraceRecord
from hwaccel.report.facts import Measured, Run, measured_by, runs
from hwaccel.report.limits import limits_of
from hwaccel.report.pipeline import Pipeline, pipeline_of
from hwaccel.report.profile import Profile, profile_of
from hwaccel.report.results import Results
from hwaccel.report.stages import (
    Buffer,
    Logic,
    Stage,
    adapter_area,
    buffers_of,
    logic_of,
    stages_of,
)
from hwaccel.report.text import clean, shape_of
from hwaccel.schedule.estimate import plan_area
from hwaccel.schedule.fits import FMAX_ERRORS
from hwaccel.schedule.plan import Plan
from hwaccel.schedule.speed import Speed, block_speeds, plan_speed
from hwaccel.schedule.timing import Timing

FORMAT = "hwaccel-report"
VERSION = 1


@dataclass(frozen=True, slots=True)
class Port:
    """An input or output of the design and what one frame of it is."""

    name: str
    shape: str
    format: str
    lanes: int
    beats: int


@dataclass(frozen=True, slots=True)
class Predicted:
    """What the schedule promises, exactly, for a source and a sink that never wait."""

    latency: int
    interval: int
    frames: int
    slowest_cycles: int
    activity: tuple[Activity, ...]


@dataclass(frozen=True, slots=True)
class Estimated:
    """Estimated area of the design; ``adapters`` is the part that stands between stages.

    ``speed`` is the estimated Fmax, None for a family whose delays were never fitted, and
    ``speed_error`` how far such estimates are off on average.
    """

    total: Area
    adapters: Area
    speed: Speed | None = None
    speed_error: float = 0.0

    @property
    def fmax_mhz(self) -> float | None:
        """The estimated Fmax alone."""
        return self.speed.fmax_mhz if self.speed else None


@dataclass(frozen=True, slots=True)
class Totals:
    """Counts over the whole network."""

    layers: int
    weights: int
    zeros: int
    multiplications: int


@dataclass(frozen=True, slots=True)
class Report:
    """One design. ``dropped`` names the records that belong to another design."""

    format: str
    version: int
    name: str
    design_hash: str
    clock_mhz: float
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    totals: Totals
    measured: Measured
    predicted: Predicted
    estimated: Estimated
    stages: tuple[Stage, ...]
    profile: Profile
    logic: tuple[Logic, ...]
    buffers: tuple[Buffer, ...]
    diagram: Diagram
    details: tuple[Detail, ...]
    pipeline: Pipeline
    losses: Mapping[str, LayerLoss]
    traces: tuple[TraceRecord, ...]
    mismatches: tuple[MismatchRecord, ...]
    runs: tuple[Run, ...]
    config: tuple[tuple[str, str], ...]
    versions: tuple[tuple[str, str], ...]
    dropped: tuple[str, ...]
    limits: tuple[str, ...]

    @property
    def bottlenecks(self) -> tuple[str, ...]:
        """Names of the stages that need the most cycles."""
        return tuple(stage.title for stage in self.stages if stage.bottleneck)


def build_report(
    graph: Graph,
    plan: Plan,
    config: Config,
    results: Results,
    *,
    design_hash: str,
    versions: Mapping[str, str],
    netlist: Netlist | None = None,
) -> Report:
    """Collect everything known about a design.

    ``results`` are what the stages left (``load_results``); those of another design are dropped
    and named. ``versions`` are those of hwaccel and of what it ran on. ``netlist`` says which
    modules the stages are made of.
    """
    mine = results.measured_on(design_hash)
    measured = measured_by(mine)
    speeds = block_speeds(plan)
    timing, predicted, stages = _scheduled(plan, speeds)
    pipeline, losses = pipeline_of(plan, timing), losses_of(mine)
    diagram = diagram_of(plan, stages)
    dropped = tuple(clean(name) for name in results.records if name not in mine.records)
    estimated = _estimated(plan, speeds)
    return Report(
        FORMAT,
        VERSION,
        clean(graph.name),
        clean(design_hash),
        config.clock_mhz,
        _ports(plan, plan.inputs, [value.name for value in graph.inputs]),
        _ports(plan, plan.outputs, graph.outputs),
        _totals(stages),
        measured,
        predicted,
        estimated,
        stages,
        profile_of(plan, speeds),
        logic_of(plan, config.family),
        buffers_of(plan),
        diagram,
        details_of(plan, netlist, diagram, stages, pipeline, losses, measured.parts),
        pipeline,
        losses,
        mine.of(TraceRecord),
        mine.of(MismatchRecord),
        runs(mine),
        _choices(config),
        tuple((clean(k), clean(v)) for k, v in sorted(versions.items())),
        dropped,
        limits_of(
            measured,
            FRAMES,
            dropped,
            pipeline,
            estimated.speed_error if estimated.speed else None,
        ),
    )


def _estimated(plan: Plan, speeds: Mapping[str, Speed]) -> Estimated:
    speed, error = plan_speed(plan, speeds), FMAX_ERRORS.get(plan.family, 0.0)
    named = speed and replace(speed, block=clean(speed.block))
    return Estimated(plan_area(plan), adapter_area(plan), named, error)


def _scheduled(
    plan: Plan, speeds: Mapping[str, Speed]
) -> tuple[Timing, Predicted, tuple[Stage, ...]]:
    timing, activity = run_schedule(plan)
    stages = stages_of(plan, timing.interval, speeds)
    slowest = max((stage.cycles for stage in stages), default=0)
    predicted = Predicted(timing.latency, timing.interval, FRAMES, slowest, activity)
    return timing, predicted, stages


def _ports(plan: Plan, streams: Sequence[str], names: Sequence[str]) -> tuple[Port, ...]:
    types = plan.graph.types()
    return tuple(
        Port(
            clean(name),
            shape_of(types[name]),
            str(types[name].fixed),
            plan.streams[stream].lanes,
            plan.streams[stream].beats,
        )
        for stream, name in zip(streams, names, strict=True)
    )


def _totals(stages: tuple[Stage, ...]) -> Totals:
    layers = [layer for stage in stages for layer in stage.layers]
    return Totals(
        len(layers),
        sum(layer.weights for layer in layers),
        sum(layer.zeros for layer in layers),
        sum(layer.multiplications for layer in layers),
    )


def _choices(config: Config) -> tuple[tuple[str, str], ...]:
    """Return what the configuration asks for; what it leaves open is left out."""
    found = []
    for name in config.__struct_fields__:
        value = getattr(config, name)
        if name == "layers":
            found += [(f"layers.{clean(k)}", _layer_text(v)) for k, v in sorted(value.items())]
        elif value not in (None, ""):
            found.append((name, clean(str(value))))
    return tuple(found)


def _layer_text(layer: object) -> str:
    fields = getattr(layer, "__struct_fields__", ())
    given = [(n, getattr(layer, n)) for n in fields if getattr(layer, n) is not None]
    return ", ".join(f"{name} {value}" for name, value in given)
