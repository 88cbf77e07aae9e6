"""The rows of a report that come from records: who agrees, how fast, how large, by which tool."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import sqrt

from hwaccel.report.evidence import ErrorRecord, MismatchRecord, TraceRecord
from hwaccel.report.results import (
    AccuracyRecord,
    AnyRecord,
    AsicRecord,
    CsimRecord,
    PartRow,
    Results,
    SimRecord,
    SpeedRecord,
    SynthRecord,
    TrainRecord,
)
from hwaccel.report.text import clean

SIMULATORS = {
    "verilator": "Verilog in Verilator, cocotb bench",
    "verilator-fast": "Verilog in Verilator, compiled driver",
    "fast": "Verilog in Verilator, compiled driver",
    "icarus": "Verilog in Icarus, cocotb bench",
}
_EXECUTORS = {
    "hls": "HLS C++ compiled with g++",
    "cuda-host": "CUDA C++ compiled for the host",
    "cuda": "CUDA C++ on a GPU",
    "torch": "PyTorch model",
    "netlist": "synthesized netlist",
}


@dataclass(frozen=True, slots=True)
class AccuracyLine:
    """Correct answers of one executor, and the 95 % interval ``low`` to ``high``."""

    label: str
    correct: int
    frames: int
    share: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class EqualityLine:
    """An executor compared with the golden model in every bit."""

    executor: str
    frames: int
    mismatches: int
    seconds: float
    note: str


@dataclass(frozen=True, slots=True)
class TimingLine:
    """A simulated latency and interval and the schedule's for the same input times, in cycles."""

    simulator: str
    stalls: str
    frames: int
    latency: int
    interval: int | None
    predicted_latency: int | None
    predicted_interval: int | None

    @property
    def agrees(self) -> bool | None:
        """Tell whether simulation and schedule agree to the cycle; ``None`` without a promise."""
        pairs = (
            (self.latency, self.predicted_latency),
            (self.interval, self.predicted_interval),
        )
        known = [found == want for found, want in pairs if None not in (found, want)]
        return all(known) if known else None


@dataclass(frozen=True, slots=True)
class Device:
    """What a device holds."""

    lut4: int
    ffs: int
    dsps: int
    block_rams: int


# Lattice FPGA-DS-02012, table 1.1; LUT and register counts as nextpnr sees them. The others are
# as nextpnr lists them; multipliers of Gowin are of 9 bits.
DEVICES: Mapping[str, Device] = {
    "ecp5-25": Device(24288, 24288, 28, 56),
    "ecp5-45": Device(43848, 43848, 72, 108),
    "ecp5-85": Device(83640, 83640, 156, 208),
    "ice40-up5": Device(5280, 5280, 8, 30),
    "ice40hx-8": Device(7680, 7680, 0, 32),
    "gw1n-9c": Device(8640, 6480, 40, 26),
    "gw2a-18": Device(20736, 15552, 96, 46),
}


@dataclass(frozen=True, slots=True)
class Synthesis:
    """A synthesis result; ``device`` is ``None`` for a target whose size is not known here.

    Where the delays of some cells are unknown (``untimed``), there is a bound instead of an Fmax.
    ``parts`` says what each block of the plan takes, by its name.
    """

    target: str
    device: Device | None
    luts: int
    lut4_equivalents: int | None
    ffs: int
    dsps: int
    block_rams: int
    carries: int
    distributed_rams: int
    fmax_mhz: float | None
    clock_mhz: float
    routed: bool
    untimed: tuple[str, ...] = ()
    bound_mhz: float | None = None
    parts: Mapping[str, PartRow] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Training:
    """A step that made the model."""

    what: str
    epochs: int
    seconds: float
    sparsity: float | None
    device: str


@dataclass(frozen=True, slots=True)
class Run:
    """How a set of numbers was made."""

    what: str
    command: str
    tools: tuple[str, ...]
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Measured:
    """Everything tools found out by running what was emitted."""

    accuracy: tuple[AccuracyLine, ...]
    equality: tuple[EqualityLine, ...]
    timing: tuple[TimingLine, ...]
    synthesis: tuple[Synthesis, ...]
    training: tuple[Training, ...]
    cells: tuple[AsicRecord, ...] = ()

    @property
    def parts(self) -> Mapping[str, PartRow]:
        """What each stage takes of the netlist that heads the report, where that is known."""
        return next((made.parts for made in self.synthesis), {})


def measured_by(results: Results) -> Measured:
    """Return what the records say, in the order of a report."""
    return Measured(
        accuracy_lines(results),
        equality_lines(results),
        timing_lines(results),
        syntheses(results),
        trainings(results),
        results.of(AsicRecord),
    )


def device_of(target: str) -> Device | None:
    """Return the device a target names, ``ecp5-85k`` or ``ecp5-85``."""
    return DEVICES.get(target.lower().removesuffix("k").removesuffix("f"))


def accuracy_lines(results: Results) -> tuple[AccuracyLine, ...]:
    """Return every accuracy row."""
    rows = [row for record in results.of(AccuracyRecord) for row in record.rows]
    return tuple(
        AccuracyLine(clean(label), right, frames, right / frames, *_wilson(right, frames))
        for label, right, frames in rows
    )


def _wilson(correct: int, frames: int) -> tuple[float, float]:
    """Return the 95 % score interval (E. B. Wilson, J. Am. Stat. Assoc. 22, 1927)."""
    z, p = 1.96, correct / frames
    scale = 1 + z * z / frames
    middle = (p + z * z / (2 * frames)) / scale
    half = z * sqrt(p * (1 - p) / frames + z * z / (4 * frames * frames)) / scale
    return max(0.0, middle - half), min(1.0, middle + half)


def equality_lines(results: Results) -> tuple[EqualityLine, ...]:
    """Return a line for every executor that was compared with the golden model."""
    sims = [
        EqualityLine(
            executor_of(r), r.frames, r.mismatches, r.seconds, f"{_stalls(r)}; seed {r.seed}"
        )
        for r in results.of(SimRecord)
    ]
    others = [
        EqualityLine(_EXECUTORS[r.what], r.frames, r.mismatches, r.seconds, "")
        for r in results.of(CsimRecord)
    ]
    return (*sims, *others)


def executor_of(record: SimRecord) -> str:
    """Return the simulator in words."""
    return SIMULATORS.get(record.simulator, f"Verilog in {clean(record.simulator)}")


def _stalls(record: SimRecord) -> str:
    if not record.stalled:
        return "no stalls"
    return f"idle {clean(record.idle)}, back pressure {clean(record.backpressure)}"


def timing_lines(results: Results) -> tuple[TimingLine, ...]:
    """Return the times every simulation measured, those without stalls first."""
    records = sorted(results.of(SimRecord), key=lambda r: r.stalled)
    return tuple(
        TimingLine(
            executor_of(r),
            _stalls(r),
            r.frames,
            r.latency,
            r.interval or None,
            r.predicted_latency,
            r.predicted_interval or None,
        )
        for r in records
    )


def syntheses(results: Results) -> tuple[Synthesis, ...]:
    """Return the synthesis results, routed ones first."""
    records = sorted(results.of(SynthRecord), key=lambda r: not r.routed)
    return tuple(
        Synthesis(
            clean(r.target),
            device_of(r.target),
            r.luts,
            r.lut4_equivalents,
            r.ffs,
            r.dsps,
            r.block_rams,
            r.carries,
            r.distributed_rams,
            None if r.untimed else r.fmax_mhz,
            r.clock_mhz,
            r.routed,
            tuple(clean(cell) for cell in r.untimed),
            r.fmax_mhz if r.untimed else None,
            {clean(name): part for name, part in r.parts.items()},
        )
        for r in records
    )


def trainings(results: Results) -> tuple[Training, ...]:
    """Return the steps that made the model."""
    return tuple(
        Training(clean(r.what), r.epochs, r.seconds, r.sparsity, clean(r.device))
        for r in results.of(TrainRecord)
    )


def runs(results: Results) -> tuple[Run, ...]:
    """Return how every record was made."""
    return tuple(_run(record) for record in results.records.values())


def _run(record: AnyRecord) -> Run:
    what, command = _described(record)
    versions = getattr(record, "tool_versions", {})
    return Run(
        what,
        clean(record.command, 400) or command,
        tuple(f"{clean(k)} {clean(v)}" for k, v in sorted(versions.items())),
        getattr(record, "seconds", None),
    )


def _described(record: AnyRecord) -> tuple[str, str]:
    """Return what a record is about and the command that makes such a record."""
    if isinstance(record, SimRecord):
        return executor_of(record), "hwaccel sim"
    if isinstance(record, CsimRecord):
        return _EXECUTORS[record.what], "hwaccel csim" if record.what == "hls" else ""
    if isinstance(record, SynthRecord):
        steps = "synthesis, placement and routing" if record.routed else "synthesis"
        return f"{steps} for {clean(record.target)}", "hwaccel synth"
    if isinstance(record, AsicRecord):
        return f"cells, timing and power for {clean(record.target)}", "hwaccel synth"
    if isinstance(record, AccuracyRecord):
        return f"accuracy on {clean(record.data)}" if record.data else "accuracy", ""
    if isinstance(record, SpeedRecord):
        return f"speed on {clean(record.device)}", "hwaccel gpu compare"
    if isinstance(record, TraceRecord):
        return f"every stream and issuer, {clean(record.simulator)}", "hwaccel sim --trace"
    if isinstance(record, MismatchRecord):
        return f"wrong results, {clean(record.simulator)}", "hwaccel sim"
    if isinstance(record, ErrorRecord):
        return "error of each layer against the float model", "hwaccel convert"
    return f"training: {clean(record.what)}", ""
