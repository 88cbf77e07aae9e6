"""Run one stage on a project folder and keep its record there; the commands are thin above this."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from hwaccel import tools
from hwaccel._version import __version__
from hwaccel.api import Design
from hwaccel.emit.netlist import Netlist
from hwaccel.emit.project import replace_file, work_folder
from hwaccel.errors import ConfigError, EmitError, MismatchError
from hwaccel.golden import Golden
from hwaccel.gpu.torch_path import Throughput, throughput
from hwaccel.inputs import read_arrays
from hwaccel.ir import Graph
from hwaccel.report.evidence import (
    MOST_LAYERS,
    ErrorRecord,
    LayerError,
    MismatchRecord,
    TraceRecord,
)
from hwaccel.report.model import Report, build_report
from hwaccel.report.render import render_html
from hwaccel.report.results import (
    CsimRecord,
    PartRow,
    SimRecord,
    SynthRecord,
    drop_result,
    load_results,
    save_result,
)
from hwaccel.report.text import clean
from hwaccel.schedule.timing import Timed, Timing
from hwaccel.synth.constraints import Clock
from hwaccel.synth.parts import parts_of
from hwaccel.synth.target import target as find_target
from hwaccel.tools.cache import user_cache
from hwaccel.traces import Setting, mismatch_record, sim_command, trace_record
from hwaccel.verify import run, stimulus
from hwaccel.verify.compare import TensorMismatch
from hwaccel.verify.result import SimResult

if TYPE_CHECKING:
    from hwaccel.frontend.losses import Loss

Ints = NDArray[np.int64]
Progress = Callable[[str], None]


class Simulated(Protocol):
    """What can be simulated and is predicted: a design, or a system of several."""

    @property
    def graph(self) -> Graph:
        """What is computed."""

    @property
    def golden(self) -> Golden:
        """The bit-exact model."""

    @property
    def hash(self) -> str:
        """What identifies the hardware."""

    @property
    def plan(self) -> Timed:
        """What predicts its cycles."""

    @property
    def netlist(self) -> Netlist:
        """The top."""

    def verilog(self) -> dict[str, str]:
        """Return all Verilog and memory files by name."""


def frames(design: Simulated, count: int, seed: int, data: Sequence[Path]) -> tuple[Ints, ...]:
    """Return input integers: quantized from ``data``, or drawn by ``verify.stimulus``.

    Raises:
        ConfigError: the arrays do not fit the inputs, or hold no frames.
    """
    inputs = design.graph.inputs
    types = [value.type for value in inputs]
    if not data:
        return stimulus.frames(types, count, np.random.default_rng(seed))
    arrays = read_arrays(data)
    if len(arrays) != len(types):
        names = ", ".join(value.name for value in inputs)
        raise ConfigError(
            f"--data: found {len(arrays)} arrays, expected {len(types)}; give a .npy file for each "
            f"input, in this order: {names}; or all of them in one .npz file"
        )
    for (label, array), type in zip(arrays, types, strict=True):
        if array.ndim == 0 or array.shape[1:] != type.shape or not len(array):
            wanted = ", ".join(str(n) for n in type.shape)
            raise ConfigError(
                f"{label}: expected frames of shape (N, {wanted}), found {array.shape}"
            )
    if len({len(array) for _, array in arrays}) > 1:
        lengths = ", ".join(str(len(array)) for _, array in arrays)
        raise ConfigError(f"--data: inputs have {lengths} frames, expected equally many")
    return design.golden.quantize(*(array[:count] for _, array in arrays))


def simulate(
    design: Simulated,
    project: Path,
    xs: Sequence[Ints],
    simulator: str,
    *,
    idle: str = "none",
    backpressure: str = "none",
    seed: int = 1,
    waves: Path | None = None,
    trace: bool = False,
    progress: Progress = lambda _: None,
) -> SimRecord:
    """Simulate, compare with golden, save and return the record.

    With ``trace`` the waves are compared with schedule and golden model, and a record of that is
    kept too; ``progress`` hears a line about it. Where results are wrong, it is kept what is and
    where it begins.

    Raises:
        ConfigError: a trace of several devices at once is asked for.
        MismatchError: results or cycles are wrong, or with ``trace`` anything inside the design.
    """
    command = sim_command(project, simulator, len(xs[0]), idle, backpressure, seed)
    if trace and not isinstance(design, Design):
        raise ConfigError(
            f"{project}: is a system, which is not traced as a whole; trace a project that is in it"
        )
    setting = Setting(project, simulator, idle, backpressure, seed, command)
    kept = waves or (setting.waves() if trace else None)
    try:
        result = run.simulate(
            design.verilog(),
            design.netlist,
            xs,
            design.golden.raw(*xs),
            simulator=simulator,
            idle=idle,
            backpressure=backpressure,
            seed=seed,
            waves=kept,
            workdir=_workdir(project, simulator),
            command=command,
        )
    except TensorMismatch as error:
        if isinstance(design, Design):
            wrong = mismatch_record(design, setting, xs, error, kept)
            save_result(project, f"mismatch-{setting.suffix}", wrong)
            progress(origin_line(wrong))
        raise
    drop_result(project, f"mismatch-{setting.suffix}")
    predicted = predicted_for(design, result) if backpressure == "none" else None
    record = SimRecord(
        design=design.hash,
        command=command,
        simulator=simulator,
        frames=len(xs[0]),
        mismatches=0,
        latency=result.latency,
        # Under back pressure the gap between two frames is the sink's, not the design's.
        interval=(result.interval or None) if backpressure == "none" else None,
        predicted_latency=predicted.latency if predicted else None,
        predicted_interval=(predicted.interval or None) if predicted else None,
        cycles=result.cycles,
        seconds=result.seconds,
        idle=idle,
        backpressure=backpressure,
        seed=seed,
    )
    save_result(project, f"sim-{setting.suffix}", record)
    if isinstance(design, Design) and trace and kept is not None:
        traced = trace_record(design, setting, kept, xs, result.offered)
        save_result(project, f"trace-{setting.suffix}", traced)
        if traced.odd:
            raise MismatchError(f"{simulator}: {traced.odd[0]}; repeat with: {traced.command}")
        progress(trace_line(traced))
    if predicted is not None:
        require_cycles(predicted, result, command)
    return record


def predicted_for(design: Simulated, result: SimResult) -> Timing:
    """Return what the schedule says of a run with a sink that never waits, for its own input."""
    arrivals = dict(zip(design.plan.inputs, map(list, result.offered), strict=True))
    return design.plan.timing(len(result.finished), arrivals)


def require_cycles(predicted: Timing, result: SimResult, command: str) -> None:
    """Do nothing when a run took the cycles that were predicted for it.

    Raises:
        MismatchError: latency or interval differ.
    """
    for what, wanted, found in (
        ("latency", predicted.latency, result.latency),
        ("interval", predicted.interval, result.interval),
    ):
        if wanted != found:
            raise MismatchError(
                f"{result.simulator}: {what} is {found} cycles, predicted {wanted}; "
                f"repeat with: {command} --trace"
            )


def _workdir(project: Path, simulator: str) -> Path | None:
    # What is compiled once is run again, and so is not kept where others may have put it.
    if simulator == "fast":
        return user_cache("fast")
    return work_folder(project, f"sim-{simulator}") if simulator in run.SIMULATORS else None


def sim_line(record: SimRecord) -> str:
    """Return one line for the terminal."""
    said = ""
    if record.predicted_latency is not None:
        said = f" (predicted {record.predicted_latency}, {record.predicted_interval or '-'})"
    return (
        f"{record.simulator}: {record.frames} frames, {record.mismatches} mismatches; latency "
        f"{record.latency}, interval {record.interval or '-'} cycles{said}; "
        f"{record.cycles / max(record.seconds, 1e-9):,.0f} cycles/s"
    )


def trace_line(record: TraceRecord) -> str:
    """Return one line for the terminal."""
    beats = f"{record.beats:,} beats carry what the golden model says"
    if not record.timed:
        return f"{record.simulator}: {beats}; no promise of times under back pressure"
    return (
        f"{record.simulator}: {record.streams} streams and {record.issuers} issuers as predicted "
        f"in {record.cycles:,} cycles; {beats}"
    )


def origin_line(record: MismatchRecord) -> str:
    """Return one line for the terminal: where wrong numbers begin, as far as that was found."""
    first = record.tensors[0]
    if not record.located:
        return f"{record.simulator}: wrong in {first.name}; inside the design nothing was compared"
    fed = ", which is fed right ones" if record.fed else ""
    return (
        f"{record.simulator}: wrong numbers begin in {first.path or first.name}{fed}; the first "
        f"leaves it in cycle {first.cycle}"
    )


def keep_losses(design: Design, project: Path, losses: Sequence[Loss]) -> None:
    """Save how far each layer is from the float model, for the report."""
    layers = [LayerError(clean(one.name), one.signal, one.noise, one.largest) for one in losses]
    if layers:
        frames = losses[0].frames
        record = ErrorRecord(
            design=design.hash,
            command="hwaccel convert",
            frames=frames,
            layers=layers[:MOST_LAYERS],
        )
        save_result(project, "errors", record)


def csim(design: Design, project: Path, xs: Sequence[Ints], what: str) -> CsimRecord:
    """Run another executor, compare with golden, save and return the record."""
    started = time.monotonic()
    found = design.execute(what, xs)
    seconds = time.monotonic() - started
    design.require_golden(xs, found, what=what)
    record = CsimRecord(
        design=design.hash,
        command=f"hwaccel csim {project} --frames {len(xs[0])}",
        what=what,  # type: ignore[arg-type]
        frames=len(xs[0]),
        mismatches=0,
        seconds=seconds,
    )
    save_result(project, f"csim-{what}", record)
    return record


def synthesize(
    design: Design,
    project: Path,
    target: str,
    *,
    clock_mhz: float | None = None,
    pnr: bool = True,
    seed: int = 1,
    pins: Path | None = None,
    bitstream: bool = False,
    progress: Progress = lambda _: None,
) -> SynthRecord:
    """Synthesize, place and route, pack a bitstream, save and return the record.

    Raises:
        ConfigError: the clock, the target or a choice is impossible.
    """
    clock = design.config.clock_mhz if clock_mhz is None else clock_mhz
    Clock("clk", clock)  # raises before Yosys works for nothing
    made = design.synthesize(
        target,
        clock_mhz=clock,
        pnr=pnr,
        seed=seed,
        pins=pins,
        bitstream=bitstream,
        workdir=work_folder(project, f"synth-{find_target(target).name}"),
        progress=progress,
    )
    used = made.synth.utilization
    parts = parts_of(made.synth, design.netlist, design.plan)
    record = SynthRecord(
        design=design.hash,
        command=f"hwaccel synth {project} --target {target} --clock-mhz {clock:g} --seed {seed}"
        + ("" if pnr else " --no-pnr")
        + (f" --pins {pins}" if pins else "")
        + (" --bitstream" if bitstream else ""),
        target=target,
        luts=used.luts,
        lut4_equivalents=used.lut4_equivalents,
        ffs=used.ffs,
        dsps=used.dsps,
        block_rams=used.block_rams,
        carries=used.carries,
        distributed_rams=used.distributed_rams,
        fmax_mhz=made.fmax_mhz,
        clock_mhz=clock,
        routed=made.routed,
        untimed=list(made.untimed) if made.routed else [],
        bitstream=str(made.bitstream.relative_to(project)) if made.bitstream else "",
        parts={name: PartRow(*part.amounts) for name, part in parts.items()},
        seconds=made.seconds,
        tool_versions=dict(made.tool_versions),
    )
    save_result(project, f"synth-{target}", record)
    return record


def synth_line(record: SynthRecord) -> str:
    """Return one line for the terminal."""
    area = (
        f"{record.target}: {record.luts} LUT, {record.ffs} FF, {record.dsps} DSP, "
        f"{record.block_rams} block RAM"
    )
    if record.fmax_mhz is None:
        return f"{area}; not placed and routed, so no Fmax"
    bound = "at most " if record.untimed else ""
    line = f"{area}; routed, Fmax {bound}{record.fmax_mhz:.1f} MHz (asked for {record.clock_mhz:g})"
    if record.untimed:
        line += f"; no delays known of {', '.join(record.untimed)}"
    return f"{line}; bitstream {record.bitstream}" if record.bitstream else line


def gpu(design: Design, project: Path, batch: int, seed: int) -> tuple[CsimRecord, Throughput]:
    """Run the golden model on torch, compare, measure; save the record."""
    record = csim(design, project, frames(design, batch, seed, ()), "torch")
    return record, throughput(design.graph, batch)


def report_of(design: Design, project: Path) -> Report:
    """Collect what is known about a project."""
    versions = {f.name: f.version for f in tools.doctor() if f.found and f.version}
    return build_report(
        design.graph,
        design.plan,
        design.config,
        load_results(project),
        design_hash=design.hash,
        versions={"hwaccel": __version__, **versions},
        netlist=design.netlist,
    )


def write_report(design: Design, project: Path, page: Path) -> Path:
    """Write the HTML page and return its path.

    Raises:
        EmitError: the page cannot be written, or a result cannot be read.
    """
    text = render_html(report_of(design, project))
    try:
        replace_file(page, text.encode())
    except OSError as error:
        raise EmitError(f"{page}: cannot be written ({error.strerror})") from None
    return page
