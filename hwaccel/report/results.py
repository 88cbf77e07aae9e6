"""What each stage found out, one JSON document per stage under ``<project>/results/``.

A record holds what a tool did on the emitted files. Where a prediction stands beside a
measurement its field says so in its name; nothing else in a record is predicted or estimated.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal, NamedTuple, TypeVar

import msgspec

from hwaccel.emit.project import own_folder, pretty_json, replace_file
from hwaccel.errors import EmitError
from hwaccel.report.evidence import ErrorRecord, MismatchRecord, TraceRecord
from hwaccel.report.record import Count, Megahertz, Positive, Record, Seconds, Share, Text
from hwaccel.untrusted import Damaged, decode_json, read_file

FOLDER = "results"
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_MAX_BYTES = 1 << 22


class SimRecord(Record, frozen=True, kw_only=True, tag="sim"):
    """A Verilog simulation. Times are in clock cycles; ``mismatches`` counts output values.

    ``predicted_latency`` and ``predicted_interval`` are the schedule's for the same input
    times; ``None`` where it makes no promise, as under back pressure. ``interval`` is ``None``
    for a single frame.
    """

    simulator: Text
    frames: Count
    mismatches: Count
    latency: Count
    interval: Count | None = None
    predicted_latency: Count | None = None
    predicted_interval: Count | None = None
    cycles: Count = 0
    seconds: Seconds = 0.0
    idle: Text = "none"
    backpressure: Text = "none"
    seed: int = 0
    tool_versions: dict[Text, Text] = msgspec.field(default_factory=dict)

    @property
    def stalled(self) -> bool:
        """Tell whether source or sink made the design wait."""
        return (self.idle, self.backpressure) != ("none", "none")


class CsimRecord(Record, frozen=True, kw_only=True, tag="csim"):
    """Another executor compared with the golden model; ``mismatches`` counts output values."""

    what: Literal["hls", "cuda-host", "cuda", "torch", "netlist"]
    frames: Count
    mismatches: Count
    seconds: Seconds = 0.0
    tool_versions: dict[Text, Text] = msgspec.field(default_factory=dict)


class PartRow(NamedTuple):
    """What one block takes of a netlist; LUTs in the unit in which they are shown."""

    luts: Count
    ffs: Count
    dsps: Count
    block_rams: Count


class SynthRecord(Record, frozen=True, kw_only=True, tag="synth"):
    """A synthesis run, placed and routed where ``routed``; Fmax from its timing analysis.

    ``luts`` counts those in carry chains and distributed RAM as well; ``lut4_equivalents`` is
    the same in four-input LUTs, ``None`` for a family with larger ones. Where cells are
    ``untimed``, Fmax is an upper bound: paths through them are missing from the analysis.
    ``parts`` is the same netlist by block of the plan, "" for what belongs to none; LUTs there are
    ``lut4_equivalents`` where there are any.
    """

    target: Text
    luts: Count
    lut4_equivalents: Count | None = None
    ffs: Count
    dsps: Count
    block_rams: Count
    carries: Count = 0
    distributed_rams: Count = 0
    fmax_mhz: Megahertz | None = None
    clock_mhz: Megahertz
    routed: bool
    untimed: list[Text] = msgspec.field(default_factory=list)
    bitstream: Text = ""
    parts: dict[Text, PartRow] = msgspec.field(default_factory=dict)
    seconds: Seconds = 0.0
    tool_versions: dict[Text, Text] = msgspec.field(default_factory=dict)


class AsicRecord(Record, frozen=True, kw_only=True, tag="asic"):
    """A netlist of standard cells: area, timing between registers, power, and its simulation.

    ``area`` is in the unit of the library (um2); ``gate_equivalents`` the same in two-input NANDs,
    ``None`` for a library without one. ``kinds`` is the number of cells by kind. A slack or Fmax is
    ``None`` where no path leads from register to register. ``frames`` went through the netlist, bit
    for bit and cycle for cycle as golden and the plan have them. Power is that of the switching
    that was counted there, or else of ``default_activity`` everywhere.
    """

    target: Text
    library: Text
    area: Annotated[float, msgspec.Meta(ge=0)]
    register_area: Annotated[float, msgspec.Meta(ge=0)]
    gate_equivalents: Annotated[float, msgspec.Meta(ge=0)] | None = None
    kinds: dict[Text, Count]
    clock_mhz: Megahertz
    fmax_mhz: Megahertz | None = None
    setup_slack_ns: float | None = None
    hold_slack_ns: float | None = None
    path_from: Text = ""
    path_to: Text = ""
    power_w: Annotated[float, msgspec.Meta(ge=0)]
    leakage_w: Annotated[float, msgspec.Meta(ge=0)]
    frames: Count = 0
    cycles: Count = 0
    default_activity: Annotated[float, msgspec.Meta(ge=0)] | None = None
    macros: dict[Text, Count] = msgspec.field(default_factory=dict)
    seconds: Seconds = 0.0
    tool_versions: dict[Text, Text] = msgspec.field(default_factory=dict)


class AccuracyRow(NamedTuple):
    """Correct answers of one executor."""

    label: Text
    correct: Count
    frames: Count


class AccuracyRecord(Record, frozen=True, kw_only=True, tag="accuracy"):
    """How often each executor is right, on the same labelled frames."""

    rows: tuple[AccuracyRow, ...]
    data: Text = ""

    def __post_init__(self) -> None:
        for label, correct, frames in self.rows:
            if not correct <= frames or not frames:
                raise ValueError(f"{label!r}: {correct} of {frames} frames cannot be correct")


class TrainRecord(Record, frozen=True, kw_only=True, tag="train"):
    """A training step: ``sparsity`` is the share of weights that are zero after it."""

    what: Text
    epochs: Count
    seconds: Seconds = 0.0
    sparsity: Share | None = None
    device: Text = ""


class Batch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The speed at a batch size; ``joules_per_frame`` is ``None`` where no counter moved."""

    batch: Count
    frames: Count
    frames_per_second: Positive
    joules_per_frame: Positive | None = None


class ExecutorRow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An executor as measured; ``mismatches`` is ``None`` for one that is not exact.

    ``difference`` is then the largest from the golden model's numbers, where data were given.
    """

    executor: Text
    mismatches: Count | None
    difference: Seconds | None = None
    latency_s: Positive
    batches: tuple[Batch, ...]


class HardwareRow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The design at a clock: ``target`` is where it was placed and routed, or nothing.

    Cycles are the schedule's, which are exact; ``simulated`` counts the frames of simulations
    that equal the golden model and took the cycles that were predicted for them.
    """

    clock_mhz: Megahertz
    target: Text = ""
    upper_bound: bool = False
    latency_cycles: Count
    interval_cycles: Count
    frames_per_second: Positive
    latency_s: Seconds
    simulated: Count = 0


class SpeedRecord(Record, frozen=True, kw_only=True, tag="speed"):
    """Executors side by side on one ``device``, beside the hardware's own rate."""

    device: Text
    on_gpu: bool
    meter: Text
    frames: Count
    seed: int
    executors: tuple[ExecutorRow, ...]
    hardware: tuple[HardwareRow, ...]
    tool_versions: dict[Text, Text] = msgspec.field(default_factory=dict)


AnyRecord = (
    SimRecord
    | CsimRecord
    | SynthRecord
    | AsicRecord
    | AccuracyRecord
    | TrainRecord
    | SpeedRecord
    | TraceRecord
    | MismatchRecord
    | ErrorRecord
)
_R = TypeVar("_R", bound=Record)


@dataclass(frozen=True, slots=True)
class Results:
    """The records of a project by name, in the order of their names."""

    records: Mapping[str, AnyRecord] = field(default_factory=dict)

    def of(self, kind: type[_R]) -> tuple[_R, ...]:
        """Return the records of one kind."""
        return tuple(r for r in self.records.values() if isinstance(r, kind))

    def measured_on(self, design: str) -> Results:
        """Return the records that belong to ``design`` or do not name a design."""
        return Results({n: r for n, r in self.records.items() if r.design in ("", design)})


def save_result(folder: Path, name: str, record: AnyRecord) -> Path:
    """Write ``<folder>/results/<name>.json`` in one step and return its path.

    ``folder`` is the project; ``name`` says which run it was (``sim-verilator``). An earlier
    record of that name is replaced, and survives a failure.

    Raises:
        EmitError: the name or a field is not legal, or the file cannot be written.
    """
    if not _NAME.fullmatch(name):
        raise EmitError(
            f"{name!r} is not a name for a result; use up to 64 of a-z, 0-9, '.', '_' and '-'"
        )
    path = folder / FOLDER / f"{name}.json"
    try:
        data = pretty_json(record).encode()
        msgspec.json.decode(data, type=AnyRecord)
    except (msgspec.MsgspecError, ValueError) as error:
        raise EmitError(f"{path}: the record is not legal ({error})") from None
    try:
        own_folder(path.parent)
        replace_file(path, data)
    except OSError as error:
        raise EmitError(f"{path}: cannot be written ({error.strerror})") from None
    return path


def drop_result(folder: Path, name: str) -> None:
    """Delete the record ``name``, which no longer holds; nothing happens where there is none.

    Raises:
        EmitError: it cannot be deleted, or lies outside the project.
    """
    path = folder / FOLDER / f"{name}.json"
    try:
        if path.exists() or path.is_symlink():
            own_folder(path.parent)
            path.unlink()
    except OSError as error:
        raise EmitError(f"{path}: cannot be deleted ({error.strerror})") from None


def load_results(folder: Path) -> Results:
    """Read every record of the project ``folder``; none when it has no results yet.

    Raises:
        EmitError: a file is not a record; the message names it.
    """
    found: dict[str, AnyRecord] = {}
    try:
        paths = sorted((folder / FOLDER).glob("*.json"))
    except OSError as error:
        raise EmitError(f"{folder / FOLDER}: cannot be read ({error.strerror})") from None
    for path in paths:
        if _NAME.fullmatch(path.stem):
            found[path.stem] = _read(path)
    return Results(found)


def _read(path: Path) -> AnyRecord:
    remedy = "delete it, or run the stage again"
    try:
        record: AnyRecord = decode_json(read_file(path, _MAX_BYTES), AnyRecord)  # type: ignore[arg-type]
    except OSError as error:
        raise EmitError(f"{path}: cannot be read ({error.strerror}); {remedy}") from None
    except Damaged as error:
        raise EmitError(f"{path}: is not a result of hwaccel ({error}); {remedy}") from None
    return record
